// NewReno (RFC 5681, 6582): one half on loss, one segment per window otherwise.
// @hot

import type { AckPass } from '../ack-pass.ts';
import type { Tcb } from '../tcb.ts';
import { additive, type CongestionMemory, type Controller, slowStart } from './controller.ts';

class NewReno implements Controller {
  readonly name = 'reno';
  readonly drives = false;

  start(_t: Tcb): CongestionMemory | null {
    return null;
  }

  ssthresh(t: Tcb): number {
    return Math.max(t.cwnd >> 1, 2);
  }

  avoid(t: Tcb, acked: number): void {
    const rest = t.cwnd < t.ssthresh ? slowStart(t, acked) : acked;
    if (rest > 0) additive(t, t.cwnd, rest);
  }

  drive(_t: Tcb, _pass: AckPass): void {}

  sampled(_t: Tcb, _acked: number): void {}

  undo(t: Tcb): number {
    return Math.max(t.cwnd, t.priorCwnd);
  }

  reset(_t: Tcb): void {}

  restart(_t: Tcb, _idleUs: number): void {}
}

export const newReno: Controller = new NewReno();
