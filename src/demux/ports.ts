// Who holds which port: the binding rules of one protocol, with Node's EADDRINUSE semantics, the
// lookup of a listener (specific address, then wildcard), and ephemeral ports (RFC 6056).

import { Code } from '../base/code.ts';
import { below, type Random } from '../base/random.ts';

const V4_MAPPED = 0x0000ffff;

/** Most ports of which it is kept how often they were refused; the oldest one goes first. */
const MOST_REFUSED = 1024;

/** One application's hold on a port. */
export interface Binding {
  readonly port: number;
  /** Words of the local address; all zero = every address of both families (`::`). */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  /** `::` without IPv4, or a plain IPv6 address. */
  readonly v6Only: boolean;
  /** May share the port with others that say the same. */
  readonly share: boolean;
  /**
   * Among sharers the last one to bind gets what is for one alone, as with Linux's SO_REUSEADDR; it
   * shares with its like only. Otherwise flows are spread, as with SO_REUSEPORT.
   */
  readonly newest?: boolean;
  /** The protocol's number for the holder: a listener or endpoint slot. */
  readonly slot: number;
  /** Bound to this link alone (SO_BINDTODEVICE): hears what comes by it. Without: by every link. */
  readonly link?: number | undefined;
}

/** A lookup that does not say by which link it came. */
const NO_LINK = -1;
/** Above the ranks of addresses: of two equally good ones, the one that is bound to the link. */
const RANKS = 2;

export class Ports {
  readonly #byPort = new Map<number, Binding[]>();
  #size = 0;
  /** Refused bindings since the start: the inspector's "who else tried". */
  refused = 0;
  readonly #refusedAt = new Map<number, number>();
  /** Hash of the flow that `find` is about: set it before, where sharers are possible. */
  spread = 0;
  /** The link by which came what `find` is about: set it before each; -1 = no matter. */
  link = NO_LINK;
  #turn = 0;

  get size(): number {
    return this.#size;
  }

  bindings(port: number): readonly Binding[] {
    return this.#byPort.get(port) ?? [];
  }

  ports(): number[] {
    return [...this.#byPort.keys()];
  }

  /** How often each port has been refused; the last MOST_REFUSED of them. */
  refusals(): ReadonlyMap<number, number> {
    return this.#refusedAt;
  }

  #refuse(port: number): Code {
    this.refused++;
    const times = this.#refusedAt.get(port) ?? 0;
    this.#refusedAt.delete(port);
    this.#refusedAt.set(port, times + 1);
    for (const oldest of this.#refusedAt.keys()) {
      if (this.#refusedAt.size <= MOST_REFUSED) break;
      this.#refusedAt.delete(oldest);
    }
    return Code.EADDRINUSE;
  }

  /** NONE, or EADDRINUSE when an overlapping binding exists and not both of them share. */
  bind(wanted: Binding): Code {
    const held = this.#byPort.get(wanted.port);
    if (held === undefined) {
      this.#byPort.set(wanted.port, [wanted]);
      this.#size++;
      return Code.NONE;
    }
    for (const other of held) {
      if (overlap(wanted, other) && !shares(wanted, other)) return this.#refuse(wanted.port);
    }
    held.push(wanted);
    this.#size++;
    return Code.NONE;
  }

  unbind(binding: Binding): void {
    const held = this.#byPort.get(binding.port);
    const i = held === undefined ? -1 : held.indexOf(binding);
    if (held === undefined || i < 0) return;
    held.splice(i, 1);
    this.#size--;
    if (held.length === 0) this.#byPort.delete(binding.port);
  }

  /**
   * Slot that answers for a local address and port: exact address, then the family's wildcard, then
   * the dual-stack wildcard; -1 when nobody does. Among sharers `spread` picks one, so a
   * flow stays with its holder.
   */
  find(port: number, a: number, b: number, c: number, d: number): number {
    const held = this.#byPort.get(port);
    if (held === undefined) return -1;
    let best = -1;
    let bestRank = 0;
    let ties = 0;
    for (let i = 0; i < held.length; i++) {
      const rank = score(held[i] as Binding, this.link, matches(held[i] as Binding, a, b, c, d));
      if (rank > bestRank) {
        bestRank = rank;
        best = i;
        ties = 1;
      } else if (rank > 0 && rank === bestRank) ties++;
    }
    if (best < 0) return -1;
    if (ties === 1) return (held[best] as Binding).slot;
    const newest = (held[best] as Binding).newest === true;
    let skip = newest ? ties - 1 : (this.spread >>> 0) % ties;
    for (let i = best; i < held.length; i++) {
      if (
        score(held[i] as Binding, this.link, matches(held[i] as Binding, a, b, c, d)) !== bestRank
      )
        continue;
      if (skip-- === 0) return (held[i] as Binding).slot;
    }
    return (held[best] as Binding).slot;
  }

  /** Slots of all that answer equally well for a local address and port, in order of binding. */
  sharers(port: number, a: number, b: number, c: number, d: number): number[] {
    const held = this.bindings(port);
    const scores = held.map((x) => score(x, this.link, matches(x, a, b, c, d)));
    const best = Math.max(0, ...scores);
    return held.filter((_x, i) => best > 0 && scores[i] === best).map((x) => x.slot);
  }

  /** Whether a binding for this local address and port would be refused. */
  taken(wanted: Binding): boolean {
    for (const other of this.bindings(wanted.port)) {
      if (overlap(wanted, other) && !shares(wanted, other)) return true;
    }
    return false;
  }

  /**
   * A random free port in [low, high] (RFC 6056 algorithm 1, continued upwards from the random
   * start), -1 when all are taken.
   */
  ephemeral(random: Random, low: number, high: number, free: (port: number) => boolean): number {
    const n = high - low + 1;
    const start = below(random, n);
    for (let i = 0; i < n; i++) {
      const port = low + ((start + i) % n);
      if (free(port)) return port;
    }
    return -1;
  }

  /** A number that moves with each call; spreads ties. */
  turn(): number {
    this.#turn = (this.#turn + 1) | 0;
    return this.#turn;
  }
}

function shares(x: Binding, y: Binding): boolean {
  return x.share && y.share && (x.newest === true) === (y.newest === true);
}

function isAny(x: Binding): boolean {
  return (x.a | x.b | x.d) === 0 && (x.c === 0 || x.c === V4_MAPPED);
}

/** Bound to a link, or to none. */
function linkOf(x: Binding): number {
  return x.link ?? NO_LINK;
}

/** How well a binding that matches with `rank` answers for what came by `link`; 0: not at all. */
function score(x: Binding, link: number, rank: number): number {
  const own = linkOf(x);
  if (own !== NO_LINK && link !== NO_LINK && own !== link) return 0;
  return rank === 0 ? 0 : rank * RANKS + (own === NO_LINK ? 0 : 1);
}

/** 3 exact, 2 wildcard of the family, 1 dual-stack wildcard, 0 none. */
function matches(x: Binding, a: number, b: number, c: number, d: number): number {
  if (x.a === a && x.b === b && x.c === c && x.d === d) return 3;
  if ((x.a | x.b | x.d) !== 0) return 0;
  const v4 = (a | b) === 0 && c === V4_MAPPED;
  if (x.c === V4_MAPPED) return v4 ? 2 : 0;
  if (x.c !== 0) return 0;
  if (!v4) return 2;
  return x.v6Only ? 0 : 1;
}

function overlap(x: Binding, y: Binding): boolean {
  const [one, other] = [linkOf(x), linkOf(y)];
  if (one !== other && one !== NO_LINK && other !== NO_LINK) return false;
  if (x.a === y.a && x.b === y.b && x.c === y.c && x.d === y.d) return true;
  const anyX = isAny(x);
  const anyY = isAny(y);
  if (!anyX && !anyY) return false;
  return (anyX && covers(x, y)) || (anyY && covers(y, x));
}

/** Whether the wildcard `any` answers for addresses of `other`'s family. */
function covers(any: Binding, other: Binding): boolean {
  const otherV4 = (other.a | other.b) === 0 && other.c === V4_MAPPED;
  if (any.c === V4_MAPPED) return otherV4 || (isAny(other) && other.c === 0 && !other.v6Only);
  return otherV4 ? !any.v6Only : true;
}
