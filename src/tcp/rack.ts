// RACK (RFC 8985 §6): a transmission is lost when one sent later has been delivered and a
// reordering window has passed. Times of arrival are those of the batch; a coarse clock makes the
// remaining time at most one tick too long, never endless, because what is due is compared with <=.
// @hot

import * as seq from '../base/seq.ts';
import { LossCause } from '../base/watch.ts';
import { markLost } from './recovery.ts';
import { NIL, Seg } from './scoreboard.ts';
import { Ca, type Tcb } from './tcb.ts';
import { armReorder } from './timers.ts';

/** §6.2 step 2: the newest transmission known to be delivered. */
export function rackUpdate(t: Tcb, i: number, retransmitted: boolean, sacked: boolean): void {
  const p = t.layer.segs;
  const sent = p.sentUs[i] as number;
  const rtt = t.layer.ip.nowUs - sent;
  // the acknowledgment of a retransmission may belong to the original: too quick to be true
  if (retransmitted && rtt < t.minRttUs) return;
  // an ACK with blocks echoes what came in order last: its echo says nothing of what it SACKs
  if (retransmitted && !sacked && echoesOlder(t, sent)) return;
  const end = p.end[i] as number;
  t.rackAdvanced = true;
  t.rackRttUs = rtt;
  if (sent > t.rackUs || (sent === t.rackUs && seq.gt(end, t.rackEndSeq))) {
    t.rackUs = sent;
    t.rackEndSeq = end;
  }
}

/** §6.2 step 2: the echoed timestamp is of before this retransmission: it was for the original. */
function echoesOlder(t: Tcb, sentUs: number): boolean {
  const o = t.layer.options;
  if (!t.tsOk || !o.hasTs || o.tsEcr === 0) return false;
  return ((o.tsEcr - t.tsOffset - Math.floor(sentUs / 1000)) | 0) < 0;
}

/** §6.2 step 4: how much later a later one may be overtaken. An int32 crosses a call unboxed. */
function reorderingWindow(t: Tcb): number {
  if (t.reordersSeen === 0) {
    if (t.ca >= Ca.RECOVERY) return 0;
    if (t.sackedOut >= t.reordering) return 0;
  }
  const quarter = t.minRttUs < Infinity ? t.minRttUs / 4 : 0;
  return Math.ceil(Math.min(quarter * t.reoSteps, t.srttUs)) | 0;
}

/**
 * §6.2 step 4, adaptation: each round with D-SACK widens the window, 16 quiet recoveries reset it.
 * `sentAt`: what had been delivered when the newest delivered segment left, 0 = none was.
 */
export function adaptWindow(t: Tcb, sentAt: number): void {
  if (sentAt === 0) return;
  if (sentAt < t.reoDelivered) t.dsackSeen = false;
  if (t.dsackSeen) {
    t.reoSteps = Math.min(0xff, t.reoSteps + 1);
    t.reoPersist = 16;
    t.reoDelivered = t.delivered;
    t.dsackSeen = false;
  } else if (t.reoPersist === 0) t.reoSteps = 1;
}

/** §6.2 step 5. Marks what is lost and arms the reordering timer for what may yet be. */
export function detectLosses(t: Tcb): void {
  if (!t.rackAdvanced) return;
  t.rackAdvanced = false;
  const left = scan(t);
  if (left > 0) armReorder(t, left);
}

/** Answers how long the youngest suspect has to wait, µs; 0 = none is left. */
export function scan(t: Tcb): number {
  const p = t.layer.segs;
  const now = t.layer.ip.nowUs;
  const window = t.rackRttUs + reorderingWindow(t);
  let wait = 0;
  let i = t.board.oldest;
  while (i !== NIL) {
    const later = p.later[i] as number;
    const sent = p.sentUs[i] as number;
    if (sent > t.rackUs || (sent === t.rackUs && seq.ge(p.end[i] as number, t.rackEndSeq))) break;
    const remaining = sent + window - now;
    if (remaining <= 0) {
      // nothing that has come in this instant can tell of what was repeated in it
      if (sent < now || ((p.flags[i] as number) & Seg.EVER) === 0) markLost(t, i, LossCause.RACK);
    } else if (remaining > wait) wait = remaining;
    i = later;
  }
  return Math.ceil(wait);
}
