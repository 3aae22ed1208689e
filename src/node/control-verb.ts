// What the verbs of a control socket are made of: what they stand on, what they are asked, and how
// one of them takes the connection over.

import type { Socket } from 'node:net';
import type { Stack } from '../stack/stack.ts';
import type { DnsModule } from './dns.ts';
import type { NetModule } from './net.ts';
import type { DeviceLink } from './tun.ts';

export type Request = { readonly id?: unknown; readonly do?: unknown } & Readonly<
  Record<string, unknown>
>;

/** What is asked for by name. An array is sent in parts; a Switch ends the lines of JSON. */
export type Answers = Readonly<Record<string, (request: Request, socket: Socket) => unknown>>;

export interface ControlGround {
  readonly stack: Stack;
  readonly net: NetModule;
  readonly dns: DnsModule;
  readonly link: DeviceLink | null;
  /** The host's clock: the stack's own stands still between turns. */
  readonly nowUs: () => number;
  /** Verbs of the program's own. */
  readonly more: Answers;
}

/** After `done` the connection carries something else, both ways; `take` has it then. */
export class Switch {
  readonly done: unknown;
  readonly take: (socket: Socket) => void;
  constructor(done: unknown, take: (socket: Socket) => void) {
    this.done = done;
    this.take = take;
  }
}

export function controlError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** A text of the request. Throws EINVAL where there is none and no default. */
export function textOf(request: Request, name: string, fallback?: string): string {
  const value = request[name] ?? fallback;
  if (typeof value === 'string') return value;
  throw controlError('EINVAL', `${name} must be a text`);
}

/** A whole number of the request from `low` to `high`. */
export function numberOf(
  request: Request,
  name: string,
  [low, high]: readonly [number, number],
  fallback?: number,
): number {
  const value = request[name] ?? fallback;
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) {
    return value as number;
  }
  throw controlError('EINVAL', `${name} must be a whole number from ${low} to ${high}`);
}
