// `register()` inside this process: what goes where, what is put back, what it is told.

import * as dgram from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultHost } from '../../src/node/default-host.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import { KernelRoutes } from '../../src/node/kernel-routes.ts';
import { register, registeredHost, registerNow, unregister } from '../../src/node/register.ts';
import { checkConfig, hostOptions, readConfig } from '../../src/node/register-config.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

const kernel = {
  listen: net.Server.prototype.listen,
  connect: net.Socket.prototype.connect,
  tlsConnect: tls.connect,
  bind: dgram.Socket.prototype.bind,
  send: dgram.Socket.prototype.send,
};

function inPlace(): boolean[] {
  return [
    net.Server.prototype.listen === kernel.listen,
    net.Socket.prototype.connect === kernel.connect,
    tls.connect === kernel.tlsConnect,
    dgram.Socket.prototype.bind === kernel.bind,
    dgram.Socket.prototype.send === kernel.send,
    !Object.hasOwn(tls.TLSSocket.prototype, '_getpeername'),
  ];
}

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function listening(server: net.Server, ...args: unknown[]): Promise<number> {
  server.listen(...(args as []));
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

async function talk(socket: net.Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (d) => {
    text += d;
  });
  await once(socket, 'close');
  return text;
}

/** Sockets of the host in any state but TIME-WAIT. */
function alive(host: Host): number {
  return host.stack.sockets().filter((s) => s.state !== 'TIME-WAIT').length;
}

afterEach(async () => {
  await unregister();
  expect(inPlace()).toEqual([true, true, true, true, true, true]);
});

describe('a registered process', () => {
  it('has the servers and sockets of node:net on the host, whoever made them', async () => {
    const before = new net.Server((s) => s.end(`hello ${s.remoteAddress}`));
    const host = await register();
    expect(registeredHost()).toBe(host);
    expect(await register()).toBe(host);
    expect(defaultHost()).toBe(host);
    expect(inPlace()).toEqual([false, false, false, false, false, false]);
    const port = await listening(before, 0, '127.0.0.1');
    expect(host.stack.sockets('LISTEN').map((s) => s.localPort)).toEqual([port]);
    const socket = net.connect(port, '127.0.0.1');
    expect(socket).toBeInstanceOf(net.Socket);
    expect(await talk(socket)).toBe('hello 127.0.0.1');
    before.close();
    await once(before, 'close');
  });

  it('takes the options of the constructor along: onread, noDelay, unref before connect', async () => {
    const host = await register();
    const server = net.createServer((s) => s.end('0123456789'));
    const port = await listening(server, 0, 'localhost');
    const parts: string[] = [];
    const onread = {
      buffer: Buffer.alloc(4),
      callback: (n: number, b: Uint8Array) => {
        parts.push(Buffer.from(b.subarray(0, n)).toString());
        return true;
      },
    };
    const socket = new net.Socket({ onread, noDelay: true } as net.SocketConstructorOpts);
    socket.unref();
    socket.ref();
    socket.connect(port, 'localhost');
    await once(socket, 'close');
    expect(parts.join('')).toBe('0123456789');
    expect(socket.listenerCount('connect')).toBe(0);
    server.close();
    await once(server, 'close');
    // the last acknowledgment goes over the loopback in a turn of its own
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(alive(host)).toBe(0);
  });

  it("keeps a program's own class of socket, its methods and instanceof", async () => {
    await register();
    const server = net.createServer((s) => s.pipe(s));
    const port = await listening(server, 0, '127.0.0.1');
    class Shouting extends net.Socket {
      written = 0;
      override write(...args: unknown[]): boolean {
        this.written++;
        return super.write(...(args as [string]));
      }
      say(text: string): void {
        this.write(text.toUpperCase());
        this.end();
      }
    }
    const socket = new Shouting();
    socket.connect(port, '127.0.0.1', () => socket.say('hello'));
    expect(await talk(socket)).toBe('HELLO');
    expect(socket).toBeInstanceOf(Shouting);
    expect(socket.bytesWritten).toBe(5);
    server.close();
    await once(server, 'close');
  });

  it('a tls.connect whose signal was aborted before ends with that, and no attempt stays', async () => {
    const host = await register();
    const port = await listening(net.createServer(), 0, '127.0.0.1');
    const thrown: unknown[] = [];
    const note = (error: unknown): void => void thrown.push(error);
    process.once('uncaughtException', note);
    const signal = AbortSignal.abort();
    const client = tls.connect({ port, host: '127.0.0.1', signal } as tls.ConnectionOptions);
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ABORT_ERR');
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    process.off('uncaughtException', note);
    expect(thrown).toEqual([]);
    const open = host.stack.sockets().filter((s) => s.netid === 'tcp' && s.state !== 'LISTEN');
    expect(open.map((s) => s.state).filter((s) => s !== 'TIME-WAIT')).toEqual([]);
  });

  it('serves http and fetch, keep-alive and global agent included', async () => {
    const host = await register();
    const server = http.createServer((req, res) => res.end(`${req.url} ${req.socket.remotePort}`));
    const port = await listening(server, 0, '127.0.0.1');
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`).then((r) => r.text());
    expect((await get('/fetched')).split(' ')[0]).toBe('/fetched');
    const [response] = (await once(http.get({ port, path: '/got' }), 'response')) as [
      http.IncomingMessage,
    ];
    response.setEncoding('utf8');
    expect(String(await once(response, 'data')).split(' ')[0]).toBe('/got');
    expect(alive(host)).toBeGreaterThan(2);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it('serves https, where both ends see the addresses of what lies beneath', async () => {
    const host = await register();
    const options = { key: KEY, cert: CERT };
    const server = https.createServer(options, (req, res) => res.end(req.socket.remoteAddress));
    const port = await listening(server, 0, '127.0.0.1');
    const request = https.get({ port, host: '127.0.0.1', ca: CERT, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.socket.remotePort).toBe(port);
    expect(String(await once(response, 'data'))).toBe('127.0.0.1');
    expect(host.stack.sockets('LISTEN')).toHaveLength(1);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it('reports what the host says: ECONNREFUSED, EADDRINUSE', async () => {
    await register();
    const [refused] = await once(net.connect(9, '127.0.0.1'), 'error');
    expect(refused).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', port: 9 });
    const [alsoRefused] = await once(tls.connect(9, '127.0.0.1'), 'error');
    expect(alsoRefused).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', port: 9 });
    const first = net.createServer();
    const port = await listening(first, 0, '127.0.0.1');
    const second = net.createServer().listen(port, '127.0.0.1');
    expect((await once(second, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE', port });
    first.close();
    await once(first, 'close');
  });

  it('sends datagrams over the host, with a callback and a reply', async () => {
    const host = await register();
    const server = dgram.createSocket('udp4');
    server.on('message', (m, from) => server.send(`re: ${m}`, from.port, from.address));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const client = dgram.createSocket('udp4');
    client.send('hello', server.address().port, 'localhost');
    const [reply] = await once(client, 'message');
    expect(String(reply)).toBe('re: hello');
    expect(host.stack.sockets().filter((s) => s.netid === 'udp')).toHaveLength(2);
    server.close();
    client.close();
  });

  it('leaves to the kernel what the configuration names: servers, literals, names, datagrams', async () => {
    const local = net.createServer((s) => s.end('kernel'));
    const port = await listening(local, 0, '127.0.0.1');
    const host = await register({ kernel: [`127.0.0.1:${port}`, '127.0.0.9/32'] });
    expect(await talk(net.connect(port, '127.0.0.1'))).toBe('kernel');
    const family = { host: 'localhost', family: 4 };
    expect(await talk(net.connect({ port, ...family }))).toBe('kernel');
    const [error] = await once(net.connect({ port: 9, ...family }), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1' });
    const server = net.createServer();
    await listening(server, 0, '127.0.0.9');
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.9');
    await once(socket, 'listening');
    expect(host.stack.sockets()).toEqual([]);
    socket.close();
    server.close();
    await once(server, 'close');
    await listening(server, 0, '127.0.0.1');
    expect(host.stack.sockets()).toHaveLength(1);
    server.close();
    local.close();
    await once(local, 'close');
  });

  it('still listens and connects on paths, which are the kernel’s', async () => {
    await register();
    const folder = mkdtempSync(join(tmpdir(), 'portside-'));
    const server = net.createServer((s) => s.end('by path'));
    server.listen(join(folder, 'socket'));
    await once(server, 'listening');
    expect(await talk(net.connect(join(folder, 'socket')))).toBe('by path');
    server.close();
    await once(server, 'close');
    rmSync(folder, { recursive: true });
  });

  it('stands on a host of the program’s, which unregister leaves open', async () => {
    const host = await createHost();
    await register(host);
    const server = net.createServer();
    await listening(server, 0, '127.0.0.1');
    expect(host.stack.sockets()).toHaveLength(1);
    await unregister();
    expect(host.closed).toBe(false);
    await host.close();
  });

  it('refuses a device where it cannot wait for it', () => {
    expect(() => registerNow({ addresses: ['10.77.0.2/24'] })).toThrow(
      expect.objectContaining({ code: 'ERR_PORTSIDE_UNSUPPORTED' }),
    );
    expect(registeredHost()).toBe(null);
  });
});

describe('the configuration', () => {
  it('comes from the environment, which goes before portside.config.json', () => {
    const folder = mkdtempSync(join(tmpdir(), 'portside-'));
    const file = { addresses: ['10.1.0.2/24'], peer: '10.1.0.1', kernel: ['10.0.0.0/8'] };
    writeFileSync(join(folder, 'portside.config.json'), JSON.stringify(file));
    expect(readConfig({}, folder)).toEqual(file);
    const env = {
      PORTSIDE: '10.77.0.2/24, fd00::2/64',
      PORTSIDE_OWN: '10.9.0.0/16',
      PORTSIDE_TUN: 'pt7',
      PORTSIDE_NETNS: 'lab',
      PORTSIDE_DNS: '10.77.0.1 fd00::1',
      PORTSIDE_MTU: '1400',
    };
    expect(readConfig(env, folder)).toEqual({
      addresses: ['10.77.0.2/24', 'fd00::2/64'],
      own: ['10.9.0.0/16'],
      tun: 'pt7',
      netns: 'lab',
      peer: '10.1.0.1',
      dns: ['10.77.0.1', 'fd00::1'],
      kernel: ['10.0.0.0/8'],
      mtu: 1400,
    });
    expect(readConfig({ PORTSIDE: 'off' }, folder)).toBe(null);
    rmSync(folder, { recursive: true });
    expect(readConfig({}, folder)).toEqual({});
    expect(() => readConfig({ PORTSIDE_CONFIG: 'missing.json' }, tmpdir())).toThrow('ENOENT');
  });

  it('is refused with ERR_PORTSIDE_INVALID_OPTION where it is wrong', () => {
    const wrong: unknown[] = [[], 'x', { adresses: [] }, { kernel: '10.0.0.0/8' }, { tun: 1 }];
    for (const value of wrong) {
      expect(() => checkConfig(value)).toThrow(
        expect.objectContaining({ code: 'ERR_PORTSIDE_INVALID_OPTION' }),
      );
    }
  });

  it('becomes options of createHost; loopback alone without addresses and device', () => {
    expect(hostOptions({})).toEqual({ addresses: [] });
    expect(
      hostOptions({ addresses: ['10.77.0.2/24'], own: ['10.9.0.0/16'], netns: 'lab' }),
    ).toEqual({
      addresses: ['10.77.0.2/24', { prefix: '10.9.0.0/16', own: 'all' }],
      tun: { name: 'portside0', netns: 'lab' },
    });
  });

  // biome-ignore format: a table
  const table: [string, string, number, boolean][] = [
    ['10.0.0.0/8', '10.255.0.1', 80, true],
    ['10.0.0.0/8', '11.0.0.1', 80, false],
    ['10.0.0.0/8 !10.1.0.0/16', '10.1.2.3', 80, false],
    ['127.0.0.1:5432', '127.0.0.1', 5432, true],
    ['127.0.0.1:5432', '127.0.0.1', 5433, false],
    ['::1', '::1', 80, true],
    ['[::1]:53', '::1', 53, true],
    ['[::1]:53', '::1', 54, false],
    ['fd00::/8', 'fd12::1', 80, true],
    ['fd00::/8 !fd00:1::/32', 'fd00:1::2', 80, false],
    ['0.0.0.0/0', 'not an address', 80, false],
  ];
  it.each(table)('of the kernel’s routes: %s and %s port %i: %s', (list, address, port, has) => {
    expect(new KernelRoutes(list.split(' ')).has(address, port)).toBe(has);
  });

  it.each(['10.0.0.0/33', '10.0.0', '::1/129', '[::1', '10.0.0.1:70000', 'name', ''])(
    'refuses the kernel route %j',
    (entry) => {
      expect(() => new KernelRoutes([entry])).toThrow(
        expect.objectContaining({ code: 'ERR_PORTSIDE_INVALID_OPTION' }),
      );
    },
  );
});
