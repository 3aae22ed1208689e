// What `_handle` of a host's socket gives to the native halves of tls and http2, which stand
// straight on it (src/node/native-handle.ts).

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import type net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Edge } from '../../src/node/edge.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import { kEdge } from '../../src/node/net-socket.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

interface Handle {
  isStreamBase: boolean;
  isShut: boolean;
  hasRef(): boolean;
  onwrite(request: object, chunks: Uint8Array[]): number;
  onshutdown(request: object): number;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
}

type Socket = net.Socket & { _handle: Handle | null; [kEdge]: Edge };

let host: Host;
let port: number;
let accepted: Promise<Socket>;

beforeEach(async () => {
  host = await createHost();
  const server = host.net.createServer();
  accepted = once(server, 'connection').then(([socket]) => socket as Socket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as net.AddressInfo).port;
});

afterEach(() => host.close({ deadlineMs: 50 }));

async function connected(): Promise<[Socket, Socket]> {
  const client = host.net.connect(port, '127.0.0.1') as Socket;
  await once(client, 'connect');
  return [client, await accepted];
}

/** Notes what a connection of the core is told. */
function noted(socket: Socket): unknown[][] {
  const calls: unknown[][] = [];
  const handle = socket[kEdge].handle as NonNullable<Edge['handle']>;
  for (const name of ['setNoDelay', 'setKeepAlive'] as const) {
    const set = handle[name].bind(handle) as (...args: unknown[]) => void;
    handle[name] = (...args: unknown[]) => {
      calls.push([name, ...args]);
      set(...args);
    };
  }
  return calls;
}

describe('a host’s socket beneath tls and http2', () => {
  test('http2 sessions turn Nagle’s algorithm off at both ends', async () => {
    const [client, peer] = await connected();
    const [here, there] = [noted(client), noted(peer)];
    http2.createServer().emit('connection', peer);
    const session = http2.connect('http://localhost', { createConnection: () => client });
    await once(session, 'remoteSettings');
    expect([here, there]).toEqual([[['setNoDelay', true]], [['setNoDelay', true]]]);
    session.destroy();
  });

  test('setNoDelay and setKeepAlive of a TLS socket reach the connection', async () => {
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
      ['setKeepAlive', true, 30_000, undefined, undefined],
    ]);
    secure.destroy();
    server.destroy();
  });
});

describe('_handle', () => {
  test('is a stream of the C++ layer while the connection lives, null before and after', async () => {
    const [client] = await connected();
    expect(client._handle?.isStreamBase).toBe(true);
    expect(client._handle?.hasRef()).toBe(true);
    client.unref();
    expect(client._handle?.hasRef()).toBe(false);
    client.destroy();
    expect(client._handle).toBe(null);
    expect(new host.net.Socket()).toHaveProperty('_handle', null);
  });

  test('what is written behind a shutdown gets EPIPE, as from the kernel', async () => {
    const [client] = await connected();
    const handle = client._handle as Handle;
    handle.finishWrite = () => {};
    handle.finishShutdown = () => {};
    expect(handle.onwrite({}, [Buffer.from('before')])).toBe(0);
    expect(handle.onshutdown({})).toBe(0);
    expect(handle.onwrite({}, [Buffer.from('behind')])).toBe(-32);
    const [, peer] = [client, await accepted];
    const [chunk] = await once(peer, 'data');
    expect(String(chunk)).toBe('before');
  });

  test('two writes under way at once are both told of', async () => {
    const [client, peer] = await connected();
    const handle = client._handle as Handle;
    const ends: unknown[] = [];
    handle.finishWrite = (request, status) => ends.push([request, status]);
    const [first, second] = [{ name: 'first' }, { name: 'second' }];
    expect(handle.onwrite(first, [Buffer.alloc(8 << 20)])).toBe(0);
    expect(handle.onwrite(second, [Buffer.from('more')])).toBe(0);
    expect(ends).toEqual([]);
    peer.resume();
    while (ends.length < 2) await once(peer, 'data');
    expect(ends).toEqual([
      [first, 0],
      [second, 0],
    ]);
  });

  test('cannot be taken to another process', async () => {
    const [client] = await connected();
    expect(() => Object.assign(client._handle as Handle, { onread: () => {} })).toThrow(
      expect.objectContaining({ code: 'ERR_PORTSIDE_NOT_SUPPORTED' }),
    );
  });
});

test('Node’s stream class is found without a warning, with --pending-deprecation too', () => {
  const program = `
    const net = require('portside/net');
    net.createServer((s) => s.end()).listen(0, '127.0.0.1', function () {
      const client = net.connect(this.address().port, '127.0.0.1', () => {
        process.stdout.write(String(client._handle.isStreamBase));
        client.destroy();
        this.close();
      });
    });`;
  const cwd = createRequire(import.meta.url)
    .resolve('../../package.json')
    .replace(/[^/]*$/, '');
  const ran = (...flags: string[]): string =>
    execFileSync(process.execPath, ['--throw-deprecation', ...flags, '-e', program], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  expect(ran()).toBe('true');
  expect(ran('--pending-deprecation')).toBe('true');
});
