// The context of callbacks (AsyncLocalStorage), and what a program's exception does to a host.

import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import type * as net from 'node:net';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let host: Host;

beforeEach(async () => {
  host = await createHost();
});

afterEach(async () => {
  await host.close({ deadlineMs: 50 });
});

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

describe('AsyncLocalStorage', () => {
  const storage = new AsyncLocalStorage<string>();

  it('of a client is seen in each of its callbacks', async () => {
    const server = host.net.createServer((s) => {
      s.once('data', () => s.resume().end('x'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const seen: Record<string, string | undefined> = {};
    let closed: Promise<unknown> = Promise.resolve();
    storage.run('client', () => {
      const c = host.net.connect(port, 'localhost');
      const note = (name: string) => () => {
        seen[name] = storage.getStore();
      };
      for (const event of ['lookup', 'connect', 'ready', 'data', 'end', 'finish', 'close']) {
        c.on(event, note(event));
      }
      c.write(Buffer.alloc(1_000_000), note('write callback'));
      closed = once(c, 'close');
    });
    await closed;
    expect(seen).toEqual({
      lookup: 'client',
      connect: 'client',
      ready: 'client',
      data: 'client',
      end: 'client',
      finish: 'client',
      close: 'client',
      'write callback': 'client',
    });
  });

  it('of a server is seen in its connections', async () => {
    const seen: (string | undefined)[] = [];
    const server = storage.run('server', () => {
      const made = host.net.createServer((s) => {
        seen.push(storage.getStore());
        s.on('data', () => seen.push(storage.getStore()));
        s.on('end', () => seen.push(storage.getStore()));
      });
      return made.listen(0, '127.0.0.1');
    });
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const c = host.net.connect(port, '127.0.0.1');
    c.resume();
    c.end('x');
    await once(c, 'close');
    expect(seen).toEqual(['server', 'server', 'server']);
  });

  it('of a timeout and of a datagram', async () => {
    const seen: Record<string, string | undefined> = {};
    await storage.run('both', async () => {
      const u = host.dgram.createSocket('udp4');
      u.on('message', () => {
        seen['message'] = storage.getStore();
      });
      u.bind(0, '127.0.0.1');
      await once(u, 'listening');
      const got = once(u, 'message');
      u.send('x', u.address().port, '127.0.0.1', () => {
        seen['sent'] = storage.getStore();
      });
      await got;
      await new Promise((resolve) => setImmediate(resolve));
      u.close();
    });
    expect(seen).toEqual({ message: 'both', sent: 'both' });
  });
});

interface Outcome {
  code: number;
  out: string;
}

/** Runs a program of ten lines in a process of its own. */
function child(program: string): Promise<Outcome> {
  const loader = pathToFileURL(path.join(root, 'scripts', 'ts-loader.mjs')).href;
  const hostUrl = pathToFileURL(path.join(root, 'src', 'node', 'host.ts')).href;
  const source = `import { createHost } from ${JSON.stringify(hostUrl)};\n${program}`;
  const args = ['--import', loader, '--input-type=module', '--eval', source];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 110_000, cwd: root }, (error, out, err) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, out: out + err });
    });
  });
}

describe('a process of its own', () => {
  it('ends by itself when nothing is open', async () => {
    const outcome = await child(`
      const host = await createHost();
      console.log('made');`);
    expect(outcome).toEqual({ code: 0, out: 'made\n' });
  });

  it('is kept alive by a server, and not by one that is unref', async () => {
    const outcome = await child(`
      const host = await createHost();
      const a = host.net.createServer().listen(0);
      const b = host.net.createServer().listen(0);
      b.unref();
      setTimeout(() => { console.log('still here'); a.close(); }, 100).unref();`);
    expect(outcome).toEqual({ code: 0, out: 'still here\n' });
  });

  it('hears of a handler that throws, and the stack goes on', async () => {
    const outcome = await child(`
      const host = await createHost();
      let go;
      const thrown = new Promise((resolve) => { go = resolve; });
      let left = 3;
      process.on('uncaughtException', (e) => {
        console.log('uncaught', e.message);
        if (--left === 0) go();
      });
      const server = host.net.createServer((s) => {
        s.on('data', (d) => {
          if (String(d) === 'bad') throw new Error('in data');
          s.end(d);
          server.close();
        });
        if (server.first === undefined) { server.first = s; throw new Error('in connection'); }
      });
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        const a = host.net.connect(port, '127.0.0.1');
        a.write('bad');
        const c = host.net.connect(port, '127.0.0.1', () => { throw new Error('in connect'); });
        thrown.then(() => {
          a.destroy();
          c.destroy();
          const b = host.net.connect(port, '127.0.0.1');
          b.on('data', (d) => console.log(String(d)));
          b.write('good');
        });
      });`);
    expect(outcome.code).toBe(0);
    expect(outcome.out.trim().split('\n').sort()).toEqual([
      'good',
      'uncaught in connect',
      'uncaught in connection',
      'uncaught in data',
    ]);
  });

  it('ends with an uncaught exception that nobody hears', async () => {
    const outcome = await child(`
      const host = await createHost();
      const server = host.net.createServer(() => { throw new TypeError('mine'); });
      server.listen(0, '127.0.0.1', () => host.net.connect(server.address().port, '127.0.0.1'));`);
    expect(outcome.code).toBe(1);
    expect(outcome.out).toContain('TypeError: mine');
  });

  it('sees a reset that follows the connection at once', async () => {
    const outcome = await child(`
      import { once } from 'node:events';
      const host = await createHost();
      const server = host.net.createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = once(server, 'connection');
      const c = host.net.connect(server.address().port, '127.0.0.1', () => {
        setImmediate(() => c.resetAndDestroy());
      });
      const [s] = await accepted;
      s.on('error', (e) => { console.log(e.message); server.close(); });
      s.resume();`);
    expect(outcome).toEqual({ code: 0, out: 'read ECONNRESET\n' });
  });
});
