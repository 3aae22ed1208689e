// Sockets that a program outside opens in a host by its control socket: octets both ways with their
// half-close, listeners, datagrams, echo requests, names.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient } from '../../src/node/control-client.ts';
import { type Frame, frameOf, readFrames } from '../../src/node/frames.ts';
import { createHost, type Host } from '../../src/node/host.ts';

let folder: string;
let host: Host;
let client: ControlClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portside-sockets-'));
  host = await createHost();
  client = await ControlClient.open(await host.serveControl(join(folder, 'sock')));
});

afterEach(async () => {
  client.close();
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

function frames(socket: Socket, n: number): Promise<Frame[]> {
  return new Promise((resolve) => {
    const got: Frame[] = [];
    readFrames(socket, (frame) => {
      // its octets belong to the reader's buffer
      got.push({ meta: frame.meta, data: Buffer.from(frame.data) });
      if (got.length === n) resolve(got);
    });
  });
}

describe('connect', () => {
  test('carries octets both ways, and each end ends by itself', async () => {
    const heard: string[] = [];
    const server = host.net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (chunk) => heard.push(`${chunk}`));
      // the client has ended, and still reads
      socket.on('end', () => socket.end('and the answer'));
    });
    await once(server.listen(7000, '127.0.0.1'), 'listening');
    const { done, socket } = await client.open('connect', { host: '127.0.0.1', port: 7000 });
    expect(done).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: 7000, family: 'IPv4' });
    socket.end('a question');
    expect(await text(socket)).toBe('and the answer');
    expect(heard).toEqual(['a question']);
    server.close();
  });

  test('a slow reader holds the sender back, and nothing is lost', async () => {
    const octets = 8 << 20;
    const server = host.net.createServer((socket) => socket.end(Buffer.alloc(octets, 7)));
    await once(server.listen(7000, '127.0.0.1'), 'listening');
    const { socket } = await client.open('connect', { host: '127.0.0.1', port: 7000 });
    // nobody reads yet: what is under way lies in bounded buffers
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    const [row] = host.stack.sockets('ESTAB').filter((r) => r.localPort === 7000);
    expect(row?.sendQ).toBeGreaterThan(0);
    socket.end();
    expect((await buffer(socket)).length).toBe(octets);
    server.close();
  });

  test('a refusal comes with its code', async () => {
    const asked = client.open('connect', { host: '127.0.0.1', port: 7001 });
    await expect(asked).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(client.open('connect', { host: 7 })).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

describe('listen and accept', () => {
  test('each connection is told, and taken by its token once', async () => {
    const { done, socket: listener } = await client.open<{ port: number }>('listen', {
      address: '127.0.0.1',
      port: 0,
    });
    const lines = new Promise<string>((resolve) => listener.once('data', (b) => resolve(`${b}`)));
    listener.resume();
    const peer = host.net.connect(done.port, '127.0.0.1');
    await once(peer, 'connect');
    const { token, remotePort } = JSON.parse(await lines);
    expect(remotePort).toBe(peer.localPort);
    const { socket } = await client.open('accept', { token });
    peer.end('from the peer');
    socket.end('to the peer');
    expect(await text(socket)).toBe('from the peer');
    expect(await text(peer)).toBe('to the peer');
    await expect(client.open('accept', { token })).rejects.toMatchObject({ code: 'ENOENT' });
    listener.destroy();
  });

  test('the port is free when the listener has gone, and a taken one is EADDRINUSE', async () => {
    const { socket } = await client.open('listen', { port: 7002 });
    const again = client.open('listen', { port: 7002 });
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
    socket.destroy();
    const free = (): boolean => !host.stack.sockets('LISTEN').some((r) => r.localPort === 7002);
    while (!free()) await new Promise((resolve) => setImmediate(resolve));
    const { socket: third } = await client.open('listen', { port: 7002 });
    third.destroy();
  });
});

describe('udp and ping', () => {
  test('datagrams go out and come back with their sender', async () => {
    const server = host.dgram.createSocket('udp4', (message, from) => {
      server.send(`re: ${message}`, from.port, from.address);
    });
    server.bind(7003, '127.0.0.1');
    await once(server, 'listening');
    const { socket } = await client.open('udp', { address: '127.0.0.1' });
    const got = frames(socket, 1);
    socket.write(frameOf({ address: '127.0.0.1', port: 7003 }, Buffer.from('x')));
    const [frame] = await got;
    expect(`${frame?.data}`).toBe('re: x');
    expect(frame?.meta).toMatchObject({ address: '127.0.0.1', port: 7003, ttl: 64 });
    socket.destroy();
    server.close();
  });

  test('an ICMP error comes with its source and what it is about (RFC 792)', async () => {
    const { socket } = await client.open('udp', {});
    const got = frames(socket, 1);
    socket.write(frameOf({ address: '127.0.0.1', port: 33_434, ttl: 5 }, Buffer.from('x')));
    const [frame] = await got;
    expect(frame?.meta).toMatchObject({ type: 3, code: 3, from: '127.0.0.1', port: 33_434 });
    socket.destroy();
  });

  test('what cannot be sent is told', async () => {
    const { socket } = await client.open('udp', { address: '127.0.0.1' });
    const got = frames(socket, 1);
    socket.write(frameOf({ address: '192.0.2.1', port: 9 }, Buffer.from('x')));
    expect((await got)[0]?.meta).toMatchObject({ failed: true });
    socket.destroy();
  });

  test('an echo request has its reply with the time it took', async () => {
    const { socket } = await client.open('ping', { family: 4 });
    const got = frames(socket, 1);
    socket.write(frameOf({ to: '127.0.0.1', seq: 9 }, Buffer.from('payload')));
    const [frame] = await got;
    expect(frame?.meta).toMatchObject({ from: '127.0.0.1', seq: 9, ttl: 64 });
    expect(frame?.meta.rttUs).toBeGreaterThan(0);
    expect(`${frame?.data}`).toBe('payload');
    socket.destroy();
  });

  test('frames that make no sense end their connection, and nothing else', async () => {
    const { socket } = await client.open('ping', {});
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.from('ffffffffffffffff', 'hex'));
    await once(socket, 'end');
    expect(await client.ask('host')).toMatchObject({ pid: process.pid });
  });
});

test('lookup asks the host, and its error has its code', async () => {
  expect(await client.ask('lookup', { name: 'localhost', family: 4 })).toEqual([
    { address: '127.0.0.1', family: 4 },
  ]);
  const asked = client.ask('lookup', { name: 'nowhere.example' });
  await expect(asked).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

test('the connections go with the host', async () => {
  const { socket } = await client.open('ping', {});
  socket.resume();
  const gone = once(socket, 'end');
  await host.close();
  await gone;
});
