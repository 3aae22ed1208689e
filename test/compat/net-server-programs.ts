// Programs for node:net and for a host's net: listening, closing, counting, addresses.

import type * as net from 'node:net';
import { attempt, closed, joined, listening, once, type Program, settled } from './transcript.ts';

type Loose = (...args: unknown[]) => net.Server;

const listenLoosely = (server: net.Server, ...args: unknown[]): net.Server =>
  (server.listen as unknown as Loose).apply(server, args);

export const serverPrograms: Record<string, Program> = {
  'every form of listen': async ({ net }, t) => {
    const heard = (): void => t.log('callback');
    const forms: unknown[][] = [
      [],
      [heard],
      [0],
      ['0'],
      [null],
      [undefined],
      [null, heard],
      [0, heard],
      [0, 10],
      [0, 10, heard],
      [0, '127.0.0.1'],
      [0, '127.0.0.1', 10],
      [0, '127.0.0.1', 10, heard],
      [{ port: 0 }],
      [{ port: '0' }, heard],
      [{ port: undefined }],
      [{ port: null }],
      [{ port: 0, host: '127.0.0.1', backlog: 3, exclusive: true }, heard],
      [{ port: 0, host: '' }],
      [0, ''],
    ];
    for (const form of forms) {
      const server = net.createServer();
      t.log(listenLoosely(server, ...form) === server, server.listening);
      await once(server, 'listening');
      const { address, family } = server.address() as net.AddressInfo;
      t.log(JSON.stringify(form), address, family, server.listening);
      await closed(server);
    }
  },

  'listen refuses at once': async ({ net }, t) => {
    const bad: unknown[] = [
      Number.NaN,
      123.456,
      Number.POSITIVE_INFINITY,
      -1,
      65_536,
      { port: -1, path: '/tmp/x' },
      { port: 'abc', host: 'localhost' },
      { port: 70_000, host: 'localhost' },
      { port: false },
      { port: true },
      { fd: -1 },
      { path: -1 },
      { host: 'localhost' },
      { host: { port: 3000 } },
      { exclusive: true },
      true,
      { port: 0, signal: 'x' },
      { port: 0, host: 'localhost', signal: 'x' },
    ];
    for (const options of bad) {
      const server = net.createServer();
      attempt(t, JSON.stringify(options), () => listenLoosely(server, options));
      t.log(server.listening);
      server.close();
    }
    await settled();
  },

  'listen by name': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    t.watch('server', server, 'listening close error');
    server.listen({ port: 0, host: 'localhost', backlog: 4 }, () => t.log('server:callback'));
    t.log(server.listening, server.address());
    await once(server, 'listening');
    t.log(server.listening, typeof (server.address() as net.AddressInfo).port);
    await closed(server);
  },

  'close right after listen by name': async ({ net }, t) => {
    const server = net.createServer();
    t.watch('server', server, 'listening close error');
    server.listen(0, 'localhost', () => t.log('server:callback'));
    server.close((e) => t.log('server:closed', e));
    await once(server, 'close');
    await settled(30);
  },

  'close right after listen': async ({ net }, t) => {
    const server = net.createServer();
    t.watch('server', server, 'listening close error');
    server.listen(0, () => t.log('server:callback'));
    server.close((e) => t.log('server:closed', e));
    await once(server, 'close');
    await settled();
    t.log(server.listening, server.address());
  },

  'close without listen': async ({ net }, t) => {
    const server = net.createServer();
    t.watch('server', server, 'close error');
    t.log(server.close((e) => t.log('server:callback', e)) === server);
    await once(server, 'close');
    server.close();
    await settled();
    server.getConnections((e, n) => t.log('server:count', e, n));
    await settled();
  },

  'close twice': async ({ net }, t) => {
    const server = net.createServer();
    await listening(server, t);
    t.watch('server', server, 'close');
    server.close((e) => t.log('server:first', e));
    server.close((e) => t.log('server:second', e));
    await once(server, 'close');
    await settled();
  },

  'asyncDispose of a server': async ({ net }, t) => {
    const server = net.createServer();
    await listening(server, t);
    t.watch('server', server, 'close');
    await (server as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    t.log('server:disposed', server.listening);
    await (server as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    t.log('server:again');
  },

  'a second listen throws, after an error it does not': async ({ net }, t) => {
    const taken = net.createServer();
    const port = await listening(taken, t);
    const server = net.createServer();
    server.listen(port, '127.0.0.1');
    const [error] = await once(server, 'error');
    t.log(error);
    listenLoosely(server, 0, '127.0.0.1');
    attempt(t, 'again', () => server.listen());
    await once(server, 'listening');
    attempt(t, 'listening', () => server.listen(0));
    await closed(taken);
    await closed(server);
  },

  'close, then listen in the same turn': async ({ net }, t) => {
    const server = net.createServer();
    t.watch('server', server, 'listening close error');
    await listening(server, t);
    server.close();
    server.listen(0, '127.0.0.1');
    await settled(20);
    t.log('server:again', server.listening);
    await closed(server);
  },

  'EADDRINUSE of a port without an address': async ({ net }, t) => {
    const first = net.createServer().listen(0);
    await once(first, 'listening');
    const { port } = first.address() as net.AddressInfo;
    t.call(port, 'TAKEN');
    for (const host of [undefined, '0.0.0.0', '::', '127.0.0.1']) {
      const second = net.createServer();
      second.listen({ port, ...(host === undefined ? {} : { host }) });
      const [error] = await once(second, 'error');
      t.log(host, error, second.listening);
    }
    await closed(first);
  },

  'two addresses, one port': async ({ net }, t) => {
    const first = net.createServer((s) => s.end('first'));
    const port = await listening(first, t);
    const second = net.createServer((s) => s.end('second'));
    second.listen(port, '127.0.0.2');
    await once(second, 'listening');
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const c = net.connect(port, host);
      const [d] = await once(c, 'data');
      t.log(host, d, c.remoteAddress);
      if (!c.destroyed) await once(c, 'close');
    }
    await closed(first);
    await closed(second);
  },

  'ipv6Only leaves IPv4 to others': async ({ net }, t) => {
    const server = net.createServer().listen({ host: '::', port: 0, ipv6Only: true });
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    t.call(port, 'SERVER');
    t.log(server.address());
    const c = net.connect(port, '127.0.0.1');
    const [error] = await once(c, 'error');
    t.log(error);
    await closed(server);
  },

  'the wildcard is reached by 0.0.0.0': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('any'));
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    t.call(port, 'SERVER');
    t.log(server.address());
    const c = net.connect(port, '0.0.0.0');
    t.watch('client', c, 'data error');
    await once(c, 'connect');
    t.log(c.remoteAddress, c.remoteFamily);
    await once(c, 'close');
    await closed(server);
  },

  'a dual-stack server names its IPv4 peers': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.call(s.remotePort, 'CLIENT');
      t.log('server:local', s.localAddress, s.localPort, s.localFamily, s.address());
      t.log('server:remote', s.remoteAddress, s.remotePort, s.remoteFamily);
      s.end();
    });
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    t.call(port, 'SERVER');
    t.log(server.address());
    const c = net.connect(port, '127.0.0.1').resume();
    await once(c, 'close');
    await closed(server);
  },

  'addresses before, while, and after': async ({ net }, t) => {
    const show = (s: net.Socket): void => {
      t.log(s.address(), s.localAddress, s.localPort, s.localFamily);
      t.log(s.remoteAddress, s.remotePort, s.remoteFamily);
    };
    const fresh = new net.Socket();
    show(fresh);
    const { server, client, peer } = await joined(net, t);
    t.call(client.localPort, 'CLIENT');
    show(client);
    show(peer);
    peer.resume();
    client.destroy();
    show(client);
    await once(client, 'close');
    show(client);
    if (!peer.destroyed) await once(peer, 'close');
    show(peer);
    await closed(server);
  },

  'getConnections and the end of server.connections': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    const count = (): Promise<unknown> =>
      new Promise((resolve) => {
        t.log(server.getConnections((_e, n) => resolve(n)) === server);
      });
    t.log(await count(), (server as unknown as { connections: unknown }).connections);
    client.end();
    client.resume();
    peer.resume();
    await once(client, 'close');
    await settled();
    t.log(await count());
    await closed(server);
  },

  'maxConnections in all its values': async ({ net }, t) => {
    const server = net.createServer((s) => s.on('error', () => {}).resume());
    const port = await listening(server, t);
    for (const most of [0, undefined, 2, 1]) {
      server.maxConnections = most as number;
      let drops = 0;
      const count = (): void => {
        drops++;
      };
      server.on('drop', count);
      const all: net.Socket[] = [];
      for (let i = 0; i < 3; i++) {
        const c = net.connect(port, '127.0.0.1');
        c.on('error', () => {}).resume();
        all.push(c);
        await once(c, 'connect');
        await settled(20);
      }
      t.log(most, drops);
      server.off('drop', count);
      const ends = all.filter((c) => !c.destroyed).map((c) => once(c, 'close'));
      for (const c of all) c.destroy();
      await Promise.all(ends);
      await settled(30);
    }
    await closed(server);
  },

  'a dropped client sees an end': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    server.maxConnections = 1;
    const port = await listening(server, t);
    const a = net.connect(port, '127.0.0.1');
    await once(a, 'connect');
    await settled(20);
    const b = net.connect(port, '127.0.0.1');
    t.watch('client', b, 'connect data end error close');
    b.resume();
    await once(b, 'close');
    a.destroy();
    await closed(server);
  },

  'a handler of connection is called with the server as this': async ({ net }, t) => {
    const server = net.createServer(function (this: net.Server, s) {
      t.log(
        'server:this',
        this === server,
        (s as unknown as { server: unknown }).server === server,
      );
      s.end();
    });
    server.on('listening', function (this: net.Server) {
      t.log('server:listening', this === server);
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1').resume();
    await once(c, 'close');
    await closed(server);
  },

  'twenty clients at once are served': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('served'));
    server.listen({ port: 0, host: '127.0.0.1', backlog: 64 });
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const all = Array.from({ length: 20 }, () => net.connect(port, '127.0.0.1').resume());
    await Promise.all(all.map((c) => once(c, 'close')));
    t.log(all.map((c) => c.bytesRead));
    await closed(server);
  },

  'ref and unref of a server answer it': async ({ net }, t) => {
    const server = net.createServer();
    t.log(server.unref() === server, server.ref() === server, server.unref() === server);
    await listening(server, t);
    t.log(server.unref() === server, server.ref() === server);
    await closed(server);
    t.log(server.ref() === server, server.unref() === server);
  },

  'a signal closes a server, before and after': async ({ net }, t) => {
    const early = net.createServer();
    t.watch('early', early, 'listening close error');
    early.listen({ port: 0, signal: AbortSignal.abort() });
    await once(early, 'close');
    t.log(early.listening);
    const stop = new AbortController();
    const late = net.createServer();
    t.watch('late', late, 'listening close error');
    late.listen({ port: 0, host: '127.0.0.1', signal: stop.signal });
    await once(late, 'listening');
    stop.abort();
    await once(late, 'close');
    const named = net.createServer();
    t.watch('named', named, 'listening close error');
    named.listen({ port: 0, host: 'localhost', signal: AbortSignal.abort() });
    await once(named, 'close');
    await settled(30);
  },
};
