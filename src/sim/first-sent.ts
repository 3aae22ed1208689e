// What a judge of one direction remembers: the octets as they were first sent, kept until they are
// acknowledged, and what has arrived out of order. Places are floats, so that a run may pass 4 GiB.

const FIRST_RING = 1 << 14;

/** Sorted disjoint [start, end) of places. */
export class Islands {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  add(start: number, end: number): void {
    let i = 0;
    while (i < this.starts.length && (this.ends[i] as number) < start) i++;
    let from = start;
    let to = end;
    let n = 0;
    while (i + n < this.starts.length && (this.starts[i + n] as number) <= end) {
      from = Math.min(from, this.starts[i + n] as number);
      to = Math.max(to, this.ends[i + n] as number);
      n++;
    }
    this.starts.splice(i, n, from);
    this.ends.splice(i, n, to);
  }

  /** Takes away what begins at or before `got` and answers the new `got`. */
  reach(got: number): number {
    let at = got;
    while (this.starts.length > 0 && (this.starts[0] as number) <= at) {
      at = Math.max(at, this.ends[0] as number);
      this.starts.shift();
      this.ends.shift();
    }
    return at;
  }

  covers(start: number, end: number): boolean {
    for (let i = 0; i < this.starts.length; i++) {
      if ((this.starts[i] as number) <= start && end <= (this.ends[i] as number)) return true;
    }
    return false;
  }

  /** Takes [start, end) out. */
  remove(start: number, end: number): void {
    for (let i = this.starts.length - 1; i >= 0; i--) {
      const from = this.starts[i] as number;
      const to = this.ends[i] as number;
      if (from >= end || to <= start) continue;
      this.starts.splice(i, 1);
      this.ends.splice(i, 1);
      if (end < to) this.add(end, to);
      if (from < start) this.add(from, start);
    }
  }

  /** Whether any of [start, end) is in one of them. */
  touches(start: number, end: number): boolean {
    for (let i = 0; i < this.starts.length; i++) {
      if ((this.starts[i] as number) < end && start < (this.ends[i] as number)) return true;
    }
    return false;
  }
}

/** Octets as they were first sent. */
export class FirstSent {
  #ring = new Uint8Array(FIRST_RING);
  /** Swallowed by a full link before anybody saw them: not known what they were. */
  readonly #unseen = new Islands();

  /** Makes room for places [una, end), of which [una, nxt) are known. */
  ensure(una: number, nxt: number, end: number): void {
    const old = this.#ring;
    if (end - una <= old.length) return;
    let n = old.length;
    while (n < end - una) n *= 2;
    const wider = new Uint8Array(n);
    // The old ring knows no more than its own length.
    for (let p = Math.max(una, nxt - old.length); p < nxt; p++) {
      wider[p % n] = old[p % old.length] as number;
    }
    this.#ring = wider;
  }

  /** First transmission of `len` octets at `octets[at…]`. */
  put(place: number, octets: Uint8Array, at: number, len: number): void {
    const ring = this.#ring;
    const to = place % ring.length;
    const whole = Math.min(len, ring.length - to);
    ring.set(octets.subarray(at, at + whole), to);
    if (whole < len) ring.set(octets.subarray(at + whole, at + len), 0);
  }

  skip(start: number, end: number): void {
    if (end > start) this.#unseen.add(start, end);
  }

  /**
   * The first place at which these octets are not what was sent first; -1: all agree. What had not
   * been seen is seen now.
   */
  differs(place: number, octets: Uint8Array, at: number, len: number): number {
    const ring = this.#ring;
    const whole = !this.#unseen.touches(place, place + len);
    for (let i = 0; i < len; i++) {
      const to = (place + i) % ring.length;
      if (!whole && this.#unseen.covers(place + i, place + i + 1)) {
        ring[to] = octets[at + i] as number;
      } else if (ring[to] !== octets[at + i]) return place + i;
    }
    if (!whole) this.#unseen.remove(place, place + len);
    return -1;
  }
}
