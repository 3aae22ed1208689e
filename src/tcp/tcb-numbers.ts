// Numbers of a control block that few packets ask for: int32 in a record of a chunk that 64
// connections share, 4 octets each instead of 8 in a field.
// @hot

import { type Chunk, INTS, RECORD } from './tcb-chunk.ts';
import { TcbTimes } from './tcb-times.ts';

export class TcbNumbers extends TcbTimes {
  /** The record is `ints[intAt … intAt + INTS)`; the accessors know the places. */
  ints: Int32Array;
  intAt: number;

  constructor(chunk: Chunk, record: number) {
    super(chunk, record);
    this.ints = chunk.ints;
    this.intAt = record * INTS;
    this.ints.fill(0, this.intAt, this.intAt + INTS);
    this.fastOpenListener = -1;
    this.peerMss = 536;
    this.advMss = 1460;
    this.cwndClamp = 0x7fffffff;
    this.keepProbes = 9;
    this.ecnMode = -1;
  }

  /** The slot goes to another connection: what is still asked for is read from a copy in `to`. */
  detach(to: Chunk): void {
    const record = to.used - 1;
    const { times, at, ints, intAt } = this;
    for (let i = 0; i < RECORD; i++) to.times[record * RECORD + i] = times[at + i] as number;
    for (let i = 0; i < INTS; i++) to.ints[record * INTS + i] = ints[intAt + i] as number;
    this.times = to.times;
    this.at = record * RECORD;
    this.ints = to.ints;
    this.intAt = record * INTS;
  }

  /** Last ICMP error that did not end the connection. */
  get softError(): number {
    return this.ints[this.intAt] as number;
  }
  set softError(x: number) {
    this.ints[this.intAt] = x;
  }

  get fastOpenListener(): number {
    return this.ints[this.intAt + 1] as number;
  }
  set fastOpenListener(x: number) {
    this.ints[this.intAt + 1] = x;
  }

  get iss(): number {
    return this.ints[this.intAt + 2] as number;
  }
  set iss(x: number) {
    this.ints[this.intAt + 2] = x;
  }

  get irs(): number {
    return this.ints[this.intAt + 3] as number;
  }
  set irs(x: number) {
    this.ints[this.intAt + 3] = x;
  }

  /** What the peer asked for, and what we announced. */
  get peerMss(): number {
    return this.ints[this.intAt + 4] as number;
  }
  set peerMss(x: number) {
    this.ints[this.intAt + 4] = x;
  }

  get advMss(): number {
    return this.ints[this.intAt + 5] as number;
  }
  set advMss(x: number) {
    this.ints[this.intAt + 5] = x;
  }

  /** Urgent pointer: behind the last urgent octet sent; valid while `urgentOut`. */
  get sndUp(): number {
    return this.ints[this.intAt + 6] as number;
  }
  set sndUp(x: number) {
    this.ints[this.intAt + 6] = x;
  }

  get wantedMss(): number {
    return this.ints[this.intAt + 7] as number;
  }
  set wantedMss(x: number) {
    this.ints[this.intAt + 7] = whole(x);
  }

  /** The FIN's number, when it came ahead of missing data. */
  get finSeq(): number {
    return this.ints[this.intAt + 8] as number;
  }
  set finSeq(x: number) {
    this.ints[this.intAt + 8] = x;
  }

  get rcvUp(): number {
    return this.ints[this.intAt + 9] as number;
  }
  set rcvUp(x: number) {
    this.ints[this.intAt + 9] = x;
  }

  get dsackStart(): number {
    return this.ints[this.intAt + 10] as number;
  }
  set dsackStart(x: number) {
    this.ints[this.intAt + 10] = x;
  }

  get dsackEnd(): number {
    return this.ints[this.intAt + 11] as number;
  }
  set dsackEnd(x: number) {
    this.ints[this.intAt + 11] = x;
  }

  get challenges(): number {
    return this.ints[this.intAt + 12] as number;
  }
  set challenges(x: number) {
    this.ints[this.intAt + 12] = x;
  }

  get searchLow(): number {
    return this.ints[this.intAt + 13] as number;
  }
  set searchLow(x: number) {
    this.ints[this.intAt + 13] = x;
  }

  get searchHigh(): number {
    return this.ints[this.intAt + 14] as number;
  }
  set searchHigh(x: number) {
    this.ints[this.intAt + 14] = x;
  }

  /** First number of the probe in flight. */
  get probeSeq(): number {
    return this.ints[this.intAt + 15] as number;
  }
  set probeSeq(x: number) {
    this.ints[this.intAt + 15] = x;
  }

  /** Segments of a probe that failed, until its acknowledgment has been judged. */
  get probeLost(): number {
    return this.ints[this.intAt + 16] as number;
  }
  set probeLost(x: number) {
    this.ints[this.intAt + 16] = x;
  }

  /** What a black hole or a search has left of the segment size; 0 = no limit. */
  get mssLimit(): number {
    return this.ints[this.intAt + 17] as number;
  }
  set mssLimit(x: number) {
    this.ints[this.intAt + 17] = x;
  }

  /** Octets that rode on the SYN. */
  get synData(): number {
    return this.ints[this.intAt + 18] as number;
  }
  set synData(x: number) {
    this.ints[this.intAt + 18] = x;
  }

  get cwndClamp(): number {
    return this.ints[this.intAt + 19] as number;
  }
  set cwndClamp(x: number) {
    this.ints[this.intAt + 19] = whole(x);
  }

  get reoPersist(): number {
    return this.ints[this.intAt + 20] as number;
  }
  set reoPersist(x: number) {
    this.ints[this.intAt + 20] = x;
  }

  get reordersSeen(): number {
    return this.ints[this.intAt + 21] as number;
  }
  set reordersSeen(x: number) {
    this.ints[this.intAt + 21] = x;
  }

  /** Segments that D-SACKs have told of. */
  get dsackDups(): number {
    return this.ints[this.intAt + 22] as number;
  }
  set dsackDups(x: number) {
    this.ints[this.intAt + 22] = x;
  }

  get synRetransmits(): number {
    return this.ints[this.intAt + 23] as number;
  }
  set synRetransmits(x: number) {
    this.ints[this.intAt + 23] = x;
  }

  get keepProbes(): number {
    return this.ints[this.intAt + 24] as number;
  }
  set keepProbes(x: number) {
    this.ints[this.intAt + 24] = whole(x);
  }

  get undoMarker(): number {
    return this.ints[this.intAt + 25] as number;
  }
  set undoMarker(x: number) {
    this.ints[this.intAt + 25] = x;
  }

  get undoRetrans(): number {
    return this.ints[this.intAt + 26] as number;
  }
  set undoRetrans(x: number) {
    this.ints[this.intAt + 26] = x;
  }

  get priorCwnd(): number {
    return this.ints[this.intAt + 27] as number;
  }
  set priorCwnd(x: number) {
    this.ints[this.intAt + 27] = x;
  }

  get priorSsthresh(): number {
    return this.ints[this.intAt + 28] as number;
  }
  set priorSsthresh(x: number) {
    this.ints[this.intAt + 28] = x;
  }

  get prrDelivered(): number {
    return this.ints[this.intAt + 29] as number;
  }
  set prrDelivered(x: number) {
    this.ints[this.intAt + 29] = x;
  }

  get prrOut(): number {
    return this.ints[this.intAt + 30] as number;
  }
  set prrOut(x: number) {
    this.ints[this.intAt + 30] = x;
  }

  /** EcnMode that the program wants; -1 = the layer's. */
  get ecnMode(): number {
    return this.ints[this.intAt + 31] as number;
  }
  set ecnMode(x: number) {
    this.ints[this.intAt + 31] = x;
  }
}

/** What a program has asked for, as it fits: never less than it wanted, at most 2^31 - 1. */
function whole(x: number): number {
  return x < 0x7fffffff ? Math.ceil(x) : 0x7fffffff;
}
