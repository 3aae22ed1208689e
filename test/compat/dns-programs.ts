// Programs for node:dns against a name server on the kernel's loopback, and for a host's dns
// against the same server on the host: questions, shapes, errors.

import type * as dns from 'node:dns';
import { type DnsMessage, dnsAnswer, Rcode } from '../../src/wire/dns.ts';
import { encodeDns } from '../../src/wire/dns-encode.ts';
import { NameServer } from '../kit/dns-server.ts';
import { exampleZone } from '../kit/dns-zone.ts';
import { attempt, type Ground, type Program, type Transcript } from './transcript.ts';

interface Asking {
  server: NameServer;
  resolver: dns.Resolver;
  promises: dns.promises.Resolver;
}

/** A server with the example zone, two resolvers that ask it, and both gone afterwards. */
function asking(run: (asking: Asking, t: Transcript, ground: Ground) => Promise<void>): Program {
  return async (ground, t) => {
    const server = await new NameServer(ground, exampleZone()).listen();
    t.call(server.port, 'SERVER');
    const options = { timeout: 3000, tries: 2 };
    const resolver = new ground.dns.Resolver(options);
    const promises = new ground.dns.promises.Resolver(options);
    resolver.setServers([`127.0.0.1:${server.port}`]);
    promises.setServers([`127.0.0.1:${server.port}`]);
    try {
      await run({ server, resolver, promises }, t, ground);
    } finally {
      await server.close();
    }
  };
}

/** Logs how a promise ends. */
async function told(t: Transcript, what: string, promise: Promise<unknown>): Promise<void> {
  try {
    t.log(what, await promise);
  } catch (error) {
    t.log(what, error, (error as { hostname?: string }).hostname);
  }
}

type Ask = (resolver: dns.promises.Resolver) => Promise<unknown>;

/** A program of questions alone. */
function questions(table: Record<string, Ask>): Program {
  return asking(async ({ promises }, t) => {
    for (const [what, ask] of Object.entries(table)) await told(t, what, ask(promises));
  });
}

/** The server gives this return code to everything. */
function rcode(code: number, more: Partial<DnsMessage> = {}): Program {
  return asking(async ({ server, promises }, t) => {
    server.rule = (query) => dnsAnswer(query, { rcode: code, edns: query.edns, ...more });
    await told(t, 'A', promises.resolve4('www.example'));
    await told(t, 'MX', promises.resolveMx('example'));
    await told(t, 'reverse', promises.reverse('192.0.2.1'));
  });
}

export const dnsPrograms: Record<string, Program> = {
  'addresses of both families': questions({
    resolve4: (r) => r.resolve4('www.example'),
    resolve6: (r) => r.resolve6('www.example'),
    resolve: (r) => r.resolve('www.example'),
    'resolve AAAA': (r) => r.resolve('www.example', 'AAAA'),
    'a last dot': (r) => r.resolve4('www.example.'),
    'another case': (r) => r.resolve4('WWW.eXample'),
    mapped: (r) => r.resolve6('mapped.example'),
  }),

  'addresses with their ttl': questions({
    4: (r) => r.resolve4('www.example', { ttl: true }),
    6: (r) => r.resolve6('www.example', { ttl: true }),
    no: (r) => r.resolve4('www.example', { ttl: false }),
  }),

  'addresses behind aliases': questions({
    one: (r) => r.resolve4('alias.example'),
    two: (r) => r.resolve4('alias2.example', { ttl: true }),
    six: (r) => r.resolve6('alias2.example', { ttl: true }),
    cname: (r) => r.resolveCname('alias2.example'),
    'leading nowhere': (r) => r.resolve4('dangling.example'),
    'no alias': (r) => r.resolveCname('www.example'),
  }),

  'mail, text and name servers': questions({
    mx: (r) => r.resolveMx('example'),
    txt: (r) => r.resolveTxt('example'),
    octets: (r) => r.resolveTxt('octets.example'),
    ns: (r) => r.resolveNs('example'),
    'resolve MX': (r) => r.resolve('example', 'MX'),
    'resolve TXT': (r) => r.resolve('example', 'TXT'),
    'resolve NS': (r) => r.resolve('example', 'NS'),
  }),

  'services and their rules': questions({
    srv: (r) => r.resolveSrv('_sip._tcp.example'),
    'a service that is not offered': (r) => r.resolveSrv('_none._tcp.example'),
    naptr: (r) => r.resolveNaptr('example'),
    caa: (r) => r.resolveCaa('example'),
    'resolve SRV': (r) => r.resolve('_sip._tcp.example', 'SRV'),
    'resolve NAPTR': (r) => r.resolve('example', 'NAPTR'),
    'resolve CAA': (r) => r.resolve('example', 'CAA'),
  }),

  'the start of a zone': questions({
    soa: (r) => r.resolveSoa('example'),
    'resolve SOA': (r) => r.resolve('example', 'SOA'),
    'none here': (r) => r.resolveSoa('www.example'),
  }),

  'names of addresses': questions({
    ptr: (r) => r.resolvePtr('1.2.0.192.in-addr.arpa'),
    reverse: (r) => r.reverse('192.0.2.1'),
    six: (r) => r.reverse('2001:db8::1'),
    unknown: (r) => r.reverse('192.0.2.99'),
    'resolve PTR': (r) => r.resolve('1.2.0.192.in-addr.arpa', 'PTR'),
    'odd octets': (r) => r.resolvePtr('odd.example'),
  }),

  'every record of a name': questions({
    example: (r) => r.resolveAny('example'),
    www: (r) => r.resolveAny('www.example'),
    alias: (r) => r.resolveAny('alias.example'),
    'resolve ANY': (r) => r.resolve('ns1.example', 'ANY'),
    nowhere: (r) => r.resolveAny('nowhere.example'),
  }),

  'names that do not exist, types that a name does not have': questions({
    'no name': (r) => r.resolve4('nowhere.example'),
    'no name, MX': (r) => r.resolveMx('nowhere.example'),
    'no name, TXT': (r) => r.resolveTxt('nowhere.example'),
    'no name, SRV': (r) => r.resolveSrv('nowhere.example'),
    'no address': (r) => r.resolve6('ns1.example'),
    'no mail': (r) => r.resolveMx('www.example'),
    'no text': (r) => r.resolveTxt('www.example'),
    'no authority': (r) => r.resolveCaa('www.example'),
    'no rule': (r) => r.resolveNaptr('www.example'),
    'no pointer': (r) => r.resolvePtr('www.example'),
    'no server': (r) => r.resolveNs('www.example'),
  }),

  'names that are none': questions({
    'an empty label': (r) => r.resolve4('a..example'),
    'a long label': (r) => r.resolve4(`${'x'.repeat(64)}.example`),
    'a long name': (r) => r.resolve4(`${'x'.repeat(60)}.`.repeat(5)),
    'a first dot': (r) => r.resolve4('.example'),
    onion: (r) => r.resolve4('a.onion'),
  }),

  'names of other scripts': questions({
    'as people write it': (r) => r.resolve4('bücher.example'),
    'as it is asked for': (r) => r.resolve4('xn--bcher-kva.example'),
  }),

  'an answer that is truncated comes over TCP': asking(async ({ server, promises }, t) => {
    await told(t, 'many', promises.resolve4('many.example'));
    t.log(server.seen.map((s) => s.over));
  }),

  'every answer truncated over UDP': asking(async ({ server, promises }, t) => {
    server.rule = (query, seen) =>
      seen.over === 'udp' ? dnsAnswer(query, { truncated: true, edns: query.edns }) : undefined;
    await told(t, 'A', promises.resolve4('www.example'));
    await told(t, 'TXT', promises.resolveTxt('example'));
    await told(t, 'none', promises.resolve4('nowhere.example'));
    t.log(server.seen.map((s) => s.over));
  }),

  'return code 1': rcode(Rcode.FORMERR),
  'return code 2': rcode(Rcode.SERVFAIL),
  'return code 3': rcode(Rcode.NXDOMAIN),
  'return code 4': rcode(Rcode.NOTIMP),
  'return code 5': rcode(Rcode.REFUSED),
  'an answer without records': rcode(Rcode.NOERROR),

  'a server that does not know EDNS': asking(async ({ server, promises }, t) => {
    server.rule = (query, seen) =>
      seen.udpSize > 0 ? dnsAnswer(query, { rcode: Rcode.FORMERR }) : undefined;
    await told(t, 'A', promises.resolve4('www.example'));
    await told(t, 'A', promises.resolve6('www.example'));
    t.log(server.seen.at(-1)?.udpSize);
  }),

  'answers that are malformed': asking(async ({ server, promises }, t) => {
    server.rule = (query) => encodeDns(server.answerTo(query)).subarray(0, -3);
    await told(t, 'A', promises.resolve4('www.example'));
  }),

  'an answer with another id is nobody’s': asking(async ({ server, promises }, t) => {
    let n = 0;
    server.rule = (query) =>
      n++ === 0 ? { ...server.answerTo(query), id: (query.id + 1) & 0xffff } : undefined;
    await told(t, 'A', promises.resolve4('www.example'));
    t.log(server.seen.length);
  }),

  'an answer to another question is nobody’s': asking(async ({ server, promises }, t) => {
    let n = 0;
    const other = [{ name: 'ns1.example', type: 1, class: 1 }];
    server.rule = (query) =>
      n++ === 0 ? server.answerTo({ ...query, questions: other }) : undefined;
    await told(t, 'A', promises.resolve4('www.example'));
    t.log(server.seen.length);
  }),

  'silence ends in a timeout': asking(async ({ server }, t, { dns }) => {
    const resolver = new dns.promises.Resolver({ timeout: 100, tries: 1 });
    resolver.setServers([`127.0.0.1:${server.port}`]);
    server.rule = () => null;
    await told(t, 'A', resolver.resolve4('www.example'));
  }),

  'nobody listens': asking(async ({ server, promises }, t) => {
    await server.close();
    await told(t, 'A', promises.resolve4('www.example'));
    await told(t, 'reverse', promises.reverse('192.0.2.1'));
  }),

  'the second server is asked when the first one is not there': asking(
    async ({ server, promises }, t, ground) => {
      const gone = await new NameServer(ground, []).listen();
      await gone.close();
      promises.setServers([`127.0.0.1:${gone.port}`, `127.0.0.1:${server.port}`]);
      await told(t, 'A', promises.resolve4('www.example'));
      t.log(server.seen.length);
    },
  ),

  'cancel ends what is under way': asking(async ({ server, resolver, promises }, t) => {
    server.rule = () => null;
    const ends = [
      told(t, 'promise:', promises.resolve4('www.example')),
      told(t, 'promise:', promises.resolveMx('example')),
      new Promise<void>((resolve) => {
        resolver.resolve4('www.example', (error, found) => {
          t.log('callback:', error, found);
          resolve();
        });
      }),
    ];
    promises.cancel();
    resolver.cancel();
    t.log('cancelled');
    await Promise.all(ends);
    resolver.cancel();
  }),

  'callbacks come later, in the shape of Node': asking(async ({ resolver }, t) => {
    await new Promise<void>((resolve) => {
      const request = resolver.resolve4('www.example', (...args) => {
        t.log('answer', ...args);
        resolve();
      });
      t.log('asked', typeof request);
    });
    await new Promise<void>((resolve) => {
      resolver.resolveTxt('nowhere.example', (...args) => {
        t.log('error', ...args, args.length);
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      resolver.resolveSoa('example', (...args) => {
        t.log('soa', ...args);
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      resolver.reverse('192.0.2.1', (...args) => {
        t.log('reverse', ...args);
        resolve();
      });
    });
  }),

  'two resolvers with servers of their own': asking(async ({ server, promises }, t, ground) => {
    const zone = exampleZone().filter((r) => r.kind !== 'A');
    const other = await new NameServer(ground, zone).listen();
    const second = new ground.dns.promises.Resolver();
    second.setServers([`127.0.0.1:${other.port}`]);
    await told(t, 'first', promises.resolve4('www.example'));
    await told(t, 'second', second.resolve4('www.example'));
    t.log(server.seen.length, other.seen.length);
    await other.close();
  }),

  'servers of the module': asking(async ({ server }, t, { dns }) => {
    const before = dns.getServers();
    try {
      dns.setServers([`127.0.0.1:${server.port}`]);
      t.log(dns.getServers(), dns.promises.getServers());
      await told(t, 'promise', dns.promises.resolve4('www.example'));
      await new Promise<void>((resolve) => {
        dns.resolve('example', 'MX', (...args) => {
          t.log('callback', ...args);
          resolve();
        });
      });
      await told(t, 'reverse', dns.promises.reverse('192.0.2.1'));
      t.log(await dns.promises.resolve4('alias.example', { ttl: true }));
    } finally {
      dns.setServers(before);
    }
  }),

  'the same question at the same time': asking(async ({ promises }, t) => {
    const same = () => promises.resolve4('www.example');
    t.log(await Promise.all([same(), same(), same()]));
  }),

  'a local address': asking(async ({ server, resolver, promises }, t) => {
    promises.setLocalAddress('127.0.0.9');
    await told(t, 'A', promises.resolve4('www.example'));
    t.log(server.seen.map((s) => s.from.address));
    resolver.setLocalAddress('0.0.0.0', '::');
    attempt(t, 'none', () => resolver.setLocalAddress('a'));
    attempt(t, 'two', () => resolver.setLocalAddress('127.0.0.1', '127.0.0.2'));
    attempt(t, 'two of six', () => resolver.setLocalAddress('::1', '::1'));
    attempt(t, 'either order', () => resolver.setLocalAddress('::1', '127.0.0.1'));
    attempt(t, 'a number', () => resolver.setLocalAddress(1 as unknown as string));
  }),
};
