// SEGMENT ARRIVES (RFC 9293 §3.10.7): validation, demultiplexing, and the checks in the RFC's order
// with RFC 5961's and RFC 7323's additions. What each step does is in its own file.
// @hot

import { Code } from '../base/code.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Queue } from '../base/watch.ts';
import { Ctr, count, drop, Verdict } from '../ip/ip.ts';
import * as checksum from '../wire/checksum.ts';
import * as tcp from '../wire/tcp.ts';
import { Flag, HEADER_LEN } from '../wire/tcp.ts';
import { parse } from '../wire/tcp-options.ts';
import { AckResult, acceptableAck, processAck } from './ack.ts';
import { challenge, duplicateAck, resendSynAck } from './challenge.ts';
import { destroy, enterTimeWait, fail, setState } from './close.ts';
import { segmentInSynSent } from './connect.ts';
import { isHeld, segmentWhileHeld } from './gate.ts';
import { segmentToListener } from './listen.ts';
import { listenerFor } from './listeners.ts';
import { noteDuplicate, takesText, takeText } from './receive.ts';
import { refuse } from './refuse.ts';
import { State } from './state.ts';
import { AckWish, Ready, type Tcb, Total } from './tcb.ts';
import { type TcpLayer, wake } from './tcp.ts';
import { segmentForRecord, segmentInTimeWait, startLinger } from './time-wait.ts';
import { slotOf } from './time-wait-table.ts';
import { startKeepAlive } from './timers.ts';
import { takeUrgent } from './urgent.ts';
import { noteOverflow, noteReceived } from './watch.ts';

/** RFC 7323 §5.5: a timestamp that has not been updated for 24 days says nothing any more. */
const PAWS_IDLE_MS = 24 * 86_400_000;

/** One TCP segment at rx.l4Off, rx.l4Len; addresses are in the rx. */
export function input(layer: TcpLayer, rx: Rx): Verdict {
  const ip = layer.ip;
  count(ip, Ctr.TcpInSegs);
  const view = rx.view;
  const off = rx.l4Off;
  const len = rx.l4Len;
  if (len < HEADER_LEN) return bad(layer, rx, Drop.PKT_TOO_SMALL);
  const headerLen = tcp.headerLen(view, off);
  if (headerLen < HEADER_LEN || headerLen > len) return bad(layer, rx, Drop.PKT_TOO_SMALL);
  if ((rx.flags & (RxFlag.NEEDS_CSUM | RxFlag.DATA_VALID)) === 0 && !sumGood(layer, rx)) {
    count(ip, Ctr.TcpInCsumErrors);
    return bad(layer, rx, Drop.TCP_CSUM);
  }
  const ports = view.getInt32(off);
  rx.srcPort = ports >>> 16;
  rx.dstPort = ports & 0xffff;
  rx.segSeq = tcp.seq(view, off);
  rx.segAck = tcp.ack(view, off);
  const flags = tcp.flags(view, off);
  rx.segFlags = flags;
  rx.segWnd = tcp.window(view, off);
  rx.segUrg = tcp.urgent(view, off);
  rx.dataOff = off + headerLen;
  rx.dataLen = len - headerLen;
  rx.segLen = rx.dataLen + ((flags & Flag.SYN) !== 0 ? 1 : 0) + (flags & Flag.FIN);
  if (rx.dstKind !== DstKind.UNICAST) return drop(ip, rx, Drop.IP_INADDRERRORS);
  if (!parse(view, off + HEADER_LEN, headerLen - HEADER_LEN, layer.options)) {
    return bad(layer, rx, Drop.TCP_FLAGS);
  }
  const slot = findFlow(layer, rx, ports);
  if (slot >= 0) {
    const t = layer.connections[slot] as Tcb;
    const link = t.path.wantLink;
    // One that is bound to a link is no other link's (SO_BINDTODEVICE).
    if (link < 0 || link === rx.linkId) return toConnection(t, rx);
    return toListener(layer, rx);
  }
  if (slot < -1) return toTimeWait(layer, slot, rx);
  return toListener(layer, rx);
}

function bad(layer: TcpLayer, rx: Rx, reason: Drop): Verdict {
  count(layer.ip, Ctr.TcpInErrs);
  return drop(layer.ip, rx, reason);
}

function sumGood(layer: TcpLayer, rx: Rx): boolean {
  const pseudo =
    rx.family === 4
      ? checksum.pseudo4(rx.src3, rx.dst3, 6, rx.l4Len)
      : checksum.pseudo6(rx, 6, rx.l4Len);
  return checksum.fold(layer.ip.sum(rx.l4Off, rx.l4Len, pseudo)) === 0xffff;
}

function findFlow(layer: TcpLayer, rx: Rx, ports: number): number {
  const turned = (ports << 16) | (ports >>> 16);
  if (rx.family === 4) return layer.flows.find4(rx.dst3, rx.src3, turned);
  const key = layer.key;
  key[0] = rx.dst0;
  key[1] = rx.dst1;
  key[2] = rx.dst2;
  key[3] = rx.dst3;
  key[4] = rx.src0;
  key[5] = rx.src1;
  key[6] = rx.src2;
  key[7] = rx.src3;
  key[8] = turned;
  return layer.flows.find(key, 0);
}

function toListener(layer: TcpLayer, rx: Rx): Verdict {
  const slot = listenerFor(layer, rx);
  const listener = slot >= 0 ? layer.listeners[slot] : null;
  const { elsewhere } = layer.ip;
  if (elsewhere !== null && !layer.reopens) {
    const bits = rx.segFlags & (Flag.SYN | Flag.ACK | Flag.RST);
    if (elsewhere.pass(rx, slot >= 0 && bits === Flag.SYN)) return Verdict.DONE;
  }
  if (listener === null || listener === undefined) return refuse(layer, rx, Drop.NO_SOCKET);
  return segmentToListener(layer, listener, rx);
}

function toTimeWait(layer: TcpLayer, slot: number, rx: Rx): Verdict {
  if (!segmentForRecord(layer, slotOf(slot), rx)) return Verdict.DONE;
  const verdict = toListener(layer, rx);
  layer.reopens = false;
  return verdict;
}

function toConnection(t: Tcb, rx: Rx): Verdict {
  t.times[t.at + Total.SEGS_IN] = (t.times[t.at + Total.SEGS_IN] as number) + 1;
  noteReceived(t, rx);
  if (t.state === State.SYN_SENT) return segmentInSynSent(t, rx);
  if (isHeld(t)) return segmentWhileHeld(t, rx);
  if (t.state === State.TIME_WAIT) {
    const again = segmentInTimeWait(t, rx);
    if (!again) return Verdict.DONE;
    const verdict = toListener(t.layer, rx);
    t.layer.reopens = false;
    return verdict;
  }
  return synchronizedSegment(t, rx);
}

/** RFC 9293 §3.10.7.4 for SYN-RECEIVED and every synchronized state but TIME-WAIT. */
function synchronizedSegment(t: Tcb, rx: Rx): Verdict {
  const layer = t.layer;
  const flags = rx.segFlags;
  const reset = (flags & Flag.RST) !== 0;
  const strict = isStrictEmbryo(t);
  if (strict && !reset && (flags & Flag.ACK) !== 0 && rx.segAck !== ((t.iss + 1) | 0)) {
    return refuse(layer, rx, Drop.TCP_INVALID_ACK_SEQUENCE);
  }
  // RFC 7323 §5.3 R1: PAWS comes before the sequence check; RST is exempt
  const o = layer.options;
  if (t.tsOk && !reset) {
    if (!o.hasTs) return drop(layer.ip, rx, Drop.TCP_RFC7323_PAWS);
    if (stale(t, o.tsVal) && !isRetransmittedSyn(t, rx)) {
      count(layer.ip, Ctr.TcpExtPAWSEstab);
      // overtaken by its own retransmission: the sender has to hear that this was needless
      if (rx.dataLen > 0 && seq.lt(rx.segSeq, t.rcvNxt)) {
        noteDuplicate(t, rx.segSeq, seq.min(rx.segSeq + rx.dataLen, t.rcvNxt));
      }
      duplicateAck(t, rx, Ctr.TcpExtTCPACKSkippedPAWS);
      return drop(layer.ip, rx, Drop.TCP_RFC7323_PAWS);
    }
  }
  // first check the sequence number
  if (!acceptable(t, rx)) return unacceptable(t, rx, reset);
  // second check the RST bit
  if (reset) return takeReset(t, rx);
  // fourth check the SYN bit: RFC 5961 §4.2 in synchronized states
  if ((flags & Flag.SYN) !== 0) {
    return strict && rx.segSeq !== t.irs ? refuseEmbryo(t, rx) : takeSyn(t, rx);
  }
  // fifth check the ACK field
  if ((flags & Flag.ACK) === 0) return drop(layer.ip, rx, Drop.TCP_FLAGS);
  const result = acceptableAck(t, rx.segAck);
  if (t.state === State.SYN_RCVD) {
    if (result !== AckResult.OK || seq.le(rx.segAck, t.iss)) {
      return refuse(layer, rx, Drop.TCP_INVALID_ACK_SEQUENCE);
    }
    if (!establish(t, rx)) return drop(layer.ip, rx, Drop.TCP_LISTEN_OVERFLOW);
  } else if (result === AckResult.UNSENT || result === AckResult.TOO_OLD) {
    challenge(t);
    const unsent = result === AckResult.UNSENT;
    return drop(layer.ip, rx, unsent ? Drop.TCP_ACK_UNSENT_DATA : Drop.TCP_TOO_OLD_ACK);
  }
  if (o.hasTs && t.tsOk) rememberTimestamp(t, rx, o.tsVal);
  processAck(t, rx, result === AckResult.OLD);
  if (t.finSent && t.sndUna === t.sndNxt && finAcknowledged(t)) return Verdict.DONE;
  return text(t, rx, flags);
}

/** Sixth to eighth check: urgent, text, FIN. */
function text(t: Tcb, rx: Rx, flags: number): Verdict {
  if ((flags & Flag.URG) !== 0) takeUrgent(t, rx);
  if (rx.segLen === 0) return Verdict.DONE;
  if (!takesText(t)) {
    // a FIN again, or octets behind it: the sequence check has seen that they are old
    return Verdict.DONE;
  }
  const unwanted = t.orphan || (t.readShut && t.finQueued);
  if (unwanted && rx.dataLen > 0 && seq.gt(rx.segSeq + rx.dataLen, t.rcvNxt)) {
    return dataAfterClose(t, rx);
  }
  return takeText(t, rx);
}

/** RFC 9293 §3.10.7.4, RFC 1122 §4.2.2.13: nobody will read this: RST (Linux's TCPAbortOnData). */
function dataAfterClose(t: Tcb, rx: Rx): Verdict {
  count(t.layer.ip, Ctr.TcpExtTCPAbortOnData);
  // with the number that the peer waits for: our FIN may have been lost (RFC 5961 §3.2)
  const verdict = refuse(t.layer, rx, Drop.TCP_ABORT_ON_DATA);
  fail(t, Code.ECONNRESET);
  return verdict;
}

function stale(t: Tcb, tsVal: number): boolean {
  if (((tsVal - t.tsRecent) | 0) >= -t.layer.config.pawsSlack) return false;
  const nowMs = Math.floor(t.layer.ip.nowUs / 1000);
  return nowMs - t.tsRecentMs < PAWS_IDLE_MS;
}

function isRetransmittedSyn(t: Tcb, rx: Rx): boolean {
  return t.state === State.SYN_RCVD && (rx.segFlags & Flag.SYN) !== 0 && rx.segSeq === t.irs;
}

/** RFC 9293 table 6: the four cases of the window test. */
function acceptable(t: Tcb, rx: Rx): boolean {
  const wnd = Math.max(0, seq.diff(t.rcvWup + t.rcvWnd, t.rcvNxt));
  const start = rx.segSeq;
  if (rx.segLen === 0) {
    if (wnd === 0) return start === t.rcvNxt;
    return seq.within(start, t.rcvNxt, wnd + 1);
  }
  const last = (start + rx.segLen - 1) | 0;
  if (seq.le(start, t.rcvNxt) && seq.ge(last, t.rcvNxt)) return true;
  if (wnd === 0) return false;
  return seq.within(start, t.rcvNxt, wnd) || seq.within(last, t.rcvNxt, wnd);
}

function unacceptable(t: Tcb, rx: Rx, reset: boolean): Verdict {
  const ip = t.layer.ip;
  if (reset) return drop(ip, rx, Drop.TCP_INVALID_SEQUENCE);
  // SYN in a synchronized state: RFC 5961 §4, wherever it lies
  if ((rx.segFlags & Flag.SYN) !== 0) return takeSyn(t, rx);
  const end = (rx.segSeq + rx.segLen) | 0;
  if (rx.dataLen > 0 && seq.le(end, t.rcvNxt)) {
    noteDuplicate(t, rx.segSeq, (rx.segSeq + rx.dataLen) | 0);
    duplicateAck(t, rx, Ctr.TcpExtTCPACKSkippedSeq);
    // the acknowledgment that it carries is still good news
    if ((rx.segFlags & Flag.ACK) !== 0 && t.state !== State.SYN_RCVD) useOldAck(t, rx);
    return drop(ip, rx, Drop.TCP_OLD_DATA);
  }
  duplicateAck(t, rx, Ctr.TcpExtTCPACKSkippedSeq);
  if (seq.le(end, t.rcvNxt)) return drop(ip, rx, Drop.TCP_OLD_SEQUENCE);
  if (t.rcvWnd === 0) return drop(ip, rx, Drop.TCP_ZEROWINDOW);
  return drop(ip, rx, Drop.TCP_INVALID_SEQUENCE);
}

/**
 * RFC 9293 §3.10.7.4: "…if the RCV.WND is zero, … valid ACKs, URGs, and RSTs are still processed".
 */
function useOldAck(t: Tcb, rx: Rx): void {
  if (acceptableAck(t, rx.segAck) === AckResult.OK && seq.gt(rx.segAck, t.sndUna)) {
    processAck(t, rx, false);
    if (t.finSent && t.sndUna === t.sndNxt) finAcknowledged(t);
  }
}

/**
 * Linux's tcp_check_req: what does not acknowledge the SYN-ACK is refused before its number is
 * looked at, and a SYN anywhere in the window ends the attempt. The RFC's way is the default.
 */
function isStrictEmbryo(t: Tcb): boolean {
  if (t.state !== State.SYN_RCVD || !t.layer.config.strictEmbryos) return false;
  return t.listener >= 0 && !t.fastOpened;
}

function refuseEmbryo(t: Tcb, rx: Rx): Verdict {
  count(t.layer.ip, Ctr.TcpAttemptFails);
  const verdict = refuse(t.layer, rx, Drop.TCP_INVALID_SYN);
  destroy(t, Code.ECONNRESET);
  return verdict;
}

/** RFC 5961 §3.2: exactly at RCV.NXT resets; elsewhere in the window it is challenged. */
function takeReset(t: Tcb, rx: Rx): Verdict {
  const ip = t.layer.ip;
  if (rx.segSeq !== t.rcvNxt) {
    challenge(t);
    return drop(ip, rx, Drop.TCP_RESET);
  }
  if (t.state === State.SYN_RCVD) {
    count(ip, Ctr.TcpAttemptFails);
    if (t.listener >= 0) destroy(t, Code.ECONNRESET);
    else if (t.fastOpened)
      fail(t, Code.ECONNRESET); // the program has it already
    else fail(t, Code.ECONNREFUSED); // MUST-11: a simultaneous open was ours
    return drop(ip, rx, Drop.TCP_RESET);
  }
  fail(t, t.state === State.CLOSE_WAIT ? Code.EPIPE : Code.ECONNRESET);
  return drop(ip, rx, Drop.TCP_RESET);
}

function takeSyn(t: Tcb, rx: Rx): Verdict {
  if (isRetransmittedSyn(t, rx) && (rx.segFlags & Flag.ACK) === 0) {
    // our SYN-ACK was lost: again, without counting a timeout (its text comes again, too)
    resendSynAck(t);
    return drop(t.layer.ip, rx, Drop.TCP_OLD_DATA);
  }
  if (t.state === State.SYN_RCVD && rx.segSeq === t.irs && t.listener < 0) {
    // the other half of a simultaneous open: SYN-ACK for a SYN that we know (RFC 9293 figure 8)
    if ((rx.segFlags & Flag.ACK) !== 0 && rx.segAck === t.sndNxt) return establishCrossed(t, rx);
  }
  challenge(t);
  count(t.layer.ip, Ctr.TcpExtTCPSYNChallenge);
  return drop(t.layer.ip, rx, Drop.TCP_INVALID_SYN);
}

function establishCrossed(t: Tcb, rx: Rx): Verdict {
  if (!establish(t, rx)) return Verdict.DONE;
  rx.segWnd = t.sndWnd;
  const o = t.layer.options;
  if (o.hasTs && t.tsOk) rememberTimestamp(t, rx, o.tsVal);
  processAck(t, rx, false);
  // its SYN has come twice, and its own handshake may still wait for an ACK
  noteDuplicate(t, t.irs, (t.irs + 1) | 0);
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
  return Verdict.DONE;
}

/** A cookie has come back: the connection exists, its first segment may carry data. */
export function establishFromCookie(t: Tcb, rx: Rx): Verdict {
  setState(t, State.SYN_RCVD);
  if (!establish(t, rx)) return Verdict.DONE;
  t.lastAckSent = t.rcvNxt;
  return text(t, rx, rx.segFlags);
}

/** SYN-RECEIVED → ESTABLISHED. False: no room in the accept queue, the ACK is as good as lost. */
function establish(t: Tcb, rx: Rx): boolean {
  const layer = t.layer;
  const listener = t.listener >= 0 ? layer.listeners[t.listener] : null;
  if (t.fastOpened) {
    const opener = layer.listeners[t.fastOpenListener];
    if (opener !== null && opener !== undefined) opener.fastOpenPending--;
  } else if (listener !== null && listener !== undefined) {
    if (listener.waiting.length > listener.backlog) {
      count(layer.ip, Ctr.TcpExtListenOverflows);
      noteOverflow(layer.ip, listener.id, Queue.ACCEPT, listener.waiting.length);
      return false;
    }
    listener.embryonic--;
    listener.waiting.push(t.slot);
    t.oowAckUs = 0; // what the embryo was challenged with is not the connection's (Linux)
    count(layer.ip, Ctr.TcpPassiveOpens);
    const p = t.path;
    layer.proven.add(p.dst0, p.dst1, p.dst2, p.dst3);
  }
  setState(t, State.ESTABLISHED);
  if (t.finQueued) setState(t, State.FIN_WAIT_1);
  t.opened = true;
  t.lastDataInUs = layer.ip.nowUs;
  t.sndWnd = rx.segWnd * 2 ** t.sndScale;
  t.maxWnd = Math.max(t.maxWnd, t.sndWnd);
  t.sndWl1 = rx.segSeq;
  t.sndWl2 = rx.segAck;
  startKeepAlive(t);
  if (t.fastOpened) wake(t, Ready.OUTPUT);
  else wake(t, t.listener >= 0 ? Ready.ACCEPT : Ready.OPENED | Ready.OUTPUT);
  return true;
}

/**
 * RFC 7323 §4.3 rule (2): only a segment that covers the last acknowledgment sent moves TS.Recent.
 */
function rememberTimestamp(t: Tcb, rx: Rx, tsVal: number): void {
  if (stale(t, tsVal)) return; // an older one is good after 24 days of silence (§5.5)
  if (seq.gt(rx.segSeq, t.lastAckSent)) return;
  t.tsRecent = tsVal;
  t.tsRecentMs = Math.floor(t.layer.ip.nowUs / 1000);
}

/** Our FIN is acknowledged. True: nothing of this segment is left to do. */
function finAcknowledged(t: Tcb): boolean {
  if (t.state === State.FIN_WAIT_1) {
    setState(t, State.FIN_WAIT_2);
    if (t.orphan) startLinger(t);
    return false;
  }
  if (t.state === State.CLOSING) {
    enterTimeWait(t);
    return true;
  }
  if (t.state === State.LAST_ACK) {
    destroy(t, 0);
    return true;
  }
  return false;
}
