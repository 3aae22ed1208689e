// Programs for sending with node:dgram: lookups, order, sizes, errors of the network.

import dns from 'node:dns';
import { bound, connected, emptyPort, sent, shut } from './dgram-kit.ts';
import { once, type Program, settled } from './transcript.ts';

const LO = '127.0.0.1';

export const dgramSendPrograms: Record<string, Program> = {
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

  'a dns.lookup that the program has replaced is asked': async ({ dgram }, t) => {
    const usual = dns.lookup;
    const asked: unknown[] = [];
    type Done = (error: null, address: string, family: number) => void;
    const own = (name: string, family: unknown, done: Done): void => {
      asked.push([name, family]);
      process.nextTick(done, null, LO, 4);
    };
    dns.lookup = own as unknown as typeof dns.lookup;
    try {
      const s = dgram.createSocket('udp4');
      const { port } = await bound(s, t, 'S', 'here');
      const got = once(s, 'message');
      await sent(t, s, 'x', port, 'there');
      t.log((await got)[0], asked);
      await shut(s);
    } finally {
      dns.lookup = usual;
    }
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
};
