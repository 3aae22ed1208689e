// Programs for node:dgram: families, ports that are shared, buffers, and the end of a socket.

import type * as dgram from 'node:dgram';
import { attempt, bound, sent, shut } from './dgram-kit.ts';
import { once, type Program, settled } from './transcript.ts';

const LO = '127.0.0.1';

export const dgramSharePrograms: Record<string, Program> = {
  'families do not mix': async ({ dgram }, t) => {
    const four = dgram.createSocket('udp4');
    await bound(four, t, 'FOUR');
    await sent(t, four, 'x', 9, '::1');
    const failed = once(four, 'error');
    four.connect(9, '::1');
    t.log(...(await failed));
    await shut(four);
  },

  'an IPv6 socket hears IPv4 unless it is ipv6Only': async ({ dgram }, t) => {
    const both = dgram.createSocket('udp6');
    const { port } = await bound(both, t, 'PORT', '::');
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    const got = once(both, 'message');
    await sent(t, c, 'four', port, LO);
    t.log(...(await got));
    await shut(both);
    const six = dgram.createSocket({ type: 'udp6', ipv6Only: true });
    six.bind(port, '::');
    await once(six, 'listening');
    const four = dgram.createSocket('udp4');
    four.bind(port, '0.0.0.0');
    await once(four, 'listening');
    const heard = once(four, 'message');
    await sent(t, c, 'four again', port, LO);
    t.log(...(await heard));
    await shut(six, four, c);
  },

  'an IPv6 socket answers an IPv4 sender at its mapped address': async ({ dgram }, t) => {
    const both = dgram.createSocket('udp6');
    const { port } = await bound(both, t, 'PORT', '::');
    both.on('message', (m, from) => both.send(m, from.port, from.address));
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    const got = once(c, 'message');
    await sent(t, c, 'ping', port, LO);
    t.log(...(await got));
    await shut(both, c);
  },

  'reuseAddr: the last one to bind hears': async ({ dgram }, t) => {
    const a = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    const { port } = await bound(a, t, 'PORT');
    const b = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    b.bind(port, LO);
    await once(b, 'listening');
    t.watch('a', a, 'message');
    t.watch('b', b, 'message');
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    for (let i = 0; i < 3; i++) {
      const got = once(b, 'message');
      await sent(t, c, `${i}`, port, LO);
      await got;
    }
    await shut(b);
    const got = once(a, 'message');
    await sent(t, c, 'left', port, LO);
    await got;
    await shut(a, c);
  },

  'reuseAddr of one is not enough': async ({ dgram }, t) => {
    const a = dgram.createSocket('udp4');
    const { port } = await bound(a, t, 'PORT');
    for (const type of ['udp4', { type: 'udp4', reuseAddr: true }] as const) {
      const b = dgram.createSocket(type as dgram.SocketOptions);
      const failed = once(b, 'error');
      b.bind(port, LO);
      t.log(...(await failed));
      await shut(b);
    }
    await shut(a);
  },

  'exclusive is for clusters and changes nothing here': async ({ dgram }, t) => {
    const a = dgram.createSocket('udp4');
    a.bind({ port: 0, address: LO, exclusive: true });
    await once(a, 'listening');
    const { port } = a.address();
    t.call(port, 'PORT');
    const b = dgram.createSocket('udp4');
    const failed = once(b, 'error');
    b.bind({ port, address: LO, exclusive: false });
    t.log(...(await failed));
    await shut(a, b);
  },

  'a specific address is heard before the wildcard': async ({ dgram }, t) => {
    const any = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    const { port } = await bound(any, t, 'PORT', '0.0.0.0');
    const one = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    one.bind(port, '127.0.0.5');
    await once(one, 'listening');
    t.watch('any', any, 'message');
    t.watch('one', one, 'message');
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    for (const [to, who] of [
      ['127.0.0.5', one],
      ['127.0.0.6', any],
    ] as const) {
      const got = once(who, 'message');
      await sent(t, c, to, port, to);
      await got;
    }
    await shut(any, one, c);
  },

  'buffer sizes: twice what was asked for, within bounds': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S');
    for (const n of [1, 1000, 1152, 2304, 5000, 100_000]) {
      s.setRecvBufferSize(n);
      s.setSendBufferSize(n);
      t.log(n, s.getRecvBufferSize(), s.getSendBufferSize());
    }
    for (const bad of [-1, 1.5, Infinity, 'x', undefined, 2 ** 31, 2 ** 32]) {
      attempt(t, `receive ${bad}`, () => s.setRecvBufferSize(bad as number));
      attempt(t, `send ${bad}`, () => s.setSendBufferSize(bad as number));
    }
    await shut(s);
  },

  'buffer sizes of a socket that is not bound': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    attempt(t, 'get', () => s.getRecvBufferSize());
    attempt(t, 'get', () => s.getSendBufferSize());
    attempt(t, 'set', () => s.setRecvBufferSize(9000));
    attempt(t, 'set', () => s.setSendBufferSize(9000));
    await shut(s);
  },

  'buffer sizes as options': async ({ dgram }, t) => {
    const s = dgram.createSocket({ type: 'udp4', recvBufferSize: 10_000, sendBufferSize: 15_000 });
    await bound(s, t, 'S');
    t.log(s.getRecvBufferSize(), s.getSendBufferSize());
    await shut(s);
    attempt(t, 'bad', () => dgram.createSocket({ type: 'udp4', recvBufferSize: 'x' } as never));
  },

  'the send queue is empty when nothing waits': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S');
    t.log(s.getSendQueueSize(), s.getSendQueueCount());
    await sent(t, s, 'x', 9, LO);
    t.log(s.getSendQueueSize(), s.getSendQueueCount());
    await shut(s);
  },

  'AbortSignal: before, after, and its type': async ({ dgram }, t) => {
    const s = dgram.createSocket({ type: 'udp4', signal: AbortSignal.abort() });
    await once(s, 'close');
    t.log('closed');
    const stop = new AbortController();
    const b = dgram.createSocket({ type: 'udp4', signal: stop.signal });
    await bound(b, t, 'B');
    stop.abort();
    await once(b, 'close');
    t.log('closed');
    attempt(t, 'type', () => dgram.createSocket({ type: 'udp4', signal: {} } as never));
  },

  'Symbol.asyncDispose closes, once': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    await bound(s, t, 'S');
    t.watch('s', s, 'close');
    const dispose = (s as unknown as Record<symbol, () => Promise<void>>)[
      (Symbol as unknown as { asyncDispose: symbol }).asyncDispose
    ];
    await dispose?.call(s);
    t.log('disposed');
    await dispose?.call(s);
    await settled();
  },

  'ref and unref in every state': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    t.log(s.ref() === s, s.unref() === s, s.ref() === s);
    await bound(s, t, 'S');
    t.log(s.unref() === s, s.ref() === s);
    await shut(s);
    t.log(s.ref() === s, s.unref() === s);
  },

  'rinfo of both families': async ({ dgram }, t) => {
    for (const [type, address] of [
      ['udp4', LO],
      ['udp6', '::1'],
    ] as const) {
      const s = dgram.createSocket(type, (m, from) => t.log(m, Object.keys(from).join(), from));
      const { port } = await bound(s, t, 'S', address);
      const got = once(s, 'message');
      await sent(t, s, 'hello', port, address);
      await got;
      await shut(s);
    }
  },

  'a message listener that throws does not stop the socket': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'S');
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const caught = new Promise<void>((resolve) => {
      process.once('uncaughtException', (error) => {
        t.log('uncaught', error.message);
        resolve();
      });
    });
    s.once('message', () => {
      throw new Error('from the listener');
    });
    await sent(t, s, 'one', port, LO);
    await caught;
    for (const listener of before) process.on('uncaughtException', listener);
    const got = once(s, 'message');
    await sent(t, s, 'two', port, LO);
    t.log((await got)[0]);
    await shut(s);
  },
};
