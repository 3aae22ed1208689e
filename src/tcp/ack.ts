// SEGMENT ARRIVES, fifth check: the ACK field (RFC 9293 §3.10.7.4; RFC 5961 §5; RFC 2018 and 2883
// as sender; RFC 8985 §6.2; RFC 7323 RTTM). The order: acceptability, window, cumulative part, SACK
// blocks, RTT, congestion state, congestion window, timers.
// @hot

import type { Rx } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { LossCause } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';
import { confirm } from '../ip/nud.ts';
import { Flag } from '../wire/tcp.ts';
import { AckFlag, type AckPass } from './ack-pass.ts';
import { timestampNow } from './isn.ts';
import { probeAcked } from './mtu-probe.ts';
import { giveBack } from './outgoing.ts';
import { adaptWindow, rackUpdate } from './rack.ts';
import { noteDelivered } from './rate.ts';
import { splitRecord } from './records.ts';
import {
  controlCongestion,
  endReduction,
  enterCwr,
  limitDuplicates,
  onAcknowledgment,
} from './recovery.ts';
import { sample } from './rtt.ts';
import { noteReordering, takeSacks } from './sack.ts';
import { NIL, remove, Seg } from './scoreboard.ts';
import { Ca, inFlight, Ready, Rexmit, runsDry, type Tcb, Total } from './tcb.ts';
import { wake } from './tcp.ts';
import { armRto, clearRexmit, probeAnswered, scheduleLossProbe } from './timers.ts';
import { noteAcked, noteTailLoss } from './watch.ts';

export const AckResult = { OK: 0, OLD: 1, TOO_OLD: 2, UNSENT: 3 } as const;

/** Whether SEG.ACK can be used at all. */
export function acceptableAck(t: Tcb, ack: number): number {
  if (seq.gt(ack, t.sndNxt)) return AckResult.UNSENT;
  if (seq.lt(ack, t.sndUna)) {
    // RFC 5961 §5.2, and never older than what was acknowledged at all
    const known = Math.min(t.maxWnd, t.times[t.at + Total.BYTES_ACKED] as number);
    return seq.lt(ack, t.sndUna - known) ? AckResult.TOO_OLD : AckResult.OLD;
  }
  return AckResult.OK;
}

/** Processes an acceptable acknowledgment (AckResult.OK or OLD). */
export function processAck(t: Tcb, rx: Rx, old: boolean): void {
  const layer = t.layer;
  const pass = layer.pass;
  pass.begin(t.sndUna, t.delivered, t.lost, inFlight(t), t.packetsOut);
  t.rackAdvanced = false;
  const priorFack = t.sackedOut === 0 ? t.sndUna : t.fackSeq;
  if (rx.dataLen > 0) pass.flags |= AckFlag.DATA;
  if ((rx.segFlags & (Flag.ECE | Flag.SYN)) === Flag.ECE) pass.flags |= AckFlag.ECE;
  t.lastAckInUs = layer.ip.nowUs;
  t.keepSent = 0;
  if (!old) {
    updateWindow(t, rx, pass);
    // blocks first: what they deliver was sent later than what is acknowledged cumulatively
    if (layer.options.sackCount > 0 && t.sackOk) takeSacks(t, rx.segAck, pass);
    if (seq.gt(rx.segAck, t.sndUna)) {
      pass.flags |= AckFlag.ADVANCED;
      t.retransmits = 0;
      if (t.path.neighbor !== null) confirm(layer.ip, t.path.neighbor);
      acknowledge(t, rx.segAck, pass);
      // a hole that was never retransmitted is filled
      if (t.sackOk && pass.hasEarliest && seq.lt(pass.earliestSeq, priorFack))
        noteReordering(t, pass.earliestSeq);
      pass.hasEarliest = false;
    }
    t.probes = 0;
  } else if (layer.options.sackCount > 0 && t.sackOk) takeSacks(t, rx.segAck, pass);
  if (t.packetsOut === 0 && pass.priorPacketsOut === 0) {
    noteAcked(t, 0);
    // a D-SACK may still tell that the last reduction was for nothing
    if ((pass.flags & AckFlag.DSACK) !== 0) onAcknowledgment(t, pass);
    idleAck(t, pass);
    return;
  }
  if (!t.sackOk && isDuplicate(pass, old)) pass.dupAcks = 1;
  measureRtt(t, pass);
  adaptWindow(t, pass.rateSentUs >= 0 ? pass.rateDelivered : 0);
  if (t.tlpHighSeq !== 0) tailProbeAnswered(t, rx.segAck, pass);
  onAcknowledgment(t, pass);
  controlCongestion(t, pass);
  noteAcked(t, pass.acked);
  growSendBuffer(t);
  // SND.UNA may stand still behind a hole while the rest is used up
  if (t.wantsRoom && runsDry(t)) wake(t, Ready.WRITABLE);
  rearm(t, pass);
  wake(t, Ready.OUTPUT);
}

/**
 * The send buffer holds a window in flight, two to come while the program is asked for more, and
 * what waits behind a hole for its retransmission: the program is never what limits the flow. SACKs
 * alone make it grow, too, as SND.UNA may stand still for several round trips.
 */
function growSendBuffer(t: Tcb): void {
  const layer = t.layer;
  const wanted = (3 * t.cwnd + t.sackedOut) * t.mss;
  if (wanted <= t.sndBuf || t.wantedSndBuf > 0 || layer.ip.memory.pressed) return;
  const most = layer.config.sndBufMax;
  if (most <= t.sndBuf) return;
  t.sndBuf = wanted < most ? wanted : most;
  if (t.wantsRoom) wake(t, Ready.WRITABLE);
}

/** RFC 5681 §2: nothing new, no data, same window, something outstanding. */
function isDuplicate(pass: AckPass, old: boolean): boolean {
  const excluded = AckFlag.ADVANCED | AckFlag.DATA | AckFlag.WINDOW;
  return !old && (pass.flags & excluded) === 0 && pass.priorPacketsOut > 0;
}

/** Nothing was outstanding: the acknowledgment answers a window probe or opens the window. */
function idleAck(t: Tcb, pass: AckPass): void {
  // data that says nothing new about our window leaves the timer of the probes alone
  const news = AckFlag.ADVANCED | AckFlag.WINDOW;
  if ((pass.flags & (news | AckFlag.DATA)) !== AckFlag.DATA) probeAnswered(t);
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
      const rest = splitRecord(t, i, ack); // first: the pool may grow, and its columns be others
      whole = Math.max(0, whole - (p.segs[rest] as number));
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
      pass.earliest(p.start[i] as number);
      if (seq.le(p.end[i] as number, t.highSeq)) pass.flags |= AckFlag.ORIGINAL;
    }
    if ((flags & Seg.SACKED) !== 0) t.sackedOut -= n;
    else {
      t.delivered += whole;
      noteDelivered(t, i, pass);
      rackUpdate(t, i, (flags & Seg.EVER) !== 0, false);
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
  if (!t.sackOk && (pass.flags & AckFlag.RETRANS_ACKED) !== 0) {
    // without SACK nobody knows which of the two transmissions it was that arrived
    pass.flags &= ~AckFlag.ORIGINAL;
  }
  if (!t.sackOk && pass.acked > 0) {
    // one of them filled the hole; the others were counted with their duplicate ACKs
    t.delivered -= Math.min(t.sackedOut, pass.acked - 1);
    t.sackedOut = Math.max(0, t.sackedOut - (pass.acked - 1));
    limitDuplicates(t, pass.acked);
  }
  const upTo = seq.gt(ack, t.sndEnd) ? t.sndEnd : ack;
  t.times[t.at + Total.BYTES_ACKED] = (t.times[t.at + Total.BYTES_ACKED] as number) + octets;
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
  if (t.wantsRoom) wake(t, Ready.WRITABLE);
}

/** RFC 6298 §5.7 and RFC 6928 §2: what a lost SYN means for the first window and timeout. */
function afterHandshake(t: Tcb, pass: AckPass): void {
  if (t.listener >= 0) {
    // as on Linux a child's figures begin behind its SYN-ACK, and that has no place in RACK
    t.times[t.at + Total.BYTES_ACKED] = (t.times[t.at + Total.BYTES_ACKED] as number) - 1;
    t.times[t.at + Total.SEGS_OUT] =
      (t.times[t.at + Total.SEGS_OUT] as number) - 1 - t.synRetransmits;
    t.rackUs = 0;
    t.rackRttUs = 0;
  }
  if ((pass.flags & AckFlag.RETRANS_ACKED) === 0) return;
  t.backoff = 0;
  if (t.synRetransmits > 1) t.cwnd = 1;
  if (!t.tsOk) t.rtoUs = Math.max(t.rtoUs, 3_000_000);
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
    noteTailLoss(t, LossCause.TLP);
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
  if ((pass.flags & AckFlag.RENEGED) !== 0) return;
  if (t.packetsOut === 0) {
    clearRexmit(t); // the backoff stays until there is an RTT sample (RFC 6298 §5.7, Karn)
    return;
  }
  if (t.rexmit === Rexmit.REORDER && (pass.flags & AckFlag.ADVANCED) === 0) return;
  if ((pass.flags & (AckFlag.ADVANCED | AckFlag.SACKED)) !== 0 || t.rexmit === Rexmit.NONE) {
    if (t.rexmit !== Rexmit.REORDER) armRto(t);
    scheduleLossProbe(t, true);
  }
}
