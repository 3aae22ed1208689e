// What this layer tells an onlooker (base/watch.ts). Each function costs one comparison while
// nobody looks.
// @hot

import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { CwndCause, KIND_BITS, Seen, Sent, TimerName, type Watch } from '../base/watch.ts';
import type { Binding } from '../demux/ports.ts';
import type { IpLayer } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { backedOff } from './rtt.ts';
import { Seg } from './scoreboard.ts';
import { State } from './state.ts';
import { inFlight, Rexmit, segments, type Tcb } from './tcb.ts';

function words(w: Watch, t: Tcb): void {
  const p = t.path;
  w.note(Seen.FROM, t.id, p.src0, p.src1, p.src2);
  w.more(p.src3);
  w.note(Seen.TO, t.id, p.dst0, p.dst1, p.dst2);
  w.more(p.dst3);
}

/** @param code why it is over; 0 = in order, or it goes on */
export function noteState(t: Tcb, was: number, code: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  words(w, t);
  w.note(Seen.STATE, t.id, was, t.state, code);
  w.more((t.localPort << 16) | t.remotePort);
}

/** A record in TIME-WAIT is forgotten: its flow key lies at `at`. */
export function noteRecordOver(ip: IpLayer, key: Int32Array, at: number, id: number): void {
  const w = ip.watch;
  if (w === null) return;
  w.note(Seen.FROM, id, key[at] as number, key[at + 1] as number, key[at + 2] as number);
  w.more(key[at + 3] as number);
  w.note(Seen.TO, id, key[at + 4] as number, key[at + 5] as number, key[at + 6] as number);
  w.more(key[at + 7] as number);
  w.note(Seen.STATE, id, State.TIME_WAIT, State.CLOSED, 0);
  w.more(key[at + 8] as number);
}

/** A segment has left; called before SND.NXT moves. */
export function noteSent(t: Tcb, seqNo: number, len: number, flags: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  const wire = len > 0 ? segments(t, len) : 1;
  const details = (flags & 0xff) | sentBits(t, seqNo, len, flags) | (wire << Sent.SEGMENTS);
  w.note(Seen.SENT | (details << KIND_BITS), t.id, seqNo, len, t.rcvNxt);
  w.more((t.rcvWup + t.rcvWnd) | 0);
}

/** Whether it is a retransmission, or a probe without anything in it. */
function sentBits(t: Tcb, seqNo: number, len: number, flags: number): number {
  if ((flags & Flag.SYN) !== 0) {
    const head = t.board.head;
    const again = head >= 0 && ((t.layer.segs.flags[head] as number) & Seg.EVER) !== 0;
    return again ? Sent.AGAIN : 0;
  }
  if (len > 0 || (flags & Flag.FIN) !== 0) return seq.lt(seqNo, t.sndNxt) ? Sent.AGAIN : 0;
  return seq.lt(seqNo, t.sndUna) ? Sent.PROBE : 0;
}

export function noteReceived(t: Tcb, rx: Rx): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  w.note(Seen.RECEIVED | (rx.segFlags << KIND_BITS), t.id, rx.segSeq, rx.dataLen, rx.segAck);
  w.more((rx.segFlags & Flag.SYN) !== 0 ? rx.segWnd : rx.segWnd << t.sndScale);
}

/** An acknowledgment has been used. @param acked segments */
export function noteAcked(t: Tcb, acked: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  w.note(Seen.ACKED, t.id, t.sndUna, (t.sndUna + t.sndWnd) | 0, acked);
  w.more(inFlight(t));
  cwnd(w, t, CwndCause.ACK);
}

/** @param kind of Block */
export function noteBlock(t: Tcb, start: number, end: number, kind: number): void {
  const w = t.layer.ip.watch;
  if (w !== null) w.note(Seen.SACKED | (kind << KIND_BITS), t.id, start, end, 0);
}

function cwnd(w: Watch, t: Tcb, cause: number): void {
  w.note(Seen.CWND | (cause << KIND_BITS), t.id, t.cwnd, t.ssthresh, inFlight(t));
  w.more(t.ca);
}

/** The congestion window is another. @param cause of CwndCause */
export function noteCwnd(t: Tcb, cause: number): void {
  const w = t.layer.ip.watch;
  if (w !== null) cwnd(w, t, cause);
}

export function noteRtt(t: Tcb): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  w.note(Seen.RTT, t.id, t.ackRttUs | 0, t.srttUs | 0, (t.mdevUs / 4) | 0);
  w.more(backedOff(t) | 0);
}

/** @param cause of LossCause */
export function noteLost(t: Tcb, i: number, cause: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  const p = t.layer.segs;
  const what = Seen.LOST | (cause << KIND_BITS);
  w.note(what, t.id, p.start[i] as number, p.end[i] as number, p.segs[i] as number);
}

/** A tail loss probe has repaired a loss that nothing else has told of. */
export function noteTailLoss(t: Tcb, cause: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  w.note(Seen.LOST | (cause << KIND_BITS), t.id, (t.tlpHighSeq - t.mss) | 0, t.tlpHighSeq, 1);
}

/** @param cause of UndoCause */
export function noteUndone(t: Tcb, cause: number): void {
  const w = t.layer.ip.watch;
  if (w !== null) w.note(Seen.UNDONE | (cause << KIND_BITS), t.id, t.cwnd, t.ssthresh, 0);
}

/** @param kind of Timer: 0 stands for what `rexmit` says */
export function noteTimer(t: Tcb, seen: number, kind: number, delayUs: number): void {
  const w = t.layer.ip.watch;
  if (w === null) return;
  const name = kind === 0 ? nameOf(t.rexmit) : kind + TimerName.DELACK - 1;
  w.note(seen | (name << KIND_BITS), t.id, delayUs, 0, 0);
}

function nameOf(rexmit: number): number {
  return rexmit === Rexmit.NONE ? TimerName.RTO : rexmit - Rexmit.RTO;
}

export function noteDelivered(t: Tcb, len: number): void {
  const w = t.layer.ip.watch;
  if (w !== null) w.note(Seen.DELIVERED, t.id, len, t.rcvRead, 0);
}

/** @param queue of Queue */
export function noteOverflow(ip: IpLayer, id: number, queue: number, waiting: number): void {
  const w = ip.watch;
  if (w !== null) w.note(Seen.OVERFLOW | (queue << KIND_BITS), id, waiting, 0, 0);
}

/** A program wanted a port that it cannot have. */
export function noteRefused(ip: IpLayer, binding: Binding, code: number): void {
  const w = ip.watch;
  if (w === null) return;
  w.note(Seen.FROM, 0, binding.a, binding.b, binding.c);
  w.more(binding.d);
  w.note(Seen.REFUSED, 0, binding.port, 6, code);
}
