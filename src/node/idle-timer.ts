// The idle timeout of a socket (`socket.setTimeout`). Node's own runs on the event loop's clock; on
// a host whose clock is another one (a simulation's) it has to run on that. Node keeps the timer in
// a field of the socket and refreshes it when something happens: there stands an object of ours.

import * as net from 'node:net';
import type { Clock } from './clock.ts';

/** Where net.Socket keeps its timeout; null in a Node that keeps it elsewhere. */
export const TIMEOUT = timeoutKey();

type Fields = Record<symbol, NodeJS.Timeout | IdleTimer | null | undefined>;

function timeoutKey(): symbol | null {
  const probe = new net.Socket();
  probe.setTimeout(0x7fffffff);
  const fields = probe as unknown as Record<symbol, { refresh?: unknown } | null | undefined>;
  const keys = Object.getOwnPropertySymbols(probe);
  const key = keys.find((k) => typeof fields[k]?.refresh === 'function') ?? null;
  probe.setTimeout(0);
  return key;
}

/** As much of a Timeout as net.Socket asks of it. */
class IdleTimer {
  readonly #clock: Clock;
  readonly #us: number;
  readonly #run: () => void;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, ms: number, run: () => void) {
    this.#clock = clock;
    this.#us = ms * 1000;
    this.#run = run;
    this.refresh();
  }

  refresh(): void {
    this.stop();
    this.#cancel = this.#clock.after(this.#us, () => {
      this.#cancel = null;
      this.#run();
    });
  }

  stop(): void {
    if (this.#cancel !== null) this.#cancel();
    this.#cancel = null;
  }
}

/** Node has set the timeout anew: its timer is replaced by one on `clock`. */
export function moveTimeout(socket: net.Socket, clock: Clock, run: () => void): void {
  if (TIMEOUT === null) return;
  const fields = socket as unknown as Fields;
  const nodes = fields[TIMEOUT];
  if (nodes === null || nodes === undefined || nodes instanceof IdleTimer) return;
  clearTimeout(nodes);
  fields[TIMEOUT] = socket.timeout ? new IdleTimer(clock, socket.timeout, run) : null;
}

/** Ends the timer of one socket. */
export function stopTimeout(socket: object): void {
  if (TIMEOUT === null) return;
  const timer = (socket as Fields)[TIMEOUT];
  if (timer instanceof IdleTimer) timer.stop();
  else if (timer !== null && timer !== undefined) clearTimeout(timer);
}
