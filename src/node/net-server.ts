// net.Server over a host's stack. Node's own code parses the arguments of `listen`, counts
// connections and closes; what it asks of its handle (address, close, ref) is a TcpServer here.

import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import * as net from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { Knock, ServerHandler, TcpServer } from '../socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Edge } from './edge.ts';
import { addressInfo } from './edge.ts';
import { edgeHandler } from './edge-handler.ts';
import { errnoError, hostClosed, listenError, unsupported } from './errors.ts';
import type { Ground, LookupAddress, Tenant } from './ground.ts';
import { type ConnectOptions, normalizeArgs } from './net-connect.ts';
import { kEdge } from './net-socket.ts';
import { rethrow } from './rethrow.ts';
import {
  type Gate,
  type ListenExtras,
  listenExtrasOf,
  peerOf,
  readServerExtras,
  type ServerExtras,
} from './server-options.ts';
import type { SocketOptions } from './socket-options.ts';
import { readTcpOptions, useTcpOptions } from './tcp-options.ts';
import { settleTicks } from './ticks.ts';

export const kGround = Symbol('portside.ground');
const kExtras = Symbol('portside.extras');
const kName = Symbol('portside.name');

/** libuv's UV_TCP_IPV6ONLY, which Node passes down as a flag. */
const IPV6_ONLY = 1;
const DEFAULT_BACKLOG = 511;

const serverSockets = channel('net.server.socket');
/** The rest of Node's tracing channel of `listen`; its start is published by Node's own code. */
const listenEnd = channel('tracing:net.server.listen:asyncEnd');
const listenFailed = channel('tracing:net.server.listen:error');

/** Members of net.Server that its type does not name, and ours. */
export interface ServerInner {
  [kGround]: Ground;
  [kExtras]: ServerExtras & ListenExtras;
  /** Set while Node checks the arguments of a `listen` whose host is a name. */
  [kName]: { host: string; flags: number } | null;
  _handle: ListenHandle | null;
  _connections: number;
  _unref: boolean;
  _connectionKey: string;
  _listeningId: number;
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  keepAliveInitialDelay: number;
  highWaterMark: number;
  maxConnections?: number;
  Socket: SocketFactory;
}

export type SocketFactory = new (options: SocketOptions) => net.Socket;

/** What Node's Server calls its handle. */
class ListenHandle implements ServerHandler, Tenant {
  readonly server: net.Server;
  readonly ground: Ground;
  readonly Socket: SocketFactory;
  readonly #resource = new AsyncResource('PORTSIDE_TCP_SERVER', { requireManualDestroy: true });
  core: TcpServer | null = null;
  #refed = false;

  constructor(server: net.Server, ground: Ground, Socket: SocketFactory) {
    this.server = server;
    this.ground = ground;
    this.Socket = Socket;
    const gate = (server as unknown as ServerInner)[kExtras].gate;
    if (gate !== undefined) this.gate = (_core, knock) => this.#ask(gate, knock);
  }

  /** The program's word on a peer whose SYN is held; its failure refuses and is its own. */
  #ask(gate: Gate, knock: Knock): void {
    this.#resource.runInAsyncScope(() => {
      new Promise<boolean | string>((resolve) => resolve(gate(peerOf(knock)))).then(
        (answer) => {
          if (answer === true) knock.admit();
          else if (answer === 'silent') knock.ignore();
          else knock.reset();
        },
        (error: unknown) => {
          knock.reset();
          rethrow(error);
        },
      );
    });
  }

  opened(core: TcpServer): void {
    this.core = core;
    this.ground.enter(this);
    this.ref();
  }

  getsockname(out: Partial<net.AddressInfo>): number {
    if (this.core === null) return Code.EINVAL;
    Object.assign(out, addressInfo(this.core.address, this.core.port, this.core.family));
    return 0;
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  ref(): void {
    if (this.#refed || this.core === null) return;
    this.#refed = true;
    this.ground.driver.hold();
  }

  unref(): void {
    if (!this.#refed) return;
    this.#refed = false;
    this.ground.driver.release();
  }

  hasRef(): boolean {
    return this.#refed;
  }

  close(callback?: () => void): void {
    this.unref();
    this.core?.close();
    this.core = null;
    this.ground.leave(this);
    if (typeof callback === 'function') setImmediate(callback);
  }

  shut(): void {
    this.server.close();
  }

  fail(error: number | null): void {
    if (error !== null && this.server.listenerCount('error') > 0) {
      this.server.emit('error', errnoError(error, 'accept'));
    }
    if ((this.server as unknown as ServerInner)._handle === this) this.server.close();
  }

  /** Present only where the program has a gate: then the core holds each SYN. */
  gate?: (core: TcpServer, knock: Knock) => void;

  accept(_core: TcpServer, s: TcpSocket): TcpHandler | null {
    const inner = this.server as unknown as ServerInner;
    if (inner.maxConnections && inner._connections >= inner.maxConnections) {
      this.#drop(s);
      return droppedHandler;
    }
    try {
      this.#resource.runInAsyncScope(welcome, this, this, s);
    } catch (error) {
      rethrow(error);
    }
    settleTicks();
    return edgeHandler;
  }

  #drop(s: TcpSocket): void {
    const data = {
      localAddress: s.localAddress,
      localPort: s.localPort,
      localFamily: s.family === 6 ? 'IPv6' : 'IPv4',
      remoteAddress: s.remoteAddress,
      remotePort: s.remotePort,
      remoteFamily: s.family === 6 ? 'IPv6' : 'IPv4',
    };
    s.handler = droppedHandler;
    s.close();
    try {
      this.#resource.runInAsyncScope(() => this.server.emit('drop', data));
    } catch (error) {
      rethrow(error);
    }
    settleTicks();
  }
}

/** A connection over `maxConnections` is closed with FIN, as Node's accept-and-close does. */
const droppedHandler: TcpHandler = {
  opened(): void {},
  data(): void {},
  ended(): void {},
  writable(): void {},
  written(): void {},
  closed(): void {},
};

/** Makes the socket of a new connection and shows it to the program. */
function welcome(listen: ListenHandle, s: TcpSocket): void {
  const { server } = listen;
  const inner = server as unknown as ServerInner;
  const socket = new listen.Socket({
    allowHalfOpen: inner.allowHalfOpen,
    readable: true,
    writable: true,
    readableHighWaterMark: inner.highWaterMark,
    writableHighWaterMark: inner.highWaterMark,
    // The type of the constructor's options leaves the stream's out.
  } as net.SocketConstructorOpts);
  const edge = (socket as unknown as { [kEdge]: Edge })[kEdge];
  useTcpOptions(edge, inner[kExtras].tcp);
  edge.noDelay = inner.noDelay;
  edge.keepAlive = inner.keepAlive;
  edge.keepAliveSeconds = inner.keepAliveInitialDelay;
  edge.attach(s, null);
  edge.mapped = listen.core?.family === 6;
  s.handler = edgeHandler;
  edge.activate();
  edge.opened();
  if (inner.pauseOnConnect) {
    edge.stopReading();
    (socket as unknown as { readableFlowing: boolean }).readableFlowing = false;
  } else socket.read(0);
  inner._connections++;
  const owned = socket as unknown as { server: net.Server; _server: net.Server };
  owned.server = server;
  owned._server = server;
  server.emit('connection', socket);
  if (serverSockets.hasSubscribers) serverSockets.publish({ socket });
}

export class ServerBody extends net.Server {
  /**
   * Node checks the arguments and calls `_listen2`. A name would be looked up on the machine before
   * that: it is taken out, and looked up on the host there.
   */
  override listen(...args: unknown[]): this {
    const inner = this as unknown as ServerInner;
    const [options, callback] = normalizeArgs(args);
    const extras = listenExtrasOf(options);
    Object.assign(inner[kExtras], extras);
    if (extras.any === true) {
      const known = { ...options, port: 0, exclusive: true } as net.ListenOptions;
      return super.listen(known, callback === null ? undefined : callback);
    }
    const host = isNamed(options) ? options.host : null;
    if (host === null || inner._handle !== null) return super.listen(...(args as []));
    const backlog = args.filter((a) => typeof a === 'number')[1];
    const known = { backlog, ...options, host: undefined, exclusive: true };
    inner[kName] = { host, flags: isIpv6Only(options) ? IPV6_ONLY : 0 };
    try {
      return super.listen(known, callback === null ? undefined : callback);
    } finally {
      inner[kName] = null;
    }
  }

  /** Node's step from checked arguments to a listening handle. */
  _listen2(
    address: string | null,
    port: number,
    family: number,
    backlog: number,
    fd?: number,
    flags?: number,
  ): void {
    const inner = this as unknown as ServerInner;
    const ground = inner[kGround];
    const name = inner[kName];
    if (name !== null) {
      lookupHost(this, name.host, (found) =>
        this._listen2(found.address, port, found.family, backlog, undefined, name.flags),
      );
      return;
    }
    let problem: Error | null = null;
    if (ground.closed) problem = hostClosed();
    else if (typeof fd === 'number') problem = unsupported('listening on a descriptor');
    else if (port === -1 && family === -1) problem = unsupported('listening on a path');
    else {
      const handle = new ListenHandle(this, ground, inner.Socket);
      const ipv6Only = ((flags ?? 0) & IPV6_ONLY) !== 0;
      problem = bind(handle, address, port, backlog || DEFAULT_BACKLOG, ipv6Only);
      if (problem === null) inner._handle = handle;
    }
    if (problem !== null) {
      const error = problem;
      if (listenFailed.hasSubscribers) listenFailed.publish({ server: this, error });
      process.nextTick(() => this.emit('error', error));
      return;
    }
    if (listenEnd.hasSubscribers) listenEnd.publish({ server: this });
    // Without an address it is the wildcard's that was bound.
    const bound = address ? null : (inner._handle?.core ?? null);
    inner._connectionKey = `${bound?.family ?? family}:${bound?.address ?? address}:${port}`;
    if (inner._unref) this.unref();
    process.nextTick(() => {
      if (inner._handle !== null) this.emit('listening');
    });
  }
}

/** A later `listen` or `close` takes back what an earlier one has asked for. */
function lookupHost(
  server: net.Server,
  host: string,
  found: (address: LookupAddress) => void,
): void {
  const inner = server as unknown as ServerInner;
  const id = inner._listeningId;
  inner[kName] = null;
  inner[kGround].lookup(host, { family: 0, all: true }, (error, list) => {
    if (id !== inner._listeningId) return;
    const first = (list as LookupAddress[] | undefined)?.[0];
    if (error || first === undefined) server.emit('error', error);
    else found(first);
  });
}

type NamedOptions = ConnectOptions & { host: string };

function isIpv6Only(options: ConnectOptions): boolean {
  return (options as { ipv6Only?: unknown }).ipv6Only === true;
}

/** `listen` with a port that may be one and a host that is no address. */
function isNamed(options: ConnectOptions): options is NamedOptions {
  const { host, port } = options;
  if (typeof host !== 'string' || host === '' || net.isIP(host) !== 0) return false;
  return (
    'port' in options && (port == null || typeof port === 'number' || typeof port === 'string')
  );
}

/** Binds; without an address to `::`, which answers for both families. */
function bind(
  handle: ListenHandle,
  address: string | null,
  port: number,
  backlog: number,
  ipv6Only: boolean,
): Error | null {
  const { stack } = handle.ground;
  const extras = (handle.server as unknown as ServerInner)[kExtras];
  const candidates = address ? [address] : ['::', '0.0.0.0'];
  let error: Error | null = null;
  for (const candidate of candidates) {
    try {
      const { tcp, any, prefix, reusePort, balance, fastOpen } = extras;
      const own = readTcpOptions(tcp);
      const where =
        any === true ? { port: 0, prefix: prefix ?? '::/0' } : { address: candidate, port };
      handle.opened(
        stack.listen({
          ...own,
          ...where,
          backlog,
          ipv6Only,
          reusePort,
          balance,
          fastOpen,
          handler: handle,
        }),
      );
      return null;
    } catch (thrown) {
      if (!(thrown instanceof CodeError)) throw thrown;
      error = listenError(thrown.errno, address ?? candidate, port);
      // Node tries 0.0.0.0 whatever `::` failed with, but a taken port is taken there too.
      if (thrown.errno === Code.EADDRINUSE && !address) {
        return listenError(thrown.errno, candidate, port);
      }
    }
  }
  return error;
}

/** Makes `self` (already a net.Server) a server of this host. */
export function initServer(
  self: net.Server,
  ground: Ground,
  Socket: SocketFactory,
  options: unknown,
): void {
  const isOptions = typeof options === 'object' && options !== null;
  Object.defineProperty(self, kExtras, { value: readServerExtras(isOptions ? options : {}) });
  Object.defineProperty(self, kGround, { value: ground });
  Object.defineProperty(self, kName, { value: null, writable: true });
  Object.defineProperty(self, 'Socket', { value: Socket });
}
