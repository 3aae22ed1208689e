// Names on a host: `createHost({ dns })`, who uses them, what ends with the host, and a registered
// process. Servers run on the same host's loopback.

import { AsyncLocalStorage } from 'node:async_hooks';
import kernelDns from 'node:dns';
import { resolve4 as namedResolve4 } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';
import { register, unregister } from '../../src/node/register.ts';
import { type DnsRecord, DnsType } from '../../src/wire/dns.ts';
import { NameServer } from '../kit/dns-server.ts';
import { exampleZone, soa } from '../kit/dns-zone.ts';

const PORT = 5353;
const ZONE: DnsRecord[] = [
  ...exampleZone(),
  { kind: 'A', name: 'here.example', ttl: 60, address: '127.0.0.1' },
  { kind: 'A', name: 'both.example', ttl: 60, address: '127.0.0.1' },
  { kind: 'AAAA', name: 'both.example', ttl: 60, address: '::1' },
  { kind: 'A', name: 'short.lan', ttl: 60, address: '127.0.0.5' },
  soa('lan'),
];

let host: Host;
let server: NameServer;

async function start(dns: HostOptions['dns'] = {}, more: HostOptions = {}): Promise<void> {
  host = await createHost({ dns: { servers: [`127.0.0.1:${PORT}`], ...dns }, ...more });
  server = await new NameServer(host, ZONE).listen(PORT);
}

afterEach(async () => {
  await host.close({ deadlineMs: 100 });
});

const names = (): string[] => server.seen.map((s) => s.name);

describe('a host with name servers', () => {
  test('net.connect resolves by them', async () => {
    await start();
    const listener = host.net.createServer((s) => s.end('hello'));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const socket = host.net.connect(port, 'here.example');
    const [error, address, family, name] = await once(socket, 'lookup');
    expect([error, address, family, name]).toEqual([null, '127.0.0.1', 4, 'here.example']);
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    await once(socket, 'close');
    expect(new Set(names())).toEqual(new Set(['here.example']));
  });

  test('dgram sends by them', async () => {
    await start();
    const receiver = host.dgram.createSocket('udp4');
    receiver.bind(0, '127.0.0.1');
    await once(receiver, 'listening');
    const came = once(receiver, 'message');
    const sender = host.dgram.createSocket('udp4');
    sender.send('by name', receiver.address().port, 'here.example');
    expect(String((await came)[0])).toBe('by name');
    expect(server.seen.map((s) => s.type)).toEqual([DnsType.A]);
    sender.close();
    receiver.close();
  });

  test('a name that does not exist is getaddrinfo’s error, on a socket too', async () => {
    await start();
    const wanted = {
      ...{ code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: 'no.example' },
      message: 'getaddrinfo ENOTFOUND no.example',
    };
    await expect(host.dns.promises.lookup('no.example')).rejects.toMatchObject(wanted);
    const [error] = await once(host.net.connect(1, 'no.example'), 'error').catch((e) => [e]);
    expect(error).toMatchObject(wanted);
  });

  test('silence is EAI_AGAIN', async () => {
    await start({ timeoutMs: 30, tries: 1 });
    server.rule = () => null;
    await expect(host.dns.promises.lookup('www.example')).rejects.toMatchObject({
      ...{ code: 'EAI_AGAIN', errno: -3001, syscall: 'getaddrinfo' },
      message: 'getaddrinfo EAI_AGAIN www.example',
    });
  });

  test('lookup: families, all, order, verbatim, hints', async () => {
    await start();
    const { lookup } = host.dns.promises;
    const four = { address: '127.0.0.1', family: 4 };
    const six = { address: '::1', family: 6 };
    const mapped = { address: '::ffff:127.0.0.1', family: 6 };
    const all = (options: object) => lookup('both.example', { all: true, ...options });
    expect(await lookup('both.example')).toEqual(six);
    expect(await lookup('both.example', 4)).toEqual(four);
    const named = promisify(host.dns.lookup);
    expect(await named('both.example', { family: 'IPv4' })).toEqual(four);
    expect(await all({})).toEqual([six, four]);
    expect(await all({ verbatim: false })).toEqual([four, six]);
    expect(await all({ order: 'ipv4first' })).toEqual([four, six]);
    expect(await all({ order: 'ipv6first' })).toEqual([six, four]);
    expect(await all({ family: 4 })).toEqual([four]);
    const { V4MAPPED, ALL } = host.dns;
    expect(await all({ family: 6, hints: V4MAPPED })).toEqual([six]);
    expect(await all({ family: 6, hints: V4MAPPED | ALL })).toEqual([six, mapped]);
    expect(await lookup('here.example', { family: 6, hints: V4MAPPED })).toEqual(mapped);
    await expect(lookup('here.example', 6)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('the default order is the process’s', async () => {
    await start();
    const before = kernelDns.getDefaultResultOrder();
    host.dns.setDefaultResultOrder('ipv4first');
    expect(kernelDns.getDefaultResultOrder()).toBe('ipv4first');
    expect(await host.dns.promises.lookup('both.example')).toMatchObject({ family: 4 });
    kernelDns.setDefaultResultOrder(before as 'verbatim');
  });

  test('ADDRCONFIG leaves out a family of which the host has no address', async () => {
    await start({}, { addresses: ['10.0.0.1/24'] });
    const hints = host.dns.ADDRCONFIG;
    const found = await host.dns.promises.lookup('both.example', { all: true, hints });
    expect(found).toEqual([{ address: '127.0.0.1', family: 4 }]);
    expect(server.seen.map((s) => s.type)).toEqual([DnsType.A]);
    await expect(
      host.dns.promises.lookup('both.example', { family: 6, hints }),
    ).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('search and ndots are for lookup, not for resolve', async () => {
    await start({ search: ['nowhere.example', 'lan'] });
    expect(await host.dns.promises.lookup('short', 4)).toEqual({ address: '127.0.0.5', family: 4 });
    await expect(host.dns.promises.resolve4('short')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(names()).toEqual(['short.nowhere.example', 'short.lan', 'short']);
  });

  test('names of other scripts are asked for in ASCII', async () => {
    await start();
    expect(await host.dns.promises.lookup('bücher.example', 4)).toMatchObject({
      address: '192.0.2.77',
    });
  });

  test('answers are kept for the module and for lookup, not for a Resolver', async () => {
    await start();
    const { promises } = host.dns;
    for (let i = 0; i < 3; i++) await promises.resolve4('www.example');
    await promises.lookup('www.example', 4);
    expect(names().length).toBe(1);
    const own = new promises.Resolver();
    for (let i = 0; i < 3; i++) await own.resolve4('www.example');
    expect(names().length).toBe(4);
  });

  test('cache: false asks each time', async () => {
    await start({ cache: false });
    for (let i = 0; i < 3; i++) await host.dns.promises.resolve4('www.example');
    expect(names().length).toBe(3);
  });

  test('lookupService asks for the name of an address', async () => {
    await start();
    const { lookupService } = host.dns.promises;
    expect(await lookupService('192.0.2.1', 22)).toEqual({
      hostname: 'www.example',
      service: 'ssh',
    });
    expect(await lookupService('127.0.0.1', 61_000)).toEqual({
      hostname: 'localhost',
      service: '61000',
    });
    await expect(lookupService('192.0.2.99', 22)).rejects.toMatchObject({
      ...{ code: 'ENOTFOUND', syscall: 'getnameinfo', hostname: '192.0.2.99' },
      message: 'getnameinfo ENOTFOUND 192.0.2.99',
    });
  });

  test('setServers changes resolve, not lookup, as in Node', async () => {
    await start();
    const other = await new NameServer(host, [
      { kind: 'A', name: 'www.example', ttl: 60, address: '198.51.100.1' },
    ]).listen(5354);
    host.dns.setServers(['127.0.0.1:5354']);
    expect(host.dns.getServers()).toEqual(['127.0.0.1:5354']);
    expect(await host.dns.promises.resolve4('www.example')).toEqual(['198.51.100.1']);
    expect(await host.dns.promises.lookup('www.example', 4)).toMatchObject({
      address: '192.0.2.1',
    });
    await other.close();
  });

  test('contexts survive', async () => {
    await start();
    const store = new AsyncLocalStorage<string>();
    const seen = await Promise.all(
      ['a', 'b'].map((context) =>
        store.run(
          context,
          () =>
            new Promise<unknown[]>((resolve) => {
              host.dns.lookup('www.example', () => {
                const first = store.getStore();
                host.dns.resolveMx('example', () => {
                  const second = store.getStore();
                  host.dns.lookupService('192.0.2.1', 80, () => {
                    resolve([first, second, store.getStore()]);
                  });
                });
              });
            }),
        ),
      ),
    );
    expect(seen).toEqual([
      ['a', 'a', 'a'],
      ['b', 'b', 'b'],
    ]);
  });

  test('what is under way ends with the host', async () => {
    await start();
    server.rule = () => null;
    const ends = [
      host.dns.promises.lookup('www.example'),
      host.dns.promises.resolve4('www.example'),
      new host.dns.promises.Resolver().resolveMx('example'),
    ].map((promise) => promise.catch((error) => error.code));
    await host.close({ deadlineMs: 100 });
    expect(await Promise.all(ends)).toEqual([
      'ERR_PORTSIDE_HOST_CLOSED',
      'ECANCELLED',
      'ECANCELLED',
    ]);
    await expect(host.dns.promises.lookup('www.example')).rejects.toMatchObject({
      code: 'ERR_PORTSIDE_HOST_CLOSED',
    });
    await expect(host.dns.promises.resolve4('www.example')).rejects.toMatchObject({
      code: 'ECANCELLED',
    });
  });
});

describe('a host without name servers', () => {
  test('knows addresses, localhost and its table of hosts, and nothing else', async () => {
    await start({ servers: [], hosts: '10.1.1.1 db.lan db\n::1 db' });
    const { lookup, reverse, resolve4 } = host.dns.promises;
    expect(await lookup('a.localhost')).toEqual({ address: '::1', family: 6 });
    expect(await lookup('db', { all: true })).toEqual([
      { address: '::1', family: 6 },
      { address: '10.1.1.1', family: 4 },
    ]);
    expect(await reverse('10.1.1.1')).toEqual(['db.lan', 'db']);
    await expect(lookup('www.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolve4('www.example')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: 'queryA ECONNREFUSED www.example',
    });
    expect(host.dns.getServers()).toEqual([]);
  });

  test('takes those of setServers for lookup, too', async () => {
    await start({ servers: [] });
    host.dns.setServers([`127.0.0.1:${PORT}`]);
    expect(await host.dns.promises.lookup('www.example', 4)).toMatchObject({
      address: '192.0.2.1',
    });
    expect(
      await new host.dns.promises.Resolver().resolve4('www.example').catch((e) => e.code),
    ).toBe('ECONNREFUSED');
  });
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portside-dns-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test('a table of hosts is read again when it has changed; a missing one is empty', async () => {
    const hostsFile = file('hosts', '10.1.1.1 db\n');
    await start({ servers: [], hostsFile });
    const { lookup } = host.dns.promises;
    expect(await lookup('db')).toMatchObject({ address: '10.1.1.1' });
    file('hosts', '10.1.1.2 db\n');
    utimesSync(hostsFile, 1, 1);
    expect(await lookup('db')).toMatchObject({ address: '10.1.1.2' });
    rmSync(hostsFile);
    await expect(lookup('db')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('resolv.conf says what the options do not', async () => {
    const resolvConf = file('resolv.conf', 'nameserver 127.0.0.9\nsearch lan\noptions ndots:3\n');
    await start({ resolvConf });
    expect(host.dns.getServers()).toEqual([`127.0.0.1:${PORT}`]);
    expect(await host.dns.promises.lookup('short', 4)).toMatchObject({ address: '127.0.0.5' });
    await host.close();
    host = await createHost({ dns: { resolvConf } });
    expect(host.dns.getServers()).toEqual(['127.0.0.9']);
    rmSync(folder, { recursive: true });
  });
});

describe('options that are wrong', () => {
  // biome-ignore format: a table
  const table: [string, unknown][] = [
    ['dns', 'x'], ['dns', null], ['dns', []],
    ['dns.server', { server: ['10.0.0.1'] }],
    ['dns.servers', { servers: '10.0.0.1' }],
    ['dns.servers[1]', { servers: ['10.0.0.1', 'ns.example'] }],
    ['dns.servers[0]', { servers: ['10.0.0.1:0'] }],
    ['dns.servers[0]', { servers: ['[::1'] }],
    ['dns.search', { search: ['a..b'] }],
    ['dns.ndots', { ndots: 16 }],
    ['dns.timeoutMs', { timeoutMs: 0 }],
    ['dns.tries', { tries: 1.5 }],
    ['dns.rotate', { rotate: 1 }],
    ['dns.udpSize', { udpSize: 65_536 }],
    ['dns.hosts', { hosts: true }],
    ['dns.hostsFile', { hostsFile: 1 }],
    ['dns.cache', { cache: 7 }],
    ['dns.cache.ttl', { cache: { ttl: 1 } }],
    ['dns.cache.entries', { cache: { entries: -1 } }],
    ['dns.maxInFlight', { maxInFlight: 0 }],
  ];
  test.each(table)('%s: %o', async (name, dns) => {
    await start();
    const error = await createHost({ dns: dns as object }).catch((e) => e);
    expect([error.code, error.message.startsWith(`The option '${name}' `)]).toEqual([
      'ERR_PORTSIDE_INVALID_OPTION',
      true,
    ]);
  });

  test('lookup and dns together', async () => {
    await start();
    const both = { lookup: (() => {}) as never, dns: {} };
    await expect(createHost(both)).rejects.toMatchObject({ code: 'ERR_PORTSIDE_INVALID_OPTION' });
  });
});

describe('a registered process', () => {
  test('with dns: node:dns asks the host’s servers, and does so no more afterwards', async () => {
    const before = { ...kernelDns, promises: { ...kernelDns.promises } };
    host = await register({ dns: [`127.0.0.1:${PORT}`], search: ['lan'] });
    server = await new NameServer(host, ZONE).listen(PORT);
    try {
      expect(kernelDns.getServers()).toEqual([`127.0.0.1:${PORT}`]);
      expect(await kernelDns.promises.lookup('short', 4)).toMatchObject({ address: '127.0.0.5' });
      expect(await kernelDns.promises.resolveMx('example')).toHaveLength(2);
      expect(await namedResolve4('www.example')).toEqual(['192.0.2.1', '192.0.2.2']);
      expect(await new kernelDns.promises.Resolver().resolveTxt('example')).toHaveLength(2);
      expect(await kernelDns.promises.reverse('192.0.2.1')).toEqual(['www.example']);
    } finally {
      await unregister();
    }
    expect({ ...kernelDns, promises: { ...kernelDns.promises } }).toEqual(before);
  });

  test('without dns node:dns stays what it is', async () => {
    const before = { ...kernelDns };
    host = await register({});
    expect({ ...kernelDns }).toEqual(before);
    await unregister();
  });
});
