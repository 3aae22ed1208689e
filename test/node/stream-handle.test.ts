// A Node that does not give its stream class (process.binding) has no `_handle` to stand on: tls and
// http2 wrap a socket of a host's as a stream, and what they, and programs, set on their own socket
// reaches the host's. With the class: native-handle.test.ts.

import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import { PassThrough } from 'node:stream';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { createNetwork } from '../../src/node/sim/index.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

vi.hoisted(() => {
  Object.defineProperty(process, 'binding', { value: undefined });
});

let host: Host;
let port: number;
let accepted: Promise<net.Socket>;

beforeEach(async () => {
  host = await createHost();
  const server = host.net.createServer();
  accepted = once(server, 'connection').then(([socket]) => socket as net.Socket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as net.AddressInfo).port;
});

afterEach(() => host.close({ deadlineMs: 50 }));

/** Notes what is set on a socket. */
function noted(socket: net.Socket): unknown[][] {
  const calls: unknown[][] = [];
  for (const name of ['setNoDelay', 'setKeepAlive'] as const) {
    const set = socket[name].bind(socket) as (...args: unknown[]) => net.Socket;
    socket[name] = (...args: unknown[]) => {
      calls.push([name, ...args]);
      return set(...args);
    };
  }
  return calls;
}

async function connected(): Promise<[net.Socket, net.Socket]> {
  const client = host.net.connect(port, '127.0.0.1');
  await once(client, 'connect');
  return [client, await accepted];
}

describe('a host’s socket that Node has wrapped', () => {
  test('has no handle', async () => {
    const [client] = await connected();
    expect(client).toHaveProperty('_handle', null);
  });

  test('http2 sessions turn Nagle’s algorithm off at both ends', async () => {
    const [client, peer] = await connected();
    const [here, there] = [noted(client), noted(peer)];
    http2.createServer().emit('connection', peer);
    const session = http2.connect('http://localhost', { createConnection: () => client });
    await once(session, 'remoteSettings');
    expect([here, there]).toEqual([[['setNoDelay', true]], [['setNoDelay', true]]]);
    session.destroy();
  });

  test('setNoDelay and setKeepAlive of a TLS socket reach it, at both ends', async () => {
    const [client, peer] = await connected();
    const [here, there] = [noted(client), noted(peer)];
    const server = new tls.TLSSocket(peer, { isServer: true, key: KEY, cert: CERT });
    const secure = tls.connect({ socket: client, ca: CERT, servername: 'localhost' });
    await once(secure, 'secureConnect');
    server.setNoDelay(true);
    secure.setNoDelay();
    secure.setNoDelay(false);
    secure.setKeepAlive(true, 30_000);
    expect(there).toEqual([['setNoDelay', true]]);
    expect(here).toEqual([
      ['setNoDelay', true],
      ['setNoDelay', false],
      ['setKeepAlive', true, 30_000],
    ]);
    secure.destroy();
    server.destroy();
  });

  test('what is written behind a shutdown gets EPIPE, as from the kernel', async () => {
    const [client, peer] = await connected();
    client.on('error', () => {});
    const secure = new tls.TLSSocket(client, {});
    type Wrap = Record<symbol, unknown> & { doWrite(request: object, chunks: Buffer[]): number };
    const { _parentWrap: wrap } = (secure as unknown as { _handle: { _parentWrap: Wrap } })._handle;
    const shutdown = Object.getOwnPropertySymbols(wrap).find(
      (symbol) => symbol.description === 'kCurrentShutdownRequest',
    ) as symbol;
    wrap[shutdown] = {};
    expect(wrap.doWrite({}, [Buffer.from('late')])).toBe(-32);
    wrap[shutdown] = null;
    secure.destroy();
    peer.destroy();
  });

  test('another stream beneath a TLS socket is left alone', async () => {
    const [client] = await connected();
    tls
      .connect({ socket: client })
      .on('error', () => {})
      .destroy();
    const secure = tls.connect({ socket: new PassThrough() as never }).on('error', () => {});
    expect(secure.setNoDelay(true).setKeepAlive(true)).toBe(secure);
    secure.destroy();
  });
});

test('twenty http2 requests in turn wait for no delayed acknowledgment', async () => {
  const network = createNetwork({ impairment: { delayUs: 1000 } });
  const [client, server] = [network.host('client'), network.host('server')];
  const site = http2.createServer((_req, res) => res.end('hello'));
  server.net.createServer((socket) => site.emit('connection', socket)).listen(80);
  const ms = await network.run(async () => {
    const createConnection = (): net.Socket => client.net.connect(80, 'server');
    const session = http2.connect('http://server', { createConnection });
    await once(session, 'remoteSettings');
    const from = network.nowMs;
    for (let i = 0; i < 20; i++) {
      const stream = session.request({ ':path': '/' }).resume();
      await once(stream, 'close');
    }
    const took = network.nowMs - from;
    session.close();
    return took;
  });
  // A round trip each, 2 ms; with Nagle's algorithm each would take 40 ms more.
  expect(ms).toBeLessThan(20 * 10);
  await network.close();
});
