// Packets from one thread to another: a ring in shared memory with one writer and one reader, each
// of which moves one counter. A record is 32 octets of words and the packet behind them, in one
// piece; a record that would wrap begins at the start again. What finds no room is refused.
// @hot

/** Words of a record: length, flags, gso, and three that the owner of the ring gives a meaning. */
export const RECORD_WORDS = 8;
const HEADER = RECORD_WORDS * 4;
/** A length of the record that says: go on at the start. */
const WRAP = -1;
/** Octets of the two counters, each in cache lines of its own. */
export const RING_HEAD = 256;
const TAIL_AT = 32;

export class SharedRing {
  /** Words of the record that `take` has taken last, or that `push` is to write. */
  readonly words = new Int32Array(RECORD_WORDS);
  readonly #counters: Int32Array;
  readonly #u8: Uint8Array;
  readonly #int: Int32Array;
  readonly #size: number;

  /**
   * @param at offset of RING_HEAD + `size` octets of `memory`, a multiple of 256
   * @param size octets of the ring, a power of two
   */
  constructor(memory: SharedArrayBuffer, at: number, size: number) {
    this.#counters = new Int32Array(memory, at, RING_HEAD / 4);
    this.#u8 = new Uint8Array(memory, at + RING_HEAD, size);
    this.#int = new Int32Array(memory, at + RING_HEAD, size / 4);
    this.#size = size;
  }

  /** Writes `words` and `len` octets of `from` (words[0] becomes `len`). False: no room. */
  push(from: Uint8Array, off: number, len: number): boolean {
    const head = Atomics.load(this.#counters, 0);
    let tail = Atomics.load(this.#counters, TAIL_AT);
    const free = this.#size - ((tail - head) | 0);
    const need = (HEADER + len + HEADER - 1) & ~(HEADER - 1);
    const at = tail & (this.#size - 1);
    const left = this.#size - at;
    const skip = left < need ? left : 0;
    if (need + skip > free) return false;
    if (skip > 0) {
      this.#int[at >>> 2] = WRAP;
      tail = (tail + skip) | 0;
    }
    const to = tail & (this.#size - 1);
    const words = this.words;
    words[0] = len;
    for (let i = 0; i < RECORD_WORDS; i++) this.#int[(to >>> 2) + i] = words[i] as number;
    this.#u8.set(from.subarray(off, off + len), to + HEADER);
    Atomics.store(this.#counters, TAIL_AT, (tail + need) | 0);
    return true;
  }

  /** Length of the oldest packet; -1 when there is none. */
  peek(): number {
    let head = Atomics.load(this.#counters, 0);
    if (head === Atomics.load(this.#counters, TAIL_AT)) return -1;
    let at = head & (this.#size - 1);
    if (this.#int[at >>> 2] === WRAP) {
      head = (head + this.#size - at) | 0;
      Atomics.store(this.#counters, 0, head);
      at = 0;
    }
    return this.#int[at >>> 2] as number;
  }

  /** After `peek` has said how long: the oldest packet goes to `to[off]`, its words to `words`. */
  take(to: Uint8Array, off: number): void {
    const head = Atomics.load(this.#counters, 0);
    const at = head & (this.#size - 1);
    const words = this.words;
    for (let i = 0; i < RECORD_WORDS; i++) words[i] = this.#int[(at >>> 2) + i] as number;
    const len = words[0] as number;
    to.set(this.#u8.subarray(at + HEADER, at + HEADER + len), off);
    const need = (HEADER + len + HEADER - 1) & ~(HEADER - 1);
    Atomics.store(this.#counters, 0, (head + need) | 0);
  }

  /** The reader forgets everything: what lies there was for another one. */
  clear(): void {
    Atomics.store(this.#counters, 0, Atomics.load(this.#counters, TAIL_AT));
  }
}
