// What one acknowledgment has told us, gathered while it is processed. One per layer, reused.

export const AckFlag = {
  /** SND.UNA moved. */
  ADVANCED: 1,
  /** New data was acknowledged cumulatively. */
  DATA_ACKED: 2,
  /** A SACK block told something new. */
  SACKED: 4,
  DSACK: 8,
  /** Something that was never retransmitted was delivered (Eifel, F-RTO). */
  ORIGINAL: 16,
  /** A retransmission was acknowledged. */
  RETRANS_ACKED: 32,
  /** Losses were found. */
  LOST: 64,
  SYN_ACKED: 128,
  WINDOW: 256,
  /** The segment carried data. */
  DATA: 512,
  /** A D-SACK said that a tail loss probe was not needed. */
  TLP_DSACK: 1024,
  /** The peer echoes a congestion mark. */
  ECE: 2048,
  /** It stops in front of data that was SACKed: the peer has thrown that away. */
  RENEGED: 4096,
} as const;

export class AckPass {
  flags = 0;
  priorUna = 0;
  priorDelivered = 0;
  /** `Tcb.lost` before. */
  priorLost = 0;
  priorInFlight = 0;
  priorPacketsOut = 0;
  /** Segments acknowledged cumulatively by this one. */
  acked = 0;
  /** RTT sample from never retransmitted data, µs; -1 = none. */
  rttUs = -1;
  /** The same from the oldest data that it acknowledged. */
  longRttUs = -1;
  /** RTT of the newest SACKed data, µs; -1 = none. */
  sackRttUs = -1;
  dupAcks = 0;
  /** First number of what was sent once and has been overtaken. */
  earliestSeq = 0;
  hasEarliest = false;
  /** When the newest of what was sent once and is acknowledged now left, µs; -1 = none is. */
  firstSentUs = -1;
  lastSentUs = -1;
  /** Delivery rate (rate.ts): the newest delivered transmission, and the sample made of it. */
  rateDelivered = 0;
  rateDeliveredUs = 0;
  rateSentUs = -1;
  rateAppLimited = false;
  sendUs = 0;
  rateSegments = -1;
  intervalUs = -1;

  begin(una: number, delivered: number, lost: number, inFlight: number, packetsOut: number): void {
    this.flags = 0;
    this.priorUna = una;
    this.priorDelivered = delivered;
    this.priorLost = lost;
    this.priorInFlight = inFlight;
    this.priorPacketsOut = packetsOut;
    this.acked = 0;
    this.rttUs = -1;
    this.longRttUs = -1;
    this.lastSentUs = -1;
    this.sackRttUs = -1;
    this.dupAcks = 0;
    this.hasEarliest = false;
    this.firstSentUs = -1;
    this.rateSentUs = -1;
    this.rateAppLimited = false;
  }

  earliest(start: number): void {
    if (this.hasEarliest && ((start - this.earliestSeq) | 0) >= 0) return;
    this.hasEarliest = true;
    this.earliestSeq = start;
  }
}
