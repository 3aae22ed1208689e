// The doors `portside/net`, `portside/dgram` and `portside/dns`: the process's default host, both families.

import * as kernelDgram from 'node:dgram';
import kernelDns from 'node:dns';
import type { AddressInfo, Server, Socket } from 'node:net';
import * as kernelNet from 'node:net';
import { describe, expect, test } from 'vitest';
import dgram, * as dgramNames from '../../src/dgram.ts';
import dns, * as dnsNames from '../../src/dns.ts';
import net, * as netNames from '../../src/net.ts';
import { defaultHost } from '../../src/node/default-host.ts';

const until = (emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> =>
  new Promise((resolve) => {
    emitter.once(event, (...args) => resolve(args));
  });

async function listening(server: Server, ...at: unknown[]): Promise<number> {
  (server.listen as (...args: unknown[]) => void).apply(server, at.length > 0 ? at : [0]);
  await until(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('the doors', () => {
  test('have every public name of Node’s modules', () => {
    const wanted = Object.keys(kernelNet).filter((n) => n !== 'default');
    expect(wanted.filter((n) => n.startsWith('_'))).toHaveLength(3);
    expect(wanted.filter((name) => !(name in netNames))).toEqual([]);
    const wantedToo = Object.keys(kernelDgram).filter((n) => !n.startsWith('_') && n !== 'default');
    expect(wantedToo.filter((name) => !(name in dgramNames))).toEqual([]);
    const names = Object.keys(kernelDns);
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !(name in dnsNames))).toEqual([]);
    const promised = Object.keys(kernelDns.promises);
    expect(promised.filter((name) => !(name in dns.promises))).toEqual([]);
  });

  test('are the default host’s, the same each time', () => {
    expect(net).toBe(defaultHost().net);
    expect(dgram).toBe(defaultHost().dgram);
    expect(dns).toBe(defaultHost().dns);
    expect(new dns.Resolver()).toBeInstanceOf(kernelDns.Resolver);
    expect(new dns.promises.Resolver()).toBeInstanceOf(kernelDns.promises.Resolver);
    expect(new net.Socket()).toBeInstanceOf(kernelNet.Socket);
  });

  test('types: what wants node:net takes portside/net, as module and as default', () => {
    type Kernel = Omit<typeof import('node:net'), 'default'>;
    const take = (m: Kernel): string => typeof m.createServer;
    expect([take(net), take(netNames), take(defaultHost().net)]).toEqual([
      'function',
      'function',
      'function',
    ]);
    const whole: typeof import('node:net') = net;
    expect(whole.Socket).toBe(net.Socket);
    type KernelDns = Omit<typeof import('node:dns'), 'default'>;
    const takeDns = (m: KernelDns): string => typeof m.resolveSrv;
    expect([takeDns(dns), takeDns(dnsNames)]).toEqual(['function', 'function']);
    const wholeDns: typeof import('node:dns') = dns;
    const promises: typeof import('node:dns/promises') = dns.promises;
    expect(wholeDns.promises).toBe(promises);
  });

  test('the names with an underscore do what programs use them for', async () => {
    const heard = (): void => {};
    const normalized = net._normalizeArgs([80, '127.0.0.1', heard]);
    expect([...normalized]).toEqual([{ port: 80, host: '127.0.0.1' }, heard]);
    expect(net._createServerHandle('127.0.0.1', 80, 4)).toBe(-95);
    const server = net.createServer((s) => s.end());
    const port = await listening(server);
    const args = net._normalizeArgs([port, '127.0.0.1', heard]);
    const client = new net.Socket().connect(args as unknown as kernelNet.NetConnectOpts);
    await until(client.resume(), 'close');
    expect(client.bytesRead).toBe(0);
    server.close();
  });

  test('one port, one application: a second listener gets EADDRINUSE, Node’s own does not', async () => {
    const first = net.createServer();
    const port = await listening(first);
    const second = net.createServer();
    second.listen(port);
    const [error] = await until(second, 'error');
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: '::', port });
    first.close();
  });
});

describe('a listener without an address is dual-stack', () => {
  const rows: [string, string, string, string][] = [
    ['127.0.0.1', '127.0.0.1', 'IPv4', '::ffff:127.0.0.1'],
    ['::1', '::1', 'IPv6', '::1'],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.1', 'IPv6', '::ffff:127.0.0.1'],
    ['localhost', '::1', 'IPv6', '::1'],
  ];
  test.each(rows)('connect to %s', async (host, remote, family, seen) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server);
    expect(server.address()).toEqual({ address: '::', family: 'IPv6', port });
    const accepted = until(server, 'connection');
    const client = net.connect(port, host);
    await until(client, 'connect');
    expect([client.remoteAddress, client.remoteFamily]).toEqual([remote, family]);
    const [peer] = (await accepted) as [Socket];
    expect([peer.remoteAddress, peer.remoteFamily]).toEqual([seen, 'IPv6']);
    client.resume();
    await until(client, 'close');
    server.close();
  });

  test('but not with ipv6Only', async () => {
    const server = net.createServer();
    const port = await listening(server, { port: 0, host: '::', ipv6Only: true });
    const client = net.connect(port, '127.0.0.1');
    const [error] = await until(client, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port });
    server.close();
  });
});

describe('happy eyeballs on localhost', () => {
  test('an IPv4 listener is found behind the refusal of ::1', async () => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, 0, '127.0.0.1');
    const client = net.connect(port, 'localhost');
    const failed = until(client, 'connectionAttemptFailed');
    await until(client, 'connect');
    expect((await failed).slice(0, 3)).toEqual(['::1', port, 6]);
    expect(client.remoteAddress).toBe('127.0.0.1');
    client.resume();
    await until(client, 'close');
    server.close();
  });

  test('nobody there: one AggregateError with both', async () => {
    const [error] = await until(net.connect(1, 'localhost'), 'error');
    expect(error).toBeInstanceOf(AggregateError);
    const { code, errors } = error as AggregateError & { code: string };
    expect(code).toBe('ECONNREFUSED');
    expect(errors.map((e: Error) => e.message)).toEqual([
      'connect ECONNREFUSED ::1:1',
      'connect ECONNREFUSED 127.0.0.1:1',
    ]);
  });
});

describe('udp6', () => {
  test('bind(callback), and datagrams of both families', async () => {
    const receiver = dgram.createSocket('udp6');
    await new Promise<void>((resolve) => receiver.bind(resolve));
    const { port } = receiver.address();
    expect(receiver.address()).toMatchObject({ address: '::', family: 'IPv6' });
    for (const [type, to, from] of [
      ['udp6', '::1', '::1'],
      ['udp4', '127.0.0.1', '::ffff:127.0.0.1'],
    ] as const) {
      const sender = dgram.createSocket(type);
      const came = until(receiver, 'message');
      sender.send('hello', port, to);
      const [message, rinfo] = (await came) as [Buffer, kernelDgram.RemoteInfo];
      expect([message.toString(), rinfo.address, rinfo.family]).toEqual(['hello', from, 'IPv6']);
      sender.close();
    }
    receiver.close();
  });

  test('ipv6Only leaves the port of IPv4 free', async () => {
    const six = dgram.createSocket({ type: 'udp6', ipv6Only: true });
    await new Promise<void>((resolve) => six.bind(0, resolve));
    const four = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => four.bind(six.address().port, resolve));
    expect(four.address().port).toBe(six.address().port);
    six.close();
    four.close();
  });
});
