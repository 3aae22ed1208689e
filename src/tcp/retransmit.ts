// Sending again (RFC 6675 §5 NextSeg rule 1, RFC 5681 §3.2): what is marked lost, in sequence
// order, as cwnd allows; and one segment of the tail as a probe (RFC 8985 §7.3).
// @hot

import * as seq from '../base/seq.ts';
import { Ctr, count } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { emit } from './output.ts';
import { mustWait, notePaced } from './pacing.ts';
import { stampSent } from './rate.ts';
import { splitRecord } from './records.ts';
import { NIL, resent, Seg } from './scoreboard.ts';
import { Ca, inFlight, Rexmit, type Tcb, Total } from './tcb.ts';
import { armRto } from './timers.ts';

/** Sends again what is marked lost, as cwnd allows. True: more is waiting. */
export function retransmitLost(t: Tcb, budget: number): boolean {
  if (t.lostOut === 0) return false;
  const p = t.layer.segs;
  let left = budget;
  const b = t.board;
  for (let i = b.resend === NIL ? b.head : b.resend; i !== NIL; i = p.next[i] as number) {
    b.resend = i;
    b.walked = (b.walked + 1) | 0;
    const flags = p.flags[i] as number;
    if ((flags & (Seg.LOST | Seg.RETRANS)) !== Seg.LOST) continue;
    const quota = t.cwnd - inFlight(t);
    if (quota <= 0) {
      t.cwndLimited = true;
      t.paceHeld = false;
      return false;
    }
    if (left-- === 0) return true;
    if (mustWait(t)) return false;
    const sent = retransmit(t, i, quota);
    if (sent < 0) return false;
    // the timer watches the head's newest transmission (RFC 6298 §5.1 as Linux has it)
    if (i === b.head && t.rexmit !== Rexmit.REORDER) armRto(t);
    if (t.ca === Ca.CWR || t.ca === Ca.RECOVERY) t.prrOut += sent;
  }
  return false;
}

/** Retransmits (the first `quota` segments of) one record; its segments, or -1 when it cannot. */
export function retransmit(t: Tcb, i: number, quota: number, probe = false): number {
  const p = t.layer.segs;
  const start = p.start[i] as number;
  const fin = ((p.flags[i] as number) & Seg.FIN) !== 0;
  let len = (seq.diff(p.end[i] as number, start) - (fin ? 1 : 0)) | 0;
  // SHLD-16: inside the window only, except the first octets when it has shrunk to nothing
  const usable = seq.diff(t.sndUna + t.sndWnd, start);
  if (usable <= 0 && start !== t.sndUna) return -1;
  // what the window has become, in whole segments when it has room for one
  let room = usable > 0 ? usable : t.mss;
  if (room < len && room > t.mss) room -= room % t.mss;
  const most = Math.min(room, quota * t.mss, superMax(t));
  let withFin = fin;
  if (len > most) {
    splitRecord(t, i, (start + most) | 0);
    len = most;
    withFin = false;
  }
  const pushes = ((p.flags[i] as number) & Seg.PUSH) !== 0;
  let flags: number = Flag.ACK;
  if (withFin) flags |= Flag.FIN;
  if (len > 0 && (pushes || seq.diff(p.end[i] as number, t.sndEnd) >= 0)) flags |= Flag.PSH;
  const sent = emit(t, start, len, flags);
  if (sent < len) splitRecord(t, i, (start + sent) | 0);
  const n = p.segs[i] as number;
  if (!probe) noteEpisode(t, i, n);
  noteRetransmit(t, i, n, sent);
  notePaced(t, sent);
  return n;
}

function superMax(t: Tcb): number {
  const room = t.layer.config.gsoMaxOctets - 120;
  return room < t.mss ? t.mss : room - (room % t.mss);
}

/** A retransmission that replaces a lost segment; a tail loss probe does not claim so much. */
function noteEpisode(t: Tcb, i: number, n: number): void {
  const p = t.layer.segs;
  const flags = p.flags[i] as number;
  if ((flags & Seg.RETRANS) === 0) t.retransOut += n;
  p.flags[i] = flags | Seg.RETRANS;
  if (t.retransStamp === 0) t.retransStamp = Math.floor(t.layer.ip.nowUs / 1000) + 1;
  t.undoRetrans = Math.max(t.undoRetrans, 0) + n;
}

function noteRetransmit(t: Tcb, i: number, n: number, octets: number): void {
  const p = t.layer.segs;
  p.flags[i] = (p.flags[i] as number) | Seg.EVER;
  stampSent(t, i);
  t.lastDataOutUs = t.layer.ip.nowUs; // not idle
  resent(p, t.board, i);
  t.times[t.at + Total.RETRANS] = (t.times[t.at + Total.RETRANS] as number) + n;
  t.times[t.at + Total.BYTES_RETRANS] = (t.times[t.at + Total.BYTES_RETRANS] as number) + octets;
  count(t.layer.ip, Ctr.TcpRetransSegs, n);
  if (t.ca === Ca.LOSS) count(t.layer.ip, Ctr.TcpExtTCPSlowStartRetrans, n);
  else count(t.layer.ip, Ctr.TcpExtTCPFastRetrans, n);
  if (t.rexmit === Rexmit.NONE || t.rexmit === Rexmit.TLP) armRto(t);
}
