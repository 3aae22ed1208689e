// Where the columns of control blocks lie: a chunk holds the records of 64 slots, floats and ints,
// and is given up when the last of them is free. Chunks stay where they are: a connection keeps its
// chunk and the places of its records.

/** Float64 of one record: what tcb-times.ts names. */
export const RECORD = 28;
/** Int32 of one record: what tcb-numbers.ts names. */
export const INTS = 32;
const PER_CHUNK = 64;
/** Records of closed connections in one piece of memory: whoever keeps one keeps so many. */
const PER_GRAVE = 16;

export class Chunk {
  readonly times: Float64Array;
  readonly ints: Int32Array;
  /** Slots that have their records here. */
  used = 0;

  constructor(slots = PER_CHUNK) {
    this.times = new Float64Array(slots * RECORD);
    this.ints = new Int32Array(slots * INTS);
  }
}

/** The chunks of one layer. */
export class Chunks {
  readonly #chunks: (Chunk | null)[] = [];
  #grave = new Chunk(PER_GRAVE);

  /** The chunk of a slot that is going to be used. */
  enter(slot: number): Chunk {
    const i = Math.floor(slot / PER_CHUNK);
    while (this.#chunks.length <= i) this.#chunks.push(null);
    const chunk = this.#chunks[i] ?? new Chunk();
    this.#chunks[i] = chunk;
    chunk.used++;
    return chunk;
  }

  /** The slot is free: its records may go to another. */
  leave(slot: number): void {
    const i = Math.floor(slot / PER_CHUNK);
    const chunk = this.#chunks[i];
    if (chunk === null || chunk === undefined) return;
    if (--chunk.used === 0) this.#chunks[i] = null;
  }

  /**
   * A chunk with room for one more connection that has left its slot; `used - 1` is its record.
   * Arrays of its own for each would cost more than all the rest of a connection's end.
   */
  bury(): Chunk {
    if (this.#grave.used === PER_GRAVE) this.#grave = new Chunk(PER_GRAVE);
    this.#grave.used++;
    return this.#grave;
  }

  /** Octets of all chunks. */
  get octets(): number {
    let n = 0;
    for (const chunk of this.#chunks) {
      if (chunk !== null) n += chunk.times.byteLength + chunk.ints.byteLength;
    }
    return n;
  }
}

/** Which record of its chunk a slot has; times RECORD or INTS: where that begins. */
export function recordOf(slot: number): number {
  return slot % PER_CHUNK;
}
