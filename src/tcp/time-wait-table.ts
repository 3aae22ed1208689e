// Connections in TIME-WAIT as compact records (92 octets with their timer): the four-tuple, the
// numbers, the timestamps. The flow table holds them as slots below -1: slot = -2 - index.

import { Deadlines } from '../base/deadlines.ts';
import { Held, MemoryBudget } from '../base/memory.ts';

/** Octets of a record with its timer. */
export const TIME_WAIT_OCTETS = 92;

/** Words: 9 of the flow key, sndNxt, rcvNxt, rcvWnd field, tsRecent, tsOffset, flags, id. */
const STRIDE = 16;
export const Field = {
  PORTS: 8,
  SND_NXT: 9,
  RCV_NXT: 10,
  WINDOW: 11,
  TS_RECENT: 12,
  TS_OFFSET: 13,
  FLAGS: 14,
  ID: 15,
} as const;
export const TwFlag = { TS: 1 } as const;

export class TimeWaitTable {
  #words = new Int32Array(16 * STRIDE);
  #free: number[] = [];
  #made = 0;
  size = 0;
  readonly deadlines = new Deadlines(16);
  readonly #memory: MemoryBudget;

  constructor(memory = new MemoryBudget()) {
    this.#memory = memory;
  }

  /** A free record's index; its words are undefined. */
  take(): number {
    this.size++;
    this.#memory.take(Held.TIME_WAIT, TIME_WAIT_OCTETS);
    const old = this.#free.pop();
    if (old !== undefined) return old;
    if ((this.#made + 1) * STRIDE > this.#words.length) {
      const wider = new Int32Array(this.#words.length * 2);
      wider.set(this.#words);
      this.#words = wider;
    }
    return this.#made++;
  }

  give(i: number): void {
    this.deadlines.clear(i);
    this.#free.push(i);
    this.size--;
    this.#memory.give(Held.TIME_WAIT, TIME_WAIT_OCTETS);
  }

  /** Records in use. */
  indices(): number[] {
    const free = new Set(this.#free);
    const used: number[] = [];
    for (let i = 0; i < this.#made; i++) if (!free.has(i)) used.push(i);
    return used;
  }

  get words(): Int32Array {
    return this.#words;
  }

  /** Offset of record `i` in `words`: its flow key starts there. */
  at(i: number): number {
    return i * STRIDE;
  }

  get(i: number, field: number): number {
    return this.#words[i * STRIDE + field] as number;
  }

  set(i: number, field: number, value: number): void {
    this.#words[i * STRIDE + field] = value;
  }
}

/** Flow-table slot of record `i`, and back. */
export function slotOf(i: number): number {
  return -2 - i;
}
