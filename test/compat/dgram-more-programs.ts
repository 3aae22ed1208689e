// Programs for node:dgram: binding, closing, connecting, the forms of send and what it refuses.

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
};
