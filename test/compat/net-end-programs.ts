// Programs for the ends of connections and the corners of arguments that Node's own tests look into.

import type * as net from 'node:net';
import { attempt, closed, joined, listening, once, type Program, settled } from './transcript.ts';

export const endPrograms: Record<string, Program> = {
  'a write after both ends have ended: the callback hears of it, and no event': async (
    { net },
    t,
  ) => {
    const { server, client, peer } = await joined(net, t);
    peer.resume();
    t.watch('peer', peer, 'end finish error close');
    const told = new Promise<void>((resolve) => {
      client.on('end', () => {
        peer.write('late', (e) => {
          t.log('callback:', e);
          resolve();
        });
      });
    });
    client.resume();
    client.end();
    await told;
    await settled();
    await closed(server);
  },

  'callbacks of writes that went at once come before those of writes that waited': async (
    { net },
    t,
  ) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const client = net.connect(port, '127.0.0.1');
    const order: number[] = [];
    client.on('connect', () => {
      for (let i = 0; i < 2000; i++) client.write(Buffer.alloc(4096), () => order.push(i));
      client.end();
    });
    await once(client, 'close');
    t.log('called', order.length);
    t.log(
      'in order',
      order.every((n, i) => n === i),
    );
    await closed(server);
  },

  'the finish of an end comes before the end of the other side': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    const order: string[] = [];
    peer.on('finish', () => order.push('peer finished'));
    client.on('end', () => order.push('client ended'));
    client.resume();
    peer.resume();
    client.end();
    await once(client, 'close');
    t.log(order);
    await closed(server);
  },

  'hints of connect': async ({ net }, t) => {
    for (const hints of [1, 98, '32', true, 64]) {
      attempt(t, String(hints), () => {
        net.connect({ port: 1, host: 'localhost', hints } as net.NetConnectOpts);
      });
    }
  },

  'an array is no pair of arguments that were read': async ({ net }, t) => {
    const s = new net.Socket();
    const connect = s.connect as (...args: unknown[]) => void;
    attempt(t, 'array', () => connect.call(s, [{ port: 1 }, () => {}]));
    t.log(s.connecting, s.destroyed);
  },

  'the prototype is asked for what sockets have': async ({ net }, t) => {
    const { prototype } = net.Socket;
    for (const name of ['bytesRead', 'bytesWritten', 'pending', 'bufferSize'] as const) {
      attempt(t, name, () => t.log(name, prototype[name]));
    }
  },

  'a socket that connects again counts anew': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume().end('four'));
    const port = await listening(server, t);
    const client = net.connect(port, '127.0.0.1');
    for (let i = 0; i < 3; i++) {
      client.resume();
      client.write('ab');
      await once(client, 'close');
      t.log(client.bytesRead, client.bytesWritten);
      if (i < 2) client.connect(port, '127.0.0.1');
    }
    await closed(server);
  },
};
