// Path MTU discovery without ICMP (RFC 4821): after a black hole has shrunk the segments, one
// larger segment at a time searches for what the path really carries, by halving the distance
// between what has passed and what has failed. The loss of a probe is no congestion signal (§7.5).
// @hot

import { Ctr, count } from '../ip/ip.ts';
import { Ca, type Tcb } from './tcb.ts';

/** Values of the `mtuProbing` knob (as Linux's tcp_mtu_probing). */
export const MtuProbing = { OFF: 0, AFTER_BLACK_HOLE: 1, ALWAYS: 2 } as const;

/** The search ends when what has passed and what has failed are so near. */
const NEAR = 8;
const MIN_CWND = 11;

/** The path may carry at most `high` octets of payload, `low` have passed. */
export function beginSearch(t: Tcb, low: number, high: number): void {
  t.searching = true;
  t.searchLow = low;
  t.searchHigh = high;
  t.probeLen = 0;
}

/** Payload octets of a probe that may go now; 0 = none. */
export function probeLength(t: Tcb): number {
  if (!t.searching || t.probeLen > 0 || t.ca !== Ca.OPEN) return 0;
  if (t.sackedOut > 0 || t.lostOut > 0 || t.cwnd < MIN_CWND) return 0;
  if (t.searchHigh - t.searchLow <= NEAR) {
    endSearch(t);
    return 0;
  }
  const len = (t.searchLow + t.searchHigh + 1) >> 1;
  const unsent = (t.sndEnd - t.sndNxt) | 0;
  const usable = (t.sndUna + t.sndWnd - t.sndNxt) | 0;
  // a loss must be noticed by what follows: enough behind it, and room in both windows
  const needed = len + (t.reordering + 1) * t.mss;
  if (unsent < needed || usable < needed) return 0;
  return t.packetsOut + 2 <= t.cwnd ? len : 0;
}

/** The search rests; the knob's time later it may begin again (§7.7). */
function endSearch(t: Tcb): void {
  t.searching = false;
  t.searchAgainUs = t.layer.ip.nowUs + t.layer.config.mtuProbeIntervalMs * 1000;
}

/** A probe of `len` octets has left at `start`. */
export function probeSent(t: Tcb, start: number, len: number): void {
  t.probeLen = len;
  t.probeSeq = start;
}

/** SND.UNA has moved: perhaps over the probe. */
export function probeAcked(t: Tcb): void {
  if (((t.sndUna - t.probeSeq - t.probeLen) | 0) < 0) return;
  count(t.layer.ip, Ctr.TcpExtTCPMTUPSuccess);
  // a router may have asked for less while the probe was on its way
  const passed = Math.min(t.probeLen, t.searchHigh);
  // the same octets in flight as before, in fewer segments
  t.cwnd = Math.max(2, Math.floor((t.cwnd * t.mss) / passed));
  t.searchLow = passed;
  t.mssLimit = passed;
  t.mss = passed;
  t.probeLen = 0;
}

/** Whether the record that was just marked lost is the probe: then nothing else is wrong. */
export function probeFailed(t: Tcb, start: number): boolean {
  if (t.probeLen === 0 || start !== t.probeSeq) return false;
  count(t.layer.ip, Ctr.TcpExtTCPMTUPFail);
  t.searchHigh = Math.min(t.searchHigh, t.probeLen - 1);
  t.probeLen = 0;
  return true;
}

/**
 * What is marked lost goes again and nothing else changes: its loss has told nothing about
 * congestion. The state is LOSS up to highSeq, so that no later ACK takes it for a new loss.
 */
export function resendOnly(t: Tcb): void {
  t.probeLost = 0;
  t.highSeq = t.sndNxt;
  t.canUndo = false;
  t.priorSsthresh = 0;
  t.frto = false;
  t.ca = Ca.LOSS;
}

/** After a while of rest the path may have changed: up to the link's size again. */
export function maySearchAgain(t: Tcb, full: number): void {
  if (t.searching || t.mssLimit === 0 || t.layer.ip.nowUs < t.searchAgainUs) return;
  if (full - t.mss > NEAR) beginSearch(t, t.mss, full);
}
