// What connections leave behind: nothing. Heap and buffers after a collection, over many short
// connections and over much through one; timers, listeners and sockets after `host.close()`.

import type * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { held, listenersOf, more } from '../kit/held.ts';

let host: Host;
let port: number;

beforeAll(async () => {
  host = await createHost();
  const server = host.net.createServer((s) => s.pipe(s));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as net.AddressInfo).port;
});

afterAll(async () => {
  await host.close({ deadlineMs: 50 });
});

const once = (emitter: NodeJS.EventEmitter, event: string): Promise<unknown> =>
  new Promise((resolve) => {
    emitter.once(event, resolve);
  });

async function connections(count: number): Promise<void> {
  for (let i = 0; i < count; i += 10) {
    const closed = Array.from({ length: 10 }, () => {
      const c = host.net.connect(port, '127.0.0.1');
      c.end('hello').resume();
      return once(c, 'close');
    });
    await Promise.all(closed);
  }
}

describe('memory', () => {
  // A net.Socket that stays would be 6,000 and more; TIME-WAIT's records and warm code are less.
  test('is flat over short connections: 1,000 more leave under 2,000 octets each', async () => {
    await connections(500);
    const before = await held();
    await connections(1000);
    expect((await held()) - before).toBeLessThan(1000 * 2000);
  }, 60_000);

  test('is flat over one connection: 256 MB more leave under 4 MB', async () => {
    const c = host.net.connect(port, '127.0.0.1');
    const chunk = Buffer.alloc(1 << 20, 'x');
    let back = 0;
    c.on('data', (d) => {
      back += d.length;
    });
    const through = async (megabytes: number): Promise<void> => {
      const target = back + megabytes * chunk.length;
      for (let i = 0; i < megabytes; i++) {
        if (!c.write(chunk)) await once(c, 'drain');
      }
      while (back < target) await once(c, 'data');
    };
    await through(32);
    const before = await held();
    await through(256);
    expect((await held()) - before).toBeLessThan(4 << 20);
    expect(c.bytesRead).toBe(288 << 20);
    c.destroy();
    await once(c, 'close');
  }, 120_000);
});

describe('after host.close()', () => {
  test('no timer, no listener of the process and no socket is left', async () => {
    const listeners = (): string => listenersOf(process);
    const resources = (): string[] => process.getActiveResourcesInfo();
    const [listenersBefore, resourcesBefore] = [listeners(), resources()];
    const own = await createHost();
    const server = own.net.createServer((s) => s.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = (server.address() as net.AddressInfo).port;
    const clients = Array.from({ length: 20 }, () => own.net.connect(at, '127.0.0.1'));
    await Promise.all(clients.map((c) => once(c, 'connect')));
    for (const c of clients) {
      c.setTimeout(100_000);
      c.setKeepAlive(true, 1000);
      c.write('x');
    }
    const datagrams = own.dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(datagrams, 'listening');
    clients[0]?.pause();
    await own.close({ deadlineMs: 20 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(clients.every((c) => c.destroyed)).toBe(true);
    expect([server.listening, listeners()]).toEqual([false, listenersBefore]);
    expect(more(resourcesBefore, resources())).toEqual([]);
    // What stands in TIME-WAIT holds nothing of the process: nobody drives the stack any more.
    const open = own.stack.sockets().filter((row) => row.state !== 'TIME-WAIT');
    expect(open).toEqual([]);
  });
});
