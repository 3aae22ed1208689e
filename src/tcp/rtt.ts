// Round-trip time and retransmission timeout (RFC 6298), with Linux's floor: the variance term, not
// the whole timeout, is at least `rtoMinMs` (docs/departures.md). mdev and rttvar are kept times 4.
// @hot

import * as seq from '../base/seq.ts';
import type { Tcb } from './tcb.ts';
import { noteRtt } from './watch.ts';

/** RFC 8985 §6.2 step 1 and Linux: the minimum is remembered for this long. */
const MIN_RTT_WINDOW_US = 300_000_000;

/** Takes the samples in `t.sampleRttUs` (for the minimum) and `t.ackRttUs` (µs, > 0). */
export function sample(t: Tcb): void {
  const newest = t.sampleRttUs;
  const rtt = t.ackRttUs;
  const now = t.layer.ip.nowUs;
  if (newest <= t.minRttUs || now - t.minRttAtUs > MIN_RTT_WINDOW_US) {
    t.minRttUs = newest;
    t.minRttAtUs = now;
  }
  const floor = t.layer.config.rtoMinMs * 1000;
  if (t.srttUs === 0) {
    t.srttUs = rtt;
    t.mdevUs = rtt * 2;
    t.rttvarUs = Math.max(t.mdevUs, floor);
    t.mdevMaxUs = t.rttvarUs;
    t.rttSeq = t.sndNxt;
  } else {
    let error = rtt - t.srttUs;
    t.srttUs += error / 8;
    if (error < 0) {
      // a falling RTT must not raise the variance as fast as a growing one does
      error = -error - t.mdevUs / 4;
      if (error > 0) error /= 8;
    } else error -= t.mdevUs / 4;
    t.mdevUs += error;
    if (t.mdevUs > t.mdevMaxUs) {
      t.mdevMaxUs = t.mdevUs;
      if (t.mdevMaxUs > t.rttvarUs) t.rttvarUs = t.mdevMaxUs;
    }
    if (seq.gt(t.sndUna, t.rttSeq)) {
      if (t.mdevMaxUs < t.rttvarUs) t.rttvarUs -= (t.rttvarUs - t.mdevMaxUs) / 4;
      t.rttSeq = t.sndNxt;
      t.mdevMaxUs = floor;
    }
  }
  setRto(t);
  noteRtt(t);
}

/** RTO = SRTT + max(floor, 4 RTTVAR), without backoff. */
export function setRto(t: Tcb): void {
  const max = t.layer.config.rtoMaxMs * 1000;
  t.rtoUs = Math.min(Math.round(t.srttUs + t.rttvarUs), max);
}

/** The timeout with its backoff (RFC 6298 §5.5), at most the knob's maximum. */
export function backedOff(t: Tcb): number {
  const max = t.layer.config.rtoMaxMs * 1000;
  if (t.backoff === 0) return t.rtoUs;
  const rto = t.rtoUs * 2 ** Math.min(t.backoff, 20);
  return rto > max ? max : rto;
}
