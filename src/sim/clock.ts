// Virtual time: a number that jumps to the next event. What is scripted for the same instant
// happens in the order in which it was asked for.

interface Entry {
  readonly us: number;
  readonly order: number;
  fn: (() => void) | null;
}

/** Most events of one instant: more means that something schedules itself without end. */
const MAX_AT_ONCE = 100_000;

export class Clock {
  #now: number;
  #order = 0;
  #live = 0;
  readonly #heap: Entry[] = [];

  constructor(startUs = 1_000_000_000) {
    this.#now = startUs;
  }

  /** Virtual µs. */
  nowUs(): number {
    return this.#now;
  }

  /** Events that are still to come. */
  get waiting(): number {
    return this.#live;
  }

  /** Calls `fn` once at `us` (not before now); answers how to cancel it. */
  at(us: number, fn: () => void): () => void {
    const entry: Entry = { us: Math.max(us, this.#now), order: this.#order++, fn };
    this.#push(entry);
    this.#live++;
    return () => {
      if (entry.fn === null) return;
      entry.fn = null;
      this.#live--;
    };
  }

  /** Calls `fn` once after `us` microseconds, never inside this call; answers how to cancel it. */
  after(us: number, fn: () => void): () => void {
    return this.at(this.#now + us, fn);
  }

  /** Time of the next event; Infinity when none waits. */
  next(): number {
    while (this.#heap.length > 0 && (this.#heap[0] as Entry).fn === null) this.#pop();
    const first = this.#heap[0];
    return first === undefined ? Infinity : first.us;
  }

  /** Moves to `us` (never back) and runs what is due by then, in order. */
  moveTo(us: number): void {
    if (us > this.#now) this.#now = us;
    for (let i = 0; this.next() <= this.#now; i++) {
      if (i === MAX_AT_ONCE) throw new Error('the clock stands still: events without end');
      const entry = this.#pop();
      const fn = entry.fn;
      entry.fn = null;
      this.#live--;
      if (fn !== null) fn();
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0] as Entry;
    const item = heap.pop() as Entry;
    if (heap.length === 0) return first;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      const right = child + 1;
      const rightFirst = right < heap.length && before(heap[right] as Entry, heap[child] as Entry);
      const least = rightFirst ? right : child;
      if (!before(heap[least] as Entry, item)) break;
      heap[i] = heap[least] as Entry;
      i = least;
    }
    heap[i] = item;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.us < b.us || (a.us === b.us && a.order < b.order);
}
