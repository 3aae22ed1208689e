// Recycled blocks of memory for copied sends: warm memory is free to copy into, fresh memory costs
// page faults and garbage collection (docs/decisions: data path). Two sizes, each with a capped
// free list.
// @hot

import { Held, MemoryBudget } from '../base/memory.ts';

export const SMALL_BLOCK = 2048;
export const LARGE_BLOCK = 65536;
/** Free blocks kept of each size. */
const KEEP_SMALL = 4096;
const KEEP_LARGE = 256;

export class BlockPool {
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  readonly #memory: MemoryBudget;
  /** Octets handed out and not given back. */
  inUse = 0;

  constructor(memory = new MemoryBudget()) {
    this.#memory = memory;
  }

  take(large: boolean): Uint8Array {
    const list = large ? this.#large : this.#small;
    const block = list.pop();
    const size = large ? LARGE_BLOCK : SMALL_BLOCK;
    this.inUse += size;
    this.#memory.take(Held.SEND, size);
    return block === undefined ? grownBlock(size) : block;
  }

  give(block: Uint8Array): void {
    this.inUse -= block.length;
    this.#memory.give(Held.SEND, block.length);
    if (block.length === LARGE_BLOCK) {
      if (this.#large.length < KEEP_LARGE) this.#large.push(block);
    } else if (this.#small.length < KEEP_SMALL) this.#small.push(block);
  }
}

function grownBlock(size: number): Uint8Array {
  return new Uint8Array(size);
}
