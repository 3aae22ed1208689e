// The names of one host: its resolver and its table of hosts, and `lookup` over them, which
// host.dns, host.net and host.dgram share. A question under way keeps the event loop alive and
// ends with the host.

import { AsyncResource } from 'node:async_hooks';
import dns from 'node:dns';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { lookup as askNames, type LookupReply } from '../services/dns/lookup.ts';
import { DnsResolver, type ResolverOptions } from '../services/dns/resolver.ts';
import { type Address, isLoopback } from '../wire/address.ts';
import type { DnsSettings } from './dns-options.ts';
import { hostClosed, nameError } from './errors.ts';
import type {
  Ground,
  Lookup,
  LookupAddress,
  LookupCallback,
  LookupOptions,
  Tenant,
} from './ground.ts';

/** Linux's AI_V4MAPPED, AI_ALL and AI_ADDRCONFIG, as node:dns gives them. */
const V4_MAPPED = 8;
const ALL = 16;
const ADDRCONFIG = 32;

/** A core resolver on a host: holds the event loop while it asks, ends with the host. */
export function resolverOn(
  ground: Ground,
  options: Pick<ResolverOptions, 'servers' | 'config'>,
): DnsResolver {
  const { stack, driver } = ground;
  const resolver = new DnsResolver({ stack, timers: driver.clock, ...options });
  const tenant: Tenant = { shut: () => resolver.cancel(), fail: () => resolver.cancel() };
  resolver.onBusy = (isBusy) => {
    if (isBusy) {
      ground.driver.hold();
      ground.enter(tenant);
    } else {
      ground.driver.release();
      ground.leave(tenant);
    }
  };
  return resolver;
}

/** As people write a name → as it is asked for (RFC 5891 §4). */
export function toAscii(name: string): string {
  // A name that is no name stays what it is, and is refused as such.
  return /^[\0-\x7f]*$/.test(name) ? name : domainToASCII(name) || name;
}

export class Names {
  readonly settings: DnsSettings;
  readonly resolver: DnsResolver;
  readonly #ground: Ground;
  /** The program's own resolver, instead of all this. */
  readonly #custom: Lookup | null;

  constructor(ground: Ground, settings: DnsSettings, custom: Lookup | null) {
    this.#ground = ground;
    this.#custom = custom;
    this.settings = settings;
    this.resolver = resolverOn(ground, settings);
  }

  /** The shape of `dns.lookup` with checked arguments. The callback comes in a later tick. */
  readonly lookup: Lookup = (hostname, options, callback) => {
    const literal = isIP(hostname);
    if (literal !== 0) {
      answer([{ address: hostname, family: literal }], hostname, options, callback);
    } else if (isLocalhost(hostname)) {
      answer(localhost(options.family), hostname, options, callback);
    } else if (this.#custom !== null) this.#custom(hostname, options, callback);
    else this.#ask(hostname, options, callback);
  };

  /** What the table of hosts, or the loopback prefix itself, says of an address; else nothing. */
  knownNames(address: Address): readonly string[] {
    const listed = this.settings.hosts.table()?.namesOf(address) ?? [];
    const { a, b, c, d } = address;
    return listed.length === 0 && isLoopback(a, b, c, d) ? ['localhost'] : listed;
  }

  #ask(hostname: string, options: LookupOptions, callback: LookupCallback): void {
    const resource = new AsyncResource('PORTSIDE_GETADDRINFO');
    const told: LookupCallback = (...args) => {
      resource.runInAsyncScope(callback as (...args: unknown[]) => void, undefined, ...args);
    };
    const families = this.#families(options);
    if (this.#ground.closed) {
      process.nextTick(told, hostClosed(), undefined);
      return;
    }
    if (families.length === 0) {
      process.nextTick(told, nameError('ENOTFOUND', 'getaddrinfo', hostname), undefined);
      return;
    }
    const { stack, driver } = this.#ground;
    const hosts = this.settings.hosts.table();
    const ground = { stack, timers: driver.clock, resolver: this.resolver, hosts };
    askNames(ground, { name: toAscii(hostname), families }, (reply) => {
      this.#tell(reply, hostname, options, told);
    });
  }

  #tell(
    reply: LookupReply,
    hostname: string,
    options: LookupOptions,
    callback: LookupCallback,
  ): void {
    const { code } = reply;
    if (code === 'ECANCELLED' || (code !== null && this.#ground.closed)) {
      process.nextTick(callback, hostClosed(), undefined);
    } else if (code !== null) {
      process.nextTick(callback, nameError(code, 'getaddrinfo', hostname), undefined);
    } else answer(shown(reply.addresses, options), hostname, options, callback);
  }

  /** AI_ADDRCONFIG: a family of which the host has no address beyond loopback is not asked for. */
  #families({ family, hints = 0 }: LookupOptions): (4 | 6)[] {
    const wantsMapped = family === 6 && (hints & V4_MAPPED) !== 0;
    const wanted: (4 | 6)[] =
      family === 4 ? [4] : family === 6 ? (wantsMapped ? [6, 4] : [6]) : [4, 6];
    if ((hints & ADDRCONFIG) === 0) return wanted;
    const own = new Set<number>();
    for (const { address } of this.#ground.stack.ip.addresses.list) {
      const { a, b, c, d } = address;
      if (!isLoopback(a, b, c, d)) own.add(address.family);
    }
    return own.size === 0 ? wanted : wanted.filter((one) => own.has(one));
  }
}

/** RFC 6761 §6.3: `localhost` and everything below it is this host. */
function isLocalhost(name: string): boolean {
  return /(^|\.)localhost\.?$/i.test(name);
}

function localhost(family: number | undefined): LookupAddress[] {
  const six = { address: '::1', family: 6 };
  const four = { address: '127.0.0.1', family: 4 };
  if (family === 6) return [six];
  return family === 4 ? [four] : [six, four];
}

/** As Node shows them; AI_V4MAPPED makes IPv6 addresses of the other ones. */
function shown(addresses: readonly Address[], options: LookupOptions): LookupAddress[] {
  const { family, hints = 0 } = options;
  const list = addresses.map((a) => ({ address: a.toString(), family: a.family as number }));
  if (family !== 6) return list;
  const six = list.filter((a) => a.family === 6);
  const isEnough = six.length > 0 && (hints & ALL) === 0;
  if (isEnough) return six;
  return list.map((a) => (a.family === 6 ? a : { address: `::ffff:${a.address}`, family: 6 }));
}

function answer(
  found: LookupAddress[],
  hostname: string,
  options: LookupOptions,
  callback: LookupCallback,
): void {
  const order = options.order ?? dns.getDefaultResultOrder();
  const first = order === 'ipv4first' ? 4 : order === 'ipv6first' ? 6 : 0;
  const list = [
    ...found.filter((a) => a.family === first),
    ...found.filter((a) => a.family !== first),
  ];
  const [one] = list;
  if (one === undefined) {
    process.nextTick(callback, nameError('ENOTFOUND', 'getaddrinfo', hostname), undefined);
  } else if (options.all === true) process.nextTick(callback, null, list);
  else process.nextTick(callback, null, one.address, one.family);
}
