// Undoing reductions that turned out to be for nothing: a delayed or reordered original arrived
// (timestamps: RFC 3522 Eifel; D-SACK: RFC 3708), and the response of RFC 4015.
// @hot

import * as seq from '../base/seq.ts';
import { UndoCause } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';
import type { AckPass } from './ack-pass.ts';
import { anyRetransmitted, endReduction, tryOpen } from './recovery.ts';
import { noteReordering } from './sack.ts';
import { NIL, Seg } from './scoreboard.ts';
import { Ca, type Tcb } from './tcb.ts';
import { noteUndone } from './watch.ts';

/** The peer's timestamp echo is older than our first retransmission: it answers the original. */
function delayed(t: Tcb): boolean {
  const o = t.layer.options;
  // nothing has been retransmitted yet: what arrives was only late
  if (t.retransStamp === 0) return t.sackOk || seq.lt(t.sndUna, t.highSeq);
  if (!t.tsOk || !o.hasTs || o.tsEcr === 0) return false;
  return ((o.tsEcr - t.tsOffset - (t.retransStamp - 1)) | 0) < 0;
}

function mayUndo(t: Tcb): boolean {
  return t.canUndo && (t.undoRetrans === 0 || delayed(t));
}

function undoReduction(t: Tcb, unmarkLost: boolean): void {
  if (unmarkLost) {
    const p = t.layer.segs;
    for (let i = t.board.head; i !== NIL; i = p.next[i] as number) {
      const flags = p.flags[i] as number;
      if ((flags & Seg.LOST) === 0) continue;
      p.flags[i] = flags & ~Seg.LOST;
      if ((flags & Seg.RETRANS) === 0) relinkTime(t, i);
    }
    t.lostOut = 0;
  }
  if (t.priorSsthresh > 0) {
    t.cwnd = Math.min(t.controller.undo(t), t.cwndClamp);
    if (t.priorSsthresh > t.ssthresh) {
      t.ssthresh = t.priorSsthresh;
      t.ecnReduced = false; // a CWR that has not gone yet would be untrue
    }
  }
  t.cwndStampUs = t.layer.ip.nowUs;
  t.canUndo = false;
  t.rackAdvanced = true; // the record set has changed: look at it again
}

/** A record that was lost is in flight after all: back into the time order, by its sending time. */
function relinkTime(t: Tcb, i: number): void {
  const p = t.layer.segs;
  const b = t.board;
  if (p.later[i] !== i) return;
  let before = b.newest;
  const sent = p.sentUs[i] as number;
  while (before !== NIL && (p.sentUs[before] as number) > sent)
    before = p.earlier[before] as number;
  const after = before === NIL ? b.oldest : (p.later[before] as number);
  p.earlier[i] = before;
  p.later[i] = after;
  if (before === NIL) b.oldest = i;
  else p.later[before] = i;
  if (after === NIL) b.newest = i;
  else p.earlier[after] = i;
}

/** The end of an episode is acknowledged. True: keep the state (NewReno's false retransmits). */
export function tryUndoRecovery(t: Tcb): boolean {
  if (mayUndo(t)) {
    count(t.layer.ip, t.ca === Ca.LOSS ? Ctr.TcpExtTCPLossUndo : Ctr.TcpExtTCPFullUndo);
    undoReduction(t, false);
    noteUndone(t, UndoCause.FULL);
  } else if (t.reoPersist > 0) t.reoPersist--;
  if (t.sndUna === t.highSeq && !t.sackOk) {
    // RFC 6582 §5: hold on until something beyond highSeq is acknowledged
    if (!anyRetransmitted(t)) t.retransStamp = 0;
    return true;
  }
  leave(t);
  return false;
}

function leave(t: Tcb): void {
  if (t.ca === Ca.RECOVERY) endReduction(t);
  t.ca = Ca.OPEN;
  t.frto = false;
  // canUndo stays: the D-SACK of a needless retransmission comes a round trip after the end
  if (!anyRetransmitted(t)) t.retransStamp = 0;
}

/** D-SACK has told that every retransmission was needless. */
export function tryUndoDsack(t: Tcb): boolean {
  if (!t.canUndo || t.undoRetrans !== 0) return false;
  t.reoPersist = Math.min(16, t.reoPersist + 1);
  count(t.layer.ip, Ctr.TcpExtTCPDSACKUndo);
  undoReduction(t, false);
  noteUndone(t, UndoCause.DSACK);
  return true;
}

/** In LOSS. `spurious`: F-RTO has decided. */
export function tryUndoLoss(t: Tcb, spurious: boolean): boolean {
  if (!spurious && !mayUndo(t)) return false;
  undoReduction(t, true);
  count(t.layer.ip, Ctr.TcpExtTCPLossUndo);
  noteUndone(t, spurious ? UndoCause.FRTO : UndoCause.LOSS);
  if (spurious) count(t.layer.ip, Ctr.TcpExtTCPSpuriousRTOs);
  t.retransmits = 0;
  if (spurious || t.sackOk) {
    t.ca = Ca.OPEN;
    tryOpen(t);
  }
  return true;
}

/** In RECOVERY, a partial acknowledgment. True: nothing more may be marked lost or sent now. */
export function tryUndoPartial(t: Tcb, pass: AckPass): boolean {
  if (!t.canUndo || !delayed(t)) return false;
  noteReordering(t, pass.priorUna);
  if (t.retransOut > 0) {
    t.holdLost = true;
    return true;
  }
  if (!anyRetransmitted(t)) t.retransStamp = 0;
  undoReduction(t, true);
  noteUndone(t, UndoCause.PARTIAL);
  count(t.layer.ip, Ctr.TcpExtTCPPartialUndo);
  t.ca = Ca.OPEN;
  tryOpen(t);
  return false;
}
