// Berkeley-like calls on TCP for conformance rigs and ports of C programs: bind, listen, accept,
// connect, send, receive (pull-style: what is not read keeps the window shut), shutdown, close with
// and without linger, options, readiness. Nothing blocks: a call that would answers EAGAIN.
// IEEE Std 1003.1 names the calls; errors are negative errno values.

import { Code, CodeError } from '../base/code.ts';
import { synRoom } from '../tcp/fast-open.ts';
import { State } from '../tcp/state.ts';
import { Cork } from '../tcp/tcb.ts';
import type { TcpLayer } from '../tcp/tcp.ts';
import { applyLate, applyNow, openOptions, type StreamOptions } from './stream-options.ts';
import type { TcpInfo } from './tcp-info.ts';
import { TcpServer } from './tcp-server.ts';
import { connect, type TcpHandler, type TcpSocket } from './tcp-socket.ts';

export type { StreamOptions } from './stream-options.ts';

export const Shutdown = { READ: 0, WRITE: 1, BOTH: 2 } as const;

/** Readiness, as poll(2) has it. */
export const Poll = { IN: 1, OUT: 4, ERR: 8, HUP: 16, RDHUP: 32 } as const;

const NOTHING = new Uint8Array(0);

export class StreamSocket {
  readonly #layer: TcpLayer;
  #options: Partial<StreamOptions> = {};
  #address: string | undefined;
  #port = 0;
  #server: TcpServer | null = null;
  #socket: TcpSocket | null = null;
  #connected = false;
  #error: number = Code.NONE;
  #closed = false;
  #urgent = 0;
  /** What had not been read when the connection broke. */
  #left: Uint8Array = NOTHING;

  constructor(layer: TcpLayer) {
    this.#layer = layer;
  }

  /** The connection's handle once there is one. */
  get handle(): TcpSocket | null {
    return this.#socket;
  }
  get localAddress(): string {
    return this.#socket?.localAddress ?? this.#server?.address ?? this.#address ?? '';
  }
  get localPort(): number {
    return this.#socket?.localPort ?? this.#server?.port ?? this.#port;
  }
  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? '';
  }
  get remotePort(): number {
    return this.#socket?.remotePort ?? 0;
  }
  get state(): State {
    if (this.#server !== null) return State.LISTEN;
    return this.#socket === null || this.#closed ? State.CLOSED : this.#socket.state;
  }

  bind(address: string, port: number): number {
    if (this.#socket !== null || this.#server !== null) return Code.EINVAL;
    this.#address = address;
    this.#port = port;
    return Code.NONE;
  }

  listen(backlog = 128): number {
    if (this.#socket !== null) return Code.EINVAL;
    if (this.#server !== null) return Code.NONE;
    try {
      this.#server = new TcpServer(this.#layer, {
        ...openOptions(this.#options),
        address: this.#address,
        port: this.#port,
        backlog,
        ipv6Only: this.#options.ipv6Only,
        reusePort: this.#options.reusePort,
        fastOpen: this.#options.fastOpen,
        handler: { accept: () => null },
      });
    } catch (error) {
      return errnoOf(error);
    }
    this.#server.pause();
    return Code.NONE;
  }

  /** The oldest connection that waits, or EAGAIN. */
  accept(): StreamSocket | number {
    if (this.#server === null) return Code.EINVAL;
    const child = new StreamSocket(this.#layer);
    const s = this.#server.take(child.#handler());
    if (s === null) return Code.EAGAIN;
    s.pause();
    s.tcb.pulled = true;
    child.#socket = s;
    child.#connected = true;
    Object.assign(child.#options, this.#options);
    applyLate(s, this.#options);
    return child;
  }

  /** 0 when the SYN is on its way (EINPROGRESS in C), else an errno. */
  connect(address: string, port: number): number {
    if (this.#server !== null) return Code.EOPNOTSUPP;
    if (this.#socket !== null) return this.#connected ? Code.EISCONN : Code.EALREADY;
    try {
      this.#socket = connect(this.#layer, {
        ...openOptions(this.#options),
        address,
        port,
        localAddress: this.#address,
        localPort: this.#port,
        fastOpen: (this.#options.fastOpen ?? 0) > 0,
        handler: this.#handler(),
      });
    } catch (error) {
      return errnoOf(error);
    }
    this.#socket.pause();
    this.#socket.tcb.pulled = true;
    applyLate(this.#socket, this.#options);
    return Code.NONE;
  }

  /**
   * connect and send in one (sendto with MSG_FASTOPEN, RFC 7413): octets that ride on the SYN, or
   * EINPROGRESS when the peer's cookie is not known yet and nothing was taken.
   */
  connectWith(address: string, port: number, u8: Uint8Array): number {
    if ((this.#options.fastOpen ?? 0) === 0) this.#options.fastOpen = 1;
    const code = this.connect(address, port);
    if (code !== 0 || this.#socket === null) return code;
    const room = synRoom(this.#socket.tcb);
    return room === 0 ? Code.EINPROGRESS : this.#socket.send(u8, 0, Math.min(room, u8.length));
  }

  /**
   * Octets taken (copied), or EAGAIN, EPIPE, or the pending error. `more` (MSG_MORE): a
   * part of a segment waits for what follows, 200 ms at most.
   */
  send(u8: Uint8Array, o: { urgent?: boolean; more?: boolean } = {}): number {
    const s = this.#socket;
    if (this.#error !== 0) return this.takeError();
    if (s === null) return Code.EPIPE; // Linux; POSIX has ENOTCONN
    // what comes in the turn of a Fast Open connect rides on the SYN
    const riding = s.tcb.synPending || s.tcb.fastOpened;
    if (!this.#connected && !riding && !this.#closed) return Code.EAGAIN;
    const low = this.#options.notSentLowWater ?? 0;
    if (low > 0 && s.unsent >= low) return Code.EAGAIN;
    try {
      const t = s.tcb;
      if (t.corked >= Cork.HELD) t.corked = o.more === true ? Cork.HELD_MORE : Cork.HELD;
      else t.corked = o.more === true ? Cork.MORE : Cork.NONE;
      const n = o.urgent === true ? s.sendUrgent(u8) : s.send(u8);
      return n === 0 && u8.length > 0 ? Code.EAGAIN : n;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /**
   * Octets read into `to`, 0 at the end of the stream, EAGAIN, ENOTCONN or the pending error.
   * `all` (MSG_WAITALL): EAGAIN until `to` can be filled or no more will come.
   */
  receive(to: Uint8Array, o: { peek?: boolean; all?: boolean } = {}): number {
    const s = this.#socket;
    if (s === null) return this.#error !== 0 ? this.takeError() : Code.ENOTCONN;
    if (this.#left.length > 0) return this.#readLeft(to, o.peek === true);
    const complete = s.readable >= to.length || s.tcb.finReceived || this.#closed;
    if (o.all === true && !complete && !s.tcb.readShut) return Code.EAGAIN;
    const n = s.read(to, 0, to.length, o.peek === true);
    if (n > 0 || to.length === 0) return n;
    if (s.atEnd) return 0;
    if (this.#error !== 0) return this.takeError();
    if (this.#closed || s.tcb.readShut) return 0;
    return Code.EAGAIN;
  }

  #readLeft(to: Uint8Array, peek: boolean): number {
    const n = Math.min(to.length, this.#left.length);
    to.set(this.#left.subarray(0, n));
    if (!peek) this.#left = n === this.#left.length ? NOTHING : this.#left.subarray(n);
    return n;
  }

  /** In SYN-SENT it gives the attempt up, as on Linux: the socket may connect again. */
  shutdown(how: number): number {
    const s = this.#socket;
    if (s !== null && !this.#closed && s.state === State.SYN_SENT) {
      this.#socket = null;
      this.#error = Code.ECONNRESET;
      s.abort(Code.ECONNABORTED);
      return Code.NONE;
    }
    const open = this.#connected || s?.state === State.SYN_RCVD;
    if (s === null || !open || this.#closed) return Code.ENOTCONN;
    if (how !== Shutdown.READ) s.shutdown();
    if (how !== Shutdown.WRITE) s.tcb.readShut = true;
    return Code.NONE;
  }

  /** Lets go. With `lingerMs` 0 the peer gets a RST. */
  close(): void {
    this.#server?.close();
    this.#server = null;
    if (this.#socket === null || this.#closed) return;
    if (this.#options.lingerMs === 0) this.#socket.abort(Code.ECONNABORTED);
    else this.#socket.close();
  }

  abort(): void {
    if (!this.#closed) this.#socket?.abort(Code.ECONNABORTED);
  }

  /** Bits of Poll. */
  poll(): number {
    if (this.#server !== null) return this.#server.waiting > 0 ? Poll.IN : 0;
    const s = this.#socket;
    if (s === null) return Poll.OUT | Poll.HUP;
    let bits = this.#error !== 0 ? Poll.ERR : 0;
    if (this.#closed) return bits | Poll.IN | Poll.OUT | Poll.HUP | Poll.RDHUP;
    const t = s.tcb;
    const end = t.finReceived || t.readShut;
    if (end || s.readable >= (this.#options.receiveLowWater ?? 1)) bits |= Poll.IN;
    if (end) bits |= Poll.RDHUP;
    if (this.#connected && (t.finQueued || this.#hasRoom(s))) bits |= Poll.OUT;
    if (end && t.finQueued) bits |= Poll.HUP;
    return bits;
  }

  #hasRoom(s: TcpSocket): boolean {
    const low = this.#options.notSentLowWater ?? 0;
    // tcp_stream_memory_free: it wakes when half of the mark is left
    return s.queued < s.sendHighWater && (low === 0 || s.unsent * 2 < low);
  }

  /** After close() with a linger time: something is not acknowledged yet, and C's close waits. */
  get lingers(): boolean {
    const s = this.#socket;
    if (s === null || this.#closed || (this.#options.lingerMs ?? 0) === 0) return false;
    return s.queued > 0 || !s.tcb.finSent || s.tcb.packetsOut > 0;
  }

  /** SO_ERROR: the pending error, which is cleared. */
  takeError(): number {
    const code = this.#error !== 0 ? this.#error : (this.#socket?.takeError() ?? 0);
    this.#error = Code.NONE;
    return code;
  }

  /** Urgent marks that have come (SIGURG would have been sent so often). */
  get urgentMarks(): number {
    return this.#urgent;
  }

  /** SIOCINQ and SIOCOUTQ. */
  get unread(): number {
    if (this.#left.length > 0) return this.#left.length;
    return this.#socket?.readable ?? 0;
  }
  get unacknowledged(): number {
    return this.#socket?.queued ?? 0;
  }

  info(): TcpInfo | null {
    return this.#socket?.info() ?? null;
  }

  /** Sets options, now or for the connection to come. */
  set(o: Partial<StreamOptions>): void {
    // spread, not assign: a key `__proto__` of untrusted options stays a key
    this.#options = { ...this.#options, ...o };
    this.#server?.adjust({ ...openOptions(this.#options), fastOpen: this.#options.fastOpen });
    if (this.#socket !== null) applyNow(this.#socket, o, this.#options);
  }

  #handler(): TcpHandler {
    return {
      opened: () => {
        this.#connected = true;
      },
      data: () => {},
      urgent: () => {
        this.#urgent++;
      },
      ended: () => {},
      writable: () => {},
      written: () => {},
      closed: (s, code) => {
        if (s !== this.#socket) return; // given up
        this.#left = leftIn(s);
        this.#closed = true;
        this.#error = code;
      },
    };
  }
}

/** The kernel hands out what had come before a reset, and then the error. */
function leftIn(s: TcpSocket): Uint8Array {
  const n = s.readable;
  if (n === 0) return NOTHING;
  const left = new Uint8Array(n);
  return left.subarray(0, s.read(left, 0, n));
}

function errnoOf(error: unknown): number {
  if (error instanceof CodeError) return error.errno;
  throw error;
}
