// Puts sockets and servers that node:net and node:dgram have made on a host, before they have a
// handle of the kernel's: what `portside/register` does at `listen`, `connect` and `bind`.

import * as net from 'node:net';
import type { Edge } from './edge.ts';
import type { Ground } from './ground.ts';
import type { Host } from './host.ts';
import type { ConnectOptions } from './net-connect.ts';
import {
  initServer,
  kGround,
  ServerBody,
  type ServerInner,
  type SocketFactory,
} from './net-server.ts';
import { initSocket, kEdge, SocketBody } from './net-socket.ts';
import type { SocketOptions } from './socket-options.ts';

/** What every host's sockets stand on, from one of its servers. */
export function groundOf(host: Host): Ground {
  return (new host.net.Server() as unknown as ServerInner)[kGround];
}

export function isOurs(socket: object): boolean {
  return kEdge in socket || kGround in socket;
}

export function edgeOf(socket: object): Edge | null {
  return (socket as { [kEdge]?: Edge })[kEdge] ?? null;
}

/** What Node's constructor has noted in fields without a name, by their description. */
function noted(socket: net.Socket): SocketOptions {
  const fields = new Map<string | undefined, unknown>();
  for (const key of Object.getOwnPropertySymbols(socket)) {
    fields.set(key.description, (socket as unknown as Record<symbol, unknown>)[key]);
  }
  const buffer = fields.get('kBufferGen') ?? fields.get('kBuffer');
  const callback = fields.get('kBufferCb');
  return {
    noDelay: Boolean(fields.get('kSetNoDelay')),
    keepAlive: Boolean(fields.get('kSetKeepAlive')),
    keepAliveInitialDelay: Number(fields.get('kSetKeepAliveInitialDelay') ?? 0) * 1000,
    ...(callback ? { onread: { buffer, callback } } : {}),
  };
}

/**
 * Makes `socket`, which has no handle, one of the host's. A plain net.Socket changes its prototype;
 * one of a class of the program's keeps it, and gets as its own what that class does not override.
 */
export function adoptSocket(socket: net.Socket, host: Host, ground: Ground): void {
  const options = noted(socket);
  if (Object.getPrototypeOf(socket) === net.Socket.prototype) {
    Object.setPrototypeOf(socket, host.net.Socket.prototype);
  } else Object.defineProperties(socket, notOverridden(socket));
  initSocket(socket, ground, options);
  applyRefs(socket);
}

function notOverridden(socket: net.Socket): PropertyDescriptorMap {
  const members = Object.getOwnPropertyDescriptors(SocketBody.prototype) as PropertyDescriptorMap;
  Reflect.deleteProperty(members, 'constructor');
  let proto = Object.getPrototypeOf(socket);
  while (proto !== null && proto !== net.Socket.prototype) {
    for (const name of Object.getOwnPropertyNames(proto)) Reflect.deleteProperty(members, name);
    proto = Object.getPrototypeOf(proto);
  }
  for (const member of Object.values(members)) {
    member.enumerable = false;
    member.configurable = true;
  }
  return members;
}

/** `ref` and `unref` before connect wait for 'connect' as listeners: ours take their places. */
function applyRefs(socket: net.Socket): void {
  const { ref, unref } = net.Socket.prototype;
  for (const listener of socket.listeners('connect')) {
    if (listener !== ref && listener !== unref) continue;
    socket.removeListener('connect', listener as () => void);
    SocketBody.prototype[listener === ref ? 'ref' : 'unref'].call(socket);
  }
}

/** `socket.connect(…)` of an adopted socket. */
export function connectAdopted(socket: net.Socket, args: unknown[]): net.Socket {
  return SocketBody.prototype.connect.apply(socket, args);
}

/** Makes a server that does not listen one of the host's. */
export function adoptServer(server: net.Server, host: Host, ground: Ground): void {
  if (!(kGround in server)) {
    initServer(server, ground, host.net.Socket as unknown as SocketFactory, {});
  }
  Object.defineProperty(server, '_listen2', {
    value: ServerBody.prototype._listen2,
    configurable: true,
    writable: true,
  });
}

/** The server's next `listen` is the kernel's. */
export function disownServer(server: net.Server): void {
  if (!(server instanceof ServerBody)) Reflect.deleteProperty(server, '_listen2');
}

/** `server.listen(…)` of an adopted server: names are looked up on the host. */
export function listenAdopted(server: net.Server, args: unknown[]): net.Server {
  return ServerBody.prototype.listen.apply(server as ServerBody, args);
}

export type { ConnectOptions };
