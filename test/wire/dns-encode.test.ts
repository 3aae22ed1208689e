import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DnsRecord, dnsAnswer, dnsMessage, dnsQuery } from '../../src/wire/dns.ts';
import { decodeDns } from '../../src/wire/dns-decode.ts';
import { encodeDns } from '../../src/wire/dns-encode.ts';
import { nameToWire, sameName } from '../../src/wire/dns-name.ts';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** One record of each kind. */
const RECORDS: DnsRecord[] = [
  { kind: 'A', name: 'a.example', ttl: 60, class: 1, address: '192.0.2.1' },
  { kind: 'AAAA', name: 'a.example', ttl: 60, class: 1, address: '2001:db8::1' },
  { kind: 'NS', name: 'example', ttl: 3600, class: 1, target: 'ns1.example' },
  { kind: 'CNAME', name: 'www.a.example', ttl: 5, class: 1, target: 'a.example' },
  { kind: 'PTR', name: '1.2.0.192.in-addr.arpa', ttl: 5, class: 1, target: 'a.example' },
  { kind: 'MX', name: 'example', ttl: 5, class: 1, preference: 10, exchange: 'mx.example' },
  { kind: 'TXT', name: 'example', ttl: 5, class: 1, strings: ['v=spf1 -all', '', '\xff\x00'] },
  {
    ...{ kind: 'SRV', name: '_sip._tcp.example', ttl: 5, class: 1 },
    ...{ priority: 1, weight: 2, port: 5060, target: 'sip.example' },
  },
  {
    ...{ kind: 'NAPTR', name: 'example', ttl: 5, class: 1, order: 100, preference: 10 },
    ...{ flags: 's', services: 'SIP+D2U', regexp: '!^.*$!sip:a@b!', replacement: '' },
  },
  {
    ...{ kind: 'SOA', name: 'example', ttl: 5, class: 1, nsname: 'ns1.example' },
    ...{ hostmaster: 'root.example', serial: 4_294_967_295, refresh: 7200, retry: 3600 },
    ...{ expire: 1_209_600, minimum: 300 },
  },
  {
    ...{ kind: 'CAA', name: 'example', ttl: 5, class: 1, flags: 128, tag: 'issue' },
    value: 'ca.example; policy=ev',
  },
  { kind: 'OTHER', name: 'example', ttl: 5, class: 1, type: 65_280, octets: Uint8Array.of(1, 2) },
];

describe('names', () => {
  // biome-ignore format: a table
  const table: [string, string | null][] = [
    ['', '00'],
    ['.', '00'],
    ['a', '016100'],
    ['a.', '016100'],
    ['A.bc.', '014102626300'],
    ['a..b', null],
    ['.a', null],
    ['a..', null],
    ['\\.x', '022e7800'],
    ['\\000\\255', '0200ff00'],
    ['\\256', null],
    ['a\\', null],
    ['ü', null],
    ['a\u0000b', null],
    ['x'.repeat(64), null],
    [`${'x'.repeat(63)}.y`, `3f${'78'.repeat(63)}017900`],
    [`${`${'x'.repeat(62)}.`.repeat(4)}yy`, null],
    [`${`${'x'.repeat(62)}.`.repeat(4)}y`, `${`3e${'78'.repeat(62)}`.repeat(4)}017900`],
    [`${`${'x'.repeat(62)}.`.repeat(4)}y.`, `${`3e${'78'.repeat(62)}`.repeat(4)}017900`],
  ];
  test.each(table)('%s as octets (RFC 1035 §2.3.4)', (text, octets) => {
    const wire = nameToWire(text);
    expect(wire === null ? null : hex(wire)).toBe(octets);
  });

  test('compare without regard to ASCII case (RFC 4343 §3)', () => {
    expect(sameName('WWW.Example', 'www.eXAMPLE')).toBe(true);
    expect(sameName('www.example', 'www.example.')).toBe(false);
  });
});

describe('a query', () => {
  test('octet by octet, with EDNS0 and 1232 octets (RFC 6891 §6.1.2)', () => {
    expect(hex(encodeDns(dnsQuery(0xbeef, 'a.example', 28, 1232)))).toBe(
      'beef01000001000000000001' + '0161076578616d706c6500001c0001' + '00002904d0000000000000',
    );
  });

  test('without EDNS there is no additional record', () => {
    expect(hex(encodeDns(dnsQuery(1, '', 2, 0)))).toBe('00010100000100000000000000' + '00020001');
  });
});

describe('records', () => {
  test('of every kind come back as they were', () => {
    const m = dnsMessage({
      id: 7,
      isResponse: true,
      authoritative: true,
      questions: [{ name: 'a.example', type: 255, class: 1 }],
      answers: RECORDS,
      edns: { udpSize: 4096, version: 0, dnssecOk: true, options: [] },
      rcode: 16,
    });
    expect(decodeDns(encodeDns(m))).toEqual(m);
  });

  test('are what another implementation reads', () => {
    const read = packet.decode(
      Buffer.from(encodeDns(dnsMessage({ isResponse: true, answers: RECORDS.slice(0, -1) }))),
    );
    const answers = read.answers as unknown as { type: string; data: unknown }[];
    expect(answers.map(({ type, data }) => [type, data])).toEqual([
      ['A', '192.0.2.1'],
      ['AAAA', '2001:db8::1'],
      ['NS', 'ns1.example'],
      ['CNAME', 'a.example'],
      ['PTR', 'a.example'],
      ['MX', { preference: 10, exchange: 'mx.example' }],
      ['TXT', [Buffer.from('v=spf1 -all'), Buffer.from(''), Buffer.from([255, 0])]],
      ['SRV', { priority: 1, weight: 2, port: 5060, target: 'sip.example' }],
      [
        'NAPTR',
        {
          ...{ order: 100, preference: 10, flags: 's', services: 'SIP+D2U' },
          ...{ regexp: '!^.*$!sip:a@b!', replacement: '.' },
        },
      ],
      [
        'SOA',
        {
          ...{ mname: 'ns1.example', rname: 'root.example', serial: 4_294_967_295 },
          ...{ refresh: 7200, retry: 3600, expire: 1_209_600, minimum: 300 },
        },
      ],
      ['CAA', { flags: 128, tag: 'issue', value: 'ca.example; policy=ev', issuerCritical: true }],
    ]);
  });

  test('written by another implementation are read', () => {
    const host = fc
      .array(fc.stringMatching(/^[a-z0-9_-]{1,12}$/), { minLength: 1, maxLength: 6 })
      .map((labels) => labels.join('.'));
    const quad = fc.tuple(...[0, 1, 2, 3].map(() => fc.nat(255))).map((q) => q.join('.'));
    const owned = { name: host, ttl: fc.nat(0x7fffffff) };
    const record = fc.oneof(
      fc.record({ ...owned, type: fc.constant('A'), data: quad }),
      fc.record({ ...owned, type: fc.constantFrom('NS', 'CNAME', 'PTR'), data: host }),
      fc.record({
        ...owned,
        type: fc.constant('MX'),
        data: fc.record({ preference: fc.nat(65_535), exchange: host }),
      }),
      fc.record({ ...owned, type: fc.constant('TXT'), data: fc.stringMatching(/^[ -~]{0,80}$/) }),
    );
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (answers) => {
        const octets = packet.encode({
          type: 'response',
          answers: answers as unknown as packet.Answer[],
        });
        const m = decodeDns(octets);
        if (typeof m === 'string') throw new Error(m);
        expect(m.answers.map((r) => [r.kind, r.name, r.ttl])).toEqual(
          answers.map((a) => [a.type, a.name, a.ttl]),
        );
      }),
    );
  });

  test('names are compressed, but not those of SRV and NAPTR (RFC 3597 §4)', () => {
    const [srv] = RECORDS.filter((r) => r.kind === 'SRV');
    const [mx] = RECORDS.filter((r) => r.kind === 'MX');
    const octets = encodeDns(dnsMessage({ answers: [srv, mx, mx] as DnsRecord[] }));
    // 12 + (19 + 10 + 6 + 13) + (2 + 10 + 2 + 5) + (2 + 10 + 2 + 2): mx.example once.
    expect(octets.length).toBe(12 + 48 + 19 + 16);
  });

  // biome-ignore format: a table
  const wrong: [string, DnsRecord][] = [
    ['a label of 64', { kind: 'A', name: 'x'.repeat(64), ttl: 1, address: '1.2.3.4' }],
    ['no address', { kind: 'A', name: 'a', ttl: 1, address: 'a' }],
    ['an address of the other family', { kind: 'A', name: 'a', ttl: 1, address: '::1' }],
    ['an IPv4 address as AAAA', { kind: 'AAAA', name: 'a', ttl: 1, address: '1.2.3.4' }],
    ['a string of 256', { kind: 'TXT', name: 'a', ttl: 1, strings: ['x'.repeat(256)] }],
    ['no string', { kind: 'TXT', name: 'a', ttl: 1, strings: [] }],
    ['a character that is no octet', { kind: 'TXT', name: 'a', ttl: 1, strings: ['€'] }],
    ['no tag', { kind: 'CAA', name: 'a', ttl: 1, flags: 0, tag: '', value: '' }],
  ];
  test.each(wrong)('%s is refused with EINVAL', (_what, record) => {
    expect(() => encodeDns(dnsMessage({ answers: [record] }))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});

describe('what does not fit', () => {
  const many = (name: string, n: number): DnsRecord[] =>
    Array.from({ length: n }, (_, i) => ({
      ...{ kind: 'A', name, ttl: 1, class: 1 },
      address: `192.0.2.${i}`,
    }));
  const query = dnsQuery(1, 'a.example', 1, 512);

  test('an RRset is left out whole, and TC says so (RFC 2181 §9)', () => {
    const answers = [...many('a.example', 10), ...many('b.example', 30)];
    const octets = encodeDns(dnsAnswer(query, { answers }), 512);
    expect(octets.length).toBeLessThanOrEqual(512);
    const m = decodeDns(octets);
    expect(m).toMatchObject({ truncated: true, answers: answers.slice(0, 10) });
  });

  test('additional records go without TC (RFC 2181 §9)', () => {
    const additionals = many('b.example', 40);
    const octets = encodeDns(dnsAnswer(query, { additionals, edns: query.edns }), 512);
    expect(decodeDns(octets)).toMatchObject({
      truncated: false,
      additionals: [],
      edns: { udpSize: 512 },
    });
  });

  test('OPT stays in a truncated answer (RFC 6891 §7)', () => {
    const octets = encodeDns(
      dnsAnswer(query, { answers: many('a.example', 40), edns: query.edns }),
      512,
    );
    expect(decodeDns(octets)).toMatchObject({
      truncated: true,
      answers: [],
      edns: { udpSize: 512 },
    });
  });
});
