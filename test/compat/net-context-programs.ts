// Programs for node:net and for a host's net: contexts, channels, exceptions, and what needs no
// connection.

import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type * as net from 'node:net';
import { attempt, closed, joined, listening, once, type Program, settled } from './transcript.ts';

/** What reaches the process when a handler throws. */
async function uncaught(run: () => Promise<void>): Promise<string[]> {
  const seen: string[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (e) => seen.push(e.message));
  try {
    await run();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
  return seen;
}

export const contextPrograms: Record<string, Program> = {
  'AsyncLocalStorage in every callback': async ({ net }, t) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (label: string) => (): void => t.log(label, storage.getStore());
    const server = storage.run('server', () =>
      net.createServer((s) => {
        note('server:connection')();
        s.resume().end('x');
      }),
    );
    storage.run('listen', () => server.listen(0, '127.0.0.1', note('listen:callback')));
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const c = storage.run('client', () => {
      const s = net.connect(port, '127.0.0.1');
      for (const e of 'connect ready data end finish close timeout drain'.split(' ')) {
        s.on(e, note(`client:${e}`));
      }
      s.write(Buffer.alloc(100_000), note('client:written'));
      return s;
    });
    await once(c, 'close');
    await closed(server);
  },

  'diagnostics channels of client, server and listen': async ({ net }, t) => {
    const same: Record<string, unknown> = {};
    const heard = (label: string) => (message: unknown) => {
      const { server, socket, error } = message as Record<string, unknown>;
      same[label] = server ?? socket;
      t.log(label, Object.keys(message as object).sort(), error);
    };
    const names: [string, string][] = [
      ['net.client.socket', 'client:socket'],
      ['net.server.socket', 'server:socket'],
      ['tracing:net.server.listen:asyncStart', 'listen:start'],
      ['tracing:net.server.listen:asyncEnd', 'listen:end'],
      ['tracing:net.server.listen:error', 'listen:error'],
    ];
    const listeners = names.map(([name, label]) => ({ name, listener: heard(label) }));
    for (const { name, listener } of listeners) diagnostics.subscribe(name, listener);
    const { server, client, peer, port } = await joined(net, t);
    t.log(same['client:socket'] === client, same['server:socket'] === peer);
    t.log(same['listen:start'] === server, same['listen:end'] === server);
    const second = net.createServer();
    second.listen({ port, host: '127.0.0.1' });
    await once(second, 'error');
    t.log(same['listen:error'] === second);
    for (const { name, listener } of listeners) diagnostics.unsubscribe(name, listener);
    peer.resume();
    client.end().resume();
    await once(client, 'close');
    await closed(server);
  },

  'captureRejections of a server': async ({ net }, t) => {
    EventEmitter.captureRejections = true;
    const server = net.createServer();
    EventEmitter.captureRejections = false;
    server.on('connection', async (s) => {
      s.on('error', (e) => t.log('server:error', e.message));
      s.on('close', (bad) => t.log('server:close', bad));
      await settled(1);
      throw new Error('rejected');
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1').resume();
    c.on('error', () => {});
    await once(c, 'close');
    await closed(server);
  },

  'a throw in connection, data, connect and close': async ({ net }, t) => {
    const seen = await uncaught(async () => {
      const server = net.createServer((s) => {
        s.on('data', () => {
          throw new Error('data');
        });
        s.on('error', () => {});
        throw new Error('connection');
      });
      const port = await listening(server, t);
      const c = net.connect(port, '127.0.0.1', () => {
        throw new Error('connect');
      });
      c.on('close', () => {
        throw new Error('close');
      });
      c.write('x');
      await settled(50);
      c.destroy();
      await settled(20);
      await closed(server);
    });
    t.log(seen.sort());
  },

  'a throw in a write callback and in listening': async ({ net }, t) => {
    const seen = await uncaught(async () => {
      const server = net.createServer((s) => s.resume());
      server.listen(0, '127.0.0.1', () => {
        throw new Error('listening');
      });
      await settled();
      const { port } = server.address() as net.AddressInfo;
      const c = net.connect(port, '127.0.0.1');
      c.write('x', () => {
        throw new Error('written');
      });
      await settled(50);
      c.destroy();
      await settled(20);
      await closed(server);
    });
    t.log(seen.sort());
  },

  'isIP and its relatives': async ({ net }, t) => {
    const texts = [
      '127.0.0.1',
      '::1',
      '::ffff:1.2.3.4',
      '1.2.3',
      '',
      'x',
      '1.2.3.4.5',
      'fe80::1%lo',
    ];
    for (const text of texts) t.log(text, net.isIP(text), net.isIPv4(text), net.isIPv6(text));
    t.log(net.isIP(undefined as unknown as string), net.isIP({} as unknown as string));
  },

  'BlockList and SocketAddress': async ({ net }, t) => {
    const list = new net.BlockList();
    list.addAddress('10.0.0.1');
    list.addRange('10.1.0.0', '10.1.0.9');
    list.addSubnet('2001:db8::', 32, 'ipv6');
    t.log(list.check('10.0.0.1'), list.check('10.1.0.5'), list.check('10.1.0.10'));
    t.log(list.check('2001:db8::7', 'ipv6'), list.check('::ffff:a00:1', 'ipv6'), list.rules);
    const a = new net.SocketAddress({ address: '1.2.3.4', port: 5 });
    t.log(a.address, a.port, a.family, a.flowlabel);
    attempt(t, 'port', () => new net.SocketAddress({ port: 70_000 }));
    attempt(t, 'subnet', () => list.addSubnet('1.2.3.4', 33));
  },
};
