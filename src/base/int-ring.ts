// FIFO of int32 values in a power-of-two ring that grows up to a cap. Used for ready lists.
// @hot

import { assert } from './assert.ts';

export class IntRing {
  #items: Int32Array;
  #head = 0;
  #size = 0;
  readonly cap: number;

  constructor(initial = 16, cap = 1 << 24) {
    let n = 4;
    while (n < initial) n <<= 1;
    this.#items = new Int32Array(n);
    this.cap = cap;
  }

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = value;
    this.#size++;
  }

  /** Takes the oldest value; the caller has looked at `size`. */
  shift(): number {
    assert(this.#size > 0, 'int ring is empty');
    const value = this.#items[this.#head] as number;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size--;
    return value;
  }

  at(i: number): number {
    return this.#items[(this.#head + i) & (this.#items.length - 1)] as number;
  }

  clear(): void {
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const old = this.#items;
    assert(old.length * 2 <= this.cap, 'int ring over its cap');
    const wider = grown(old.length * 2);
    for (let i = 0; i < this.#size; i++) {
      wider[i] = old[(this.#head + i) & (old.length - 1)] as number;
    }
    this.#items = wider;
    this.#head = 0;
  }
}

function grown(n: number): Int32Array {
  return new Int32Array(n);
}
