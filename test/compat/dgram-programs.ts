// Programs for node:dgram and for a host's dgram.

import type * as dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { once, type Program, settled, type Transcript } from './transcript.ts';

function attempt(t: Transcript, what: string, run: () => unknown): void {
  try {
    t.log(what, run() === undefined ? 'undefined' : 'something');
  } catch (error) {
    t.log(what, error);
  }
}

async function bound(s: dgram.Socket, t: Transcript, name: string): Promise<AddressInfo> {
  s.bind(0, '127.0.0.1');
  await once(s, 'listening');
  const address = s.address();
  t.call(address.port, name);
  return address;
}

export const dgramPrograms: Record<string, Program> = {
  'echo with every form of send': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    server.on('message', (m, from) => server.send(m, from.port, from.address));
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    const sends: unknown[][] = [
      ['text', port, '127.0.0.1'],
      [Buffer.from('buffer'), port],
      [Buffer.from('0123456789'), 2, 5, port, '127.0.0.1'],
      [[Buffer.from('a'), 'b', new Uint8Array([99])], port, '127.0.0.1'],
      [[], port, '127.0.0.1'],
      [Buffer.alloc(0), 0, 0, port, '127.0.0.1'],
    ];
    for (const args of sends) {
      const answer = once(c, 'message');
      const sent = new Promise((resolve) => {
        (c.send as (...a: unknown[]) => void)(...args, (e: unknown, n: unknown) => {
          t.log('sent', e, n);
          resolve(null);
        });
      });
      const [message, from] = await answer;
      await sent;
      t.log(message, from);
    }
    c.close();
    server.close();
    await once(server, 'close');
  },

  'implicit bind and send before bind completes': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    const c = dgram.createSocket('udp4');
    t.watch('client', c, 'listening close error');
    const got = once(server, 'message');
    c.send('early', port, 'localhost', (e, n) => t.log('sent', e, n));
    const [message] = await got;
    t.log(message);
    await settled();
    t.log(c.address().address, c.address().family);
    c.close(() => t.log('callback'));
    server.close();
    await once(server, 'close');
  },

  'connect, disconnect and their errors': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    const c = dgram.createSocket('udp4');
    attempt(t, 'remoteAddress', () => c.remoteAddress());
    attempt(t, 'disconnect', () => c.disconnect());
    c.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.log(c.remoteAddress());
    attempt(t, 'connect again', () => c.connect(port, '127.0.0.1'));
    attempt(t, 'send with port', () => c.send('x', port, '127.0.0.1'));
    const got = once(server, 'message');
    c.send('connected', (e, n) => t.log('sent', e, n));
    t.log((await got)[0]);
    c.disconnect();
    attempt(t, 'remoteAddress', () => c.remoteAddress());
    c.close();
    server.close();
    await once(server, 'close');
  },

  'a closed port is ECONNREFUSED on a connected socket': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    server.close();
    await once(server, 'close');
    const c = dgram.createSocket('udp4');
    c.connect(port, '127.0.0.1');
    await once(c, 'connect');
    const refused = once(c, 'error');
    c.send('anyone?');
    t.log((await refused)[0]);
    c.close();
    await once(c, 'close');
  },

  'EADDRINUSE and binding twice': async ({ dgram }, t) => {
    const a = dgram.createSocket('udp4');
    const { port } = await bound(a, t, 'SERVER');
    attempt(t, 'twice', () => a.bind(0));
    const b = dgram.createSocket('udp4');
    t.watch('b', b, 'error listening close');
    b.bind(port, '127.0.0.1');
    await once(b, 'error');
    b.bind(0, '192.0.2.9');
    await once(b, 'error');
    b.close();
    a.close();
    await once(a, 'close');
  },

  'bad arguments': async ({ dgram }, t) => {
    attempt(t, 'type', () => dgram.createSocket('udp5' as dgram.SocketType));
    attempt(t, 'lookup', () => dgram.createSocket({ type: 'udp4', lookup: 1 } as never));
    const s = dgram.createSocket('udp4');
    for (const args of [[], ['x'], ['x', -1], ['x', 0, '::'], [{}, 1], [[{}], 1], ['x', 1, {}]]) {
      attempt(t, JSON.stringify(args), () => (s.send as (...a: unknown[]) => void)(...args));
    }
    attempt(t, 'offset', () => s.send(Buffer.alloc(3), 2, 5, 1, '127.0.0.1'));
    attempt(t, 'ttl', () => s.setTTL('1' as unknown as number));
    attempt(t, 'broadcast', () => s.setBroadcast(true));
    attempt(t, 'address', () => s.address());
    s.close();
    attempt(t, 'closed', () => s.send('x', 1, '127.0.0.1'));
    attempt(t, 'twice', () => s.close());
    await settled();
  },

  'options of a bound socket': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'SERVER');
    for (const ttl of [0, 1, 255, 256, -1]) attempt(t, `ttl ${ttl}`, () => s.setTTL(ttl));
    attempt(t, 'broadcast', () => s.setBroadcast(true));
    attempt(t, 'multicast ttl', () => s.setMulticastTTL(256));
    attempt(t, 'multicast loop', () => s.setMulticastLoopback(true));
    attempt(t, 'no group', () => s.addMembership(''));
    attempt(t, 'not a group', () => s.addMembership('256.0.0.1'));
    attempt(t, 'bad size', () => s.setRecvBufferSize(-1));
    s.setRecvBufferSize(10_000);
    s.setSendBufferSize(8_000);
    t.log(
      s.getRecvBufferSize(),
      s.getSendBufferSize(),
      s.getSendQueueSize(),
      s.getSendQueueCount(),
    );
    t.log(s.ref() === s, s.unref() === s);
    s.close();
    await once(s, 'close');
  },

  EMSGSIZE: async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'CLIENT');
    await new Promise((resolve) => {
      s.send(Buffer.alloc(65_508), 9, '127.0.0.1', (e, n) => {
        t.log(e, n);
        resolve(null);
      });
    });
    s.close();
    await once(s, 'close');
  },

  'AbortSignal and close inside listening': async ({ dgram }, t) => {
    const stop = new AbortController();
    const a = dgram.createSocket({ type: 'udp4', signal: stop.signal });
    t.watch('a', a, 'close');
    stop.abort();
    await once(a, 'close');
    const b = dgram.createSocket('udp4');
    t.watch('b', b, 'listening close');
    b.bind(0, () => b.close());
    await once(b, 'close');
  },
};
