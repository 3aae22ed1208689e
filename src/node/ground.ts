// What the sockets of one host stand on: its stack, its driver, and who is to be told at the end.

import { isIP } from 'node:net';
import type { Stack } from '../stack/stack.ts';
import { Delivery } from './delivery.ts';
import type { Driver } from './driver.ts';
import { notFoundError, type SystemError } from './errors.ts';

export interface LookupAddress {
  address: string;
  family: number;
}

export interface LookupOptions {
  family?: number | undefined;
  hints?: number | undefined;
  all?: boolean | undefined;
}

export type LookupCallback = (
  error: SystemError | Error | null,
  address: string | LookupAddress[] | undefined,
  family?: number,
) => void;

/** The shape of `dns.lookup`. */
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;

/** Something that ends with its host. */
export interface Tenant {
  /** Orderly: no new work, FIN after what is queued. */
  shut(): void;
  /** At once. `error` null: the deadline of `close`; else the reason (the device is gone). */
  fail(error: number | null): void;
}

/** A destroyed socket that keeps the event loop alive until its octets have arrived. */
export interface Orphan {
  /** True: it holds nothing any more. */
  relaxed(): boolean;
}

export class Ground {
  readonly stack: Stack;
  readonly driver: Driver;
  readonly delivery = new Delivery();
  readonly tenants = new Set<Tenant>();
  /** Names other than localhost, when the program gave a resolver. */
  readonly resolver: Lookup | null;
  closed = false;
  /** Told when a tenant has left a closing host. */
  onLeave: (() => void) | null = null;
  /** Longest time in ms that a destroyed socket's unsent octets keep the process alive. */
  lingerMs = 5000;

  readonly #orphans = new Set<Orphan>();

  readonly #askOrphans = (): void => {
    for (const orphan of this.#orphans) if (orphan.relaxed()) this.#orphans.delete(orphan);
    if (this.#orphans.size > 0) return;
    this.driver.onTurn = null;
    if (this.onLeave !== null) this.onLeave();
  };

  constructor(stack: Stack, driver: Driver, resolver: Lookup | null) {
    this.stack = stack;
    this.driver = driver;
    this.resolver = resolver;
  }

  enter(tenant: Tenant): void {
    this.tenants.add(tenant);
  }

  get hasOrphans(): boolean {
    return this.#orphans.size > 0;
  }

  /** A destroyed socket waits for its last acknowledgement: it is asked after every turn. */
  linger(orphan: Orphan): void {
    this.#orphans.add(orphan);
    this.driver.onTurn = this.#askOrphans;
  }

  leave(tenant: Tenant): void {
    if (this.tenants.delete(tenant) && this.onLeave !== null) this.onLeave();
  }

  /** The default `lookup`: literals and localhost here, the rest by the program's resolver. */
  readonly lookup: Lookup = (hostname, options, callback) => {
    const literal = isIP(hostname);
    if (literal === 0 && !isLocalhost(hostname)) {
      if (this.resolver !== null) this.resolver(hostname, options, callback);
      else process.nextTick(callback, notFoundError(hostname), undefined, undefined);
      return;
    }
    const found =
      literal === 0 ? this.#localhost(options.family) : [{ address: hostname, family: literal }];
    const first = found[0];
    if (first === undefined)
      process.nextTick(callback, notFoundError(hostname), undefined, undefined);
    else if (options.all === true) process.nextTick(callback, null, found);
    else process.nextTick(callback, null, first.address, first.family);
  };

  #localhost(family: number | undefined): LookupAddress[] {
    const six = { address: '::1', family: 6 };
    const four = { address: '127.0.0.1', family: 4 };
    if (family === 6) return [six];
    return family === 4 ? [four] : [six, four];
  }
}

/** RFC 6761 §6.3: `localhost` and everything below it is this host. */
function isLocalhost(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'localhost' || lower.endsWith('.localhost');
}
