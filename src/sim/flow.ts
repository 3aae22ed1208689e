// What the wire alone tells about one direction of a TCP connection: numbers are unwrapped (SYN =
// 0, first octet = 1) and kept as floats, so that a run may pass 4 GiB.

const FIRST_RING = 1 << 14;
/** Stands for an octet that a full link has swallowed before anybody saw it. */
const UNSEEN = 0x100;

/** Octets as they were first sent, kept until they are acknowledged. */
class FirstSent {
  #ring = new Uint16Array(FIRST_RING);

  /** Makes room for places [una, end). */
  ensure(una: number, nxt: number, end: number): void {
    if (end - una <= this.#ring.length) return;
    let n = this.#ring.length;
    while (n < end - una) n *= 2;
    const wider = new Uint16Array(n);
    for (let p = una; p < nxt; p++) wider[p % n] = this.#ring[p % this.#ring.length] as number;
    this.#ring = wider;
  }

  put(place: number, octet: number): void {
    this.#ring[place % this.#ring.length] = octet;
  }

  skip(start: number, end: number): void {
    for (let p = start; p < end; p++) this.put(p, UNSEEN);
  }

  /** Whether `octet` is what was sent first at this place; an unseen one is seen now. */
  agrees(place: number, octet: number): boolean {
    const at = place % this.#ring.length;
    if (this.#ring[at] === UNSEEN) this.#ring[at] = octet;
    return this.#ring[at] === octet;
  }
}

/** Sorted disjoint [start, end) of places that have reached the receiver out of order. */
class Islands {
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
}

/** One direction: what `sender` has sent and what has reached the stack at the other end. */
export class Way {
  readonly sender: string;
  // --- sent ---------------------------------------------------------------------------------
  synSent = false;
  iss = 0;
  /** Options of the SYN; -1, false: not there. */
  mss = -1;
  wscale = -1;
  sackPermitted = false;
  timestamps = false;
  /** Place behind the last octet (or FIN) ever sent; behind the last octet of data. */
  nxt = 0;
  dataEnd = 1;
  /** Place of the FIN, -1 while none was sent. */
  fin = -1;
  rstSent = false;
  readonly first = new FirstSent();
  /** Wire segments with new data. */
  newSegments = 0;
  /** Wire segments with data that had been sent before. */
  resent = 0;
  /** Right edge announced to the other end, in the other way's places; its window's shift. */
  edge = 0;
  /** A retransmission was seen, or a SACK block came: bounds of the open state end. */
  disturbed = false;
  /** Time since when received data waits for any acknowledgment by this sender; -1: none. */
  ackDueUs = -1;
  // --- arrived at the other end ---------------------------------------------------------------
  /** Everything before this place has been given to the receiver's stack. */
  got = 0;
  finGot = false;
  synGot = false;
  readonly islands = new Islands();
  // --- arrived at the sender ------------------------------------------------------------------
  /** Highest acknowledgment and right edge that have been given to this sender's stack. */
  una = 0;
  allowed = 0;
  rstGot = false;
  /** Wire segments with data, copies too. */
  dataSegmentsGot = 0;
  // --- in the sender's present turn -----------------------------------------------------------
  turn = -1;
  segmentsIn = 0;
  resetsIn = 0;
  pureAcksOut = 0;

  constructor(sender: string) {
    this.sender = sender;
  }

  /** Place of a sequence number near what was sent last. */
  place(seq: number): number {
    return this.nxt + ((seq - this.iss - this.nxt) | 0);
  }

  /** The receiver's stack has been given places [start, end). */
  arrive(start: number, end: number): void {
    if (end <= this.got) return;
    if (start > this.got) {
      this.islands.add(start, end);
      return;
    }
    this.got = this.islands.reach(Math.max(this.got, end));
  }
}

export class Flow {
  readonly name: string;
  readonly ways: readonly [Way, Way];
  /** A ghost of an old SYN has come up: not judged any more. */
  haunted = false;
  constructor(name: string, a: string, b: string) {
    this.name = name;
    this.ways = [new Way(a), new Way(b)];
  }
  of(sender: string): Way {
    return this.ways[0].sender === sender ? this.ways[0] : this.ways[1];
  }
  against(sender: string): Way {
    return this.ways[0].sender === sender ? this.ways[1] : this.ways[0];
  }
}
