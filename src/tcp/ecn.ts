// Explicit congestion notification (RFC 3168): negotiated on SYN, marks echoed until CWR comes, one
// reduction per window. Only new data is ECT: never SYN, pure ACK, retransmission or probe (§6.1.4,
// §6.1.5). A path that loses SYNs or data because of ECN gets them without (§6.1.1.1, RFC 8311
// §4.3).
// @hot

import type { Rx } from '../base/rx.ts';
import { Flag } from '../wire/tcp.ts';
import { AckFlag, type AckPass } from './ack-pass.ts';
import { enterCwr } from './recovery.ts';
import { AckWish, Ca, type Tcb } from './tcb.ts';

/** Values of the `ecn` knob (as Linux's tcp_ecn). */
export const EcnMode = { OFF: 0, ASK: 1, ACCEPT: 2 } as const;

const ECT0 = 2;
const CE = 3;
/** Timeouts in a row after which ECN is suspected and no longer used. */
const SUSPECT_TIMEOUTS = 2;

/** The program's wish for this connection, else the stack's knob. */
function modeOf(t: Tcb): number {
  return t.ecnMode >= 0 ? t.ecnMode : t.layer.config.ecn;
}

/** ECE and CWR of our SYN: an ECN-setup SYN unless an earlier one was lost. */
export function synFlags(t: Tcb): number {
  const asks = modeOf(t) === EcnMode.ASK && t.synRetransmits === 0;
  return asks ? Flag.ECE | Flag.CWR : 0;
}

/** ECE of our SYN-ACK. */
export function synAckFlags(t: Tcb): number {
  return t.ecnOk ? Flag.ECE : 0;
}

/** A SYN has come: ECN-setup when both bits are set (§6.1.1). */
export function acceptSyn(t: Tcb, flags: number): void {
  const setup = (flags & (Flag.ECE | Flag.CWR)) === (Flag.ECE | Flag.CWR);
  t.ecnOk = setup && modeOf(t) !== EcnMode.OFF;
}

/** A SYN-ACK has come: ECN-setup when only ECE is set, and we had asked. */
export function acceptSynAck(t: Tcb, flags: number): void {
  const setup = (flags & (Flag.ECE | Flag.CWR)) === Flag.ECE;
  t.ecnOk = setup && modeOf(t) === EcnMode.ASK && t.synRetransmits === 0;
}

/** A segment with data: marks and the peer's CWR. */
export function noteMarks(t: Tcb, rx: Rx): void {
  if (!t.ecnOk) return;
  if ((rx.segFlags & Flag.CWR) !== 0) t.ecnEcho = false;
  if ((rx.tos & CE) !== CE || t.ecnEcho) return;
  t.ecnEcho = true;
  t.ackWish = AckWish.NOW;
}

/** TOS field of a packet: `fresh` data carries ECT(0). */
export function tosOf(t: Tcb, fresh: boolean): number {
  return t.ecnOk && fresh ? t.tos | ECT0 : t.tos;
}

/** ECE for acknowledgments, CWR once on the first new data after a reduction. */
export function dataFlags(t: Tcb, fresh: boolean): number {
  if (!t.ecnOk) return 0;
  let flags = t.ecnEcho ? Flag.ECE : 0;
  if (fresh && t.ecnReduced) {
    flags |= Flag.CWR;
    t.ecnReduced = false;
  }
  return flags;
}

/** §6.1.2: an echo reduces the window once per round trip, as one loss would. */
export function takeEcho(t: Tcb, pass: AckPass): void {
  if (!t.ecnOk || (pass.flags & AckFlag.ECE) === 0) return;
  if (t.ca >= Ca.CWR) return;
  enterCwr(t);
}

/** A series of timeouts: perhaps marked packets are dropped on the way. */
export function suspectEcn(t: Tcb): void {
  if (t.ecnOk && t.retransmits >= SUSPECT_TIMEOUTS) t.ecnOk = false;
}
