// CUBIC (RFC 9438): C = 0.4, beta = 0.7, Reno-friendly region, fast convergence.
// Time comes from the layer's clock through `t.layer.ip.nowUs`.
// @hot

import type { AckPass } from '../ack-pass.ts';
import type { Tcb } from '../tcb.ts';
import { additive, type CongestionMemory, type Controller, slowStart } from './controller.ts';
import { forget, growth, Hystart, sampledInSlowStart } from './hystart.ts';

const C = 0.4;
const BETA = 0.7;
/** RFC 9438 §4.3: additive increase that is as fair as Reno's with beta 0.7. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

class CubicMemory implements CongestionMemory {
  readonly owner = 'cubic';
  readonly hystart = new Hystart();
  /** Congestion window just before the last reduction, segments. */
  wMax = 0;
  /** Start of the current congestion avoidance epoch, µs; -1 = none. */
  epochUs = -1;
  /** Time to reach wMax, s. */
  k = 0;
  /** Reno's window had it run the same epoch. */
  wEst = 0;
}

function memory(t: Tcb): CubicMemory {
  return t.congestionMemory as CubicMemory;
}

class Cubic implements Controller {
  readonly name = 'cubic';
  readonly drives = false;

  start(_t: Tcb): CongestionMemory | null {
    return grownMemory();
  }

  ssthresh(t: Tcb): number {
    const m = memory(t);
    m.epochUs = -1;
    // RFC 9406 §4.2: congestion ends slow start; a restart after idle time is an ordinary one
    m.hystart.css = false;
    // §4.7 fast convergence: a flow that lost below its last maximum gives room to newcomers
    m.wMax = t.cwnd < m.wMax ? (t.cwnd * (1 + BETA)) / 2 : t.cwnd;
    return Math.max(Math.floor(t.cwnd * BETA), 2);
  }

  avoid(t: Tcb, acked: number): void {
    let rest = acked;
    if (t.cwnd < t.ssthresh) {
      const m = memory(t);
      rest = m.hystart.css ? slowStart(t, growth(m.hystart, acked)) : slowStart(t, acked);
    }
    if (rest > 0) additive(t, this.#every(t, rest), rest);
  }

  /** Acknowledged segments that one segment of growth costs now (RFC 9438 §4.2 to §4.5). */
  #every(t: Tcb, acked: number): number {
    const m = memory(t);
    const now = t.layer.ip.nowUs;
    if (m.epochUs < 0) {
      m.epochUs = now;
      m.wEst = t.cwnd;
      if (m.wMax <= t.cwnd) {
        m.k = 0;
        m.wMax = t.cwnd;
      } else m.k = Math.cbrt((m.wMax - t.cwnd) / C);
    }
    const rtt = t.minRttUs > 0 && t.minRttUs < 1e9 ? t.minRttUs : t.srttUs;
    const at = (now - m.epochUs + rtt) / 1e6 - m.k;
    let target = m.wMax + C * at * at * at;
    if (target > t.cwnd * 1.5) target = t.cwnd * 1.5;
    let every = target > t.cwnd ? t.cwnd / (target - t.cwnd) : 100 * t.cwnd;
    // §4.3: Reno-friendly region. Once the estimate has passed the old maximum alpha is 1
    m.wEst += (m.wEst < m.wMax ? ALPHA : 1) * (acked / t.cwnd);
    if (m.wEst > t.cwnd) {
      const friendly = t.cwnd / (m.wEst - t.cwnd);
      if (friendly < every) every = friendly;
    }
    return Math.max(2, Math.floor(every));
  }

  drive(_t: Tcb, _pass: AckPass): void {}

  sampled(t: Tcb, _acked: number): void {
    if (t.cwnd < t.ssthresh) sampledInSlowStart(t, memory(t).hystart);
  }

  undo(t: Tcb): number {
    return Math.max(t.cwnd, t.priorCwnd);
  }

  /** RFC 9438 §4.2: time in which nothing was sent does not count. */
  restart(t: Tcb): void {
    const m = memory(t);
    if (m.epochUs < 0) return;
    m.epochUs = t.layer.ip.nowUs;
    m.wEst = t.cwnd;
    m.k = m.wMax > t.cwnd ? Math.cbrt((m.wMax - t.cwnd) / C) : 0;
  }

  reset(t: Tcb): void {
    const m = memory(t);
    m.epochUs = -1;
    m.wMax = 0;
    m.k = 0;
    forget(m.hystart);
  }
}

function grownMemory(): CubicMemory {
  return new CubicMemory();
}

export const cubic: Controller = new Cubic();
