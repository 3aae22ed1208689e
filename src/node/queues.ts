// Several stacks on one device, a thread and a queue each (docs/decisions: several cores). The
// kernel brings a flow to the queue that has last sent for it, and what it does not know (a new
// flow, one that sent nothing for three seconds) to a queue by hash. So a packet may come to a
// stack that does not have its flow: that one asks the others, one after the other, through rings
// in shared memory. A packet that nobody knows comes back to where the device had brought it.

import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import { RING_HEAD, SharedRing } from '../base/shared-ring.ts';
import type { Slab } from '../base/slab.ts';
import type { Elsewhere } from '../ip/elsewhere.ts';
import type { ConfigOverrides } from '../stack/config.ts';
import { configure } from '../stack/config.ts';
import type { Stack } from '../stack/stack.ts';
import type { PacketSource } from './driver.ts';

/** Most queues of one device: rings are there for each pair. */
export const MOST_QUEUES = 16;
/** Octets of one ring; seven packets of the largest size. Untouched pages cost nothing. */
const RING_OCTETS = 1 << 19;
/** Octets of the slab for packets of one turn that came from other queues. */
const INBOX_OCTETS = 1 << 20;
const LARGEST = 65_535 + 64;
/** A SYN is repeated for so long (Linux: six times, 63 s): so long an embryo may be elsewhere. */
const EMBRYO_SECONDS = 64;

/** Words of the shared memory before the rings. */
const SERVED = 0;
const CHANGED_AT = 1;
const CHANGED = 2;
const STATE = 16;
const BELL = 32;
const RINGS_AT = 256;

/** STATE of a queue. */
const FREE = 0;
const PROMISED = 1;
const ALIVE = 2;

/** Words of a record in a ring, behind length, flags and gso: who is to be asked yet, who began. */
const LEFT = 3;
const ORIGIN = 4;
/** Everybody has been asked. */
const FINAL = 5;

/** What a thread must know to take a queue; can be cloned into a worker. */
export interface Seat {
  readonly memory: SharedArrayBuffer;
  readonly index: number;
  readonly count: number;
}

export interface QueueStats {
  /** This thread's queue, and how many there are. */
  readonly index: number;
  readonly count: number;
  /** Queues that a thread serves now. */
  readonly alive: number[];
  /** Packets that went to other queues, came from them, and found no room on the way. */
  readonly passed: number;
  readonly taken: number;
  readonly dropped: number;
}

/** Not in lib ES2022. */
type Wait = { async: false; value: string } | { async: true; value: Promise<string> };
const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): Wait;
};

export function makeSeat(count: number): Seat {
  const octets = RINGS_AT + count * count * (RING_HEAD + RING_OCTETS);
  return { memory: new SharedArrayBuffer(octets), index: 0, count };
}

/** Room for `Queues` in the slab. */
export function inboxOctets(seat: Seat | null): number {
  return seat === null ? 0 : INBOX_OCTETS;
}

/** Each stack takes ephemeral ports of its own, so that no two open the same flow. */
export function splitPorts(config: ConfigOverrides, seat: Seat): ConfigOverrides {
  const { tcp, udp } = configure(config);
  return {
    ...config,
    tcp: { ...config.tcp, ...part(tcp, seat) },
    udp: { ...config.udp, ...part(udp, seat) },
  };
}

interface PortRange {
  ephemeralLow: number;
  ephemeralHigh: number;
}

function part({ ephemeralLow: low, ephemeralHigh: high }: PortRange, seat: Seat): PortRange {
  const n = Math.max(1, Math.floor((high - low + 1) / seat.count));
  const first = Math.min(low + seat.index * n, high);
  return { ephemeralLow: first, ephemeralHigh: Math.min(first + n - 1, high) };
}

export class Queues implements Elsewhere, PacketSource {
  readonly index: number;
  readonly count: number;
  off = 0;
  len = 0;
  flags = 0;
  gso = 0;
  onPackets: (() => void) | null = null;
  readonly #seat: Seat;
  readonly #stack: Stack;
  readonly #link: number;
  readonly #words: Int32Array;
  readonly #in: (SharedRing | null)[] = [];
  readonly #out: (SharedRing | null)[] = [];
  #slab: Slab | null = null;
  #base = 0;
  #cursor = 0;
  #turn = 0;
  /** The packet under way has come through this ring; null: from the device. */
  #from: SharedRing | null = null;
  #more = false;
  #open = true;
  #heard = 0;
  #served = false;
  #passed = 0;
  #taken = 0;
  #dropped = 0;

  constructor(seat: Seat, stack: Stack, link: number) {
    const { index, count, memory } = seat;
    this.index = index;
    this.count = count;
    this.#seat = seat;
    this.#stack = stack;
    this.#link = link;
    this.#words = new Int32Array(memory, 0, RINGS_AT / 4);
    const ring = (from: number, to: number): SharedRing | null => {
      const at = RINGS_AT + (from * count + to) * (RING_HEAD + RING_OCTETS);
      return from === to ? null : new SharedRing(memory, at, RING_OCTETS);
    };
    for (let i = 0; i < count; i++) {
      this.#in.push(ring(i, index));
      this.#out.push(ring(index, i));
    }
  }

  attach(slab: Slab): void {
    this.#slab = slab;
    this.#base = slab.reserve(INBOX_OCTETS);
    this.#cursor = this.#base;
    for (const ring of this.#in) ring?.clear();
    this.#note(this.index, ALIVE);
    void this.#listen();
  }

  /** No other queue asks this one any more. */
  stop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#note(this.index, FREE);
    this.#ring(this.index);
  }

  /** A seat for one more thread, promised to it; null: all are taken. */
  promise(): Seat | null {
    for (let i = 0; i < this.count; i++) {
      const was = Atomics.compareExchange(this.#words, STATE + i, FREE, PROMISED);
      if (was === FREE) return { ...this.#seat, index: i };
    }
    return null;
  }

  /** The thread of that queue has ended, however it did. */
  vacate(index: number): void {
    if (Atomics.load(this.#words, STATE + index) !== FREE) this.#note(index, FREE);
  }

  stats(): QueueStats {
    const alive = this.#alive();
    return {
      index: this.index,
      count: this.count,
      alive: [...Array(this.count).keys()].filter((i) => (alive & (1 << i)) !== 0),
      passed: this.#passed,
      taken: this.#taken,
      dropped: this.#dropped,
    };
  }

  // --- packets from the others ------------------------------------------------------------------

  /** The next packet, from the rings in turn, for the fields; false: none, or no room any more. */
  shift(): boolean {
    for (let n = 0; n < this.count; n++) {
      const ring = this.#in[this.#turn] as SharedRing | null;
      this.#turn = (this.#turn + 1) % this.count;
      const len = ring === null ? -1 : ring.peek();
      if (ring === null || len < 0) continue;
      this.#more = this.#cursor + LARGEST > this.#base + INBOX_OCTETS;
      if (this.#more) break;
      ring.take((this.#slab as Slab).u8, this.#cursor);
      this.off = this.#cursor;
      this.len = len;
      this.flags = ring.words[1] as number;
      this.gso = ring.words[2] as number;
      this.#cursor += (len + 63) & ~63;
      this.#from = ring;
      this.#taken++;
      return true;
    }
    this.#from = null;
    return false;
  }

  release(): void {
    this.#cursor = this.#base;
    this.#from = null;
    if (this.#more) this.onPackets?.();
    this.#more = false;
  }

  // --- packets for the others -------------------------------------------------------------------

  pass(rx: Rx, opens: boolean): boolean {
    if (rx.linkId !== this.#link) return false;
    const from = this.#from;
    if (from !== null && from.words[FINAL] === 1) return false;
    if (opens && !this.#embryosElsewhere()) return false;
    const alive = this.#alive();
    const origin = opens || from === null ? this.index : (from.words[ORIGIN] as number);
    const mask = from === null ? alive & ~(1 << this.index) : (from.words[LEFT] as number) & alive;
    const next = this.#first(mask, rx.dstPort);
    if (next >= 0) return this.#send(next, rx, mask & ~(1 << next), origin, 0);
    if (origin === this.index || (alive & (1 << origin)) === 0) return false;
    return this.#send(origin, rx, 0, origin, 1);
  }

  share(rx: Rx): void {
    if (rx.linkId !== this.#link || this.#from !== null) return;
    const others = this.#alive() & ~(1 << this.index);
    for (let i = 0; i < this.count; i++) {
      if ((others & (1 << i)) !== 0) this.#send(i, rx, 0, this.index, 1);
    }
  }

  /** Always true: what finds no room is lost, as in every queue, and not answered with a reset. */
  #send(to: number, rx: Rx, left: number, origin: number, final: number): true {
    const ring = this.#out[to] as SharedRing;
    const { words } = ring;
    words[1] = rx.flags & ~RxFlag.SCRATCH;
    words[2] = rx.gsoType | (rx.gsoSize << 8);
    words[LEFT] = left;
    words[ORIGIN] = origin;
    words[FINAL] = final;
    // The length on the wire: what was put together of fragments lies in `rx` whole.
    if (ring.push(rx.u8, rx.off, rx.l4Off + rx.l4Len - rx.off)) {
      this.#passed++;
      this.#ring(to);
    } else {
      this.#dropped++;
      const { drops } = this.#stack.counters;
      drops[Drop.FULL_RING] = (drops[Drop.FULL_RING] as number) + 1;
    }
    return true;
  }

  /** Whom to ask first: an ephemeral port tells by whom it was taken. */
  #first(mask: number, port: number): number {
    if (mask === 0) return -1;
    const { ephemeralLow: low, ephemeralHigh: high } = this.#stack.config.tcp;
    const guess = Math.floor((port - low) / (high - low + 1)) + this.index;
    if (guess >= 0 && guess < this.count && (mask & (1 << guess)) !== 0) return guess;
    return 31 - Math.clz32(mask & -mask);
  }

  #alive(): number {
    let mask = 0;
    for (let i = 0; i < this.count; i++) {
      if (Atomics.load(this.#words, STATE + i) === ALIVE) mask |= 1 << i;
    }
    return mask;
  }

  /**
   * When a queue came or went while connections were made, the kernel's hash brings repeated SYNs
   * to other queues than the first: for a while they are asked whether they know it.
   */
  #embryosElsewhere(): boolean {
    if (!this.#served) {
      this.#served = true;
      Atomics.store(this.#words, SERVED, 1);
    }
    if (Atomics.load(this.#words, CHANGED) === 0) return false;
    const age = (this.#seconds() - Atomics.load(this.#words, CHANGED_AT)) | 0;
    if (age >= 0 && age < EMBRYO_SECONDS) return true;
    Atomics.store(this.#words, CHANGED, 0);
    return false;
  }

  #note(index: number, state: number): void {
    Atomics.store(this.#words, STATE + index, state);
    if (Atomics.load(this.#words, SERVED) === 0) return;
    Atomics.store(this.#words, CHANGED_AT, this.#seconds());
    Atomics.store(this.#words, CHANGED, 1);
  }

  /** Of the clock that all threads share. */
  #seconds(): number {
    return (this.#stack.ip.nowUs / 1e6) | 0;
  }

  #ring(to: number): void {
    Atomics.add(this.#words, BELL + to, 1);
    Atomics.notify(this.#words, BELL + to);
  }

  /** Hears the bell without holding the event loop. */
  async #listen(): Promise<void> {
    while (this.#open) {
      const seen = Atomics.load(this.#words, BELL + this.index);
      if (seen !== this.#heard) {
        this.#heard = seen;
        this.onPackets?.();
      }
      const wait = waitAsync(this.#words, BELL + this.index, seen);
      if (wait.async) await wait.value;
    }
  }
}

/** The seat in a worker's data. */
export function seatIn(data: unknown): { seat: Seat; options: object } | null {
  const found = (data as { portside?: { seat?: Seat; options?: object } } | null)?.portside;
  if (found?.seat === undefined || found.options === undefined) return null;
  return { seat: found.seat, options: found.options };
}
