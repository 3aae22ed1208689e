// Exact-match demultiplexing: 4-tuple → slot, in a keyed open-addressing table over Int32Array.
// Linear probing with backward-shift deletion, load at most one half. The hash key is random: V8's
// own hash of integers is not, and can be flooded. An insert that would probe further than
// MAX_PROBE re-keys or grows the table, so a lookup is bounded too.
// @hot

import { FlowHash, mix } from '../base/hash.ts';
import type { Random } from '../base/random.ts';

/** Words of one key: local address, remote address, local port << 16 | remote port. */
const KEY = 9;
/** Key words, then the slot. */
const STRIDE = KEY + 1;
export const MAX_PROBE = 32;
const EMPTY = -1;
const V4_MAPPED = 0x0000ffff;

export class FlowTable {
  readonly #random: Random;
  #key: FlowHash;
  #v4: number;
  #cells: Int32Array;
  #mask: number;
  #size = 0;

  constructor(random: Random, capacity = 64) {
    let n = 16;
    while (n < capacity * 2) n <<= 1;
    this.#random = random;
    this.#key = new FlowHash(random);
    this.#v4 = v4State(this.#key);
    this.#cells = grownCells(n);
    this.#mask = n - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Cells in the table. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /**
   * Slot of an IPv4 flow, -1 when there is none.
   * @param ports local port << 16 | remote port
   */
  find4(local: number, remote: number, ports: number): number {
    let h = mix(this.#v4, local, this.#key.k1);
    h = mix(h, remote, this.#key.k2);
    h = mix(h, ports, this.#key.k1);
    const cells = this.#cells;
    let i = h & this.#mask;
    for (let n = 0; n < MAX_PROBE; n++) {
      const at = i * STRIDE;
      const slot = cells[at + KEY] as number;
      if (slot === EMPTY) return EMPTY;
      if (
        cells[at + 8] === ports &&
        cells[at + 7] === remote &&
        cells[at + 3] === local &&
        cells[at + 2] === V4_MAPPED &&
        cells[at + 6] === V4_MAPPED &&
        ((cells[at] as number) | (cells[at + 1] as number)) === 0 &&
        ((cells[at + 4] as number) | (cells[at + 5] as number)) === 0
      ) {
        return slot;
      }
      i = (i + 1) & this.#mask;
    }
    return EMPTY;
  }

  /** Slot of the flow whose nine key words start at `key[off]`; -1 when there is none. */
  find(key: Int32Array, off: number): number {
    const at = this.#locate(key, off);
    return at < 0 ? EMPTY : (this.#cells[at * STRIDE + KEY] as number);
  }

  /** Adds a flow; false when the key is there already. */
  insert(key: Int32Array, off: number, slot: number): boolean {
    if (this.#locate(key, off) >= 0) return false;
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#rebuild((this.#mask + 1) * 2);
    for (let tries = 0; tries < 8; tries++) {
      if (this.#place(key, off, slot)) {
        this.#size++;
        return true;
      }
      // A run longer than MAX_PROBE is chance or an attack: a new key scatters it; then more room.
      this.#rebuild(tries < 2 ? this.#mask + 1 : (this.#mask + 1) * 2);
    }
    return false;
  }

  remove(key: Int32Array, off: number): boolean {
    let hole = this.#locate(key, off);
    if (hole < 0) return false;
    const cells = this.#cells;
    let i = hole;
    for (let n = 0; n <= this.#mask; n++) {
      i = (i + 1) & this.#mask;
      const at = i * STRIDE;
      if (cells[at + KEY] === EMPTY) break;
      const home = this.#hash(cells, at) & this.#mask;
      if (((i - home) & this.#mask) >= ((i - hole) & this.#mask)) {
        cells.copyWithin(hole * STRIDE, at, at + STRIDE);
        hole = i;
      }
    }
    cells[hole * STRIDE + KEY] = EMPTY;
    this.#size--;
    return true;
  }

  /** How many flows take 1, 2, 3 … cells to find now; element 0 is 0. Walks the whole table. */
  probes(): Int32Array {
    const counts = new Int32Array(MAX_PROBE + 1); // cold
    for (let i = 0; i <= this.#mask; i++) {
      const at = i * STRIDE;
      if (this.#cells[at + KEY] === EMPTY) continue;
      const home = this.#hash(this.#cells, at) & this.#mask;
      const n = ((i - home) & this.#mask) + 1;
      counts[n] = (counts[n] as number) + 1;
    }
    return counts;
  }

  /** Every flow in the order of its cell, for people. Walks the whole table. */
  entries(entry: (cell: number, home: number, hash: number, key: Int32Array) => void): void {
    for (let i = 0; i <= this.#mask; i++) {
      const at = i * STRIDE;
      if (this.#cells[at + KEY] === EMPTY) continue;
      const hash = this.#hash(this.#cells, at);
      entry(i, hash & this.#mask, hash, this.#cells.subarray(at, at + KEY)); // cold
    }
  }

  /** Longest probe that a present flow needs now. */
  longestProbe(): number {
    const counts = this.probes();
    let n = MAX_PROBE;
    while (n > 0 && counts[n] === 0) n--;
    return n;
  }

  #hash(key: Int32Array, off: number): number {
    const k = this.#key;
    let h = k.k0;
    h = mix(h, key[off] as number, k.k1);
    h = mix(h, key[off + 1] as number, k.k2);
    h = mix(h, key[off + 2] as number, k.k1);
    h = mix(h, key[off + 4] as number, k.k2);
    h = mix(h, key[off + 5] as number, k.k1);
    h = mix(h, key[off + 6] as number, k.k2);
    h = mix(h, key[off + 3] as number, k.k1);
    h = mix(h, key[off + 7] as number, k.k2);
    return mix(h, key[off + 8] as number, k.k1);
  }

  #locate(key: Int32Array, off: number): number {
    const cells = this.#cells;
    let i = this.#hash(key, off) & this.#mask;
    for (let n = 0; n < MAX_PROBE; n++) {
      const at = i * STRIDE;
      if (cells[at + KEY] === EMPTY) return -1;
      let w = 0;
      while (w < KEY && cells[at + w] === key[off + w]) w++;
      if (w === KEY) return i;
      i = (i + 1) & this.#mask;
    }
    return -1;
  }

  #place(key: Int32Array, off: number, slot: number): boolean {
    const cells = this.#cells;
    let i = this.#hash(key, off) & this.#mask;
    for (let n = 0; n < MAX_PROBE; n++) {
      const at = i * STRIDE;
      if (cells[at + KEY] === EMPTY) {
        for (let w = 0; w < KEY; w++) cells[at + w] = key[off + w] as number;
        cells[at + KEY] = slot;
        return true;
      }
      i = (i + 1) & this.#mask;
    }
    return false;
  }

  #rebuild(cellsWanted: number): void {
    const old = this.#cells;
    let n = cellsWanted;
    for (let tries = 0; tries < 8; tries++) {
      this.#key = widenedKey(this.#random);
      this.#v4 = v4State(this.#key);
      this.#cells = grownCells(n);
      this.#mask = n - 1;
      let at = 0;
      while (
        at < old.length &&
        (old[at + KEY] === EMPTY || this.#place(old, at, old[at + KEY] as number))
      ) {
        at += STRIDE;
      }
      if (at >= old.length) return;
      n *= 2;
    }
  }
}

/** The hash's state after the six constant words of two IPv4-mapped addresses. */
function v4State(k: FlowHash): number {
  let h = k.k0;
  h = mix(h, 0, k.k1);
  h = mix(h, 0, k.k2);
  h = mix(h, V4_MAPPED, k.k1);
  h = mix(h, 0, k.k2);
  h = mix(h, 0, k.k1);
  return mix(h, V4_MAPPED, k.k2);
}

function widenedKey(random: Random): FlowHash {
  return new FlowHash(random);
}

function grownCells(n: number): Int32Array {
  return new Int32Array(n * STRIDE).fill(EMPTY);
}
