// How long answers hold.

import { describe, expect, test } from 'vitest';
import { DnsCache } from '../../../src/services/dns/cache.ts';
import { DNS_DEFAULTS, type DnsReply } from '../../../src/services/dns/config.ts';
import { type DnsRecord, DnsType, dnsAnswer, Rcode } from '../../../src/wire/dns.ts';
import { exampleZone, soa } from '../../kit/dns-zone.ts';
import { Rig } from './rig.ts';

const { A, AAAA, CNAME, MX, ANY } = DnsType;
const zone = exampleZone();
const ttls = (reply: DnsReply): number[] => reply.records.map((r) => r.ttl);

describe('what is', () => {
  test('is kept for its TTL, which counts down (RFC 1035 §7.4)', () => {
    const rig = new Rig({ zone });
    expect(ttls(rig.ask('www.example', A))).toEqual([300, 300]);
    rig.pass(100_000);
    expect(ttls(rig.ask('WWW.example.', A))).toEqual([200, 200]);
    rig.pass(199_000);
    expect(ttls(rig.ask('www.example', A))).toEqual([1, 1]);
    expect(rig.first.seen.length).toBe(1);
    rig.pass(2000);
    expect(ttls(rig.ask('www.example', A))).toEqual([300, 300]);
    expect([rig.first.seen.length, rig.resolver.stats.cacheHits]).toEqual([2, 2]);
  });

  test('behind aliases is kept for the shortest TTL of the chain (RFC 2181 §5.2)', () => {
    const rig = new Rig({ zone });
    expect(ttls(rig.ask('alias2.example', A))).toEqual([40, 30, 300, 300]);
    rig.pass(29_000);
    rig.ask('alias2.example', A);
    expect(rig.first.seen.length).toBe(1);
    rig.pass(1500);
    rig.ask('alias2.example', A);
    expect(rig.first.seen.length).toBe(2);
  });

  test('is kept for each type by itself', () => {
    const rig = new Rig({ zone });
    rig.ask('www.example', A);
    rig.ask('www.example', AAAA);
    rig.ask('example', MX);
    rig.ask('www.example', AAAA);
    expect(rig.first.seen.length).toBe(3);
  });

  test('is not kept with a TTL of 0 (RFC 1035 §3.2.1), nor for ANY (RFC 8482 §7)', () => {
    const rig = new Rig({ zone: [{ kind: 'A', name: 'a', ttl: 0, address: '192.0.2.1' }] });
    for (let i = 0; i < 3; i++) rig.ask('a', A);
    expect(rig.first.seen.length).toBe(3);
    const any = new Rig({ zone });
    for (let i = 0; i < 3; i++) any.ask('www.example', ANY);
    expect(any.first.seen.length).toBe(3);
  });

  test('is forgotten with other servers', () => {
    const rig = new Rig({ zone });
    rig.ask('www.example', A);
    rig.resolver.servers = [...rig.resolver.servers];
    rig.ask('www.example', A);
    expect(rig.first.seen.length).toBe(2);
  });
});

describe('what is not', () => {
  test('is kept for the SOA’s MINIMUM: 60 s here (RFC 2308 §5)', () => {
    const rig = new Rig({ zone });
    expect(rig.ask('nowhere.example', A).code).toBe('ENOTFOUND');
    rig.pass(59_000);
    expect(rig.ask('nowhere.example', A).code).toBe('ENOTFOUND');
    expect(rig.first.seen.length).toBe(1);
    rig.pass(2000);
    rig.ask('nowhere.example', A);
    expect(rig.first.seen.length).toBe(2);
  });

  test('a name that does not exist has no record of any type (RFC 2308 §5)', () => {
    const rig = new Rig({ zone });
    rig.ask('nowhere.example', A);
    expect(rig.ask('nowhere.example', MX).code).toBe('ENOTFOUND');
    expect(rig.first.seen.length).toBe(1);
  });

  test('no data is for one type only (RFC 2308 §5)', () => {
    const rig = new Rig({ zone });
    expect(rig.ask('www.example', MX).code).toBe('ENODATA');
    expect(rig.ask('www.example', MX).code).toBe('ENODATA');
    expect(rig.ask('www.example', A).code).toBe(null);
    expect(rig.first.seen.length).toBe(2);
  });

  test('behind an alias it is the target that does not exist (RFC 6604 §3)', () => {
    const rig = new Rig({ zone });
    expect(rig.ask('dangling.example', A).code).toBe('ENOTFOUND');
    expect(rig.ask('dangling.example', A).code).toBe('ENOTFOUND');
    expect(rig.ask('dangling.example', CNAME).code).toBe(null);
    expect(rig.first.seen.length).toBe(2);
  });

  test('is not kept without an SOA (RFC 2308 §5)', () => {
    const rig = new Rig({ zone: [] });
    for (let i = 0; i < 3; i++) expect(rig.ask('a.b', A).code).toBe('ENOTFOUND');
    expect(rig.first.seen.length).toBe(3);
  });

  test('is kept for the SOA’s own TTL where that is shorter (RFC 2308 §5)', () => {
    const rig = new Rig({ zone });
    const short = { ...soa('example', 3600), ttl: 10 } as DnsRecord;
    rig.first.rule = (query) => dnsAnswer(query, { rcode: Rcode.NXDOMAIN, authorities: [short] });
    rig.ask('nowhere.example', A);
    rig.pass(9000);
    rig.ask('nowhere.example', A);
    expect(rig.first.seen.length).toBe(1);
    rig.pass(2000);
    rig.ask('nowhere.example', A);
    expect(rig.first.seen.length).toBe(2);
  });

  test('failures are not kept', () => {
    const rig = new Rig({ zone });
    rig.first.rule = (query) => dnsAnswer(query, { rcode: Rcode.SERVFAIL, edns: query.edns });
    expect(rig.ask('www.example', A).code).toBe('ESERVFAIL');
    rig.first.rule = () => undefined;
    expect(rig.ask('www.example', A).code).toBe(null);
  });
});

describe('bounds', () => {
  const reply = (ttlS: number, code: DnsReply['code'] = null): DnsReply => ({
    ...{ code, records: [], ttlS, isEveryType: false },
  });
  const question = (name: string) => ({ name, type: A, class: 1 });

  test('what was not asked for the longest time goes first', () => {
    const cache = new DnsCache({ ...DNS_DEFAULTS, cacheEntries: 3 });
    for (const name of ['a', 'b', 'c']) cache.keep(question(name), reply(60), 0);
    cache.find(question('a'), 1);
    cache.keep(question('d'), reply(60), 2);
    expect(cache.size).toBe(3);
    expect(['a', 'b', 'c', 'd'].map((n) => cache.find(question(n), 3) !== null)).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  test('maxTtlS and maxNegativeTtlS are the longest times', () => {
    const cache = new DnsCache({ ...DNS_DEFAULTS, maxTtlS: 100, maxNegativeTtlS: 10 });
    cache.keep(question('a'), reply(1_000_000), 0);
    cache.keep(question('b'), reply(1_000_000, 'ENODATA'), 0);
    const known = (us: number) => ['a', 'b'].map((n) => cache.find(question(n), us) !== null);
    expect(known(9.9e6)).toEqual([true, true]);
    expect(known(10e6)).toEqual([true, false]);
    expect(known(100e6)).toEqual([false, false]);
    expect(cache.size).toBe(0);
  });

  test('no entries: nothing is kept', () => {
    const cache = new DnsCache({ ...DNS_DEFAULTS, cacheEntries: 0 });
    cache.keep(question('a'), reply(60), 0);
    expect([cache.size, cache.find(question('a'), 0)]).toEqual([0, null]);
  });
});
