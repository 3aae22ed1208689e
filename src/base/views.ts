// Views of runs of one buffer, remembered. `TypedArray.set` wants its source as a view of exactly
// the octets to copy, and a view costs about 100 octets of garbage. Packets of one size lie at the
// same places batch after batch, so a small direct-mapped table finds nearly every view again.
// @hot

/** Entries: sixteen batches of a device. */
const ENTRIES = 1024;

export class Views {
  readonly #u8: Uint8Array;
  readonly #off = new Int32Array(ENTRIES).fill(-1);
  readonly #len = new Int32Array(ENTRIES);
  readonly #views: Uint8Array[];

  constructor(u8: Uint8Array) {
    this.#u8 = u8;
    this.#views = new Array<Uint8Array>(ENTRIES).fill(u8);
  }

  /** `u8[off … off+len)`. The view may be kept, its octets only as long as the packet's own. */
  run(off: number, len: number): Uint8Array {
    // Packets start at multiples of 16; the second term parts strides that are powers of two.
    const i = ((off >>> 4) + (off >>> 12)) & (ENTRIES - 1);
    if (this.#off[i] !== off || this.#len[i] !== len) {
      this.#off[i] = off;
      this.#len[i] = len;
      this.#views[i] = this.#u8.subarray(off, off + len);
    }
    return this.#views[i] as Uint8Array;
  }
}
