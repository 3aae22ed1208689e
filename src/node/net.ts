// node:net over a host's stack: the module that `host.net` is. The classes are callable without
// `new` and inheritable the old way (`Socket.call(this)`), as Node's are.

import { channel } from 'node:diagnostics_channel';
import * as net from 'node:net';
import type { Ground } from './ground.ts';
import { normalizeArgs } from './net-connect.ts';
import { initServer, ServerBody, type SocketFactory } from './net-server.ts';
import { initSocket, SocketBody } from './net-socket.ts';
import { constructorOptions, type SocketOptions } from './socket-options.ts';

const clientSockets = channel('net.client.socket');

/** `host.net`: node:net's functions and classes, on the host's stack. */
export interface NetModule {
  createServer: typeof net.createServer;
  connect: typeof net.connect;
  createConnection: typeof net.createConnection;
  Server: typeof net.Server;
  Socket: typeof net.Socket;
  Stream: typeof net.Socket;
  isIP: typeof net.isIP;
  isIPv4: typeof net.isIPv4;
  isIPv6: typeof net.isIPv6;
  BlockList: typeof net.BlockList;
  SocketAddress: typeof net.SocketAddress;
  getDefaultAutoSelectFamily: typeof net.getDefaultAutoSelectFamily;
  setDefaultAutoSelectFamily: typeof net.setDefaultAutoSelectFamily;
  getDefaultAutoSelectFamilyAttemptTimeout: typeof net.getDefaultAutoSelectFamilyAttemptTimeout;
  setDefaultAutoSelectFamilyAttemptTimeout: typeof net.setDefaultAutoSelectFamilyAttemptTimeout;
  /** Node's own, for programs that read arguments as `connect` does. */
  _normalizeArgs: (args: unknown[]) => [object, ((...args: unknown[]) => void) | null];
  /** Node's hook for clusters makes kernel handles; a host has none: always `UV_ENOTSUP`. */
  _createServerHandle: (...args: unknown[]) => number;
  /** Node's own, without effect since Windows XP. */
  _setSimultaneousAccepts: (handle?: unknown) => void;
}

/** What node:net exports and its types do not name. */
const internals = net as unknown as Pick<NetModule, '_normalizeArgs' | '_setSimultaneousAccepts'>;

const UV_ENOTSUP = -95;
const createServerHandle = (): number => UV_ENOTSUP;

interface Callable {
  (this: unknown, ...args: unknown[]): unknown;
  prototype: object;
}

/** Node's constructors are plain functions: they initialise whatever `this` is. */
function construct(Base: unknown, self: object, args: unknown[]): void {
  Reflect.apply(Base as (...args: unknown[]) => void, self, args);
}

function inherit(Derived: Callable, body: object, Base: object, name: string): void {
  Derived.prototype = Object.create(body, {
    constructor: { value: Derived, writable: true, configurable: true },
  });
  Object.setPrototypeOf(Derived, Base);
  Object.defineProperty(Derived, 'name', { value: name, configurable: true });
}

function makeSocketClass(ground: Ground): SocketFactory {
  const Socket = function Socket(this: unknown, options?: unknown): net.Socket {
    const isInstance = this instanceof (Socket as unknown as typeof net.Socket);
    const self = (isInstance ? this : Object.create(Socket.prototype)) as net.Socket;
    const given: SocketOptions = constructorOptions(options);
    // First ours: an aborted signal destroys the socket inside Node's constructor.
    initSocket(self, ground, given);
    construct(net.Socket, self, [given]);
    return self;
  } as unknown as Callable;
  inherit(Socket, SocketBody.prototype, net.Socket, 'Socket');
  return Socket as unknown as SocketFactory;
}

function makeServerClass(ground: Ground, Socket: SocketFactory): typeof net.Server {
  const Server = function Server(this: unknown, ...args: unknown[]): net.Server {
    const isInstance = this instanceof (Server as unknown as typeof net.Server);
    const self = (isInstance ? this : Object.create(Server.prototype)) as net.Server;
    construct(net.Server, self, args);
    initServer(self, ground, Socket, args[0]);
    return self;
  } as unknown as Callable;
  inherit(Server, ServerBody.prototype, net.Server, 'Server');
  return Server as unknown as typeof net.Server;
}

export function makeNet(ground: Ground): NetModule {
  const Socket = makeSocketClass(ground);
  const Server = makeServerClass(ground, Socket);

  const connect = (...args: unknown[]): net.Socket => {
    const normalized = normalizeArgs(args);
    const [options] = normalized;
    const socket = new Socket(options as SocketOptions);
    if (clientSockets.hasSubscribers) clientSockets.publish({ socket });
    if (options.timeout) socket.setTimeout(options.timeout);
    return (socket as unknown as { connect(pair: unknown): net.Socket }).connect(normalized);
  };

  return {
    createServer: ((...args: unknown[]) =>
      new (Server as unknown as new (...args: unknown[]) => net.Server)(
        ...args,
      )) as typeof net.createServer,
    connect: connect as typeof net.connect,
    createConnection: connect as typeof net.createConnection,
    Server,
    Socket: Socket as unknown as typeof net.Socket,
    Stream: Socket as unknown as typeof net.Socket,
    isIP: net.isIP,
    isIPv4: net.isIPv4,
    isIPv6: net.isIPv6,
    BlockList: net.BlockList,
    SocketAddress: net.SocketAddress,
    getDefaultAutoSelectFamily: net.getDefaultAutoSelectFamily,
    setDefaultAutoSelectFamily: net.setDefaultAutoSelectFamily,
    getDefaultAutoSelectFamilyAttemptTimeout: net.getDefaultAutoSelectFamilyAttemptTimeout,
    setDefaultAutoSelectFamilyAttemptTimeout: net.setDefaultAutoSelectFamilyAttemptTimeout,
    _normalizeArgs: internals._normalizeArgs,
    _createServerHandle: createServerHandle,
    _setSimultaneousAccepts: internals._setSimultaneousAccepts,
  };
}
