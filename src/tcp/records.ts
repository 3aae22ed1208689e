// Records of the scoreboard with the connection's counts kept true: how many wire segments a record
// stands for is stored with it, so that a change of the MSS in between cannot unbalance them.
// @hot

import * as seq from '../base/seq.ts';
import { Seg, split } from './scoreboard.ts';
import { segments, type Tcb } from './tcb.ts';

/** Record `i` stands for as many segments as the size of segments makes of it now. */
export function recount(t: Tcb, i: number): void {
  const p = t.layer.segs;
  const now = segments(t, seq.diff(p.end[i] as number, p.start[i] as number));
  const more = now - (p.segs[i] as number);
  p.segs[i] = now;
  t.packetsOut += more;
  const flags = p.flags[i] as number;
  if ((flags & Seg.SACKED) !== 0) t.sackedOut += more;
  if ((flags & Seg.LOST) !== 0) t.lostOut += more;
  if ((flags & Seg.RETRANS) !== 0) t.retransOut += more;
}

/** Splits record `i` at `at`; the new record, holding [at, end), is answered. */
export function splitRecord(t: Tcb, i: number, at: number): number {
  const p = t.layer.segs;
  const before = p.segs[i] as number;
  const j = split(p, t.board, i, at);
  const front = segments(t, seq.diff(p.end[i] as number, p.start[i] as number));
  const back = segments(t, seq.diff(p.end[j] as number, p.start[j] as number));
  p.segs[i] = front;
  p.segs[j] = back;
  const more = front + back - before;
  if (more === 0) return j;
  const flags = p.flags[i] as number;
  t.packetsOut += more;
  if ((flags & Seg.SACKED) !== 0) t.sackedOut += more;
  if ((flags & Seg.LOST) !== 0) t.lostOut += more;
  if ((flags & Seg.RETRANS) !== 0) t.retransOut += more;
  return j;
}
