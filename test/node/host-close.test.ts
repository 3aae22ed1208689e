// The end of a host: in order, at the deadline, and when its device is lost.

import type * as net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import { Cable } from '../../src/link/pair.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';
import type { DeviceLink, DeviceSink } from '../../src/node/tun.ts';

const hosts: Host[] = [];

async function made(options: HostOptions = {}): Promise<Host> {
  const host = await createHost(options);
  hosts.push(host);
  return host;
}

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close({ deadlineMs: 50 });
});

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function listening(server: net.Server, address = '127.0.0.1'): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

async function cabled(): Promise<[Host, Host]> {
  const cable = new Cable({ mtu: 1500 });
  const a = await made({ link: cable.end('a'), addresses: ['10.0.0.1/24'] });
  const b = await made({ link: cable.end('b'), addresses: ['10.0.0.2/24'] });
  return [a, b];
}

/** A device that swallows everything and can be unplugged. */
class FakeDevice implements DeviceLink {
  readonly name = 'fake0';
  mtu = 1500;
  readonly caps = 0;
  readonly loopback = false;
  readonly meta = new Int32Array(8 * 64);
  readonly device = { name: 'fake0', index: 1, mtu: 1500, netns: '', offloads: [], created: true };
  sink: DeviceSink | null = null;
  refs: string[] = [];
  closed = 0;
  sent = 0;

  start(_slab: Slab, _rxBase: number, _rxSize: number, sink: DeviceSink): void {
    this.sink = sink;
  }
  transmit(_tx: Tx): boolean {
    this.sent++;
    return true;
  }
  flush(): void {}
  ref(): void {
    this.refs.push('ref');
  }
  unref(): void {
    this.refs.push('unref');
  }
  close(): void {
    this.closed++;
  }
}

describe('host.close', () => {
  it('ends connections with FIN after what was written, and is idempotent', async () => {
    const [a, b] = await cabled();
    const server = b.net.createServer();
    const port = await listening(server, '10.0.0.2');
    const client = a.net.connect(port, '10.0.0.2');
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    let text = '';
    peer.on('data', (d) => {
      text += d;
    });
    let failure: unknown = null;
    peer.on('error', (e) => {
      failure = e;
    });
    const ended = once(peer, 'close');
    client.on('data', () => {});
    client.write('the last words');
    const first = a.close();
    expect(a.close()).toBe(first);
    await first;
    await ended;
    expect(text).toBe('the last words');
    expect(failure).toBe(null);
    expect(client.destroyed).toBe(true);
    await a.close();
  });

  it('resets at the deadline what does not end', async () => {
    const [a, b] = await cabled();
    const server = b.net.createServer({ allowHalfOpen: true });
    const port = await listening(server, '10.0.0.2');
    const client = a.net.connect({ port, host: '10.0.0.2', allowHalfOpen: true });
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    peer.resume();
    const start = performance.now();
    await a.close({ deadlineMs: 60 });
    expect(performance.now() - start).toBeGreaterThan(50);
    // The peer has read the end: as with the kernel, the first write after the reset tells it so.
    // One that left before the reset came hears nothing: hence more than one, a turn apart.
    let reset: NodeJS.ErrnoException | undefined;
    peer.once('error', (error) => {
      reset = error;
    });
    for (let i = 0; i < 10_000 && reset === undefined; i++) {
      peer.write('anyone?');
      await new Promise(setImmediate);
    }
    expect(reset?.message).toBe('write EPIPE');
    expect(client.destroyed).toBe(true);
  });

  it('stops servers and refuses what waits and what comes later', async () => {
    const device = new FakeDevice();
    const host = await made({ link: device, addresses: ['10.0.0.1/24'] });
    const server = host.net.createServer();
    await listening(server);
    const u = host.dgram.createSocket('udp4').bind(0);
    await once(u, 'listening');
    const waiting = host.net.connect(80, '10.0.0.9');
    const refused = once(waiting, 'error');
    const closed = Promise.all([once(server, 'close'), once(u, 'close'), once(host, 'close')]);
    await host.close();
    const [error] = (await refused) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ERR_PORTSIDE_HOST_CLOSED');
    await closed;
    expect(device.closed).toBe(1);
    const late = host.net.connect(80, '127.0.0.1');
    expect(((await once(late, 'error')) as [NodeJS.ErrnoException])[0].code).toBe(
      'ERR_PORTSIDE_HOST_CLOSED',
    );
    const another = host.net.createServer().listen(0);
    expect(((await once(another, 'error')) as [NodeJS.ErrnoException])[0].code).toBe(
      'ERR_PORTSIDE_HOST_CLOSED',
    );
    expect(() => host.dgram.createSocket('udp4')).toThrow('The host has been closed');
  });

  it('by `await using`', async () => {
    const host = await made();
    await host[Symbol.asyncDispose]();
    expect(host.closed).toBe(true);
  });
});

describe('loss of the device', () => {
  it('gives ENETDOWN to every socket and an error to the host', async () => {
    const device = new FakeDevice();
    const host = await made({ link: device, addresses: ['10.0.0.1/24'] });
    const server = host.net.createServer();
    const port = await listening(server);
    const client = host.net.connect(port, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    const waiting = host.net.connect(80, '10.0.0.9');
    const u = host.dgram.createSocket('udp4').bind(0);
    await once(u, 'listening');
    await new Promise((resolve) => setImmediate(resolve));
    const codes = Promise.all(
      [client, peer, waiting, u].map(async (s) => {
        const [error] = (await once(s, 'error')) as [NodeJS.ErrnoException];
        return error.code;
      }),
    );
    const hostError = once(host, 'error');
    device.sink?.failed(device, -77);
    expect(await codes).toEqual(['ENETDOWN', 'ENETDOWN', 'ENETDOWN', 'ENETDOWN']);
    const [error] = (await hostError) as [NodeJS.ErrnoException];
    expect(error.errno).toBe(-77);
    expect(error.message).toContain('fake0');
    expect(server.listening).toBe(false);
    expect(device.closed).toBe(1);
    await host.close();
  });
});

describe('the event loop', () => {
  it('is held by sockets that are ref, not by the host', async () => {
    const device = new FakeDevice();
    const host = await made({ link: device, addresses: ['10.0.0.1/24'] });
    const last = (): string => device.refs[device.refs.length - 1] as string;
    expect(last()).toBe('unref');
    const server = host.net.createServer();
    await listening(server);
    expect(last()).toBe('ref');
    server.unref();
    expect(last()).toBe('unref');
    server.ref();
    expect(last()).toBe('ref');
    host.unref();
    expect(last()).toBe('unref');
    host.ref();
    expect(last()).toBe('ref');
    server.close();
    expect(last()).toBe('ref');
    host.unref();
    expect(last()).toBe('unref');
  });
});
