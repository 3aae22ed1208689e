// File descriptors of a script over StreamSocket, and how arguments are taken apart.

import type { StreamSocket } from '../../../src/socket/stream-socket.ts';
import type { Struct, Value } from './script-file.ts';

export class Descriptor {
  readonly socket: StreamSocket;
  nonblocking: boolean;
  listening = false;
  /** Positions in the streams of what was written and read. */
  written = 0;
  readTo = 0;
  /** SO_LINGER in seconds with `onoff`. */
  lingerS = -1;
  /** What setsockopt was told, for getsockopt. */
  readonly told = new Map<string, number>();

  constructor(socket: StreamSocket, nonblocking: boolean) {
    this.socket = socket;
    this.nonblocking = nonblocking;
  }
}

/** What a call answers: a number, or a negative errno; null: it would block. */
export type Outcome = number | null;

export function isNumber(v: Value | undefined): v is number {
  return typeof v === 'number';
}

/** A number, or the first of a list: `3`, `[1]`. */
export function numberOf(v: Value | undefined, otherwise: number): number {
  if (isNumber(v)) return v;
  if (Array.isArray(v) && isNumber(v[0])) return v[0];
  return otherwise;
}

export function textOf(v: Value | undefined): string | null {
  if (Array.isArray(v)) return textOf(v[0]);
  return typeof v === 'object' && 'text' in v ? v.text : null;
}

export function structOf(v: Value | undefined): Struct | null {
  if (Array.isArray(v)) return structOf(v[0]);
  return typeof v === 'object' && 'fields' in v ? v : null;
}

export function listOf(v: Value | undefined): readonly Value[] {
  return Array.isArray(v) ? v : [];
}

/** Octets of an iovec: `[{..., 1000}, {..., 500}]`. */
export function octetsOf(v: Value | undefined): number {
  let n = 0;
  for (const piece of listOf(v)) {
    const fields = structOf(piece)?.fields;
    n += numberOf(fields?.get('iov_len') ?? fields?.get('1'), 0);
  }
  return n;
}
