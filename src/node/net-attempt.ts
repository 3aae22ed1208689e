// One attempt to connect: from an address to an established connection or to Node's error.

import * as net from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { Edge } from './edge.ts';
import { edgeHandler } from './edge-handler.ts';
import { coded, hostClosed, hostPortError, type SystemError } from './errors.ts';

export interface Target {
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

/** What a `lookup` of the program's answered is not taken on trust. */
export function checkAddress(address: unknown, family: unknown, target: Target): Error | null {
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
export function attempt(edge: Edge, target: Target, address: string, family: number): void {
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
export function open(
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
  const { localAddress } = target;
  if (localAddress !== undefined && net.isIP(localAddress) !== family) {
    return hostPortError(Code.EINVAL, 'bind', localAddress, target.localPort);
  }
  try {
    const handle = ground.stack.connect({
      address,
      port,
      handler: edgeHandler,
      ...edge.tcp,
      fastOpen: edge.fastOpen,
      ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
      ...(target.localPort === undefined ? {} : { localPort: target.localPort }),
    });
    edge.attach(handle, verdict);
    // ::ffff:a.b.c.d asks for IPv4 in the words of IPv6, and is shown in them.
    edge.mapped = family === 6 && handle.family === 4;
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

export function attemptError(target: Target, address: string, code: number): SystemError {
  const { localAddress, localPort } = target;
  if (localAddress === undefined || localPort === undefined) {
    return hostPortError(code, 'connect', address, target.port);
  }
  const local = `${localAddress}:${localPort}`;
  const error = hostPortError(code, 'connect', address, target.port, local);
  return Object.assign(error, { localAddress, localPort });
}

/** The handshake is done: 'connect', 'ready', and the first read. */
export function established(edge: Edge): void {
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
