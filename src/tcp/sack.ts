// SACK as sender (RFC 2018, RFC 2883): the blocks of an acknowledgment on the scoreboard, D-SACKs,
// and how far the network reorders.
// @hot

import * as seq from '../base/seq.ts';
import { Block } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';
import { AckFlag, type AckPass } from './ack-pass.ts';
import { rackUpdate } from './rack.ts';
import { noteDelivered } from './rate.ts';
import { splitRecord } from './records.ts';
import { join, locate, NIL, Seg, unlinkTime } from './scoreboard.ts';
import { Ca, segments, type Tcb, Total } from './tcb.ts';
import { noteBlock } from './watch.ts';

/** Most records walked for one acknowledgment's SACK blocks. */
const MAX_WALK = 65536;
/** Reordering of more segments than this is not waited for (Linux's tcp_max_reordering). */
const MAX_REORDERING = 300;

/** RFC 2018 §5, RFC 2883 §4: the blocks of one acknowledgment. */
export function takeSacks(t: Tcb, ack: number, pass: AckPass): void {
  const o = t.layer.options;
  const una = seq.max(ack, t.sndUna);
  if (t.sackedOut === 0) t.fackSeq = t.sndUna;
  let first = 0;
  if (isDsack(t, ack)) {
    noteDsack(t, pass);
    noteBlock(t, o.sackStart[0] as number, o.sackEnd[0] as number, Block.DUPLICATE);
    first = 1;
  }
  for (let k = first; k < o.sackCount; k++) {
    const start = o.sackStart[k] as number;
    const end = o.sackEnd[k] as number;
    // blocks outside of what is outstanding are lies or long gone
    if (seq.ge(start, end) || seq.gt(end, t.sndNxt) || seq.lt(start, una)) {
      count(t.layer.ip, Ctr.TcpExtTCPSACKDiscard);
      noteBlock(t, start, end, Block.REFUSED);
      continue;
    }
    noteBlock(t, start, end, Block.NEW);
    markBlock(t, start, end, pass);
  }
  if (pass.hasEarliest && (t.ca !== Ca.LOSS || t.canUndo)) noteReordering(t, pass.earliestSeq);
  pass.hasEarliest = false;
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
  const n = segments(t, seq.diff(end, start));
  t.dsackDups += n;
  // more duplicates than there were retransmissions: the network makes them, not we
  if (t.dsackDups > (t.times[t.at + Total.RETRANS] as number)) return;
  pass.flags |= AckFlag.DSACK;
  if (n === 1 && t.tlpHighSeq !== 0 && end === t.tlpHighSeq) pass.flags |= AckFlag.TLP_DSACK;
  else if (t.reordersSeen > 0) t.dsackSeen = true; // RFC 8985 §6.2: not for a needless probe
  t.delivered += n; // the needless retransmission has left the network
  if (t.canUndo && t.undoRetrans > 0 && seq.gt(end, t.undoMarker))
    t.undoRetrans = Math.max(0, t.undoRetrans - n);
}

/** Marks [start, end) delivered. */
function markBlock(t: Tcb, start: number, end: number, pass: AckPass): void {
  const p = t.layer.segs;
  const b = t.board;
  let i = locate(p, b, start);
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

function markOne(t: Tcb, i: number, pass: AckPass): void {
  const p = t.layer.segs;
  const flags = p.flags[i] as number;
  const start = p.start[i] as number;
  const end = p.end[i] as number;
  const n = p.segs[i] as number;
  rackUpdate(t, i, (flags & Seg.EVER) !== 0, true);
  if ((flags & Seg.RETRANS) !== 0) t.retransOut -= n;
  if ((flags & Seg.LOST) !== 0) t.lostOut -= n;
  if ((flags & Seg.EVER) === 0) {
    if (seq.lt(start, t.fackSeq)) pass.earliest(start);
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

/** What was sent once has been overtaken by what stands before `t.fackSeq`: how far. */
export function noteReordering(t: Tcb, low: number): void {
  const fack = t.sackedOut === 0 ? t.sndUna : t.fackSeq;
  const span = seq.diff(fack, low);
  if (span <= 0) return;
  if (span > t.reordering * t.mss) t.reordering = Math.min(Math.ceil(span / t.mss), MAX_REORDERING);
  t.reordersSeen++;
  count(t.layer.ip, Ctr.TcpExtTCPSACKReorder);
}
