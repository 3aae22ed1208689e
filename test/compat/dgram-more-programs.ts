// More programs for node:dgram: life of a socket, sending, errors, buffers, sharing a port.

import type * as dgram from 'node:dgram';
import { attempt, bound, connected, emptyPort, sent, shut } from './dgram-kit.ts';
import { once, type Program, settled } from './transcript.ts';

const LO = '127.0.0.1';

export const moreDgramPrograms: Record<string, Program> = {
  'every form of bind': async ({ dgram }, t) => {
    const forms: ((s: dgram.Socket) => unknown)[] = [
      (s) => s.bind(),
      (s) => s.bind(() => t.log('callback')),
      (s) => s.bind(0),
      (s) => s.bind(0, () => t.log('callback')),
      (s) => s.bind(0, LO, () => t.log('callback')),
      (s) => s.bind({ port: 0, address: LO }, () => t.log('callback')),
      (s) => s.bind({ address: LO }),
      (s) => s.bind({ port: 0, exclusive: true }),
      (s) => s.bind(undefined as unknown as number, LO),
      (s) => s.bind('0' as unknown as number, LO),
    ];
    for (const form of forms) {
      const s = dgram.createSocket('udp4');
      const ready = once(s, 'listening');
      t.log(form(s) === s);
      await ready;
      t.log(s.address().address, s.address().family);
      await shut(s);
    }
  },

  'binding to what is not ours, and to a name': async ({ dgram }, t) => {
    for (const address of ['192.0.2.77', 'localhost', '::1', 'no such name.invalid']) {
      const s = dgram.createSocket('udp4');
      s.on('error', (error: NodeJS.ErrnoException) => t.log('error', error.code, error.syscall));
      s.on('listening', () => t.log('listening', s.address().address));
      s.bind(0, address);
      await Promise.race([once(s, 'error'), once(s, 'listening')]);
      await shut(s);
    }
  },

  'closing in every state': async ({ dgram }, t) => {
    const a = dgram.createSocket('udp4');
    t.watch('a', a, 'close listening error');
    t.log(a.close(() => t.log('a: callback')) === a);
    await once(a, 'close');
    attempt(t, 'twice', () => a.close());
    attempt(t, 'bind', () => a.bind(0));
    attempt(t, 'connect', () => a.connect(1));
    attempt(t, 'send', () => a.send('x', 1));
    attempt(t, 'address', () => a.address());
    const b = dgram.createSocket('udp4');
    t.watch('b', b, 'close listening error');
    b.bind(0, LO);
    b.close();
    await once(b, 'close');
    const c = dgram.createSocket('udp4');
    t.watch('c', c, 'close connect error');
    c.connect(9, LO);
    c.close();
    await once(c, 'close');
    await settled();
  },

  'close drops what waits to be sent': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    t.watch('s', s, 'close listening error');
    s.send('early', 9, LO, (e, n) => t.log('sent', e, n));
    s.close();
    await once(s, 'close');
    await settled();
  },

  'connect: every form, its callback, and errors as events': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    const a = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => {
      a.connect(port, LO, () => {
        t.log('callback', a.remoteAddress());
        resolve();
      });
    });
    await shut(a);
    const b = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => {
      b.connect(port, () => resolve());
    });
    t.log(b.remoteAddress());
    await shut(b);
    const c = dgram.createSocket('udp4');
    for (const bad of [0, -1, 65_536, 'x', undefined]) {
      attempt(t, `port ${bad}`, () => c.connect(bad as number));
    }
    attempt(t, 'address', () => c.connect(port, 5 as unknown as string));
    await shut(c, server);
  },

  'connect again while connecting and while connected': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    s.connect(9, LO);
    attempt(t, 'connecting', () => s.connect(9, LO));
    attempt(t, 'remoteAddress', () => s.remoteAddress());
    attempt(t, 'disconnect', () => s.disconnect());
    await once(s, 'connect');
    attempt(t, 'connected', () => s.connect(9, LO));
    s.disconnect();
    attempt(t, 'disconnect', () => s.disconnect());
    await connected(s, 10, LO);
    t.log(s.remoteAddress());
    await shut(s);
  },

  'a connected socket hears its peer only, and all again after disconnect': async (
    { dgram },
    t,
  ) => {
    const [peer, stranger, s] = [1, 2, 3].map(() => dgram.createSocket('udp4')) as [
      dgram.Socket,
      dgram.Socket,
      dgram.Socket,
    ];
    const at = await bound(peer, t, 'PEER');
    await bound(stranger, t, 'STRANGER');
    // A port that was asked for: the kernel takes back one that it chose itself.
    const port = await emptyPort(dgram, t);
    s.bind(port, LO);
    await once(s, 'listening');
    t.watch('s', s, 'message');
    await connected(s, at.port, LO);
    await sent(t, stranger, 'stranger', port, LO);
    const first = once(s, 'message');
    await sent(t, peer, 'peer', port, LO);
    await first;
    s.disconnect();
    const second = once(s, 'message');
    await sent(t, stranger, 'stranger again', port, LO);
    await second;
    await shut(peer, stranger, s);
  },

  'sending on a connected socket: every form': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    const c = dgram.createSocket('udp4');
    await connected(c, port, LO);
    const forms: unknown[][] = [
      ['text'],
      [Buffer.from('buffer')],
      [Buffer.from('0123456789'), 3, 4],
      [['a', Buffer.from('b'), new Uint16Array([0x4443])]],
      [[]],
      [''],
      [new DataView(new ArrayBuffer(3))],
    ];
    for (const form of forms) {
      const got = once(server, 'message');
      await sent(t, c, ...form);
      t.log((await got)[0]);
    }
    attempt(t, 'with a port', () => c.send('x', port));
    attempt(t, 'with an address', () => c.send('x', 0, 1, port, LO));
    await shut(c, server);
  },

  'what send refuses': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const send = (...args: unknown[]): unknown => (s.send as (...a: unknown[]) => unknown)(...args);
    const rows: unknown[][] = [
      [undefined, 9],
      [5, 9],
      [{}, 9],
      [[5], 9],
      ['x'],
      ['x', 0],
      ['x', 65_536],
      ['x', -1],
      ['x', 'x'],
      ['x', 9, 5],
      ['x', 9, true],
      [Buffer.alloc(3), 4, 1, 9],
      [Buffer.alloc(3), 0, 4, 9],
      [Buffer.alloc(3), -1, 1, 9],
      [Buffer.alloc(3), 1, -1, 9],
      [Buffer.alloc(3), 1.5, 1, 9],
      ['text', 1, 2, 9],
    ];
    for (const row of rows) attempt(t, JSON.stringify(row), () => send.call(s, ...row));
    await shut(s);
  },

  'send to an address that is false means this host': async ({ dgram }, t) => {
    for (const [type, address] of [
      ['udp4', LO],
      ['udp6', '::1'],
    ] as const) {
      const s = dgram.createSocket(type);
      const { port } = await bound(s, t, 'S', address);
      for (const to of [undefined, null, '']) {
        const got = once(s, 'message');
        await sent(t, s, 'self', port, ...(to === undefined ? [] : [to]));
        t.log(...(await got));
      }
      await shut(s);
    }
  },

  'a lookup that fails is the error of its datagram': async ({ dgram }, t) => {
    type Done = (e: Error | null, address?: string) => void;
    const lookup = (name: string, _family: unknown, done: Done): void => {
      const error = Object.assign(new Error(`no ${name}`), { code: 'ENOTHERE' });
      if (name === 'nowhere') process.nextTick(done, error);
      else process.nextTick(done, null, name);
    };
    const s = dgram.createSocket({ type: 'udp4', lookup: lookup as never });
    s.on('error', (error) => t.log('event', error));
    await sent(t, s, 'x', 9, 'nowhere');
    s.send('y', 9, 'nowhere');
    await once(s, 'error');
    await shut(s);
  },

  'a custom lookup: what it is asked': async ({ dgram }, t) => {
    const asked: unknown[] = [];
    const lookup = (
      name: string,
      family: unknown,
      done: (e: null, address: string, family: number) => void,
    ): void => {
      asked.push([name, family]);
      process.nextTick(done, null, LO, 4);
    };
    const s = dgram.createSocket({ type: 'udp4', lookup: lookup as never });
    const got = once(s, 'message');
    s.bind(0, 'my.name');
    await once(s, 'listening');
    const { port } = s.address();
    t.call(port, 'S');
    await sent(t, s, 'x', port, 'other.name');
    await got;
    t.log(asked);
    await shut(s);
  },

  'callbacks of send come in order, later than the call': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'S');
    const done: Promise<void>[] = [];
    for (let i = 0; i < 5; i++) {
      done.push(
        new Promise((resolve) => {
          s.send(`${i}`, port, LO, (e, n) => {
            t.log('sent', i, e, n);
            resolve();
          });
        }),
      );
    }
    t.log('called');
    await Promise.all(done);
    await shut(s);
  },

  'datagrams keep their order and their borders': async ({ dgram }, t) => {
    const server = dgram.createSocket('udp4');
    const { port } = await bound(server, t, 'SERVER');
    const c = dgram.createSocket('udp4');
    await bound(c, t, 'CLIENT');
    const sizes = [0, 1, 2, 100, 1472, 1473, 9000, 65_507];
    const got: number[] = [];
    const all = new Promise<void>((resolve) => {
      server.on('message', (m, from) => {
        got.push(m.length, from.size);
        if (got.length === 2 * sizes.length) resolve();
      });
    });
    for (const n of sizes) await sent(t, c, Buffer.alloc(n, 7), port, LO);
    await all;
    t.log(got.join());
    await shut(server, c);
  },

  'EMSGSIZE: by callback, silently, and one octet less': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp4');
    const { port } = await bound(s, t, 'S');
    await sent(t, s, Buffer.alloc(65_508), port, LO);
    s.on('error', (error) => t.log('event', error));
    s.send(Buffer.alloc(70_000), port, LO);
    await settled();
    await connected(s, port, LO);
    await sent(t, s, Buffer.alloc(65_508));
    await sent(t, s, Buffer.alloc(65_507));
    await shut(s);
  },

  'EMSGSIZE on IPv6': async ({ dgram }, t) => {
    const s = dgram.createSocket('udp6');
    const { port } = await bound(s, t, 'S', '::1');
    await sent(t, s, Buffer.alloc(65_528), port, '::1');
    const got = once(s, 'message');
    await sent(t, s, Buffer.alloc(60_000), port, '::1');
    t.log(((await got)[0] as Buffer).length);
    await shut(s);
  },

  'ECONNREFUSED without an error listener waits for the next send': async ({ dgram }, t) => {
    const port = await emptyPort(dgram, t);
    const c = dgram.createSocket('udp4');
    t.watch('c', c, 'error');
    await connected(c, port, LO);
    const refused = once(c, 'error');
    await sent(t, c, 'anyone?');
    await refused;
    const again = once(c, 'error');
    await sent(t, c, 'still nobody?');
    await again;
    await shut(c);
  },

  'a socket without a peer does not hear that nobody is there': async ({ dgram }, t) => {
    const port = await emptyPort(dgram, t);
    const s = dgram.createSocket('udp4');
    t.watch('s', s, 'error');
    await bound(s, t, 'S');
    await sent(t, s, 'anyone?', port, LO);
    await settled();
    await sent(t, s, 'anyone?', port, LO);
    await shut(s);
  },

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
    for (const bad of [-1, 1.5, Infinity, 'x', undefined, 2 ** 32]) {
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
