// Path MTU of destinations that said "fragmentation needed" (RFC 1191 §3, §6.3): a bounded cache in
// sets of four, so that every step is constant; the oldest of a full set goes first. An entry lives
// `pmtuExpireMs` from its last decrease, then the link's MTU is tried again.

import { FlowHash, mix } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import { format } from '../wire/address.ts';

export interface PmtuConfig {
  pmtuMin: number;
  pmtuExpireMs: number;
  pmtuMaxEntries: number;
}

/** RFC 1191 §7.1: the plateaus that a router without an MTU field leaves us to try. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];
const WAYS = 4;
const NEVER = Infinity;

/** The next plateau below a packet of `size` octets that did not pass. */
export function plateauBelow(size: number): number {
  for (const plateau of PLATEAUS) if (plateau < size) return plateau;
  return 68;
}

export class PathMtu {
  readonly #config: PmtuConfig;
  readonly #key: FlowHash;
  readonly #mask: number;
  /** Four address words and the MTU; MTU 0 = free. */
  readonly #cells: Int32Array;
  readonly #expires: Float64Array;
  #size = 0;
  #next = NEVER;

  constructor(config: PmtuConfig, random: Random) {
    let sets = 1;
    while (sets * WAYS < config.pmtuMaxEntries) sets *= 2;
    this.#config = config;
    this.#key = new FlowHash(random);
    this.#mask = sets - 1;
    this.#cells = new Int32Array(sets * WAYS * 5);
    this.#expires = new Float64Array(sets * WAYS).fill(NEVER);
  }

  get size(): number {
    return this.#size;
  }

  /** MTU known for an address in octets, 0 when none is. */
  get(a: number, b: number, c: number, d: number): number {
    if (this.#size === 0) return 0;
    const i = this.#find(a, b, c, d);
    return i < 0 ? 0 : (this.#cells[i * 5 + 4] as number);
  }

  /**
   * Lowers the MTU of an address; never raises it (RFC 1191 §3). The value is kept as it is:
   * what is below `pmtuMin` is the path selection's to handle. True when something changed.
   */
  lower(address: Int32Array, mtu: number, nowUs: number): boolean {
    const a = address[0] as number;
    const b = address[1] as number;
    const c = address[2] as number;
    const d = address[3] as number;
    let i = this.#find(a, b, c, d);
    if (i >= 0 && (this.#cells[i * 5 + 4] as number) <= mtu) return false;
    if (i < 0) i = this.#place(a, b, c, d);
    this.#cells[i * 5 + 4] = mtu;
    const expires = nowUs + this.#config.pmtuExpireMs * 1000;
    this.#expires[i] = expires;
    if (expires < this.#next) this.#next = expires;
    return true;
  }

  /** A time not after the earliest expiry, absolute µs. */
  nextDeadline(): number {
    return this.#next;
  }

  /** Forgets what has expired; true when there was something, and paths must be asked for again. */
  advance(nowUs: number): boolean {
    if (nowUs < this.#next) return false;
    let changed = false;
    this.#next = NEVER;
    for (let i = 0; i < this.#expires.length; i++) {
      const at = this.#expires[i] as number;
      if (at <= nowUs) {
        this.#expires[i] = NEVER;
        this.#cells[i * 5 + 4] = 0;
        this.#size--;
        changed = true;
      } else if (at < this.#next) this.#next = at;
    }
    return changed;
  }

  /** Every entry, for people. */
  list(): { address: string; mtu: number; expiresUs: number }[] {
    const out = [];
    for (let i = 0; i < this.#expires.length; i++) {
      const mtu = this.#cells[i * 5 + 4] as number;
      if (mtu === 0) continue;
      const c = this.#cells.subarray(i * 5, i * 5 + 4);
      const address = format(c[0] as number, c[1] as number, c[2] as number, c[3] as number);
      out.push({ address, mtu, expiresUs: this.#expires[i] as number });
    }
    return out;
  }

  #set(a: number, b: number, c: number, d: number): number {
    const k = this.#key;
    let h = mix(k.k0, a, k.k1);
    h = mix(h, b, k.k2);
    h = mix(h, c, k.k1);
    return (mix(h, d, k.k2) & this.#mask) * WAYS;
  }

  #find(a: number, b: number, c: number, d: number): number {
    const set = this.#set(a, b, c, d);
    for (let i = set; i < set + WAYS; i++) {
      const at = i * 5;
      const cells = this.#cells;
      if (
        cells[at + 4] !== 0 &&
        cells[at + 3] === d &&
        cells[at + 2] === c &&
        cells[at + 1] === b &&
        cells[at] === a
      ) {
        return i;
      }
    }
    return -1;
  }

  #place(a: number, b: number, c: number, d: number): number {
    const set = this.#set(a, b, c, d);
    let oldest = set;
    for (let i = set; i < set + WAYS; i++) {
      if (this.#cells[i * 5 + 4] === 0) {
        oldest = i;
        this.#size++;
        break;
      }
      if ((this.#expires[i] as number) < (this.#expires[oldest] as number)) oldest = i;
    }
    const cells = this.#cells;
    cells[oldest * 5] = a;
    cells[oldest * 5 + 1] = b;
    cells[oldest * 5 + 2] = c;
    cells[oldest * 5 + 3] = d;
    return oldest;
  }
}
