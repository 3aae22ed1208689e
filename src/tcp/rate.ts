// Delivery rate samples (draft-cheng-iccrg-delivery-rate-estimation): how much was delivered
// between the sending of a segment and its acknowledgment, over the longer of the two intervals, so
// that neither compressed acknowledgments nor a burst of sending makes the path look faster than it
// is.
// @hot

import type { AckPass } from './ack-pass.ts';
import { Seg } from './scoreboard.ts';
import { inFlight, type Tcb } from './tcb.ts';

/** Stamps record `i` as it is sent. */
export function stampSent(t: Tcb, i: number): void {
  // `now` first: V8 shares inline caches between parameter k and local k, and `p` beside `t` would
  // make the equal names below polymorphic, with both times boxed for every segment.
  const now = t.layer.ip.nowUs;
  const p = t.layer.segs;
  if (t.packetsOut === 0) {
    t.firstSentUs = now;
    t.deliveredUs = now;
  }
  p.sentUs[i] = now;
  p.firstSentUs[i] = t.firstSentUs;
  p.deliveredUs[i] = t.deliveredUs;
  p.delivered[i] = t.delivered;
  if (t.appLimited !== 0) p.flags[i] = (p.flags[i] as number) | Seg.APP_LIMITED;
}

/** Record `i` has been delivered: the sample is of the one sent last. */
export function noteDelivered(t: Tcb, i: number, pass: AckPass): void {
  const p = t.layer.segs;
  const deliveredUs = p.deliveredUs[i] as number;
  if (deliveredUs === 0) return;
  const delivered = p.delivered[i] as number;
  const sent = p.sentUs[i] as number;
  if (pass.rateSentUs < 0 || sent > pass.rateSentUs) {
    pass.rateDelivered = delivered;
    pass.rateDeliveredUs = deliveredUs;
    pass.rateSentUs = sent;
    pass.rateAppLimited = ((p.flags[i] as number) & Seg.APP_LIMITED) !== 0;
    pass.sendUs = sent - (p.firstSentUs[i] as number);
    t.firstSentUs = sent;
  }
}

/** The sample of this acknowledgment: `pass.rateSegments` over `pass.intervalUs`; -1 = none. */
export function sampleRate(t: Tcb, pass: AckPass): void {
  pass.rateSegments = -1;
  pass.intervalUs = -1;
  if (t.appLimited !== 0 && t.delivered > t.appLimited) t.appLimited = 0;
  if (t.delivered > pass.priorDelivered) t.deliveredUs = t.layer.ip.nowUs;
  if (pass.rateSentUs < 0) return;
  const ackUs = t.deliveredUs - pass.rateDeliveredUs;
  const interval = Math.max(pass.sendUs, ackUs);
  if (interval <= 0 || interval < t.minRttUs) return;
  pass.rateSegments = t.delivered - pass.rateDelivered;
  pass.intervalUs = interval;
  t.rate = (pass.rateSegments * t.mss * 1e6) / interval;
}

/**
 * The program has nothing more to send and the window is open: samples say less than the path can.
 */
export function checkAppLimited(t: Tcb): void {
  const unsent = (t.sndEnd - t.sndNxt) | 0;
  // a program that waits for room in the buffer is not what limits
  if (t.wantsRoom) return;
  if (unsent >= t.mss || inFlight(t) >= t.cwnd || t.lostOut > t.retransOut) return;
  t.appLimited = Math.max(t.delivered + inFlight(t), 1);
}
