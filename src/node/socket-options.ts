// What `new Socket` of a host is given, and what of it Node's constructor gets.

import type * as net from 'node:net';
import { invalidValue } from './errors.ts';

export interface SocketOptions extends Omit<net.SocketConstructorOpts, 'onread' | 'fd'> {
  fd?: number;
  handle?: unknown;
  noDelay?: boolean;
  keepAlive?: boolean;
  keepAliveInitialDelay?: number;
  onread?: unknown;
  tcp?: unknown;
}

/** Of the streams beneath; Node's constructor has its own values for all of them. */
interface StreamOptions {
  emitClose?: boolean;
  autoDestroy?: boolean;
  decodeStrings?: boolean;
}

/** What the constructor of net.Socket gets: nothing that would make it take a kernel handle. */
export function constructorOptions(options: unknown): SocketOptions {
  if (typeof options === 'number') throw invalidValue('options.fd', options, 'is not supported');
  // Node copies the options and then writes these four. Where they are new to the copy, V8 makes a
  // shape of it for each socket: 16 to 30 µs instead of 0.4 (docs/performance.md).
  const given: SocketOptions & StreamOptions = {
    allowHalfOpen: undefined,
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
    ...(options as SocketOptions | null | undefined),
  };
  if (given.fd !== undefined) throw invalidValue('options.fd', given.fd, 'is not supported');
  if (given.handle !== undefined) delete given.handle;
  return given;
}
