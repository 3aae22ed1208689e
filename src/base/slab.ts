// One ArrayBuffer for everything that packets touch: receive slots, transmit headers, scratch.
// Shared with the addon; allocated once; offsets into it walk the layers instead of objects.

import { assert } from './assert.ts';

/** Octet that debug mode writes over recycled memory, so that a kept view shows at once. */
export const POISON = 0xdb;

export class Slab {
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** When true, owners overwrite recycled regions with POISON. */
  readonly debug: boolean;
  #used = 0;

  /**
   * @param size octets; a multiple of 64 is wise.
   * @param buffer memory of that size that was another slab's, instead of fresh memory
   */
  constructor(size: number, debug = false, buffer?: ArrayBuffer) {
    this.buffer = buffer ?? new ArrayBuffer(size);
    this.u8 = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.debug = debug;
  }

  get free(): number {
    return this.u8.length - this.#used;
  }

  /**
   * Carves `size` octets out for good; the offset is a multiple of 64. Throws when none are left.
   */
  reserve(size: number): number {
    const off = this.#used;
    const end = off + ((size + 63) & ~63);
    assert(end <= this.u8.length, `slab: ${size} octets wanted, ${this.free} free`);
    this.#used = end;
    return off;
  }

  /** Poisons a recycled region in debug mode. */
  recycle(off: number, len: number): void {
    if (this.debug) this.u8.fill(POISON, off, off + len);
  }
}
