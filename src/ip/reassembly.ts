// The store of fragments of one family (RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2, RFC 8200 §4.5).
// Those of a datagram are kept as they came, sorted and disjoint: with overlap forbidden, RFC 815's
// hole list is empty exactly when the octets held add up to the end that the last fragment set.
// Finding the place is a bisection; everything is bounded: fragments of a datagram, datagrams,
// octets in all and octets of one source, with what they cost to keep included. The least recently
// touched datagram goes first. What takes fragments in is reassemble.ts.
//
//   offset 0        1480      2960            4440
//          |--------|---------|    hole       |----| MF = 0: end known
//
// An overlap that is no exact duplicate kills its datagram, later fragments included (as RFC 5722
// demands for IPv6): such are teardrops and attempts to slip past a filter, not traffic.

import { Drop } from '../base/drop.ts';
import { FlowHash, mix } from '../base/hash.ts';
import { Held, type MemoryBudget } from '../base/memory.ts';
import type { Random } from '../base/random.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { isV4 } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import {
  Chain,
  Chained,
  DATAGRAM_COST,
  Datagram,
  FRAGMENT_COST,
  NAME_WORDS,
  Source,
} from './datagram.ts';

export interface ReassemblyConfig {
  reassemblyTimeoutMs: number;
  reassemblyTimeout6Ms: number;
  reassemblyMaxOctets: number;
  reassemblyMaxOctetsPerSource: number;
  reassemblyMaxFragments: number;
  reassemblyMaxDatagrams: number;
}

export interface ReassemblyPlace {
  readonly family: 4 | 6;
  readonly scratch: number;
  readonly memory: MemoryBudget;
}

const BUCKETS = 1024;
const SOURCE_BUCKETS = 256;
const NEVER = Infinity;
/** Longest datagram: IPv6 counts its base header apart. */
export const SCRATCH = ipv4.MAX_PACKET + ipv6.HEADER + 1;
/** Codepoints of ECN (RFC 3168 §5). */
const CE = 3;

/** The fragment under way, as its family's reader found it. */
export class FragmentHead {
  id = 0;
  /** 0 for IPv6, whose fragments are matched without it. */
  protocol = 0;
  offset = 0;
  more = false;
  kept = 0;
  nextAt = 0;
  nextHeader = 0;
}

export class Reassembly {
  readonly family: 4 | 6;
  readonly head = new FragmentHead();
  readonly #name = new Int32Array(NAME_WORDS);
  readonly #timeoutUs: number;
  readonly #config: ReassemblyConfig;
  readonly #key: FlowHash;
  readonly #slab: Slab;
  readonly #scratch: number;
  readonly #buckets = emptyBuckets<Datagram>(BUCKETS);
  readonly #sources = emptyBuckets<Source>(SOURCE_BUCKETS);
  readonly #byAge = new Chain(Chained.AGE);
  readonly #byUse = new Chain(Chained.USE);
  readonly #memory: MemoryBudget;
  /** For the next ones. */
  readonly #spare: Datagram[] = [];
  readonly #spareSources: Source[] = [];
  #sourceCount = 0;
  #octets = 0;

  /** @param scratch offset of SCRATCH octets in the slab, where whole datagrams are put together */
  constructor(slab: Slab, config: ReassemblyConfig, random: Random, o: ReassemblyPlace) {
    const { family, scratch } = o;
    const { reassemblyTimeoutMs: four, reassemblyTimeout6Ms: six } = config;
    this.family = family;
    this.#timeoutUs = (family === 4 ? four : six) * 1000;
    this.#slab = slab;
    this.#config = config;
    this.#key = new FlowHash(random);
    this.#scratch = scratch;
    this.#memory = o.memory;
  }

  /** Accounted memory in octets. */
  get octets(): number {
    return this.#octets;
  }

  get datagrams(): number {
    return this.#byAge.size;
  }

  /** Those that wait for fragments, the oldest first. */
  list(most: number): Datagram[] {
    const out: Datagram[] = [];
    let d = this.#byAge.first;
    for (; d !== null && out.length < most; d = d.next[Chained.AGE] as Datagram | null) out.push(d);
    return out;
  }

  get sources(): number {
    return this.#sourceCount;
  }

  /** Where a finished datagram lies. */
  get scratch(): number {
    return this.#scratch;
  }

  /** When the oldest datagram's time is over, absolute µs. The timeout is fixed: age decides. */
  nextDeadline(): number {
    return this.#byAge.first === null ? NEVER : this.#byAge.first.deadlineUs;
  }

  /** The oldest datagram if its time is over. */
  expired(nowUs: number): Datagram | null {
    const first = this.#byAge.first;
    return first !== null && first.deadlineUs <= nowUs ? first : null;
  }

  /** The datagram that the fragment in `rx` belongs to; a new one when there is none. */
  touch(rx: Rx, nowUs: number): Datagram {
    const name = this.#load(rx);
    const k = this.#key;
    let hash = k.k0;
    for (let i = 0; i < NAME_WORDS; i++) hash = mix(hash, name[i] as number, k.k1);
    const bucket = hash & (BUCKETS - 1);
    for (const d of this.#buckets[bucket] as Datagram[]) {
      if (!d.isNamed(name)) continue;
      this.#byUse.remove(d);
      this.#byUse.push(d);
      return d;
    }
    const source = this.#sourceOf(rx);
    const d = this.#spare.pop() ?? new Datagram();
    d.begin(name, source, bucket, nowUs + this.#timeoutUs);
    (this.#buckets[bucket] as Datagram[]).push(d);
    source.datagrams.push(d);
    this.#byAge.push(d);
    this.#byUse.push(d);
    this.#account(d, DATAGRAM_COST);
    return d;
  }

  /** Adds the fragment's octets to the datagram; NONE, or why they are not wanted. */
  insert(d: Datagram, rx: Rx): Drop {
    const { offset, more } = this.head;
    const last = !more;
    const len = rx.l4Len;
    const end = offset + len;
    if (last && d.end >= 0 && d.end !== end) return Drop.FRAG_OVERLAP;
    const i = d.place(offset);
    if (isDuplicate(d, i, rx, this.head)) return Drop.DUP_FRAG;
    if (i > 0) {
      const before = d.parts[i - 1] as Uint8Array;
      if ((d.offsets[i - 1] as number) + before.length > offset) return Drop.FRAG_OVERLAP;
    }
    if (i < d.offsets.length && (d.offsets[i] as number) < end) return Drop.FRAG_OVERLAP;
    // Beyond the known end, or an end before what is held.
    if (d.end >= 0 && end > d.end) return Drop.FRAG_OVERLAP;
    if (last && i < d.offsets.length) return Drop.FRAG_OVERLAP;
    if (d.offsets.length >= this.#config.reassemblyMaxFragments) return Drop.FRAG_TOO_FAR;
    d.offsets.splice(i, 0, offset);
    d.parts.splice(i, 0, rx.u8.slice(rx.l4Off, rx.l4Off + len));
    d.held += len;
    if (last) d.end = end;
    if (offset === 0) {
      d.header = rx.u8.slice(rx.off, rx.l4Off);
      d.kept = this.head.kept;
      d.nextAt = this.head.nextAt;
      d.nextHeader = this.head.nextHeader;
      d.flags = rx.flags & (RxFlag.LOOPBACK | RxFlag.LINK_BROADCAST);
    }
    d.ecn |= 1 << (rx.tos & 3);
    this.#account(d, len + FRAGMENT_COST);
    return Drop.NONE;
  }

  /** Frees a datagram's octets and leaves a marker that swallows its further fragments. */
  kill(d: Datagram): void {
    d.empty();
    d.dead = true;
    this.#account(d, DATAGRAM_COST - d.cost);
  }

  remove(d: Datagram): void {
    this.#account(d, -d.cost);
    leave(this.#buckets[d.bucket] as Datagram[], d);
    this.#byAge.remove(d);
    this.#byUse.remove(d);
    const source = d.source;
    source.datagrams.remove(d);
    d.empty();
    if (this.#spare.length < this.#config.reassemblyMaxDatagrams) this.#spare.push(d);
    if (source.datagrams.size > 0) return;
    leave(this.#sources[source.bucket] as Source[], source);
    if (this.#spareSources.length < SOURCE_BUCKETS) this.#spareSources.push(source);
    this.#sourceCount--;
  }

  /**
   * A datagram to give up so that the caps hold, `null` when they do: first the oldest of a source
   * over its share, then the least recently touched of all. `keep` goes last.
   */
  victim(keep: Datagram): Datagram | null {
    const config = this.#config;
    if (keep.source.octets > config.reassemblyMaxOctetsPerSource) {
      return keep.source.datagrams.firstBut(keep);
    }
    const over = this.#octets > config.reassemblyMaxOctets || !this.#memory.fits(0);
    if (over || this.#byAge.size > config.reassemblyMaxDatagrams) return this.#byUse.firstBut(keep);
    return null;
  }

  /** Puts a datagram together in the scratch; answers its length, 0 when it is too long. */
  assemble(d: Datagram): number {
    const header = d.header as Uint8Array;
    const total = d.kept + d.end;
    const { u8 } = this.#slab;
    const off = this.#scratch;
    const six = (header[0] as number) >>> 4 === 6;
    if (total > ipv4.MAX_PACKET + (six ? ipv6.HEADER : 0)) return 0;
    this.#slab.recycle(off, SCRATCH);
    u8.set(header, off);
    for (let i = 0; i < d.parts.length; i++) {
      u8.set(d.parts[i] as Uint8Array, off + d.kept + (d.offsets[i] as number));
    }
    // RFC 3168 §5.3: congestion that one fragment met is the datagram's.
    const marked = (d.ecn & (1 << CE)) !== 0;
    if (six) this.#seal6(d, total, marked);
    else this.#seal4(d, total, marked);
    return total;
  }

  #seal4(d: Datagram, total: number, marked: boolean): void {
    const { u8, view } = this.#slab;
    const off = this.#scratch;
    view.setUint16(off + ipv4.Offset.TOTAL_LENGTH, total);
    view.setUint16(off + ipv4.Offset.FRAGMENT, 0);
    if (marked) u8[off + 1] = (u8[off + 1] as number) | CE;
    ipv4.seal(u8, off, d.kept);
  }

  #seal6(d: Datagram, total: number, marked: boolean): void {
    const { u8, view } = this.#slab;
    const off = this.#scratch;
    view.setUint16(off + ipv6.Offset.PAYLOAD_LENGTH, total - ipv6.HEADER);
    u8[off + d.nextAt] = d.nextHeader;
    if (marked) u8[off + 1] = (u8[off + 1] as number) | (CE << 4);
  }

  /** Puts the first fragment back as it came, for the quote of a Time Exceeded; its length. */
  restoreFirst(d: Datagram): number {
    const header = d.header as Uint8Array;
    const part = d.parts[0] as Uint8Array;
    this.#slab.u8.set(header, this.#scratch);
    this.#slab.u8.set(part, this.#scratch + header.length);
    return header.length + part.length;
  }

  #load(rx: Rx): Int32Array {
    const name = this.#name;
    name[0] = rx.src0;
    name[1] = rx.src1;
    name[2] = rx.src2;
    name[3] = rx.src3;
    name[4] = rx.dst0;
    name[5] = rx.dst1;
    name[6] = rx.dst2;
    name[7] = rx.dst3;
    name[8] = this.head.id;
    name[9] = this.head.protocol;
    return name;
  }

  #sourceOf(rx: Rx): Source {
    const four = isV4(rx.src0, rx.src1, rx.src2);
    const high = four ? rx.src2 : rx.src0;
    const low = four ? rx.src3 : rx.src1;
    const k = this.#key;
    const bucket = mix(mix(k.k3, high, k.k1), low, k.k2) & (SOURCE_BUCKETS - 1);
    const same = this.#sources[bucket] as Source[];
    for (const source of same) if (source.low === low && source.high === high) return source;
    const source = this.#spareSources.pop() ?? new Source();
    source.begin(high, low, bucket);
    same.push(source);
    this.#sourceCount++;
    return source;
  }

  #account(d: Datagram, octets: number): void {
    d.cost += octets;
    d.source.octets += octets;
    this.#octets += octets;
    this.#memory.take(Held.FRAGMENTS, octets);
  }
}

/** Takes `x` out of a bucket, whose order means nothing. */
function leave<T>(bucket: T[], x: T): void {
  const i = bucket.indexOf(x);
  const last = bucket.pop() as T;
  if (i < bucket.length) bucket[i] = last;
}

function emptyBuckets<T>(n: number): T[][] {
  return Array.from({ length: n }, () => []);
}

function isDuplicate(d: Datagram, i: number, rx: Rx, head: FragmentHead): boolean {
  const part = d.parts[i];
  const { offset } = head;
  if (part === undefined || d.offsets[i] !== offset || part.length !== rx.l4Len) return false;
  if (head.more === (d.end === offset + part.length)) return false;
  for (let n = 0; n < part.length; n++) {
    if (part[n] !== rx.u8[rx.l4Off + n]) return false;
  }
  return true;
}
