// The times, rates and durations of a control block, and its totals: float64 in a record of a chunk
// that 64 connections share. A float64 in a field of its own costs 24 octets (V8 boxes it), here 8.
// Chunks stay where they are: a connection keeps its chunk and the index of its record.
// @hot

/** Float64 of one record: eight totals, then what the accessors below name. */
export const RECORD = 15;
const PER_CHUNK = 64;

/** The chunks of one layer: the record of a connection belongs to its slot. */
export class Records {
  readonly #chunks: Float64Array[] = [];

  chunk(slot: number): Float64Array {
    const i = Math.floor(slot / PER_CHUNK);
    while (this.#chunks.length <= i) this.#chunks.push(grownChunk());
    return this.#chunks[i] as Float64Array;
  }
}

/** Index of a slot's record in its chunk. */
export function recordAt(slot: number): number {
  return (slot % PER_CHUNK) * RECORD;
}

function grownChunk(): Float64Array {
  return new Float64Array(PER_CHUNK * RECORD);
}

export class TcbTimes {
  /** The record is `times[at … at + RECORD)`; `Total` and the accessors know the places. */
  times: Float64Array;
  at: number;

  constructor(chunk: Float64Array, at: number) {
    this.times = chunk;
    this.at = at;
    chunk.fill(0, at, at + RECORD);
  }

  /** The slot goes to another connection: what is still asked for is read from a copy. */
  detach(): void {
    this.times = this.times.slice(this.at, this.at + RECORD);
    this.at = 0;
  }

  /** TIME-WAIT ends then. */
  get timeWaitEndUs(): number {
    return this.times[this.at + 8] as number;
  }
  set timeWaitEndUs(us: number) {
    this.times[this.at + 8] = us;
  }

  get challengeUs(): number {
    return this.times[this.at + 9] as number;
  }
  set challengeUs(us: number) {
    this.times[this.at + 9] = us;
  }

  /** When a segment outside of the window was last answered. */
  get oowAckUs(): number {
    return this.times[this.at + 10] as number;
  }
  set oowAckUs(us: number) {
    this.times[this.at + 10] = us;
  }

  get searchAgainUs(): number {
    return this.times[this.at + 11] as number;
  }
  set searchAgainUs(us: number) {
    this.times[this.at + 11] = us;
  }

  /** The program's own limit; 0 = none. */
  get maxPacingRate(): number {
    return this.times[this.at + 12] as number;
  }
  set maxPacingRate(us: number) {
    this.times[this.at + 12] = us;
  }

  get spaceUs(): number {
    return this.times[this.at + 13] as number;
  }
  set spaceUs(us: number) {
    this.times[this.at + 13] = us;
  }

  get rcvRttUs(): number {
    return this.times[this.at + 14] as number;
  }
  set rcvRttUs(us: number) {
    this.times[this.at + 14] = us;
  }
}
