// The retransmission queue: one record for each transmission that is not acknowledged cumulatively,
// in sequence order, and a second list in order of sending (RFC 8985 needs it). A record may stand
// for a super-segment of many wire segments; it is split when an acknowledgment or a SACK block
// ends inside it. Records of all connections live in one pool of columns: no object per segment.
//
//   rtxHead                                            rtxTail
//   [una, x) SACKED ── [x, y) LOST ── [y, z) in flight ── …        by sequence
//   tsHead … tsTail: unsacked records, oldest transmission first   by time
// @hot

import { assert } from '../base/assert.ts';
import { Held, MemoryBudget } from '../base/memory.ts';
import * as seq from '../base/seq.ts';

export const Seg = {
  SACKED: 1,
  LOST: 2,
  /** Retransmitted and that copy may still be in flight. */
  RETRANS: 4,
  /** Retransmitted at least once: no RTT sample without timestamps (Karn). */
  EVER: 8,
  SYN: 16,
  FIN: 32,
  /** The program had nothing more to send when this left. */
  APP_LIMITED: 64,
  /** The end of a write: PSH, also when it is sent again. */
  PUSH: 128,
} as const;

export const NIL = -1;
/** Octets of one record: eight ints and four floats. */
export const RECORD_OCTETS = 64;

/** Records looked at one after the other before the fingers are asked. */
const NEAR = 64;
const FINGERS = 1024;
const KEEP_FINGERS = 16;
/** Octets of a board's fingers. */
export const FINGER_OCTETS = FINGERS * 4;

/**
 * Where in the list the records of a flight stand, for each 1024th part of it: a SACK block is
 * found in as many steps as a part has records, not the flight (4 MB at an MSS of 48 make 87,000).
 * A finger is NIL or a record of the board that starts in its part. Made by the first long walk.
 */
export class Fingers {
  readonly at = new Int32Array(FINGERS).fill(NIL);
  /** A part has 2^shift octets: part `(start >>> shift) & 1023`. */
  shift = 0;
}

export class SegPool {
  start: Int32Array;
  end: Int32Array;
  flags: Int32Array;
  /** Wire segments that the record stands for. */
  segs: Int32Array;
  next: Int32Array;
  prev: Int32Array;
  /** Time order. */
  later: Int32Array;
  earlier: Int32Array;
  /** Last transmission, µs. */
  sentUs: Float64Array;
  /** Rate sample: `delivered` and its time, and the flight's first send, when this one left. */
  delivered: Float64Array;
  deliveredUs: Float64Array;
  firstSentUs: Float64Array;
  /** Boards that have fingers now. */
  fingered = 0;
  #free = NIL;
  #used = 0;
  readonly #fingers: Fingers[] = [];
  readonly #memory: MemoryBudget;

  constructor(n = 256, memory = new MemoryBudget()) {
    this.#memory = memory;
    this.start = new Int32Array(n);
    this.end = new Int32Array(n);
    this.flags = new Int32Array(n);
    this.segs = new Int32Array(n);
    this.next = new Int32Array(n);
    this.prev = new Int32Array(n);
    this.later = new Int32Array(n);
    this.earlier = new Int32Array(n);
    this.sentUs = new Float64Array(n);
    this.delivered = new Float64Array(n);
    this.deliveredUs = new Float64Array(n);
    this.firstSentUs = new Float64Array(n);
    this.#chain(0);
  }

  /** Records in use over all connections. */
  get used(): number {
    return this.#used;
  }

  take(): number {
    if (this.#free === NIL) this.#grow();
    const i = this.#free;
    this.#free = this.next[i] as number;
    this.#used++;
    this.#memory.take(Held.RECORDS, RECORD_OCTETS);
    this.flags[i] = 0;
    return i;
  }

  give(i: number): void {
    assert(this.#used > 0, 'scoreboard gives back more than it took');
    this.next[i] = this.#free;
    this.#free = i;
    this.#used--;
    this.#memory.give(Held.RECORDS, RECORD_OCTETS);
  }

  takeFingers(): Fingers {
    this.fingered++;
    this.#memory.take(Held.RECORDS, FINGER_OCTETS);
    return this.#fingers.pop() ?? grownFingers();
  }

  giveFingers(f: Fingers): void {
    this.#memory.give(Held.RECORDS, FINGER_OCTETS);
    this.fingered--;
    f.at.fill(NIL);
    if (this.#fingers.length < KEEP_FINGERS) this.#fingers.push(f);
  }

  #chain(from: number): void {
    const n = this.start.length;
    for (let i = from; i < n; i++) this.next[i] = i + 1 < n ? i + 1 : NIL;
    this.#free = from;
  }

  #grow(): void {
    const n = this.start.length;
    this.start = widenedInts(this.start);
    this.end = widenedInts(this.end);
    this.flags = widenedInts(this.flags);
    this.segs = widenedInts(this.segs);
    this.next = widenedInts(this.next);
    this.prev = widenedInts(this.prev);
    this.later = widenedInts(this.later);
    this.earlier = widenedInts(this.earlier);
    this.sentUs = widenedFloats(this.sentUs);
    this.delivered = widenedFloats(this.delivered);
    this.deliveredUs = widenedFloats(this.deliveredUs);
    this.firstSentUs = widenedFloats(this.firstSentUs);
    this.#chain(n);
  }
}

/** The heads of one connection's two lists. */
export class Scoreboard {
  head = NIL;
  tail = NIL;
  oldest = NIL;
  newest = NIL;
  /** Where the last SACK block was found: the next one is mostly near. */
  hint = NIL;
  /** Nothing in front of this one waits to be sent again; NIL = look from the head. */
  resend = NIL;
  records = 0;
  fingers: Fingers | null = null;
  /** Steps of all lookups so far, for those who count. */
  walked = 0;
}

/** What a connection has while nothing is in flight. Never written to. */
export const NO_BOARD = new Scoreboard();

/** Appends a record behind the last sequence number and as the newest transmission. */
export function append(p: SegPool, b: Scoreboard, start: number, end: number): number {
  const i = p.take();
  p.start[i] = start;
  p.end[i] = end;
  p.next[i] = NIL;
  p.prev[i] = b.tail;
  if (b.tail === NIL) b.head = i;
  else p.next[b.tail] = i;
  b.tail = i;
  b.records++;
  linkNewest(p, b, i);
  return i;
}

/** Moves a record to the end of the time order: it has just been sent again. */
export function resent(p: SegPool, b: Scoreboard, i: number): void {
  unlinkTime(p, b, i);
  linkNewest(p, b, i);
}

/** Takes a record out of the time order: it is delivered. */
export function unlinkTime(p: SegPool, b: Scoreboard, i: number): void {
  const later = p.later[i] as number;
  const earlier = p.earlier[i] as number;
  if (later === i) return; // not linked
  if (earlier === NIL) b.oldest = later;
  else p.later[earlier] = later;
  if (later === NIL) b.newest = earlier;
  else p.earlier[later] = earlier;
  p.later[i] = i;
}

function linkNewest(p: SegPool, b: Scoreboard, i: number): void {
  p.later[i] = NIL;
  p.earlier[i] = b.newest;
  if (b.newest === NIL) b.oldest = i;
  else p.later[b.newest] = i;
  b.newest = i;
}

/**
 * Cuts record `i` at `at` (strictly inside); the new record holds [at, end). Answers its index.
 * The counts of segments are the caller's (records.ts).
 */
export function split(p: SegPool, b: Scoreboard, i: number, at: number): number {
  const j = p.take();
  p.start[j] = at;
  p.end[j] = p.end[i] as number;
  p.end[i] = at;
  const flags = p.flags[i] as number;
  p.flags[j] = flags & ~Seg.SYN;
  p.flags[i] = flags & ~(Seg.FIN | Seg.PUSH);
  p.sentUs[j] = p.sentUs[i] as number;
  p.delivered[j] = p.delivered[i] as number;
  p.deliveredUs[j] = p.deliveredUs[i] as number;
  p.firstSentUs[j] = p.firstSentUs[i] as number;
  const after = p.next[i] as number;
  p.next[j] = after;
  p.prev[j] = i;
  p.next[i] = j;
  if (after === NIL) b.tail = j;
  else p.prev[after] = j;
  if (p.later[i] === i) p.later[j] = j;
  else {
    const later = p.later[i] as number;
    p.later[j] = later;
    p.earlier[j] = i;
    p.later[i] = j;
    if (later === NIL) b.newest = j;
    else p.earlier[later] = j;
  }
  b.records++;
  return j;
}

/** Removes a record from both lists and gives it back. */
export function remove(p: SegPool, b: Scoreboard, i: number): void {
  unlinkTime(p, b, i);
  if (b.hint === i) b.hint = p.prev[i] as number;
  if (b.resend === i) b.resend = p.prev[i] as number;
  const next = p.next[i] as number;
  const prev = p.prev[i] as number;
  if (prev === NIL) b.head = next;
  else p.next[prev] = next;
  if (next === NIL) b.tail = prev;
  else p.prev[next] = prev;
  b.records--;
  if (b.fingers !== null) pointAway(p, b, b.fingers, i);
  p.give(i);
}

/** Record `i` is gone: its finger points to a neighbour of the same part, if there is one. */
function pointAway(p: SegPool, b: Scoreboard, f: Fingers, i: number): void {
  if (b.records === 0) {
    p.giveFingers(f);
    b.fingers = null;
    return;
  }
  const part = partOf(f, p.start[i] as number);
  if (f.at[part] !== i) return;
  const next = p.next[i] as number;
  const prev = p.prev[i] as number;
  f.at[part] = NIL;
  if (next !== NIL && partOf(f, p.start[next] as number) === part) f.at[part] = next;
  else if (prev !== NIL && partOf(f, p.start[prev] as number) === part) f.at[part] = prev;
}

function partOf(f: Fingers, at: number): number {
  return (at >>> f.shift) & (FINGERS - 1);
}

/** The record that holds or follows `start`: near the last one found, or by the fingers. */
export function locate(p: SegPool, b: Scoreboard, start: number): number {
  let i = b.hint === NIL ? b.head : b.hint;
  let steps = 0;
  while (i !== NIL && steps < NEAR && seq.gt(p.start[i] as number, start)) {
    i = p.prev[i] as number;
    steps++;
  }
  if (i === NIL) i = b.head;
  while (i !== NIL && steps < NEAR && seq.le(p.end[i] as number, start)) {
    i = p.next[i] as number;
    steps++;
  }
  b.walked = (b.walked + steps) | 0;
  return steps < NEAR ? i : locateFar(p, b, start);
}

function locateFar(p: SegPool, b: Scoreboard, start: number): number {
  const f = b.fingers ?? grownOn(p, b);
  const first = p.start[b.head] as number;
  const span = seq.diff(p.end[b.tail] as number, first);
  if (span > FINGERS << f.shift || span < 0) widen(f, span);
  let steps = 0;
  let i = b.head;
  if (seq.gt(start, first)) {
    const last = partOf(f, first);
    for (let part = partOf(f, start); ; part = (part - 1) & (FINGERS - 1)) {
      const at = f.at[part] as number;
      steps++;
      if (at !== NIL && seq.le(p.start[at] as number, start)) {
        i = at;
        break;
      }
      if (part === last || steps > FINGERS) break;
    }
  }
  let part = -1;
  while (i !== NIL) {
    const here = partOf(f, p.start[i] as number);
    if (here !== part) {
      part = here;
      // the lowest of its part: what starts before it belongs to another
      const prev = p.prev[i] as number;
      if (prev === NIL || partOf(f, p.start[prev] as number) !== here) f.at[here] = i;
    }
    if (seq.gt(p.end[i] as number, start)) break;
    i = p.next[i] as number;
    steps++;
  }
  b.walked = (b.walked + steps) | 0;
  return i;
}

/** Parts are so long that no two of the flight share a finger. */
function widen(f: Fingers, span: number): void {
  while (f.shift < 20 && FINGERS << f.shift < span) f.shift++;
  f.at.fill(NIL);
}

function grownOn(p: SegPool, b: Scoreboard): Fingers {
  b.fingers = p.takeFingers();
  b.fingers.shift = 0;
  return b.fingers;
}

function grownFingers(): Fingers {
  return new Fingers();
}

/** Joins `i` with its successor (both delivered): fewer records to walk over. */
export function join(p: SegPool, b: Scoreboard, i: number): void {
  const j = p.next[i] as number;
  p.end[i] = p.end[j] as number;
  p.flags[i] = (p.flags[i] as number) | (p.flags[j] as number);
  p.segs[i] = (p.segs[i] as number) + (p.segs[j] as number);
  remove(p, b, j);
}

function widenedInts(old: Int32Array): Int32Array {
  const wider = new Int32Array(old.length * 2);
  wider.set(old);
  return wider;
}

function widenedFloats(old: Float64Array): Float64Array {
  const wider = new Float64Array(old.length * 2);
  wider.set(old);
  return wider;
}
