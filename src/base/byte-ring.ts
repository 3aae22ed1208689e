// FIFO of octets addressed by sequence number: octet `s` of the stream lives at `s mod capacity`.
// Data may be stored ahead of the first missing octet (out-of-order segments); the owner keeps the
// ranges. Memory comes with the first octet and goes when the owner calls `release`.

import { assert } from './assert.ts';

const SMALLEST = 4096;

export class ByteRing {
  #bytes: Uint8Array | null = null;

  /** Octets of memory held now. */
  get capacity(): number {
    return this.#bytes === null ? 0 : this.#bytes.length;
  }

  /** Octets by which `ensure` for a span would grow the memory. */
  growth(span: number): number {
    const held = this.capacity;
    if (span <= held) return 0;
    let n = held === 0 ? SMALLEST : held;
    while (n < span) n *= 2;
    return n - held;
  }

  /**
   * Makes room for octets [base, base + span). Grows by doubling, keeping [base, base + kept).
   * @param kept octets after `base` that hold data
   */
  ensure(base: number, kept: number, span: number): void {
    const old = this.#bytes;
    if (old !== null && span <= old.length) return;
    let n = old === null ? SMALLEST : old.length;
    while (n < span) n *= 2;
    assert(n <= 1 << 30, 'byte ring over 1 GiB');
    const wider = new Uint8Array(n);
    if (old !== null) {
      let s = base >>> 0;
      let left = kept;
      while (left > 0) {
        const at = s & (old.length - 1);
        const to = s & (n - 1);
        const len = Math.min(left, old.length - at, n - to);
        wider.set(old.subarray(at, at + len), to);
        s += len;
        left -= len;
      }
    }
    this.#bytes = wider;
  }

  /** Stores octets for sequence numbers from `s`. The caller has called `ensure`. */
  store(s: number, from: Uint8Array, off: number, len: number): void {
    const ring = this.#bytes;
    assert(ring !== null && len <= ring.length, 'byte ring without room');
    const at = s & (ring.length - 1);
    const first = Math.min(len, ring.length - at);
    ring.set(from.subarray(off, off + first), at);
    if (first < len) ring.set(from.subarray(off + first, off + len), 0);
  }

  /** Length of the run that starts at `s` and does not cross the ring's end, at most `len`. */
  run(s: number, len: number): number {
    const ring = this.#bytes;
    if (ring === null) return 0;
    return Math.min(len, ring.length - (s & (ring.length - 1)));
  }

  /** Where the octet of sequence number `s` lies in `memory`. */
  index(s: number): number {
    return this.#bytes === null ? 0 : s & (this.#bytes.length - 1);
  }

  get memory(): Uint8Array {
    assert(this.#bytes !== null, 'byte ring without memory');
    return this.#bytes;
  }

  release(): void {
    this.#bytes = null;
  }
}

/** What an owner without data may hold: capacity 0, nothing is ever stored in it. */
export const NO_RING = new ByteRing();
