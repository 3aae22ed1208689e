// What stands in the way: a middlebox that takes options out of segments, rewrites MSS and windows,
// bleaches ECN, cuts segments up, forgets its NAT table; and a router with a small MTU that may or
// may not say so. One box serves both directions of a cable.

import { below, fraction, type Random } from '../base/random.ts';
import { wireLen } from '../link/impair.ts';
import {
  cut,
  dataAt,
  fragments,
  get16,
  get32,
  icmpError,
  type Passing,
  put16,
  resum,
  sealed,
  segment,
  tcpAt,
} from './craft.ts';
import { Bit } from './decode.ts';

export interface BoxRules {
  /** Kinds of options that become NOPs, in both directions alike. */
  strip?: readonly number[];
  /** Only on segments with SYN. */
  synOnly?: boolean;
  /** Largest MSS that passes; 0 takes the option out. */
  mss?: number;
  /** Largest window field that passes towards the client (and the server). */
  window?: number;
  /** Chance that a window is made smaller, by any factor. */
  shrink?: number;
  /** Spans of time in which every window is zero. */
  zero?: readonly (readonly [number, number])[];
  /** Clears ECN in the IP header, or ECE and CWR of SYNs. */
  bleach?: 'ip' | 'syn';
  /** Segments with more data are cut. */
  split?: number;
  /** Packets over this size do not pass; `icmp` says whether the router tells. */
  mtu?: number;
  icmp?: boolean;
  /** From then on connections that were there before are answered with RST. */
  forgetsUs?: number;
}

export const BOX_KINDS = [
  'stripped',
  'mssRewritten',
  'windowsClamped',
  'windowsShrunk',
  'windowsZeroed',
  'bleached',
  'split',
  'tooBigTold',
  'blackHoled',
  'routerFragments',
  'natResets',
] as const;
export type BoxKind = (typeof BOX_KINDS)[number];

const ROUTER = (10 << 24) | 254;
const OPTION = { MSS: 2 } as const;

export class Box {
  rules: BoxRules;
  readonly stats: Record<BoxKind, number>;
  readonly #random: Random;
  /** Ports of flows that the box has seen; those that it has forgotten. */
  readonly #known = new Set<number>();
  readonly #forgotten = new Set<number>();
  #zero = 0;

  constructor(rules: BoxRules, random: Random) {
    this.rules = rules;
    this.#random = random;
    const stats: Partial<Record<BoxKind, number>> = {};
    for (const kind of BOX_KINDS) stats[kind] = 0;
    this.stats = stats as Record<BoxKind, number>;
  }

  /** What goes on instead of `p`; what goes back to its sender is put into `back`. */
  through(p: Passing, nowUs: number, back: Passing[]): Passing[] {
    const tcp = tcpAt(p.octets);
    if (tcp >= 0) {
      if (this.#forgot(p.octets, tcp, nowUs, back)) return [];
      this.#rewrite(p, tcp, nowUs);
    }
    const { mtu, split } = this.rules;
    if (mtu !== undefined && wireLen(p.octets, p.gso) > mtu) return this.#tooBig(p, mtu, back);
    if (tcp < 0 || split === undefined) return [p];
    if (p.octets.length - dataAt(p.octets, tcp) <= split) return [p];
    this.stats.split++;
    sealed(p);
    return cut(p.octets, tcp, split).map((octets) => ({ octets, flags: p.flags, gso: 0 }));
  }

  /** Faults end; what the box is stays. */
  heal(): void {
    const { strip, synOnly, mss, split, bleach, mtu, icmp } = this.rules;
    const rules: BoxRules = {};
    if (strip !== undefined) rules.strip = strip;
    if (synOnly !== undefined) rules.synOnly = synOnly;
    if (mss !== undefined) rules.mss = mss;
    if (split !== undefined) rules.split = split;
    if (bleach !== undefined) rules.bleach = bleach;
    // What a silent router lets pass is found down to 512 octets (docs/departures.md).
    if (mtu !== undefined) rules.mtu = Math.max(mtu, 576);
    if (icmp !== undefined) rules.icmp = icmp;
    this.rules = rules;
  }

  #rewrite(p: Passing, tcp: number, nowUs: number): void {
    const before = p.octets;
    const syn = ((before[tcp + 13] as number) & Bit.SYN) !== 0;
    const r = this.rules;
    const wants = r.strip !== undefined || r.mss !== undefined || r.bleach !== undefined;
    const windows = r.window !== undefined || r.shrink !== undefined || r.zero !== undefined;
    if (!wants && !windows) return;
    sealed(p);
    const b = p.octets;
    if (syn || r.synOnly !== true) this.#options(b, tcp, syn);
    if (windows) this.#window(b, tcp, nowUs);
    this.#bleach(b, tcp, syn);
    resum(b);
  }

  #options(b: Uint8Array, tcp: number, syn: boolean): void {
    const { strip, mss } = this.rules;
    const end = Math.min(dataAt(b, tcp), b.length);
    for (let at = tcp + 20; at < end && b[at] !== 0; ) {
      const kind = b[at] as number;
      const len = kind === 1 ? 1 : (b[at + 1] ?? 0);
      if (len < 1 || at + len > end) return;
      if (strip?.includes(kind) === true || (kind === OPTION.MSS && mss === 0)) {
        b.fill(1, at, at + len);
        this.stats.stripped++;
      } else if (kind === OPTION.MSS && syn && mss !== undefined && get16(b, at + 2) > mss) {
        put16(b, at + 2, mss);
        this.stats.mssRewritten++;
      }
      at += len;
    }
  }

  #window(b: Uint8Array, tcp: number, nowUs: number): void {
    const { window, shrink, zero } = this.rules;
    let field = get16(b, tcp + 14);
    if (window !== undefined && field > window) {
      field = window;
      this.stats.windowsClamped++;
    }
    if (shrink !== undefined && fraction(this.#random) < shrink) {
      field = below(this.#random, field + 1);
      this.stats.windowsShrunk++;
    }
    if (zero !== undefined) {
      while (this.#zero < zero.length && (zero[this.#zero]?.[1] as number) <= nowUs) this.#zero++;
      const span = zero[this.#zero];
      if (span !== undefined && span[0] <= nowUs) {
        field = 0;
        this.stats.windowsZeroed++;
      }
    }
    put16(b, tcp + 14, field);
  }

  #bleach(b: Uint8Array, tcp: number, syn: boolean): void {
    const flags = b[tcp + 13] as number;
    if (this.rules.bleach === 'ip' && ((b[1] as number) & 3) !== 0) {
      b[1] = (b[1] as number) & 0xfc;
      this.stats.bleached++;
    } else if (this.rules.bleach === 'syn' && syn && (flags & (Bit.ECE | Bit.CWR)) !== 0) {
      b[tcp + 13] = flags & ~(Bit.ECE | Bit.CWR);
      this.stats.bleached++;
    }
  }

  #tooBig(p: Passing, mtu: number, back: Passing[]): Passing[] {
    const b = p.octets;
    if (((b[6] as number) & 0x40) === 0) {
      this.stats.routerFragments++;
      sealed(p);
      return fragments(b, mtu).map((octets) => ({ octets, flags: p.flags, gso: 0 }));
    }
    if (this.rules.icmp !== true) {
      this.stats.blackHoled++;
      return [];
    }
    this.stats.tooBigTold++;
    back.push({ octets: icmpError(b, ROUTER, [3, 4, mtu]), flags: 0, gso: 0 });
    return [];
  }

  /** A NAT that has lost its table knows nobody: it answers with RST, to both sides in the end. */
  #forgot(b: Uint8Array, tcp: number, nowUs: number, back: Passing[]): boolean {
    const forgets = this.rules.forgetsUs;
    if (forgets === undefined) return false;
    const ports = (get16(b, tcp) ^ get16(b, tcp + 2)) | 0;
    const flags = b[tcp + 13] as number;
    if (nowUs >= forgets && this.#known.size > 0) {
      for (const known of this.#known) this.#forgotten.add(known);
      this.#known.clear();
    }
    if ((flags & (Bit.SYN | Bit.ACK)) === Bit.SYN) this.#forgotten.delete(ports);
    if (!this.#forgotten.has(ports)) {
      if (nowUs < forgets) this.#known.add(ports);
      return false;
    }
    if ((flags & Bit.RST) !== 0) return false;
    this.stats.natResets++;
    const octets = segment({
      src: get32(b, 16),
      dst: get32(b, 12),
      srcPort: get16(b, tcp + 2),
      dstPort: get16(b, tcp),
      seq: (flags & Bit.ACK) === 0 ? 0 : get32(b, tcp + 8),
      ack: 0,
      flags: Bit.RST,
      window: 0,
      data: 0,
    });
    back.push({ octets, flags: 0, gso: 0 });
    return true;
  }
}
