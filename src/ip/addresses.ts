// Our own addresses: many for each link, whole prefixes in constant memory (`own: 'all'`), the
// broadcast forms that go with them (RFC 1122 §3.3.6) and the multicast groups we listen to.
// Any of them is ours on any link (the weak host model of RFC 1122 §3.3.4.2), as on Linux.

import { Code } from '../base/code.ts';
import { DstKind } from '../base/rx.ts';
import type { Prefix } from '../wire/address.ts';
import {
  Address,
  fromV4,
  isLimitedBroadcast,
  isMulticast,
  isUnspecified,
  isV4,
  mappedLength,
  maskWord,
} from '../wire/address.ts';
import { PrefixTable } from './prefix-table.ts';
import { source6 } from './source6.ts';

/** What `kindOf` answers for an address that is none of ours. */
export const NOT_OURS = 3;

/** Most addresses and prefixes of one stack; a prefix owned whole counts as one. */
export const MAX_ADDRESSES = 65_536;

/** Entries of the cache of answers. */
const CACHED = 64;
const EXACT = 128;
const V4_BITS = 96;
const ALL_HOSTS = fromV4(0xe0000001);
const ALL_NODES_HERE = new Address(0xff010000, 0, 0, 1);
const ALL_NODES = new Address(0xff020000, 0, 0, 1);

export interface AddressEntry {
  readonly linkId: number;
  readonly address: Address;
  /** Bits of the network, counted in the address's own family. */
  readonly length: number;
  /** Every address of the prefix is ours. */
  readonly all: boolean;
}

/** How often an address or prefix is held in each role. */
interface Mark {
  unicast: number;
  broadcast: number;
  group: number;
}

export class Addresses {
  readonly #entries: AddressEntry[] = [];
  readonly #table = new PrefixTable();
  readonly #marks: Mark[] = [];
  readonly #freeMarks: number[] = [];
  /** DstKind of each mark. */
  #kinds = new Int32Array(16);
  readonly #words = new Int32Array(4);
  /** The last answers for IPv4, by some bits of the address: every packet asks twice. */
  readonly #asked = new Int32Array(CACHED);
  readonly #answers = new Int8Array(CACHED).fill(-1);

  constructor() {
    // 127/8 and ::1 are ours from the start, on the loopback link (RFC 1122 §3.2.1.3, RFC 4291
    // §2.5.3); so are the broadcast of 127/8, the all-hosts and all-nodes groups (RFC 1112 §4,
    // RFC 4291 §2.7.1) and the limited broadcast address.
    this.add(0, { address: fromV4(0x7f000001), length: 8 }, true);
    this.add(0, { address: new Address(0, 0, 0, 1), length: 128 }, false);
    this.#hold(fromV4(0x7fffffff), EXACT, 'broadcast', 1);
    this.#hold(ALL_HOSTS, EXACT, 'group', 1);
    this.#hold(ALL_NODES_HERE, EXACT, 'group', 1);
    this.#hold(ALL_NODES, EXACT, 'group', 1);
  }

  get list(): readonly AddressEntry[] {
    return this.#entries;
  }

  /** UNICAST, BROADCAST or MULTICAST of DstKind when the address is ours, else NOT_OURS. */
  kindOf(a: number, b: number, c: number, d: number): number {
    if (!isV4(a, b, c)) return this.#look(a, b, c, d);
    const i = (d ^ (d >>> 8)) & (CACHED - 1);
    const known = this.#answers[i] as number;
    if (this.#asked[i] === d && known >= 0) return known;
    const kind = d === -1 ? DstKind.BROADCAST : this.#look(a, b, c, d);
    this.#asked[i] = d;
    this.#answers[i] = kind;
    return kind;
  }

  #look(a: number, b: number, c: number, d: number): number {
    const mark = this.#table.lookup(a, b, c, d);
    return mark < 0 ? NOT_OURS : (this.#kinds[mark] as number);
  }

  /** Whether an address that is not ours to send from names a group or a broadcast. */
  isGroup(a: number, b: number, c: number, d: number): boolean {
    return isMulticast(a, b, c, d) || this.kindOf(a, b, c, d) === DstKind.BROADCAST;
  }

  /**
   * Adds an address with its prefix, or with `all` every address of the prefix.
   * NONE, EADDRINUSE when it is there, EINVAL for a group or the unspecified address, ENOBUFS.
   */
  add(linkId: number, prefix: Prefix, all: boolean): Code {
    const code = this.check(prefix, all);
    if (code !== Code.NONE) return code;
    this.#entries.push({ linkId, address: prefix.address, length: prefix.length, all });
    this.#apply(prefix, all, 1);
    return Code.NONE;
  }

  /** What `add` would answer. */
  check(prefix: Prefix, all: boolean): Code {
    const { a, b, c, d } = prefix.address;
    if (isMulticast(a, b, c, d) || isLimitedBroadcast(a, b, c, d)) return Code.EINVAL;
    if (!all && isUnspecified(a, b, c, d)) return Code.EINVAL;
    if (this.#entries.length >= MAX_ADDRESSES) return Code.ENOBUFS;
    return this.#find(prefix, all) >= 0 ? Code.EADDRINUSE : Code.NONE;
  }

  /** NONE, or EADDRNOTAVAIL when it is not there. */
  remove(linkId: number, prefix: Prefix, all: boolean): Code {
    const i = this.#find(prefix, all);
    if (i < 0 || (this.#entries[i] as AddressEntry).linkId !== linkId) return Code.EADDRNOTAVAIL;
    this.#entries.splice(i, 1);
    this.#apply(prefix, all, -1);
    return Code.NONE;
  }

  /** Listens to a multicast group, or no longer. */
  join(group: Address): void {
    this.#hold(group, EXACT, 'group', 1);
  }

  leave(group: Address): void {
    this.#hold(group, EXACT, 'group', -1);
  }

  /**
   * Which of our addresses a packet to the destination starts from (RFC 1122 §3.3.4.3): the one on
   * the link whose prefix holds the destination, the longest such; else the link's first; else the
   * first of any link but loopback. Null when there is none of that family.
   */
  sourceFor(linkId: number, a: number, b: number, c: number, d: number): Address | null {
    const words = this.#words;
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
    const family = isV4(a, b, c) ? 4 : 6;
    if (family === 6) return source6(this.#entries, linkId, words);
    let best: AddressEntry | null = null;
    let bestRank = -1;
    for (const entry of this.#entries) {
      if (entry.address.family !== family) continue;
      const rank = rankOf(entry, linkId, words);
      if (rank > bestRank) {
        best = entry;
        bestRank = rank;
      }
    }
    if (best === null) return null;
    return best.all ? hostOf(best) : best.address;
  }

  #find(prefix: Prefix, all: boolean): number {
    // Most calls are for new addresses: the table knows at once, whatever the number of entries.
    const mark = this.#table.get(all ? mappedLength(prefix) : EXACT, this.#load(prefix.address));
    if (mark < 0 || (this.#marks[mark] as Mark).unicast === 0) return -1;
    return this.#entries.findIndex(
      (e) =>
        e.all === all && e.address.equals(prefix.address) && (!all || e.length === prefix.length),
    );
  }

  #apply(prefix: Prefix, all: boolean, step: number): void {
    const { address, length } = prefix;
    if (all) {
      this.#hold(address, mappedLength(prefix), 'unicast', step);
      return;
    }
    this.#hold(address, EXACT, 'unicast', step);
    if (address.family !== 4 || length === 0 || length > 30) return;
    // RFC 1122 §3.3.6: the directed broadcast, and its older form with zeros for ones.
    const mask = maskWord(length + V4_BITS, 3);
    this.#hold(fromV4(address.d | ~mask), EXACT, 'broadcast', step);
    this.#hold(fromV4(address.d & mask), EXACT, 'broadcast', step);
  }

  #load(address: Address): Int32Array {
    const words = this.#words;
    words[0] = address.a;
    words[1] = address.b;
    words[2] = address.c;
    words[3] = address.d;
    return words;
  }

  #hold(address: Address, length: number, role: keyof Mark, step: number): void {
    this.#answers.fill(-1);
    const words = this.#load(address);
    let i = this.#table.get(length, words);
    if (i < 0) {
      if (step < 0) return;
      i = this.#freeMarks.pop() ?? this.#marks.length;
      this.#marks[i] = { unicast: 0, broadcast: 0, group: 0 };
      this.#table.set(length, words, i);
    }
    const mark = this.#marks[i] as Mark;
    mark[role] = Math.max(0, mark[role] + step);
    if (mark.unicast + mark.broadcast + mark.group === 0) {
      this.#table.delete(length, words);
      this.#freeMarks.push(i);
      return;
    }
    if (i >= this.#kinds.length) {
      const wider = new Int32Array(this.#kinds.length * 2);
      wider.set(this.#kinds);
      this.#kinds = wider;
    }
    this.#kinds[i] = kindOfMark(mark);
  }
}

function kindOfMark(mark: Mark): number {
  if (mark.unicast > 0) return DstKind.UNICAST;
  return mark.broadcast > 0 ? DstKind.BROADCAST : DstKind.MULTICAST;
}

/** Better candidates have higher ranks; -1 is none. */
function rankOf(entry: AddressEntry, linkId: number, dst: Int32Array): number {
  // Loopback's addresses never leave it (RFC 1122 §3.2.1.3 (g)).
  if (entry.linkId === 0 && linkId !== 0) return -1;
  if (entry.all) return entry.linkId === linkId ? 1 : 0;
  if (entry.linkId !== linkId) return 2;
  const length = mappedLength(entry);
  return 3 + (holds(entry.address, length, dst) ? length : 0);
}

function holds(address: Address, length: number, dst: Int32Array): boolean {
  const differ =
    (((dst[0] as number) ^ address.a) & maskWord(length, 0)) |
    (((dst[1] as number) ^ address.b) & maskWord(length, 1)) |
    (((dst[2] as number) ^ address.c) & maskWord(length, 2)) |
    (((dst[3] as number) ^ address.d) & maskWord(length, 3));
  return differ === 0;
}

/** A prefix owned whole sends from its address as given, or from its first host. */
function hostOf(entry: AddressEntry): Address {
  const { address, length } = entry;
  if (address.family !== 4 || length > 30) return address;
  const host = address.d & ~maskWord(length + V4_BITS, 3);
  return host === 0 ? fromV4(address.d | 1) : address;
}
