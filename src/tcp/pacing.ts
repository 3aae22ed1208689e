// Pacing: segments leave no faster than `t.pacingRate` (octets per second), by the timer wheel. A
// controller sets the rate (BBR), or the program does; 0 = as the window allows.
// @hot

import type { Tcb } from './tcb.ts';
import { armTimer, Timer } from './tcp.ts';

/** What leaves at once: about a millisecond's worth, at least two segments (as Linux sizes TSO). */
const BURST_US = 1000;

/** Whether a segment has to wait; arms the timer when it does. */
export function mustWait(t: Tcb): boolean {
  if (t.pacingRate === 0) return false;
  const wait = t.paceUs - t.layer.ip.nowUs;
  if (wait < 1) return false;
  armTimer(t, Timer.PACE, Math.ceil(wait));
  return true;
}

/** Most octets that one super-segment may have at this rate. */
export function burstLimit(t: Tcb): number {
  if (t.pacingRate === 0) return 0x7fffffff;
  const octets = (t.pacingRate * BURST_US) / 1e6;
  return Math.max(2, Math.floor(octets / t.mss)) * t.mss;
}

/** `octets` have left: when the next may. */
export function notePaced(t: Tcb, octets: number): void {
  if (t.pacingRate === 0) return;
  const now = t.layer.ip.nowUs;
  const cost = ((octets + t.headerOctets) * 1e6) / t.pacingRate;
  // a late timer earns back at most half of what it lost
  const credit = Math.min(cost / 2, Math.max(0, now - t.paceUs));
  t.paceUs = Math.max(now, t.paceUs) + cost - (t.paceUs > 0 ? credit : 0);
}
