// SEGMENT ARRIVES, fifth check: the ACK field (RFC 9293 §3.10.7.4; RFC 5961 §5; RFC 2018 and 2883
// as sender; RFC 8985 §6.2; RFC 7323 RTTM). The order: acceptability, window, cumulative part, SACK
// blocks, RTT, congestion state, congestion window, timers.
// @hot

import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { AckFlag, type AckPass } from './ack-pass.ts';
import { timestampNow } from './isn.ts';
import { probeAcked } from './mtu-probe.ts';
import { giveBack } from './outgoing.ts';
import { adaptWindow, rackUpdate } from './rack.ts';
import { noteDelivered } from './rate.ts';
import { splitRecord } from './records.ts';
import { controlCongestion, endReduction, enterCwr, onAcknowledgment } from './recovery.ts';
import { sample } from './rtt.ts';
import { join, NIL, remove, Seg, unlinkTime } from './scoreboard.ts';
import { Ca, inFlight, Ready, Rexmit, segments, type Tcb, Total } from './tcb.ts';
import { wake } from './tcp.ts';
import { armRto, clearRexmit, probeAnswered, scheduleLossProbe } from './timers.ts';

/** Most records walked for one acknowledgment's SACK blocks. */
const MAX_WALK = 65536;

export const AckResult = { OK: 0, OLD: 1, TOO_OLD: 2, UNSENT: 3 } as const;

/** Whether SEG.ACK can be used at all. */
export function acceptableAck(t: Tcb, ack: number): number {
  if (seq.gt(ack, t.sndNxt)) return AckResult.UNSENT;
  if (seq.lt(ack, t.sndUna)) {
    return seq.lt(ack, t.sndUna - t.maxWnd) ? AckResult.TOO_OLD : AckResult.OLD;
  }
  return AckResult.OK;
}

/** Processes an acceptable acknowledgment (AckResult.OK or OLD). */
export function processAck(t: Tcb, rx: Rx, old: boolean): void {
  const layer = t.layer;
  const pass = layer.pass;
  pass.begin(t.sndUna, t.delivered, t.lostOut, inFlight(t), t.packetsOut);
  t.rackAdvanced = false;
  if (rx.dataLen > 0) pass.flags |= AckFlag.DATA;
  if ((rx.segFlags & Flag.ECE) !== 0) pass.flags |= AckFlag.ECE;
  t.lastAckInUs = layer.ip.nowUs;
  t.keepSent = 0;
  if (!old) {
    updateWindow(t, rx, pass);
    if (seq.gt(rx.segAck, t.sndUna)) {
      pass.flags |= AckFlag.ADVANCED;
      t.retransmits = 0;
      acknowledge(t, rx.segAck, pass);
    }
    t.probes = 0;
  }
  if (layer.options.sackCount > 0 && t.sackOk) takeSacks(t, rx.segAck, pass);
  if (t.packetsOut === 0 && pass.priorPacketsOut === 0) {
    // a D-SACK may still tell that the last reduction was for nothing
    if ((pass.flags & AckFlag.DSACK) !== 0) onAcknowledgment(t, pass);
    idleAck(t);
    return;
  }
  if (!t.sackOk && isDuplicate(pass, old)) pass.dupAcks = 1;
  measureRtt(t, pass);
  adaptWindow(t, (pass.flags & AckFlag.DSACK) !== 0);
  if (t.tlpHighSeq !== 0) tailProbeAnswered(t, rx.segAck, pass);
  onAcknowledgment(t, pass);
  controlCongestion(t, pass);
  rearm(t, pass);
  wake(t, Ready.OUTPUT);
}

/** RFC 5681 §2: nothing new, no data, same window, something outstanding. */
function isDuplicate(pass: AckPass, old: boolean): boolean {
  const excluded = AckFlag.ADVANCED | AckFlag.DATA | AckFlag.WINDOW;
  return !old && (pass.flags & excluded) === 0 && pass.priorPacketsOut > 0;
}

/** Nothing was outstanding: the acknowledgment answers a window probe or opens the window. */
function idleAck(t: Tcb): void {
  probeAnswered(t);
  if (seq.diff(t.sndEnd, t.sndNxt) > 0 || (t.finQueued && !t.finSent)) wake(t, Ready.OUTPUT);
}

function updateWindow(t: Tcb, rx: Rx, pass: AckPass): void {
  const wnd = rx.segWnd << t.sndScale; // at most 65,535 << 14
  const ack = rx.segAck;
  const newer =
    seq.gt(ack, t.sndUna) ||
    seq.gt(rx.segSeq, t.sndWl1) ||
    (rx.segSeq === t.sndWl1 && (wnd > t.sndWnd || wnd === 0));
  if (!newer) return;
  t.sndWl1 = rx.segSeq;
  t.sndWl2 = ack;
  if (wnd === t.sndWnd) return;
  pass.flags |= AckFlag.WINDOW;
  t.sndWnd = wnd;
  if (wnd > t.maxWnd) t.maxWnd = wnd;
  wake(t, Ready.OUTPUT);
}

/** SND.UNA moves to `ack`: records and queued octets before it are done. */
function acknowledge(t: Tcb, ack: number, pass: AckPass): void {
  const p = t.layer.segs;
  const b = t.board;
  const octets = seq.diff(ack, t.sndUna);
  t.sndUna = ack;
  while (b.head !== NIL) {
    const i = b.head;
    if (seq.ge(p.start[i] as number, ack)) break;
    // A segment counts when its last octet is acknowledged: crumbs bring no more (RFC 3465).
    let whole = p.segs[i] as number;
    if (seq.gt(p.end[i] as number, ack)) {
      whole = Math.max(0, whole - (p.segs[splitRecord(t, i, ack)] as number));
    }
    const flags = p.flags[i] as number;
    const n = p.segs[i] as number;
    if ((flags & Seg.EVER) !== 0) {
      if ((flags & Seg.RETRANS) !== 0) t.retransOut -= n;
      pass.flags |= AckFlag.RETRANS_ACKED;
    } else if ((flags & Seg.SACKED) === 0) {
      const sent = p.sentUs[i] as number;
      if (pass.firstSentUs < 0) pass.firstSentUs = sent;
      pass.lastSentUs = sent;
      if (seq.lt(p.start[i] as number, t.fackSeq)) noteReordering(t);
      if (seq.le(p.end[i] as number, t.highSeq)) pass.flags |= AckFlag.ORIGINAL;
    }
    if ((flags & Seg.SACKED) !== 0) t.sackedOut -= n;
    else {
      t.delivered += whole;
      noteDelivered(t, i, pass);
      rackUpdate(t, i, (flags & Seg.EVER) !== 0);
    }
    if ((flags & Seg.LOST) !== 0) t.lostOut -= n;
    t.packetsOut -= n;
    pass.acked += whole;
    if ((flags & Seg.SYN) !== 0) pass.flags |= AckFlag.SYN_ACKED;
    else pass.flags |= AckFlag.DATA_ACKED;
    remove(p, b, i);
  }
  settle(t, ack, octets, pass);
}

function settle(t: Tcb, ack: number, octets: number, pass: AckPass): void {
  const layer = t.layer;
  if (pass.firstSentUs >= 0 && (pass.flags & AckFlag.RETRANS_ACKED) === 0) {
    pass.rttUs = Math.max(1, layer.ip.nowUs - pass.lastSentUs);
    pass.longRttUs = Math.max(1, layer.ip.nowUs - pass.firstSentUs);
  }
  if (!t.sackOk && pass.acked > 0) {
    // one of them filled the hole; the others were counted with their duplicate ACKs
    t.delivered -= Math.min(t.sackedOut, pass.acked - 1);
    t.sackedOut = Math.max(0, Math.min(t.sackedOut, t.packetsOut - 1));
  }
  const upTo = seq.gt(ack, t.sndEnd) ? t.sndEnd : ack;
  t.totals[Total.BYTES_ACKED] = (t.totals[Total.BYTES_ACKED] as number) + octets;
  if (seq.lt(t.fackSeq, ack)) t.fackSeq = ack;
  if (t.urgentOut && seq.ge(ack, t.sndUp)) t.urgentOut = false;
  if (t.probeLen > 0) probeAcked(t);
  if ((pass.flags & AckFlag.SYN_ACKED) !== 0) afterHandshake(t, pass);
  const tokens = t.queue.release(layer.blocks, upTo);
  giveBack(t);
  if (tokens > 0) {
    t.written += tokens;
    wake(t, Ready.WRITTEN);
  }
  // the send buffer holds two windows, so that the program is never what limits it
  const wanted = 2 * t.cwnd * t.mss;
  if (wanted > t.sndBuf && t.wantedSndBuf === 0)
    t.sndBuf = Math.min(wanted, Math.max(layer.config.sndBufMax, t.sndBuf));
  if (t.wantsRoom) wake(t, Ready.WRITABLE);
}

/** RFC 6298 §5.7 and RFC 6928 §2: what a lost SYN means for the first window and timeout. */
function afterHandshake(t: Tcb, pass: AckPass): void {
  if ((pass.flags & AckFlag.RETRANS_ACKED) === 0) return;
  if (t.synRetransmits > 1) t.cwnd = 1;
  if (!t.tsOk) t.rtoUs = Math.max(t.rtoUs, 3_000_000);
}

/** RFC 2018 §5, RFC 2883 §4: the blocks of one acknowledgment. */
function takeSacks(t: Tcb, ack: number, pass: AckPass): void {
  const o = t.layer.options;
  if (t.sackedOut === 0) t.fackSeq = t.sndUna;
  let first = 0;
  if (isDsack(t, ack)) {
    noteDsack(t, pass);
    first = 1;
  }
  for (let k = first; k < o.sackCount; k++) {
    const start = o.sackStart[k] as number;
    const end = o.sackEnd[k] as number;
    // blocks outside of what is outstanding are lies or long gone
    if (seq.ge(start, end) || seq.gt(end, t.sndNxt) || seq.lt(start, t.sndUna)) {
      count(t.layer.ip, Ctr.TcpExtTCPSACKDiscard);
      continue;
    }
    markBlock(t, start, end, pass);
  }
}

function isDsack(t: Tcb, ack: number): boolean {
  const o = t.layer.options;
  const start = o.sackStart[0] as number;
  const end = o.sackEnd[0] as number;
  if (seq.ge(start, end)) return false;
  if (seq.lt(start, ack)) return seq.le(end, ack) || seq.le(end, t.sndNxt);
  if (o.sackCount < 2) return false;
  return seq.le(o.sackStart[1] as number, start) && seq.ge(o.sackEnd[1] as number, end);
}

function noteDsack(t: Tcb, pass: AckPass): void {
  const o = t.layer.options;
  const start = o.sackStart[0] as number;
  const end = o.sackEnd[0] as number;
  count(t.layer.ip, Ctr.TcpExtTCPDSACKRecv);
  // one that reaches back further than a window is not about anything recent
  if (seq.lt(start, t.sndUna - t.maxWnd) || seq.gt(end, t.sndNxt)) return;
  pass.flags |= AckFlag.DSACK;
  t.dsackSeen = true;
  if (t.tlpHighSeq !== 0 && end === t.tlpHighSeq) pass.flags |= AckFlag.TLP_DSACK;
  if (t.canUndo && t.undoRetrans > 0 && seq.gt(end, t.undoMarker)) {
    t.undoRetrans = Math.max(0, t.undoRetrans - segments(t, seq.diff(end, start)));
  }
}

/** Marks [start, end) delivered. */
function markBlock(t: Tcb, start: number, end: number, pass: AckPass): void {
  const p = t.layer.segs;
  const b = t.board;
  let i = locate(t, start);
  for (let steps = 0; i !== NIL && steps < MAX_WALK; steps++) {
    if (seq.ge(p.start[i] as number, end)) break;
    if (((p.flags[i] as number) & Seg.SACKED) === 0) {
      if (seq.lt(p.start[i] as number, start)) {
        const at = segmentEdge(t, i, start, true);
        if (at === (p.start[i] as number)) break;
        if (seq.lt(at, p.end[i] as number)) i = splitRecord(t, i, at);
        else {
          i = p.next[i] as number;
          continue;
        }
      }
      if (seq.gt(p.end[i] as number, end)) {
        const at = segmentEdge(t, i, end, false);
        if (at === (p.start[i] as number)) break;
        splitRecord(t, i, at);
      }
      markOne(t, i, pass);
      i = joined(t, i);
    }
    b.hint = i;
    i = p.next[i] as number;
  }
}

/** Cuts happen between wire segments: the peer holds whole ones (CVE-2019-11478: no crumbs). */
function segmentEdge(t: Tcb, i: number, at: number, up: boolean): number {
  const p = t.layer.segs;
  const start = p.start[i] as number;
  const away = seq.diff(at, start);
  const whole = away - (away % t.mss);
  if (whole === away) return at;
  if (up) return (start + whole + t.mss) | 0;
  return (start + whole) | 0;
}

/** The record that holds or follows `start`. */
function locate(t: Tcb, start: number): number {
  const p = t.layer.segs;
  let i = t.board.hint;
  if (i === NIL) i = t.board.head;
  else {
    while (i !== NIL && seq.gt(p.start[i] as number, start)) i = p.prev[i] as number;
    if (i === NIL) i = t.board.head;
  }
  for (let steps = 0; i !== NIL && steps < MAX_WALK; steps++) {
    if (seq.gt(p.end[i] as number, start)) return i;
    i = p.next[i] as number;
  }
  return NIL;
}

function markOne(t: Tcb, i: number, pass: AckPass): void {
  const p = t.layer.segs;
  const flags = p.flags[i] as number;
  const start = p.start[i] as number;
  const end = p.end[i] as number;
  const n = p.segs[i] as number;
  rackUpdate(t, i, (flags & Seg.EVER) !== 0);
  if ((flags & Seg.RETRANS) !== 0) t.retransOut -= n;
  if ((flags & Seg.LOST) !== 0) t.lostOut -= n;
  if ((flags & Seg.EVER) === 0) {
    if (seq.lt(start, t.fackSeq)) noteReordering(t);
    if (seq.le(end, t.highSeq)) pass.flags |= AckFlag.ORIGINAL;
    pass.sackRttUs = Math.max(1, t.layer.ip.nowUs - (p.sentUs[i] as number));
  }
  p.flags[i] = (flags & ~(Seg.LOST | Seg.RETRANS)) | Seg.SACKED;
  unlinkTime(p, t.board, i);
  t.sackedOut += n;
  t.delivered += n;
  noteDelivered(t, i, pass);
  if (seq.gt(end, t.fackSeq)) t.fackSeq = end;
  pass.flags |= AckFlag.SACKED;
}

/** Joins a delivered record with delivered neighbours where the count of segments allows it. */
function joined(t: Tcb, i: number): number {
  const p = t.layer.segs;
  const b = t.board;
  let at = i;
  const before = p.prev[at] as number;
  if (before !== NIL && mayJoin(t, before)) {
    join(p, b, before);
    at = before;
  }
  if (mayJoin(t, at)) join(p, b, at);
  return at;
}

function mayJoin(t: Tcb, i: number): boolean {
  const p = t.layer.segs;
  const j = p.next[i] as number;
  if (j === NIL) return false;
  const both = (p.flags[i] as number) & (p.flags[j] as number) & Seg.SACKED;
  if (both === 0) return false;
  return seq.diff(p.end[i] as number, p.start[i] as number) % t.mss === 0;
}

function noteReordering(t: Tcb): void {
  if (!t.reorderSeen) count(t.layer.ip, Ctr.TcpExtTCPSACKReorder);
  t.reorderSeen = true;
}

/** RFC 6298 §3 (Karn), RFC 7323 §4: from data sent once, or from the echoed timestamp. */
function measureRtt(t: Tcb, pass: AckPass): void {
  // an acknowledgment that a duplicate has drawn echoes the time of something older: after a lost
  // ACK that would be the whole timeout, and timeouts would feed on themselves
  if ((pass.flags & AckFlag.DSACK) !== 0) return;
  let rtt = pass.rttUs;
  if (rtt < 0 && (pass.flags & AckFlag.ADVANCED) === 0) rtt = pass.sackRttUs;
  const o = t.layer.options;
  if (rtt < 0 && t.tsOk && o.hasTs && o.tsEcr !== 0 && (pass.flags & AckFlag.ADVANCED) !== 0) {
    const ticks = (timestampNow(t) - o.tsEcr) | 0;
    if (ticks >= 0 && ticks < 0x7fffff) rtt = Math.max(ticks, 1) * 1000;
  }
  if (rtt < 0) return;
  // the oldest of what was acknowledged waited for the peer's delayed acknowledgment: that belongs
  // into the timeout; the newest says what the path takes
  t.ackRttUs = pass.longRttUs >= 0 ? pass.longRttUs : rtt;
  t.sampleRttUs = rtt;
  sample(t);
  t.backoff = 0;
  t.controller.sampled(t, pass.acked);
}

/** RFC 8985 §7.4: was the tail loss probe needed? */
function tailProbeAnswered(t: Tcb, ack: number, pass: AckPass): void {
  if (seq.lt(ack, t.tlpHighSeq)) return;
  if (!t.tlpRetrans || (pass.flags & AckFlag.TLP_DSACK) !== 0) {
    t.tlpHighSeq = 0;
    return;
  }
  if (seq.gt(ack, t.tlpHighSeq)) {
    // the original and the probe would both be acknowledged: one acknowledgment beyond: a loss
    enterCwr(t);
    endReduction(t);
    t.ca = Ca.OPEN;
    t.tlpHighSeq = 0;
    count(t.layer.ip, Ctr.TcpExtTCPLossProbeRecovery);
  } else if (
    (pass.flags & (AckFlag.SACKED | AckFlag.DATA | AckFlag.WINDOW | AckFlag.ADVANCED)) ===
    0
  ) {
    t.tlpHighSeq = 0; // a pure duplicate: the probe was one too
  }
}

/** RFC 6298 §5.2, §5.3; RFC 8985 §7.2. */
function rearm(t: Tcb, pass: AckPass): void {
  if (t.packetsOut === 0) {
    clearRexmit(t);
    t.backoff = 0;
    return;
  }
  if (t.rexmit === Rexmit.REORDER && (pass.flags & AckFlag.ADVANCED) === 0) return;
  if ((pass.flags & (AckFlag.ADVANCED | AckFlag.SACKED)) !== 0 || t.rexmit === Rexmit.NONE) {
    if (t.rexmit !== Rexmit.REORDER) armRto(t);
    scheduleLossProbe(t, true);
  }
}
