// From names to addresses: hosts, search, both families, order.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { DNS_DEFAULTS } from '../../../src/services/dns/config.ts';
import { orderDestinations } from '../../../src/services/dns/destinations.ts';
import { HostsTable } from '../../../src/services/dns/hosts.ts';
import { candidates, type LookupReply } from '../../../src/services/dns/lookup.ts';
import { readResolvConf } from '../../../src/services/dns/resolv-conf.ts';
import { reverseName } from '../../../src/services/dns/reverse.ts';
import { Stack } from '../../../src/stack/stack.ts';
import { type DnsRecord, DnsType, dnsAnswer, Rcode } from '../../../src/wire/dns.ts';
import { exampleZone, soa } from '../../kit/dns-zone.ts';
import { ip, Rig } from './rig.ts';

const zone = exampleZone();
const shown = (reply: LookupReply): unknown[] => [
  reply.code,
  ...reply.addresses.map((a) => a.toString()),
];
const NAMES = new Map<number, string>([
  [DnsType.A, 'A'],
  [DnsType.AAAA, 'AAAA'],
]);
const asked = (rig: Rig): string[] => rig.first.seen.map((s) => `${NAMES.get(s.type)} ${s.name}`);

describe('lookup', () => {
  test('asks for both families at once', () => {
    const rig = new Rig({ zone });
    expect(shown(rig.lookup('www.example')).slice(0, 3)).toEqual([null, '192.0.2.1', '192.0.2.2']);
    expect(asked(rig)).toEqual(['A www.example', 'AAAA www.example']);
    expect(Math.round(rig.ms)).toBe(2);
  });

  test('of one family asks for that one', () => {
    const rig = new Rig({ zone });
    expect(shown(rig.lookup('www.example', [6]))).toEqual([null, '2001:db8::1']);
    expect(asked(rig)).toEqual(['AAAA www.example']);
  });

  test('one family is enough', () => {
    const rig = new Rig({ zone });
    expect(shown(rig.lookup('ns1.example'))).toEqual([null, '192.0.2.53']);
  });

  test('a family that is silent costs 2 s, not 22 (RFC 8305 §3)', () => {
    const rig = new Rig({ zone });
    rig.first.rule = (_query, seen) => (seen.type === DnsType.AAAA ? null : undefined);
    expect(shown(rig.lookup('www.example'))).toEqual([null, '192.0.2.1', '192.0.2.2']);
    expect(Math.round(rig.ms)).toBe(2002);
    rig.pass(60_000);
    expect([rig.world.clock.waiting, rig.open]).toEqual([0, 0]);
  });

  test.each<[string, number | null, string]>([
    ['NXDOMAIN', Rcode.NXDOMAIN, 'ENOTFOUND'],
    ['no data', Rcode.NOERROR, 'ENOTFOUND'],
    ['SERVFAIL', Rcode.SERVFAIL, 'EAI_AGAIN'],
    ['REFUSED', Rcode.REFUSED, 'EAI_AGAIN'],
    ['silence', null, 'EAI_AGAIN'],
  ])('%s is what getaddrinfo says', (_what, rcode, code) => {
    const rig = new Rig({ config: { udpSize: 0 } });
    rig.first.rule = (query) => (rcode === null ? null : dnsAnswer(query, { rcode }));
    expect(shown(rig.lookup('www.example'))).toEqual([code]);
  });

  test('no data of one family and silence of the other is not ENOTFOUND', () => {
    const rig = new Rig({ zone });
    rig.first.rule = (query, seen) => (seen.type === DnsType.AAAA ? null : dnsAnswer(query));
    expect(shown(rig.lookup('www.example'))).toEqual(['EAI_AGAIN']);
  });

  test('without servers is ENOTFOUND at once', () => {
    expect(shown(new Rig({ servers: 0 }).lookup('www.example'))).toEqual(['ENOTFOUND']);
  });

  test('a name that is none is ENOTFOUND', () => {
    expect(shown(new Rig({ zone }).lookup('a..b'))).toEqual(['ENOTFOUND']);
  });

  test('cancelled is ECANCELLED', () => {
    const rig = new Rig({ zone });
    rig.first.rule = () => null;
    rig.world.clock.after(5000, () => rig.resolver.cancel());
    expect(shown(rig.lookup('www.example'))).toEqual(['ECANCELLED']);
  });
});

describe('the table of hosts', () => {
  const hosts = [
    '# a comment',
    '127.0.0.1 localhost',
    '10.1.1.1\tdb.lan db # the database',
    '10.1.1.2 db',
    '2001:db8::5 DB',
    'fe80::1%eth0 router',
    '10.1.1.1 db',
    'junk db',
    '10.1.1.9',
    '',
  ].join('\r\n');

  test('goes before the servers', () => {
    const rig = new Rig({ zone, hosts });
    expect(new Set(shown(rig.lookup('Db.')))).toEqual(
      new Set([null, '10.1.1.1', '10.1.1.2', '2001:db8::5']),
    );
    expect(shown(rig.lookup('db', [6]))).toEqual([null, '2001:db8::5']);
    expect(rig.first.seen).toEqual([]);
  });

  test('leaves what it does not have to them', () => {
    const rig = new Rig({ zone, hosts });
    expect(shown(rig.lookup('www.example', [4]))).toEqual([null, '192.0.2.1', '192.0.2.2']);
  });

  test('knows the names of an address', () => {
    const table = new HostsTable(hosts);
    expect(table.namesOf(ip('10.1.1.1'))).toEqual(['db.lan', 'db', 'db']);
    expect(table.namesOf(ip('10.1.1.9'))).toEqual([]);
    expect(table.addressesOf('router').map(String)).toEqual(['fe80::1%eth0']);
    expect(table.addressesOf('constructor')).toEqual([]);
  });

  test('of many lines is read in a walk over the text', () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `0.0.0.0 ads${i}.example`);
    const table = new HostsTable(lines.join('\n'));
    expect(table.addressesOf('ads49999.example').map(String)).toEqual(['0.0.0.0']);
  });
});

describe('the search list (resolv.conf(5))', () => {
  const config = { ...DNS_DEFAULTS, search: ['a.example', '.b.example.'] };
  // biome-ignore format: a table
  const table: [string, number, string[]][] = [
    ['www', 1, ['www.a.example', 'www.b.example', 'www']],
    ['www.', 1, ['www.']],
    ['www.x', 1, ['www.x', 'www.x.a.example', 'www.x.b.example']],
    ['www.x', 2, ['www.x.a.example', 'www.x.b.example', 'www.x']],
    ['www', 0, ['www', 'www.a.example', 'www.b.example']],
  ];
  test.each(table)('%s with ndots %i', (name, ndots, expected) => {
    expect(candidates(name, { ...config, ndots })).toEqual(expected);
  });

  const names: DnsRecord[] = [
    soa('example'),
    { kind: 'A', name: 'www.b.example', ttl: 60, address: '192.0.2.7' },
  ];

  test('goes on behind a name that does not exist', () => {
    const rig = new Rig({ zone: names, config: { search: ['a.example', 'b.example'] } });
    expect(shown(rig.lookup('www', [4]))).toEqual([null, '192.0.2.7']);
    expect(asked(rig)).toEqual(['A www.a.example', 'A www.b.example']);
  });

  test('goes on behind a server’s failure, and tells of it at the end', () => {
    const rig = new Rig({ zone: names, config: { search: ['a.example', 'b.example'] } });
    rig.first.rule = (query, seen) =>
      seen.name === 'www.a.example' ? dnsAnswer(query, { rcode: Rcode.SERVFAIL }) : undefined;
    expect(shown(rig.lookup('www', [4]))).toEqual([null, '192.0.2.7']);
    rig.first.rule = (query, seen) =>
      seen.name === 'x.a.example' ? dnsAnswer(query, { rcode: Rcode.SERVFAIL }) : undefined;
    expect(shown(rig.lookup('x', [4]))).toEqual(['EAI_AGAIN']);
  });

  test('stops at silence', () => {
    const rig = new Rig({ zone: names, config: { search: ['a.example', 'b.example'] } });
    rig.first.rule = () => null;
    expect(shown(rig.lookup('www', [4]))).toEqual(['EAI_AGAIN']);
    expect(new Set(asked(rig))).toEqual(new Set(['A www.a.example']));
  });
});

describe('the order of addresses', () => {
  const stack = (addresses: string[], routes: string[]): Stack => {
    const made = new Stack({ random: new SeededRandom(1) });
    const link = { mtu: 1500, caps: 0, name: 'l', transmit: () => true, flush: () => {} };
    const id = made.addLink(link as never);
    for (const text of addresses) {
      const [address, bits] = text.split('/');
      made.addAddress(id, address as string, Number(bits));
    }
    for (const text of routes) {
      const [prefix, bits] = text.split('/');
      made.addRoute(prefix as string, Number(bits), { link: id });
    }
    return made;
  };
  const ordered = (made: Stack, list: string[]): string[] =>
    orderDestinations(made, list.map(ip)).map(String);

  const both = stack(['10.0.0.2/24', '2001:db8::2/64'], ['0.0.0.0/0', '::/0']);
  const four = stack(['10.0.0.2/24'], ['0.0.0.0/0']);
  // biome-ignore format: a table
  const table: [string, Stack, string[], string[]][] = [
    ['rule 1: what can be reached', four, ['2001:db8:1::1', '192.0.2.1'], ['192.0.2.1', '2001:db8:1::1']],
    ['rule 6: IPv6 before IPv4', both, ['192.0.2.1', '2001:db8:1::1'], ['2001:db8:1::1', '192.0.2.1']],
    ['rule 5: the same label before another', both, ['2002:c000:201::1', '192.0.2.1'],
      ['192.0.2.1', '2002:c000:201::1']],
    ['rule 2: the same scope', both, ['169.254.1.1', '192.0.2.1'], ['192.0.2.1', '169.254.1.1']],
    ['rule 9: the longer prefix in common', both, ['2001:db9::1', '2001:db8::9', '2001:db8:0:1::1'],
      ['2001:db8::9', '2001:db8:0:1::1', '2001:db9::1']],
    ['rule 10: as they came', both, ['192.0.2.9', '192.0.2.1', '192.0.2.5'],
      ['192.0.2.9', '192.0.2.1', '192.0.2.5']],
    ['::1 before 127.0.0.1', both, ['127.0.0.1', '::1'], ['::1', '127.0.0.1']],
  ];
  test.each(table)('%s (RFC 6724 §6)', (_rule, made, list, expected) => {
    expect(ordered(made, list)).toEqual(expected);
  });
});

describe('reverse names', () => {
  test('of IPv4 (RFC 1035 §3.5)', () => {
    expect(reverseName(ip('192.0.2.1'))).toBe('1.2.0.192.in-addr.arpa');
    expect(reverseName(ip('255.254.253.252'))).toBe('252.253.254.255.in-addr.arpa');
  });

  test('of IPv6 (RFC 3596 §2.5)', () => {
    expect(reverseName(ip('4321:0:1:2:3:4:567:89ab'))).toBe(
      'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa',
    );
  });
});

describe('resolv.conf', () => {
  test('is read as resolv.conf(5) says', () => {
    const text = [
      '# nameserver 192.0.2.9',
      '; search nowhere',
      'nameserver 10.0.0.1',
      '  nameserver   fe80::1%eth0  ',
      'nameserver nonsense',
      'domain old.example',
      'search a.example b.example',
      'options ndots:2 timeout:3 attempts:2 rotate edns0 ndots:99999',
      'sortlist 130.155.160.0',
      '',
    ].join('\n');
    const conf = readResolvConf(text);
    expect(conf.servers.map((s) => `${s.address} ${s.port}`)).toEqual([
      '10.0.0.1 53',
      'fe80::1%eth0 53',
    ]);
    expect(conf).toMatchObject({
      ...{ search: ['a.example', 'b.example'], ndots: 2, timeoutMs: 3000, tries: 2 },
      rotate: true,
    });
  });

  test('options have the limits of resolv.conf(5)', () => {
    expect(readResolvConf('options ndots:99 timeout:99 attempts:99')).toMatchObject({
      ...{ ndots: 15, timeoutMs: 30_000, tries: 5 },
    });
    expect(readResolvConf('')).toEqual({ servers: [], search: [] });
  });
});
