// What the engine asks of a congestion controller. cwnd and ssthresh are wire segments, as in
// Linux. A controller is stateless; what it remembers of a connection is in the object that `start`
// makes.

import type { AckPass } from '../ack-pass.ts';
import type { Tcb } from '../tcb.ts';

export interface Controller {
  readonly name: string;
  /** True: the controller sets cwnd and pacing itself in `drive`, in recovery too (as BBR does). */
  readonly drives: boolean;
  /** A connection begins (or changes to this controller): its memory, or null. */
  start(t: Tcb): CongestionMemory | null;
  /** ssthresh after a loss or ECN mark (RFC 5681 equation 4, RFC 9438 §4.6). */
  ssthresh(t: Tcb): number;
  /** `acked` segments were delivered while cwnd was in use, outside of recovery. */
  avoid(t: Tcb, acked: number): void;
  /** An RTT sample in µs stands in `t.sampleRttUs`; `acked` segments came with it. */
  sampled(t: Tcb, acked: number): void;
  /** After every acknowledgment, for controllers that drive: the rate sample stands in `pass`. */
  drive(t: Tcb, pass: AckPass): void;
  /** The loss turned out not to be one: cwnd to go back to. */
  undo(t: Tcb): number;
  /** Retransmission timeout: forget growth state. */
  reset(t: Tcb): void;
  /** Sending begins again with nothing in flight, `idleUs` after it has ceased. */
  restart(t: Tcb, idleUs: number): void;
}

/** Per-connection memory of a controller. */
export interface CongestionMemory {
  readonly owner: string;
}

/** Gives the connection another controller; what cwnd has learned stays. */
export function useController(t: Tcb, controller: Controller): void {
  t.controller = controller;
  if (!controller.drives) t.pacingRate = t.maxPacingRate;
  t.congestionMemory = controller.start(t);
}

/**
 * Slow start (RFC 5681 §3.1 with L = unlimited per RFC 3465 for stretch ACKs); the rest is
 * answered.
 */
export function slowStart(t: Tcb, acked: number): number {
  const cwnd = Math.min(t.cwnd + acked, t.ssthresh);
  const rest = acked - (cwnd - t.cwnd);
  t.cwnd = Math.min(cwnd, t.cwndClamp);
  return rest;
}

/** One segment more for each `w` acknowledged ones. */
export function additive(t: Tcb, w: number, acked: number): void {
  if (t.cwndCount >= w) {
    t.cwndCount = 0;
    t.cwnd++;
  }
  t.cwndCount += acked;
  if (t.cwndCount >= w) {
    const n = Math.floor(t.cwndCount / w);
    t.cwndCount -= n * w;
    t.cwnd += n;
  }
  if (t.cwnd > t.cwndClamp) t.cwnd = t.cwndClamp;
}
