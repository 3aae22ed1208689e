// `socket.connect(…)`: its arguments, checked as Node does, and the name's lookup.

import * as net from 'node:net';
import { Code } from '../base/code.ts';
import type { Edge } from './edge.ts';
import {
  badPort,
  coded,
  errnoError,
  hostClosed,
  invalidType,
  invalidValue,
  outOfRange,
  type SystemError,
  unsupported,
} from './errors.ts';
import type { Lookup, LookupOptions } from './ground.ts';
import { attempt, checkAddress, type Inner, type Target } from './net-attempt.ts';
import { Attempts } from './net-attempts.ts';
import { useTcpOptions } from './tcp-options.ts';

/** What `connect` understands of net.TcpSocketConnectOpts; all of it unchecked. */
export interface ConnectOptions {
  port?: unknown;
  host?: unknown;
  path?: unknown;
  family?: unknown;
  hints?: unknown;
  lookup?: unknown;
  localAddress?: unknown;
  localPort?: unknown;
  noDelay?: unknown;
  keepAlive?: unknown;
  keepAliveInitialDelay?: unknown;
  autoSelectFamily?: unknown;
  autoSelectFamilyAttemptTimeout?: unknown;
  timeout?: number;
  /** SocketTcpOptions. */
  tcp?: unknown;
}

const MIN_ATTEMPT_MS = 10;

/** Arguments that were read: the options, and the callback. */
export type Read = [options: ConnectOptions, callback: ((...args: unknown[]) => void) | null];

/** Node's mark on such a pair, by which its own connect knows it from an array of the program's. */
const kRead = Object.getOwnPropertySymbols(
  (net as unknown as { _normalizeArgs?(args: unknown[]): object })._normalizeArgs?.([]) ?? {},
)[0];

/** `(options[, cb])`, `(port[, host][, cb])`, `(path[, cb])`: as Node reads them. */
export function normalizeArgs(args: readonly unknown[]): Read {
  const first = args[0];
  let options: ConnectOptions = {};
  if (typeof first === 'object' && first !== null) options = first as ConnectOptions;
  else if (typeof first === 'string' && !(Number(first) >= 0)) options = { path: first };
  else if (args.length > 0) {
    options = { port: first };
    if (typeof args[1] === 'string') options.host = args[1];
  }
  const last = args[args.length - 1];
  const read: Read = [options, typeof last === 'function' ? (last as () => void) : null];
  if (kRead !== undefined) Object.defineProperty(read, kRead, { value: true });
  return read;
}

/** The same for `socket.connect`, to which `net.connect` hands what it has read already. */
export function connectArgs(args: readonly unknown[]): Read {
  const first = args[0];
  const isRead = kRead !== undefined && Array.isArray(first) && kRead in first;
  return isRead ? (first as unknown as Read) : normalizeArgs(args);
}

/** ERR_SOCKET_BAD_PORT unless `port` is a number or a numeric string in 0…65535. */
export function checkPort(port: unknown, name = 'Port'): number {
  const isText = typeof port === 'string' && port.trim().length > 0;
  if (typeof port !== 'number' && !isText) throw badPort(name, port);
  const n = +(port as number | string);
  if (n !== n >>> 0 || n > 0xffff) throw badPort(name, port);
  return n;
}

/** Checks the options (throws at once) and starts the lookup or the attempt in the next tick. */
function startConnect(edge: Edge, options: ConnectOptions): void {
  const { localAddress, localPort, port } = options;
  if (localAddress && net.isIP(localAddress as string) === 0) {
    throw coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${localAddress}`);
  }
  if (localPort && typeof localPort !== 'number') {
    throw invalidType('options.localPort', 'of type number', localPort);
  }
  if (port !== undefined && typeof port !== 'number' && typeof port !== 'string') {
    throw invalidType('options.port', 'one of type number or string', port);
  }
  const target: Target = {
    host: String(options.host || 'localhost'),
    port: port === undefined ? 0 : checkPort(port),
    localAddress: localAddress ? (localAddress as string) : undefined,
    localPort: localPort ? (localPort as number) : undefined,
  };
  useTcpOptions(edge, options.tcp);
  const several = wantsSeveral(options);
  const attemptMs = attemptTimeout(options);
  const literal = net.isIP(target.host);
  if (literal !== 0) {
    process.nextTick(() => {
      if (edge.socket.connecting) edge.run(() => attempt(edge, target, target.host, literal));
    });
    return;
  }
  if (options.lookup != null && typeof options.lookup !== 'function') {
    throw invalidType('options.lookup', 'of type function', options.lookup);
  }
  const lookup = (options.lookup as Lookup | undefined) ?? edge.ground.lookup;
  const how = lookupOptions(options);
  if (options.lookup == null) {
    checkFamily(how.family);
    checkHints(options.hints);
    edge.ask(true);
  }
  (edge.socket as unknown as Inner)._host = target.host;
  const oneFamily = how.family === 4 || how.family === 6;
  if (several && !oneFamily && target.localAddress === undefined) {
    new Attempts(edge, target, attemptMs).start(lookup, how);
  } else lookupOne(edge, target, lookup, how);
}

function wantsSeveral(options: ConnectOptions): boolean {
  const wanted = options.autoSelectFamily;
  if (wanted == null) return net.getDefaultAutoSelectFamily();
  if (typeof wanted !== 'boolean') {
    throw invalidType('options.autoSelectFamily', 'of type boolean', wanted);
  }
  return wanted;
}

function attemptTimeout(options: ConnectOptions): number {
  const ms = options.autoSelectFamilyAttemptTimeout;
  const name = 'options.autoSelectFamilyAttemptTimeout';
  if (ms == null) return net.getDefaultAutoSelectFamilyAttemptTimeout();
  if (typeof ms !== 'number') throw invalidType(name, 'of type number', ms);
  if (!Number.isInteger(ms)) throw outOfRange(name, 'an integer', ms);
  if (ms < 1 || ms > 0x7fffffff) throw outOfRange(name, '>= 1 && <= 2147483647', ms);
  return Math.max(ms, MIN_ATTEMPT_MS);
}

function lookupOptions(options: ConnectOptions): LookupOptions {
  const { family } = options;
  const number = family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family as number | undefined);
  const hints = Number(options.hints || 0);
  // dns.ADDRCONFIG, as Node asks for when the program has no wish of its own.
  return { family: number, hints: hints === 0 && number !== 4 && number !== 6 ? 32 : hints };
}

/** dns.lookup's own check; a lookup of the program's makes its own. */
function checkFamily(family: unknown): void {
  if (family == null || family === 0 || family === 4 || family === 6) return;
  throw invalidValue('options.family', family, 'must be one of: 0, 4, 6');
}

/** dns.ADDRCONFIG, ALL and V4MAPPED. */
const HINTS = 32 | 16 | 8;

function checkHints(hints: unknown): void {
  if (!hints) return;
  if (typeof hints !== 'number') throw invalidType('options.hints', 'of type number', hints);
  if (((hints >>> 0) & ~HINTS) !== 0) throw invalidValue('hints', hints >>> 0);
}

function lookupOne(edge: Edge, target: Target, lookup: Lookup, how: LookupOptions): void {
  const socket = edge.socket;
  lookup(target.host, how, (error, address, family) => {
    edge.ask(false);
    edge.run(() => {
      socket.emit('lookup', error as Error, address as string, family as number, target.host);
      if (!socket.connecting) return;
      const bad = error ?? checkAddress(address, family, target);
      if (bad !== null) {
        process.nextTick(() => socket.destroy(bad));
        return;
      }
      (socket as unknown as Inner)._unrefTimer();
      attempt(edge, target, address as string, family as number);
    });
  });
}

/** From a socket that counts as connecting to its attempts; throws what Node throws. */
export function begin(edge: Edge, options: ConnectOptions): void {
  const { socket } = edge;
  const { path } = options;
  if (path) {
    if (typeof path !== 'string') throw invalidType('options.path', 'of type string', path);
    process.nextTick(() => socket.destroy(refusePath(path)));
  } else if (edge.ground.closed) process.nextTick(() => socket.destroy(hostClosed()));
  else startConnect(edge, options);
}

/** A path names a socket of the kernel's file system; a host has none. */
function refusePath(path: string): SystemError {
  const error = errnoError(Code.EAFNOSUPPORT, 'connect');
  error.message = `${error.message} ${path}`;
  error.address = path;
  return Object.assign(error, { cause: unsupported('a path') });
}
