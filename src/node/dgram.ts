// node:dgram over a host's stack. Sockets are node:dgram's own; only the handle beneath is ours,
// put into the field in which Node keeps it. Everything a program can observe of arguments, order
// and errors is thereby Node's own code.

import cluster from 'node:cluster';
import * as dgram from 'node:dgram';
import dns from 'node:dns';
import {
  type BatchCallback,
  type BatchItem,
  type DatagramSocketOptions,
  type Extras,
  type PortsideDgramSocket,
  readBatch,
  readExtras,
} from './dgram-extras.ts';
import { DgramHandle } from './dgram-handle.ts';
import { coded, errnoError, hostClosed, invalidType } from './errors.ts';
import { type Ground, hostLookups } from './ground.ts';

type Listener = (message: Buffer, rinfo: dgram.RemoteInfo) => void;
type Lookup = (address: string, family: number, callback: (...args: unknown[]) => void) => void;
type SocketClass = typeof dgram.Socket;

/** `host.dgram`. */
export interface DgramModule {
  createSocket(
    type: dgram.SocketType | DatagramSocketOptions,
    listener?: Listener,
  ): PortsideDgramSocket;
  Socket: SocketClass;
}

/** node:dns's own, from before anybody has replaced it. */
const machineLookup = dns.lookup as unknown as Lookup;

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
function replaceHandle(
  socket: dgram.Socket,
  ground: Ground,
  lookup: Lookup,
  options: unknown = undefined,
): void {
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
  const extras: Extras = readExtras(options, family);
  const handle = new DgramHandle(ground, socket, extras, (address, callback) =>
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
    // A program that puts its own function into node:dns means these sockets, too.
    const known = dns.lookup as unknown as Lookup;
    if (known !== machineLookup && !hostLookups.has(known)) known(address, family, callback);
    else ground.lookup(address, { family }, callback as never);
  };

  class Socket extends (dgram.Socket as unknown as new (...args: unknown[]) => dgram.Socket) {
    constructor(type: dgram.SocketType | dgram.SocketOptions, listener?: Listener) {
      if (ground.closed) throw hostClosed();
      super(type, listener);
      const own = typeof type === 'object' && type !== null ? type.lookup : undefined;
      replaceHandle(this, ground, (own as unknown as Lookup | undefined) ?? hostLookup, type);
    }

    sendBatch(list: unknown, ...rest: unknown[]): void {
      sendBatch(this, list, rest);
    }

    setTOS(tos: number): number {
      if (typeof tos !== 'number') throw invalidType('tos', 'of type number', tos);
      const code = liveHandle(this).setTOS(tos);
      if (code !== 0) throw errnoError(code, 'setTOS');
      return tos;
    }

    setDontFragment(on: boolean): void {
      const code = liveHandle(this).setDontFragment(Boolean(on));
      if (code !== 0) throw errnoError(code, 'setDontFragment');
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
      return new Socket(type, listener) as unknown as PortsideDgramSocket;
    },
    Socket: Socket as unknown as SocketClass,
  };
}

/** @throws ERR_SOCKET_DGRAM_NOT_RUNNING, as Node's own methods do */
function liveHandle(socket: dgram.Socket): DgramHandle {
  const handle = stateOf(socket)?.handle;
  if (handle instanceof DgramHandle) return handle;
  throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running');
}

/** Node's bindState of a socket: 0 unbound, 1 binding, 2 bound; connectState 2 = connected. */
interface Progress {
  readonly bindState: number;
  readonly connectState: number;
}

function sendBatch(socket: dgram.Socket, list: unknown, rest: unknown[]): void {
  const handle = liveHandle(socket);
  const at = rest.findIndex((x) => typeof x === 'function');
  const callback = (at < 0 ? undefined : rest[at]) as BatchCallback | undefined;
  const [port, address] = (at < 0 ? rest : rest.slice(0, at)) as [number?, string?];
  const state = stateOf(socket) as unknown as Progress;
  const items = readBatch(list, port, address, handle.family, state.connectState === 2);
  if (state.bindState === 0) socket.bind({ port: 0, exclusive: true });
  if (state.bindState === 2) sendItems(socket, handle, items, callback);
  else socket.once('listening', () => sendItems(socket, handle, items, callback));
}

function sendItems(
  socket: dgram.Socket,
  handle: DgramHandle,
  items: BatchItem[],
  callback: BatchCallback | undefined,
): void {
  let left = items.length;
  let sent = 0;
  let first: Error | null = null;
  const done = (code: number): void => {
    if (code < 0) first ??= errnoError(code, 'send');
    else sent++;
    left--;
    if (left > 0) return;
    if (callback !== undefined) process.nextTick(callback, first, sent);
    else if (first !== null) socket.emit('error', first);
  };
  if (left === 0 && callback !== undefined) process.nextTick(callback, null, 0);
  const request = { oncomplete: done };
  for (const item of items) {
    // 0: it waits for room, and `done` is called when it has left.
    const code = handle.sendItem(request, item);
    if (code !== 0) done(code);
  }
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
