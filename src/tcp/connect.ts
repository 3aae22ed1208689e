// Active open: SYN-SENT (RFC 9293 §3.10.7.3) and simultaneous open.

import { Code } from '../base/code.ts';
import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count, drop, Verdict } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { processAck } from './ack.ts';
import { fail, setState } from './close.ts';
import { acceptSyn, acceptSynAck } from './ecn.ts';
import { synAcked } from './fast-open.ts';
import { agree, prepare } from './listen.ts';
import { sendSyn } from './output.ts';
import { refuse } from './refuse.ts';
import { State } from './state.ts';
import { AckWish, Ready, type Tcb } from './tcb.ts';
import { flowKey, wake } from './tcp.ts';
import { armRto, startKeepAlive } from './timers.ts';

/** The stack's own link. */
const LOOPBACK = 0;

/** Sends the SYN of a control block whose path and ports are set. False: the 4-tuple is in use. */
export function openActive(t: Tcb): boolean {
  const layer = t.layer;
  if (!layer.flows.insert(flowKey(layer, t), 0, t.slot)) return false;
  t.inFlows = true;
  prepare(t);
  t.sndUna = t.iss;
  t.sndNxt = (t.iss + 1) | 0;
  t.sndEnd = t.sndNxt;
  count(layer.ip, Ctr.TcpActiveOpens);
  setState(t, State.SYN_SENT);
  // The SYN goes in the drain of this turn: the clock has moved by then (that of an idle stack is
  // old, and the RTT would count from there), and with Fast Open what is written rides on it.
  t.synPending = true;
  wake(t, Ready.OUTPUT);
  return true;
}

/** A segment in SYN-SENT. Options are parsed. */
export function segmentInSynSent(t: Tcb, rx: Rx): Verdict {
  const layer = t.layer;
  const flags = rx.segFlags;
  const hasAck = (flags & Flag.ACK) !== 0;
  // first check the ACK bit
  if (hasAck && (seq.le(rx.segAck, t.iss) || seq.gt(rx.segAck, t.sndNxt))) {
    return refuse(layer, rx, Drop.TCP_INVALID_ACK_SEQUENCE);
  }
  // RFC 7323 §3.2: an echo of a timestamp that we never sent belongs to an older incarnation
  const o = layer.options;
  if (hasAck && o.hasTs && o.tsEcr !== 0 && wrongEcho(t, o.tsEcr)) {
    return refuse(layer, rx, Drop.TCP_RFC7323_PAWS);
  }
  // second check the RST bit
  if ((flags & Flag.RST) !== 0) {
    if (!hasAck) return drop(layer.ip, rx, Drop.TCP_RESET);
    count(layer.ip, Ctr.TcpAttemptFails);
    fail(t, Code.ECONNREFUSED);
    return Verdict.DONE;
  }
  // fourth check the SYN bit
  if ((flags & Flag.SYN) === 0) return drop(layer.ip, rx, Drop.TCP_FLAGS);
  t.irs = rx.segSeq;
  t.rcvNxt = (rx.segSeq + 1) | 0;
  t.rcvRead = t.rcvNxt;
  t.rcvWup = t.rcvNxt;
  t.spaceSeq = t.rcvNxt;
  agree(t);
  if (!hasAck) {
    acceptSyn(t, flags);
    return crossing(t, rx);
  }
  acceptSynAck(t, flags);
  t.sndWnd = rx.segWnd;
  t.maxWnd = Math.max(t.maxWnd, rx.segWnd);
  t.sndWl1 = rx.segSeq;
  t.sndWl2 = rx.segAck;
  const scale = t.sndScale;
  t.sndScale = 0; // the window of a SYN is never scaled (RFC 7323 §2.2)
  setState(t, State.ESTABLISHED);
  processAck(t, rx, false);
  synAcked(t, rx);
  t.sndScale = scale;
  t.opened = true;
  t.lastDataInUs = t.layer.ip.nowUs;
  if (t.finQueued) setState(t, State.FIN_WAIT_1);
  t.ackWish = AckWish.NOW;
  t.quickAcks = 16;
  startKeepAlive(t);
  // Within one stack the listener's program hears of it first, as from the kernel's accept queue.
  const held = t.path.linkId === LOOPBACK ? Ready.HELD | Ready.LATE : 0;
  wake(t, Ready.OPENED | Ready.OUTPUT | held);
  return Verdict.DONE;
}

function wrongEcho(t: Tcb, tsEcr: number): boolean {
  const age = (Math.floor(t.layer.ip.nowUs / 1000) + t.tsOffset - tsEcr) | 0;
  return age < 0 || age > 600_000;
}

/** SYNs have crossed (MUST-10): SYN-RECEIVED, our SYN again with its ACK. */
function crossing(t: Tcb, rx: Rx): Verdict {
  t.sndWnd = rx.segWnd;
  t.maxWnd = Math.max(t.maxWnd, rx.segWnd);
  t.sndWl1 = rx.segSeq;
  setState(t, State.SYN_RCVD);
  sendSyn(t, true, true);
  armRto(t);
  return Verdict.DONE;
}
