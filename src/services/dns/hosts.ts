// The table of names that needs no server, in the form of /etc/hosts (hosts(5), RFC 952's heir): an
// address, its name, its other names.

import { type Address, parse } from '../../wire/address.ts';

/** Lines beyond that are not read: a table of blocked names may have a million. */
const MOST_LINES = 1 << 20;
const MOST_ADDRESSES = 256;

export class HostsTable {
  /** Name in lower case → addresses, in the order of the lines. */
  readonly #addresses = new Map<string, Address[]>();
  /** Address as text → its names, the first one first. */
  readonly #names = new Map<string, string[]>();

  constructor(text: string) {
    let from = 0;
    for (let i = 0; i < MOST_LINES && from < text.length; i++) {
      const newline = text.indexOf('\n', from);
      const to = newline < 0 ? text.length : newline;
      this.#take(text.slice(from, to));
      from = to + 1;
    }
  }

  #take(line: string): void {
    const [literal, ...names] = line
      .replace(/#.*$/s, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    const address = literal === undefined ? null : parse(literal);
    if (address === null || names.length === 0) return;
    for (const name of names) {
      const key = keyOf(name);
      const list = this.#addresses.get(key) ?? [];
      const isNew = list.length < MOST_ADDRESSES && !list.some((known) => known.equals(address));
      if (isNew) list.push(address);
      this.#addresses.set(key, list);
    }
    const text = address.toString();
    // A table that blocks names gives one address all of them.
    const known = this.#names.get(text);
    if (known === undefined) this.#names.set(text, names);
    else for (const name of names) known.push(name);
  }

  /** Empty when the name is not in the table. */
  addressesOf(name: string): readonly Address[] {
    return this.#addresses.get(keyOf(name)) ?? [];
  }

  namesOf(address: Address): readonly string[] {
    return this.#names.get(address.toString()) ?? [];
  }
}

function keyOf(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
