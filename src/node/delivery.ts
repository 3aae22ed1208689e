// Memory for what programs read. A handler sees received octets only during its call; a Buffer that
// a program may keep has to be the program's own. Fresh memory is what costs here, not the copy, so
// sizes go where memory is warm (Node 20, glibc): small pieces into Node's shared pool, those of a
// few packets behind one another into an arena of 64 KiB, super-segments each into memory of its
// own, which malloc takes from its heap and not from the kernel. Larger arenas are slower by 3 to 8
// times (page faults), and one kept chunk would pin more.

import { Buffer } from 'node:buffer';

const ARENA = 65_536;
/** Up to here Node's pool of 8 KiB. */
const SMALL = 1024;
/** From here on each chunk has its own memory. */
const LARGE = ARENA / 4;

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
