// Memory for what programs read. A handler sees received octets only during its call; a Buffer that
// a program may keep has to be the program's own. Small pieces come from Node's shared pool, larger
// ones are cut one behind the other from an arena: one allocation serves many chunks, and an arena
// lives as long as any Buffer cut from it. Fresh memory is what costs here, not the copy.

import { Buffer } from 'node:buffer';

const ARENA = 256 * 1024;
/** Up to here a Buffer of its own (from Node's 8 KiB pool) keeps a kept chunk from pinning an arena. */
const SMALL = 2048;
/** From here on a chunk has its own memory: an arena would be used up by a few. */
const LARGE = ARENA / 2;

export class Delivery {
  #arena: Buffer | null = null;
  #used = 0;

  /** A Buffer of the program's own with octets [off, off + len) of `u8`. */
  copy(u8: Uint8Array, off: number, len: number): Buffer {
    if (len <= SMALL || len >= LARGE) {
      const own = len >= LARGE ? Buffer.allocUnsafeSlow(len) : Buffer.allocUnsafe(len);
      own.set(u8.subarray(off, off + len));
      return own;
    }
    let arena = this.#arena;
    if (arena === null || this.#used + len > ARENA) {
      arena = Buffer.allocUnsafeSlow(ARENA);
      this.#arena = arena;
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = at + ((len + 63) & ~63);
    const chunk = arena.subarray(at, at + len);
    chunk.set(u8.subarray(off, off + len));
    return chunk;
  }
}
