// The user calls of RFC 9293 §3.9.1 on a control block: OPEN, SEND, CLOSE, ABORT. socket/ wraps
// them.

import { Code, CodeError } from '../base/code.ts';
import type { Binding } from '../demux/ports.ts';
import { Ctr, count, nextId } from '../ip/ip.ts';
import { selectPath } from '../ip/output.ts';
import type { Prefix } from '../wire/address.ts';
import { destroy, fail, releaseReceiving, setState } from './close.ts';
import { openActive } from './connect.ts';
import { bindingOf, ephemeralPort } from './isn.ts';
import { Listener, type ListenerUser } from './listen.ts';
import { refreshPath } from './mss.ts';
import { outputNew, sendAck, sendReset } from './output.ts';
import { consumed } from './receive.ts';
import { State, sends, transmits } from './state.ts';
import { AckWish, Cork, Ready, type Tcb } from './tcb.ts';
import { allocate, type TcpLayer, vacate, wake } from './tcp.ts';
import { startLinger } from './time-wait.ts';
import { noteRefused } from './watch.ts';
import { unread, windowOpened } from './window.ts';

/** Most listeners for whole prefixes: each is asked for every SYN to a port without a holder. */
const MOST_PREFIXES = 64;
/** Super-segments of one push. */
const PUSH_BUDGET = 64;

/**
 * Opens actively. The caller has set `t.path` (destination, perhaps source) and `t.remotePort`,
 * perhaps `t.localPort`. 0 or a negative errno; on error the control block is free again.
 */
export function openConnection(t: Tcb): Code {
  const layer = t.layer;
  const code = choosePath(t);
  if (code !== 0) return abandon(t, code);
  if (t.localPort !== 0) {
    // the 4-tuple must be free, and nobody who listens may own the address and port
    if (layer.ports.taken(bindingOf(t, t.localPort))) return abandon(t, Code.EADDRINUSE);
  } else if (ephemeralPort(t) < 0) return abandon(t, Code.EADDRNOTAVAIL);
  if (!openActive(t)) return abandon(t, Code.EADDRINUSE);
  return Code.NONE;
}

function choosePath(t: Tcb): Code {
  const code = selectPath(t.layer.ip, t.path);
  if (code !== 0) return code;
  // MUST-46: never to a broadcast or multicast address
  return t.path.dstKind !== 0 ? Code.ENETUNREACH : Code.NONE;
}

function abandon(t: Tcb, code: Code): Code {
  vacate(t);
  return code;
}

/** A control block for an active open; throws ENOBUFS when the table is full. */
export function newConnection(layer: TcpLayer): Tcb {
  const t = allocate(layer);
  if (t === null) throw new CodeError(Code.ENOBUFS, 'connect');
  return t;
}

/** Starts to listen; throws EADDRINUSE. `binding.slot` is ignored. */
export function listen(
  layer: TcpLayer,
  wanted: Binding,
  backlog: number,
  user: ListenerUser,
  inherit: (t: Tcb) => void,
): Listener {
  let slot = layer.listeners.indexOf(null);
  if (slot < 0) slot = layer.listeners.length;
  const binding: Binding = { ...wanted, slot };
  const code = layer.ports.bind(binding);
  if (code !== 0) {
    noteRefused(layer.ip, binding, code);
    throw new CodeError(code, 'listen');
  }
  const listener = new Listener(slot, binding, backlog, user, inherit);
  listener.id = nextId(layer.ip);
  layer.listeners[slot] = listener;
  return listener;
}

/** Listens on every port of a prefix on which nobody else does. */
export function listenPrefix(
  layer: TcpLayer,
  prefix: Prefix,
  backlog: number,
  user: ListenerUser,
  inherit: (t: Tcb) => void,
): Listener {
  if (layer.prefixListeners.length >= MOST_PREFIXES) throw new CodeError(Code.ENOBUFS, 'listen');
  let slot = layer.listeners.indexOf(null);
  if (slot < 0) slot = layer.listeners.length;
  const { a, b, c, d } = prefix.address;
  const binding: Binding = { port: 0, a, b, c, d, v6Only: false, share: false, slot };
  const listener = new Listener(slot, binding, backlog, user, inherit);
  listener.id = nextId(layer.ip);
  listener.prefix = prefix;
  layer.listeners[slot] = listener;
  layer.prefixListeners.push(slot);
  return listener;
}

/** Stops listening; connections that nobody has accepted are reset. */
export function unlisten(layer: TcpLayer, listener: Listener): void {
  if (layer.listeners[listener.slot] !== listener) return;
  if (listener.prefix === null) layer.ports.unbind(listener.binding);
  else layer.prefixListeners.splice(layer.prefixListeners.indexOf(listener.slot), 1);
  listener.paused = false; // nothing waits for this program any more
  for (let i = 0; i < layer.connections.length; i++) {
    const t = layer.connections[i];
    if (t === null || t === undefined || t.listener !== listener.slot) continue;
    if (t.state === State.CLOSED) {
      t.listener = -1;
      wake(t, Ready.FREE);
      continue;
    }
    if (t.state !== State.SYN_RCVD) sendReset(t);
    destroy(t, Code.ECONNABORTED);
    t.listener = -1;
  }
  layer.listeners[listener.slot] = null;
}

/** Queued octets were added: send in the next drain. */
export function queued(t: Tcb): void {
  wake(t, Ready.OUTPUT);
}

/** What is queued goes now, whatever holds small segments back (TCP_NODELAY under TCP_CORK). */
export function push(t: Tcb): void {
  if (t.corked >= Cork.MORE && transmits(t.state)) {
    const held = t.corked;
    t.corked = held === Cork.HELD ? Cork.NONE : Cork.OPEN;
    refreshPath(t);
    outputNew(t, PUSH_BUDGET);
    if (held !== Cork.MORE) t.corked = held;
  }
  queued(t);
}

/** CLOSE of the sending half: FIN behind what is queued. */
export function shutdown(t: Tcb): void {
  if (t.finQueued) return;
  if (t.state === State.SYN_SENT) {
    t.finQueued = true;
    return;
  }
  if (!sends(t.state) && t.state !== State.SYN_RCVD) return;
  t.finQueued = true;
  if (t.state === State.CLOSE_WAIT) setState(t, State.LAST_ACK);
  else if (t.state === State.ESTABLISHED) setState(t, State.FIN_WAIT_1);
  wake(t, Ready.OUTPUT);
}

/** The program lets go of both halves. */
export function close(t: Tcb): void {
  if (t.orphan) return;
  if (t.state === State.CLOSED) {
    forget(t);
    return;
  }
  if (t.state === State.SYN_SENT) {
    destroy(t, Code.ECANCELED);
    return;
  }
  const lost = unread(t) > 0;
  t.orphan = true;
  if (lost) {
    // RFC 9293 §3.6.1, RFC 2525 §2.17: octets that nobody will read: RST, not FIN
    count(t.layer.ip, Ctr.TcpExtTCPAbortOnClose);
    sendReset(t);
    fail(t, Code.ECONNABORTED);
    return;
  }
  releaseReceiving(t);
  shutdown(t);
  if (t.state === State.FIN_WAIT_2) startLinger(t);
  wake(t, Ready.CLOSED);
}

/** The connection is over already, and a program that had paused lets go: it is told of the end. */
function forget(t: Tcb): void {
  if (t.closedTold) return;
  t.orphan = true;
  releaseReceiving(t);
  wake(t, Ready.CLOSED);
}

/** ABORT: RST to the peer, everything is given back. */
export function abort(t: Tcb, code: number): void {
  if (t.state === State.CLOSED) {
    if (t.closeCode === 0) t.closeCode = code;
    forget(t);
    return;
  }
  // the handshake's last ACK goes before the RST, so that the peer sees a connection that ended
  if (t.ackWish === AckWish.NOW && t.state !== State.SYN_SENT) sendAck(t);
  if (t.state === State.SYN_SENT || t.state === State.TIME_WAIT) {
    destroy(t, code);
    return;
  }
  // RFC 9293 §3.10.5: both ends have said their last; Linux, too, resets only what was not sent yet
  const over = t.state === State.CLOSING || t.state === State.LAST_ACK;
  if (!over || !t.finSent || unread(t) > 0) sendReset(t);
  fail(t, code);
}

/** Takes (or looks at) octets that wait in order. Answers how many. */
export function readInto(t: Tcb, to: Uint8Array, peek: boolean): number {
  const n = Math.min(t.ringed, to.length);
  let at = 0;
  while (at < n) {
    const run = t.ring.run(t.rcvRead + at, n - at);
    const from = t.ring.index(t.rcvRead + at);
    to.set(t.ring.memory.subarray(from, from + run), at);
    at += run;
  }
  if (peek || n === 0) return n;
  t.ringed -= n;
  consumed(t, n);
  if (t.ackWish !== AckWish.NOW) windowOpened(t);
  wake(t, Ready.OUTPUT | Ready.ENDED);
  return n;
}

/** Reading is wanted again after a pause. */
export function resume(t: Tcb): void {
  t.paused = false;
  wake(t, Ready.DATA | Ready.ENDED | Ready.CLOSED);
}
