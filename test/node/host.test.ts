// A whole host on loopback or on a cable between two: no root, no addon.

import { createHash, randomBytes } from 'node:crypto';
import * as kernelDgram from 'node:dgram';
import * as http from 'node:http';
import type * as net from 'node:net';
import * as kernelNet from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Cable } from '../../src/link/pair.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';

const hosts: Host[] = [];

async function made(options: HostOptions = {}): Promise<Host> {
  const host = await createHost(options);
  host.on('error', () => {});
  hosts.push(host);
  return host;
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close({ deadlineMs: 50 });
});

/** Two hosts, 10.0.0.1 and 10.0.0.2, on one cable. */
async function cabled(): Promise<[Host, Host]> {
  const cable = new Cable({ mtu: 1500 });
  const a = await made({ link: cable.end('a'), addresses: ['10.0.0.1/24'] });
  const b = await made({ link: cable.end('b'), addresses: ['10.0.0.2/24'] });
  return [a, b];
}

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function listening(server: net.Server, address = '127.0.0.1'): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

function sha256(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

/** A connection of the host with itself. */
async function connected(
  host: Host,
  serverOptions: net.ServerOpts = {},
): Promise<{ client: net.Socket; peer: net.Socket; server: net.Server }> {
  const server = host.net.createServer(serverOptions);
  const port = await listening(server);
  const accepted = once(server, 'connection');
  const client = host.net.connect(port, '127.0.0.1');
  const [[peer]] = (await Promise.all([accepted, once(client, 'connect')])) as [
    [net.Socket],
    unknown,
  ];
  return { client, peer, server };
}

describe('http over a host', () => {
  it('moves 50 MB each way with equal sha256', async () => {
    const host = await made();
    const body = randomBytes(50_000_000);
    const want = sha256(body);
    const site = http.createServer((req, res) => {
      if (req.method === 'GET') {
        res.end(body);
        return;
      }
      const hash = createHash('sha256');
      req.on('data', (d) => hash.update(d));
      req.on('end', () => res.end(hash.digest('hex')));
    });
    const server = host.net.createServer((s) => site.emit('connection', s));
    const port = await listening(server);
    const agent = new http.Agent({ keepAlive: true });
    Object.assign(agent, { createConnection: host.net.connect });
    const ask = (method: string, data?: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const request = http.request({ port, host: '127.0.0.1', method, agent }, (res) => {
          const parts: Buffer[] = [];
          res.on('data', (d) => parts.push(d));
          res.on('end', () => resolve(Buffer.concat(parts)));
        });
        request.on('error', reject);
        request.end(data);
      });
    expect(sha256(await ask('GET'))).toBe(want);
    expect((await ask('PUT', body)).toString()).toBe(want);
    agent.destroy();
  });

  it('answers 200 requests of 20 connections at once', async () => {
    const host = await made();
    const site = http.createServer((req, res) => res.end(`you asked ${req.url}`));
    const server = host.net.createServer((s) => site.emit('connection', s));
    const port = await listening(server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
    Object.assign(agent, { createConnection: host.net.connect });
    const get = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const request = http.get({ port, host: '127.0.0.1', path, agent }, (res) => {
          let text = '';
          res.on('data', (d) => {
            text += d;
          });
          res.on('end', () => resolve(text));
        });
        request.on('error', reject);
      });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => get(`/${i}`)));
    expect(answers).toEqual(Array.from({ length: 200 }, (_, i) => `you asked /${i}`));
    agent.destroy();
  });
});

describe('backpressure', () => {
  it('a reader that does not read stops the writer, and loses nothing', async () => {
    const host = await made();
    const { client, peer } = await connected(host, { pauseOnConnect: true });
    const chunk = randomBytes(65_536);
    const hash = createHash('sha256');
    let written = 0;
    const total = 40_000_000;
    const push = (): boolean => {
      while (written < total) {
        hash.update(chunk);
        written += chunk.length;
        if (!client.write(chunk)) return false;
      }
      client.end();
      return true;
    };
    client.on('drain', push);
    push();
    // The same over half a second, however long it takes to come to that.
    let stalled = -1;
    for (let same = 0; same < 5; same = written === stalled ? same + 1 : 0) {
      stalled = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // Both buffers (4 MiB to send, 6 MiB to receive at most) and one chunk of the stream's own.
    expect(stalled).toBeLessThan(4_194_304 + 6_291_456 + 131_072);
    expect(client.writableNeedDrain).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBe(stalled);
    expect(peer.bytesRead).toBe(0);
    const got = createHash('sha256');
    let read = 0;
    peer.on('data', (d) => {
      got.update(d as Buffer);
      read += d.length;
    });
    peer.resume();
    await once(peer, 'end');
    expect(read).toBe(written);
    expect(got.digest('hex')).toBe(hash.digest('hex'));
  });

  it('a slow reader keeps little in its stream', async () => {
    const host = await made();
    const { client, peer } = await connected(host);
    let most = 0;
    let read = 0;
    client.end(Buffer.alloc(3_000_000));
    await new Promise<void>((resolve) => {
      const take = (): void => {
        most = Math.max(most, peer.readableLength);
        const piece = (peer.read(10_000) ?? peer.read()) as Buffer | null;
        if (piece !== null) read += piece.length;
        if (!peer.readableEnded) setImmediate(take);
      };
      take();
      peer.on('end', resolve);
    });
    expect(read).toBe(3_000_000);
    // One delivery (64 KiB super-segment) beyond the high-water mark of 16 KiB.
    expect(most).toBeLessThanOrEqual(16_384 + 65_536);
  });

  it('a Buffer may be overwritten in its write callback', async () => {
    const host = await made();
    const { client, peer } = await connected(host);
    let bad = 0;
    let read = 0;
    peer.on('data', (d) => {
      for (const octet of d as Buffer) if (octet !== ((read++ >> 16) & 0x7f)) bad++;
    });
    const buffer = Buffer.alloc(65_536);
    for (let i = 0; i < 200; i++) {
      buffer.fill(i & 0x7f);
      await new Promise((resolve) => client.write(buffer, resolve));
      buffer.fill(0xff);
    }
    client.end();
    await once(peer, 'end');
    expect([read, bad]).toEqual([200 * 65_536, 0]);
  });
});

describe('small writes', () => {
  it('of one turn leave in one segment, also from nextTick and microtasks', async () => {
    const host = await made();
    const { client, peer } = await connected(host);
    const got: string[] = [];
    peer.on('data', (d) => got.push(d.toString()));
    const before = host.stack.counters.get('TcpExtTCPOrigDataSent');
    client.write('a');
    process.nextTick(() => client.write('c'));
    queueMicrotask(() => client.write('d'));
    Promise.resolve().then(() => client.write('e'));
    client.write('b');
    await once(peer, 'data');
    expect(got.map((text) => [...text].sort().join(''))).toEqual(['abcde']);
    expect(host.stack.counters.get('TcpExtTCPOrigDataSent') - before).toBe(1);
  });

  it('an answer written in the data handler leaves in the same turn', async () => {
    const host = await made();
    const { client, peer } = await connected(host, { noDelay: true });
    peer.on('data', (d) => peer.write(d));
    let immediates = 0;
    client.write('ping');
    const count = (): void => {
      immediates++;
      if (immediates < 50) setImmediate(count);
    };
    setImmediate(count);
    await once(client, 'data');
    expect(immediates).toBeLessThanOrEqual(3);
  });
});

describe('a host on a cable', () => {
  it('talks TCP and UDP to another host', async () => {
    const [a, b] = await cabled();
    const server = b.net.createServer((s) => s.pipe(s));
    const port = await listening(server, '10.0.0.2');
    const client = a.net.connect(port, '10.0.0.2');
    const data = randomBytes(2_000_000);
    const parts: Buffer[] = [];
    client.on('data', (d) => parts.push(d as Buffer));
    client.end(data);
    await once(client, 'close');
    expect(sha256(Buffer.concat(parts))).toBe(sha256(data));
    const u = b.dgram.createSocket('udp4');
    u.on('message', (m, from) => u.send(m, from.port, from.address));
    u.bind(0, '10.0.0.2');
    await once(u, 'listening');
    const v = a.dgram.createSocket('udp4');
    const answer = once(v, 'message');
    v.send('hello', u.address().port, '10.0.0.2');
    const [message, from] = (await answer) as [Buffer, kernelDgram.RemoteInfo];
    expect(message.toString()).toBe('hello');
    expect(from).toEqual({ address: '10.0.0.2', family: 'IPv4', port: u.address().port, size: 5 });
    u.close();
    v.close();
  });

  it('has no route to anywhere else on loopback alone', async () => {
    const host = await made();
    const c = host.net.connect(80, '192.0.2.1');
    const [error] = (await once(c, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ENETUNREACH');
    expect(error.message).toBe('connect ENETUNREACH 192.0.2.1:80 - Local (0.0.0.0:0)');
  });

  it('asks no resolver of the machine for other names', async () => {
    const host = await made();
    const c = host.net.connect(80, 'example.org');
    const [error] = (await once(c, 'error')) as [NodeJS.ErrnoException];
    expect(error.message).toBe('getaddrinfo ENOTFOUND example.org');
  });
});

describe('classes', () => {
  it("are node:net's and node:dgram's by instanceof", async () => {
    const host = await made();
    expect(new host.net.Socket()).toBeInstanceOf(kernelNet.Socket);
    expect(host.net.createServer()).toBeInstanceOf(kernelNet.Server);
    const u = host.dgram.createSocket('udp4');
    expect(u).toBeInstanceOf(kernelDgram.Socket);
    u.close();
    class Mine extends host.net.Socket {
      extra = 1;
    }
    const mine = new Mine();
    expect(mine).toBeInstanceOf(host.net.Socket);
    expect(mine.extra).toBe(1);
    function Old(this: net.Socket): void {
      Reflect.apply(host.net.Socket as unknown as () => void, this, []);
    }
    Old.prototype = Object.create(host.net.Socket.prototype);
    const old = new (Old as unknown as new () => net.Socket)();
    expect(old.setNoDelay(true)).toBe(old);
    expect(old.bytesRead).toBe(0);
  });

  it('two hosts have ports of their own', async () => {
    const [a, b] = [await made(), await made()];
    const one = a.net.createServer();
    const two = b.net.createServer();
    const port = await listening(one);
    two.listen(port, '127.0.0.1');
    await once(two, 'listening');
    const c = b.net.connect(port, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(two, 'connection'), once(c, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    expect(peer.remotePort).toBe(c.localPort);
  });

  it('refuse paths and descriptors', async () => {
    const host = await made();
    const server = host.net.createServer();
    server.listen('/tmp/portside.sock');
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ERR_PORTSIDE_NOT_SUPPORTED');
    const c = host.net.connect('/tmp/portside.sock');
    expect(((await once(c, 'error')) as [NodeJS.ErrnoException])[0].code).toBe('EAFNOSUPPORT');
    expect(() => new host.net.Socket({ fd: 1 })).toThrow(/options.fd/);
  });
});
