// Questions and their servers, packet by packet under a virtual clock.

import { describe, expect, test } from 'vitest';
import { DnsType, dnsAnswer, Rcode } from '../../../src/wire/dns.ts';
import { decodeDns } from '../../../src/wire/dns-decode.ts';
import { encodeDns } from '../../../src/wire/dns-encode.ts';
import { exampleZone, soa } from '../../kit/dns-zone.ts';
import { ip, Rig } from './rig.ts';

const { A, AAAA, TXT } = DnsType;
const zone = exampleZone();
const addresses = (reply: { records: readonly { kind: string }[] }): unknown[] =>
  reply.records.map((r) => ('address' in r ? r.address : r.kind));

describe('a question', () => {
  test('is asked once, with EDNS0 and 1232 octets, and leaves nothing open', () => {
    const rig = new Rig({ zone });
    const reply = rig.ask('www.example', A);
    expect(reply.code).toBe(null);
    expect(addresses(reply)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(rig.first.seen).toMatchObject([
      { name: 'www.example', type: 1, over: 'udp', udpSize: 1232 },
    ]);
    expect(rig.open).toBe(0);
    expect(rig.resolver.stats).toMatchObject({ questions: 1, udpQueries: 1, answers: 1 });
  });

  test('comes with an id and from a port of its own each time (RFC 5452 §9.2)', () => {
    const rig = new Rig({ zone, config: { cacheEntries: 0 } });
    for (let i = 0; i < 60; i++) rig.ask('www.example', A);
    const ids = rig.first.seen.map((s) => s.id);
    const ports = rig.first.seen.map((s) => s.from.port);
    expect(new Set(ids).size).toBeGreaterThan(57);
    expect(new Set(ports).size).toBeGreaterThan(57);
    // Neither counts up.
    const steps = (list: number[]): number =>
      list.filter((n, i) => n === (list[i - 1] ?? -9) + 1).length;
    expect([steps(ids) < 3, steps(ports) < 3]).toEqual([true, true]);
  });

  test('is asked again after 2, 4, 8 and 8 s from the same port with the same id, then ETIMEOUT', () => {
    const rig = new Rig({ zone });
    const at: number[] = [];
    rig.first.rule = () => {
      at.push(Math.round(rig.ms));
      return null;
    };
    expect(rig.ask('www.example', A).code).toBe('ETIMEOUT');
    expect(at).toEqual([1, 2001, 6001, 14_001]);
    expect(Math.round(rig.ms)).toBe(22_000);
    expect(new Set(rig.first.seen.map((s) => `${s.id} ${s.from.port}`)).size).toBe(1);
    expect([rig.open, rig.resolver.stats.timeouts]).toEqual([0, 4]);
  });

  test('timeoutMs, maxTimeoutMs and tries are what they say', () => {
    const rig = new Rig({ config: { timeoutMs: 100, maxTimeoutMs: 150, tries: 3 } });
    rig.first.rule = () => null;
    expect(rig.ask('www.example', A).code).toBe('ETIMEOUT');
    expect(Math.round(rig.ms)).toBe(100 + 150 + 150);
  });

  test('a late answer to the first try is an answer', () => {
    const rig = new Rig({ zone });
    let n = 0;
    rig.first.send = (octets, reply) => {
      // The second answer would come after 7 s.
      rig.world.clock.after(n++ === 0 ? 3_000_000 : 5_000_000, () => reply(octets));
    };
    expect(addresses(rig.ask('www.example', A))).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(Math.round(rig.ms)).toBe(3002);
  });

  test.each([
    ['an empty label', 'a..b', 'EBADNAME'],
    ['a label of 64', `${'x'.repeat(64)}.example`, 'EBADNAME'],
    ['a name below invalid (RFC 6761 §6.4)', 'www.invalid', 'ENOTFOUND'],
    ['a name below onion (RFC 7686 §2)', 'a.ONION.', 'ENOTFOUND'],
  ])('is not asked at all: %s', (_what, name, code) => {
    const rig = new Rig({ zone });
    expect(rig.ask(name, A).code).toBe(code);
    expect(rig.first.seen).toEqual([]);
  });

  test('without servers is ECONNREFUSED, as on a machine without a resolv.conf', () => {
    expect(new Rig({ servers: 0 }).ask('www.example', A).code).toBe('ECONNREFUSED');
  });

  test('a port where nobody is: ECONNREFUSED by ICMP, at once', () => {
    const rig = new Rig({ zone });
    rig.resolver.servers = [{ address: ip('10.0.0.10'), port: 54 }];
    expect(rig.ask('www.example', A).code).toBe('ECONNREFUSED');
    expect(Math.round(rig.ms)).toBe(2);
    expect(rig.open).toBe(0);
  });
});

describe('several servers', () => {
  const silent = (): null => null;
  const refuses = (rcode: number) => (query: Parameters<typeof dnsAnswer>[0]) =>
    dnsAnswer(query, { rcode });

  test('the second one after the patience with the first', () => {
    const rig = new Rig({ servers: 2, zone });
    rig.first.rule = silent;
    expect(rig.ask('www.example', A).code).toBe(null);
    expect(Math.round(rig.ms)).toBe(2002);
    expect(rig.servers.map((s) => s.seen.length)).toEqual([1, 1]);
  });

  test('who was silent is asked last for 5 s', () => {
    const rig = new Rig({ servers: 2, zone });
    rig.first.rule = silent;
    rig.ask('www.example', A);
    rig.ask('www.example', AAAA);
    expect(rig.servers.map((s) => s.seen.length)).toEqual([1, 2]);
    rig.pass(5000);
    rig.first.rule = () => undefined;
    rig.ask('example', TXT);
    expect(rig.servers.map((s) => s.seen.length)).toEqual([2, 2]);
  });

  test('each round asks each of them with twice the patience', () => {
    const rig = new Rig({ servers: 2, zone, config: { timeoutMs: 100, tries: 2 } });
    const order: string[] = [];
    for (const server of rig.servers) {
      server.rule = () => {
        order.push(`${server.address} ${Math.round(rig.ms)}`);
        return null;
      };
    }
    expect(rig.ask('www.example', A).code).toBe('ETIMEOUT');
    expect(order).toEqual(['10.0.0.10 1', '10.0.0.11 101', '10.0.0.10 201', '10.0.0.11 401']);
    expect(Math.round(rig.ms)).toBe(600);
  });

  test.each([
    ['SERVFAIL', Rcode.SERVFAIL, 'ESERVFAIL'],
    ['REFUSED', Rcode.REFUSED, 'EREFUSED'],
    ['NOTIMP', Rcode.NOTIMP, 'ENOTIMP'],
  ])('%s of the first is not the last word, %s of all is', (_what, rcode, code) => {
    const rig = new Rig({ servers: 2, zone, config: { udpSize: 0 } });
    rig.first.rule = refuses(rcode);
    expect(rig.ask('www.example', A).code).toBe(null);
    const both = new Rig({ servers: 2, zone, config: { udpSize: 0 } });
    for (const server of both.servers) server.rule = refuses(rcode);
    expect(both.ask('www.example', A).code).toBe(code);
    expect(both.servers.map((s) => s.seen.length)).toEqual([1, 1]);
  });

  test('NXDOMAIN of the first is the last word', () => {
    const rig = new Rig({ servers: 2, zone });
    expect(rig.ask('nowhere.example', A).code).toBe('ENOTFOUND');
    expect(rig.servers.map((s) => s.seen.length)).toEqual([1, 0]);
  });

  test('rotate starts with the next one each time', () => {
    const rig = new Rig({ servers: 3, zone, config: { rotate: true, cacheEntries: 0 } });
    for (let i = 0; i < 6; i++) rig.ask('www.example', A);
    expect(rig.servers.map((s) => s.seen.length)).toEqual([2, 2, 2]);
  });

  test('are sixteen at most, each once', () => {
    const rig = new Rig({ zone });
    const many = Array.from({ length: 40 }, (_, i) => ({ address: ip(`10.0.1.${i}`), port: 53 }));
    rig.resolver.servers = [...many, ...many];
    expect(rig.resolver.servers.length).toBe(16);
    rig.resolver.servers = [many[0], many[0], { ...many[0], port: 54 }] as typeof many;
    expect(rig.resolver.servers.map((s) => s.port)).toEqual([53, 54]);
  });
});

describe('truncation', () => {
  test('120 addresses come over TCP (RFC 7766 §5)', () => {
    const rig = new Rig({ zone });
    const reply = rig.ask('many.example', A);
    expect([reply.code, reply.records.length]).toEqual([null, 120]);
    expect(rig.first.seen.map((s) => s.over)).toEqual(['udp', 'tcp']);
    rig.pass(1000);
    expect([rig.open, rig.first.connections.size]).toEqual([0, 0]);
  });

  test('a server that does not answer over TCP is one that fails', () => {
    const rig = new Rig({ servers: 2, zone });
    rig.first.rule = (_query, seen) => (seen.over === 'tcp' ? null : undefined);
    expect(rig.ask('many.example', A).records.length).toBe(120);
    expect(Math.round(rig.ms)).toBeGreaterThan(2000);
    expect(rig.servers.map((s) => s.seen.map((x) => x.over))).toEqual([
      ['udp', 'tcp'],
      ['udp', 'tcp'],
    ]);
  });

  test('nonsense over TCP is EBADRESP', () => {
    const rig = new Rig({ zone });
    rig.first.rule = (_query, seen) => (seen.over === 'tcp' ? new Uint8Array(20) : undefined);
    expect(rig.ask('many.example', A).code).toBe('EBADRESP');
    rig.pass(1000);
    expect(rig.open).toBe(0);
  });
});

describe('EDNS', () => {
  test.each([
    ['FORMERR', (q: Parameters<typeof dnsAnswer>[0]) => dnsAnswer(q, { rcode: Rcode.FORMERR })],
    ['NOTIMP', (q: Parameters<typeof dnsAnswer>[0]) => dnsAnswer(q, { rcode: Rcode.NOTIMP })],
    [
      'FORMERR and no question',
      (q: Parameters<typeof dnsAnswer>[0]) => dnsAnswer(q, { rcode: Rcode.FORMERR, questions: [] }),
    ],
  ])('is left out for a server that answers %s, from then on (RFC 6891 §6.2.2)', (_what, rule) => {
    const rig = new Rig({ zone });
    rig.first.rule = (query, seen) => (seen.udpSize > 0 ? rule(query) : undefined);
    expect(rig.ask('www.example', A).code).toBe(null);
    expect(rig.ask('www.example', AAAA).code).toBe(null);
    expect(rig.first.seen.map((s) => s.udpSize)).toEqual([1232, 0, 0]);
  });

  test('FORMERR to a plain question is EFORMERR', () => {
    const rig = new Rig({ zone });
    rig.first.rule = (query) => dnsAnswer(query, { rcode: Rcode.FORMERR });
    expect(rig.ask('www.example', A).code).toBe('EFORMERR');
    expect(rig.first.seen.length).toBe(2);
  });

  test('udpSize 0 is plain DNS', () => {
    const rig = new Rig({ zone, config: { udpSize: 0 } });
    expect(rig.ask('www.example', A).code).toBe(null);
    expect(rig.first.seen.map((s) => s.udpSize)).toEqual([0]);
  });
});

describe('forgers', () => {
  /** A message that answers the question but differs in `change`. */
  const forged = (octets: Uint8Array, change: object): Uint8Array => {
    const message = decodeDns(octets);
    if (typeof message === 'string') throw new Error(message);
    return encodeDns({ ...message, ...change });
  };
  const evil = [{ kind: 'A', name: 'www.example', ttl: 9, address: '192.0.2.66' }];

  // biome-ignore format: a table
  const table: [string, object][] = [
    ['another id', { id: 1 }],
    ['another name', { questions: [{ name: 'wwx.example', type: A, class: 1 }] }],
    ['another type', { questions: [{ name: 'www.example', type: TXT, class: 1 }] }],
    ['another class', { questions: [{ name: 'www.example', type: A, class: 3 }] }],
    ['two questions', { questions: [1, 2].map(() => ({ name: 'www.example', type: A, class: 1 })) }],
    ['no question', { questions: [] }],
    ['a question for an answer', { isResponse: false }],
  ];
  test.each(table)('%s is not believed (RFC 5452 §9.1)', (_what, change) => {
    const rig = new Rig({ zone });
    rig.first.send = (octets, reply) => {
      reply(forged(octets, { answers: evil, ...change }));
      reply(octets);
    };
    expect(addresses(rig.ask('www.example', A))).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(rig.resolver.stats.strays).toBe(1);
  });

  test('the case of the name is the server’s own business (RFC 4343 §3)', () => {
    const rig = new Rig({ zone });
    rig.first.send = (octets, reply) => {
      reply(forged(octets, { questions: [{ name: 'WWW.eXAMPLE', type: A, class: 1 }] }));
    };
    expect(rig.ask('www.example', A).code).toBe(null);
  });

  test('another address or port is not heard (RFC 5452 §9.1)', () => {
    const rig = new Rig({ servers: 2, zone });
    const [first, second] = rig.servers;
    first?.host.stack.udp({
      port: 5300,
      handler: { datagram: () => {}, error: () => {}, writable: () => {} },
    });
    rig.first.send = (octets, reply) => {
      const to = rig.first.seen.at(-1)?.from;
      const lie = forged(octets, { answers: evil });
      second?.udp.send(lie, 0, lie.length, ip(to?.address ?? ''), to?.port);
      rig.world.clock.after(100_000, () => reply(octets));
    };
    expect(addresses(rig.ask('www.example', A))).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(rig.resolver.stats.strays).toBe(0);
  });

  test('records of other names are nobody’s answer (RFC 5452 §6)', () => {
    const rig = new Rig({ zone });
    const [, ...rest] = evil;
    rig.first.rule = (query) =>
      dnsAnswer(query, {
        answers: [
          { kind: 'A', name: 'other.example', ttl: 9, address: '192.0.2.66' },
          { kind: 'A', name: 'www.example', ttl: 9, address: '192.0.2.1' },
          ...(rest as []),
        ],
        additionals: [{ kind: 'A', name: 'bank.example', ttl: 9, address: '192.0.2.66' }],
      });
    expect(addresses(rig.ask('www.example', A))).toEqual(['192.0.2.1']);
    expect(rig.resolver.cache.size).toBe(1);
  });

  test('eight strays on one question, and it goes over TCP', () => {
    const rig = new Rig({ zone });
    rig.first.send = (octets, reply) => {
      for (let id = 0; id < 20; id++) reply(forged(octets, { id, answers: evil }));
    };
    expect(addresses(rig.ask('www.example', A))).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(rig.first.seen.map((s) => s.over)).toEqual(['udp', 'tcp']);
    expect(rig.resolver.stats.strays).toBe(8);
  });

  test('an answer that is malformed behind its question is a failure of the server', () => {
    const rig = new Rig({ servers: 2, zone });
    rig.first.send = (octets, reply) => reply(octets.subarray(0, octets.length - 3));
    expect(rig.ask('www.example', A).code).toBe(null);
    expect(rig.resolver.stats.malformed).toBe(1);
    for (const server of rig.servers) server.send = rig.first.send;
    expect(rig.ask('www.example', AAAA).code).toBe('EBADRESP');
  });
});

describe('many questions', () => {
  test('the same one at the same time is asked once (RFC 5452 §5)', () => {
    const rig = new Rig({ zone });
    const found: number[] = [];
    for (const name of ['www.example', 'WWW.example', 'www.example.']) {
      rig.resolver.resolve(name, A, (reply) => found.push(reply.records.length));
    }
    rig.pass(100);
    expect(found).toEqual([2, 2, 2]);
    expect(rig.first.seen.length).toBe(1);
  });

  test('only so many at the same time, the others wait, and beyond that is ENOMEM', () => {
    const rig = new Rig({ zone: [soa('example')], config: { maxInFlight: 2, maxWaiting: 3 } });
    const codes: (string | null)[] = [];
    for (let i = 0; i < 7; i++) {
      rig.resolver.resolve(`n${i}.example`, A, (reply) => codes.push(reply.code));
    }
    expect(codes).toEqual(['ENOMEM', 'ENOMEM']);
    expect(rig.open).toBe(2);
    rig.pass(100);
    expect(codes.slice(2)).toEqual(new Array(5).fill('ENOTFOUND'));
    expect([rig.first.seen.length, rig.open, rig.resolver.isBusy]).toEqual([5, 0, false]);
  });

  test('four thousand that cannot leave end one after the other, not one inside the other', () => {
    const rig = new Rig({ zone, config: { maxInFlight: 1, maxWaiting: 4096 } });
    const codes: (string | null)[] = [];
    for (let i = 0; i < 4000; i++) {
      rig.resolver.resolve(`n${i}.example`, A, (reply) => codes.push(reply.code));
    }
    rig.resolver.servers = [];
    rig.pass(100);
    expect(codes).toEqual(['ENOTFOUND', ...new Array(3999).fill('ECONNREFUSED')]);
  });

  test('cancel ends them all with ECANCELLED, nothing is left', () => {
    const rig = new Rig({ zone, config: { maxInFlight: 1 } });
    const busy: boolean[] = [];
    rig.resolver.onBusy = (isBusy) => busy.push(isBusy);
    const codes: (string | null)[] = [];
    for (const name of ['www.example', 'example', 'many.example']) {
      rig.resolver.resolve(name, A, (reply) => codes.push(reply.code));
    }
    rig.pass(1);
    rig.resolver.cancel();
    expect(codes).toEqual(['ECANCELLED', 'ECANCELLED', 'ECANCELLED']);
    expect([busy, rig.open]).toEqual([[true, false], 0]);
    rig.pass(30_000);
    expect([codes.length, rig.world.clock.waiting]).toEqual([3, 0]);
    expect(rig.ask('www.example', A).code).toBe(null);
  });

  test('a thousand leave no socket, no timer and no memory of them', () => {
    const rig = new Rig({ zone, config: { cacheEntries: 0 } });
    for (let i = 0; i < 1000; i++) rig.ask(i % 10 === 0 ? 'many.example' : 'www.example', A);
    rig.pass(120_000);
    expect([rig.open, rig.world.clock.waiting, rig.resolver.cache.size]).toEqual([0, 0, 0]);
  });
});
