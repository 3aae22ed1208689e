// Leaving slow start before the queue overflows. HyStart++ (RFC 9406): a round whose RTT has grown
// enters conservative slow start, five such rounds enter congestion avoidance. The classic HyStart
// (Ha, Rhee 2011, as Linux's CUBIC has it) leaves at once, by delay or by the length of an
// acknowledgment train: profile `linux`.
// @hot

import * as seq from '../../base/seq.ts';
import { Ctr, count } from '../../ip/ip.ts';
import type { Tcb } from '../tcb.ts';

/** Values of the `hystart` knob. */
export const HystartMode = { OFF: 0, PLUS: 1, CLASSIC: 2 } as const;

const MIN_THRESH_US = 4000;
const MAX_THRESH_US = 16_000;
const SAMPLES = 8;
const CSS_GROWTH = 4;
const CSS_ROUNDS = 5;
/** Classic: below this window it does not look. */
const LOW_WINDOW = 16;
const ACK_DELTA_US = 2000;
/** Classic: what the peer's and our own offload may add to an ACK train. */
const ACK_DELAY_US = 1000;

export class Hystart {
  /** The round ends when this is acknowledged. */
  windowEnd = 0;
  started = false;
  samples = 0;
  lastMinUs = Infinity;
  minUs = Infinity;
  /** Conservative slow start: rounds spent in it, and the RTT that led there. */
  css = false;
  cssRounds = 0;
  baselineUs = Infinity;
  /** Growth that CSS has saved up, in quarters of a segment. */
  rest = 0;
  roundStartUs = 0;
  lastAckUs = 0;
  /** Least RTT since the last timeout, in slow start or not. */
  delayMinUs = Infinity;
  /** Classic: it has found the end of a slow start; it looks again after a timeout. */
  found = false;
}

export function forget(h: Hystart): void {
  h.started = false;
  h.found = false;
  h.delayMinUs = Infinity;
  h.css = false;
  h.cssRounds = 0;
  h.lastMinUs = Infinity;
  h.minUs = Infinity;
  h.samples = 0;
  h.rest = 0;
}

function beginRound(t: Tcb, h: Hystart): void {
  h.started = true;
  h.windowEnd = t.sndNxt;
  h.lastMinUs = h.minUs;
  h.minUs = Infinity;
  h.samples = 0;
  h.roundStartUs = t.layer.ip.nowUs;
  h.lastAckUs = h.roundStartUs;
}

/** An RTT sample in slow start (`t.sampleRttUs`). */
export function sampledInSlowStart(t: Tcb, h: Hystart): void {
  const mode = t.layer.config.hystart;
  if (mode === HystartMode.OFF) return;
  if (!h.started) {
    // the handshake is no round of data (§4.1): its small packets say less than a full one waits
    if (t.sndNxt === t.sndUna) return;
    beginRound(t, h);
  }
  if (mode === HystartMode.CLASSIC) {
    if (h.found) return;
    if (seq.gt(t.sndUna, h.windowEnd)) beginRound(t, h);
    classic(t, h);
    return;
  }
  h.samples++;
  if (t.sampleRttUs < h.minUs) h.minUs = t.sampleRttUs;
  if (h.css) {
    // the growth was a passing one: back to slow start (§4.2)
    if (h.samples >= SAMPLES && h.minUs < h.baselineUs) {
      h.css = false;
      h.cssRounds = 0;
      h.baselineUs = Infinity;
    }
  } else if (h.samples >= SAMPLES && h.lastMinUs < Infinity) {
    const thresh = Math.max(MIN_THRESH_US, Math.min(h.lastMinUs / 8, MAX_THRESH_US));
    if (h.minUs >= h.lastMinUs + thresh) {
      h.css = true;
      h.cssRounds = 0;
      h.baselineUs = h.minUs;
      h.rest = 0;
      count(t.layer.ip, Ctr.TcpExtTCPHystartDelayDetect);
      count(t.layer.ip, Ctr.TcpExtTCPHystartDelayCwnd, t.cwnd);
    }
  }
  if (seq.lt(t.sndUna, h.windowEnd)) return;
  if (h.css && ++h.cssRounds >= CSS_ROUNDS) {
    t.ssthresh = t.cwnd;
    h.css = false;
  }
  beginRound(t, h);
}

function classic(t: Tcb, h: Hystart): void {
  if (t.cwnd < LOW_WINDOW) return;
  const now = t.layer.ip.nowUs;
  if (now - h.lastAckUs <= ACK_DELTA_US) {
    h.lastAckUs = now;
    const threshold = h.delayMinUs + ACK_DELAY_US;
    if (now - h.roundStartUs > (t.pacingRate === 0 ? threshold / 2 : threshold)) {
      h.found = true;
      t.ssthresh = t.cwnd;
      count(t.layer.ip, Ctr.TcpExtTCPHystartTrainDetect);
      count(t.layer.ip, Ctr.TcpExtTCPHystartTrainCwnd, t.cwnd);
      return;
    }
  }
  if (t.sampleRttUs < h.minUs) h.minUs = t.sampleRttUs;
  if (h.samples < SAMPLES) {
    h.samples++;
    return;
  }
  const thresh = Math.max(MIN_THRESH_US, Math.min(h.delayMinUs / 8, MAX_THRESH_US));
  if (h.minUs <= h.delayMinUs + thresh) return;
  h.found = true;
  t.ssthresh = t.cwnd;
  count(t.layer.ip, Ctr.TcpExtTCPHystartDelayDetect);
  count(t.layer.ip, Ctr.TcpExtTCPHystartDelayCwnd, t.cwnd);
}

/** Slow start's growth for `acked` segments: all of them, a quarter of them in CSS (§4.2). */
export function growth(h: Hystart, acked: number): number {
  if (!h.css) return acked;
  h.rest += acked;
  const n = Math.floor(h.rest / CSS_GROWTH);
  h.rest -= n * CSS_GROWTH;
  return n;
}
