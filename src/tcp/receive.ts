// SEGMENT ARRIVES, seventh and eighth check: text and FIN (RFC 9293 §3.10.7.4). In-order octets of
// a batch stay in the slab as pieces until the drain hands them to the program; what it does not
// take, and what comes out of order, goes to the connection's ring at its sequence number. Octets
// that are there first win: a retransmission with other content changes nothing.
// @hot

import { ByteRing, NO_RING } from '../base/byte-ring.ts';
import { Drop } from '../base/drop.ts';
import { Held } from '../base/memory.ts';
import { RangeList } from '../base/range-list.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count, drop, Verdict } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { enterTimeWait, setState } from './close.ts';
import { noteMarks } from './ecn.ts';
import { makeRoom, mayHold, mayPark, takeRing } from './memory.ts';
import { sendAck } from './output.ts';
import { receives, State } from './state.ts';
import { AckWish, Ready, type Tcb, Total } from './tcb.ts';
import { clearTimer, type TcpLayer, Timer, timerArmed, wake } from './tcp.ts';
import { armDelayedAck } from './timers.ts';
import { noteDelivered } from './watch.ts';
import { adjustSpace, growWindow, measureReceiverRtt, unread, widenBehindHole } from './window.ts';

/** Quick acknowledgments at the start and after trouble (Linux's TCP_MAX_QUICKACKS). */
export const MAX_QUICK_ACKS = 16;

/** Marks of a segment that may be shorter than the peer's others. */
const END_OF_WRITE = Flag.PSH | Flag.FIN | Flag.URG;

/** Takes the segment's octets and FIN. The caller has found it acceptable and its ACK good. */
export function takeText(t: Tcb, rx: Rx): Verdict {
  const layer = t.layer;
  let start = rx.segSeq;
  let off = rx.dataOff;
  let len = rx.dataLen;
  const fin = (rx.segFlags & Flag.FIN) !== 0;
  if (len === 0 && !fin) return Verdict.DONE;
  noteMarks(t, rx);
  const old = seq.diff(t.rcvNxt, start);
  if (old > 0) {
    // the front is a duplicate: RFC 2883 wants it told
    noteDuplicate(t, start, seq.min((start + len) | 0, t.rcvNxt));
    const cut = Math.min(old, len);
    start = (start + cut) | 0;
    off += cut;
    len -= cut;
  }
  const room = seq.diff(t.rcvWup + Math.max(t.rcvWnd, 0), start);
  let whole = true;
  if (len > room) {
    if (room <= 0) return beyondWindow(t, rx);
    if (!layer.config.wholeSegments) {
      // beyond the window: the front may be used, the rest is dropped
      len = room;
      whole = false;
    } else if (unread(t) > 0) return beyondWindow(t, rx);
  }
  if (t.finKnown && seq.gt((start + len) | 0, t.finSeq)) {
    // octets behind the peer's own FIN: nothing that an honest peer sends
    len = Math.max(0, seq.diff(t.finSeq, start));
    if (seq.gt(start, t.finSeq)) return drop(layer.ip, rx, Drop.TCP_INVALID_SEQUENCE);
  }
  if (fin && whole) noteFin(t, (start + len) | 0);
  if (len > 0) {
    if (start === t.rcvNxt) {
      if (!takeInOrder(t, rx, off, len)) return noRoom(t, rx);
    } else if (!takeAhead(t, rx, off, len)) return dropAhead(t, rx);
  } else if (fin && start !== t.rcvNxt) {
    // RFC 5681 §4.2: out of order, too: the sender hears of the hole at once
    t.ackWish = AckWish.NOW;
    t.finNewest = true;
  }
  takeFin(t);
  scheduleAck(t, rx, len, fin);
  return Verdict.DONE;
}

/** No place for it: a duplicate ACK tells the sender that something is missing (RFC 5681 §4.2). */
function dropAhead(t: Tcb, rx: Rx): Verdict {
  wake(t, Ready.OUTPUT);
  return drop(t.layer.ip, rx, Drop.TCP_OFO_DROP);
}

/** The data of a SYN that Fast Open has admitted. */
export function takeSynData(t: Tcb, rx: Rx): void {
  const len = Math.min(rx.dataLen, t.rcvWnd);
  takeInOrder(t, rx, rx.dataOff, len);
}

function beyondWindow(t: Tcb, rx: Rx): Verdict {
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
  const zero = t.rcvWnd === 0;
  if (zero) count(t.layer.ip, Ctr.TcpExtTCPZeroWindowDrop);
  return drop(t.layer.ip, rx, zero ? Drop.TCP_ZEROWINDOW : Drop.TCP_OVERWINDOW);
}

/** A D-SACK block for octets that came twice goes first in the next acknowledgment. */
export function noteDuplicate(t: Tcb, start: number, end: number): void {
  if (!t.sackOk || seq.ge(start, end)) return;
  const old = seq.lt(start, t.rcvNxt);
  count(t.layer.ip, old ? Ctr.TcpExtTCPDSACKOldSent : Ctr.TcpExtTCPDSACKOfoSent);
  if (t.hasDsack && seq.le(start, t.dsackEnd) && seq.ge(end, t.dsackStart)) {
    t.dsackStart = seq.min(start, t.dsackStart);
    t.dsackEnd = seq.max(end, t.dsackEnd);
    return;
  }
  // Two in one batch, a probe and a timeout behind a stall: each is told, or the sender takes the
  // other one for a loss (RFC 2883 §4: a block tells of the most recent one only).
  if (t.hasDsack && old) sendAck(t);
  t.hasDsack = true;
  t.dsackStart = start;
  t.dsackEnd = end;
}

/**
 * Octets that came twice, found while the ranges are on the move: no acknowledgment may be made of
 * them now. With an unrelated D-SACK waiting this one is not told (Linux's tcp_dsack_extend).
 */
function extendDuplicate(t: Tcb, start: number, end: number): void {
  const apart = seq.gt(start, t.dsackEnd) || seq.lt(end, t.dsackStart);
  if (!t.hasDsack || !apart) noteDuplicate(t, start, end);
}

/** No memory: as if it had been lost, but the sender hears at once where we are. */
function noRoom(t: Tcb, rx: Rx): Verdict {
  t.ackWish = AckWish.NOW;
  wake(t, Ready.OUTPUT);
  return drop(t.layer.ip, rx, Drop.PROTO_MEM);
}

/** False: nothing was taken. */
function takeInOrder(t: Tcb, rx: Rx, off: number, len: number): boolean {
  const layer = t.layer;
  const start = t.rcvNxt;
  const inSlab = staysInSlab(t, rx);
  if (!t.orphan && !(inSlab ? mayPark(layer, len) : makeRoom(t, (start + len) | 0))) return false;
  measureReceiverRtt(t);
  growWindow(t, len);
  t.times[t.at + Total.BYTES_RECEIVED] = (t.times[t.at + Total.BYTES_RECEIVED] as number) + len;
  const ofo = t.ofo;
  if (t.orphan) {
    t.rcvRead = (start + len) | 0;
    t.rcvNxt = t.rcvRead;
    return true;
  }
  if (inSlab) {
    t.rcvNxt = (start + len) | 0;
    addPiece(t, layer, off, len);
    wake(t, Ready.DATA);
    return true;
  }
  storeMissing(t, rx, start, off, len);
  t.rcvNxt = (start + len) | 0;
  t.ringed += len;
  if (ofo !== null && ofo.size > 0) joinAhead(t, ofo, start, len);
  wake(t, Ready.DATA);
  return true;
}

/** Nothing stands in the ring before or behind it, and its memory lasts until the drain. */
function staysInSlab(t: Tcb, rx: Rx): boolean {
  if (t.ringed > 0 || (rx.flags & RxFlag.SCRATCH) !== 0) return false;
  return t.ofo === null || t.ofo.size === 0;
}

/** The hole before out-of-order data is (partly) filled: what now follows in order is readable. */
function joinAhead(t: Tcb, ofo: RangeList, start: number, len: number): void {
  const end = t.rcvNxt;
  while (ofo.size > 0 && seq.le(ofo.start(0), t.rcvNxt)) {
    const rangeEnd = ofo.end(0);
    const overlapEnd = seq.min(rangeEnd, end);
    if (seq.lt(ofo.start(0), overlapEnd)) {
      extendDuplicate(t, seq.max(ofo.start(0), start), overlapEnd);
    }
    if (seq.gt(rangeEnd, t.rcvNxt)) {
      t.ringed += seq.diff(rangeEnd, t.rcvNxt);
      t.rcvNxt = rangeEnd;
    }
    ofo.dropBefore(t.rcvNxt);
  }
  t.times[t.at + Total.BYTES_RECEIVED] =
    (t.times[t.at + Total.BYTES_RECEIVED] as number) + seq.diff(t.rcvNxt, start) - len;
  // RFC 5681 §4.2: a segment that fills (part of) a gap is acknowledged at once
  t.ackWish = AckWish.NOW;
}

function addPiece(t: Tcb, layer: TcpLayer, off: number, len: number): void {
  const last = t.pieceTail;
  t.pieced += len;
  const n = layer.pieces;
  if (n === layer.pieceOff.length) {
    layer.pieceOff = widened(layer.pieceOff);
    layer.pieceLen = widened(layer.pieceLen);
    layer.pieceNext = widened(layer.pieceNext);
  }
  layer.pieceOff[n] = off;
  layer.pieceLen[n] = len;
  layer.pieceNext[n] = -1;
  layer.pieces = n + 1;
  if (last < 0) t.pieceHead = n;
  else layer.pieceNext[last] = n;
  t.pieceTail = n;
}

function grownRing(): ByteRing {
  return new ByteRing();
}

function widened(old: Int32Array): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(old.length * 2);
  wider.set(old);
  return wider;
}

/** Puts octets into the ring at their sequence number, growing it as needed. */
export function storeAt(t: Tcb, start: number, u8: Uint8Array, off: number, len: number): void {
  const held = t.ring.capacity;
  const ofo = t.ofo;
  const top = ofo !== null && ofo.size > 0 ? ofo.end(ofo.size - 1) : t.rcvNxt;
  const kept = Math.max(0, seq.diff(seq.max(top, t.rcvNxt), t.rcvRead));
  const span = Math.max(kept, seq.diff((start + len) | 0, t.rcvRead));
  if (t.ring === NO_RING) t.ring = grownRing();
  t.ring.ensure(t.rcvRead, kept, span);
  takeRing(t.layer, t.ring.capacity - held);
  t.ring.store(start, u8, off, len);
}

/** Stores the octets of [start, start + len) that no out-of-order range holds yet: first wins. */
function storeMissing(t: Tcb, rx: Rx, start: number, off: number, len: number): void {
  const ofo = t.ofo;
  if (ofo === null || ofo.size === 0) {
    storeAt(t, start, rx.u8, off, len);
    return;
  }
  const end = (start + len) | 0;
  let at = start;
  for (let i = ofo.find(start); seq.lt(at, end); i++) {
    const upTo = i < ofo.size ? seq.max(at, seq.min(ofo.start(i), end)) : end;
    const n = seq.diff(upTo, at);
    if (n > 0) storeAt(t, at, rx.u8, off + seq.diff(at, start), n);
    at = i < ofo.size ? seq.max(upTo, ofo.end(i)) : end;
  }
}

/** Out-of-order text: only the octets that are not held yet are stored. */
function takeAhead(t: Tcb, rx: Rx, off: number, len: number): boolean {
  const layer = t.layer;
  t.ackWish = AckWish.NOW;
  t.finNewest = false;
  if (t.orphan) return true;
  if (t.ofo === null) t.ofo = grownRanges(layer);
  const ofo = t.ofo;
  const start = (rx.segSeq + (off - rx.dataOff)) | 0;
  const end = (start + len) | 0;
  if (ofo.covers(start, end)) {
    noteDuplicate(t, start, end);
    ofo.touch(start);
    return true;
  }
  if (!mayHold(t, end)) return false;
  count(layer.ip, Ctr.TcpExtTCPOFOQueue);
  noteOverlaps(t, ofo, start, end);
  storeMissing(t, rx, start, off, len);
  const held = ofo.octets;
  const taken = ofo.insert(start, end) >= 0;
  layer.ip.memory.take(Held.RECEIVE, ofo.octets - held);
  if (taken) {
    ofo.touch(start);
    widenBehindHole(t, layer);
    growWindow(t, len);
    return true;
  }
  count(layer.ip, Ctr.TcpExtTCPOFODrop);
  return false;
}

/** RFC 2883 §4.2: the part of a segment that a held range has already. */
function noteOverlaps(t: Tcb, ofo: RangeList, start: number, end: number): void {
  const i = ofo.find(start);
  if (i === ofo.size || seq.ge(ofo.start(i), end) || seq.le(ofo.end(i), start)) return;
  extendDuplicate(t, seq.max(ofo.start(i), start), seq.min(ofo.end(i), end));
}

function grownRanges(layer: TcpLayer): RangeList {
  const ranges = new RangeList(layer.config.ofoMaxRanges);
  layer.ip.memory.take(Held.RECEIVE, ranges.octets);
  return ranges;
}

function noteFin(t: Tcb, at: number): void {
  if (t.finKnown) return;
  t.finKnown = true;
  t.finSeq = at;
  if (t.ofo !== null) t.ofo.dropFrom(at); // what lies behind it is no part of the stream
}

/** The FIN counts when everything before it has arrived. */
function takeFin(t: Tcb): void {
  if (!t.finKnown || t.finReceived || t.rcvNxt !== t.finSeq) return;
  t.finReceived = true;
  t.rcvNxt = (t.rcvNxt + 1) | 0;
  const lazy = t.state === State.ESTABLISHED && !t.layer.config.finAckAtOnce;
  if (lazy) {
    // the program's own FIN will carry it, and nobody waits for news of duplicates any more
    t.pingPong = true;
    t.hasDsack = false;
  } else t.ackWish = AckWish.NOW;
  // RFC 9293 §3.10.7.4, eighth: check the FIN bit
  if (t.state === State.ESTABLISHED) setState(t, State.CLOSE_WAIT);
  else if (t.state === State.FIN_WAIT_1) setState(t, State.CLOSING);
  else if (t.state === State.FIN_WAIT_2) {
    wake(t, Ready.ENDED | Ready.OUTPUT);
    finalAckThenTimeWait(t);
    return;
  }
  wake(t, Ready.ENDED | Ready.OUTPUT);
}

function finalAckThenTimeWait(t: Tcb): void {
  enterTimeWait(t);
  // no room for a record: the peer's FIN is acknowledged all the same
  if (t.state === State.CLOSED) sendAck(t);
  else t.ackWish = AckWish.NOW;
}

/** RFC 9293 §3.8.6.3 and RFC 5681 §4.2: when the acknowledgment goes. */
function scheduleAck(t: Tcb, rx: Rx, len: number, fin: boolean): void {
  const now = t.layer.ip.nowUs;
  const wire = rx.gsoSize > 0 && len > rx.gsoSize ? Math.ceil(len / rx.gsoSize) : 1;
  const size = rx.gsoSize > 0 ? Math.min(rx.gsoSize, len) : len;
  // the end of a write says nothing of the segments that the peer sends
  const small = size >= 88 && t.rcvMss === 536 && (rx.segFlags & END_OF_WRITE) === 0;
  if (size > t.rcvMss || small) t.rcvMss = Math.min(size, t.advMss);
  if (len > 0) {
    adaptInterval(t);
    t.lastDataInUs = now;
    t.unacked += wire;
  }
  wake(t, Ready.OUTPUT);
  const urgent = fin && (t.layer.config.finAckAtOnce || t.atoUs === 0 || t.rcvWnd === 0);
  if (t.ackWish === AckWish.NOW || urgent || t.hasDsack || (t.ofo !== null && t.ofo.size > 0)) {
    t.ackWish = AckWish.NOW;
    return;
  }
  // SHLD-19: at least every second full segment; a stretch of small ones waits for the timer
  const second = t.unacked >= 2 && size >= t.rcvMss;
  const full = second || (t.layer.config.hurriedAcks && seq.diff(t.rcvNxt, t.rcvWup) > t.rcvMss);
  const quick = t.quickAcks > 0 && !t.pingPong;
  if (full || quick) t.ackWish = AckWish.NOW;
  else if (size < t.rcvMss || (rx.segFlags & Flag.PSH) !== 0) t.ackWish = AckWish.PUSHED;
  else if (t.ackWish === AckWish.NONE) t.ackWish = AckWish.DELAYED;
}

/** The delay follows the gaps between segments (Linux's ato), within the knobs' bounds. */
function adaptInterval(t: Tcb): void {
  const min = t.layer.config.delayedAckMinMs * 1000;
  if (t.atoUs === 0) {
    t.quickAcks = MAX_QUICK_ACKS;
    t.atoUs = min;
    return;
  }
  const gap = t.layer.ip.nowUs - t.lastDataInUs;
  if (gap <= min / 2) t.atoUs = t.atoUs / 2 + min / 2;
  else if (gap < t.atoUs) t.atoUs = Math.min(t.atoUs / 2 + gap, t.rtoUs);
  else if (gap > t.rtoUs) t.quickAcks = Math.min(MAX_QUICK_ACKS, Math.max(t.quickAcks, 2));
}

/** After the drain: an acknowledgment that may wait gets its timer, one that has gone clears it. */
export function settleAckTimer(t: Tcb): void {
  const waits = t.ackWish === AckWish.DELAYED || t.ackWish === AckWish.PUSHED;
  if (waits) armDelayedAck(t);
  else if (timerArmed(t, Timer.DELACK)) clearTimer(t, Timer.DELACK);
}

/** The program has taken `len` octets from the front. */
export function consumed(t: Tcb, len: number): void {
  t.rcvRead = (t.rcvRead + len) | 0;
  noteDelivered(t, len);
  if (t.urgentIn && seq.le(t.rcvUp, t.rcvRead)) t.urgentIn = false;
  adjustSpace(t, t.layer);
}

/** Whether text may still be taken in this state. */
export function takesText(t: Tcb): boolean {
  return receives(t.state) && !t.finReceived;
}
