// FIFO of whole packets in a region of the slab: what the loopback and a cable's ends receive from.
// A packet lies contiguously; the region is used round and round. Three marks move through it:
//
//   held  ≤  next  ≤  tail         [held, next) shifted, its octets still in use by the stack
//                                  [next, tail) waiting
//
// `release` gives back what was shifted: call it when `drain` has delivered it.
// @hot

import { RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { type Tx, TxFlag } from '../base/tx.ts';
import { copyPacket, frameLen } from './packet.ts';

const STRIDE = 4;

export class PacketRing {
  readonly #slab: Slab;
  readonly #base: number;
  readonly #size: number;
  readonly #cap: number;
  readonly #rows: Int32Array;
  #held = 0;
  #next = 0;
  #tail = 0;
  #writeAt = 0;
  /** The packet that the last `shift` took: arguments of `Stack.receive`. */
  off = 0;
  len = 0;
  flags = 0;
  gso = 0;
  /** Packets refused because the ring was full. */
  full = 0;

  /**
   * @param octets size of the region, at least 65,536
   * @param cap most packets at once, those not yet released included
   */
  constructor(slab: Slab, octets: number, cap: number) {
    this.#slab = slab;
    this.#base = slab.reserve(octets);
    this.#size = octets & ~63;
    this.#cap = cap;
    this.#rows = new Int32Array(cap * STRIDE);
  }

  /** Packets that wait. */
  get pending(): number {
    return this.#tail - this.#next;
  }

  /** Packets that occupy the ring, the shifted and not yet released ones included. */
  get occupied(): number {
    return this.#tail - this.#held;
  }

  /** Copies a packet out of the sender's slab; false when it does not fit. */
  put(tx: Tx, from: Slab, extraFlags: number): boolean {
    const len = frameLen(tx);
    const at = this.#place(len);
    if (at < 0) return false;
    copyPacket(tx, from.u8, this.#slab.u8, this.#base + at);
    const csum = (tx.flags & TxFlag.NEEDS_CSUM) === 0 ? 0 : RxFlag.NEEDS_CSUM;
    const gso = tx.gsoSize === 0 ? 0 : tx.gsoType | (tx.gsoSize << 8);
    this.#append(at, len, csum | extraFlags, gso);
    return true;
  }

  /** Copies octets that are a packet already; false when they do not fit. */
  putBytes(u8: Uint8Array, flags: number, gso: number): boolean {
    const at = this.#place(u8.length);
    if (at < 0) return false;
    this.#slab.u8.set(u8, this.#base + at);
    this.#append(at, u8.length, flags, gso);
    return true;
  }

  /** Takes the oldest waiting packet into `off len flags gso`; false when none waits. */
  shift(): boolean {
    if (this.#next === this.#tail) return false;
    const row = (this.#next % this.#cap) * STRIDE;
    this.off = this.#base + (this.#rows[row] as number);
    this.len = this.#rows[row + 1] as number;
    this.flags = this.#rows[row + 2] as number;
    this.gso = this.#rows[row + 3] as number;
    this.#next++;
    return true;
  }

  /** The stack is done with every packet that was shifted: their room may be used again. */
  release(): void {
    while (this.#held < this.#next) {
      const row = (this.#held % this.#cap) * STRIDE;
      this.#slab.recycle(this.#base + (this.#rows[row] as number), this.#rows[row + 1] as number);
      this.#held++;
    }
  }

  #place(len: number): number {
    const need = (len + 63) & ~63;
    if (len <= 0 || this.#tail - this.#held === this.#cap) return this.#refuse();
    if (this.#held === this.#tail) return need <= this.#size ? 0 : this.#refuse();
    const oldest = this.#rows[(this.#held % this.#cap) * STRIDE] as number;
    if (this.#writeAt > oldest) {
      if (this.#writeAt + need <= this.#size) return this.#writeAt;
      return need <= oldest ? 0 : this.#refuse();
    }
    return this.#writeAt + need <= oldest ? this.#writeAt : this.#refuse();
  }

  #refuse(): number {
    this.full++;
    return -1;
  }

  #append(at: number, len: number, flags: number, gso: number): void {
    const row = (this.#tail % this.#cap) * STRIDE;
    this.#rows[row] = at;
    this.#rows[row + 1] = len;
    this.#rows[row + 2] = flags;
    this.#rows[row + 3] = gso;
    this.#writeAt = at + ((len + 63) & ~63);
    this.#tail++;
  }
}
