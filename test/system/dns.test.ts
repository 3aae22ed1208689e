// Real name service over a TUN: dig asks a server on a portside host, and the host's resolver asks a
// real dnsmasq in the namespace, over UDP and, where answers are truncated, over TCP.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { NameServer } from '../kit/dns-server.ts';
import { exampleZone } from '../kit/dns-zone.ts';
import { KERNEL, Lab, US, until } from './netns.ts';

const lab = new Lab();
let host: Host;
let server: NameServer;

/** Octets of TXT that no UDP answer of 1232 octets holds. */
const LONG = Array.from({ length: 12 }, (_, i) => `${i}`.padStart(200, 'x'));

const DNSMASQ = [
  ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file', '--user=root'],
  ...['--no-resolv', '--no-hosts', '--bind-interfaces', `--listen-address=${KERNEL}`],
  ...['--local=/lan/', '--local-ttl=77'],
  ...['--host-record=www.lan,192.0.2.1,2001:db8::1', '--host-record=db.lan,10.77.0.1'],
  ...['--cname=alias.lan,www.lan', '--mx-host=lan,mx.lan,5', '--txt-record=lan,one,two'],
  ...['--srv-host=_sip._tcp.lan,www.lan,5060,1,2', '--caa-record=lan,0,issue,ca.lan'],
  ...['--naptr-record=lan,10,20,s,SIP+D2U,,_sip._udp.lan'],
  ...LONG.map((text) => `--txt-record=long.lan,${text}`),
];

async function dig(...args: string[]): Promise<string> {
  const done = await lab.run(['dig', '+tries=3', '+time=20', ...args]);
  return done.out + done.err;
}

beforeAll(async () => {
  host = await createHost({
    tun: { name: 'ps0', netns: lab.name },
    addresses: [`${US}/24`],
    dns: { servers: [KERNEL], search: ['lan'], timeoutMs: 20_000 },
  });
  server = await new NameServer(host, exampleZone()).listen(53, US);
  lab.spawn(DNSMASQ);
  await until('dnsmasq answers', async () => {
    const answer = await lab.run(['dig', '+short', '+tries=1', '+time=1', `@${KERNEL}`, 'db.lan']);
    return answer.out.trim() === '10.77.0.1';
  });
});

afterAll(async () => {
  await host?.close({ deadlineMs: 100 });
  lab.close();
});

describe('dig and a server on a portside host', () => {
  // biome-ignore format: a table
  const table: [string[], string[]][] = [
    [['www.example', 'A'], ['192.0.2.1', '192.0.2.2']],
    [['www.example', 'AAAA'], ['2001:db8::1']],
    [['alias.example', 'A'], ['www.example.', '192.0.2.1', '192.0.2.2']],
    [['example', 'MX'], ['10 mx1.example.', '20 mx2.example.']],
    [['example', 'NS'], ['ns1.example.', 'ns2.example.']],
    [['example', 'TXT'], ['"v=spf1 -all"', '"part one, " "part two" ""']],
    [['octets.example', 'TXT'], ['"caf\\233" "\\000\\001"']],
    [['_sip._tcp.example', 'SRV'], ['1 5 5060 sip.example.']],
    [['example', 'NAPTR'], ['100 10 "s" "SIP+D2U" "" _sip._udp.example.']],
    [['example', 'CAA'], ['0 issue "ca.example"', '128 iodef "mailto:a@b.c"']],
    [['example', 'SOA'], ['ns1.example. root.example. 2024010101 7200 900 1209600 60']],
    [['-x', '192.0.2.1'], ['www.example.']],
    [['odd.example', 'PTR'], ['a\\.b\\000\\@.example.']],
  ];
  test.each(table)('%j', async (question, expected) => {
    const out = await dig('+short', `@${US}`, ...question);
    expect(out.trim().split('\n')).toEqual(expected);
  });

  test('a name that is not: NXDOMAIN, with the zone’s SOA and EDNS', async () => {
    const out = await dig(`@${US}`, 'nowhere.example');
    expect(out).toMatch(/status: NXDOMAIN/);
    expect(out).toMatch(/EDNS: version: 0, flags:; udp: 1232/);
    expect(out).toMatch(/^example\.\s+3600\s+IN\s+SOA\s+ns1\.example\./m);
    expect(out).not.toMatch(/Warning|malformed|extra bytes/i);
  });

  test('120 addresses are truncated over UDP, and come over TCP', async () => {
    server.seen.length = 0;
    const out = await dig(`@${US}`, 'many.example', '+short');
    const addresses = out.match(/^192\.0\.2\.\d+$/gm) ?? [];
    expect(addresses.length).toBe(120);
    expect(server.seen.map((s) => s.over)).toEqual(['udp', 'tcp']);
  });
});

describe('the resolver of a host and dnsmasq', () => {
  test('answers of every kind that dnsmasq gives', async () => {
    const { promises: dns } = host.dns;
    expect(await dns.resolve4('www.lan', { ttl: true })).toEqual([
      { address: '192.0.2.1', ttl: 77 },
    ]);
    expect(await dns.resolve6('www.lan')).toEqual(['2001:db8::1']);
    expect(await dns.resolve4('alias.lan')).toEqual(['192.0.2.1']);
    expect(await dns.resolveCname('alias.lan')).toEqual(['www.lan']);
    expect(await dns.resolveMx('lan')).toEqual([{ exchange: 'mx.lan', priority: 5 }]);
    expect(await dns.resolveTxt('lan')).toEqual([['one', 'two']]);
    expect(await dns.resolveSrv('_sip._tcp.lan')).toEqual([
      { name: 'www.lan', port: 5060, priority: 1, weight: 2 },
    ]);
    expect(await dns.resolveCaa('lan')).toEqual([{ critical: 0, issue: 'ca.lan' }]);
    expect(await dns.resolveNaptr('lan')).toEqual([
      {
        ...{ flags: 's', service: 'SIP+D2U', regexp: '', replacement: '_sip._udp.lan' },
        ...{ order: 10, preference: 20 },
      },
    ]);
    expect(await dns.reverse('192.0.2.1')).toEqual(['www.lan']);
    await expect(dns.resolve4('nowhere.lan')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(dns.resolve4('elsewhere')).rejects.toMatchObject({ code: 'EREFUSED' });
  });

  test('an answer too long for UDP comes over TCP', async () => {
    const opened = host.stack.counters.get('TcpActiveOpens');
    const texts = await host.dns.promises.resolveTxt('long.lan');
    expect(texts.map(([text]) => text).sort()).toEqual([...LONG].sort());
    expect(host.stack.counters.get('TcpActiveOpens') - opened).toBe(1);
  });

  test('net.connect finds a kernel’s server by a short name', async () => {
    lab.spawn(['nc', '-l', '-k', '-s', KERNEL, '-p', '8080']);
    await until('nc listens', async () => {
      const { out } = await lab.run(['ss', '-Hltn', 'sport', '=', ':8080']);
      return out !== '';
    });
    const found = await new Promise((resolve, reject) => {
      const socket = host.net.connect(8080, 'db');
      socket.on('error', reject);
      socket.on('connect', () => {
        resolve(socket.remoteAddress);
        socket.destroy();
      });
    });
    expect(found).toBe(KERNEL);
  });
});

describe('an unmodified process under portside/register', () => {
  test('asks dnsmasq over its own device: lookup, resolve and Resolver', async () => {
    const program = `
      import dns, { resolveMx } from 'node:dns/promises';
      import { lookup } from 'node:dns';
      lookup('www', { family: 4 }, async (error, address) => {
        const six = await new dns.Resolver().resolve6('www.lan');
        const absent = await dns.lookup('nowhere.lan').catch((e) => e.message);
        const mail = await resolveMx('lan');
        console.log(JSON.stringify([error, address, six, absent, mail, dns.getServers()]));
        process.exit(0);
      });`;
    const command = ['--import', 'portside/register', '--input-type=module', '--eval', program];
    const done = await lab.runOutside([process.execPath, ...command], {
      env: {
        ...{ PORTSIDE: '10.77.1.2/24', PORTSIDE_TUN: 'ps1', PORTSIDE_NETNS: lab.name },
        ...{ PORTSIDE_DNS: KERNEL, PORTSIDE_SEARCH: 'lan' },
      },
    });
    expect(done.err).toBe('');
    expect(JSON.parse(done.out)).toEqual([
      null,
      '192.0.2.1',
      ['2001:db8::1'],
      'getaddrinfo ENOTFOUND nowhere.lan',
      [{ exchange: 'mx.lan', priority: 5 }],
      [KERNEL],
    ]);
  });
});
