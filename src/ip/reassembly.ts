// Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2). Fragments of a datagram
// are kept as they came, sorted and disjoint: with overlap forbidden, RFC 815's hole list is empty
// exactly when the octets held add up to the end that the last fragment set. Finding the place is a
// bisection; everything is bounded: fragments of a datagram, datagrams, octets in all and octets of
// one source, with what they cost to keep included. The least recently touched datagram goes first.
//
//   offset 0        1480      2960            4440
//          |--------|---------|    hole       |----| MF = 0: end known
//
// An overlap that is no exact duplicate kills its datagram, later fragments included (as RFC 5722
// demands for IPv6): such are teardrops and attempts to slip past a filter, not traffic.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { FlowHash, mix } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { HEADROOM } from '../base/tx.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { Chain, Chained, DATAGRAM_COST, Datagram, FRAGMENT_COST, Source } from './datagram.ts';
import { sendError } from './icmp-send.ts';
import { describe } from './input4.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';

export interface ReassemblyConfig {
  reassemblyTimeoutMs: number;
  reassemblyMaxOctets: number;
  reassemblyMaxOctetsPerSource: number;
  reassemblyMaxFragments: number;
  reassemblyMaxDatagrams: number;
}

const BUCKETS = 1024;
const SOURCE_BUCKETS = 256;
const NEVER = Infinity;
/** Codepoints of ECN (RFC 3168 §5). */
const NOT_ECT = 0;
const CE = 3;

export class Reassembly {
  readonly #config: ReassemblyConfig;
  readonly #key: FlowHash;
  readonly #slab: Slab;
  readonly #scratch: number;
  readonly #buckets = emptyBuckets<Datagram>(BUCKETS);
  readonly #sources = emptyBuckets<Source>(SOURCE_BUCKETS);
  readonly #byAge = new Chain(Chained.AGE);
  readonly #byUse = new Chain(Chained.USE);
  #sourceCount = 0;
  #octets = 0;

  constructor(slab: Slab, config: ReassemblyConfig, random: Random) {
    this.#slab = slab;
    this.#config = config;
    this.#key = new FlowHash(random);
    this.#scratch = slab.reserve(HEADROOM + ipv4.MAX_PACKET + 1) + HEADROOM;
  }

  /** Accounted memory in octets. */
  get octets(): number {
    return this.#octets;
  }

  get datagrams(): number {
    return this.#byAge.size;
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
    const src = rx.src3;
    const dst = rx.dst3;
    const idProto = (ipv4.id(rx.u8, rx.off) << 8) | rx.protocol;
    const k = this.#key;
    const bucket = mix(mix(mix(k.k0, src, k.k1), dst, k.k2), idProto, k.k1) & (BUCKETS - 1);
    for (const d of this.#buckets[bucket] as Datagram[]) {
      if (d.src !== src || d.dst !== dst || d.idProto !== idProto) continue;
      this.#byUse.remove(d);
      this.#byUse.push(d);
      return d;
    }
    const source = this.#sourceOf(src);
    const deadlineUs = nowUs + this.#config.reassemblyTimeoutMs * 1000;
    const d = new Datagram({ src, dst, idProto }, source, bucket, deadlineUs);
    (this.#buckets[bucket] as Datagram[]).push(d);
    source.datagrams.push(d);
    this.#byAge.push(d);
    this.#byUse.push(d);
    this.#account(d, DATAGRAM_COST);
    return d;
  }

  /** Adds the fragment's octets to the datagram; NONE, or why they are not wanted. */
  insert(d: Datagram, rx: Rx): Drop {
    const offset = ipv4.fragmentOffset(rx.u8, rx.off);
    const last = (ipv4.fragmentWord(rx.u8, rx.off) & ipv4.MF) === 0;
    const len = rx.l4Len;
    const end = offset + len;
    if (last && d.end >= 0 && d.end !== end) return Drop.FRAG_OVERLAP;
    const i = d.place(offset);
    if (isDuplicate(d, i, rx, last)) return Drop.DUP_FRAG;
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
      d.flags = rx.flags & (RxFlag.LOOPBACK | RxFlag.LINK_BROADCAST);
    }
    d.ecn |= 1 << (rx.tos & 3);
    this.#account(d, len + FRAGMENT_COST);
    return Drop.NONE;
  }

  /** Frees a datagram's octets and leaves a marker that swallows its further fragments. */
  kill(d: Datagram): void {
    d.offsets.length = 0;
    d.parts.length = 0;
    d.header = null;
    d.held = 0;
    d.dead = true;
    this.#account(d, DATAGRAM_COST - d.cost);
  }

  remove(d: Datagram): void {
    this.#account(d, -d.cost);
    const bucket = this.#buckets[d.bucket] as Datagram[];
    bucket.splice(bucket.indexOf(d), 1);
    this.#byAge.remove(d);
    this.#byUse.remove(d);
    const source = d.source;
    source.datagrams.remove(d);
    if (source.datagrams.size > 0) return;
    const same = this.#sources[source.bucket] as Source[];
    same.splice(same.indexOf(source), 1);
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
    const over = this.#octets > config.reassemblyMaxOctets;
    if (over || this.#byAge.size > config.reassemblyMaxDatagrams) return this.#byUse.firstBut(keep);
    return null;
  }

  /** Puts a datagram together in the scratch; answers its length, 0 when it is too long. */
  assemble(d: Datagram): number {
    const header = d.header as Uint8Array;
    const total = header.length + d.end;
    if (total > ipv4.MAX_PACKET) return 0;
    const { u8, view } = this.#slab;
    const off = this.#scratch;
    this.#slab.recycle(off, ipv4.MAX_PACKET);
    u8.set(header, off);
    for (let i = 0; i < d.parts.length; i++) {
      u8.set(d.parts[i] as Uint8Array, off + header.length + (d.offsets[i] as number));
    }
    view.setUint16(off + ipv4.Offset.TOTAL_LENGTH, total);
    view.setUint16(off + ipv4.Offset.FRAGMENT, 0);
    // RFC 3168 §5.3: congestion that one fragment met is the datagram's.
    if ((d.ecn & (1 << CE)) !== 0) u8[off + 1] = (u8[off + 1] as number) | CE;
    ipv4.seal(u8, off, header.length);
    return total;
  }

  /** Puts the first fragment back as it came, for the quote of a Time Exceeded; its length. */
  restoreFirst(d: Datagram): number {
    const header = d.header as Uint8Array;
    const part = d.parts[0] as Uint8Array;
    this.#slab.u8.set(header, this.#scratch);
    this.#slab.u8.set(part, this.#scratch + header.length);
    return header.length + part.length;
  }

  #sourceOf(address: number): Source {
    const bucket = mix(this.#key.k3, address, this.#key.k2) & (SOURCE_BUCKETS - 1);
    const same = this.#sources[bucket] as Source[];
    for (const source of same) if (source.address === address) return source;
    const source = new Source(address, bucket);
    same.push(source);
    this.#sourceCount++;
    return source;
  }

  #account(d: Datagram, octets: number): void {
    d.cost += octets;
    d.source.octets += octets;
    this.#octets += octets;
  }
}

function emptyBuckets<T>(n: number): T[][] {
  return Array.from({ length: n }, () => []);
}

function isDuplicate(d: Datagram, i: number, rx: Rx, last: boolean): boolean {
  const part = d.parts[i];
  const offset = ipv4.fragmentOffset(rx.u8, rx.off);
  if (part === undefined || d.offsets[i] !== offset || part.length !== rx.l4Len) return false;
  if (last !== (d.end === offset + part.length)) return false;
  for (let n = 0; n < part.length; n++) {
    if (part[n] !== rx.u8[rx.l4Off + n]) return false;
  }
  return true;
}

/**
 * Takes the fragment that `rx` describes. DELIVER: it was the last one missing, and `rx` describes
 * the whole datagram in the scratch. DONE: kept or dropped.
 */
export function reassemble(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.IpReasmReqds);
  const offset = ipv4.fragmentOffset(rx.u8, rx.off);
  const more = (ipv4.fragmentWord(rx.u8, rx.off) & ipv4.MF) !== 0;
  if (rx.l4Len === 0 || (more && (rx.l4Len & 7) !== 0)) return fail(ip, rx, Drop.IP_INHDR);
  // The whole would be longer than any datagram: the "ping of death".
  if (offset + rx.len > ipv4.MAX_PACKET) return fail(ip, rx, Drop.PKT_TOO_BIG);
  const store = ip.reassembly;
  const d = store.touch(rx, ip.nowUs);
  if (d.dead) return drop(ip, rx, Drop.FRAG_OVERLAP);
  const reason = store.insert(d, rx);
  if (reason === Drop.DUP_FRAG) return drop(ip, rx, reason);
  if (reason !== Drop.NONE) {
    addDrops(ip, reason, d.parts.length);
    store.kill(d);
    return fail(ip, rx, reason);
  }
  for (let v = store.victim(d); v !== null; v = store.victim(d)) {
    count(ip, Ctr.IpReasmFails);
    addDrops(ip, Drop.PROTO_MEM, v.parts.length);
    store.remove(v);
    if (v === d) return Verdict.DONE;
  }
  return d.complete ? finish(ip, rx, d) : Verdict.DONE;
}

function finish(ip: IpLayer, rx: Rx, d: Datagram): Verdict {
  const store = ip.reassembly;
  const bothEcn = (1 << CE) | (1 << NOT_ECT);
  const mixed = (d.ecn & bothEcn) === bothEcn;
  const total = mixed ? 0 : store.assemble(d);
  const parts = d.parts.length;
  const header = (d.header as Uint8Array).length;
  store.remove(d);
  if (total === 0) {
    // RFC 3168 §5.3: CE beside a fragment that cannot bear it is somebody's forgery.
    const reason = mixed ? Drop.IP_INHDR : Drop.PKT_TOO_BIG;
    addDrops(ip, reason, parts - 1);
    return fail(ip, rx, reason);
  }
  count(ip, Ctr.IpReasmOKs);
  rx.off = store.scratch;
  rx.flags = d.flags | RxFlag.SCRATCH;
  rx.gsoType = 0;
  rx.gsoSize = 0;
  describe(rx, header);
  return Verdict.DELIVER;
}

function fail(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.IpReasmFails);
  return drop(ip, rx, reason);
}

function addDrops(ip: IpLayer, reason: Drop, n: number): void {
  ip.counters.drops[reason] = (ip.counters.drops[reason] as number) + n;
}

/**
 * Gives up what is older than the timeout; when the first fragment was there, its sender hears of
 * it (RFC 1122 §3.3.2, RFC 792: Time Exceeded, code 1).
 */
export function expireFragments(ip: IpLayer): void {
  const store = ip.reassembly;
  for (let d = store.expired(ip.nowUs); d !== null; d = store.expired(ip.nowUs)) {
    if (!d.dead) {
      count(ip, Ctr.IpReasmTimeout);
      count(ip, Ctr.IpReasmFails);
      addDrops(ip, Drop.FRAG_REASM_TIMEOUT, d.parts.length);
      if (d.header !== null) tellSender(ip, d);
    }
    store.remove(d);
  }
}

function tellSender(ip: IpLayer, d: Datagram): void {
  const rx = ip.rx;
  const header = (d.header as Uint8Array).length;
  const len = ip.reassembly.restoreFirst(d);
  rx.off = ip.reassembly.scratch;
  rx.flags = d.flags | RxFlag.SCRATCH;
  rx.gsoSize = 0;
  describe(rx, header);
  rx.len = len;
  rx.l4Len = len - header;
  rx.dstKind = ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  sendError(ip, rx, icmp4.Type.TIME_EXCEEDED, icmp4.Exceeded.REASSEMBLY, 0);
}
