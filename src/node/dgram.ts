// node:dgram over a host's stack. Sockets are node:dgram's own; only the handle beneath is ours,
// put into the field in which Node keeps it. Everything a program can observe of arguments, order
// and errors is thereby Node's own code.

import cluster from 'node:cluster';
import * as dgram from 'node:dgram';
import { DgramHandle } from './dgram-handle.ts';
import { coded, hostClosed } from './errors.ts';
import type { Ground } from './ground.ts';

type Listener = (message: Buffer, rinfo: dgram.RemoteInfo) => void;
type Lookup = (address: string, family: number, callback: (...args: unknown[]) => void) => void;
type SocketClass = typeof dgram.Socket;

/** `host.dgram`. */
export interface DgramModule {
  createSocket(type: dgram.SocketType | dgram.SocketOptions, listener?: Listener): dgram.Socket;
  Socket: SocketClass;
}

interface State {
  handle: { close(): void } | DgramHandle | null;
}

/** The field of a dgram.Socket that holds its handle; null where Node has it elsewhere. */
function stateOf(socket: dgram.Socket): State | null {
  for (const key of Object.getOwnPropertySymbols(socket)) {
    const value = (socket as unknown as Record<symbol, unknown>)[key];
    if (typeof value === 'object' && value !== null && 'handle' in value && 'bindState' in value) {
      return value as State;
    }
  }
  return null;
}

/** Replaces the handle that Node made (it has no descriptor yet) with one of this host. */
function replaceHandle(socket: dgram.Socket, ground: Ground, lookup: Lookup): void {
  const state = stateOf(socket);
  const old = state?.handle as
    | (Record<PropertyKey, unknown> & { close(): void })
    | null
    | undefined;
  if (state === null || old === undefined) {
    const text = `portside does not find the handle of a dgram socket in Node ${process.version}`;
    throw coded(Error, 'ERR_PORTSIDE_NODE_UNSUPPORTED', text);
  }
  if (old === null) return; // closed by an aborted signal while it was made
  const family = (socket as unknown as { type: string }).type === 'udp6' ? 6 : 4;
  const fallback = family === 6 ? '::1' : '127.0.0.1';
  const handle = new DgramHandle(ground, socket, family, (address, callback) =>
    lookup(address || fallback, family, callback),
  );
  // Node reaches the socket from the handle through a symbol of its own.
  for (const key of Object.getOwnPropertySymbols(old)) {
    (handle as unknown as Record<symbol, unknown>)[key] = old[key];
  }
  state.handle = handle;
  old.close();
}

/** A socket of node:dgram's that is not bound, closed or a host's. */
export function isUnbound(socket: dgram.Socket): boolean {
  const state = stateOf(socket) as (State & { bindState: number }) | null;
  if (state === null || state.handle === null || state.bindState !== 0) return false;
  return !(state.handle instanceof DgramHandle);
}

/** Puts an unbound socket of node:dgram's on a host; its `lookup` stays what it was. */
export function adoptDgram(socket: dgram.Socket, ground: Ground): void {
  const old = stateOf(socket)?.handle as unknown as {
    lookup(address: string, callback: (...args: unknown[]) => void): void;
    hasRef?(): boolean;
  };
  const isUnref = old.hasRef?.() === false;
  replaceHandle(socket, ground, (address, _family, callback) => old.lookup(address, callback));
  if (isUnref) socket.unref();
}

export function makeDgram(ground: Ground): DgramModule {
  const hostLookup: Lookup = (address, family, callback) => {
    ground.lookup(address, { family }, callback as never);
  };

  class Socket extends (dgram.Socket as unknown as new (...args: unknown[]) => dgram.Socket) {
    constructor(type: dgram.SocketType | dgram.SocketOptions, listener?: Listener) {
      if (ground.closed) throw hostClosed();
      super(type, listener);
      const own = typeof type === 'object' && type !== null ? type.lookup : undefined;
      replaceHandle(this, ground, (own as unknown as Lookup | undefined) ?? hostLookup);
    }

    override bind(...args: unknown[]): this {
      const bind = super.bind as (...args: unknown[]) => unknown;
      bind.apply(this, cluster.isWorker ? exclusively(args) : args);
      return this;
    }
  }

  return {
    // A function as Node's is: programs say `new dgram.createSocket` too.
    createSocket: function createSocket(type, listener) {
      return new Socket(type, listener);
    },
    Socket: Socket as unknown as SocketClass,
  };
}

/** In a cluster's worker Node would ask the primary for a socket of the kernel's. */
function exclusively(args: unknown[]): unknown[] {
  const [port, address] = args;
  const last = args[args.length - 1];
  const callback = typeof last === 'function' ? [last] : [];
  if (typeof port === 'object' && port !== null) return [{ ...port, exclusive: true }, ...callback];
  const named = typeof address === 'string' ? { address } : {};
  const numbered = typeof port === 'number' ? { port } : {};
  return [{ ...numbered, ...named, exclusive: true }, ...callback];
}
