// `createHost({ dns })`: how a host resolves names, checked before anything is opened, and the
// files that it may name.

import { readFileSync, statSync } from 'node:fs';
import { type DnsConfig, type DnsServer, MOST_SEARCH } from '../services/dns/config.ts';
import { HostsTable } from '../services/dns/hosts.ts';
import { readResolvConf } from '../services/dns/resolv-conf.ts';
import { parse } from '../wire/address.ts';
import { DNS_PORT } from '../wire/dns.ts';
import { nameToWire } from '../wire/dns-name.ts';
import { invalidOption } from './errors.ts';

export interface DnsOptions {
  /** Recursive name servers, asked over the stack: `10.0.0.1`, `10.0.0.1:5353`, `[::1]:53`. */
  servers?: string[];
  /** Domains that short names are tried in. */
  search?: string[];
  /** A name with so many dots is tried as it is first; default 1. */
  ndots?: number;
  /** Time for a server's first answer, ms; default 2000, doubled in each round. */
  timeoutMs?: number;
  /** Most time in a later round, ms; default 8000. */
  maxTimeoutMs?: number;
  /** Rounds over the servers; default 4. */
  tries?: number;
  /** Each question starts with the next server. */
  rotate?: boolean;
  /** Largest UDP answer, octets; default 1232; 0: without EDNS. */
  udpSize?: number;
  /** Text in the form of /etc/hosts. */
  hosts?: string;
  /** Such a file; true: /etc/hosts. It is read again when it has changed. */
  hostsFile?: string | boolean;
  /** A file in the form of /etc/resolv.conf (true: that one) for what is not said here. */
  resolvConf?: string | boolean;
  /** False: every question is asked anew. */
  cache?: boolean | { entries?: number; maxTtlS?: number; maxNegativeTtlS?: number };
  /** Most questions that are asked at the same time; default 256. */
  maxInFlight?: number;
}

export interface DnsSettings {
  readonly servers: readonly DnsServer[];
  readonly config: Partial<DnsConfig>;
  readonly hosts: HostsSource;
}

const KNOWN = new Set<string>([
  ...['servers', 'search', 'ndots', 'timeoutMs', 'maxTimeoutMs', 'tries', 'rotate', 'udpSize'],
  ...['hosts', 'hostsFile', 'resolvConf', 'cache', 'maxInFlight'],
]);
const CACHE_KNOBS: readonly string[] = ['entries', 'maxTtlS', 'maxNegativeTtlS'];

/** Whole numbers and what they may be: RFC 1035's, RFC 6891's and resolv.conf(5)'s limits. */
const NUMBERS = {
  ndots: [0, 15],
  timeoutMs: [1, 3_600_000],
  maxTimeoutMs: [1, 3_600_000],
  tries: [1, 100],
  udpSize: [0, 65_535],
  maxInFlight: [1, 65_536],
} as const;

/** Throws ERR_PORTSIDE_INVALID_OPTION at the first thing that is wrong, or what a file throws. */
export function readDnsOptions(given: unknown): DnsSettings {
  if (given === undefined) return { servers: [], config: {}, hosts: new HostsSource(null, null) };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption('dns', 'must be an object', given);
  }
  for (const [key, value] of Object.entries(given)) {
    if (KNOWN.has(key)) continue;
    throw invalidOption(`dns.${key}`, `is unknown (known: ${[...KNOWN].join(', ')})`, value);
  }
  const options = given as DnsOptions;
  const path = fileNamed('dns.resolvConf', options.resolvConf, '/etc/resolv.conf');
  const { servers, search, ...rest } =
    path === null ? { servers: [], search: [] } : readResolvConf(readFileSync(path, 'utf8'));
  const config: Partial<DnsConfig> = { search, ...rest, ...numbersOf(options) };
  if (options.search !== undefined) config.search = readSearch(options.search);
  if (options.rotate !== undefined) config.rotate = flag('dns.rotate', options.rotate);
  Object.assign(config, readCache(options.cache));
  const { hosts } = options;
  if (hosts !== undefined && typeof hosts !== 'string') {
    throw invalidOption('dns.hosts', 'must be text in the form of /etc/hosts', hosts);
  }
  return {
    servers: options.servers === undefined ? servers : readServers(options.servers),
    config,
    hosts: new HostsSource(
      hosts ?? null,
      fileNamed('dns.hostsFile', options.hostsFile, '/etc/hosts'),
    ),
  };
}

function numbersOf(options: DnsOptions): Partial<DnsConfig> {
  const config: Partial<DnsConfig> = {};
  for (const [name, [least, most]] of Object.entries(NUMBERS)) {
    const key = name as keyof typeof NUMBERS;
    const value = options[key];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < least || value > most) {
      throw invalidOption(`dns.${name}`, `must be an integer from ${least} to ${most}`, value);
    }
    config[key] = value;
  }
  return config;
}

function readServers(list: unknown): DnsServer[] {
  if (!Array.isArray(list)) throw invalidOption('dns.servers', 'must be a list', list);
  return list.map((entry: unknown, i) => {
    const server = typeof entry === 'string' ? parseServer(entry) : null;
    if (server !== null) return server;
    const name = `dns.servers[${i}]`;
    throw invalidOption(name, "must be like '10.0.0.1', '10.0.0.1:53' or '[::1]:53'", entry);
  });
}

/** The forms of dns.setServers. */
export function parseServer(text: string): DnsServer | null {
  const bare = parse(text);
  if (bare !== null) return { address: bare, port: DNS_PORT };
  const parts = /^(?:\[([^\]]+)\]|([^:]+))(?::([0-9]{1,5}))?$/.exec(text);
  const address = parts === null ? null : parse((parts[1] ?? parts[2]) as string);
  const port = Number(parts?.[3] ?? DNS_PORT);
  return address === null || port < 1 || port > 65_535 ? null : { address, port };
}

function readSearch(list: unknown): string[] {
  const isList = Array.isArray(list) && list.length <= MOST_SEARCH;
  if (!isList || !list.every((d) => typeof d === 'string' && nameToWire(d) !== null)) {
    const reason = `must be a list of at most ${MOST_SEARCH} domain names`;
    throw invalidOption('dns.search', reason, list);
  }
  return list as string[];
}

function readCache(cache: DnsOptions['cache']): Partial<DnsConfig> {
  if (cache === undefined || cache === true) return {};
  if (cache === false) return { cacheEntries: 0 };
  if (typeof cache !== 'object' || cache === null) {
    throw invalidOption('dns.cache', 'must be true, false or an object', cache);
  }
  for (const [key, value] of Object.entries(cache)) {
    const isFine = CACHE_KNOBS.includes(key) && Number.isInteger(value) && (value as number) >= 0;
    if (isFine) continue;
    const reason = `must be a whole number (known: ${CACHE_KNOBS.join(', ')})`;
    throw invalidOption(`dns.cache.${key}`, reason, value);
  }
  const { entries, maxTtlS, maxNegativeTtlS } = cache;
  return {
    ...(entries === undefined ? {} : { cacheEntries: entries }),
    ...(maxTtlS === undefined ? {} : { maxTtlS }),
    ...(maxNegativeTtlS === undefined ? {} : { maxNegativeTtlS }),
  };
}

function flag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidOption(name, 'must be true or false', value);
}

function fileNamed(name: string, value: unknown, usual: string): string | null {
  if (value === undefined || value === false) return null;
  if (value === true) return usual;
  if (typeof value === 'string' && value !== '') return value;
  throw invalidOption(name, 'must be a path, true or false', value);
}

/** The table of hosts: a text, and a file that is looked at again when its date has changed. */
export class HostsSource {
  readonly #text: string | null;
  readonly #path: string | null;
  #changedMs = Number.NaN;
  #table: HostsTable | null = null;

  constructor(text: string | null, path: string | null) {
    this.#text = text;
    this.#path = path;
    if (text !== null) this.#table = new HostsTable(text);
  }

  /** Null when there is none. A file that is missing is an empty one, as for the machine. */
  table(): HostsTable | null {
    if (this.#path === null) return this.#table;
    const changedMs = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedMs !== this.#changedMs) {
      this.#changedMs = changedMs;
      const file = changedMs === 0 ? '' : readFileSync(this.#path, 'utf8');
      this.#table = new HostsTable(`${this.#text ?? ''}\n${file}`);
    }
    return this.#table;
  }
}
