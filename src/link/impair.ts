// One direction of a bad network: loss (independent, in bursts, by kind of segment, every n-th),
// delay, jitter, reordering, duplication, late replay, damage, truncation, trailing octets, rate
// with a tail-drop queue, MTU, partition. Everything is drawn from a Random and happens on the
// clock that the caller names, so the same seed gives the same network; a driver may use real time.

import { below, fraction, type Random } from '../base/random.ts';
import { GsoType, RxFlag } from '../base/rx.ts';
import { CoDel, type CoDelOptions } from './codel.ts';
import { damage, isFragment, looksIntact, markCongestion, raiseBit, seal } from './damage.ts';

/** What a direction does; chances are 0 … 1, times µs. Everything left out is off. */
export interface Impairment {
  loss?: number;
  /**
   * Gilbert: chance to go from good to bad and back, per packet; loss in the bad state. A second
   * without packets ends a bad state.
   */
  burst?: { toBad: number; toGood: number; loss: number };
  /** Loss of pure acknowledgments only. */
  ackLoss?: number;
  /** Loss of segments with SYN or FIN only. */
  synFinLoss?: number;
  /** Loses packet number n, 2n, 3n, … */
  everyNth?: number;
  delayUs?: number;
  /** Uniform addition to the delay; later packets may overtake unless `keepOrder`. */
  jitterUs?: number;
  keepOrder?: boolean;
  /** Chance that a packet is held back so that up to 64 others overtake it. */
  reorder?: number;
  reorderUs?: number;
  duplicate?: number;
  /** Chance that a copy comes again after up to `replayUs`. */
  replay?: number;
  replayUs?: number;
  corrupt?: number;
  truncate?: number;
  trail?: number;
  /** Octets per second. */
  rate?: number;
  /** Octets that may wait for the rate; default 256 KiB. */
  queue?: number;
  /** The queue of the rate is managed: what waits too long is marked (ECN) or dropped. */
  codel?: CoDelOptions;
  /** Chance that a packet of an ECN-capable transport is marked on its way. */
  mark?: number;
  /** Longer packets vanish without a word (a black hole); super-segments by their segments. */
  mtu?: number;
  /**
   * Judges each packet before everything else: below 0 it is lost, else it comes so many µs later.
   * For tests that lose exactly one segment, and for queues that several cables share.
   */
  fate?: (octets: Uint8Array, nowUs: number) => number;
  /** Nothing passes in these spans of time: pairs of begin and end. */
  partitions?: readonly (readonly [number, number])[];
}

/** A packet in the network. */
export interface InFlight {
  readonly octets: Uint8Array;
  /** RxFlag bits and `gso`, as `Stack.receive` takes them. */
  readonly flags: number;
  readonly gso: number;
  readonly atUs: number;
  readonly order: number;
}

/** What became of the packets. */
export interface ImpairStats {
  offered: number;
  lost: number;
  /** Of the lost: in a burst, pure ACKs, SYN or FIN, each n-th, in a partition. */
  lostInBurst: number;
  lostAcks: number;
  lostSynFin: number;
  lostNth: number;
  cutOff: number;
  queueFull: number;
  /** By CoDel: dropped; and marked by whomever. */
  aqmDropped: number;
  marked: number;
  tooBig: number;
  duplicated: number;
  replayed: number;
  reordered: number;
  damaged: number;
  /** Damaged so that every checksum still fits: not delivered. */
  undetectable: number;
  delivered: number;
}

const SYN_FIN = 3;
const BURST_US = 1_000_000;
const MAX_FLYING = 1 << 16;

export class Impair {
  options: Impairment;
  readonly stats: ImpairStats = {
    offered: 0,
    lost: 0,
    lostInBurst: 0,
    lostAcks: 0,
    lostSynFin: 0,
    lostNth: 0,
    cutOff: 0,
    queueFull: 0,
    aqmDropped: 0,
    marked: 0,
    tooBig: 0,
    duplicated: 0,
    replayed: 0,
    reordered: 0,
    damaged: 0,
    undetectable: 0,
    delivered: 0,
  };
  readonly #random: Random;
  readonly #heap: InFlight[] = [];
  #order = 0;
  #bad = false;
  #lastUs = -Infinity;
  /** When the line is free again. */
  #freeAtUs = 0;
  #lastAtUs = 0;
  #partition = 0;
  #codel: CoDel | null = null;

  constructor(random: Random, options: Impairment = {}) {
    this.#random = random;
    this.options = options;
  }

  /** Packets on their way. */
  get flying(): number {
    return this.#heap.length;
  }

  /** When the next packet arrives; Infinity when none is on its way. */
  nextUs(): number {
    const first = this.#heap[0];
    return first === undefined ? Infinity : first.atUs;
  }

  /** The oldest packet that has arrived by `nowUs`; null when there is none. */
  take(nowUs: number): InFlight | null {
    const first = this.#heap[0];
    if (first === undefined || first.atUs > nowUs) return null;
    const last = this.#heap.pop() as InFlight;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      siftDown(this.#heap);
    }
    this.stats.delivered++;
    return first;
  }

  /** Everything on its way is gone. */
  clear(): void {
    this.#heap.length = 0;
  }

  /** Sends a packet into the network. `octets` are the network's from now on. */
  offer(octets: Uint8Array, flags: number, gso: number, nowUs: number): void {
    const o = this.options;
    this.stats.offered++;
    const later = o.fate === undefined ? 0 : o.fate(octets, nowUs);
    if (later < 0 || this.#cut(nowUs) || this.#loses(octets, nowUs)) {
      this.stats.lost++;
      return;
    }
    if (o.mtu !== undefined && wireLen(octets, gso) > o.mtu) {
      this.stats.tooBig++;
      return;
    }
    let at = this.#throughQueue(octets.length, nowUs);
    if (at < 0) {
      this.stats.queueFull++;
      return;
    }
    if (o.codel !== undefined && this.#managed(o.codel, octets, at, nowUs)) return;
    if (this.#happens(o.mark) && markCongestion(octets)) this.stats.marked++;
    at += later + (o.delayUs ?? 0);
    if (o.jitterUs !== undefined) at += Math.floor(fraction(this.#random) * o.jitterUs);
    if (o.keepOrder === true) at = Math.max(at, this.#lastAtUs);
    this.#lastAtUs = at;
    if (this.#happens(o.reorder)) {
      this.stats.reordered++;
      at += 1 + Math.floor(fraction(this.#random) * (o.reorderUs ?? 10_000));
    }
    if (this.#happens(o.duplicate)) {
      this.stats.duplicated++;
      this.#fly(octets.slice(), flags, gso, at + below(this.#random, 1000));
    }
    if (this.#happens(o.replay)) {
      this.stats.replayed++;
      const late = Math.floor(fraction(this.#random) * (o.replayUs ?? 10_000_000));
      this.#fly(octets.slice(), flags, gso, at + late);
    }
    this.#deliver(octets, flags, gso, at);
  }

  #happens(chance: number | undefined): boolean {
    return chance !== undefined && chance > 0 && fraction(this.#random) < chance;
  }

  #cut(nowUs: number): boolean {
    const spans = this.options.partitions;
    if (spans === undefined) return false;
    while (this.#partition < spans.length && (spans[this.#partition]?.[1] as number) <= nowUs) {
      this.#partition++;
    }
    const span = spans[this.#partition];
    if (span === undefined || span[0] > nowUs) return false;
    this.stats.cutOff++;
    return true;
  }

  /** CoDel's verdict on a packet that waits so long: true when it is dropped. */
  #managed(o: CoDelOptions, octets: Uint8Array, leavesUs: number, nowUs: number): boolean {
    this.#codel ??= new CoDel(o);
    // its own octets on the line are no wait
    const own = (octets.length * 1e6) / (this.options.rate ?? Infinity);
    if (!this.#codel.hits(leavesUs - own - nowUs, nowUs)) return false;
    if (markCongestion(octets)) {
      this.stats.marked++;
      return false;
    }
    this.stats.aqmDropped++;
    return true;
  }

  #loses(octets: Uint8Array, nowUs: number): boolean {
    const o = this.options;
    if (o.everyNth !== undefined && this.stats.offered % o.everyNth === 0) {
      this.stats.lostNth++;
      return true;
    }
    if (o.burst !== undefined) {
      if (nowUs - this.#lastUs > BURST_US) this.#bad = false;
      this.#lastUs = nowUs;
      const turn = this.#bad ? o.burst.toGood : o.burst.toBad;
      if (fraction(this.#random) < turn) this.#bad = !this.#bad;
      if (this.#bad && fraction(this.#random) < o.burst.loss) {
        this.stats.lostInBurst++;
        return true;
      }
    }
    if (this.#happens(o.loss)) return true;
    if (o.ackLoss === undefined && o.synFinLoss === undefined) return false;
    const flags = tcpFlags(octets);
    if (flags < 0) return false;
    if ((flags & SYN_FIN) !== 0) {
      if (!this.#happens(o.synFinLoss)) return false;
      this.stats.lostSynFin++;
      return true;
    }
    if (!isPureAck(octets) || !this.#happens(o.ackLoss)) return false;
    this.stats.lostAcks++;
    return true;
  }

  /** Time at which the last octet has left; -1 when the queue is full. */
  #throughQueue(len: number, nowUs: number): number {
    const rate = this.options.rate;
    if (rate === undefined) return nowUs;
    const begin = Math.max(nowUs, this.#freeAtUs);
    const waiting = ((begin - nowUs) * rate) / 1e6;
    if (waiting + len > Math.max(this.options.queue ?? 1 << 18, len)) return -1;
    this.#freeAtUs = begin + (len * 1e6) / rate;
    return Math.ceil(this.#freeAtUs);
  }

  #deliver(octets: Uint8Array, flags: number, gso: number, at: number): void {
    const o = this.options;
    let out = octets;
    let outFlags = flags;
    const hurt = this.#happens(o.corrupt);
    const cut = this.#happens(o.truncate);
    if (hurt || cut) {
      this.stats.damaged++;
      if ((flags & RxFlag.NEEDS_CSUM) !== 0) seal(out);
      // The receiver has to look for himself.
      outFlags = flags & ~(RxFlag.NEEDS_CSUM | RxFlag.DATA_VALID);
      const before = out.slice();
      if (isFragment(out)) raiseBit(out, this.#random);
      else if (hurt) out = damage(out, this.#random);
      if (cut) out = out.slice(0, below(this.#random, out.length));
      if (out.length === 0) return;
      if (!isFragment(before) && looksIntact(out) && !same(before, out)) {
        this.stats.undetectable++;
        return;
      }
    }
    if (this.#happens(o.trail)) out = withTrail(out, 1 + below(this.#random, 32));
    this.#fly(out, outFlags, gso, at);
  }

  #fly(octets: Uint8Array, flags: number, gso: number, atUs: number): void {
    if (this.#heap.length >= MAX_FLYING) {
      this.stats.queueFull++;
      return;
    }
    this.#heap.push({ octets, flags, gso, atUs, order: this.#order++ });
    siftUp(this.#heap);
  }
}

function earlier(a: InFlight, b: InFlight): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}

function siftUp(heap: InFlight[]): void {
  let i = heap.length - 1;
  const item = heap[i] as InFlight;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!earlier(item, heap[parent] as InFlight)) break;
    heap[i] = heap[parent] as InFlight;
    i = parent;
  }
  heap[i] = item;
}

function siftDown(heap: InFlight[]): void {
  const item = heap[0] as InFlight;
  let i = 0;
  for (let child = 1; child < heap.length; child = 2 * i + 1) {
    const right = child + 1;
    const least =
      right < heap.length && earlier(heap[right] as InFlight, heap[child] as InFlight)
        ? right
        : child;
    if (!earlier(heap[least] as InFlight, item)) break;
    heap[i] = heap[least] as InFlight;
    i = least;
  }
  heap[i] = item;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function withTrail(octets: Uint8Array, n: number): Uint8Array {
  const longer = new Uint8Array(octets.length + n);
  longer.set(octets);
  longer.fill(0xa5, octets.length);
  return longer;
}

/** TCP flags of an unfragmented IPv4 packet; -1 when it is none. */
function tcpFlags(u8: Uint8Array): number {
  if (u8.length < 40 || (u8[0] as number) >>> 4 !== 4 || u8[9] !== 6 || isFragment(u8)) return -1;
  return u8[((u8[0] as number) & 15) * 4 + 13] ?? -1;
}

function isPureAck(u8: Uint8Array): boolean {
  const l4 = ((u8[0] as number) & 15) * 4;
  return u8.length === l4 + ((u8[l4 + 12] as number) >>> 4) * 4;
}

/** Octets of the largest packet on the wire that a super-segment stands for. */
export function wireLen(u8: Uint8Array, gso: number): number {
  const size = gso >>> 8;
  if (size === 0) return u8.length;
  const l4 = (u8[0] as number) >>> 4 === 4 ? ((u8[0] as number) & 15) * 4 : 40;
  const isUdp = (gso & 0xff) === GsoType.UDP_L4 || (gso & 0xff) === GsoType.UDP;
  return l4 + (isUdp ? 8 : ((u8[l4 + 12] as number) >>> 4) * 4) + size;
}
