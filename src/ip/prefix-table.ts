// Longest-prefix match over 128-bit addresses (IPv4 mapped): one open-addressing table whose keys
// are (length, masked words), asked once for each prefix length in use, longest first. Thousands of
// prefixes cost no more than ten; a lookup makes at most 33 (IPv4) or 129 probes of a short run.
// The prefixes are the program's own, so nothing an attacker sends chooses what the table holds.
// @hot

import { mix } from '../base/hash.ts';
import { isV4, maskWord } from '../wire/address.ts';

/** length, four words, value. */
const STRIDE = 6;
const VALUE = 5;
const FREE = -1;
const ODD = 0x9e3779b1 | 0;
const SMALLEST = 32;
/** Lengths from here on are IPv4's. */
const V4_BITS = 96;

export class PrefixTable {
  #cells: Int32Array = grownCells(SMALLEST);
  #mask = SMALLEST - 1;
  #size = 0;
  /** Prefixes held of each length. */
  readonly #held = new Int32Array(129);
  /** Lengths in use, longest first; those of IPv4 apart, since IPv4 needs no others. */
  #lengths6 = new Int32Array(129);
  #lengths4 = new Int32Array(33);
  #size6 = 0;
  #size4 = 0;
  readonly #want = new Int32Array(VALUE);

  get size(): number {
    return this.#size;
  }

  /** Value of the longest prefix that holds the address; -1 when none does. */
  lookup(a: number, b: number, c: number, d: number): number {
    const v4 = isV4(a, b, c);
    const lengths = v4 ? this.#lengths4 : this.#lengths6;
    const n = v4 ? this.#size4 : this.#size6;
    for (let i = 0; i < n; i++) {
      this.#ask(lengths[i] as number, a, b, c, d);
      const at = this.#locate();
      if (at >= 0) return this.#cells[at * STRIDE + VALUE] as number;
    }
    return FREE;
  }

  /** Value of exactly this prefix, -1 when it is not held. Host bits are ignored. */
  get(length: number, words: Int32Array): number {
    this.#askWords(length, words);
    const at = this.#locate();
    return at < 0 ? FREE : (this.#cells[at * STRIDE + VALUE] as number);
  }

  /** Adds a prefix or replaces its value. `value` is 0 or more. */
  set(length: number, words: Int32Array, value: number): void {
    this.#askWords(length, words);
    const at = this.#locate();
    if (at >= 0) {
      this.#cells[at * STRIDE + VALUE] = value;
      return;
    }
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    this.#place(this.#want, 0, value);
    this.#size++;
    this.#held[length] = (this.#held[length] as number) + 1;
    if (this.#held[length] === 1) this.#listLengths();
  }

  delete(length: number, words: Int32Array): void {
    this.#askWords(length, words);
    let hole = this.#locate();
    if (hole < 0) return;
    const cells = this.#cells;
    let i = hole;
    for (let n = 0; n <= this.#mask; n++) {
      i = (i + 1) & this.#mask;
      const at = i * STRIDE;
      if (cells[at + VALUE] === FREE) break;
      const home = hashOf(cells, at) & this.#mask;
      if (((i - home) & this.#mask) >= ((i - hole) & this.#mask)) {
        cells.copyWithin(hole * STRIDE, at, at + STRIDE);
        hole = i;
      }
    }
    cells[hole * STRIDE + VALUE] = FREE;
    this.#size--;
    this.#held[length] = (this.#held[length] as number) - 1;
    if (this.#held[length] === 0) this.#listLengths();
  }

  #askWords(length: number, words: Int32Array): void {
    const w = words;
    this.#ask(length, w[0] as number, w[1] as number, w[2] as number, w[3] as number);
  }

  #ask(length: number, a: number, b: number, c: number, d: number): void {
    const want = this.#want;
    want[0] = length;
    want[1] = a & maskWord(length, 0);
    want[2] = b & maskWord(length, 1);
    want[3] = c & maskWord(length, 2);
    want[4] = d & maskWord(length, 3);
  }

  #locate(): number {
    const cells = this.#cells;
    const want = this.#want;
    let i = hashOf(want, 0) & this.#mask;
    for (let n = 0; n <= this.#mask; n++) {
      const at = i * STRIDE;
      if (cells[at + VALUE] === FREE) return -1;
      if (
        cells[at + 4] === want[4] &&
        cells[at] === want[0] &&
        cells[at + 3] === want[3] &&
        cells[at + 2] === want[2] &&
        cells[at + 1] === want[1]
      ) {
        return i;
      }
      i = (i + 1) & this.#mask;
    }
    return -1;
  }

  #place(key: Int32Array, off: number, value: number): void {
    const cells = this.#cells;
    let i = hashOf(key, off) & this.#mask;
    for (let n = 0; n <= this.#mask; n++) {
      const at = i * STRIDE;
      if (cells[at + VALUE] === FREE) {
        for (let w = 0; w < VALUE; w++) cells[at + w] = key[off + w] as number;
        cells[at + VALUE] = value;
        return;
      }
      i = (i + 1) & this.#mask;
    }
  }

  #grow(): void {
    const old = this.#cells;
    const n = (this.#mask + 1) * 2;
    this.#cells = grownCells(n);
    this.#mask = n - 1;
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at + VALUE] !== FREE) this.#place(old, at, old[at + VALUE] as number);
    }
  }

  #listLengths(): void {
    this.#size4 = 0;
    this.#size6 = 0;
    for (let length = 128; length >= 0; length--) {
      if (this.#held[length] === 0) continue;
      this.#lengths6[this.#size6++] = length;
      if (length >= V4_BITS) this.#lengths4[this.#size4++] = length;
    }
  }
}

function hashOf(key: Int32Array, off: number): number {
  let h = mix(key[off] as number, key[off + 4] as number, ODD);
  h = mix(h, key[off + 3] as number, ODD);
  h = mix(h, key[off + 2] as number, ODD);
  return mix(h, key[off + 1] as number, ODD);
}

function grownCells(n: number): Int32Array {
  return new Int32Array(n * STRIDE).fill(FREE);
}
