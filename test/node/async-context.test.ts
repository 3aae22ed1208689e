// AsyncLocalStorage: each kind of callback runs in the context in which its socket was made, its
// server listened or its write was asked for.

import { AsyncLocalStorage } from 'node:async_hooks';
import type * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';

type Net = Host['net'];

/** A program in the context; it calls `heard` from the callback in question. */
type Program = (net: Net, heard: () => void, port: number) => net.Socket | net.Server;

const storage = new AsyncLocalStorage<string>();

const connecting =
  (event: string, how: object = {}): Program =>
  (net, heard, port) => {
    const c = net.connect({ port, host: '127.0.0.1', ...how } as net.NetConnectOpts);
    c.on('error', () => {}).resume();
    if (event !== 'close' && event !== 'end') c.once(event, () => c.end());
    return c.once(event, heard);
  };

const rows: [kind: string, program: Program][] = [
  ['lookup', connecting('lookup', { host: 'localhost' })],
  ['connectionAttempt', connecting('connectionAttempt')],
  ['connect', connecting('connect')],
  ['ready', connecting('ready')],
  ['data', connecting('data')],
  ['end', connecting('end')],
  ['finish', connecting('finish')],
  ['close', connecting('close')],
  [
    'timeout',
    (net, heard) => {
      // Of a server that says nothing: an answer might end the connection first.
      const c = net.connect({ port: silentPort, host: '127.0.0.1', timeout: 1 });
      return c.once('timeout', () => {
        heard();
        c.destroy();
      });
    },
  ],
  ['error', connecting('error', { port: 1 })],
  [
    'the callback of connect',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1', () => {
        heard();
        c.destroy();
      });
      return c;
    },
  ],
  [
    'readable',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1');
      return c.once('readable', () => {
        heard();
        c.destroy();
      });
    },
  ],
  [
    'drain',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1');
      c.write(Buffer.alloc(1 << 20));
      return c.once('drain', () => {
        heard();
        c.destroy();
      });
    },
  ],
  [
    'the callback of write',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1');
      c.write('x', () => {
        heard();
        c.destroy();
      });
      return c;
    },
  ],
  [
    'the callback of a write that waited for room',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1');
      c.write(Buffer.alloc(8 << 20), () => {
        heard();
        c.destroy();
      });
      return c;
    },
  ],
  [
    'the callback of end',
    (net, heard, port) => {
      const c = net.connect(port, '127.0.0.1').resume();
      return c.end('x', heard);
    },
  ],
  [
    'onread',
    (net, heard, port) => {
      const onread = {
        buffer: Buffer.alloc(10),
        callback: () => {
          heard();
          c.end();
          return true;
        },
      };
      const c = net.connect({ port, host: '127.0.0.1', onread });
      return c;
    },
  ],
];

const serverRows: [kind: string, program: Program][] = [
  ['listening', (net, heard) => net.createServer().listen(0, '127.0.0.1', heard)],
  ['listening by name', (net, heard) => net.createServer().listen(0, 'localhost', heard)],
  ['error', (net, heard, port) => net.createServer().listen(port, '127.0.0.1').on('error', heard)],
  [
    'close',
    (net, heard) => {
      const server = net.createServer().on('close', heard);
      return server.listen(0, () => server.close());
    },
  ],
  [
    'connection',
    (net, heard) =>
      served(
        net,
        net.createServer((s) => void s.end()),
        heard,
      ),
  ],
  [
    'drop',
    (net, heard) => {
      const server = net.createServer((s) => s.resume());
      server.maxConnections = 1;
      return served(net, server, heard, 'drop');
    },
  ],
];

/** Clients from outside of any context. */
function served(net: Net, server: net.Server, heard: () => void, event = 'connection'): net.Server {
  server.once(event, heard);
  return server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as net.AddressInfo;
    storage.exit(() => {
      for (let i = 0; i < 2; i++)
        net
          .connect(port, '127.0.0.1')
          .on('error', () => {})
          .resume();
    });
  });
}

let host: Host;
let port: number;
let silentPort: number;

beforeAll(async () => {
  host = await createHost();
  const server = host.net.createServer((s) => {
    s.on('error', () => {});
    s.resume().end('answer');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as net.AddressInfo).port;
  const silent = host.net.createServer((s) => s.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  silentPort = (silent.address() as net.AddressInfo).port;
});

afterAll(async () => {
  await host.close({ deadlineMs: 50 });
});

/** The store that the callback saw. */
function seenBy(program: Program): Promise<string | undefined> {
  return new Promise((resolve) => {
    storage.run('mine', () => program(host.net, () => resolve(storage.getStore()), port));
  });
}

describe('AsyncLocalStorage survives, on a socket', () => {
  test.each(rows)('%s', async (_kind, program) => {
    expect(await seenBy(program)).toBe('mine');
  });
});

describe('AsyncLocalStorage survives, on a server', () => {
  test.each(serverRows)('%s', async (_kind, program) => {
    expect(await seenBy(program)).toBe('mine');
  });
});
