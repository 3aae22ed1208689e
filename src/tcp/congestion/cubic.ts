// CUBIC (RFC 9438): C = 0.4, beta = 0.7, Reno-friendly region, fast convergence. Whole segments and
// milliseconds, rounded where Linux rounds: windows can be compared with the kernel's one by one.
// Time comes from the layer's clock through `t.layer.ip.nowUs`.
// @hot

import type { AckPass } from '../ack-pass.ts';
import type { Tcb } from '../tcb.ts';
import { additive, type CongestionMemory, type Controller, slowStart } from './controller.ts';
import { forget, growth, Hystart, sampledInSlowStart } from './hystart.ts';

/** C = 0.4, here 410 / 1024. */
const C = 410 / 1024;
/** beta = 0.7, here 717 / 1024. */
const BETA = 717;
const SCALE = 1024;
/** RFC 9438 §4.3: cwnd · 15/8 acknowledged segments for each one of Reno's growth, alpha 0.53. */
const RENO_EIGHTHS = 15;
/** The curve is looked up anew when cwnd has changed, or after so long, ms. */
const REFRESH_MS = 31;
/** Before the first loss nothing is known of the path: 5 % a round trip at least. */
const FIRST_COUNT = 20;
/** RTT samples so soon after a reduction still measure the queue of before, ms. */
const STALE_MS = 1000;

class CubicMemory implements CongestionMemory {
  readonly owner = 'cubic';
  readonly hystart = new Hystart();
  /** Congestion window just before the last reduction, segments. */
  wMax = 0;
  /** Start of the current congestion avoidance epoch, ms; -1 = none. */
  epochMs = -1;
  /** Time to reach the plateau and its height: s and segments. */
  k = 0;
  plateau = 0;
  /** Acknowledged segments that one segment of growth costs, and for which window and when. */
  every = 0;
  everyCwnd = 0;
  everyMs = 0;
  /** Reno's window had it run the same epoch, and what was acknowledged towards its next step. */
  wEst = 0;
  acked = 0;
}

/** Made when it is first needed: an idle connection has nothing to remember. */
function memory(t: Tcb): CubicMemory {
  if (t.congestionMemory === null) t.congestionMemory = grownMemory(t);
  return t.congestionMemory as CubicMemory;
}

class Cubic implements Controller {
  readonly name = 'cubic';
  readonly drives = false;

  start(_t: Tcb): CongestionMemory | null {
    return null;
  }

  ssthresh(t: Tcb): number {
    const m = memory(t);
    m.epochMs = -1;
    // RFC 9406 §4.2: congestion ends slow start; a restart after idle time is an ordinary one
    m.hystart.css = false;
    // §4.7 fast convergence: a flow that lost below its last maximum gives room to newcomers
    const whole = t.cwnd >= m.wMax;
    m.wMax = whole ? t.cwnd : Math.floor((t.cwnd * (SCALE + BETA)) / (2 * SCALE));
    return Math.max(Math.floor((t.cwnd * BETA) / SCALE), 2);
  }

  avoid(t: Tcb, acked: number): void {
    let rest = acked;
    if (t.cwnd < t.ssthresh) {
      const m = t.congestionMemory as CubicMemory | null;
      rest = slowStart(t, m?.hystart.css ? growth(m.hystart, acked) : acked);
    }
    if (rest > 0) additive(t, this.#every(t, rest), rest);
  }

  /** Acknowledged segments that one segment of growth costs now (RFC 9438 §4.2 to §4.5). */
  #every(t: Tcb, acked: number): number {
    const m = memory(t);
    const nowMs = Math.floor(t.layer.ip.nowUs / 1000);
    m.acked += acked;
    if (m.everyCwnd === t.cwnd && nowMs - m.everyMs <= REFRESH_MS) return m.every;
    if (m.epochMs < 0 || nowMs !== m.everyMs) {
      m.everyCwnd = t.cwnd;
      m.everyMs = nowMs;
      if (m.epochMs < 0) this.#begin(t, m, nowMs, acked);
      const target = this.#target(m, nowMs);
      m.every = target > t.cwnd ? Math.floor(t.cwnd / (target - t.cwnd)) : 100 * t.cwnd;
      if (m.wMax === 0 && m.every > FIRST_COUNT) m.every = FIRST_COUNT;
    }
    // §4.3: Reno-friendly region
    const step = (t.cwnd * RENO_EIGHTHS) >> 3;
    if (m.acked > step) {
      const steps = Math.ceil(m.acked / step) - 1;
      m.acked -= steps * step;
      m.wEst += steps;
    }
    if (m.wEst > t.cwnd) m.every = Math.min(m.every, Math.floor(t.cwnd / (m.wEst - t.cwnd)));
    m.every = Math.max(m.every, 2);
    return m.every;
  }

  /** A new epoch (§4.2, figure 2). */
  #begin(t: Tcb, m: CubicMemory, nowMs: number, acked: number): void {
    m.epochMs = nowMs;
    m.acked = acked;
    m.wEst = t.cwnd;
    m.plateau = Math.max(m.wMax, t.cwnd);
    m.k = Math.floor(Math.cbrt((m.plateau - t.cwnd) / C) * SCALE) / SCALE;
  }

  /** W(t + RTT) of figure 1. */
  #target(m: CubicMemory, nowMs: number): number {
    const rttUs = m.hystart.delayMinUs < Infinity ? m.hystart.delayMinUs : 0;
    const after = nowMs - m.epochMs + Math.floor(rttUs / 1000);
    const at = Math.floor((after * SCALE) / 1000) / SCALE - m.k;
    if (at < 0) return m.plateau - Math.floor(-C * at * at * at);
    return m.plateau + Math.floor(C * at * at * at);
  }

  drive(_t: Tcb, _pass: AckPass): void {}

  sampled(t: Tcb, _acked: number): void {
    // the handshake is no round of data (RFC 9406 §4.1), and nothing in flight begins none
    if (t.congestionMemory === null && t.sndNxt === t.sndUna) return;
    const m = memory(t);
    if (m.epochMs >= 0 && t.layer.ip.nowUs / 1000 - m.epochMs < STALE_MS) return;
    if (t.sampleRttUs < m.hystart.delayMinUs) m.hystart.delayMinUs = t.sampleRttUs;
    if (t.cwnd < t.ssthresh) sampledInSlowStart(t, m.hystart);
  }

  undo(t: Tcb): number {
    return Math.max(t.cwnd, t.priorCwnd);
  }

  /** RFC 9438 §4.2: time in which nothing was sent does not count. */
  restart(t: Tcb, idleUs: number): void {
    const m = t.congestionMemory as CubicMemory | null;
    if (m === null || m.epochMs < 0) return;
    const nowMs = Math.floor(t.layer.ip.nowUs / 1000);
    m.epochMs = Math.min(m.epochMs + Math.floor(idleUs / 1000), nowMs);
  }

  reset(t: Tcb): void {
    const m = t.congestionMemory as CubicMemory | null;
    if (m === null) return;
    m.epochMs = -1;
    m.wMax = 0;
    m.k = 0;
    m.everyCwnd = 0;
    forget(m.hystart);
  }
}

function grownMemory(t: Tcb): CubicMemory {
  const m = new CubicMemory();
  m.hystart.delayMinUs = t.minRttUs; // the samples so far
  return m;
}

export const cubic: Controller = new Cubic();
