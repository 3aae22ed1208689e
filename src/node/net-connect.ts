// `socket.connect(…)`: arguments, name lookup, attempts. With several addresses of both families
// they are tried in turn, each with its time (RFC 8305, as Node's autoSelectFamily does it).

import * as net from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import { type Edge, edgeHandler } from './edge.ts';
import {
  aggregateError,
  badPort,
  coded,
  errnoError,
  hostClosed,
  hostPortError,
  invalidType,
  outOfRange,
  type SystemError,
  unsupported,
} from './errors.ts';
import type { Lookup, LookupAddress, LookupOptions } from './ground.ts';

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
}

interface Target {
  host: string;
  port: number;
  localAddress: string | undefined;
  localPort: number | undefined;
}

/** Parts of net.Socket that its type does not name. */
export interface Inner {
  connecting: boolean;
  _host: string | null;
  _unrefTimer(): void;
  autoSelectFamilyAttemptedAddresses?: string[];
}

const MIN_ATTEMPT_MS = 10;

/** `(options[, cb])`, `(port[, host][, cb])`, `(path[, cb])`: as Node reads them. */
export function normalizeArgs(
  args: readonly unknown[],
): [ConnectOptions, ((...args: unknown[]) => void) | null] {
  const first = args[0];
  let options: ConnectOptions = {};
  if (typeof first === 'object' && first !== null) options = first as ConnectOptions;
  else if (typeof first === 'string' && !(Number(first) >= 0)) options = { path: first };
  else if (args.length > 0) {
    options = { port: first };
    if (typeof args[1] === 'string') options.host = args[1];
  }
  const last = args[args.length - 1];
  return [options, typeof last === 'function' ? (last as () => void) : null];
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
export function startConnect(edge: Edge, options: ConnectOptions): void {
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

function lookupOne(edge: Edge, target: Target, lookup: Lookup, how: LookupOptions): void {
  const socket = edge.socket;
  lookup(target.host, how, (error, address, family) => {
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

/** What a `lookup` of the program's answered is not taken on trust. */
function checkAddress(address: unknown, family: unknown, target: Target): Error | null {
  if (typeof address !== 'string' || net.isIP(address) === 0) {
    return coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${address}`);
  }
  if (family === 4 || family === 6) return null;
  const error = coded(
    RangeError,
    'ERR_INVALID_ADDRESS_FAMILY',
    `Invalid address family: ${family} ${target.host}:${target.port}`,
  );
  return Object.assign(error, { host: target.host, port: target.port });
}

/** One attempt whose failure is the socket's. */
function attempt(edge: Edge, target: Target, address: string, family: number): void {
  const socket = edge.socket;
  const error = open(edge, target, address, family, (code) => {
    if (socket.destroyed) return;
    if (code === Code.NONE) {
      established(edge);
      return;
    }
    (socket as unknown as Inner).connecting = false;
    const failure = attemptError(target, address, code);
    socket.emit('connectionAttemptFailed', address, target.port, family, failure);
    socket.destroy(failure);
  });
  if (error !== null) socket.destroy(error);
}

/**
 * Asks the stack for a connection; `verdict` hears how it went. Answers an error when the stack
 * refused at once.
 */
function open(
  edge: Edge,
  target: Target,
  address: string,
  family: number,
  verdict: (code: number) => void,
): SystemError | Error | null {
  const { ground, socket } = edge;
  const { port } = target;
  if (ground.closed) return hostClosed();
  if (edge.handle !== null && !edge.over) {
    const code = edge.onVerdict === null ? Code.EISCONN : Code.EALREADY;
    return hostPortError(code, 'connect', address, port);
  }
  const wildcard = family === 6 ? '::' : '0.0.0.0';
  if (port === 0) {
    socket.emit('connectionAttempt', address, port, family);
    setImmediate(() => edge.run(() => verdict(Code.ECONNREFUSED)));
    return null;
  }
  try {
    const handle = ground.stack.connect({
      address,
      port,
      handler: edgeHandler,
      ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
      ...(target.localPort === undefined ? {} : { localPort: target.localPort }),
    });
    edge.attach(handle);
    edge.onVerdict = verdict;
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    const local = `${target.localAddress ?? wildcard}:${target.localPort ?? 0}`;
    if (isBindError(error, target)) {
      return hostPortError(error.errno, 'bind', target.localAddress ?? wildcard, target.localPort);
    }
    socket.emit('connectionAttempt', address, port, family);
    return hostPortError(error.errno, 'connect', address, port, local);
  }
  socket.emit('connectionAttempt', address, port, family);
  return null;
}

function isBindError(error: CodeError, target: Target): boolean {
  if (error.syscall === 'bind') return true;
  if (target.localAddress === undefined && target.localPort === undefined) return false;
  return error.errno === Code.EADDRINUSE || error.errno === Code.EADDRNOTAVAIL;
}

function attemptError(target: Target, address: string, code: number): SystemError {
  const { localAddress, localPort } = target;
  if (localAddress === undefined || localPort === undefined) {
    return hostPortError(code, 'connect', address, target.port);
  }
  const local = `${localAddress}:${localPort}`;
  const error = hostPortError(code, 'connect', address, target.port, local);
  return Object.assign(error, { localAddress, localPort });
}

/** The handshake is done: 'connect', 'ready', and the first read. */
function established(edge: Edge): void {
  const socket = edge.socket;
  const inner = socket as unknown as Inner;
  inner.connecting = false;
  inner._unrefTimer();
  edge.opened();
  socket.emit('connect');
  socket.emit('ready');
  if (socket.destroyed) return;
  if (!socket.isPaused()) socket.read(0);
  if (!edge.reading) edge.stopReading();
}

/** Happy eyeballs: the addresses of a name, families taking turns, one at a time. */
class Attempts {
  readonly #edge: Edge;
  readonly #target: Target;
  readonly #attemptMs: number;
  readonly #errors: SystemError[] = [];
  #addresses: LookupAddress[] = [];
  #current = 0;
  #disarm: (() => void) | null = null;

  constructor(edge: Edge, target: Target, attemptMs: number) {
    this.#edge = edge;
    this.#target = target;
    this.#attemptMs = attemptMs;
  }

  start(lookup: Lookup, how: LookupOptions): void {
    const edge = this.#edge;
    lookup(this.#target.host, { ...how, all: true }, (error, found) => {
      if (edge.socket.connecting) edge.run(() => this.#found(error, found));
    });
  }

  #found(error: Error | null, found: string | LookupAddress[] | undefined): void {
    const socket = this.#edge.socket;
    const host = this.#target.host;
    if (error) {
      // The type of 'lookup' does not know of a failed one.
      socket.emit('lookup', error, undefined as unknown as string, 0, host);
      process.nextTick(() => socket.destroy(error));
      return;
    }
    const list = Array.isArray(found) ? found : [];
    for (const { address, family } of list) {
      socket.emit('lookup', null as unknown as Error, address, family, host);
      if (!socket.connecting) return;
    }
    this.#addresses = inTurns(list);
    if (this.#addresses.length === 0) {
      const first = list[0];
      const bad = checkAddress(first?.address, first?.family, this.#target) as Error;
      process.nextTick(() => socket.destroy(bad));
      return;
    }
    (socket as unknown as Inner)._unrefTimer();
    if (this.#addresses.length === 1) {
      const only = this.#addresses[0] as LookupAddress;
      attempt(this.#edge, this.#target, only.address, only.family);
      return;
    }
    (socket as unknown as Inner).autoSelectFamilyAttemptedAddresses = [];
    this.#next();
  }

  /** The next address, or the end of the list. A loop: an attempt may fail at once. */
  #next(): void {
    const { socket } = this.#edge;
    while (socket.connecting && this.#current < this.#addresses.length) {
      const { address, family } = this.#addresses[this.#current] as LookupAddress;
      const index = this.#current++;
      this.#edge.forget();
      (socket as unknown as Inner).autoSelectFamilyAttemptedAddresses?.push(
        `${address}:${this.#target.port}`,
      );
      const error = open(this.#edge, this.#target, address, family, (code) =>
        this.#verdict(code, address, family),
      );
      if (error === null) {
        if (index < this.#addresses.length - 1) this.#arm(address, family);
        return;
      }
      this.#errors.push(error as SystemError);
      if ((error as SystemError).syscall !== 'bind') {
        socket.emit('connectionAttemptFailed', address, this.#target.port, family, error);
      }
    }
    if (socket.connecting) socket.destroy(aggregateError(this.#errors));
  }

  #arm(address: string, family: number): void {
    const { clock } = this.#edge.ground.driver;
    this.#disarm = clock.after(this.#attemptMs * 1000, () => {
      this.#disarm = null;
      if (!this.#edge.socket.connecting) return;
      this.#edge.run(() => {
        const port = this.#target.port;
        this.#edge.socket.emit('connectionAttemptTimeout', address, port, family);
        this.#errors.push(attemptError(this.#target, address, Code.ETIMEDOUT));
        this.#edge.forget();
        this.#next();
      });
    });
  }

  #verdict(code: number, address: string, family: number): void {
    if (this.#disarm !== null) this.#disarm();
    this.#disarm = null;
    const { socket } = this.#edge;
    if (socket.destroyed) return;
    if (code === Code.NONE) {
      established(this.#edge);
      return;
    }
    const error = attemptError(this.#target, address, code);
    this.#errors.push(error);
    socket.emit('connectionAttemptFailed', address, this.#target.port, family, error);
    this.#next();
  }
}

/** Valid addresses once each, the first one's family first, then the families in turn. */
function inTurns(list: readonly LookupAddress[]): LookupAddress[] {
  const valid = list.filter(
    (a, i) =>
      net.isIP(a.address) !== 0 &&
      (a.family === 4 || a.family === 6) &&
      list.findIndex((b) => b.address === a.address) === i,
  );
  const first = valid.filter((a) => a.family === valid[0]?.family);
  const second = valid.filter((a) => a.family !== valid[0]?.family);
  const result: LookupAddress[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    if (i < first.length) result.push(first[i] as LookupAddress);
    if (i < second.length) result.push(second[i] as LookupAddress);
  }
  return result;
}

/** A path names a socket of the kernel's file system; a host has none. */
export function refusePath(path: string): SystemError {
  const error = errnoError(Code.EAFNOSUPPORT, 'connect');
  error.message = `${error.message} ${path}`;
  error.address = path;
  return Object.assign(error, { cause: unsupported('a path') });
}
