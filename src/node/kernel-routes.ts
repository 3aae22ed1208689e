// Which destinations of a registered process stay on the kernel: a list of prefixes, each with a
// port if only that is meant, and with `!` what is taken out again.

import { BlockList, isIP } from 'node:net';
import { invalidOption } from './errors.ts';

const ENTRY = /^(!?)(\[?)([0-9a-fA-F.:]+?)(?:\/(\d{1,3}))?(\]?)(?::(\d{1,5}))?$/;

interface Rule {
  readonly port: number;
  readonly list: BlockList;
}

/** `10.0.0.0/8`, `127.0.0.1:5432`, `[::1]:5432`, `!10.1.0.0/16`. */
export class KernelRoutes {
  readonly #stay: Rule[] = [];
  readonly #except: Rule[] = [];

  /** @throws ERR_PORTSIDE_INVALID_OPTION */
  constructor(entries: readonly string[]) {
    entries.forEach((entry, i) => {
      this.#add(entry, `kernel[${i}]`);
    });
  }

  get isEmpty(): boolean {
    return this.#stay.length === 0;
  }

  /** Whether this address (a literal) is the kernel's. */
  has(address: string, port: number): boolean {
    return matches(this.#stay, address, port) && !matches(this.#except, address, port);
  }

  #add(entry: string, name: string): void {
    const [, not, open, address = '', length, close, port] = ENTRY.exec(splitPort(entry)) ?? [];
    const family = isIP(address);
    const longest = family === 6 ? 128 : 32;
    const bits = length === undefined ? longest : Number(length);
    const number = port === undefined ? 0 : Number(port);
    const isWhole = (open === '[') === (close === ']');
    if (family === 0 || bits > longest || number > 0xffff || !isWhole) {
      const form = "must be like '10.0.0.0/8', '127.0.0.1:5432' or '!10.1.0.0/16'";
      throw invalidOption(name, form, entry);
    }
    const list = new BlockList();
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
    (not === '!' ? this.#except : this.#stay).push({ port: number, list });
  }
}

/** A bare IPv6 address has colons of its own: without brackets nothing in it is a port. */
function splitPort(entry: string): string {
  const text = entry.trim();
  const bare = text.replace(/^!/, '').replace(/\/\d+$/, '');
  if (isIP(bare) !== 6) return text;
  return text.replace(bare, `[${bare}`).concat(']');
}

function matches(rules: readonly Rule[], address: string, port: number): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  return rules.some((r) => (r.port === 0 || r.port === port) && r.list.check(address, kind));
}
