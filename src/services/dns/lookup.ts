// From a name to addresses, as getaddrinfo does it: the table of hosts, the search list, A and AAAA
// side by side, the order of RFC 6724. RFC 8305 §3: a family that has answered does not wait for
// ever for the other one.

import type { Stack } from '../../stack/stack.ts';
import { type Address, parse } from '../../wire/address.ts';
import { DnsType } from '../../wire/dns.ts';
import type { Timers } from '../service.ts';
import type { DnsCode, DnsConfig, DnsReply } from './config.ts';
import { orderDestinations } from './destinations.ts';
import type { HostsTable } from './hosts.ts';
import type { DnsResolver } from './resolver.ts';

/** ENOTFOUND: there is no such address. EAI_AGAIN: nobody could tell. */
export type LookupCode = 'ENOTFOUND' | 'EAI_AGAIN' | 'ECANCELLED';

export interface LookupReply {
  readonly code: LookupCode | null;
  readonly addresses: readonly Address[];
}

export interface LookupRequest {
  readonly name: string;
  readonly families: readonly (4 | 6)[];
}

/** What a lookup stands on. */
export interface LookupGround {
  readonly stack: Stack;
  readonly timers: Timers;
  readonly resolver: DnsResolver;
  readonly hosts: HostsTable | null;
}

const NONE: LookupReply = { code: 'ENOTFOUND', addresses: [] };

/** `done` is told once; inside this call only where nobody had to be asked. */
export function lookup(
  ground: LookupGround,
  request: LookupRequest,
  done: (reply: LookupReply) => void,
): void {
  const { name, families } = request;
  const listed = ground.hosts?.addressesOf(name) ?? [];
  const wanted = listed.filter((address) => families.includes(address.family));
  if (wanted.length > 0) return done(found(ground, wanted));
  // hosts(5): a name that is listed with the other family alone is asked for all the same.
  if (ground.resolver.servers.length === 0) return done(NONE);
  tryNext(ground, families, candidates(name, ground.resolver.config), { done, wasUnsure: false });
}

/** resolv.conf(5): as it is first with enough dots, else last; a last dot forbids the search. */
export function candidates(name: string, config: DnsConfig): string[] {
  if (name.endsWith('.')) return [name];
  const dots = name.split('.').length - 1;
  const searched = config.search.map((domain) => `${name}.${domain.replace(/^\.|\.$/g, '')}`);
  return dots >= config.ndots ? [name, ...searched] : [...searched, name];
}

interface Search {
  readonly done: (reply: LookupReply) => void;
  /** A server has failed for one of the names before. */
  wasUnsure: boolean;
}

function tryNext(
  ground: LookupGround,
  families: readonly (4 | 6)[],
  names: readonly string[],
  search: Search,
): void {
  const [name, ...rest] = names;
  if (name === undefined) {
    search.done({ code: search.wasUnsure ? 'EAI_AGAIN' : 'ENOTFOUND', addresses: [] });
    return;
  }
  askBoth(ground, name, families, (addresses, code) => {
    if (addresses.length > 0) search.done(found(ground, addresses));
    else if (code === 'ECANCELLED') search.done({ code, addresses: [] });
    else if (code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EBADNAME') {
      tryNext(ground, families, rest, search);
    } else if (code === 'ESERVFAIL') {
      // The server may know the next name (resolver(3) goes on, too).
      search.wasUnsure = true;
      tryNext(ground, families, rest, search);
    } else search.done({ code: 'EAI_AGAIN', addresses: [] });
  });
}

/** The addresses of all families, and what the worst of the answers was. */
function askBoth(
  { resolver, timers }: LookupGround,
  name: string,
  families: readonly (4 | 6)[],
  done: (addresses: Address[], code: DnsCode | null) => void,
): void {
  const replies: (DnsReply | null)[] = families.map(() => null);
  let isOver = false;
  let stopTimer: (() => void) | null = null;
  const finish = (): void => {
    isOver = true;
    stopTimer?.();
    const known = replies.filter((reply) => reply !== null);
    const failures = known.map((reply) => reply.code).filter((code) => code !== null);
    done(known.flatMap(addressesIn), failures.find((code) => !isNo(code)) ?? failures[0] ?? null);
  };
  for (const [i, family] of families.entries()) {
    resolver.resolve(name, family === 4 ? DnsType.A : DnsType.AAAA, (reply) => {
      if (isOver) return;
      replies[i] = reply;
      if (replies.every((one) => one !== null)) return finish();
      if (reply.records.length === 0 || stopTimer !== null) return;
      stopTimer = timers.after(resolver.config.timeoutMs * 1000, finish);
    });
  }
}

/** An answer that there is nothing, unlike a failure to tell. */
function isNo(code: DnsCode): boolean {
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function addressesIn(reply: DnsReply): Address[] {
  return reply.records
    .map((r) => (r.kind === 'A' || r.kind === 'AAAA' ? parse(r.address) : null))
    .filter((address) => address !== null);
}

function found(ground: LookupGround, addresses: readonly Address[]): LookupReply {
  return { code: null, addresses: orderDestinations(ground.stack, addresses) };
}
