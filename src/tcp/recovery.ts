// Loss recovery: RACK-TLP (RFC 8985), proportional rate reduction (RFC 9937), F-RTO (RFC 5682) and
// undo of spurious reductions by timestamps and D-SACK (RFC 4015's response, RFC 3708), NewReno for
// peers without SACK (RFC 6582). The states are Linux's: OPEN, DISORDER, CWR, RECOVERY, LOSS.
// @hot

import * as seq from '../base/seq.ts';
import { CwndCause, LossCause } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';
import { AckFlag, type AckPass } from './ack-pass.ts';
import { windowInUse } from './cwnd.ts';
import { takeEcho } from './ecn.ts';
import { probeFailed, resendOnly } from './mtu-probe.ts';
import { detectLosses } from './rack.ts';
import { sampleRate } from './rate.ts';
import { splitRecord } from './records.ts';
import { NIL, Seg, unlinkTime } from './scoreboard.ts';
import { Ca, inFlight, Rexmit, type Tcb } from './tcb.ts';
import { armReneging, armRto, scheduleLossProbe } from './timers.ts';
import { tryUndoDsack, tryUndoLoss, tryUndoPartial, tryUndoRecovery } from './undo.ts';
import { noteCwnd, noteLost } from './watch.ts';

/** After new data has left: the timer that watches it. */
export function afterSend(t: Tcb, wasIdle: boolean): void {
  if (wasIdle || t.rexmit === Rexmit.NONE) armRto(t);
  if (t.rexmit === Rexmit.RTO || t.rexmit === Rexmit.TLP) scheduleLossProbe(t, false);
}

/** Marks one record lost (again, when its retransmission was in flight). @param cause LossCause */
export function markLost(t: Tcb, i: number, cause: number): void {
  const p = t.layer.segs;
  const flags = p.flags[i] as number;
  if ((flags & Seg.SACKED) !== 0) return;
  const n = p.segs[i] as number;
  if ((flags & (Seg.LOST | Seg.RETRANS)) !== Seg.LOST) t.lost += n;
  if ((flags & Seg.RETRANS) !== 0) {
    t.retransOut -= n;
    count(t.layer.ip, Ctr.TcpExtTCPLostRetransmit, n);
  }
  if ((flags & Seg.LOST) === 0) t.lostOut += n;
  if (t.probeLen > 0 && probeFailed(t, p.start[i] as number)) t.probeLost += n;
  p.flags[i] = (flags | Seg.LOST) & ~Seg.RETRANS;
  const b = t.board;
  if (b.resend !== NIL && seq.lt(p.start[i] as number, p.start[b.resend] as number)) b.resend = i;
  unlinkTime(p, b, i);
  noteLost(t, i, cause);
}

/** What an acknowledgment means for the congestion state; runs after scoreboard and RACK update. */
export function onAcknowledgment(t: Tcb, pass: AckPass): void {
  const advanced = (pass.flags & AckFlag.ADVANCED) !== 0;
  if (t.ecnOk && (pass.flags & AckFlag.ECE) !== 0) t.priorSsthresh = 0;
  if (advanced && headSacked(t)) {
    pass.flags |= AckFlag.RENEGED;
    armReneging(t);
    return;
  }
  if (t.ca !== Ca.OPEN && seq.ge(t.sndUna, t.highSeq) && t.ca !== Ca.LOSS) {
    if (t.ca === Ca.CWR) {
      // CWR is left only beyond highSeq: until then SACKs for the old window may come
      if (t.sndUna !== t.highSeq) {
        endReduction(t);
        t.ca = Ca.OPEN;
      }
    } else if (t.ca === Ca.RECOVERY) {
      if (!t.sackOk) t.sackedOut = 0;
      if (tryUndoRecovery(t)) return;
      endReduction(t);
    }
  }
  if (t.ca === Ca.RECOVERY) inRecovery(t, pass, advanced);
  else if (t.ca === Ca.LOSS) inLoss(t, pass);
  else {
    if (!t.sackOk) countReno(t, pass, advanced);
    if (t.ca <= Ca.DISORDER) tryUndoDsack(t);
    identifyLoss(t, pass);
    if (t.lostOut === 0) {
      takeEcho(t, pass);
      tryOpen(t);
      return;
    }
    if (t.probeLost > 0 && t.lostOut === t.probeLost) {
      // RFC 4821 §7.5: only the probe is missing; it goes again in smaller segments
      resendOnly(t);
      return;
    }
    t.probeLost = 0;
    enterRecovery(t);
  }
}

function headSacked(t: Tcb): boolean {
  const head = t.board.head;
  return head !== NIL && ((t.layer.segs.flags[head] as number) & Seg.SACKED) !== 0;
}

function inRecovery(t: Tcb, pass: AckPass, advanced: boolean): void {
  if (!advanced) {
    if (!t.sackOk && pass.dupAcks > 0) addRenoSack(t, pass.dupAcks);
  } else if (tryUndoPartial(t, pass)) return;
  if (tryUndoDsack(t)) {
    takeEcho(t, pass);
    tryOpen(t);
  }
  identifyLoss(t, pass);
  // the reduction is undone; if a loss is evident all the same, a new episode begins
  if (t.ca !== Ca.RECOVERY && t.lostOut > 0) enterRecovery(t);
}

function inLoss(t: Tcb, pass: AckPass): void {
  processLoss(t, pass);
  const resent = t.retransOut;
  identifyLoss(t, pass);
  // undone, or retransmissions are lost themselves: what is lost now begins an episode of its own
  if (t.ca === Ca.LOSS && t.retransOut >= resent) return;
  if (t.lostOut > 0) enterRecovery(t);
  else if (t.ca !== Ca.LOSS) {
    // the reduction was for nothing, but the path does say that it is full (Linux)
    takeEcho(t, pass);
    tryOpen(t);
  }
}

/** RFC 5682 and the way out of LOSS. */
function processLoss(t: Tcb, pass: AckPass): void {
  const advanced = (pass.flags & AckFlag.ADVANCED) !== 0;
  const recovered = seq.ge(t.sndUna, t.highSeq);
  if (advanced && tryUndoLoss(t, false)) return;
  if (t.frto) {
    // step 3b: something never retransmitted has arrived: the timeout was spurious
    if ((pass.flags & AckFlag.ORIGINAL) !== 0 && tryUndoLoss(t, true)) return;
    if (seq.gt(t.sndNxt, t.highSeq)) {
      if ((pass.flags & AckFlag.SACKED) !== 0 || pass.dupAcks > 0) t.frto = false;
    } else if (advanced && !recovered) {
      t.highSeq = t.sndNxt;
      // step 2b: new data decides, when there is any to send
      if (seq.diff(t.sndEnd, t.sndNxt) <= 0 || seq.diff(t.sndUna + t.sndWnd, t.sndNxt) <= 0) {
        t.frto = false;
      } else t.newFirst = true;
    }
  }
  if (recovered) {
    if (!t.sackOk) t.sackedOut = 0;
    tryUndoRecovery(t);
    return;
  }
  if (!t.sackOk) {
    if (seq.gt(t.sndNxt, t.highSeq) && pass.dupAcks > 0) addRenoSack(t, pass.dupAcks);
    else if (advanced) t.sackedOut = 0;
  }
}

function countReno(t: Tcb, pass: AckPass, advanced: boolean): void {
  if (advanced) t.sackedOut = 0;
  if (pass.dupAcks > 0) addRenoSack(t, pass.dupAcks);
}

/** A duplicate ACK of a peer without SACK means that one segment has left the network. */
function addRenoSack(t: Tcb, n: number): void {
  const before = t.sackedOut;
  t.sackedOut += n;
  limitDuplicates(t, 0);
  const more = t.sackedOut - before;
  if (more > 0) t.delivered += more;
}

/**
 * At most what is out and not missing can have drawn duplicate ACKs. More of them: segments have
 * overtaken one another, by so many.
 */
export function limitDuplicates(t: Tcb, acked: number): void {
  const most = t.packetsOut - Math.min(Math.max(t.lostOut, 1), t.packetsOut);
  if (t.sackedOut <= most) return;
  t.sackedOut = most;
  t.reordering = Math.min(t.packetsOut + acked, 300);
  t.reordersSeen++;
}

function identifyLoss(t: Tcb, pass: AckPass): void {
  const before = t.lost;
  if (t.sackOk) {
    if (t.packetsOut > t.sackedOut) detectLosses(t);
  } else if (
    t.ca < Ca.RECOVERY ? t.sackedOut >= t.reordering : (pass.flags & AckFlag.ADVANCED) !== 0
  ) {
    loseHead(t);
  }
  if (t.lost > before) pass.flags |= AckFlag.LOST;
}

/** Without SACK only the first segment is known to be missing. */
function loseHead(t: Tcb): void {
  const p = t.layer.segs;
  const head = t.board.head;
  if (head === NIL || (t.ca === Ca.LOSS && ((p.flags[head] as number) & Seg.LOST) !== 0)) return;
  if (seq.diff(p.end[head] as number, p.start[head] as number) > t.mss) {
    splitRecord(t, head, ((p.start[head] as number) + t.mss) | 0);
  }
  markLost(t, head, LossCause.DUPACK);
}

/** Whether anything outstanding has been retransmitted. */
export function anyRetransmitted(t: Tcb): boolean {
  if (t.retransOut > 0) return true;
  const head = t.board.head;
  return head !== NIL && ((t.layer.segs.flags[head] as number) & Seg.EVER) !== 0;
}

export function tryOpen(t: Tcb): void {
  if (t.ca === Ca.CWR) return;
  const resending = anyRetransmitted(t);
  if (!resending) t.retransStamp = 0;
  const state = t.sackedOut > 0 || t.lostOut > 0 || resending ? Ca.DISORDER : Ca.OPEN;
  if (state !== t.ca) {
    t.ca = state;
    t.highSeq = t.sndNxt;
  }
}

/** Remembers what an undo would need (RFC 4015's saved state). */
function beginUndo(t: Tcb): void {
  t.undoMarker = t.sndUna;
  t.canUndo = true;
  t.undoRetrans = t.retransOut > 0 ? t.retransOut : -1;
}

function beginReduction(t: Tcb): void {
  t.highSeq = t.sndNxt;
  t.tlpHighSeq = 0;
  t.tlpRetrans = false;
  t.cwndCount = 0;
  t.priorCwnd = t.cwnd;
  t.priorSsthresh = currentSsthresh(t);
  t.prrDelivered = 0;
  t.prrOut = 0;
  t.ssthresh = t.controller.ssthresh(t);
  t.ecnReduced = t.ecnOk; // RFC 3168 §6.1.2: CWR tells of every reduction, whatever its reason
}

/** ssthresh as the undo restores it: not below three quarters of the window when open. */
export function currentSsthresh(t: Tcb): number {
  if (t.ca === Ca.CWR || t.ca === Ca.RECOVERY) return t.ssthresh;
  return Math.max(t.ssthresh, (t.cwnd >> 1) + (t.cwnd >> 2));
}

export function endReduction(t: Tcb): void {
  if (t.controller.drives) return;
  if (t.ca === Ca.CWR || (t.canUndo && t.ssthresh < 0x7fffffff)) {
    t.cwnd = Math.max(Math.min(t.ssthresh, t.cwndClamp), 1);
    t.cwndStampUs = t.layer.ip.nowUs;
  }
}

export function enterRecovery(t: Tcb): void {
  count(t.layer.ip, t.sackOk ? Ctr.TcpExtTCPSackRecovery : Ctr.TcpExtTCPRenoRecovery);
  t.priorSsthresh = 0;
  beginUndo(t);
  if (t.ca !== Ca.CWR) {
    const prior = currentSsthresh(t);
    beginReduction(t);
    t.priorSsthresh = prior;
  }
  t.ca = Ca.RECOVERY;
}

/** The reordering timer has found losses: recovery begins with one retransmission, not a burst. */
export function enterRecoveryByTimer(t: Tcb): void {
  enterRecovery(t);
  if (!t.controller.drives) reduce(t, 1, false);
  noteCwnd(t, CwndCause.REORDER_TIMER);
}

/** Congestion was signalled without loss (tail probe, ECN): reduce once per window. */
export function enterCwr(t: Tcb): void {
  t.priorSsthresh = 0;
  if (t.ca >= Ca.CWR) return;
  t.canUndo = false;
  beginReduction(t);
  t.ca = Ca.CWR;
}

/** The retransmission timer fired: everything not SACKed counts as lost. */
export function enterLoss(t: Tcb): void {
  const newEpisode = t.ca < Ca.RECOVERY;
  if (
    t.ca <= Ca.DISORDER ||
    seq.ge(t.sndUna, t.highSeq) ||
    (t.ca === Ca.LOSS && t.retransmits === 0)
  ) {
    t.priorSsthresh = currentSsthresh(t);
    t.priorCwnd = t.cwnd;
    t.ssthresh = t.controller.ssthresh(t);
    beginUndo(t);
  }
  // the peer has thrown away what it had SACKed (RFC 2018 §8): forget its SACKs
  const reneged = headSacked(t);
  if (reneged) renege(t);
  markOverdue(t, reneged);
  if (!t.sackOk) t.sackedOut = 0;
  t.cwnd = inFlight(t) + 1;
  t.cwndCount = 0;
  t.cwndStampUs = t.layer.ip.nowUs;
  if (t.ca <= Ca.DISORDER && t.sackedOut >= t.reordering) t.reordering = Math.min(t.reordering, 3);
  t.controller.reset(t);
  t.ecnReduced = t.ecnOk;
  t.ca = Ca.LOSS;
  t.highSeq = t.sndNxt;
  t.frto = newEpisode || t.retransmits > 0;
  noteCwnd(t, CwndCause.RTO);
}

/** All that is out is lost, except what has left less than a round trip ago (RFC 8985 §6.3). */
function markOverdue(t: Tcb, reneged: boolean): void {
  const p = t.layer.segs;
  const head = t.board.head;
  const before = t.layer.ip.nowUs - t.rackRttUs;
  for (let i = head; i !== NIL; i = p.next[i] as number) {
    if (i === head || reneged || (p.sentUs[i] as number) <= before) markLost(t, i, LossCause.RTO);
  }
}

function renege(t: Tcb): void {
  const p = t.layer.segs;
  count(t.layer.ip, Ctr.TcpExtTCPSACKReneging);
  for (let i = t.board.head; i !== NIL; i = p.next[i] as number) {
    p.flags[i] = (p.flags[i] as number) & ~Seg.SACKED;
  }
  t.sackedOut = 0;
  t.fackSeq = t.sndUna;
}

/** RFC 9937: cwnd follows what is delivered, down to ssthresh by the end of the episode. */
function reduce(t: Tcb, delivered: number, cleanly: boolean): void {
  if (delivered <= 0 || t.priorCwnd === 0) return;
  const pipe = inFlight(t);
  const room = t.ssthresh - pipe;
  t.prrDelivered += delivered;
  let n: number;
  if (room < 0) {
    n = Math.ceil((t.ssthresh * t.prrDelivered) / t.priorCwnd) - t.prrOut;
  } else {
    n = Math.max(t.prrDelivered - t.prrOut, delivered);
    if (cleanly) n++;
    n = Math.min(room, n);
  }
  n = Math.max(n, t.prrOut > 0 ? 0 : 1); // one retransmission always starts the episode
  t.cwnd = pipe + n;
}

/** cwnd after an acknowledgment: PRR while reducing, else the controller. */
export function controlCongestion(t: Tcb, pass: AckPass): void {
  sampleRate(t, pass);
  const delivered = t.delivered - pass.priorDelivered;
  if (delivered > 0) {
    count(t.layer.ip, Ctr.TcpExtTCPDelivered, delivered);
    if (t.ecnOk && (pass.flags & AckFlag.ECE) !== 0) {
      t.deliveredCe += delivered;
      count(t.layer.ip, Ctr.TcpExtTCPDeliveredCE, delivered);
    }
  }
  if (t.controller.drives) {
    t.controller.drive(t, pass);
    return;
  }
  if (t.ca === Ca.CWR || t.ca === Ca.RECOVERY) {
    reduce(t, delivered, (pass.flags & (AckFlag.ADVANCED | AckFlag.LOST)) === AckFlag.ADVANCED);
    return;
  }
  const progress = (pass.flags & AckFlag.DATA_ACKED) !== 0 || (t.reordering > 3 && delivered > 0);
  if (!progress) return;
  if (delivered > 0 && windowInUse(t)) t.controller.avoid(t, delivered);
  t.cwndStampUs = t.layer.ip.nowUs;
}
