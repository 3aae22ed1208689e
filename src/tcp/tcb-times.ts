// The times, rates and durations of a control block, and its totals: float64 in a record of a chunk
// that 64 connections share. A float64 in a field of its own costs 24 octets (V8 boxes it), here 8.
// @hot

import { type Chunk, RECORD } from './tcb-chunk.ts';

export class TcbTimes {
  /** The record is `times[at … at + RECORD)`; `Total` and the accessors know the places. */
  times: Float64Array;
  at: number;

  constructor(chunk: Chunk, record: number) {
    this.times = chunk.times;
    this.at = record * RECORD;
    this.times.fill(0, this.at, this.at + RECORD);
    this.keepIdleMs = 7_200_000;
    this.keepIntervalMs = 75_000;
  }

  /** TIME-WAIT ends then. */
  get timeWaitEndUs(): number {
    return this.times[this.at + 8] as number;
  }
  set timeWaitEndUs(us: number) {
    this.times[this.at + 8] = us;
  }

  get challengeUs(): number {
    return this.times[this.at + 9] as number;
  }
  set challengeUs(us: number) {
    this.times[this.at + 9] = us;
  }

  /** When a segment outside of the window was last answered. */
  get oowAckUs(): number {
    return this.times[this.at + 10] as number;
  }
  set oowAckUs(us: number) {
    this.times[this.at + 10] = us;
  }

  get searchAgainUs(): number {
    return this.times[this.at + 11] as number;
  }
  set searchAgainUs(us: number) {
    this.times[this.at + 11] = us;
  }

  /** The program's own limit; 0 = none. */
  get maxPacingRate(): number {
    return this.times[this.at + 12] as number;
  }
  set maxPacingRate(us: number) {
    this.times[this.at + 12] = us;
  }

  get spaceUs(): number {
    return this.times[this.at + 13] as number;
  }
  set spaceUs(us: number) {
    this.times[this.at + 13] = us;
  }

  get rcvRttUs(): number {
    return this.times[this.at + 14] as number;
  }
  set rcvRttUs(us: number) {
    this.times[this.at + 14] = us;
  }

  get mdevUs(): number {
    return this.times[this.at + 15] as number;
  }
  set mdevUs(x: number) {
    this.times[this.at + 15] = x;
  }

  get mdevMaxUs(): number {
    return this.times[this.at + 16] as number;
  }
  set mdevMaxUs(x: number) {
    this.times[this.at + 16] = x;
  }

  get rttvarUs(): number {
    return this.times[this.at + 17] as number;
  }
  set rttvarUs(x: number) {
    this.times[this.at + 17] = x;
  }

  get minRttAtUs(): number {
    return this.times[this.at + 18] as number;
  }
  set minRttAtUs(x: number) {
    this.times[this.at + 18] = x;
  }

  get cwndStampUs(): number {
    return this.times[this.at + 19] as number;
  }
  set cwndStampUs(x: number) {
    this.times[this.at + 19] = x;
  }

  /** Earliest time of the next departure. */
  get paceUs(): number {
    return this.times[this.at + 20] as number;
  }
  set paceUs(x: number) {
    this.times[this.at + 20] = x;
  }

  /** The last delivery rate sample, octets per second. */
  get rate(): number {
    return this.times[this.at + 21] as number;
  }
  set rate(x: number) {
    this.times[this.at + 21] = x;
  }

  /** TSval of the first retransmission of this episode (Eifel). */
  get retransStamp(): number {
    return this.times[this.at + 22] as number;
  }
  set retransStamp(x: number) {
    this.times[this.at + 22] = x;
  }

  /** Delivered while the peer echoed congestion marks. */
  get deliveredCe(): number {
    return this.times[this.at + 23] as number;
  }
  set deliveredCe(x: number) {
    this.times[this.at + 23] = x;
  }

  /** delivered when the window was last widened: once a round trip. */
  get reoDelivered(): number {
    return this.times[this.at + 24] as number;
  }
  set reoDelivered(x: number) {
    this.times[this.at + 24] = x;
  }

  get keepIdleMs(): number {
    return this.times[this.at + 25] as number;
  }
  set keepIdleMs(x: number) {
    this.times[this.at + 25] = x;
  }

  get keepIntervalMs(): number {
    return this.times[this.at + 26] as number;
  }
  set keepIntervalMs(x: number) {
    this.times[this.at + 26] = x;
  }

  get userTimeoutMs(): number {
    return this.times[this.at + 27] as number;
  }
  set userTimeoutMs(x: number) {
    this.times[this.at + 27] = x;
  }
}
