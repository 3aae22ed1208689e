// Datagrams that wait for one socket: their octets in a ring that grows up to the socket's share,
// what is known of them in a table of ints beside it. Nothing is allocated for a datagram once both
// have their size. A super-datagram (GRO) is kept whole and cut when it is taken.
// @hot

import type { Rx } from '../base/rx.ts';
import type { UdpMeta } from './meta.ts';

const SMALLEST = 4096;
/** What a queued datagram costs besides its octets. */
export const DATAGRAM_COST = 128;
/** Memory that an empty queue may keep for the next datagram. */
const KEPT = 262_144;

/** Fields of a record. */
const LEN = 0;
const SRC = 1;
const DST = 5;
const PORT = 9;
const TTL = 10;
const TOS = 11;
const GSO = 12;
const LINK = 13;
const KIND = 14;
const STRIDE = 16;

export class DatagramQueue {
  #bytes: Uint8Array = NOTHING;
  #records = new Int32Array(4 * STRIDE);
  /** Where each record's octets start, counted without end; its place is this modulo the ring. */
  #starts = new Float64Array(4);
  #first = 0;
  #count = 0;
  #head = 0;
  #tail = 0;
  /** Octets of the first record that have been taken. */
  #taken = 0;
  #cost = 0;
  /** Where the datagram lies that `take` took: in `memory`, valid until the next `push`. */
  off = 0;
  len = 0;

  get memory(): Uint8Array {
    return this.#bytes;
  }

  /** Octets of memory held. */
  get capacity(): number {
    return this.#bytes.length;
  }

  get count(): number {
    return this.#count;
  }

  /** What the queued datagrams cost, in octets. */
  get cost(): number {
    return this.#cost;
  }

  /**
   * Copies the datagram that `rx` describes. False when there is no room: `limit` is the most that
   * all may cost; a first datagram is always taken.
   * @param room octets by which the memory may grow
   */
  push(rx: Rx, limit: number, room: number): boolean {
    const len = rx.dataLen;
    if (this.#count > 0 && this.#cost + len + DATAGRAM_COST > limit) return false;
    const start = this.#place(len, room);
    if (start < 0) return false;
    if (this.#count === this.#starts.length) this.#growRecords();
    const i = (this.#first + this.#count) & (this.#starts.length - 1);
    this.#starts[i] = start;
    this.#tail = start + len;
    this.#count++;
    this.#cost += len + DATAGRAM_COST;
    const at = start & (this.#bytes.length - 1);
    if (len > 0) this.#bytes.set(rx.views.run(rx.dataOff, len), at);
    this.#describe(i * STRIDE, rx);
    return true;
  }

  #describe(at: number, rx: Rx): void {
    const r = this.#records;
    r[at + LEN] = rx.dataLen;
    r[at + SRC] = rx.src0;
    r[at + SRC + 1] = rx.src1;
    r[at + SRC + 2] = rx.src2;
    r[at + SRC + 3] = rx.src3;
    r[at + DST] = rx.dst0;
    r[at + DST + 1] = rx.dst1;
    r[at + DST + 2] = rx.dst2;
    r[at + DST + 3] = rx.dst3;
    r[at + PORT] = rx.srcPort;
    r[at + TTL] = rx.ttl;
    r[at + TOS] = rx.tos;
    r[at + GSO] = rx.gsoSize;
    r[at + LINK] = rx.linkId;
    r[at + KIND] = rx.dstKind;
  }

  /** Takes the oldest datagram, or the next piece of a super-datagram; false when empty. */
  take(meta: UdpMeta): boolean {
    if (this.#count === 0) return false;
    const at = this.#first * STRIDE;
    const r = this.#records;
    const len = r[at + LEN] as number;
    const gso = r[at + GSO] as number;
    const left = len - this.#taken;
    const n = gso > 0 && gso < left ? gso : left;
    const start = this.#starts[this.#first] as number;
    this.off = (start + this.#taken) & (this.#bytes.length - 1);
    this.len = n;
    meta.src0 = r[at + SRC] as number;
    meta.src1 = r[at + SRC + 1] as number;
    meta.src2 = r[at + SRC + 2] as number;
    meta.src3 = r[at + SRC + 3] as number;
    meta.dst0 = r[at + DST] as number;
    meta.dst1 = r[at + DST + 1] as number;
    meta.dst2 = r[at + DST + 2] as number;
    meta.dst3 = r[at + DST + 3] as number;
    meta.port = r[at + PORT] as number;
    meta.ttl = r[at + TTL] as number;
    meta.tos = r[at + TOS] as number;
    meta.linkId = r[at + LINK] as number;
    meta.dstKind = r[at + KIND] as number;
    this.#taken += n;
    if (this.#taken === len) this.#pop(start + len, len);
    return true;
  }

  #pop(head: number, len: number): void {
    this.#taken = 0;
    this.#head = head;
    this.#first = (this.#first + 1) & (this.#starts.length - 1);
    this.#count--;
    this.#cost -= len + DATAGRAM_COST;
    if (this.#count === 0) {
      this.#head = 0;
      this.#tail = 0;
    }
  }

  /** Gives back the memory of an empty queue that has grown large; octets given back. */
  trim(): number {
    const n = this.#bytes.length;
    if (this.#count > 0 || n <= KEPT) return 0;
    this.#bytes = NOTHING;
    return n;
  }

  /** Forgets everything and gives the memory back; octets given back. */
  release(): number {
    const n = this.#bytes.length;
    this.#bytes = NOTHING;
    this.#first = 0;
    this.#count = 0;
    this.#head = 0;
    this.#tail = 0;
    this.#taken = 0;
    this.#cost = 0;
    return n;
  }

  /** Where `len` octets go in one run; -1 when the memory may not grow far enough. */
  #place(len: number, room: number): number {
    const size = this.#bytes.length;
    if (size > 0) {
      const start = runStart(this.#tail, len, size);
      if (start + len - this.#head <= size) return start;
    }
    const used = this.#tail - this.#head;
    let n = size === 0 ? SMALLEST : size * 2;
    while (n < used + len * 2) n *= 2;
    if (n - size > room) return -1;
    this.#growBytes(n);
    return runStart(this.#tail, len, n);
  }

  #growBytes(n: number): void {
    const old = this.#bytes;
    const wider = new Uint8Array(n); // cold
    let tail = 0;
    for (let k = 0; k < this.#count; k++) {
      const i = (this.#first + k) & (this.#starts.length - 1);
      const len = this.#records[i * STRIDE + LEN] as number;
      const from = (this.#starts[i] as number) & (old.length - 1);
      wider.set(old.subarray(from, from + len), tail);
      this.#starts[i] = tail;
      tail += len;
    }
    this.#bytes = wider;
    this.#head = 0;
    this.#tail = tail;
  }

  #growRecords(): void {
    const n = this.#starts.length;
    const records = new Int32Array(n * 2 * STRIDE); // cold
    const starts = new Float64Array(n * 2); // cold
    for (let k = 0; k < this.#count; k++) {
      const i = (this.#first + k) & (n - 1);
      starts[k] = this.#starts[i] as number;
      records.set(this.#records.subarray(i * STRIDE, (i + 1) * STRIDE), k * STRIDE);
    }
    this.#records = records;
    this.#starts = starts;
    this.#first = 0;
  }
}

const NOTHING = new Uint8Array(0);

/** Start of a run of `len` at or behind `tail` that does not cross the ring's end. */
function runStart(tail: number, len: number, size: number): number {
  const at = tail & (size - 1);
  return at + len <= size ? tail : tail + (size - at);
}
