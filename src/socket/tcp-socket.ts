// The handle of one TCP connection: no Node, no streams. docs/decisions/0001-the-api.md has the
// table.

import { Code, CodeError } from '../base/code.ts';
import * as seq from '../base/seq.ts';
import { type Controller, useController } from '../tcp/congestion/controller.ts';
import { sendRoom } from '../tcp/memory.ts';
import { queueOf } from '../tcp/outgoing.ts';
import { MAX_QUICK_ACKS } from '../tcp/receive.ts';
import { State } from '../tcp/state.ts';
import { AckWish, Cork, type Tcb, type TcpUser, Total } from '../tcp/tcb.ts';
import type { TcpLayer } from '../tcp/tcp.ts';
import { startKeepAlive } from '../tcp/timers.ts';
import * as user from '../tcp/user.ts';
import { unread } from '../tcp/window.ts';
import { type Address, format, parse, V4_MAPPED } from '../wire/address.ts';
import { boundLink } from './bound-link.ts';
import { type TcpInfo, tcpInfo } from './tcp-info.ts';
import { applyOptions, type TcpOptions } from './tcp-options.ts';

/** What the owner of a connection gets to hear, always from within `drain`. */
export interface TcpHandler {
  /** ESTABLISHED: the connect has succeeded. Not called for accepted connections. */
  opened(s: TcpSocket): void;
  /** Octets in order. The view is valid during the call only. */
  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void;
  /** The peer's FIN, after all data. */
  ended(s: TcpSocket): void;
  /** There is room again after write() or send() said "full". */
  writable(s: TcpSocket): void;
  /** The oldest `n` calls of write() have given their memory back. */
  written(s: TcpSocket, n: number): void;
  /** The last call, exactly once: 0, or a negative errno. */
  closed(s: TcpSocket, code: number): void;
  /** RFC 9293 §3.8.5: urgent data is on its way (MUST-32). */
  urgent?(s: TcpSocket): void;
}

export { applyOptions, type TcpOptions };

export interface ConnectOptions extends TcpOptions {
  address: string | Address;
  port: number;
  localAddress?: string | Address | undefined;
  localPort?: number | undefined;
  /** RFC 7413: what is written in the same turn may ride on the SYN. */
  fastOpen?: boolean | undefined;
  handler: TcpHandler;
}

export class TcpSocket implements TcpUser {
  /** The embedder's own field. */
  owner: unknown = null;
  handler: TcpHandler;
  readonly tcb: Tcb;
  #closed = false;
  #aborted = false;

  /** For the layer above: a connection that exists. */
  constructor(t: Tcb, handler: TcpHandler) {
    this.tcb = t;
    this.handler = handler;
    t.user = this;
  }

  get family(): number {
    return this.tcb.path.family;
  }
  get localAddress(): string {
    const p = this.tcb.path;
    return format(p.src0, p.src1, p.src2, p.src3);
  }
  get localPort(): number {
    return this.tcb.localPort;
  }
  get remoteAddress(): string {
    const p = this.tcb.path;
    return format(p.dst0, p.dst1, p.dst2, p.dst3);
  }
  get remotePort(): number {
    return this.tcb.remotePort;
  }
  /** One of `State`. */
  get state(): State {
    return this.tcb.state;
  }
  /** Octets accepted and not acknowledged. */
  get queued(): number {
    // the acknowledgment of our FIN lies one beyond the last octet
    return this.#closed ? 0 : Math.max(0, seq.diff(this.tcb.sndEnd, this.tcb.sndUna));
  }
  /** Octets accepted and not sent. */
  get unsent(): number {
    return this.#closed ? 0 : Math.max(0, seq.diff(this.tcb.sndEnd, this.tcb.sndNxt));
  }
  /** Octets of the send buffer; write() answers false at or over it. */
  get sendHighWater(): number {
    return this.tcb.sndBuf;
  }
  /** Payload octets that have arrived in order, and that were handed in to be sent. */
  get bytesReceived(): number {
    return this.tcb.times[this.tcb.at + Total.BYTES_RECEIVED] as number;
  }
  get bytesSent(): number {
    return this.tcb.times[this.tcb.at + Total.BYTES_SENT] as number;
  }
  /** Octets to come up to the end of urgent data, 0 when there is none (RFC 9293 MUST-33). */
  get urgentAhead(): number {
    const t = this.tcb;
    return t.urgentIn ? Math.max(0, seq.diff(t.rcvUp, t.rcvRead)) : 0;
  }

  /**
   * Queues octets without copying: the memory is the stack's until `written` counts this call.
   * False: the send buffer is full (the octets are taken all the same), `writable` will follow.
   * Octets after shutdown() or after `closed` are refused with CodeError EPIPE. Between the end of
   * the connection and `closed` they are dropped, as if a reset had crossed them.
   */
  write(u8: Uint8Array, off = 0, len = u8.length - off): boolean {
    const t = this.tcb;
    if (!this.#maySend()) return true;
    if (len > 0) {
      queueOf(t).gather(u8, off, len, t.sndEnd);
      t.sndEnd = (t.sndEnd + len) | 0;
      user.queued(t);
    }
    return this.#roomLeft();
  }

  /**
   * Copies as many octets as the send buffer has room for and answers how many (0 … len). Less than
   * `len`: `writable` will follow.
   */
  send(u8: Uint8Array, off = 0, len = u8.length - off): number {
    const t = this.tcb;
    if (!this.#maySend()) return len;
    const room = t.sndBuf - seq.diff(t.sndEnd, t.sndUna);
    const wanted = Math.max(0, Math.min(len, room));
    const n = wanted > 0 ? sendRoom(t, wanted) : 0;
    if (n > 0) {
      queueOf(t).copy(t.layer.blocks, u8, off, n, t.sndEnd);
      t.sndEnd = (t.sndEnd + n) | 0;
      user.queued(t);
    }
    if (n < len) t.wantsRoom = true;
    return n;
  }

  /** Like send(), and tells the peer that the last octet is urgent (RFC 9293 §3.8.5). */
  sendUrgent(u8: Uint8Array, off = 0, len = u8.length - off): number {
    const n = this.send(u8, off, len);
    if (n > 0 && this.tcb.state !== State.CLOSED) {
      this.tcb.sndUp = this.tcb.sndEnd;
      this.tcb.urgentOut = true;
    }
    return n;
  }

  /** False: the connection has failed, and `closed` has not said so yet. */
  #maySend(): boolean {
    const t = this.tcb;
    const isOver = this.#closed || this.#aborted || t.finQueued || t.orphan;
    if (!isOver && t.state !== State.CLOSED) return true;
    if (isOver || t.closeCode === 0) throw new CodeError(Code.EPIPE, 'write');
    return false;
  }

  #roomLeft(): boolean {
    const t = this.tcb;
    if (seq.diff(t.sndEnd, t.sndUna) < t.sndBuf) return true;
    t.wantsRoom = true;
    return false;
  }

  /** FIN behind what is queued; reading goes on. */
  shutdown(): void {
    if (!this.#closed) user.shutdown(this.tcb);
  }

  /** Nothing more is read. Unread octets: RST (RFC 9293 §3.6.1), else FIN. `closed` follows. */
  close(): void {
    if (!this.#closed) user.close(this.tcb);
  }

  /** RST; `closed(s, code)` follows, ECONNABORTED unless another errno is given. */
  abort(code: number = Code.ECONNABORTED): void {
    if (this.#closed) return;
    this.#aborted = true;
    user.abort(this.tcb, code);
  }

  pause(): void {
    this.tcb.paused = true;
  }

  resume(): void {
    if (!this.#closed && this.tcb.paused) user.resume(this.tcb);
  }

  get paused(): boolean {
    return this.tcb.paused;
  }

  /** Small segments wait until uncork(), or 200 ms (Linux's TCP_CORK). */
  cork(): void {
    this.tcb.corked = Cork.HELD;
  }

  uncork(): void {
    this.tcb.corked = this.tcb.corked === Cork.HELD_MORE ? Cork.OPEN : Cork.NONE;
    if (!this.#closed) user.queued(this.tcb);
  }

  setNoDelay(on = true): void {
    this.tcb.noDelay = on;
    if (on && !this.#closed) user.push(this.tcb);
  }

  /** Changes the congestion controller, also of a running connection. */
  setController(controller: Controller): void {
    useController(this.tcb, controller);
  }

  /** The program's own limit of the sending rate, octets per second; 0 = none. */
  setMaxPacingRate(octetsPerSecond: number): void {
    const t = this.tcb;
    t.maxPacingRate = octetsPerSecond;
    if (!t.controller.drives) t.pacingRate = octetsPerSecond;
  }

  /** RFC 9293 §3.8.4. Times in ms. */
  setKeepAlive(on: boolean, idleMs = 0, intervalMs = 0, probes = 0): void {
    const t = this.tcb;
    t.keepAlive = on;
    if (idleMs > 0) t.keepIdleMs = idleMs;
    if (intervalMs > 0) t.keepIntervalMs = intervalMs;
    if (probes > 0) t.keepProbes = probes;
    if (!this.#closed && t.opened) startKeepAlive(t);
  }

  /** RFC 5482: give up when nothing is acknowledged for so long; 0 = by number of timeouts. */
  setUserTimeout(ms: number): void {
    this.tcb.userTimeoutMs = ms;
  }

  /** Acknowledge at once (true), or let acknowledgments ride on data (Linux's TCP_QUICKACK). */
  setQuickAck(on: boolean): void {
    const t = this.tcb;
    t.pingPong = !on;
    if (!on) return;
    t.quickAcks = MAX_QUICK_ACKS;
    if (t.ackWish !== AckWish.NONE) {
      t.ackWish = AckWish.NOW;
      if (!this.#closed) user.queued(t);
    }
  }

  /** Octets that can be read now without waiting. */
  get readable(): number {
    return unread(this.tcb);
  }

  /** The peer's FIN has come and everything before it has been read. */
  get atEnd(): boolean {
    return this.tcb.finReceived && unread(this.tcb) === 0;
  }

  /**
   * Reads octets that wait while the socket is paused: at most `len` into `to`. `peek` leaves them.
   * Answers how many; the window opens with what was taken.
   */
  read(to: Uint8Array, off = 0, len = to.length - off, peek = false): number {
    return user.readInto(this.tcb, to.subarray(off, off + len), peek);
  }

  /** The last error that did not end the connection (an ICMP message); reading clears it. */
  takeError(): number {
    const code = this.tcb.softError;
    this.tcb.softError = 0;
    return code;
  }

  /** DSCP and ECN field of our packets (MUST-48). */
  setTos(tos: number): void {
    this.tcb.tos = tos & 0xfc;
  }

  /** Time to live of our packets (MUST-49). */
  setTtl(ttl: number): void {
    this.tcb.ttl = ttl & 255;
  }

  /** `struct tcp_info`. */
  info(): TcpInfo {
    return tcpInfo(this.tcb);
  }

  // --- TcpUser: called by the TCP layer in drain ----------------------------------------------
  opened(): void {
    this.handler.opened(this);
  }
  data(u8: Uint8Array, off: number, len: number): void {
    this.handler.data(this, u8, off, len);
  }
  urgent(): void {
    this.handler.urgent?.(this);
  }
  ended(): void {
    this.handler.ended(this);
  }
  writable(): void {
    this.handler.writable(this);
  }
  written(n: number): void {
    this.handler.written(this, n);
  }
  closed(code: number): void {
    this.#closed = true;
    this.handler.closed(this, code);
  }
}

/** An address from text or as it is; CodeError EINVAL when the text is none. */
export function toAddress(address: string | Address, syscall: string): Address {
  if (typeof address !== 'string') return address;
  const parsed = parse(address);
  if (parsed === null) throw new CodeError(Code.EINVAL, syscall, address);
  return parsed;
}

/** Opens actively. Throws CodeError; later fate comes to the handler as `closed`. */
export function connect(layer: TcpLayer, o: ConnectOptions): TcpSocket {
  const remote = toAddress(o.address, 'connect');
  const local = o.localAddress === undefined ? null : toAddress(o.localAddress, 'bind');
  const link = boundLink(layer.ip, o.link, 'connect');
  const t = user.newConnection(layer);
  const path = t.path;
  path.wantLink = link ?? -1;
  path.dst0 = remote.a;
  path.dst1 = remote.b;
  path.dst2 = remote.c;
  path.dst3 = remote.d;
  const unspecified =
    local === null ||
    ((local.a | local.b | local.d) === 0 && (local.c === 0 || local.c === V4_MAPPED));
  path.anySource = unspecified;
  if (local !== null && !unspecified) {
    path.src0 = local.a;
    path.src1 = local.b;
    path.src2 = local.c;
    path.src3 = local.d;
  }
  t.remotePort = o.port;
  t.localPort = o.localPort ?? 0;
  applyOptions(t, o);
  t.fastOpen = o.fastOpen === true;
  const code = user.openConnection(t);
  if (code !== 0) {
    if (local !== null && code === Code.EADDRNOTAVAIL) {
      throw new CodeError(code, 'bind', local.toString(), o.localPort ?? 0);
    }
    throw new CodeError(code, 'connect', remote.toString(), o.port);
  }
  return new TcpSocket(t, o.handler);
}
