// Memory for what programs read. A handler sees received octets only during its call; a Buffer that
// a program may keep has to be the program's own. Fresh memory is what costs here, not the copy: a
// page that malloc has given back is faulted in anew. So small pieces go into Node's shared pool,
// and all others behind one another into blocks of 64 KiB that the addon takes back when the
// collector has found their last view gone (native/blocks.cc). Larger blocks are slower, and one
// kept chunk would pin more.

import { Buffer } from 'node:buffer';
import { hasAddon, loadAddon } from './addon.ts';

const BLOCK = 65_536;
/** Up to here Node's pool of 8 KiB. */
const SMALL = 1024;
/** Without the addon: from here on each chunk has memory of its own. */
const LARGE = BLOCK / 4;
/**
 * Blocks between two nudges. V8 looks at the memory behind young buffers only when it allocates
 * some itself: then a short collection of the young generation gives blocks back. Without one it
 * waits for the limit of all memory from outside, and a full collection (docs/performance.md).
 */
const NUDGE = 16;

type TakeBlock = () => ArrayBuffer | undefined;

function ownBlock(): ArrayBuffer {
  return Buffer.allocUnsafeSlow(BLOCK).buffer as ArrayBuffer;
}

export class Delivery {
  #block: ArrayBuffer | null = null;
  #used = BLOCK;
  /** The addon's; null: there is none. */
  #take: TakeBlock | null | undefined;
  #taken = 0;

  /** A Buffer of the program's own with octets [off, off + len) of `u8`. */
  copy(u8: Uint8Array, off: number, len: number): Buffer {
    const chunk = this.#memory(len);
    chunk.set(u8.subarray(off, off + len));
    return chunk;
  }

  #memory(len: number): Buffer {
    if (len <= SMALL) return Buffer.allocUnsafe(len);
    if (len > BLOCK) return Buffer.allocUnsafeSlow(len);
    if (this.#take === undefined) this.#take = hasAddon() ? loadAddon().block : null;
    if (this.#take === null && len >= LARGE) return Buffer.allocUnsafeSlow(len);
    if (this.#block === null || this.#used + len > BLOCK) this.#block = this.#fresh();
    const at = this.#used;
    this.#used = at + ((len + 63) & ~63);
    return Buffer.from(this.#block, at, len);
  }

  #fresh(): ArrayBuffer {
    this.#used = 0;
    const block = this.#take?.();
    if (block === undefined) {
      this.#take = null;
      return ownBlock();
    }
    this.#taken++;
    if (this.#taken % NUDGE === 0) new ArrayBuffer(8);
    return block;
  }
}
