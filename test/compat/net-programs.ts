// Programs for node:net and for a host's net: connection life, order of events, errors, options.

import type * as net from 'node:net';
import { listening, once, type Program, settled } from './transcript.ts';

const LIFE = 'lookup connect ready end finish error close timeout drain';

/** An address pair with a listener; `serve` runs for each connection. */
async function pair(
  module: typeof net,
  options: net.ServerOpts,
  serve: (socket: net.Socket) => void,
): Promise<{ server: net.Server; port: number }> {
  const server = module.createServer(options, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as net.AddressInfo).port };
}

export const netPrograms: Record<string, Program> = {
  'echo and the life of both ends': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.watch('server', s, 'data end finish close error');
      s.on('data', (d) => s.write(d));
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.log(c.connecting, c.pending, c.readyState);
    t.watch('client', c, LIFE);
    c.on('data', (d) => {
      t.log('client:data', d);
      c.end();
    });
    c.on('connect', () => {
      t.log(c.connecting, c.pending, c.readyState);
      c.write('hello');
    });
    await once(c, 'close');
    t.log(c.readyState, c.destroyed, c.bytesRead, c.bytesWritten, c.pending);
    server.close();
    await once(server, 'close');
  },

  'write and end before connect': async ({ net }, t) => {
    const server = net.createServer((s) => {
      s.setEncoding('utf8');
      t.watch('server', s, 'data end finish close');
    });
    const port = await listening(server, t);
    const c = net.createConnection({ port, host: '127.0.0.1' });
    t.watch('client', c, LIFE);
    t.log(
      c.write('one', () => t.log('one written')),
      c.bytesWritten,
      c.writableLength,
    );
    t.log(
      c.write('two', () => t.log('two written')),
      c.bytesWritten,
      c.writableLength,
    );
    c.end('three', () => t.log('ended'));
    c.resume();
    await once(c, 'close');
    t.log(c.bytesWritten);
    server.close();
    await once(server, 'close');
  },

  ECONNREFUSED: async ({ net }, t) => {
    const { server, port } = await pair(net, {}, () => {});
    server.close();
    await once(server, 'close');
    t.call(port, 'CLOSED');
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, LIFE);
    c.write('never', (e) => t.log('write callback', e));
    await once(c, 'close');
    t.log(c.destroyed, c.connecting, c.readyState, c.address());
  },

  'EADDRINUSE comes as an event': async ({ net }, t) => {
    const a = net.createServer();
    const port = await listening(a, t);
    const b = net.createServer();
    t.watch('b', b, 'error listening close');
    b.listen(port, '127.0.0.1');
    t.log('after listen', b.listening);
    await once(b, 'error');
    t.log(b.listening, b.address());
    b.listen(0, '127.0.0.1');
    await once(b, 'listening');
    a.close();
    b.close();
    await once(b, 'close');
  },

  'EADDRNOTAVAIL for a foreign address': async ({ net }, t) => {
    const s = net.createServer();
    t.watch('server', s, 'error listening');
    s.listen(0, '192.0.2.77');
    await once(s, 'error');
  },

  'half-open server answers after the end': async ({ net }, t) => {
    const server = net.createServer({ allowHalfOpen: true }, (s) => {
      t.watch('server', s, 'data end finish close');
      s.on('end', () => {
        t.log(s.readyState);
        s.end('answer');
      });
    });
    const port = await listening(server, t);
    const c = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.watch('client', c, `data ${LIFE}`);
    c.end('question');
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'a server that is not half-open ends too': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.watch('server', s, 'data end finish close');
      s.resume();
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1', () => c.end('bye'));
    t.watch('client', c, LIFE);
    c.resume();
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'write after end': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.watch('client', c, 'error close finish');
    c.end();
    t.log(c.write('late', (e) => t.log('callback', e)));
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'write after the peer has ended': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, 'error close finish end');
    c.resume();
    await once(c, 'end');
    t.log(c.write('late', (e) => t.log('callback', e)));
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'destroy in the connect handler': async ({ net }, t) => {
    let closed: Promise<unknown> = Promise.resolve();
    const server = net.createServer((s) => {
      s.on('error', () => {});
      s.resume();
      closed = once(s, 'close');
    });
    const accepted = once(server, 'connection');
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, LIFE);
    c.on('connect', () => {
      c.destroy(new Error('enough'));
      t.log(c.destroyed, c.readyState);
    });
    await once(c, 'close');
    await accepted;
    await closed;
    server.close();
    await once(server, 'close');
  },

  'destroy while connecting': async ({ net }, t) => {
    const server = net.createServer((s) => s.on('error', () => {}).resume());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, LIFE);
    c.write('x', (e) => t.log('callback', e));
    c.destroy();
    t.log(c.destroyed, c.connecting);
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'resetAndDestroy is ECONNRESET for the peer': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.watch('server', s, 'error close end');
      s.resume();
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    await settled();
    t.watch('client', c, 'error close');
    c.resetAndDestroy();
    await once(c, 'close');
    await settled(30);
    c.resetAndDestroy();
    await settled();
    server.close();
    await once(server, 'close');
  },

  'server.close waits for connections': async ({ net }, t) => {
    const server = net.createServer();
    t.watch('server', server, 'close');
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    const [s] = (await once(server, 'connection')) as [net.Socket];
    s.resume();
    server.close((e) => t.log('callback', e));
    t.log(server.listening, server.address());
    await settled();
    t.log('still open');
    c.end();
    c.resume();
    await once(server, 'close');
    server.close((e) => t.log('again', e));
    await settled();
  },

  'close inside connection': async ({ net }, t) => {
    const server = net.createServer((s) => {
      server.close(() => t.log('closed'));
      s.end('only you');
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, `data ${LIFE}`);
    await once(c, 'close');
    await settled();
  },

  'listen again while listening and after close': async ({ net }, t) => {
    const server = net.createServer();
    await listening(server, t);
    try {
      server.listen(0);
    } catch (e) {
      t.log(e);
    }
    server.close();
    await once(server, 'close');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.log('again', server.listening);
    server.close();
    await once(server, 'close');
  },

  'addresses at every step': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.log(s.localAddress, s.localPort, s.localFamily, s.remoteAddress, s.remoteFamily);
      t.log(s.address());
      s.end();
    });
    const port = await listening(server, t);
    t.log(server.address());
    const c = net.connect(port, '127.0.0.1');
    t.log(c.address(), c.localAddress, c.remoteAddress, c.remotePort);
    await once(c, 'connect');
    t.log(c.remoteAddress, c.remotePort, c.remoteFamily, c.localAddress, c.localFamily);
    c.resume();
    await once(c, 'close');
    t.log(c.address(), c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
    server.close();
    await once(server, 'close');
    t.log(server.address());
  },

  'pauseOnConnect and bytesRead': async ({ net }, t) => {
    const server = net.createServer({ pauseOnConnect: true });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    c.end('waiting');
    const [s] = (await once(server, 'connection')) as [net.Socket];
    await settled();
    t.log(s.isPaused(), s.bytesRead, s.readableFlowing);
    s.setEncoding('utf8');
    t.watch('server', s, 'data end close');
    s.resume();
    c.resume();
    await once(c, 'close');
    t.log(s.bytesRead);
    server.close();
    await once(server, 'close');
  },

  'maxConnections drops with the addresses': async ({ net }, t) => {
    const server = net.createServer((s) => s.on('error', () => {}).resume());
    server.maxConnections = 1;
    const port = await listening(server, t);
    const a = net.connect(port, '127.0.0.1');
    await once(a, 'connect');
    await settled();
    const dropped = once(server, 'drop');
    const b = net.connect(port, '127.0.0.1');
    b.on('error', () => {});
    b.resume();
    const [data] = (await dropped) as [net.DropArgument];
    t.call(data.remotePort, 'CLIENT');
    t.log(data);
    await once(b, 'close');
    server.getConnections((e, n) => t.log('connections', e, n));
    a.destroy();
    server.close();
    await once(server, 'close');
  },

  'an idle socket times out and stays open': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.watch('client', c, 'timeout close');
    c.setTimeout(30, () => t.log('callback'));
    t.log(c.timeout);
    await once(c, 'timeout');
    t.log(c.destroyed, c.writable);
    c.setTimeout(0);
    c.destroy();
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'AbortSignal on a socket and on listen': async ({ net }, t) => {
    const early = net.createServer();
    early.on('close', () => t.log('closed by signal'));
    const stop = new AbortController();
    early.listen({ port: 0, host: '127.0.0.1', signal: stop.signal });
    await once(early, 'listening');
    stop.abort();
    await once(early, 'close');
    const s = new net.Socket({ signal: AbortSignal.abort() });
    t.watch('socket', s, 'error close');
    await once(s, 'close');
  },
};
