// net.Socket over a host's stack. It is a node:net Socket by inheritance (`instanceof` holds, and
// argument checks, timeouts, `end`, `destroySoon`, `readyState` are Node's own code) that never has
// a handle of the kernel's: every method that would use one is here. `_handle` is a stream for the
// native halves of tls, http2 and http (native-handle.ts), or null: then they wrap the socket.

import type { Buffer as NodeBuffer } from 'node:buffer';
import * as net from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { WriteCallback } from './backlog.ts';
import { type Chunks, octets, putAll } from './chunks.ts';
import { SystemClock } from './clock.ts';
import { Edge } from './edge.ts';
import { coded, errnoError } from './errors.ts';
import type { Ground } from './ground.ts';
import { moveTimeout, stopTimeout } from './idle-timer.ts';
import { hasNativeHandles, type NativeHandle, nativeHandleOf } from './native-handle.ts';
import { begin, connectArgs } from './net-connect.ts';
import { OnRead, usableOnRead } from './on-read.ts';
import type { SocketOptions } from './socket-options.ts';
import { reachWrapped } from './stream-handle.ts';
import { readTcpOptions, useTcpOptions } from './tcp-options.ts';
import { addTcpSetters } from './tcp-setters.ts';

export const kEdge = Symbol('portside.edge');

/** Members of net.Socket and its streams that their types do not name. */
interface Hidden {
  [kEdge]: Edge;
  connecting: boolean;
  allowHalfOpen: boolean;
  readableFlowing: boolean | null;
  resetAndClosing?: boolean;
  _closeAfterHandlingError: boolean;
  _parent: Hidden | null;
  _pendingData: unknown;
  _pendingEncoding: string;
  _server: { _connections: number; _emitCloseIfDrained?(): void } | null;
  _readableState: { endEmitted: boolean };
  _undestroy(): void;
  _unrefTimer(): void;
  _read(n: number): void;
  _final(callback: WriteCallback): void;
  _writeGeneric(many: boolean, data: unknown, encoding: string, callback: WriteCallback): void;
}

function edgeOf(socket: unknown): Edge {
  return (socket as Hidden)[kEdge];
}

function hidden(socket: unknown): Hidden {
  return socket as Hidden;
}

/** One for all sockets: it is read, not kept. */
const ownEdge: { value: Edge | null } = { value: null };

/** Makes `self` (already a net.Socket) a socket of this host. */
export function initSocket(self: net.Socket, ground: Ground, options: SocketOptions): Edge {
  const edge = new Edge(ground, self);
  ownEdge.value = edge;
  Object.defineProperty(self, kEdge, ownEdge);
  ownEdge.value = null;
  edge.noDelay = Boolean(options.noDelay);
  edge.keepAlive = Boolean(options.keepAlive);
  edge.keepAliveSeconds = ~~(Number(options.keepAliveInitialDelay ?? 0) / 1000);
  useTcpOptions(edge, options.tcp);
  const onread = usableOnRead(options.onread);
  if (onread !== null) edge.onread = new OnRead(edge, onread);
  return edge;
}

export class SocketBody extends net.Socket {
  override connect(...args: unknown[]): this {
    const [options, callback] = connectArgs(args);
    const self = hidden(this);
    const edge = edgeOf(this);
    if (callback !== null) this.once('connect', callback);
    if (self._parent?.connecting) return this;
    if (options.port === undefined && options.path == null) {
      const text = 'The "options" or "port" or "path" argument must be specified';
      throw coded(TypeError, 'ERR_MISSING_ARGS', text);
    }
    if (this.write !== net.Socket.prototype.write) this.write = net.Socket.prototype.write;
    if (!edge.active) {
      self._undestroy();
      edge.renew();
    }
    self._unrefTimer();
    self.connecting = true;
    try {
      begin(edge, options);
    } catch (error) {
      // The program may have no reference to it: what was refused must not hold the event loop.
      edge.detach(false);
      throw error;
    }
    return this;
  }

  override _read(n: number): void {
    const edge = edgeOf(this);
    if (this.connecting || !edge.active) this.once('connect', () => this._read(n));
    else edge.startReading();
  }

  /** Both _write and _writev of net.Socket come here. */
  _writeGeneric(many: boolean, data: unknown, encoding: string, callback: WriteCallback): void {
    const self = hidden(this);
    const edge = edgeOf(this);
    if (this.connecting) {
      waitForConnect(this, many, data, encoding, callback);
      return;
    }
    self._pendingData = null;
    self._pendingEncoding = '';
    if (!edge.active) {
      callback(coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'));
      return;
    }
    self._unrefTimer();
    if (edge.over) {
      callback(errnoError(edge.fate === 0 ? Code.EPIPE : edge.fate, 'write'));
      return;
    }
    try {
      if (many) putAll(edge, data as Chunks);
      else edge.put(octets(data as string | Uint8Array, encoding as BufferEncoding));
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      callback(errnoError(error.errno, 'write'));
      return;
    }
    edge.settle(callback);
  }

  override _final(callback: WriteCallback): void {
    const edge = edgeOf(this);
    if (this.pending) {
      this.once('connect', () => this._final(callback));
      return;
    }
    if (!edge.active) {
      callback();
      return;
    }
    edge.shutdown(callback);
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    const self = hidden(this);
    const edge = edgeOf(this);
    const isActive = edge.active;
    self.connecting = false;
    clearTimeouts(self);
    if (!isActive) {
      callback(error);
      process.nextTick(() => this.emit('close'));
    } else {
      const reset = self.resetAndClosing === true;
      self.resetAndClosing = false;
      // http answers a parse error in its 'clientError' handler: the handle outlives that tick.
      if (self._closeAfterHandlingError && !reset) queueMicrotask(() => finish(this, edge, error));
      else finish(this, edge, error, reset);
      callback(error);
    }
    if (self._server !== null) {
      self._server._connections--;
      self._server._emitCloseIfDrained?.();
    }
  }

  override resetAndDestroy(): this {
    const edge = edgeOf(this);
    if (!edge.active) return this.destroy(coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'));
    if (this.connecting) this.once('connect', () => this._reset());
    else this._reset();
    return this;
  }

  _reset(): this {
    hidden(this).resetAndClosing = true;
    return this.destroy();
  }

  override setNoDelay(enable?: boolean): this {
    const edge = edgeOf(this);
    const on = enable === undefined ? true : Boolean(enable);
    if (on === edge.noDelay) return this;
    edge.noDelay = on;
    if (edge.active && !this.connecting && !edge.over) edge.handle?.setNoDelay(on);
    return this;
  }

  override setKeepAlive(
    enable?: boolean,
    initialDelayMs?: number,
    intervalMs?: number,
    probes?: number,
  ): this {
    const edge = edgeOf(this);
    const on = Boolean(enable);
    const seconds = ~~((initialDelayMs ?? 0) / 1000);
    const more = readTcpOptions({ keepAliveInterval: intervalMs, keepAliveProbes: probes });
    const same = seconds === edge.keepAliveSeconds && Object.keys(more).length === 0;
    if (on === edge.keepAlive && (!on || same)) return this;
    edge.tcp = { ...edge.tcp, ...more };
    edge.keepAlive = on;
    edge.keepAliveSeconds = seconds;
    if (edge.active && !this.connecting) edge.applyKeepAlive();
    return this;
  }

  /** Before connect there is nothing yet that could hold the event loop. */
  override ref(): this {
    if (!edgeOf(this).active) this.once('connect', this.ref);
    else edgeOf(this).ref(true);
    return this;
  }

  override unref(): this {
    if (!edgeOf(this).active) this.once('connect', this.unref);
    else edgeOf(this).ref(false);
    return this;
  }

  override pause(): this {
    const edge = edgeOf(this);
    if (edge.onread !== null && !this.connecting && edge.reading) edge.stopReading();
    return super.pause();
  }

  override resume(): this {
    const edge = edgeOf(this);
    if (edge.onread !== null && !this.connecting) edge.startReading();
    return super.resume();
  }

  override read(size?: number): NodeBuffer | string | null {
    const edge = edgeOf(this);
    if (edge.onread !== null && !this.connecting) edge.startReading();
    return super.read(size) as NodeBuffer | string | null;
  }

  /**
   * What Node's wrapper around streams (tls, http2) takes for granted of a handle: 'connect' still
   * comes after the wrapping, the end of reading does not end writing, options reach the socket.
   */
  override once(event: string | symbol, listener: (...args: never[]) => void): this {
    super.once(event as string, listener as () => void);
    if (hasNativeHandles) return this;
    if (event === 'connect' && edgeOf(this).active && !this.connecting && calledBy(TLS)) {
      process.nextTick(() => {
        if (this.destroyed) return;
        this.removeListener('connect', listener as () => void);
        (listener as () => void).call(this);
      });
    } else if (event === 'end' && this.readableFlowing === false && calledBy(WRAPPER)) {
      edgeOf(this).wrapped = true;
      reachWrapped(kEdge);
      // A tick later: the TLSSocket that is being made takes our allowHalfOpen for its own.
      process.nextTick(() => {
        this.allowHalfOpen = true;
      });
    }
    return this;
  }

  override setTimeout(ms: number, callback?: () => void): this {
    const { clock } = edgeOf(this).ground.driver;
    const isSystems = clock instanceof SystemClock;
    if (!isSystems) stopTimeout(this);
    super.setTimeout(ms, callback);
    if (!isSystems) moveTimeout(this, clock, () => edgeOf(this).run(() => this._onTimeout()));
    return this;
  }

  _onTimeout(): void {
    const edge = edgeOf(this);
    // A write that the peer is still taking is activity; `wrote` refreshes when it moves on.
    const before = edge.unsentSeen;
    edge.unsentSeen = edge.owing && !edge.over ? (edge.handle?.queued ?? 0) : 0;
    if (edge.unsentSeen > 0 && before !== edge.unsentSeen) hidden(this)._unrefTimer();
    else this.emit('timeout');
  }

  _getsockname(): net.AddressInfo | object {
    const edge = edgeOf(this);
    return edge.localInfo() ?? {};
  }

  _getpeername(): net.AddressInfo | object {
    const edge = edgeOf(this);
    return (this.connecting ? edge.remote : edge.remoteInfo()) ?? {};
  }
}

addTcpSetters(SocketBody.prototype, edgeOf);

// Getters that net.Socket has as accessors and its type as properties. The prototype is asked too.
Object.defineProperties(SocketBody.prototype, {
  _handle: {
    configurable: true,
    get(this: SocketBody): NativeHandle | null {
      const edge = edgeOf(this);
      return edge === undefined ? null : nativeHandleOf(edge);
    },
    // Node's constructor, and whoever takes a handle away: ours goes with its connection.
    set(): void {},
  },
  pending: {
    configurable: true,
    get(this: SocketBody): boolean {
      return !edgeOf(this)?.active || this.connecting;
    },
  },
  bufferSize: {
    configurable: true,
    get(this: SocketBody): number | undefined {
      return edgeOf(this)?.active ? this.writableLength : undefined;
    },
  },
  bytesRead: {
    configurable: true,
    enumerable: true,
    get(this: SocketBody): number | undefined {
      return edgeOf(this)?.bytesRead;
    },
  },
  _bytesDispatched: {
    configurable: true,
    enumerable: true,
    get(this: SocketBody): number | undefined {
      return edgeOf(this)?.bytesWritten;
    },
  },
});

function waitForConnect(
  socket: SocketBody,
  many: boolean,
  data: unknown,
  encoding: string,
  callback: WriteCallback,
): void {
  const self = hidden(socket);
  self._pendingData = data;
  self._pendingEncoding = encoding;
  const onClose = (): void => {
    const text = 'Socket closed before the connection was established';
    callback(coded(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', text));
  };
  socket.once('connect', () => {
    socket.off('close', onClose);
    socket._writeGeneric(many, data, encoding, callback);
  });
  socket.once('close', onClose);
}

function clearTimeouts(self: Hidden): void {
  for (let s: Hidden | null = self; s !== null && s !== undefined; s = s._parent) stopTimeout(s);
}

/** Lets the handle go; 'close' comes after the error's tick, as from the kernel's handle. */
function finish(socket: net.Socket, edge: Edge, error: Error | null, reset = false): void {
  edge.detach(reset);
  setImmediate(() => {
    edge.disown(null);
    edge.run(() => socket.emit('close', error !== null && error !== undefined));
  });
}

const TLS = /node:(_tls_wrap|internal\/tls\/wrap)/;
const WRAPPER = /node:internal\/js_stream_socket/;

/** Only asked where a listener comes at an unusual moment: a stack trace costs microseconds. */
function calledBy(module: RegExp): boolean {
  return module.test(new Error().stack ?? '');
}
