// The end of a connection: TIME-WAIT, removal, and what is given back. The user hears of it in the
// next drain; the slot is free once that has happened.

import { NO_RING } from '../base/byte-ring.ts';
import { Code } from '../base/code.ts';
import { Held } from '../base/memory.ts';
import { Ctr, count } from '../ip/ip.ts';
import { takeRing } from './memory.ts';
import { giveBack } from './outgoing.ts';
import { NIL, remove } from './scoreboard.ts';
import { State } from './state.ts';
import { Ready, Rexmit, type Tcb } from './tcb.ts';
import { armTimer, clearTimer, flowKey, Timer, vacate, wake } from './tcp.ts';
import { TIME_WAIT_OCTETS } from './time-wait-table.ts';
import { noteState } from './watch.ts';
import { unread } from './window.ts';

/** Moves to another state and keeps the gauges true. */
export function setState(t: Tcb, state: State): void {
  const values = t.layer.ip.counters.values;
  const before = t.state;
  const was = t.state === State.ESTABLISHED || t.state === State.CLOSE_WAIT ? 1 : 0;
  const is = state === State.ESTABLISHED || state === State.CLOSE_WAIT ? 1 : 0;
  values[Ctr.TcpCurrEstab] = (values[Ctr.TcpCurrEstab] as number) + is - was;
  t.state = state;
  if (!t.retired) noteState(t, before, t.closeCode);
}

/** Gives back what sending holds: records, queued octets, timers. */
function releaseSending(t: Tcb): void {
  const layer = t.layer;
  while (t.board.head !== NIL) remove(layer.segs, t.board, t.board.head);
  t.packetsOut = 0;
  t.sackedOut = 0;
  t.lostOut = 0;
  t.retransOut = 0;
  t.written += t.queue.clear(layer.blocks);
  giveBack(t);
  t.rexmit = Rexmit.NONE;
  clearTimer(t, Timer.REXMIT);
  clearTimer(t, Timer.DELACK);
  clearTimer(t, Timer.KEEP);
  clearTimer(t, Timer.PACE);
}

/** Gives back what receiving holds. */
export function releaseReceiving(t: Tcb): void {
  takeRing(t.layer, -t.ring.capacity);
  if (t.ofo !== null) t.layer.ip.memory.give(Held.RECEIVE, t.ofo.octets);
  t.ring = NO_RING;
  t.ringed = 0;
  t.pieced = 0;
  t.pieceHead = -1;
  t.pieceTail = -1;
  t.ofo = null;
}

function leaveFlows(t: Tcb): void {
  if (!t.inFlows) return;
  t.layer.flows.remove(flowKey(t.layer, t), 0);
  t.inFlows = false;
}

/** The connection is gone. Code 0: in order; unread data is still delivered first. */
export function destroy(t: Tcb, code: number): void {
  if (t.state === State.CLOSED) return;
  if (code !== 0) t.closeCode = code;
  setState(t, State.CLOSED);
  leaveFlows(t);
  releaseSending(t);
  clearTimer(t, Timer.LINGER);
  if (t.user === null || (t.closeCode !== 0 && !t.pulled)) releaseReceiving(t);
  leaveListener(t);
  wake(t, Ready.CLOSED | Ready.FREE);
}

/** An embryonic or waiting child leaves its listener's queues. */
function leaveListener(t: Tcb): void {
  if (t.fastOpened && !t.opened) {
    const opener = t.layer.listeners[t.fastOpenListener];
    if (opener !== null && opener !== undefined) opener.fastOpenPending--;
  }
  if (t.listener < 0) return;
  const listener = t.layer.listeners[t.listener];
  // accepted later all the same: the program learns of the reset from the connection (as on Linux)
  const waits = listener?.paused === true || (t.ready & Ready.ACCEPT) !== 0;
  if (t.opened && waits && t.closeCode !== 0) return;
  t.listener = -1;
  if (listener === null || listener === undefined) return;
  if (t.opened || t.fastOpened) listener.unqueue(t.slot);
  else listener.embryonic--;
}

/** Ends a connection because of an error: timeout, reset, unreachable, lost device. */
export function fail(t: Tcb, code: number): void {
  const s = t.state;
  if (s === State.ESTABLISHED || s === State.CLOSE_WAIT) count(t.layer.ip, Ctr.TcpEstabResets);
  if (code === 0) destroy(t, Code.ECONNABORTED);
  else destroy(t, code);
}

/** RFC 9293 §3.6.1: only the four-tuple, the numbers and the time are kept. */
export function enterTimeWait(t: Tcb): void {
  const layer = t.layer;
  releaseSending(t);
  clearTimer(t, Timer.LINGER);
  if (t.user === null && t.orphan) releaseReceiving(t);
  const full = layer.timeWait.size >= layer.config.maxTimeWait;
  if (full || !layer.ip.memory.fits(TIME_WAIT_OCTETS)) {
    count(layer.ip, Ctr.TcpExtTCPTimeWaitOverflow);
    destroy(t, 0);
    return;
  }
  setState(t, State.TIME_WAIT);
  count(layer.ip, Ctr.TcpExtTW);
  restartTimeWait(t);
  wake(t, Ready.CLOSED);
}

export function restartTimeWait(t: Tcb): void {
  const us = t.layer.config.timeWaitMs * 1000;
  t.timeWaitEndUs = t.layer.ip.nowUs + us;
  armTimer(t, Timer.LINGER, us);
}

/** Whether `closed` may be told now: after an error at once, in order when all has been read. */
export function mayTellClosed(t: Tcb): boolean {
  if (t.listener >= 0 && t.opened) return false; // nobody has it yet
  if (t.closedTold || (t.state !== State.CLOSED && t.state !== State.TIME_WAIT)) return false;
  if (t.closeCode !== 0 || t.orphan) return true;
  return unread(t) === 0 && (!t.finReceived || t.endTold);
}

/** Frees the slot of a connection that is CLOSED and whose user knows. */
export function free(t: Tcb): void {
  releaseReceiving(t);
  vacate(t);
}
