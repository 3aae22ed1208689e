// What the wire alone tells about one direction of a TCP connection: numbers are unwrapped (SYN =
// 0, first octet = 1) and kept as floats, so that a run may pass 4 GiB.

import type { Wire } from './decode.ts';
import { FirstSent, Islands } from './first-sent.ts';

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
  /** The same as they reached the other end: a box may have changed them. */
  synTaken = false;
  mssTaken = -1;
  wscaleTaken = -1;
  sackTaken = false;
  timestampsTaken = false;
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
  /** Octets of data, copies and what is out of order too. */
  octetsGot = 0;
  /** Payload of the largest segment sent: cwnd counts segments, and a path may become narrower. */
  largest = 0;
  /** Packets of an attacker's: each may be answered by what looks like a duplicate ACK. */
  forgedGot = 0;
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

  /** Both ends have said so, as this end must see it. */
  stamped(back: Way): boolean {
    return this.timestamps && back.timestampsTaken;
  }

  sacks(back: Way): boolean {
    return this.sackPermitted && back.sackTaken;
  }

  scaled(back: Way): boolean {
    return this.wscale >= 0 && back.wscaleTaken >= 0;
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
  #src = 0;
  #dst = 0;
  #srcPort = 0;
  #dstPort = 0;

  constructor(name: string, a: string, b: string) {
    this.name = name;
    this.ways = [new Way(a), new Way(b)];
  }

  /** Remembers the four numbers. */
  between(w: Wire): void {
    this.#src = w.src;
    this.#dst = w.dst;
    this.#srcPort = w.srcPort;
    this.#dstPort = w.dstPort;
  }

  /** Whether the packet belongs here, in either direction. */
  isOf(w: Wire): boolean {
    const { src, dst, srcPort, dstPort } = w;
    if (src === this.#src && srcPort === this.#srcPort) {
      return dst === this.#dst && dstPort === this.#dstPort;
    }
    if (src !== this.#dst || srcPort !== this.#dstPort) return false;
    return dst === this.#src && dstPort === this.#srcPort;
  }

  of(sender: string): Way {
    return this.ways[0].sender === sender ? this.ways[0] : this.ways[1];
  }
  against(sender: string): Way {
    return this.ways[0].sender === sender ? this.ways[1] : this.ways[0];
  }
}
