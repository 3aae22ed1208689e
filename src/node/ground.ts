// What the sockets of one host stand on: its stack, its driver, and who is to be told at the end.

import type { Stack } from '../stack/stack.ts';
import { Delivery } from './delivery.ts';
import type { Driver } from './driver.ts';
import { hostClosed, type SystemError } from './errors.ts';

export interface LookupAddress {
  address: string;
  family: number;
}

export interface LookupOptions {
  family?: number | undefined;
  hints?: number | undefined;
  all?: boolean | undefined;
  /** In which order the families come; default `dns.getDefaultResultOrder()`. */
  order?: string | undefined;
}

export type LookupCallback = (
  error: SystemError | Error | null,
  address: string | LookupAddress[] | undefined,
  family?: number,
) => void;

/** The shape of `dns.lookup`. */
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;

/** Every host's `dns.lookup`: what stands in node:dns and is none of these is the program's own. */
export const hostLookups = new WeakSet<object>();

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
  /** The default `lookup` of this host's sockets; the host sets it. */
  lookup: Lookup = (_hostname, _options, callback) => {
    process.nextTick(callback, hostClosed(), undefined);
  };
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

  constructor(stack: Stack, driver: Driver) {
    this.stack = stack;
    this.driver = driver;
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
}
