// `createHost(options)`: what a program may say, checked before anything is opened.

import type { Random } from '../base/random.ts';
import type { Slab } from '../base/slab.ts';
import type { Link } from '../link/link.ts';
import type { ConfigOverrides } from '../stack/config.ts';
import { type Address, parse, parsePrefix } from '../wire/address.ts';
import type { Clock } from './clock.ts';
import {
  type DeviceWish,
  type EthernetOptions,
  readDevice,
  type TunOptions,
} from './device-options.ts';
import { type DnsOptions, type DnsSettings, readDnsOptions } from './dns-options.ts';
import { invalidOption } from './errors.ts';
import type { Lookup } from './ground.ts';
import { MOST_QUEUES } from './queues.ts';

export type { EthernetOptions, TunOptions } from './device-options.ts';

export interface HostOptions {
  /** A TUN device. Without a device and a `link` the host lives on loopback alone. */
  tun?: TunOptions | string | boolean;
  /** A TAP device instead: an Ethernet whose other end is the kernel's, or a bridge's. */
  tap?: EthernetOptions | string | boolean;
  /** An Ethernet interface that is there (a veth's end, a macvlan, a card), by AF_PACKET. */
  packet?: EthernetOptions | string;
  /** A link of the program's, or a function that makes one over the host's slab. */
  link?: Link | ((slab: Slab) => Link);
  /** `'10.77.0.2/24'`, or every address of a prefix: `{ prefix: '10.9.0.0/16', own: 'all' }`. */
  addresses?: (string | { prefix: string; own?: 'all' })[];
  /**
   * The kernel's own address on a TUN. Default: the first other host address of the first prefix,
   * on a device that this host has made. Null: none.
   */
  peer?: string | null;
  /**
   * Default with a TUN or a link: everything goes there. On an Ethernet: to the `peer`, where there
   * is one.
   */
  routes?: { prefix: string; via?: string }[];
  /** 576 to 65,535 octets; default: the link's, 1500 on a TUN. */
  mtu?: number;
  clock?: Clock;
  random?: Random;
  /** Resolver for names other than localhost, `dns.lookup` for instance. Default: none. */
  lookup?: Lookup;
  /** Name servers and how they are asked. Without it names are literals and localhost. */
  dns?: DnsOptions;
  limits?: HostLimits;
  /**
   * Further links, each with the addresses and routes of its own; their ids are 2, 3, …. With
   * `forwarding` the host is a router between all of them (docs/forwarding.md).
   */
  links?: FurtherLink[];
  /** Packets for others are passed on; default false. */
  forwarding?: boolean;
  /** Queues of the device, 1 to 16: this thread serves one, workers the others (`spawn`). */
  queues?: number;
  /** Knobs of the stack (stack/config.ts). */
  config?: ConfigOverrides;
}

/** As the options of the same names of `createHost`; without `routes` its own prefixes alone. */
export type FurtherLink = Pick<
  HostOptions,
  'tun' | 'tap' | 'packet' | 'link' | 'addresses' | 'peer' | 'routes' | 'mtu'
>;

export interface HostLimits {
  /** Octets of the slab for received packets; default 8 MiB with a device, 1 MiB without. */
  receiveOctets?: number;
  /** Longest time in ms that a destroyed socket's unsent octets keep the process alive: 5000. */
  lingerMs?: number;
}

export interface OwnAddress {
  address: Address;
  length: number;
  all: boolean;
  text: string;
}

export interface Route {
  address: Address;
  length: number;
  via: Address | null;
  text: string;
}

export interface Settings {
  /** What was read. */
  given: HostOptions;
  tun: DeviceWish | null;
  link: Link | ((slab: Slab) => Link) | null;
  addresses: OwnAddress[];
  peer: Address | null | undefined;
  routes: Route[] | null;
  mtu: number | null;
  clock: Clock | null;
  random: Random | null;
  lookup: Lookup | null;
  dns: DnsSettings;
  receiveOctets: number;
  lingerMs: number;
  queues: number;
  config: ConfigOverrides;
  /** Settings of each further link. */
  links: Settings[];
}

const KNOWN = new Set<string>([
  'tun',
  'tap',
  'packet',
  'link',
  'addresses',
  'peer',
  'routes',
  'mtu',
  'clock',
  'random',
  'lookup',
  'dns',
  'limits',
  'queues',
  'links',
  'forwarding',
  'config',
]);
const MIB = 1 << 20;

/** Throws ERR_PORTSIDE_INVALID_OPTION at the first thing that is wrong. */
export function readOptions(options: HostOptions = {}): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'must be an object', options);
  }
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) {
      throw invalidOption(
        key,
        `is unknown (known: ${[...KNOWN].join(', ')})`,
        optionNamed(options, key),
      );
    }
  }
  const tun = readDevice(options);
  const link = options.link ?? null;
  if (tun !== null && link !== null) {
    throw invalidOption('link', `cannot be given together with \`${tun.kind ?? 'tun'}\``, link);
  }
  if (link !== null && typeof link !== 'function' && typeof link.transmit !== 'function') {
    throw invalidOption('link', 'must have a transmit method or be a function', link);
  }
  const isAlone = tun === null && link === null;
  const limits = options.limits ?? {};
  const receive = positive('limits.receiveOctets', limits.receiveOctets, isAlone ? MIB : 8 * MIB);
  return {
    given: options,
    tun,
    link,
    addresses: (options.addresses ?? []).map(readAddress),
    peer: readPeer(options.peer),
    routes: options.routes === undefined ? null : options.routes.map(readRoute),
    mtu: readMtu(options.mtu),
    clock: checkMethods('clock', options.clock, ['nowUs', 'after']),
    random: checkMethods('random', options.random, ['next']),
    lookup: readLookup(options.lookup, options.dns),
    dns: readDnsOptions(options.dns),
    receiveOctets: Math.max(receive, MIB),
    lingerMs: positive('limits.lingerMs', limits.lingerMs, 5000),
    queues: readQueues(options.queues, tun),
    config: readConfig(options),
    links: readLinks(options.links, tun !== null || link !== null),
  };
}

/** A host with 16 links is a switch. */
const MOST_LINKS = 15;

function readLinks(links: unknown, isFirst: boolean): Settings[] {
  if (links === undefined) return [];
  if (!Array.isArray(links) || links.length > MOST_LINKS) {
    throw invalidOption('links', `must be an array of at most ${MOST_LINKS} links`, links);
  }
  if (!isFirst) {
    throw invalidOption('links', 'are further ones: a device or `link` is the first', links);
  }
  return links.map((given: FurtherLink, i) => {
    const { tun, tap, packet, link, addresses, peer, routes = [], mtu } = given ?? {};
    // What exactOptionalPropertyTypes wants: absent is not undefined.
    const options = { tun, tap, packet, link, addresses, peer, routes, mtu } as HostOptions;
    const settings = readOptions(options);
    if (settings.tun === null && settings.link === null) {
      throw invalidOption(`links[${i}]`, 'must have a device or a `link`', given);
    }
    return settings;
  });
}

function readConfig(options: HostOptions): ConfigOverrides {
  const { config = {}, forwarding } = options;
  if (forwarding === undefined) return config;
  if (typeof forwarding !== 'boolean') {
    throw invalidOption('forwarding', 'must be a boolean', forwarding);
  }
  return { ...config, forward: { ...config.forward, forwarding } };
}

function optionNamed(options: object, key: string): unknown {
  return (options as Record<string, unknown>)[key];
}

function readQueues(queues: unknown, tun: DeviceWish | null): number {
  if (queues === undefined) return 1;
  if (typeof queues !== 'number' || !(queues >= 1 && queues <= MOST_QUEUES) || queues % 1 !== 0) {
    throw invalidOption('queues', `must be an integer from 1 to ${MOST_QUEUES}`, queues);
  }
  // On an Ethernet each queue would have to hear what neighbours say, and it comes to one of them.
  const isTun = tun !== null && (tun.kind ?? 'tun') === 'tun';
  const isOurs = isTun && tun.driver !== 'tuntap2' && tun.fd === undefined;
  if (queues > 1 && !isOurs) {
    throw invalidOption('queues', "wants a `tun` by name with the driver 'native'", queues);
  }
  return queues;
}

function readAddress(entry: unknown, i: number): OwnAddress {
  const name = `addresses[${i}]`;
  const isObject = typeof entry === 'object' && entry !== null;
  const given = (isObject ? entry : { prefix: entry }) as { prefix?: unknown; own?: unknown };
  const { prefix: text, own } = given;
  if (own !== undefined && own !== 'all') throw invalidOption(`${name}.own`, "must be 'all'", own);
  const prefix = typeof text === 'string' ? readPrefix(text) : null;
  if (prefix === null) throw invalidOption(name, "must be like '10.77.0.2/24'", entry);
  return { ...prefix, all: own === 'all', text: text as string };
}

/** A prefix, or a bare address as a prefix of full length. */
function readPrefix(text: string): { address: Address; length: number } | null {
  if (text.includes('/')) return parsePrefix(text);
  const address = parse(text);
  return address === null ? null : { address, length: address.family === 4 ? 32 : 128 };
}

function readPeer(peer: unknown): Address | null | undefined {
  if (peer === undefined || peer === null) return peer;
  const address = typeof peer === 'string' ? parse(peer) : null;
  if (address === null) throw invalidOption('peer', 'must be an IP address or null', peer);
  return address;
}

function readRoute(entry: { prefix: string; via?: string }, i: number): Route {
  const prefix = typeof entry?.prefix === 'string' ? readPrefix(entry.prefix) : null;
  if (prefix === null) {
    throw invalidOption(`routes[${i}].prefix`, "must be like '0.0.0.0/0'", entry?.prefix);
  }
  const via = entry.via === undefined ? null : parse(String(entry.via));
  if (entry.via !== undefined && via === null) {
    throw invalidOption(`routes[${i}].via`, 'must be an IP address', entry.via);
  }
  return { ...prefix, via, text: entry.prefix };
}

function readMtu(mtu: unknown): number | null {
  if (mtu === undefined) return null;
  if (typeof mtu === 'number' && Number.isInteger(mtu) && mtu >= 576 && mtu <= 65_535) return mtu;
  throw invalidOption('mtu', 'must be an integer from 576 to 65535', mtu);
}

function readLookup(lookup: unknown, dns: unknown): Lookup | null {
  if (lookup === undefined) return null;
  if (dns !== undefined) {
    throw invalidOption('lookup', 'cannot be given together with `dns`', lookup);
  }
  if (typeof lookup !== 'function') throw invalidOption('lookup', 'must be a function', lookup);
  return lookup as Lookup;
}

function positive(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw invalidOption(name, 'must be a positive integer', value);
}

function checkMethods<T extends object>(
  name: string,
  value: T | undefined,
  methods: string[],
): T | null {
  if (value === undefined) return null;
  const has = (m: string): boolean => typeof (value as Record<string, unknown>)[m] === 'function';
  if (typeof value === 'object' && value !== null && methods.every(has)) return value;
  throw invalidOption(name, `must have the methods ${methods.join(', ')}`, value);
}
