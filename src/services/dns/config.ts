// Every knob of the resolver with its default and where that comes from, the codes that a question
// ends with, and what a resolver stands on.

import type { Stack } from '../../stack/stack.ts';
import type { Address } from '../../wire/address.ts';
import { DNS_PORT, type DnsRecord, Rcode } from '../../wire/dns.ts';
import type { Timers } from '../service.ts';

export interface DnsConfig {
  /** Time that a server has for its first answer; it doubles with every round over the servers. */
  timeoutMs: number;
  /** Most time that it gets in a later round. */
  maxTimeoutMs: number;
  /** Rounds over the servers. */
  tries: number;
  /** Each question starts with the next server (resolv.conf's `rotate`). */
  rotate: boolean;
  /** A server that has kept silent or failed is asked last for so long. */
  avoidMs: number;
  /** Largest UDP answer, told by EDNS (RFC 6891 §6.2.3); 0: questions without EDNS. */
  udpSize: number;
  /** Questions that are asked at the same time, and that wait for their turn. */
  maxInFlight: number;
  maxWaiting: number;
  /** Answers with a wrong id or question, after which a question is asked over TCP. */
  maxForged: number;
  /** Answers that are kept; 0: none. */
  cacheEntries: number;
  /** Longest time to keep what is, and what is not (RFC 2308 §5: hours at most). */
  maxTtlS: number;
  maxNegativeTtlS: number;
  /** Domains that a name with fewer dots than `ndots` is tried in first (resolv.conf(5)). */
  search: readonly string[];
  ndots: number;
}

export const DNS_DEFAULTS: DnsConfig = {
  // As c-ares, which node:dns asks with.
  timeoutMs: 2000,
  maxTimeoutMs: 8000,
  tries: 4,
  rotate: false,
  avoidMs: 5000,
  // DNS flag day 2020: what passes IPv6's smallest MTU unfragmented.
  udpSize: 1232,
  maxInFlight: 256,
  maxWaiting: 4096,
  // RFC 5452 §9.1 asks for defence; this many strays on one port are no accident.
  maxForged: 8,
  cacheEntries: 1024,
  maxTtlS: 86_400,
  maxNegativeTtlS: 10_800,
  search: [],
  ndots: 1,
};

/** resolv.conf(5): what its own readers take. */
export const MOST_SERVERS = 16;
export const MOST_SEARCH = 32;

/** How a question ends that has no answer, by the names of node:dns. */
export type DnsCode =
  | 'ENODATA'
  | 'EFORMERR'
  | 'ESERVFAIL'
  | 'ENOTFOUND'
  | 'ENOTIMP'
  | 'EREFUSED'
  | 'EBADNAME'
  | 'EBADRESP'
  | 'ECONNREFUSED'
  | 'ETIMEOUT'
  | 'ENOMEM'
  | 'ECANCELLED';

const RCODES: Readonly<Record<number, DnsCode>> = {
  [Rcode.FORMERR]: 'EFORMERR',
  [Rcode.SERVFAIL]: 'ESERVFAIL',
  [Rcode.NXDOMAIN]: 'ENOTFOUND',
  [Rcode.NOTIMP]: 'ENOTIMP',
  [Rcode.REFUSED]: 'EREFUSED',
};

/** Null for NOERROR. A code that nobody has defined is the server's failure. */
export function codeOf(rcode: number): DnsCode | null {
  return rcode === Rcode.NOERROR ? null : (RCODES[rcode] ?? 'ESERVFAIL');
}

/** What a question has come to: records of the answer section, CNAMEs and all, or a code. */
export interface DnsReply {
  readonly code: DnsCode | null;
  readonly records: readonly DnsRecord[];
  /** Seconds for which this is so; 0: not to be kept. */
  readonly ttlS: number;
  /** The name itself does not exist: this holds for every type (RFC 2308 §5). */
  readonly isEveryType: boolean;
}

export function failed(code: DnsCode): DnsReply {
  return { code, records: [], ttlS: 0, isEveryType: false };
}

export interface DnsServer {
  readonly address: Address;
  readonly port: number;
}

/** A server and what is known of it. */
export class ServerState implements DnsServer {
  readonly address: Address;
  readonly port: number;
  /** It has refused EDNS (RFC 6891 §6.2.2). */
  isPlain = false;
  /** Others are asked before until then, µs. */
  avoidUntilUs = 0;

  constructor(server: DnsServer) {
    this.address = server.address;
    this.port = server.port === 0 ? DNS_PORT : server.port;
  }
}

/** Running totals. */
export class DnsStats {
  questions = 0;
  cacheHits = 0;
  udpQueries = 0;
  tcpQueries = 0;
  answers = 0;
  timeouts = 0;
  /** Answers with a wrong id or question, and octets that are no answer. */
  strays = 0;
  malformed = 0;
}

/** What questions are asked over and with. */
export interface DnsGround {
  readonly stack: Stack;
  readonly timers: Timers;
  readonly config: DnsConfig;
  readonly stats: DnsStats;
  /** Source addresses of the program's choice. */
  local4: Address | null;
  local6: Address | null;
}
