// What our sockets have beyond node:net's: TCP options and figures, the gate before accept, shared
// ports with a balancing function, every port of a prefix.

import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLocalHost, type Host } from '../../src/node/host.ts';
import type { Gate } from '../../src/node/server-options.ts';
import type { PortsideSocket } from '../../src/node/tcp-options.ts';

let host: Host;
beforeEach(() => {
  host = createLocalHost({ addresses: [{ prefix: '10.9.0.0/16', own: 'all' }] });
});
afterEach(() => host.close({ deadlineMs: 50 }));

const until = (emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> =>
  new Promise((resolve) => {
    emitter.once(event, (...args) => resolve(args));
  });

async function listen(server: Server, options: object): Promise<number> {
  server.listen(options);
  await until(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A connected pair. */
async function pair(
  tcp: object = {},
  serverOptions: object = {},
): Promise<[PortsideSocket, PortsideSocket, Server]> {
  const server = host.net.createServer(serverOptions);
  const port = await listen(server, { port: 0, host: '127.0.0.1' });
  const accepted = until(server, 'connection');
  const client = host.net.connect({ port, host: '127.0.0.1', tcp } as object as { port: number });
  await until(client, 'connect');
  const [peer] = (await accepted) as [Socket];
  return [client as PortsideSocket, peer as PortsideSocket, server];
}

describe('TCP options', () => {
  test('of connect reach the connection', async () => {
    const [client] = await pair({ congestion: 'bbr', maxSegment: 500, tos: 0x20, ttl: 9 });
    const info = client.tcpInfo();
    expect(info).toMatchObject({ congestion: 'bbr', snd_mss: 488, state: 'ESTAB' });
    client.destroy();
  });

  test('of createServer reach each connection', async () => {
    const [client, peer] = await pair({}, { tcp: { congestion: 'reno', sendBuffer: 8192 } });
    expect(peer.tcpInfo()?.congestion).toBe('reno');
    expect(client.tcpInfo()?.congestion).toBe('cubic');
    client.destroy();
  });

  test('can be set before connect, and changed while connected', async () => {
    const server = host.net.createServer();
    const port = await listen(server, { port: 0, host: '127.0.0.1' });
    const client = new host.net.Socket() as PortsideSocket;
    expect(client.tcpInfo()).toBeNull();
    expect(client.setCongestion('reno').setUserTimeout(5000).setTtl(7).setTos(8)).toBe(client);
    client.setQuickAck().setCork().setKeepAlive(true, 1000, 2000, 3).setMaxPacingRate(1e6);
    client.connect(port, '127.0.0.1');
    await until(client, 'connect');
    expect(client.tcpInfo()?.congestion).toBe('reno');
    client.setCongestion('bbr').setCork(false);
    expect(client.tcpInfo()?.congestion).toBe('bbr');
    client.destroy();
    await until(client, 'close');
    expect(client.tcpInfo()).toBeNull();
  });

  test('a cork holds small segments together', async () => {
    const [client, peer] = await pair();
    client.setNoDelay(true);
    client.setCork();
    const before = client.tcpInfo()?.data_segs_out ?? -1;
    for (let i = 0; i < 10; i++) {
      client.write('x');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(client.tcpInfo()?.data_segs_out).toBe(before);
    const came = until(peer, 'data');
    client.setCork(false);
    expect(String((await came)[0])).toBe('xxxxxxxxxx');
    expect(client.tcpInfo()?.data_segs_out).toBe(before + 1);
    client.destroy();
  });

  const wrong: [object, string][] = [
    [{ congestion: 'vegas' }, 'ERR_INVALID_ARG_VALUE'],
    [{ congestion: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ttl: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ttl: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ maxSegment: 10 }, 'ERR_OUT_OF_RANGE'],
    [{ ecn: 'maybe' }, 'ERR_INVALID_ARG_VALUE'],
    [{ sendbuffer: 10 }, 'ERR_INVALID_ARG_VALUE'],
  ];
  test.each(wrong)('%j throws %s', (tcp, code) => {
    const options = { port: 1, tcp } as object as { port: number };
    expect(() => host.net.connect(options)).toThrow(expect.objectContaining({ code }));
    expect(() => host.net.createServer({ tcp } as object)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe('a gate', () => {
  /** After `patienceMs` nobody is there: short only where nobody is to be. */
  async function knock(gate: Gate, patienceMs = 60_000): Promise<[string, Server]> {
    const server = host.net.createServer({ gate } as object, (s) => s.end());
    const port = await listen(server, { port: 0, host: '127.0.0.1' });
    const client = host.net.connect(port, '127.0.0.1');
    client.setTimeout(patienceMs, () => client.destroy(new Error('nobody')));
    const verdict = await new Promise<string>((resolve) => {
      client.on('connect', () => resolve('in'));
      client.on('error', (e: NodeJS.ErrnoException) => resolve(e.code ?? e.message));
    });
    client.destroy();
    return [verdict, server];
  }

  test('holds the SYN until the promise settles, then lets it in', async () => {
    let asked: object = {};
    let answered = false;
    const [verdict] = await knock(async (peer) => {
      asked = peer;
      await new Promise((resolve) => setTimeout(resolve, 20));
      answered = true;
      return true;
    });
    expect([verdict, answered]).toEqual(['in', true]);
    expect(asked).toMatchObject({ remoteAddress: '127.0.0.1', localFamily: 'IPv4' });
  });

  test.each([
    ['false: refused', false, 'ECONNREFUSED'],
    ["'reset': refused", 'reset', 'ECONNREFUSED'],
    ["'silent': nobody is there", 'silent', 'nobody'],
  ] as const)('%s', async (_name, answer, verdict) => {
    const [seen, server] = await knock(() => answer, answer === 'silent' ? 200 : 60_000);
    expect(seen).toBe(verdict);
    expect(host.stack.tcp.live).toBeLessThanOrEqual(1);
    server.close();
  });
});

describe('reusePort with a balancing function', () => {
  test('gives each peer to the server that it chooses', async () => {
    const hits = [0, 0, 0];
    const servers: Server[] = [];
    let port = 0;
    for (let i = 0; i < 3; i++) {
      const server = host.net.createServer((s) => {
        hits[i] = (hits[i] as number) + 1;
        s.end();
      });
      const balance = (_a: string, remotePort: number, n: number): number => remotePort % n;
      port = await listen(server, { port, host: '127.0.0.1', reusePort: true, balance });
      servers.push(server);
    }
    for (const localPort of [9000, 9001, 9003, 9004, 9006]) {
      const client = host.net.connect({ port, host: '127.0.0.1', localPort });
      client.resume();
      await until(client, 'close');
    }
    expect(hits).toEqual([3, 2, 0]);
    for (const server of servers) server.close();
  });
});

describe('listen({ any: true })', () => {
  test('yields each flow with its original destination; a port’s own holder goes first', async () => {
    const seen: string[] = [];
    const all = host.net.createServer((s) => {
      seen.push(`${s.localAddress}:${s.localPort}`);
      s.end();
    });
    await listen(all, { any: true, prefix: '10.9.0.0/16' });
    expect(all.address()).toMatchObject({ port: 0 });
    const one = host.net.createServer((s) => s.end('own'));
    one.listen(81, '10.9.1.1');
    await until(one, 'listening');
    for (const [address, port] of [
      ['10.9.7.7', 443],
      ['10.9.0.1', 1],
      ['10.9.1.1', 81],
      ['10.9.1.1', 82],
    ] as const) {
      const client = host.net.connect(port, address);
      client.resume();
      await until(client, 'close');
    }
    expect(seen).toEqual(['10.9.7.7:443', '10.9.0.1:1', '10.9.1.1:82']);
    const [error] = await until(host.net.connect(80, '127.0.0.1'), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    all.close();
    one.close();
    await until(all, 'close');
    expect((await until(host.net.connect(443, '10.9.7.7'), 'error'))[0]).toMatchObject({
      code: 'ECONNREFUSED',
    });
  });
});
