// What was seen of one connection: moves of its state, segments, samples of its numbers. Bounded:
// the oldest quarter goes when there is no room, and readers are told to begin anew.

import type { SendMap } from '../stack/send-map.ts';
import type { ConnPart, SampleRow, SegmentRow, StateMove } from './frames.ts';
import type { Cursor } from './source.ts';

const MOST_SEGMENTS = 20_000;
const MOST_SAMPLES = 8000;
const MOST_MOVES = 1000;

/** A list whose oldest quarter goes when it is full; positions go on. */
export class Kept<T> {
  readonly #most: number;
  #items: T[] = [];
  #gone = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get end(): number {
    return this.#gone + this.#items.length;
  }

  get last(): T | undefined {
    return this.#items.at(-1);
  }

  push(item: T): void {
    if (this.#items.length >= this.#most) {
      const n = this.#most >> 2;
      this.#items.splice(0, n);
      this.#gone += n;
    }
    this.#items.push(item);
  }

  since(at: number): T[] {
    return this.#items.slice(Math.max(0, at - this.#gone));
  }
}

/** Readers tell two connections that had the same ends, and what was begun anew, by a number. */
let begun = 0;

export class History {
  readonly host: string;
  readonly key: string;
  readonly #moves = new Kept<StateMove>(MOST_MOVES);
  #segments = new Kept<SegmentRow>(MOST_SEGMENTS);
  #samples = new Kept<SampleRow>(MOST_SAMPLES);
  #begun = ++begun;
  #state = '';
  map: SendMap | null = null;

  constructor(host: string, key: string) {
    this.host = host;
    this.key = key;
  }

  /** The state of a connection that was there before anybody looked. */
  begin(state: string): void {
    if (this.#state === '') this.#state = state;
  }

  /** Segments and samples from now on alone: what comes does not join on to what was. */
  restart(): void {
    this.#segments = new Kept<SegmentRow>(MOST_SEGMENTS);
    this.#samples = new Kept<SampleRow>(MOST_SAMPLES);
    this.#begun = ++begun;
  }

  move(us: number, from: string, to: string, why: string): void {
    this.#moves.push({ us, from, to, why });
    this.#state = to;
  }

  segment(row: SegmentRow): void {
    this.#segments.push(row);
  }

  /** Samples that say the same as the one before are left out. */
  sample(row: SampleRow): void {
    const last = this.#samples.last;
    if (last?.every((value, i) => i === 0 || value === row[i]) === true) return;
    this.#samples.push(row);
  }

  since(cursor: Cursor, info: Readonly<object> | null): ConnPart {
    const name = `${this.host} ${this.key} ${this.#begun}`;
    const fresh = cursor.conn !== name;
    if (fresh) Object.assign(cursor, { conn: name, moves: 0, segments: 0, samples: 0 });
    const part: ConnPart = {
      host: this.host,
      key: this.key,
      fresh,
      state: this.#state,
      moves: this.#moves.since(cursor.moves),
      segments: this.#segments.since(cursor.segments),
      samples: this.#samples.since(cursor.samples),
      map: this.map,
      info: info as Readonly<Record<string, unknown>> | null,
    };
    cursor.moves = this.#moves.end;
    cursor.segments = this.#segments.end;
    cursor.samples = this.#samples.end;
    return part;
  }
}
