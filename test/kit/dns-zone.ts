// What a small authoritative name server says: answers from a list of records; `rule` may answer
// anything else, or nothing. Transports are others' (dns-server.ts, test/services/dns/rig.ts).

import {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  DnsType,
  dnsAnswer,
  Rcode,
  typeOf,
} from '../../src/wire/dns.ts';
import { decodeDns } from '../../src/wire/dns-decode.ts';
import { encodeDns } from '../../src/wire/dns-encode.ts';
import { sameName } from '../../src/wire/dns-name.ts';

export type Over = 'udp' | 'tcp';

export interface From {
  readonly address: string;
  readonly port: number;
}

/** A question that has come, with what the tests look at. */
export interface Seen {
  readonly name: string;
  readonly type: number;
  readonly over: Over;
  /** EDNS size; 0 without. */
  readonly udpSize: number;
  readonly id: number;
  readonly from: From;
}

/** A message or octets to send, null for silence, undefined for what the zone says. */
export type Rule = (query: DnsMessage, seen: Seen) => DnsMessage | Uint8Array | null | undefined;

const LARGEST_UDP = 4096;

export class Responder {
  zone: readonly DnsRecord[];
  readonly seen: Seen[] = [];
  rule: Rule = () => undefined;

  constructor(zone: readonly DnsRecord[]) {
    this.zone = zone;
  }

  /** The octets to send back, or null. */
  respond(octets: Uint8Array, over: Over, from: From): Uint8Array | null {
    const query = decodeDns(octets);
    const [question] = typeof query === 'string' ? [] : query.questions;
    if (typeof query === 'string' || question === undefined || query.isResponse) return null;
    const { name, type } = question;
    const udpSize = query.edns?.udpSize ?? 0;
    const seen: Seen = { name, type, over, udpSize, id: query.id, from };
    this.seen.push(seen);
    const ruled = this.rule(query, seen);
    if (ruled === null || ruled instanceof Uint8Array) return ruled;
    const most = over === 'tcp' ? 65_535 : Math.min(Math.max(udpSize, 512), LARGEST_UDP);
    return encodeDns(ruled ?? this.answerTo(query), most);
  }

  /** What the zone says. */
  answerTo(query: DnsMessage): DnsMessage {
    const question = query.questions[0] as DnsQuestion;
    const answers: DnsRecord[] = [];
    let owner = question.name;
    for (let i = 0; i < 8; i++) {
      const here = this.zone.filter((r) => sameName(r.name, owner));
      const isAny = question.type === DnsType.ANY;
      const wanted = here.filter((r) => isAny || typeOf(r) === question.type);
      answers.push(...wanted);
      const alias = here.find((r) => r.kind === 'CNAME');
      if (wanted.length > 0 || alias?.kind !== 'CNAME') break;
      answers.push(alias);
      owner = alias.target;
    }
    const below = `.${owner.toLowerCase()}`;
    const exists = this.zone.some(
      (r) => sameName(r.name, owner) || r.name.toLowerCase().endsWith(below),
    );
    const soa = this.zone.filter((r) => r.kind === 'SOA' && isBelow(owner, r.name));
    const isFound = answers.some((r) => typeOf(r) === question.type) || answers.length > 1;
    return dnsAnswer(query, {
      authoritative: true,
      recursionAvailable: true,
      rcode: exists ? Rcode.NOERROR : Rcode.NXDOMAIN,
      answers,
      authorities: isFound ? [] : soa,
      edns: query.edns === null ? null : { ...query.edns, udpSize: 1232, options: [] },
    });
  }
}

function isBelow(name: string, apex: string): boolean {
  return sameName(name, apex) || name.toLowerCase().endsWith(`.${apex.toLowerCase()}`);
}

/** A zone with one record of each kind, and names that lead somewhere or nowhere. */
export function exampleZone(): DnsRecord[] {
  const many = (i: number): DnsRecord => ({
    ...{ kind: 'A', name: 'many.example', ttl: 60 },
    address: `192.0.2.${i}`,
  });
  return [
    soa('example'),
    { kind: 'NS', name: 'example', ttl: 3600, target: 'ns1.example' },
    { kind: 'NS', name: 'example', ttl: 3600, target: 'ns2.example' },
    { kind: 'A', name: 'ns1.example', ttl: 3600, address: '192.0.2.53' },
    { kind: 'A', name: 'www.example', ttl: 300, address: '192.0.2.1' },
    { kind: 'A', name: 'www.example', ttl: 300, address: '192.0.2.2' },
    { kind: 'AAAA', name: 'www.example', ttl: 600, address: '2001:db8::1' },
    { kind: 'AAAA', name: 'mapped.example', ttl: 600, address: '::ffff:192.0.2.1' },
    { kind: 'CNAME', name: 'alias.example', ttl: 30, target: 'www.example' },
    { kind: 'CNAME', name: 'alias2.example', ttl: 40, target: 'alias.example' },
    { kind: 'CNAME', name: 'dangling.example', ttl: 30, target: 'nowhere.example' },
    { kind: 'MX', name: 'example', ttl: 60, preference: 10, exchange: 'mx1.example' },
    { kind: 'MX', name: 'example', ttl: 60, preference: 20, exchange: 'mx2.example' },
    { kind: 'TXT', name: 'example', ttl: 60, strings: ['v=spf1 -all'] },
    { kind: 'TXT', name: 'example', ttl: 60, strings: ['part one, ', 'part two', ''] },
    { kind: 'TXT', name: 'octets.example', ttl: 60, strings: ['caf\xe9', '\x00\x01'] },
    {
      ...{ kind: 'SRV', name: '_sip._tcp.example', ttl: 60, priority: 1, weight: 5 },
      ...{ port: 5060, target: 'sip.example' },
    },
    {
      ...{ kind: 'SRV', name: '_none._tcp.example', ttl: 60, priority: 0, weight: 0 },
      ...{ port: 0, target: '' },
    },
    {
      ...{ kind: 'NAPTR', name: 'example', ttl: 60, order: 100, preference: 10, flags: 's' },
      ...{ services: 'SIP+D2U', regexp: '', replacement: '_sip._udp.example' },
    },
    { kind: 'CAA', name: 'example', ttl: 60, flags: 0, tag: 'issue', value: 'ca.example' },
    { kind: 'CAA', name: 'example', ttl: 60, flags: 128, tag: 'iodef', value: 'mailto:a@b.c' },
    { kind: 'PTR', name: '1.2.0.192.in-addr.arpa', ttl: 60, target: 'www.example' },
    {
      ...{ kind: 'PTR', ttl: 60, target: 'six.example' },
      name: `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`,
    },
    { kind: 'PTR', name: 'odd.example', ttl: 60, target: 'a\\.b\\000\\@.example' },
    { kind: 'A', name: 'xn--bcher-kva.example', ttl: 60, address: '192.0.2.77' },
    ...Array.from({ length: 120 }, (_, i) => many(i + 1)),
  ];
}

export function soa(name: string, minimum = 60): DnsRecord {
  return {
    ...{ kind: 'SOA', name, ttl: 3600, nsname: `ns1.${name}`, hostmaster: `root.${name}` },
    ...{ serial: 2024010101, refresh: 7200, retry: 900, expire: 1_209_600, minimum },
  };
}
