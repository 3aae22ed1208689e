// A hierarchical timer wheel of ids (Varghese, Lauck 1987). An id is a small integer chosen by the
// owner; its deadline is a float64 of microseconds. Moving a deadline later only stores a number:
// the entry is put right when its old place comes up. Moving it earlier relinks it.
// 4 levels of 256 places of 256 µs, 65 ms, 16.8 s, 71 min: 12 days; later ones wait in the last.
// @hot

const BITS = 8;
const PLACES = 1 << BITS;
const LEVELS = 4;
const SPAN = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32];
export const TICK_US = 256;
export const NEVER = Infinity;
const NONE = -1;

export class Deadlines {
  #deadline: Float64Array;
  /** Tick at which the entry is looked at next. */
  #place: Float64Array;
  /** Head of the list that the entry hangs on (level * PLACES + slot); NONE = not linked. */
  #head: Int32Array;
  #next: Int32Array;
  #prev: Int32Array;
  readonly #first = new Int32Array(LEVELS * PLACES).fill(NONE);
  readonly #counts = new Int32Array(LEVELS);
  #tick = 0;
  #armed = 0;
  #now = 0;
  #soonest = NEVER;
  #due: Int32Array = new Int32Array(64);
  #dueSize = 0;

  constructor(ids = 64) {
    this.#deadline = new Float64Array(ids).fill(NEVER);
    this.#place = new Float64Array(ids);
    this.#head = new Int32Array(ids).fill(NONE);
    this.#next = new Int32Array(ids).fill(NONE);
    this.#prev = new Int32Array(ids).fill(NONE);
  }

  /** How many ids have a deadline. */
  get armed(): number {
    return this.#armed;
  }

  /** How many ids the last `expire` found due; `due(i)` names them. */
  get dueSize(): number {
    return this.#dueSize;
  }

  due(i: number): number {
    return this.#due[i] as number;
  }

  /** Absolute µs, NEVER when not armed. */
  deadline(id: number): number {
    return id < this.#deadline.length ? (this.#deadline[id] as number) : NEVER;
  }

  /** Whether `id` has a deadline: a boolean crosses a call without being boxed. */
  isArmed(id: number): boolean {
    return id < this.#deadline.length && this.#deadline[id] !== NEVER;
  }

  /** Sets or moves the deadline of `id` to `us` (absolute, µs). */
  set(id: number, us: number): void {
    if (id >= this.#deadline.length) this.#grow(id);
    if (this.#deadline[id] === NEVER) this.#armed++;
    this.#deadline[id] = us;
    this.#moved(id);
  }

  /** The time that `after` counts from; nothing expires yet. */
  tick(now: number): void {
    this.#now = now;
  }

  /** Sets the deadline `delayUs` (an int32) after the time of the last `tick` or `expire`. */
  after(id: number, delayUs: number): void {
    // Not through `set`: a float64 that crosses a call is boxed, 16 octets for each segment sent.
    if (id >= this.#deadline.length) this.#grow(id);
    if (this.#deadline[id] === NEVER) this.#armed++;
    this.#deadline[id] = this.#now + delayUs;
    this.#moved(id);
  }

  /** An entry that comes up early is put right then; one that would come up late is linked anew. */
  #moved(id: number): void {
    if (this.#head[id] !== NONE) {
      const tick = Math.floor((this.#deadline[id] as number) / TICK_US);
      if (tick >= (this.#place[id] as number)) return;
      this.#unlink(id);
    }
    this.#link(id);
  }

  clear(id: number): void {
    if (id >= this.#deadline.length || this.#deadline[id] === NEVER) return;
    this.#deadline[id] = NEVER;
    this.#armed--;
    if (this.#head[id] !== NONE) this.#unlink(id);
  }

  /** A time not after the earliest deadline; NEVER when none is armed. Waking early is harmless. */
  next(): number {
    // Small, so that it is inlined and the time comes out of its field without being boxed.
    this.#soonest = NEVER;
    if (this.#armed !== 0) this.#look();
    return this.#soonest;
  }

  /** Brings #soonest to the earliest deadline. */
  #look(): void {
    for (let level = 0; level < LEVELS; level++) {
      if (this.#counts[level] === 0) continue;
      const span = SPAN[level] as number;
      const from = Math.floor(this.#tick / span);
      for (let i = level === 0 ? 0 : 1; i <= PLACES; i++) {
        const slot = (from + i) & (PLACES - 1);
        if (this.#first[level * PLACES + slot] === NONE) continue;
        let at = (from + i) * span * TICK_US;
        if (level === 0) {
          // An entry that was moved later still hangs here: look no further than this place's end,
          // for the places behind it may hold earlier deadlines.
          this.#lookAt(slot);
          at += TICK_US;
        }
        if (at < this.#soonest) this.#soonest = at;
        break;
      }
    }
  }

  /** Moves the wheel to `now` and gathers the ids that are due in `due(0..dueSize-1)`. */
  expire(now: number): number {
    this.#now = now;
    return this.#expire();
  }

  #expire(): number {
    this.#dueSize = 0;
    const now = this.#now;
    const target = Math.floor(now / TICK_US);
    this.#sweep();
    while (this.#tick < target) {
      this.#tick = Math.min(this.#nextStop(), target);
      if ((this.#tick & (PLACES - 1)) === 0) this.#cascade(1);
      this.#sweep();
    }
    return this.#dueSize;
  }

  /** The next tick at which anything can be linked: whole empty levels are passed in one step. */
  #nextStop(): number {
    if (this.#counts[0] !== 0) return this.#tick + 1;
    let level = 1;
    while (level < LEVELS && this.#counts[level] === 0) level++;
    if (level === LEVELS) return NEVER;
    const span = SPAN[level] as number;
    return (Math.floor(this.#tick / span) + 1) * span;
  }

  #cascade(level: number): void {
    if (level >= LEVELS) return;
    const slot = Math.floor(this.#tick / (SPAN[level] as number)) & (PLACES - 1);
    if (slot === 0) this.#cascade(level + 1);
    let id = this.#first[level * PLACES + slot] as number;
    this.#first[level * PLACES + slot] = NONE;
    while (id !== NONE) {
      const following = this.#next[id] as number;
      this.#counts[level] = (this.#counts[level] as number) - 1;
      this.#head[id] = NONE;
      this.#link(id);
      id = following;
    }
  }

  #sweep(): void {
    if (this.#counts[0] === 0) return;
    const now = this.#now;
    let id = this.#first[this.#tick & (PLACES - 1)] as number;
    while (id !== NONE) {
      const following = this.#next[id] as number;
      const deadline = this.#deadline[id] as number;
      if (deadline <= now) {
        this.#unlink(id);
        this.#deadline[id] = NEVER;
        this.#armed--;
        if (this.#dueSize === this.#due.length) {
          this.#due = widenedInts(this.#due, this.#due.length * 2, 0);
        }
        this.#due[this.#dueSize++] = id;
      } else if (Math.floor(deadline / TICK_US) > this.#tick) {
        this.#unlink(id);
        this.#link(id);
      }
      id = following;
    }
  }

  /** The earliest deadline of the entries that hang on one place of the first level. */
  #lookAt(slot: number): void {
    for (let id = this.#first[slot] as number; id !== NONE; id = this.#next[id] as number) {
      const at = this.#deadline[id] as number;
      if (at < this.#soonest) this.#soonest = at;
    }
  }

  #link(id: number): void {
    let at = Math.max(Math.floor((this.#deadline[id] as number) / TICK_US), this.#tick);
    at = Math.min(at, this.#tick + (SPAN[LEVELS] as number) - 1);
    let level = 0;
    while (at - this.#tick >= (SPAN[level + 1] as number)) level++;
    const span = SPAN[level] as number;
    const turn = Math.floor(at / span);
    const head = level * PLACES + (turn & (PLACES - 1));
    const first = this.#first[head] as number;
    this.#next[id] = first;
    this.#prev[id] = NONE;
    if (first !== NONE) this.#prev[first] = id;
    this.#first[head] = id;
    this.#head[id] = head;
    this.#place[id] = turn * span;
    this.#counts[level] = (this.#counts[level] as number) + 1;
  }

  #unlink(id: number): void {
    const head = this.#head[id] as number;
    const next = this.#next[id] as number;
    const prev = this.#prev[id] as number;
    if (next !== NONE) this.#prev[next] = prev;
    if (prev === NONE) this.#first[head] = next;
    else this.#next[prev] = next;
    this.#head[id] = NONE;
    const level = head >> BITS;
    this.#counts[level] = (this.#counts[level] as number) - 1;
  }

  #grow(id: number): void {
    let n = this.#deadline.length;
    while (n <= id) n *= 2;
    this.#deadline = widenedFloats(this.#deadline, n, NEVER);
    this.#place = widenedFloats(this.#place, n, 0);
    this.#head = widenedInts(this.#head, n, NONE);
    this.#next = widenedInts(this.#next, n, NONE);
    this.#prev = widenedInts(this.#prev, n, NONE);
  }
}

function widenedInts(old: Int32Array, n: number, fill: number): Int32Array {
  const wider = new Int32Array(n).fill(fill);
  wider.set(old);
  return wider;
}

function widenedFloats(old: Float64Array, n: number, fill: number): Float64Array {
  const wider = new Float64Array(n).fill(fill);
  wider.set(old);
  return wider;
}
