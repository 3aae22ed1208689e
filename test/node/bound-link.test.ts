// `tcp: { link }` and `createSocket({ link })`: a program's sockets on one link of the host.

import { once } from 'node:events';
import type net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';

let host: Host;

beforeEach(async () => {
  host = await createHost();
});

afterEach(() => host.close({ deadlineMs: 50 }));

async function error(emitter: NodeJS.EventEmitter): Promise<NodeJS.ErrnoException> {
  const [what] = (await once(emitter, 'error')) as [NodeJS.ErrnoException];
  return what;
}

describe('a link by its name', () => {
  test('a server and a client on lo meet, and so do two datagram sockets', async () => {
    const tcp = { link: 'lo' };
    const server = host.net.createServer({ tcp } as never, (socket) => socket.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const client = host.net.connect({ port, host: '127.0.0.1', tcp } as never);
    const [data] = await once(client, 'data');
    expect(String(data)).toBe('hello');
    const socket = host.dgram.createSocket({ type: 'udp4', link: 'lo' } as never);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.send('to myself', socket.address().port, '127.0.0.1');
    const [message] = await once(socket, 'message');
    expect(String(message)).toBe('to myself');
    socket.close();
  });

  test('one that the host does not have is ENODEV', async () => {
    const tcp = { link: 'eth9' };
    const server = host.net.createServer({ tcp } as never).listen(0);
    expect(await error(server)).toMatchObject({ code: 'ENODEV', errno: -19, syscall: 'listen' });
    const client = host.net.connect({ port: 1, host: '127.0.0.1', tcp } as never);
    expect(await error(client)).toMatchObject({ code: 'ENODEV', errno: -19, syscall: 'connect' });
    const socket = host.dgram.createSocket({ type: 'udp4', link: 'eth9' } as never).bind(0);
    expect(await error(socket)).toMatchObject({ code: 'ENODEV', errno: -19, syscall: 'bind' });
  });

  test('is text', () => {
    const bad = { code: 'ERR_INVALID_ARG_TYPE' };
    expect(() => host.net.createServer({ tcp: { link: 3 } } as never)).toThrow(
      expect.objectContaining(bad),
    );
    expect(() => host.dgram.createSocket({ type: 'udp4', link: 3 } as never)).toThrow(
      expect.objectContaining(bad),
    );
  });
});
