// node:dns over a host's stack. Resolvers are node:dns's own with their handle replaced in the
// field where Node keeps it; arguments, errors and promises are Node's own code. `lookup` and
// `lookupService` go through Node's checks, too, and then ask the host instead of the machine.

import dns from 'node:dns';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import type { DnsConfig } from '../services/dns/config.ts';
import { DnsHandle } from './dns-handle.ts';
import { type Names, resolverOn } from './dns-names.ts';
import { lookupServiceOn } from './dns-service.ts';
import { coded } from './errors.ts';
import { type Ground, hostLookups, type LookupCallback, type LookupOptions } from './ground.ts';
import { checkPort } from './net-connect.ts';

/** `host.dns`. */
export type DnsModule = typeof dns;

type Callable = (...args: unknown[]) => unknown;
type Bag = Record<string, unknown>;
type ResolverClass = new (options?: unknown) => Bag & { _handle: DnsHandle };

/** As they were before anybody has patched them. */
const node = {
  lookup: dns.lookup as unknown as Callable,
  lookupService: dns.lookupService as unknown as Callable,
  promisesLookup: dns.promises.lookup as unknown as Callable,
  promisesLookupService: dns.promises.lookupService as unknown as Callable,
};

/** Node's checks of the other arguments cost no question when the name is an address. */
const LITERAL = '127.0.0.1';

function nothing(): void {}

function isName(hostname: unknown): hostname is string {
  return typeof hostname === 'string' && hostname !== '' && isIP(hostname) === 0;
}

/** What checked arguments of `dns.lookup` say. */
export function lookupOptions(given: unknown): LookupOptions {
  if (typeof given === 'number') return { family: given };
  if (typeof given !== 'object' || given === null) return {};
  const { family, hints, all, verbatim, order } = given as Bag;
  const number = family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : Number(family ?? 0);
  const options: LookupOptions = { family: number, hints: Number(hints ?? 0), all: all === true };
  if (verbatim != null) options.order = verbatim === true ? 'verbatim' : 'ipv4first';
  if (order != null) options.order = String(order);
  return options;
}

function makeLookup(ground: Ground): Callable {
  return function lookup(...args: unknown[]): unknown {
    if (!isName(args[0])) return node.lookup(...args);
    const at = typeof args[1] === 'function' ? 1 : 2;
    const callback = args[at];
    const checked = [LITERAL, ...args.slice(1)];
    if (typeof callback === 'function') checked[at] = nothing;
    node.lookup(...checked);
    ground.lookup(args[0], lookupOptions(args[1]), callback as LookupCallback);
    return {};
  };
}

function makePromisesLookup(ground: Ground): Callable {
  return function lookup(...args: unknown[]): unknown {
    const [hostname, given] = args;
    if (!isName(hostname)) return node.promisesLookup(...args);
    void node.promisesLookup(LITERAL, ...args.slice(1));
    const options = lookupOptions(given);
    return new Promise((resolve, reject) => {
      ground.lookup(hostname, options, (error, address, family) => {
        if (error) reject(error);
        else resolve(options.all === true ? address : { address, family });
      });
    });
  };
}

/** Whether `lookupService` would take these; where not, Node's own says why. */
function isService(address: unknown, port: unknown): address is string {
  try {
    checkPort(port);
  } catch {
    return false;
  }
  return typeof address === 'string' && isIP(address) !== 0;
}

function makeLookupService(names: Names): Callable {
  return function lookupService(...args: unknown[]): unknown {
    const [address, port, callback] = args;
    const isFine = args.length === 3 && typeof callback === 'function' && isService(address, port);
    if (!isFine) return node.lookupService(...args);
    lookupServiceOn(names, address as string, Number(port), callback as never);
    return {};
  };
}

function makePromisesLookupService(names: Names): Callable {
  return function lookupService(...args: unknown[]): unknown {
    const [address, port] = args;
    if (args.length !== 2 || !isService(address, port)) return node.promisesLookupService(...args);
    return new Promise((resolve, reject) => {
      lookupServiceOn(names, address, Number(port), (error, hostname, service) => {
        if (error !== null) reject(error);
        else resolve({ hostname, service });
      });
    });
  };
}

/** Node's Resolver with this host's handle. A program's own one keeps no answers, as Node's. */
function makeResolverClass(Base: ResolverClass, ground: Ground, names: Names): ResolverClass {
  class Resolver extends Base {
    constructor(options?: unknown) {
      super(options);
      if (typeof (this._handle as Partial<DnsHandle> | undefined)?.queryA !== 'function') {
        const text = `portside does not find the handle of a Resolver in Node ${process.version}`;
        throw coded(Error, 'ERR_PORTSIDE_NODE_UNSUPPORTED', text);
      }
      const { servers, config } = names.settings;
      const own = { ...config, cacheEntries: 0, ...timing(options as Bag | undefined) };
      this._handle = new DnsHandle(ground, names, resolverOn(ground, { servers, config: own }));
    }
  }
  return Resolver;
}

/** `timeout`, `tries` and `maxTimeout` of a Resolver, which Node has checked; -1: the default. */
function timing(options: Bag | undefined): Partial<DnsConfig> {
  const config: Partial<DnsConfig> = {};
  const { timeout, tries, maxTimeout } = options ?? {};
  if (typeof timeout === 'number' && timeout > 0) config.timeoutMs = timeout;
  if (typeof tries === 'number') config.tries = tries;
  if (typeof maxTimeout === 'number' && maxTimeout > 0) config.maxTimeoutMs = maxTimeout;
  return config;
}

/** The resolver behind the functions of the module; both of its forms have one handle. */
class Defaults {
  readonly #names: Names;
  readonly #ground: Ground;
  readonly #Resolver: ResolverClass;
  readonly #PromisesResolver: ResolverClass;
  #pair: { callback: Bag; promise: Bag } | null = null;

  constructor(ground: Ground, names: Names, classes: readonly [ResolverClass, ResolverClass]) {
    this.#ground = ground;
    this.#names = names;
    [this.#Resolver, this.#PromisesResolver] = classes;
  }

  /** Made when it is first asked for: most hosts never are. */
  pair(): { callback: Bag; promise: Bag } {
    if (this.#pair === null) {
      const callback = new this.#Resolver();
      callback._handle = new DnsHandle(this.#ground, this.#names, this.#names.resolver);
      this.#use(callback);
    }
    return this.#pair as { callback: Bag; promise: Bag };
  }

  #use(callback: Bag & { _handle: DnsHandle }): void {
    const promise = new this.#PromisesResolver();
    promise._handle = callback._handle;
    this.#pair = { callback, promise };
  }

  /** As in Node, `lookup` keeps to the configured servers; where there are none it takes these. */
  setServers(servers: unknown): void {
    const fresh = new this.#Resolver();
    (fresh['setServers'] as Callable).call(fresh, servers);
    const { resolver } = this.#names;
    if (this.#names.settings.servers.length === 0)
      resolver.servers = fresh._handle.resolver.servers;
    this.#use(fresh);
  }
}

/** Members of a Resolver that the module has as functions. */
function delegated(module: object, Resolver: ResolverClass): string[] {
  const names = new Set<string>();
  for (let at: object = Resolver.prototype; at !== Object.prototype; at = parentOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete('constructor');
  names.delete('setServers');
  return [...names].filter((name) => typeof (module as Bag)[name] === 'function');
}

function parentOf(value: object): object {
  return Object.getPrototypeOf(value) as object;
}

function named(name: string, value: Callable): Callable {
  return Object.defineProperty(value, 'name', { value: name, configurable: true });
}

export function makeDns(ground: Ground, names: Names): DnsModule {
  const nodeResolver = dns.Resolver as unknown as ResolverClass;
  const nodePromises = dns.promises.Resolver as unknown as ResolverClass;
  const Resolver = makeResolverClass(nodeResolver, ground, names);
  const PromisesResolver = makeResolverClass(nodePromises, ground, names);
  const defaults = new Defaults(ground, names, [Resolver, PromisesResolver]);
  const setServers = named('setServers', (servers) => defaults.setServers(servers));

  const promises: Bag = { ...dns.promises, Resolver: PromisesResolver, setServers };
  promises['lookup'] = makePromisesLookup(ground);
  promises['lookupService'] = makePromisesLookupService(names);
  for (const name of delegated(dns.promises, nodePromises)) {
    const call: Callable = (...args) => (defaults.pair().promise[name] as Callable)(...args);
    promises[name] = named(name, call);
  }

  const module: Bag = { ...dns, Resolver, setServers, promises };
  module['lookup'] = promisable(makeLookup(ground), 'address', 'family');
  hostLookups.add(module['lookup'] as object);
  module['lookupService'] = promisable(makeLookupService(names), 'hostname', 'service');
  for (const name of delegated(dns, nodeResolver)) {
    const call: Callable = (...args) => (defaults.pair().callback[name] as Callable)(...args);
    module[name] = named(name, call);
  }
  return module as unknown as DnsModule;
}

/** util.promisify answers one object of both values, as it does for Node's own. */
function promisable(callable: Callable, first: string, second: string): Callable {
  const promised: Callable = (...args) =>
    new Promise((resolve, reject) => {
      callable(...args, (error: unknown, one: unknown, other: unknown) => {
        if (error) reject(error);
        else resolve(other === undefined ? one : { [first]: one, [second]: other });
      });
    });
  return Object.defineProperty(callable, promisify.custom, { value: promised });
}
