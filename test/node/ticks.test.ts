// Several events of one turn: what a callback leaves to the tick runs before the next event, and the
// order of both ends of a connection within one host is that of the kernel's loopback.

import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/index.ts';

let host: Host | null = null;

afterEach(async () => {
  await host?.close({ deadlineMs: 100 });
  host = null;
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('between two events of one turn', () => {
  test('ticks and promises of the first run before the second', async () => {
    host = await createHost({});
    const accepted: Socket[] = [];
    const port = await listening(host.net.createServer((socket) => accepted.push(socket)));
    const log: string[] = [];
    const hear = (name: string): Promise<void> =>
      new Promise((resolve) => {
        const socket = host?.net.connect(port, '127.0.0.1') as Socket;
        socket.on('data', () => {
          log.push(`${name} data`);
          process.nextTick(() => log.push(`${name} tick`));
          void Promise.resolve().then(() => log.push(`${name} promise`));
          setImmediate(resolve);
        });
      });
    const both = [hear('first'), hear('second')];
    while (accepted.length < 2) await new Promise(setImmediate);
    for (const socket of accepted) socket.write('x');
    await Promise.all(both);
    expect(log).toEqual([
      ...['first data', 'first tick', 'first promise'],
      ...['second data', 'second tick', 'second promise'],
    ]);
  });
});

describe('within one host', () => {
  test("a server has its 'connection' before the client its 'connect'", async () => {
    host = await createHost({});
    const log: string[] = [];
    const server = host.net.createServer((socket) => {
      log.push('connection');
      socket.end('hello');
    });
    const port = await listening(server);
    const client = host.net.connect(port, '127.0.0.1', () => {
      log.push('connect');
      server.close();
    });
    client.on('data', (chunk) => log.push(String(chunk)));
    await once(client, 'close');
    expect(log).toEqual(['connection', 'connect', 'hello']);
  });
});

describe('over loopback', () => {
  test('the event loop goes round between one exchange and the next', async () => {
    host = await createHost({});
    const server = host.net.createServer((socket) => socket.pipe(socket));
    const client = host.net.connect(await listening(server), '127.0.0.1');
    await once(client, 'connect');
    let rounds = 0;
    let isOver = false;
    const count = (): void => {
      rounds++;
      if (!isOver) setImmediate(count);
    };
    count();
    let left = 16;
    await new Promise<void>((resolve) => {
      client.on('data', () => {
        left--;
        if (left > 0) client.write('x');
        else resolve();
      });
      client.write('x');
    });
    isOver = true;
    // 16 times there and back; a drain without a bound would do it in 3.
    expect(rounds).toBeGreaterThanOrEqual(16);
  });
});

describe('a host’s socket', () => {
  test('carries an http2 session, whose socket is the connection itself', async () => {
    host = await createHost({});
    const sockets: Socket[] = [];
    const h2 = http2.createServer();
    h2.on('stream', (stream) => {
      stream.respond();
      stream.end(`from ${stream.session?.socket.remoteAddress}`);
    });
    const port = await listening(
      host.net.createServer((socket) => {
        sockets.push(socket);
        h2.emit('connection', socket);
      }),
    );
    const client = http2.connect(`http://127.0.0.1:${port}`, {
      createConnection: () => host?.net.connect(port, '127.0.0.1') as Socket,
    });
    const request = client.request();
    request.setEncoding('utf8');
    let text = '';
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    await once(request, 'end');
    client.close();
    await once(client, 'close');
    expect(text).toBe('from 127.0.0.1');
    expect(sockets).toHaveLength(1);
  });
});
