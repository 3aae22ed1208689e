// The TCP part of a drain: each connection on the ready list tells its user what has happened (the
// only place where user code runs), then sends what it may. A handler that throws does not stop the
// others: the layer stays sound and the error is raised when the drain is over.
// @hot

import { NO_RING } from '../base/byte-ring.ts';
import { Code } from '../base/code.ts';
import { fail, free, mayTellClosed } from './close.ts';
import { isHeld } from './gate.ts';
import { feedStarved, takeRing } from './memory.ts';
import { refreshPath } from './mss.ts';
import { outputNew, sendAck, sendReset, sendSyn } from './output.ts';
import { consumed, settleAckTimer, storeAt } from './receive.ts';
import { retransmitLost } from './retransmit.ts';
import { State, transmits } from './state.ts';
import { AckWish, Ca, Ready, runsDry, type Tcb } from './tcb.ts';
import { type TcpLayer, wake } from './tcp.ts';
import { retire } from './time-wait.ts';
import { armRto } from './timers.ts';
import { unread, windowOpened } from './window.ts';

/** Super-segments one connection may send in a round: the others want their turn too. */
const ROUND_BUDGET = 32;
/** Octets told at once from the ring: a program that pauses then has at most this much too much. */
const DELIVERY = 65_536;

/** Serves every connection that is ready now. True: some are ready again. */
export function drainTcp(tcp: TcpLayer): boolean {
  const n = tcp.ready.size;
  for (let i = 0; i < n; i++) {
    const t = tcp.connections[tcp.ready.shift()];
    if (t === null || t === undefined || !t.inReady) continue;
    serveSafely(tcp, t);
  }
  tcp.pieces = 0;
  tcp.parkable = 0;
  if (tcp.starved.size > 0) feedStarved(tcp);
  return tcp.ready.size > 0;
}

function serveSafely(tcp: TcpLayer, t: Tcb): void {
  tcp.pending = t.ready;
  t.ready = 0;
  try {
    serve(tcp, t);
  } catch (error) {
    // what the handler has not seen is served in the next round
    t.ready |= tcp.pending | Ready.DATA | Ready.ENDED | Ready.OUTPUT;
    tcp.errors.push(error);
  }
  if (t.pieced > 0) park(t);
  if (t.state === State.TIME_WAIT && t.closedTold && t.ready === 0) retire(t);
  const waits = t.listener >= 0 && t.opened;
  if (t.state === State.CLOSED && !waits && (t.closedTold || t.user === null)) {
    t.inReady = false;
    free(t);
    return;
  }
  t.inReady = false;
  if (t.ready !== 0) {
    t.inReady = true;
    tcp.ready.push(t.slot);
  }
}

/** Takes a bit of the pending set; what is left is served again when a handler throws. */
function take(tcp: TcpLayer, bit: number): boolean {
  if ((tcp.pending & bit) === 0) return false;
  tcp.pending &= ~bit;
  return true;
}

function serve(tcp: TcpLayer, t: Tcb): void {
  if ((tcp.pending & Ready.HELD) !== 0 && t.closeCode === 0) {
    hold(tcp, t);
    return;
  }
  if (take(tcp, Ready.ACCEPT)) accept(tcp, t);
  const user = t.user;
  // lost while it was held: opened it has been all the same
  if (take(tcp, Ready.LATE) && user !== null && take(tcp, Ready.OPENED)) user.opened();
  if (user !== null && t.closeCode === 0) {
    if (take(tcp, Ready.OPENED)) user.opened();
    if (take(tcp, Ready.URGENT)) user.urgent();
    if ((tcp.pending & (Ready.DATA | Ready.ENDED)) !== 0) deliver(tcp, t);
  }
  if (t.written > 0 && take(tcp, Ready.WRITTEN) && t.user !== null && t.closeCode === 0) {
    const n = t.written;
    t.written = 0;
    t.user.written(n);
  }
  if (take(tcp, Ready.WRITABLE)) tellRoom(t);
  if (t.state !== State.CLOSED) output(t);
  if (mayTellClosed(t)) tellClosed(t);
}

/** What there is to tell waits for one of the next rounds; the handshake goes on. */
function hold(tcp: TcpLayer, t: Tcb): void {
  const pending = tcp.pending;
  const held = pending & Ready.HELD;
  t.ready |= (pending & ~Ready.HELD) | (held & (held - 1));
  tcp.pending = 0;
  output(t);
}

/** The listener's program gets its connection, or the connection waits in the accept queue. */
function accept(tcp: TcpLayer, t: Tcb): void {
  if (t.listener < 0) return;
  const listener = tcp.listeners[t.listener];
  if (listener === null || listener === undefined) return;
  if (isHeld(t)) {
    listener.user.knocked?.(t);
    return;
  }
  if (listener.paused) return;
  listener.unqueue(t.slot);
  t.listener = -1;
  try {
    listener.user.accepted(t);
  } finally {
    if (t.user === null) {
      // refused by the program
      if (t.state !== State.CLOSED) sendReset(t);
      fail(t, Code.ECONNABORTED);
    } else tcp.pending |= Ready.DATA | Ready.ENDED;
  }
}

/** Hands over what is readable: first what lies in the slab, then the ring. */
function deliver(tcp: TcpLayer, t: Tcb): void {
  tcp.pending &= ~Ready.DATA;
  const u8 = tcp.ip.slab.u8;
  const before = t.rcvRead;
  while (t.pieced > 0 && !t.paused && t.user !== null) {
    const i = t.pieceHead;
    const len = tcp.pieceLen[i] as number;
    t.pieceHead = tcp.pieceNext[i] as number;
    if (t.pieceHead < 0) t.pieceTail = -1;
    t.pieced -= len;
    consumed(t, len);
    t.user.data(u8, tcp.pieceOff[i] as number, len);
  }
  while (t.pieced === 0 && t.ringed > 0 && !t.paused && t.user !== null) {
    const n = Math.min(t.ring.run(t.rcvRead, t.ringed), DELIVERY);
    const at = t.ring.index(t.rcvRead);
    const memory = t.ring.memory;
    t.ringed -= n;
    consumed(t, n);
    t.user.data(memory, at, n);
  }
  if (t.ringed === 0 && t.pieced === 0 && (t.ofo === null || t.ofo.size === 0)) {
    takeRing(tcp, -t.ring.capacity);
    t.ring = NO_RING;
  }
  if (t.rcvRead !== before && t.ackWish !== AckWish.NOW) windowOpened(t);
  // a program that has closed or aborted in `data` does not want to hear of the end
  const letGo = t.closeCode !== 0 || t.orphan || t.paused;
  if (!letGo && t.finReceived && !t.endTold && unread(t) === 0 && t.user !== null) {
    t.endTold = true;
    t.user.ended();
  }
  tcp.pending &= ~Ready.ENDED;
}

/** Octets that the program did not take leave the slab before the batch ends. */
function park(t: Tcb): void {
  const tcp = t.layer;
  const u8 = tcp.ip.slab.u8;
  let at = t.rcvRead;
  let i = t.pieceHead;
  while (i >= 0) {
    const len = tcp.pieceLen[i] as number;
    if (!t.orphan) storeAt(t, at, u8, tcp.pieceOff[i] as number, len);
    at = (at + len) | 0;
    i = tcp.pieceNext[i] as number;
  }
  if (t.orphan) t.rcvRead = at;
  else t.ringed += t.pieced;
  t.pieced = 0;
  t.pieceHead = -1;
  t.pieceTail = -1;
}

/** Octets of room that are worth a program's turn. */
const LEAST_ROOM = 65_536;

function tellRoom(t: Tcb): void {
  if (!t.wantsRoom || t.orphan || t.user === null || t.closeCode !== 0) return;
  const queued = (t.sndEnd - t.sndUna) | 0;
  // Linux: a third is free; here also when only a hole keeps it from that, and soon none is unsent
  if (queued * 3 > t.sndBuf * 2 && (!runsDry(t) || t.sndBuf - queued < LEAST_ROOM)) return;
  t.wantsRoom = false;
  t.user.writable();
}

/** What may go goes; then the acknowledgment that nothing carried. */
export function output(t: Tcb): void {
  refreshPath(t);
  if (t.synPending) {
    t.synPending = false;
    sendSyn(t, t.state === State.SYN_RCVD, false);
    armRto(t);
  }
  if (transmits(t.state) || (t.fastOpened && t.state === State.SYN_RCVD)) {
    const newFirst = t.newFirst && t.ca === Ca.LOSS; // another ACK of this batch may have ended it
    t.newFirst = false;
    if (newFirst) {
      outputNew(t, 1);
      // RFC 5682 step 2b: nothing new may go (Nagle, cwnd): recovery in the ordinary way, at once
      if (((t.sndNxt - t.highSeq) | 0) <= 0) {
        t.frto = false;
        if (retransmitLost(t, ROUND_BUDGET)) wake(t, Ready.OUTPUT);
      }
    } else if (!t.holdLost && retransmitLost(t, ROUND_BUDGET)) wake(t, Ready.OUTPUT);
    else if (outputNew(t, ROUND_BUDGET)) wake(t, Ready.OUTPUT);
  }
  t.holdLost = false;
  if (t.ackWish === AckWish.NOW) sendAck(t);
  settleAckTimer(t);
}

function tellClosed(t: Tcb): void {
  const user = t.user;
  t.closedTold = true;
  t.user = null;
  t.orphan = true;
  if (user === null) return;
  t.written = 0; // `closed` gives all memory back
  user.closed(t.closeCode);
}
