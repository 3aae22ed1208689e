// What TCP does when memory is short (base/memory.ts), in the order of Linux's tcp_mem: nothing
// grows generously any more; out-of-order octets are dropped to make room for octets in order
// (RFC 2018 §8 allows it; the sender still has them); newcomers are refused; connections that
// nobody owns or whose peer keeps the window shut are reset when their timer comes.
// @hot

import { Held } from '../base/memory.ts';
import * as seq from '../base/seq.ts';
import { Ctr, count } from '../ip/ip.ts';
import { LARGE_BLOCK } from './block-pool.ts';
import { RECORD_OCTETS } from './scoreboard.ts';
import type { Tcb } from './tcb.ts';
import { Ready } from './tcb.ts';
import { type TcpLayer, wake } from './tcp.ts';

/** What a piece in the slab may cost when the program does not take it: its part of a ring. */
const SMALLEST_RING = 4096;
/** Unanswered probes of a shut window after which a stalled connection may be given up. */
const STALLED_PROBES = 3;

/** Notes `n` octets of ring more (less, when negative). */
export function takeRing(layer: TcpLayer, n: number): void {
  layer.rcvMemory += n;
  layer.ip.memory.take(Held.RECEIVE, n);
}

/** Whether a piece of in-order octets may stay in the slab: somebody may have to keep it. */
export function mayPark(layer: TcpLayer, len: number): boolean {
  const worst = 2 * len + SMALLEST_RING;
  if (!layer.ip.memory.fits(layer.parkable + worst)) return false;
  layer.parkable += worst;
  return true;
}

/** Whether the ring may hold octets up to `end`. */
export function mayHold(t: Tcb, end: number): boolean {
  const layer = t.layer;
  const growth = t.ring.growth(seq.diff(end, t.rcvRead));
  if (growth === 0) return true;
  const memory = layer.ip.memory;
  return memory.fits(layer.parkable + growth) && layer.rcvMemory < layer.config.rcvBufMemory;
}

/** Makes room for octets in order up to `end`, at the cost of those that are out of order. */
export function makeRoom(t: Tcb, end: number): boolean {
  if (mayHold(t, end)) return true;
  const ofo = t.ofo;
  if (ofo !== null && ofo.size > 0) {
    count(t.layer.ip, Ctr.TcpExtOfoPruned);
    ofo.clear();
    if (t.ringed === 0) dropRing(t);
    if (mayHold(t, end)) return true;
  }
  count(t.layer.ip, Ctr.TcpExtTCPRcvQDrop);
  return false;
}

function dropRing(t: Tcb): void {
  takeRing(t.layer, -t.ring.capacity);
  t.ring.release();
}

/** Octets of `len` that may be copied for sending; the program is told when there is room again. */
export function sendRoom(t: Tcb, len: number): number {
  const layer = t.layer;
  const { cap, used, reserved } = layer.ip.memory;
  // the copy may begin a block of its own and end in another one
  const room = cap - used - reserved - 2 * LARGE_BLOCK;
  if (room > 0) return Math.min(len, room);
  if (!t.wantsRoom) layer.starved.push(t.slot);
  return 0;
}

/** Tells those that were refused room for sending, when there is some. */
export function feedStarved(layer: TcpLayer): void {
  let n = layer.starved.size;
  while (n > 0 && layer.ip.memory.fits(4 * LARGE_BLOCK)) {
    const t = layer.connections[layer.starved.shift()];
    if (t?.wantsRoom === true) wake(t, Ready.WRITABLE);
    n--;
  }
}

/** No record for another segment in flight: acknowledgments make room. */
export function mayRecord(t: Tcb): boolean {
  return t.packetsOut === 0 || t.layer.ip.memory.fits(RECORD_OCTETS);
}

/** An orphan, or a connection stalled by a shut window, that memory is too short for. */
export function mustYield(t: Tcb): boolean {
  if (!t.layer.ip.memory.pressed) return false;
  return t.orphan || t.probes >= STALLED_PROBES;
}
