// A gate before a listener: the SYN is held, unanswered, until the program has said whether the
// peer is welcome. Nothing has gone out before; a held connection costs what one in SYN-RECEIVED
// costs, counts against the SYN queue and is forgotten in silence when nobody says anything.

import { Code } from '../base/code.ts';
import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import { drop, type Verdict } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { destroy } from './close.ts';
import { sendReset } from './output.ts';
import { State } from './state.ts';
import { Ready, Rexmit, type Tcb } from './tcb.ts';
import { armTimer, Timer, wake } from './tcp.ts';

/** The SYN's answer waits for the program. */
export function hold(t: Tcb): void {
  t.rexmit = Rexmit.HELD;
  armTimer(t, Timer.REXMIT, t.layer.config.gateTimeoutMs * 1000);
  wake(t, Ready.ACCEPT);
}

export function isHeld(t: Tcb): boolean {
  return t.state === State.SYN_RCVD && t.rexmit === Rexmit.HELD;
}

/** A peer that takes its SYN back is believed; a SYN that comes again is still being thought of. */
export function segmentWhileHeld(t: Tcb, rx: Rx): Verdict {
  const isReset = (rx.segFlags & Flag.RST) !== 0 && rx.segSeq === t.rcvNxt;
  if (isReset) destroy(t, Code.ECONNRESET);
  return drop(t.layer.ip, rx, isReset ? Drop.TCP_RESET : Drop.POLICY);
}

/** The peer is welcome: SYN-ACK in the next drain. */
export function admitHeld(t: Tcb): void {
  if (!isHeld(t)) return;
  t.rexmit = Rexmit.NONE;
  t.synPending = true;
  wake(t, Ready.OUTPUT);
}

/** The peer is not: RST, or silence as if nobody were here. */
export function refuseHeld(t: Tcb, reset: boolean): void {
  if (!isHeld(t)) return;
  if (reset) sendReset(t);
  destroy(t, Code.ECONNABORTED);
}
