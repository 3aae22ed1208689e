// Programs for node:net and for a host's net: from connect to close, halves, destruction, resets.

import type * as net from 'node:net';
import {
  closed,
  closedPort,
  joined,
  listening,
  once,
  type Program,
  settled,
} from './transcript.ts';

const LIFE = 'lookup connect ready end finish error close timeout drain';

interface Streamy {
  readable: boolean;
  writable: boolean;
  readableEnded: boolean;
  writableEnded: boolean;
  writableFinished: boolean;
  destroyed: boolean;
  closed: boolean;
}

function flags(s: net.Socket): string {
  const f = s as unknown as Streamy;
  const names: (keyof Streamy)[] = [
    'readable',
    'writable',
    'readableEnded',
    'writableEnded',
    'writableFinished',
    'destroyed',
    'closed',
  ];
  return names.filter((name) => f[name]).join(' ');
}

export const lifePrograms: Record<string, Program> = {
  'the order of a connection without data': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.watch('server', s, `data ${LIFE}`);
      s.resume();
    });
    const port = await listening(server, t);
    const c = new net.Socket();
    t.watch('client', c, `data ${LIFE}`);
    t.log('callback is a listener', c.listenerCount('connect'));
    c.connect(port, '127.0.0.1', () => t.log('client:callback'));
    t.log('after connect', c.listenerCount('connect'), c.connecting, c.destroyed);
    await once(c, 'ready');
    c.resume();
    c.end();
    await once(c, 'close');
    await closed(server);
  },

  'stream flags at every step': async ({ net }, t) => {
    const fresh = new net.Socket();
    t.log('fresh', flags(fresh), fresh.readyState, fresh.pending, fresh.connecting);
    const { server, client, peer } = await joined(net, t);
    t.log('open', flags(client), flags(peer), client.readyState);
    client.end();
    t.log('ended', flags(client), client.readyState);
    await once(client, 'finish');
    t.log('finished', flags(client), client.readyState);
    client.resume();
    peer.resume();
    await once(client, 'close');
    t.log('closed', flags(client), client.readyState, client.pending);
    await closed(server);
  },

  'close tells whether there was an error': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.on('error', (e) => t.log('peer:error', e));
    peer.on('close', (bad) => t.log('peer:close', bad));
    client.on('error', (e) => t.log('client:error', e.message));
    client.on('close', (bad) => t.log('client:close', bad));
    client.destroy(new Error('mine'));
    peer.resume();
    await once(peer, 'close');
    await closed(server);
  },

  'destroy twice keeps the first error': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.resume();
    t.watch('client', client, 'error close');
    t.log(client.destroy(new Error('first')) === client);
    t.log(client.destroy(new Error('second')) === client);
    t.log((client.errored as Error).message);
    await once(client, 'close');
    client.destroy();
    await settled();
    await closed(server);
  },

  'destroy without an error': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    t.watch('client', client, 'end error close finish');
    t.watch('peer', peer, 'end error close finish');
    peer.resume();
    client.destroy();
    t.log(client.destroyed, client.writable, client.readable, client.readyState);
    await once(peer, 'close');
    await closed(server);
  },

  'a socket that never connected is destroyed': async ({ net }, t) => {
    const s = new net.Socket();
    t.watch('socket', s, 'error close end finish');
    s.destroy();
    await once(s, 'close');
    t.log(s.address(), s.destroyed, s.bytesRead, s.bytesWritten);
    const bad = new net.Socket();
    t.watch('bad', bad, 'error close');
    bad.destroy(new Error('why'));
    await once(bad, 'close');
  },

  'end without connect': async ({ net }, t) => {
    const s = new net.Socket();
    t.watch('socket', s, 'error close end finish');
    s.end();
    await settled();
    t.log(s.writable, s.writableEnded, s.writableFinished, s.destroyed, s.pending);
    s.destroy();
    await once(s, 'close');
  },

  'end with data, an encoding and a callback': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.on('data', (d) => t.log('peer:data', (d as Buffer).toString('hex')));
    t.watch('peer', peer, 'end close');
    t.watch('client', client, 'finish close');
    t.log(client.end('c3a9', 'hex', () => t.log('client:ended')) === client);
    client.resume();
    await once(client, 'close');
    await closed(server);
  },

  'end twice': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.resume();
    client.resume();
    t.watch('client', client, 'finish close error');
    client.end('a', () => t.log('client:first'));
    client.end((e?: Error) => t.log('client:second', e));
    await once(client, 'close');
    client.end((e?: Error) => t.log('client:third', e));
    await settled();
    await closed(server);
  },

  'a half-open client writes after the end of the server': async ({ net }, t) => {
    const server = net.createServer({ allowHalfOpen: true }, (s) => {
      t.watch('server', s, 'data end finish close');
      s.setEncoding('latin1').end('only this');
    });
    const port = await listening(server, t);
    const c = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.watch('client', c, `data ${LIFE}`);
    await once(c, 'end');
    await settled();
    t.log(flags(c), c.readyState);
    c.write('late');
    await settled();
    c.end('last');
    await once(c, 'close');
    await closed(server);
  },

  'allowHalfOpen of Socket, set by hand': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    t.log(client.allowHalfOpen, peer.allowHalfOpen);
    client.allowHalfOpen = true;
    t.watch('client', client, 'end finish close');
    client.resume();
    peer.end();
    await once(client, 'end');
    await settled();
    t.log(client.writable, client.destroyed);
    client.end('and now');
    peer.on('data', (d) => t.log('peer:data', d));
    await once(client, 'close');
    await closed(server);
  },

  'pause before connect': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('waiting for you'));
    const port = await listening(server, t);
    const c = new net.Socket();
    c.pause();
    t.watch('client', c, 'connect end data close');
    c.connect(port, '127.0.0.1');
    await once(c, 'connect');
    await settled(20);
    t.log('client:still', c.isPaused(), c.readableFlowing);
    c.resume();
    await once(c, 'close');
    await closed(server);
  },

  'pause in data, and on': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    let paused = false;
    let got = 0;
    let pauses = 0;
    client.on('data', (d) => {
      if (paused) t.log('data while paused');
      got += d.length;
      if (pauses === 5) return;
      pauses++;
      paused = true;
      client.pause();
      setImmediate(() => {
        paused = false;
        client.resume();
      });
    });
    peer.end(Buffer.alloc(3_000_000, 'x'));
    await once(client, 'close');
    t.log(got, pauses, client.bytesRead);
    await closed(server);
  },

  'a reader that never reads is not ended': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    t.watch('client', client, 'end close finish');
    peer.on('error', () => {});
    peer.end('unread');
    await settled(20);
    t.log('client:state', client.destroyed, client.readableLength, client.readyState);
    client.destroy();
    await once(client, 'close');
    await once(peer, 'close');
    await closed(server);
  },

  'destroy with unread data is a reset': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    t.watch('peer', peer, 'error close end');
    client.pause();
    peer.resume();
    peer.write('never read');
    await once(client, 'readable');
    await settled();
    client.destroy();
    await once(peer, 'close');
    await closed(server);
  },

  'resetAndDestroy before connect': async ({ net }, t) => {
    const s = new net.Socket();
    t.watch('socket', s, 'error close');
    t.log(s.resetAndDestroy() === s);
    await once(s, 'close');
  },

  'resetAndDestroy while connecting waits for it': async ({ net }, t) => {
    const server = net.createServer((s) => {
      t.watch('server', s, 'error close end');
      s.resume();
    });
    const port = await listening(server, t);
    const accepted = once(server, 'connection');
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, 'connect error close');
    c.resetAndDestroy();
    t.log('client:after', c.destroyed, c.connecting);
    const [s] = (await accepted) as [net.Socket];
    if (!s.destroyed) await once(s, 'close');
    await closed(server);
  },

  'resetAndDestroy twice, and after destroy': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    await settled();
    t.watch('client', client, 'error close');
    peer.on('error', (e) => t.log('peer:error', e)).resume();
    client.resetAndDestroy();
    client.resetAndDestroy();
    t.log('client:destroyed', client.destroyed);
    await once(peer, 'close');
    await closed(server);
  },

  'a signal ends a connection': async ({ net }, t) => {
    const stop = new AbortController();
    const { server, client, peer } = await joined(net, t, {}, { signal: stop.signal });
    t.watch('client', client, 'error close end');
    t.watch('peer', peer, 'end close');
    peer.resume();
    peer.on('error', () => {});
    stop.abort();
    await once(client, 'close');
    t.log('client:flags', flags(client));
    if (!peer.destroyed) await once(peer, 'close');
    await closed(server);
  },

  'a signal ends an attempt': async ({ net }, t) => {
    const server = net.createServer((s) => s.on('error', () => {}).resume());
    const port = await listening(server, t);
    const stop = new AbortController();
    const c = net.connect({ port, host: '127.0.0.1', signal: stop.signal });
    t.watch('client', c, 'connect error close');
    stop.abort(new Error('changed my mind'));
    await once(c, 'close');
    t.log('client:state', c.connecting, c.destroyed);
    const early = net.connect({ port, host: '127.0.0.1', signal: AbortSignal.abort() });
    t.watch('early', early, 'connect error close');
    await once(early, 'close');
    await closed(server);
  },

  'write after a refused connection': async ({ net }, t) => {
    const port = await closedPort(net, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, LIFE);
    await once(c, 'close');
    t.log(c.write('x', (e) => t.log('client:callback', e)));
    await settled();
    t.log(flags(c));
  },

  'connect again after a refusal': async ({ net }, t) => {
    const port = await closedPort(net, t);
    const server = net.createServer((s) => s.end('welcome'));
    const open = await listening(server, t);
    const c = new net.Socket();
    t.watch('client', c, `data ${LIFE}`);
    c.connect(port, '127.0.0.1');
    await once(c, 'close');
    c.connect(open, '127.0.0.1');
    await once(c, 'close');
    await closed(server);
  },

  'peer ends while we write much': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    let got = 0;
    peer.on('data', (d) => {
      got += d.length;
    });
    client.on('end', () => t.log('reader:end'));
    client.resume();
    peer.end();
    client.end(Buffer.alloc(2_000_000), () => t.log('writer:finished'));
    await once(peer, 'close');
    t.log('peer:got', got);
    await closed(server);
  },
};
