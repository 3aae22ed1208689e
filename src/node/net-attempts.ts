// Several addresses of one name, tried in turn, each with its time (RFC 8305, as Node's
// autoSelectFamily does it).

import * as net from 'node:net';
import { Code } from '../base/code.ts';
import type { Edge } from './edge.ts';
import { aggregateError, type SystemError } from './errors.ts';
import type { Lookup, LookupAddress, LookupOptions } from './ground.ts';
import {
  attempt,
  attemptError,
  checkAddress,
  established,
  type Inner,
  open,
  type Target,
} from './net-attempt.ts';

type LookupTail = [address: string, family: number, host: string];

/** Happy eyeballs: the addresses of a name, families taking turns, one at a time. */
export class Attempts {
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
      edge.ask(false);
      if (edge.socket.connecting) edge.run(() => this.#found(error, found));
    });
  }

  #found(error: Error | null, found: string | LookupAddress[] | undefined): void {
    const socket = this.#edge.socket;
    const host = this.#target.host;
    if (error) {
      // The type of 'lookup' does not know of a failed one.
      socket.emit('lookup', error, ...([undefined, undefined, host] as unknown as LookupTail));
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
