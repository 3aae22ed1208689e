// Pacing: segments leave no faster than `t.pacingRate` (octets per second), by the timer wheel. A
// controller sets the rate (BBR), or the program does; 0 = as the window allows.
// @hot

import { segments, type Tcb } from './tcb.ts';
import { armTimer, Timer } from './tcp.ts';

/** What leaves at once: about a millisecond's worth, at least two segments (as Linux sizes TSO). */
const BURST_US = 1000;

/**
 * How late a turn may come and still send all that was due: timers of an event loop are coarse by
 * a millisecond and late on a busy machine, which must not make the flow slower than its rate. At
 * most half of a round trip, so that the burst stays small against the path.
 */
const LATE_MIN_US = 2000;
const LATE_MAX_US = 20_000;

/** Whether a segment has to wait; arms the timer when it does. */
export function mustWait(t: Tcb): boolean {
  if (t.pacingRate === 0) return false;
  const wait = t.paceUs - t.layer.ip.nowUs;
  if (wait < 1) return false;
  t.paceHeld = true;
  armTimer(t, Timer.PACE, Math.ceil(wait));
  return true;
}

/** Most octets that one super-segment may have at this rate. */
export function burstLimit(t: Tcb): number {
  if (t.pacingRate === 0) return 0x7fffffff;
  const octets = (t.pacingRate * BURST_US) / 1e6;
  return Math.max(2, Math.floor(octets / t.mss)) * t.mss;
}

/** Octets of IP and TCP headers of each segment with data. */
export function headers(t: Tcb): number {
  return t.headerOctets + (t.tsOk ? 12 : 0);
}

/** `octets` have left: when the next may. */
export function notePaced(t: Tcb, octets: number): void {
  if (t.pacingRate === 0) return;
  const now = t.layer.ip.nowUs;
  const extra = t.layer.config.paceHeaders ? segments(t, octets) * headers(t) : 0;
  const cost = ((octets + extra) * 1e6) / t.pacingRate;
  if (t.paceUs === 0) t.paceUs = now;
  // Only the clock held it back: what the clock lost is made up. Otherwise (the window was shut,
  // the program had nothing) at most half of a burst, as on Linux.
  const half = t.srttUs / 2;
  const most = half < LATE_MIN_US ? LATE_MIN_US : half > LATE_MAX_US ? LATE_MAX_US : half;
  const earliest = now - (t.paceHeld ? most : cost / 2);
  t.paceUs = (t.paceUs > earliest ? t.paceUs : earliest) + cost;
}
