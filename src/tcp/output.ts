// Segments out: which data may go (RFC 9293 §3.8, §3.7.4 Nagle, §3.8.6.2.1 silly window), their
// headers, acknowledgments, resets. A segment may be a super-segment of many wire segments; headers
// lie in the slab, payload stays in the send queue and is gathered by the link.
// @hot

import { Code } from '../base/code.ts';
import { GsoType } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { TxFlag } from '../base/tx.ts';
import { Ctr, count } from '../ip/ip.ts';
import { begin, send } from '../ip/output.ts';
import * as tcp from '../wire/tcp.ts';
import { CHECKSUM_OFFSET, Flag, HEADER_LEN } from '../wire/tcp.ts';
import { putTimestamps } from '../wire/tcp-options.ts';
import { restartAfterIdle, validateCwnd } from './cwnd.ts';
import { dataFlags, synAckFlags, synFlags, tosOf } from './ecn.ts';
import { synDataLen } from './fast-open.ts';
import { timestampNow } from './isn.ts';
import { mayRecord } from './memory.ts';
import { fullMss } from './mss.ts';
import { maySearchAgain, probeLength, probeSent } from './mtu-probe.ts';
import { putSackBlocks, putSynOptions, sackOptionLen, synOptionLen } from './options.ts';
import { boardOf } from './outgoing.ts';
import { burstLimit, mustWait, notePaced } from './pacing.ts';
import { checkAppLimited, stampSent } from './rate.ts';
import { afterSend } from './recovery.ts';
import { append, Seg } from './scoreboard.ts';
import { AckWish, Ca, Cork, inFlight, Rexmit, segments, type Tcb, Total } from './tcb.ts';
import { armProbe } from './timers.ts';
import { noteSent } from './watch.ts';
import { announceWindow } from './window.ts';

/** Payload up to here is copied behind the header: cheaper than a piece to gather. */
const COPY_MAX = 192;
const MAX_IP = 65535;

/** Lays header and payload of one segment out and sends it. `seqNo` … `seqNo + len`. */
export function emit(t: Tcb, seqNo: number, len: number, wanted: number): number {
  const layer = t.layer;
  const ip = layer.ip;
  const family = t.path.family;
  const syn = (wanted & Flag.SYN) !== 0;
  const fresh = len > 0 && !syn && seqNo === t.sndNxt;
  const flags = syn || (wanted & Flag.RST) !== 0 ? wanted : wanted | dataFlags(t, fresh);
  let optLen = 0;
  if (syn) optLen = synOptionLen(t, (flags & Flag.ACK) !== 0);
  else {
    if (t.tsOk) optLen = 12;
    if (len === 0) optLen += sackOptionLen(t, optLen);
  }
  const headerLen = HEADER_LEN + optLen;
  // more than a segment is for the link to cut, however small (a peer may ask for crumbs)
  const copied = len > 0 && len <= COPY_MAX && (len <= t.mss || syn);
  const l4 = begin(ip, family, headerLen + (copied ? len : 0));
  const view = ip.slab.view;
  const ack = (flags & Flag.ACK) !== 0 ? t.rcvNxt : 0;
  tcp.setNumbers(view, l4, (t.localPort << 16) | t.remotePort, seqNo, ack);
  tcp.setControl(view, l4, headerLen, flags, announceWindow(t, syn));
  let at = l4 + HEADER_LEN;
  if (syn) putSynOptions(t, view, at, (flags & Flag.ACK) !== 0);
  else {
    if (t.tsOk) at += putTimestamps(view, at, timestampNow(t), t.tsRecent);
    if (len === 0 && optLen > (t.tsOk ? 12 : 0))
      putSackBlocks(t, view, at, optLen - (t.tsOk ? 12 : 0));
  }
  if (t.urgentOut && !syn) markUrgent(t, view, l4, seqNo);
  const tx = ip.tx;
  tx.reset();
  const ipLen = family === 4 ? 20 : 40;
  tx.headerOff = l4 - ipLen;
  tx.headerLen = ipLen + headerLen;
  tx.l4 = ipLen;
  tx.csumOffset = CHECKSUM_OFFSET;
  tx.family = family;
  tx.protocol = 6;
  tx.tos = tosOf(t, fresh);
  tx.ttl = t.ttl;
  tx.flags = TxFlag.DF;
  let sent = len;
  if (copied) {
    t.queue.read(ip.slab.u8, l4 + headerLen, syn ? (seqNo + 1) | 0 : seqNo, len);
    tx.headerLen += len;
  } else if (len > 0) {
    sent = t.queue.pieces(tx, syn ? (seqNo + 1) | 0 : seqNo, len);
    if (sent > t.mss && !t.probing && !syn) {
      tx.gsoType = family === 4 ? GsoType.TCPV4 : GsoType.TCPV6;
      tx.gsoSize = t.mss;
    }
  }
  // A table of pieces too short for the whole: the end did not go, neither did its FIN or PSH.
  if (sent < len) view.setUint8(l4 + 13, flags & ~(Flag.FIN | Flag.PSH));
  const path = t.path;
  tx.src0 = path.src0;
  tx.src1 = path.src1;
  tx.src2 = path.src2;
  tx.src3 = path.src3;
  tx.dst0 = path.dst0;
  tx.dst1 = path.dst1;
  tx.dst2 = path.dst2;
  tx.dst3 = path.dst3;
  const code = send(ip, path, headerLen + sent);
  // a full queue of our own link is a lost packet, not a reason to give up with
  if (code !== 0 && code !== Code.ENOBUFS) t.softError = code;
  note(t, sent, flags);
  noteSent(t, seqNo, sent, flags);
  return sent;
}

/** Counters, and what an acknowledgment that has gone settles. */
function note(t: Tcb, len: number, flags: number): void {
  const ip = t.layer.ip;
  const segs = len > 0 ? segments(t, len) : 1;
  count(ip, Ctr.TcpOutSegs, segs);
  const totals = t.times;
  const at = t.at;
  totals[at + Total.SEGS_OUT] = (totals[at + Total.SEGS_OUT] as number) + segs;
  if (len > 0) {
    totals[at + Total.BYTES_SENT] = (totals[at + Total.BYTES_SENT] as number) + len;
    totals[at + Total.DATA_SEGS_OUT] = (totals[at + Total.DATA_SEGS_OUT] as number) + segs;
  }
  if ((flags & Flag.ACK) === 0) return;
  t.lastAckSent = t.rcvNxt;
  // data carries no SACK blocks: a pure ACK still has to tell of holes and duplicates
  if (len > 0 && (t.hasDsack || (t.ofo !== null && t.ofo.size > 0))) return;
  t.ackWish = AckWish.NONE;
  t.hasDsack = false;
  if (t.quickAcks > 0) t.quickAcks = Math.max(0, t.quickAcks - 1);
  t.unacked = 0;
}

/** RFC 9293 §3.8.5: the pointer is an offset to the octet behind the urgent data (MUST-62). */
function markUrgent(t: Tcb, view: DataView, l4: number, seqNo: number): void {
  const ahead = seq.diff(t.sndUp, seqNo);
  if (ahead <= 0) return;
  tcp.setUrgent(view, l4, Math.min(ahead, 0xffff));
  view.setUint8(l4 + 13, view.getUint8(l4 + 13) | Flag.URG);
}

/** A pure acknowledgment. */
export function sendAck(t: Tcb): void {
  emit(t, insideWindow(t), 0, Flag.ACK);
}

/**
 * SND.NXT, unless the peer has taken window back: beyond its edge everything is dropped there, ACKs
 * and RSTs too (RFC 9293 §3.8.6, Linux's tcp_acceptable_seq).
 */
function insideWindow(t: Tcb): number {
  const edge = (t.sndUna + t.sndWnd) | 0;
  const beyond = seq.diff(t.sndNxt, edge);
  return beyond > 0 && beyond >= 1 << t.rcvScale ? edge : t.sndNxt;
}

/** A segment with nothing but an old number: draws an ACK (keep-alive, window probe, SHLD-12). */
export function sendProbe(t: Tcb): void {
  emit(t, (t.sndUna - 1) | 0, 0, Flag.ACK);
}

export function sendReset(t: Tcb): void {
  count(t.layer.ip, Ctr.TcpOutRsts);
  emit(t, insideWindow(t), 0, Flag.RST | Flag.ACK);
}

/** SYN or SYN-ACK, first or again; `again` keeps Karn's rule. */
export function sendSyn(t: Tcb, ack: boolean, again: boolean): void {
  const p = t.layer.segs;
  let i = t.board.head;
  if (i < 0) {
    i = append(p, boardOf(t), t.iss, (t.iss + 1) | 0);
    p.flags[i] = Seg.SYN;
    p.segs[i] = 1;
    t.packetsOut = 1;
  } else if (again) {
    p.flags[i] = (p.flags[i] as number) | Seg.EVER;
    count(t.layer.ip, Ctr.TcpRetransSegs);
  }
  p.sentUs[i] = t.layer.ip.nowUs;
  p.delivered[i] = 0;
  p.deliveredUs[i] = 0;
  p.firstSentUs[i] = t.layer.ip.nowUs;
  const ecn = ack ? synAckFlags(t) : synFlags(t);
  const len = ack || again ? 0 : synDataLen(t);
  const sent = emit(t, t.iss, len, ecn | (ack ? Flag.SYN | Flag.ACK : Flag.SYN));
  if (sent > 0) recordSynData(t, sent);
}

/** Data that rode on the SYN is outstanding like any other. */
function recordSynData(t: Tcb, len: number): void {
  const start = t.sndNxt;
  const end = (start + len) | 0;
  const i = append(t.layer.segs, boardOf(t), start, end);
  t.layer.segs.segs[i] = 1;
  t.layer.segs.flags[i] = Seg.PUSH; // when it goes again it goes as a write of its own
  stampSent(t, i);
  t.packetsOut++;
  t.sndNxt = end;
  t.synData = len;
}

/** Most payload octets of one super-segment on this path. */
function superLimit(t: Tcb): number {
  const headers = (t.path.family === 4 ? 20 : 40) + HEADER_LEN + (t.tsOk ? 12 : 0);
  const room = Math.min(t.layer.config.gsoMaxOctets, MAX_IP) - headers;
  return room < t.mss ? t.mss : room - (room % t.mss);
}

/**
 * Octets of new data that may go in the next segment; 0 = not now.
 * Answers through RFC 9293's D (unsent) and U (usable window), cwnd in segments, Nagle and cork.
 */
function nextLength(t: Tcb): number {
  const unsent = seq.diff(t.sndEnd, t.sndNxt);
  if (unsent <= 0) return 0;
  const usable = seq.diff(t.sndUna + t.sndWnd, t.sndNxt);
  if (usable <= 0) return 0;
  const quota = t.cwnd - inFlight(t);
  if (quota <= 0) {
    t.cwndLimited = true;
    return 0;
  }
  // CWR belongs on one wire segment only: the one that says it goes alone
  const most = t.ecnReduced ? t.mss : Math.min(superLimit(t), burstLimit(t));
  let len = Math.min(unsent, usable, quota * t.mss, most);
  if (len >= t.mss) {
    const tail = len % t.mss;
    // a partial segment in front of more data, or one that Nagle holds back, stays behind
    const wanting = len < unsent && !(len === usable && t.layer.config.fillWindow);
    if (tail > 0 && (wanting || holds(t, tail))) len -= tail;
    if (len < unsent && len < usable && quota * t.mss <= len) t.cwndLimited = true;
    return len;
  }
  if (len === unsent) return holds(t, len) ? 0 : len;
  // §3.8.6.2.1: less than a segment fits into the window: only when it is half of the largest seen
  if (len === usable && t.layer.config.fillWindow) return holds(t, len) ? 0 : len;
  return len * 2 >= t.maxWnd ? len : 0;
}

/** Nagle in Minshall's form: one small segment in flight at a time; cork holds every small one. */
function holds(t: Tcb, tail: number): boolean {
  if (t.finQueued) return false;
  if (t.corked >= Cork.MORE) return true;
  if (t.noDelay || t.packetsOut === 0) return false;
  if (tail >= t.mss) return false;
  return seq.gt(t.sndSml, t.sndUna) && seq.le(t.sndSml, t.sndNxt);
}

/** Sends what may go, at most `budget` super-segments. True: more could go at once. */
export function outputNew(t: Tcb, budget: number): boolean {
  if (t.packetsOut === 0) restartAfterIdle(t);
  t.cwndLimited = false;
  const before = t.sndNxt;
  const more = sendRounds(t, budget);
  if (t.corked === Cork.MORE) t.corked = Cork.OPEN;
  if (!more) checkAppLimited(t);
  validateCwnd(t, t.sndNxt !== before);
  return more;
}

function sendRounds(t: Tcb, budget: number): boolean {
  for (let n = 0; n < budget; n++) {
    if (mustWait(t) || !mayRecord(t)) return false;
    if (t.mssLimit > 0 && sendMtuProbe(t)) continue;
    const len = nextLength(t);
    const last = seq.diff(t.sndEnd, t.sndNxt) === len;
    const fin = t.finQueued && !t.finSent && last && finFits(t, len);
    if (len <= 0 && !fin) {
      t.paceHeld = false;
      if (n === 0 && t.packetsOut === 0) armProbe(t);
      return false;
    }
    sendNext(t, len, fin, last);
    notePaced(t, len);
  }
  return true;
}

/** One segment larger than the others, when a search is on and a probe may go (RFC 4821). */
function sendMtuProbe(t: Tcb): boolean {
  maySearchAgain(t, fullMss(t));
  const len = probeLength(t);
  if (len <= 0) return false;
  const start = t.sndNxt;
  t.probing = true;
  const sent = emit(t, start, len, Flag.ACK);
  t.probing = false;
  const end = (start + sent) | 0;
  record(t, start, end, 0);
  t.sndNxt = end;
  if (sent > t.mss) probeSent(t, start, sent);
  return true;
}

/** The FIN takes one number of the window, and alone it needs a place in cwnd or an empty pipe. */
function finFits(t: Tcb, len: number): boolean {
  if (seq.diff(t.sndUna + t.sndWnd, t.sndNxt) <= len) return false;
  if (len > 0) return true;
  return t.packetsOut === 0 || t.cwnd > inFlight(t);
}

function sendNext(t: Tcb, len: number, fin: boolean, last: boolean): void {
  const start = t.sndNxt;
  if (t.packetsOut === 0 && t.lastDataOutUs > 0)
    t.controller.restart(t, t.layer.ip.nowUs - t.lastDataOutUs);
  let flags: number = Flag.ACK;
  const ends = last && (t.corked === Cork.NONE || t.corked === Cork.HELD);
  if (len > 0 && (ends || pushes(t, len))) flags |= Flag.PSH;
  if (fin) flags |= Flag.FIN;
  const sent = emit(t, start, len, flags);
  const whole = sent === len;
  const end = (start + sent + (fin && whole ? 1 : 0)) | 0;
  if (fin && whole) t.finSent = true;
  if (sent > 0 && sent % t.mss !== 0) t.sndSml = end;
  const marks = (fin ? Seg.FIN : 0) | (len > 0 && ends ? Seg.PUSH : 0);
  record(t, start, end, whole ? marks : 0);
  t.sndNxt = end;
  if (sent === 0) return;
  const now = t.layer.ip.nowUs;
  t.lastDataOutUs = now;
  // an answer soon after data: acknowledgments ride on data from now on
  if (now - t.lastDataInUs < t.atoUs) t.pingPong = true;
}

/** PSH also when half of the largest window has gone since the last one would matter: the end. */
function pushes(t: Tcb, len: number): boolean {
  return seq.diff(t.sndUna + t.sndWnd, t.sndNxt) <= len;
}

/** Notes a transmission of new data in the scoreboard and arms the timers. */
function record(t: Tcb, start: number, end: number, flags: number): void {
  const p = t.layer.segs;
  const segs = segments(t, seq.diff(end, start));
  const i = append(p, boardOf(t), start, end);
  p.flags[i] = flags;
  p.segs[i] = segs;
  stampSent(t, i);
  const wasIdle = t.packetsOut === 0;
  t.packetsOut += segs;
  if (t.ca === Ca.CWR || t.ca === Ca.RECOVERY) t.prrOut += segs;
  count(t.layer.ip, Ctr.TcpExtTCPOrigDataSent, segs);
  if (t.rexmit === Rexmit.PROBE) t.rexmit = Rexmit.NONE;
  afterSend(t, wasIdle);
}
