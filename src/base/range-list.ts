// Sorted, disjoint, non-touching ranges [start, end) of sequence numbers: out-of-order data held,
// holes of a reassembly. Comparisons are mod 2^32; all ranges lie within 2^31 of each other.
// Insertion finds its place by bisection and moves a tail of ints: O(log n) steps plus a memmove.
// @hot

/** As many as a SACK option has blocks. */
const RECENT = 4;
const NONE = new Int32Array(0);

function grownRecent(): Int32Array<ArrayBuffer> {
  return new Int32Array(RECENT);
}

export class RangeList {
  #starts: Int32Array;
  #ends: Int32Array;
  #size = 0;
  readonly cap: number;
  /** Numbers in the ranges that were touched last, newest first. */
  #recent = NONE;
  #recents = 0;

  /** @param cap most ranges kept; `insert` answers false beyond. */
  constructor(cap: number, initial = 4) {
    this.cap = cap;
    this.#starts = new Int32Array(Math.min(initial, cap));
    this.#ends = new Int32Array(Math.min(initial, cap));
  }

  get size(): number {
    return this.#size;
  }

  /** Octets of memory held. */
  get octets(): number {
    return this.#starts.length * 8;
  }

  start(i: number): number {
    return this.#starts[i] as number;
  }

  end(i: number): number {
    return this.#ends[i] as number;
  }

  /** The range that holds `s` was added to: it leads the order of `recent`. */
  touch(s: number): void {
    if (this.#recent === NONE) this.#recent = grownRecent();
    const r = this.#recent;
    const held = this.#holder(s);
    let kept = 0;
    for (let k = 0; k < this.#recents; k++) {
      const i = this.#holder(r[k] as number);
      if (i === this.#size || i === held) continue;
      r[kept] = r[k] as number;
      kept++;
    }
    kept = Math.min(kept, r.length - 1);
    r.copyWithin(1, 0, kept);
    r[0] = s;
    this.#recents = kept + 1;
  }

  /** Index of the range that was touched `k` touches ago; `size` when it is gone. */
  recent(k: number): number {
    return k < this.#recents ? this.#holder(this.#recent[k] as number) : this.#size;
  }

  #holder(s: number): number {
    const i = this.find(s);
    return i < this.#size && (((this.#starts[i] as number) - s) | 0) <= 0 ? i : this.#size;
  }

  clear(): void {
    this.#size = 0;
  }

  /** Index of the first range that ends at or after `s`; `size` when there is none. */
  find(s: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((((this.#ends[mid] as number) - s) | 0) < 0) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** Whether [start, end) is held entirely. */
  covers(start: number, end: number): boolean {
    const i = this.find(start);
    if (i === this.#size) return false;
    return (
      (((this.#starts[i] as number) - start) | 0) <= 0 &&
      (((this.#ends[i] as number) - end) | 0) >= 0
    );
  }

  /**
   * Adds [start, end), merging what touches. Index of the range that now holds it; -1 at the cap.
   */
  insert(start: number, end: number): number {
    const first = this.find(start);
    let from = start;
    let to = end;
    let last = first;
    while (last < this.#size && (((this.#starts[last] as number) - end) | 0) <= 0) {
      if ((((this.#starts[last] as number) - from) | 0) < 0) from = this.#starts[last] as number;
      if ((((this.#ends[last] as number) - to) | 0) > 0) to = this.#ends[last] as number;
      last++;
    }
    const merged = last - first;
    if (merged === 0) {
      if (this.#size === this.cap) return -1;
      if (this.#size === this.#starts.length) this.#grow();
      this.#starts.copyWithin(first + 1, first, this.#size);
      this.#ends.copyWithin(first + 1, first, this.#size);
      this.#size++;
    } else if (merged > 1) {
      this.#starts.copyWithin(first + 1, last, this.#size);
      this.#ends.copyWithin(first + 1, last, this.#size);
      this.#size -= merged - 1;
    }
    this.#starts[first] = from;
    this.#ends[first] = to;
    return first;
  }

  /** Forgets everything before `s`, cutting a range that straddles it. */
  dropBefore(s: number): void {
    let n = 0;
    while (n < this.#size && (((this.#ends[n] as number) - s) | 0) <= 0) n++;
    if (n > 0) {
      this.#starts.copyWithin(0, n, this.#size);
      this.#ends.copyWithin(0, n, this.#size);
      this.#size -= n;
    }
    if (this.#size > 0 && (((this.#starts[0] as number) - s) | 0) < 0) this.#starts[0] = s;
  }

  /** Forgets everything from `s` on, cutting a range that straddles it. */
  dropFrom(s: number): void {
    while (this.#size > 0 && (((this.#starts[this.#size - 1] as number) - s) | 0) >= 0) {
      this.#size--;
    }
    const last = this.#size - 1;
    if (last >= 0 && (((this.#ends[last] as number) - s) | 0) > 0) this.#ends[last] = s;
  }

  /** Forgets the highest range and answers how many octets it held. */
  dropLast(): number {
    if (this.#size === 0) return 0;
    this.#size--;
    return ((this.#ends[this.#size] as number) - (this.#starts[this.#size] as number)) | 0;
  }

  #grow(): void {
    const n = Math.min(this.cap, Math.max(4, this.#starts.length * 2));
    this.#starts = widened(this.#starts, n);
    this.#ends = widened(this.#ends, n);
  }
}

function widened(old: Int32Array, n: number): Int32Array {
  const wider = new Int32Array(n);
  wider.set(old);
  return wider;
}
