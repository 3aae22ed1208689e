// Records in the shapes of node:dns: its names of fields, in its order.

import type { DnsReply } from '../services/dns/config.ts';
import { type DnsRecord, DnsType, typeOf } from '../wire/dns.ts';

interface Shaped {
  result: unknown[];
  ttls?: number[];
}

/** `resolve4` and `resolve6`: the addresses, and how long each may be kept. */
export function addresses(reply: DnsReply): Shaped {
  const result: string[] = [];
  const ttls: number[] = [];
  // RFC 2181 §5.2: an address is not good for longer than the aliases that led to it.
  let leastTtl = Infinity;
  for (const record of reply.records) {
    leastTtl = Math.min(leastTtl, record.ttl);
    if (record.kind !== 'A' && record.kind !== 'AAAA') continue;
    result.push(record.address);
    ttls.push(leastTtl);
  }
  return { result, ttls };
}

/** All records of one kind. */
export function each(kind: DnsRecord['kind']): (reply: DnsReply) => Shaped {
  return (reply) => ({ result: reply.records.filter((r) => r.kind === kind).map(valueIn) });
}

/** RFC 6698 §2.1, as later versions of Node show it. */
export function tlsa(reply: DnsReply): Shaped {
  const result: unknown[] = [];
  for (const record of reply.records) {
    if (record.kind !== 'OTHER' || record.octets.length < 4) continue;
    const [certUsage, selector, match] = record.octets;
    result.push({ certUsage, selector, match, data: record.octets.slice(3).buffer });
  }
  return { result };
}

/** The order in which `resolveAny` goes through the kinds. */
const ANY_ORDER: readonly number[] = [
  ...[DnsType.A, DnsType.CNAME, DnsType.AAAA, DnsType.MX, DnsType.NS, DnsType.TXT, DnsType.SRV],
  ...[DnsType.PTR, DnsType.NAPTR, DnsType.SOA, DnsType.CAA],
];

export function everything(reply: DnsReply): Shaped {
  const result = ANY_ORDER.flatMap((type) =>
    reply.records.filter((r) => typeOf(r) === type).map(typed),
  );
  return { result };
}

function typed(record: DnsRecord): object {
  const type = record.kind;
  switch (record.kind) {
    case 'A':
    case 'AAAA':
      return { address: record.address, ttl: record.ttl, type };
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return { value: record.target, type };
    case 'TXT':
      return { entries: record.strings, type };
    default:
      return { ...(valueIn(record) as object), type };
  }
}

function valueIn(record: DnsRecord): unknown {
  switch (record.kind) {
    case 'A':
    case 'AAAA':
      return record.address;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return record.target;
    case 'TXT':
      return record.strings;
    case 'MX':
      return { exchange: record.exchange, priority: record.preference };
    case 'SRV': {
      const { target, port, priority, weight } = record;
      return { name: target, port, priority, weight };
    }
    case 'NAPTR': {
      const { flags, services, regexp, replacement, order, preference } = record;
      return { flags, service: services, regexp, replacement, order, preference };
    }
    case 'SOA': {
      const { nsname, hostmaster, serial, refresh, retry, expire, minimum } = record;
      return { nsname, hostmaster, serial, refresh, retry, expire, minttl: minimum };
    }
    case 'CAA':
      return { critical: record.flags, [record.tag]: record.value };
    case 'OTHER':
      return record.octets;
  }
}
