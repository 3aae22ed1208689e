// Multicast groups of each link (RFC 9776 §3.2, RFC 9777 §4.2): what the sockets want together.
// Sockets are counted, not listed: how many want everything but some sources, how many a source,
// how many not. What is told to routers about it is group-changes.ts and group-answers.ts.

import { type Address, isMulticast, isV4 } from '../wire/address.ts';
import type { AddressPair } from '../wire/checksum.ts';

const NEVER = Infinity;

/** Which protocol a link's routers speak: v1 and v2 of IGMP, v2 for version 1 of MLD. */
export const Compat = { V1: 1, V2: 2, CURRENT: 3 } as const;

/** A source that some socket wants or does not want from a group. */
export class Source {
  readonly address: Address;
  /** Sockets that want it, and sockets that want everything but it. */
  wanted = 0;
  unwanted = 0;
  /** Reports of a change that it is still to stand in. */
  left = 0;
  /** In the link's list before the change that is going on. */
  was = false;

  constructor(address: Address) {
    this.address = address;
  }
}

/** Reception state of one group on one link. */
export class Group {
  readonly linkId: number;
  readonly address: Address;
  /** Routers hear of it. */
  readonly reported: boolean;
  /** Sockets in EXCLUDE mode. */
  excluders = 0;
  /** Sources × sockets in INCLUDE mode. */
  includers = 0;
  readonly sources: Source[] = [];
  /** Reports of a changed filter mode still to be sent, and when something is. */
  modeLeft = 0;
  changeUs = NEVER;
  /** When a query for this group is answered, and for which sources; empty = for the group. */
  answerUs = NEVER;
  readonly asked: Address[] = [];
  /** RFC 2236 §3: ours was the last report, so we say it when we leave. */
  lastReporter = false;

  constructor(linkId: number, address: Address, reported: boolean) {
    this.linkId = linkId;
    this.address = address;
    this.reported = reported;
  }

  /** False: INCLUDE mode without sources, which is no reception at all. */
  get exists(): boolean {
    return this.excluders > 0 || this.includers > 0;
  }

  get isExclude(): boolean {
    return this.excluders > 0;
  }

  /** Whether the source is in the link's list, of wanted or of unwanted ones as the mode says. */
  lists(s: Source): boolean {
    if (this.excluders === 0) return s.wanted > 0;
    return s.unwanted === this.excluders && s.wanted === 0;
  }

  find(source: Address): Source | null {
    for (const s of this.sources) if (sameAddress(s.address, source)) return s;
    return null;
  }

  /** Whether a packet from there is wanted by any socket. */
  allows(a: number, b: number, c: number, d: number): boolean {
    for (let i = 0; i < this.sources.length; i++) {
      const s = this.sources[i] as Source;
      const { address } = s;
      if (address.d !== d || address.c !== c || address.b !== b || address.a !== a) continue;
      return this.lists(s) !== this.isExclude;
    }
    return this.isExclude;
  }
}

export function sameAddress(x: Address, y: Address): boolean {
  return x.d === y.d && x.c === y.c && x.b === y.b && x.a === y.a;
}

/** A link's groups of one family, and what its queriers have said. */
export class GroupLink {
  readonly linkId: number;
  readonly family: 4 | 6;
  readonly groups: Group[] = [];
  /** When a general query is answered. */
  generalUs = NEVER;
  /** Until when a querier of an older version is taken to be there (RFC 9776 §7.2.1). */
  until1Us = 0;
  until2Us = 0;
  compat: number = Compat.CURRENT;
  robustness: number;
  queryIntervalMs: number;

  constructor(linkId: number, family: 4 | 6, robustness: number, queryIntervalMs: number) {
    this.linkId = linkId;
    this.family = family;
    this.robustness = robustness;
    this.queryIntervalMs = queryIntervalMs;
  }
}

export class Groups {
  readonly links: GroupLink[] = [];
  readonly #byWord = new Map<number, Group[]>();
  size = 0;
  /** Not after the earliest deadline of any group, absolute µs. */
  deadlineUs = NEVER;

  /** The group on that link; null when nothing is known of it there. */
  find(linkId: number, a: number, b: number, c: number, d: number): Group | null {
    if (this.size === 0) return null;
    const found = this.#byWord.get(d ^ linkId);
    if (found === undefined) return null;
    for (let i = 0; i < found.length; i++) {
      const g = found[i] as Group;
      const { address } = g;
      if (g.linkId !== linkId || address.d !== d || address.c !== c) continue;
      if (address.b === b && address.a === a) return g;
    }
    return null;
  }

  of(linkId: number, address: Address): Group | null {
    return this.find(linkId, address.a, address.b, address.c, address.d);
  }

  /** The link's record for a family, null while it has none. */
  link(linkId: number, family: number): GroupLink | null {
    for (let i = 0; i < this.links.length; i++) {
      const l = this.links[i] as GroupLink;
      if (l.linkId === linkId && l.family === family) return l;
    }
    return null;
  }

  add(link: GroupLink, group: Group): void {
    const key = group.address.d ^ group.linkId;
    const same = this.#byWord.get(key);
    if (same === undefined) this.#byWord.set(key, [group]);
    else same.push(group);
    link.groups.push(group);
    this.size++;
  }

  remove(link: GroupLink, group: Group): void {
    const key = group.address.d ^ group.linkId;
    const same = this.#byWord.get(key);
    if (same === undefined) return;
    same.splice(same.indexOf(group), 1);
    if (same.length === 0) this.#byWord.delete(key);
    link.groups.splice(link.groups.indexOf(group), 1);
    this.size--;
  }

  /** Something is to happen at `us`. */
  wantAt(us: number): void {
    if (us < this.deadlineUs) this.deadlineUs = us;
  }

  /**
   * Whether a packet to a group is heard on the link: all-hosts and all-nodes always
   * (RFC 1112 §4, RFC 4291 §2.8), others when a socket wants them from there; a
   * router that asks about a group is no source of it (`anySource`).
   */
  hears(linkId: number, p: AddressPair, anySource: boolean): boolean {
    const g = this.find(linkId, p.dst0, p.dst1, p.dst2, p.dst3);
    if (g?.exists === true && (anySource || g.allows(p.src0, p.src1, p.src2, p.src3))) return true;
    return isEverybodys(p.dst0, p.dst1, p.dst2, p.dst3);
  }
}

const ALL_HOSTS = 0xe0000001 | 0;
const ALL_NODES_HERE = 0xff010000 | 0;
const ALL_NODES = 0xff020000 | 0;

/** 224.0.0.1, ff01::1 and ff02::1: never joined, never left, never reported. */
export function isEverybodys(a: number, b: number, c: number, d: number): boolean {
  if (isV4(a, b, c)) return d === ALL_HOSTS;
  return (a === ALL_NODES || a === ALL_NODES_HERE) && (b | c) === 0 && d === 1;
}

/**
 * Whether routers hear of a group: not of everybody's, not of what never leaves a link's hosts
 * (RFC 9777 §6: scopes 0 and 1), and of 224.0.0/24 only when asked to (RFC 9776 §5 speaks of it as
 * the protocol's own; routers forward nothing there).
 */
export function isReported(address: Address, linkLocal: boolean): boolean {
  const { a, b, c, d } = address;
  if (!isMulticast(a, b, c, d) || isEverybodys(a, b, c, d)) return false;
  if (address.family === 4) return linkLocal || d >>> 8 !== 0xe00000;
  return ((a >>> 16) & 15) > 1;
}
