// The edge of one TCP connection: the core's handle on one side, a net.Socket on the other. It
// copies received octets out, hands written ones in, maps `push() === false` and the Writable's
// callback to the handle's pause and `written`, and keeps the event loop alive.

import { AsyncResource } from 'node:async_hooks';
import type { Buffer } from 'node:buffer';
import type * as net from 'node:net';
import type { TcpOptions, TcpSocket } from '../socket/tcp-socket.ts';
import { Backlog, both, type WriteCallback } from './backlog.ts';
import { errnoError, hostClosed } from './errors.ts';
import type { Ground, Tenant } from './ground.ts';
import { LoopHold } from './loop-hold.ts';
import type { NativeHandle } from './native-handle.ts';
import type { OnRead } from './on-read.ts';
import { rethrow } from './rethrow.ts';

/** Shared by all who have none; nobody writes into it. */
const NO_OPTIONS: TcpOptions = Object.freeze({});
/** The stack's own link. */
const LOOPBACK = 0;

export class Edge implements Tenant {
  readonly ground: Ground;
  readonly socket: net.Socket;
  readonly resource: AsyncResource;
  handle: TcpSocket | null = null;
  /** From connect() or accept to destroy: what Node calls having a handle. */
  active = false;
  /** The handle has said its last word. */
  over = true;
  /** Its errno, when the program is to hear of it at its next write only. */
  fate = 0;
  /** The peer has ended, or reading has. */
  ended = false;
  /** Data may come: the stream has asked for more. */
  reading = false;
  bytesRead = 0;
  bytesWritten = 0;
  noDelay = false;
  keepAlive = false;
  keepAliveSeconds = 0;
  /** Options of the connection that it gets when it is made, and those that it is told later. */
  tcp: TcpOptions = NO_OPTIONS;
  fastOpen = false;
  quickAck: boolean | null = null;
  corked = false;
  pacingRate = 0;
  onread: OnRead | null = null;
  /** `_handle`, once somebody has asked for it. */
  native: NativeHandle | null = null;
  /** Beneath a TLSSocket or an http2 session, which would write after an `end` of ours. */
  wrapped = false;
  /** Accepted on a dual-stack listener: IPv4 addresses are shown as ::ffff:a.b.c.d. */
  mapped = false;
  /** As net.Socket has shown them: the remote one is kept after the end, as Node keeps it. */
  local: net.AddressInfo | null = null;
  remote: net.AddressInfo | null = null;
  /** The attempt that waits for the handle's verdict; set by net-attempt.ts. */
  onVerdict: ((code: number) => void) | null = null;
  #isAsking = false;
  /** Octets queued when the idle timeout last looked. */
  unsentSeen = 0;
  /** What waits for room in the send buffer, and the callback that is owed for it. */
  readonly #backlog = new Backlog();
  #owed: WriteCallback | null = null;
  #finWaits = false;
  #openTurn = -1;
  /** The last turn in which a write was done at once. */
  #doneTurn = -1;
  readonly #hold: LoopHold;

  constructor(ground: Ground, socket: net.Socket) {
    this.ground = ground;
    this.socket = socket;
    this.resource = new AsyncResource('PORTSIDE_TCP', { requireManualDestroy: true });
    this.#hold = new LoopHold(this);
  }

  /** The socket has a use for the event loop from here on. */
  activate(): void {
    this.active = true;
    this.ground.enter(this);
    this.#hold.apply();
  }

  attach(handle: TcpSocket, verdict: ((code: number) => void) | null): void {
    this.handle = handle;
    this.onVerdict = verdict;
    this.over = false;
    this.fate = 0;
    this.ended = false;
    this.#hold.begin();
    handle.owner = this;
    this.#openTurn = this.ground.driver.turns;
    this.#hold.apply();
  }

  /** The host's own lookup is under way; one of the program's keeps the process if it wants. */
  ask(on: boolean): void {
    this.#isAsking = on;
    this.#hold.apply();
  }

  get connecting(): boolean {
    return this.#isAsking || this.onVerdict !== null;
  }

  /** The connection stands: options that were set before are applied. */
  opened(): void {
    const handle = this.handle as TcpSocket;
    this.#openTurn = this.ground.driver.turns;
    if (this.noDelay) handle.setNoDelay(true);
    if (this.keepAlive) this.applyKeepAlive();
    if (this.quickAck !== null) handle.setQuickAck(this.quickAck);
    if (this.corked) handle.cork();
    if (this.pacingRate > 0) handle.setMaxPacingRate(this.pacingRate);
    this.reading = false;
    this.#hold.apply();
  }

  /** `address()` of a live socket; null without one. */
  localInfo(): net.AddressInfo | null {
    const handle = this.handle;
    if (!this.active || handle === null) return null;
    if (this.local !== null) return this.local;
    const info = this.#info(handle.localAddress, handle.localPort, handle.family);
    if (this.socket.connecting) return info;
    this.local = info;
    return info;
  }

  remoteInfo(): net.AddressInfo | null {
    const handle = this.handle;
    if (this.remote !== null || !this.active || handle === null) return this.remote;
    this.remote = this.#info(handle.remoteAddress, handle.remotePort, handle.family);
    return this.remote;
  }

  #info(address: string, port: number, family: number): net.AddressInfo {
    if (this.mapped && family === 4) return addressInfo(`::ffff:${address}`, port, 6);
    return addressInfo(address, port, family);
  }

  applyKeepAlive(): void {
    const idleMs = this.keepAliveSeconds > 0 ? this.keepAliveSeconds * 1000 : undefined;
    const { keepAliveIntervalMs: interval, keepAliveProbes: probes } = this.tcp;
    if (!this.over) this.handle?.setKeepAlive(this.keepAlive, idleMs, interval, probes);
  }

  /** Runs the program's code in the context in which the socket was made. */
  run(what: () => void): void {
    try {
      this.resource.runInAsyncScope(what);
    } catch (error) {
      rethrow(error);
    }
  }

  // --- reading -----------------------------------------------------------------------------

  deliver(u8: Uint8Array, off: number, len: number): void {
    const socket = this.socket;
    if (socket.destroyed) return;
    this.bytesRead += len;
    refreshTimer(socket);
    if (this.onread !== null) {
      this.onread.deliver(u8, off, len);
      return;
    }
    const { native, resource } = this;
    try {
      // Whoever listens natively copies, and says by readStop that it is enough.
      if (native !== null) {
        resource.runInAsyncScope(native.deliver, native, u8.subarray(off, off + len));
      } else {
        const chunk = this.ground.delivery.copy(u8, off, len);
        if (!resource.runInAsyncScope(pushChunk, undefined, socket, chunk)) this.stopReading();
      }
    } catch (error) {
      rethrow(error);
    }
  }

  /** The peer has sent FIN and everything before it has been delivered. */
  end(): void {
    const socket = this.socket;
    if (socket.destroyed) return;
    this.ended = true;
    this.#hold.apply();
    this.run(() => {
      if (this.native !== null) {
        this.native.emitEOF();
        return;
      }
      socket.push(null);
      socket.read(0);
    });
  }

  stopReading(): void {
    this.reading = false;
    if (!this.over) this.handle?.pause();
    this.#hold.apply();
  }

  startReading(): void {
    if (this.reading || !this.active) return;
    this.reading = true;
    this.#hold.apply();
    if (this.onread?.waiting) this.onread.deliverSoon();
    else this.resumeHandle();
  }

  resumeHandle(): void {
    if (!this.over) this.handle?.resume();
  }

  // --- writing -----------------------------------------------------------------------------

  /**
   * Takes a chunk: into the send buffer as far as there is room, the rest as `writable` makes some.
   * Throws CodeError EPIPE when the connection takes nothing any more.
   */
  put(chunk: Uint8Array): void {
    const len = chunk.byteLength;
    if (len === 0) return;
    this.bytesWritten += len;
    this.#backlog.put(this.handle as TcpSocket, chunk);
  }

  /** Calls `done` as soon as everything put lies in the send buffer: the memory is free again. */
  settle(done: WriteCallback): void {
    if (!this.#backlog.empty) this.#owed = both(this.#owed, done);
    this.#hold.apply();
    if (this.#owed !== null) return;
    this.#doneTurn = this.ground.driver.turns;
    done();
  }

  get owing(): boolean {
    return this.#owed !== null;
  }

  /** There is room again. */
  writable(): void {
    refreshTimer(this.socket);
    const isEmpty = this.#backlog.flush(this.handle as TcpSocket);
    const done = this.#owed;
    if (!isEmpty || done === null) return;
    this.#owed = null;
    if (this.#finWaits) this.#shutdown();
    // The stream calls back for what was done at once in ticks, and no tick has come in this turn.
    const isEarly = this.#doneTurn === this.ground.driver.turns;
    if (isEarly) process.nextTick(() => this.run(done));
    else this.run(done);
  }

  /** The socket is dead: whoever waits for a write is told once, in Node's way with the fate. */
  disown(error: Error | null): void {
    const done = this.#owed;
    this.#owed = null;
    if (done !== null) this.run(() => done(error));
  }

  // --- the end -----------------------------------------------------------------------------

  /** The handle's last word. */
  closed(code: number): void {
    this.over = true;
    const verdict = this.onVerdict;
    this.onVerdict = null;
    this.#hold.apply();
    if (verdict !== null) {
      this.run(() => verdict(code));
      return;
    }
    if (code === 0 || this.socket.destroyed) return;
    // Opened and lost in one turn: the program has not yet had its turn to listen for 'error'.
    if (this.#openTurn === this.ground.driver.turns) setImmediate(() => this.#lost(code));
    else this.#lost(code);
  }

  #lost(code: number): void {
    if (this.socket.destroyed) return;
    if (this.ended && !this.owing) {
      // Nobody reads any more: as with the kernel, only a write finds out.
      this.fate = code;
      return;
    }
    this.run(() => this.socket.destroy(errnoError(code, this.owing ? 'write' : 'read')));
  }

  /** The socket is destroyed: the handle goes its own way to the end. */
  detach(reset: boolean): void {
    this.active = false;
    this.reading = false;
    this.#isAsking = false;
    this.onread?.clear();
    this.onVerdict = null;
    this.ground.leave(this);
    const handle = this.handle;
    if (handle !== null && !this.over) {
      // What lies in the send buffer still goes out, as from the kernel's; the rest is dropped.
      this.#backlog.clear();
      // The kernel sends in write(2): what was written goes before a reset here too, a turn later.
      const resets = reset || handle.readable > 0;
      if (resets && handle.unsent > 0) setImmediate(() => handle.abort());
      else if (reset) handle.abort();
      else handle.close();
    }
    this.#hold.finish();
  }

  /** The socket is to connect anew; what is left of its old connection ends by itself. */
  renew(): void {
    if (this.handle !== null) this.handle.owner = null;
    this.handle = null;
    this.over = true;
    this.local = null;
    this.remote = null;
    this.native = null;
    this.#finWaits = false;
    this.bytesRead = 0;
    this.bytesWritten = 0;
    this.ref(true);
    this.activate();
  }

  /** Drops an attempt's handle and keeps the socket. */
  forget(): void {
    const handle = this.handle;
    this.handle = null;
    this.onVerdict = null;
    if (handle !== null && !this.over) {
      handle.owner = null;
      this.over = true;
      handle.abort();
    }
    this.over = true;
  }

  ref(on: boolean): void {
    this.#hold.ref(on);
  }

  get refed(): boolean {
    return this.#hold.refed;
  }

  /** FIN behind what has been put; `done` follows. */
  shutdown(done: WriteCallback): void {
    if (this.handle?.tcb.path.linkId === LOOPBACK) {
      // A peer on the same stack would hear of our end, and answer, before we have finished.
      setImmediate(() => {
        if (this.active) this.#shutdown();
        this.run(done);
      });
      return;
    }
    this.#shutdown();
    setImmediate(() => this.run(done));
  }

  #shutdown(): void {
    if (this.over) return;
    // A native writer's stream does not know what waits: the FIN goes behind it.
    this.#finWaits = this.owing;
    if (this.#finWaits) return;
    this.handle?.shutdown();
    this.#hold.finish();
  }

  // --- Tenant ------------------------------------------------------------------------------

  shut(): void {
    if (this.socket.connecting) this.run(() => this.socket.destroy(hostClosed()));
    else if (this.wrapped) this.run(() => this.socket.destroy());
    else this.run(() => this.socket.end());
  }

  fail(error: number | null): void {
    if (this.socket.destroyed) return;
    if (!this.over) this.handle?.abort();
    const reason = error === null ? undefined : errnoError(error, 'read');
    this.run(() => this.socket.destroy(reason));
  }
}

export function addressInfo(address: string, port: number, family: number): net.AddressInfo {
  return { address, family: family === 6 ? 'IPv6' : 'IPv4', port };
}

function pushChunk(socket: net.Socket, chunk: Buffer): boolean {
  return socket.push(chunk);
}

function refreshTimer(socket: net.Socket): void {
  (socket as net.Socket & { _unrefTimer(): void })._unrefTimer();
}
