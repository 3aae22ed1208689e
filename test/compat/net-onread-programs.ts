// Programs for node:net and for a host's net: `onread`.

import type * as net from 'node:net';
import { closed, listening, once, type Program } from './transcript.ts';

export const onreadPrograms: Record<string, Program> = {
  'onread: a view, pause() in the callback': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('hello world'));
    const port = await listening(server, t);
    let paused = false;
    const c = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: new Uint8Array(8),
        callback(this: net.Socket, n: number, view: Uint8Array): boolean {
          t.log(paused, n, Buffer.from(view.subarray(0, n)), this === c, view.constructor.name);
          paused = true;
          c.pause();
          setTimeout(() => {
            paused = false;
            c.resume();
          }, 5);
          return true;
        },
      },
    });
    t.watch('client', c, 'data end close');
    await once(c, 'close');
    await closed(server);
  },

  'onread: how often buffer() is asked': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('hello world'));
    const port = await listening(server, t);
    let asked = 0;
    const c = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: () => {
          asked++;
          return Buffer.alloc(2);
        },
        callback: (n, view) => {
          t.log(n, Buffer.from(view.subarray(0, n)));
          return true;
        },
      },
    });
    t.watch('client', c, 'data end close');
    await once(c, 'close');
    t.log(asked, c.bytesRead);
    await closed(server);
  },

  'onread that is none is ignored': async ({ net }, t) => {
    for (const onread of [{}, { buffer: 'x', callback: () => true }, { buffer: Buffer.alloc(1) }]) {
      const server = net.createServer((s) => s.end('as data'));
      const port = await listening(server, t);
      const c = net.connect({ port, host: '127.0.0.1', onread } as unknown as net.NetConnectOpts);
      t.watch('client', c, 'data end close');
      await once(c, 'close');
      await closed(server);
    }
  },
};
