// Whether the congestion window is in use (RFC 7661 and RFC 2861 as Linux has them): it grows only
// while the network, not the program, limits the sender, and shrinks after idle time (RFC 5681
// §4.1).
// @hot

import * as seq from '../base/seq.ts';
import { CwndCause } from '../base/watch.ts';
import { currentSsthresh } from './recovery.ts';
import { Ca, inFlight, type Tcb } from './tcb.ts';
import { noteCwnd } from './watch.ts';

/**
 * After output of new data (`sent`), or of none because the window was full: remembers how full it
 * was in this round trip. Acknowledgments that find nothing to send say nothing about it.
 */
export function validateCwnd(t: Tcb, sent: boolean): void {
  const now = t.layer.ip.nowUs;
  const limited = t.cwndLimited || (sent && inFlight(t) >= t.cwnd);
  if (!sent && !limited) return;
  if (
    limited ||
    seq.ge(t.sndUna, t.cwndUsageSeq) ||
    (!t.windowUsed && t.packetsOut > t.maxPacketsOut)
  ) {
    t.windowUsed = limited;
    t.maxPacketsOut = t.packetsOut;
    t.cwndUsageSeq = t.sndNxt;
  }
  if (windowInUse(t)) {
    t.cwndUsed = 0;
    t.cwndStampUs = now;
    return;
  }
  if (t.packetsOut > t.cwndUsed) t.cwndUsed = t.packetsOut;
  if (t.layer.config.idleRestart && now - t.cwndStampUs >= t.rtoUs) applicationLimited(t);
}

/** The condition under which an acknowledgment may open the window. */
export function windowInUse(t: Tcb): boolean {
  if (t.windowUsed) return true;
  return t.cwnd < t.ssthresh && t.cwnd < 2 * t.maxPacketsOut;
}

/** RFC 2861 §3.2: a window that was not used for a whole timeout is worth half of its surplus. */
function applicationLimited(t: Tcb): void {
  const now = t.layer.ip.nowUs;
  if (t.ca === Ca.OPEN && t.sndWnd > 0) {
    const used = Math.max(t.cwndUsed, t.layer.config.initialCwnd);
    if (used < t.cwnd) {
      t.ssthresh = currentSsthresh(t);
      t.cwnd = (t.cwnd + used) >> 1;
      noteCwnd(t, CwndCause.IDLE);
    }
    t.cwndUsed = 0;
  }
  t.cwndStampUs = now;
}

/** RFC 5681 §4.1, with RFC 2861's halving for each timeout that has passed in silence. */
export function restartAfterIdle(t: Tcb): void {
  if (!t.layer.config.idleRestart || t.ca !== Ca.OPEN || t.lastDataOutUs === 0) return;
  if (seq.diff(t.sndEnd, t.sndNxt) <= 0) return;
  let idle = t.layer.ip.nowUs - t.lastDataOutUs;
  if (idle <= t.rtoUs) return;
  const restart = Math.min(t.layer.config.initialCwnd, t.cwnd);
  t.ssthresh = currentSsthresh(t);
  for (let i = 0; i < 32 && idle > t.rtoUs && t.cwnd > restart; i++) {
    idle -= t.rtoUs;
    t.cwnd >>= 1;
  }
  t.cwnd = Math.max(t.cwnd, restart);
  t.cwndStampUs = t.layer.ip.nowUs;
  t.cwndUsed = 0;
  t.controller.restart(t, t.layer.ip.nowUs - t.lastDataOutUs);
  t.lastDataOutUs = t.layer.ip.nowUs;
  noteCwnd(t, CwndCause.IDLE);
}
