// More programs for node:net and for a host's net: arguments, lookup, reading and writing.

import type * as net from 'node:net';
import { listening, once, type Program, settled } from './transcript.ts';

function attempt(t: { log(...parts: unknown[]): void }, what: string, run: () => unknown): void {
  try {
    run();
    t.log(what, 'nothing thrown');
  } catch (error) {
    t.log(what, error);
  }
}

export const moreNetPrograms: Record<string, Program> = {
  'arguments of connect': async ({ net }, t) => {
    const s = new net.Socket();
    const bad: [string, unknown[]][] = [
      ['nothing', []],
      ['too large', [70_000]],
      ['negative', [-1]],
      ['fraction', [1.5]],
      ['text', [{ port: 'x' }]],
      ['boolean', [{ port: true }]],
      ['object', [{ port: {} }]],
      ['localAddress', [{ port: 1, localAddress: 'nowhere' }]],
      ['localPort', [{ port: 1, localPort: '1' }]],
      ['lookup', [{ port: 1, host: 'a.b', lookup: 1 }]],
      ['autoSelectFamily', [{ port: 1, autoSelectFamily: 'yes' }]],
      ['attempt timeout', [{ port: 1, autoSelectFamilyAttemptTimeout: -1 }]],
    ];
    for (const [name, args] of bad) {
      attempt(t, name, () => (s.connect as (...a: unknown[]) => void)(...args));
    }
    s.destroy();
    await once(s, 'close');
  },

  'arguments of listen': async ({ net }, t) => {
    for (const args of [
      [{}],
      [{ port: -1 }],
      [{ port: 'x' }],
      [65_536],
      [{ port: true }],
      [false],
    ]) {
      const server = net.createServer();
      attempt(t, JSON.stringify(args), () => (server.listen as (...a: unknown[]) => void)(...args));
    }
  },

  'arguments of the constructors': async ({ net }, t) => {
    attempt(t, 'objectMode', () => new net.Socket({ objectMode: true } as object));
    attempt(t, 'readableObjectMode', () => new net.Socket({ readableObjectMode: true } as object));
    attempt(t, 'server', () => new net.Server('x' as unknown as net.ServerOpts));
    attempt(t, 'keepAlive', () => net.createServer({ keepAliveInitialDelay: 'x' } as object));
    const bare = net.Socket as unknown as () => net.Socket;
    const server = net.Server as unknown as () => net.Server;
    t.log(bare() instanceof net.Socket, server() instanceof net.Server);
    await settled(1);
  },

  'lookup: its options, its answer, its errors': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const answers: [string, unknown[]][] = [
      ['good', [null, '127.0.0.1', 4]],
      ['bad address', [null, 'nonsense', 4]],
      ['bad family', [null, '127.0.0.1', 5]],
      ['error', [Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })]],
    ];
    for (const [name, answer] of answers) {
      const lookup = (host: string, options: unknown, cb: (...a: unknown[]) => void): void => {
        t.log(name, host, options);
        process.nextTick(cb, ...answer);
      };
      const c = net.connect({ port, host: 'some.name', family: 4, lookup: lookup as never });
      t.watch('client', c, 'lookup connect error close');
      c.resume();
      await once(c, 'close');
    }
    server.close();
    await once(server, 'close');
  },

  'happy eyeballs: attempts in turn': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const lookup = (_h: string, options: unknown, cb: (...a: unknown[]) => void): void => {
      t.log(options);
      const list = [
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ];
      process.nextTick(cb, null, list);
    };
    const c = net.connect({ port, host: 'two.addresses', lookup: lookup as never });
    t.watch('client', c, 'lookup connectionAttempt connectionAttemptFailed connect error close');
    c.resume();
    await once(c, 'close');
    t.log(
      (c as unknown as { autoSelectFamilyAttemptedAddresses: string[] })
        .autoSelectFamilyAttemptedAddresses,
    );
    server.close();
    await once(server, 'close');
    const d = net.connect({ port, host: 'two.addresses', lookup: lookup as never });
    d.on('error', (e) => {
      t.log(e.constructor.name, (e as NodeJS.ErrnoException).code);
      for (const one of (e as AggregateError).errors) t.log(one);
    });
    await once(d, 'close');
  },

  'localhost by its name': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('here'));
    const port = await listening(server, t);
    const c = net.connect({ port, family: 4 });
    t.watch('client', c, 'lookup connect data close');
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'a large write, backpressure and drain': async ({ net }, t) => {
    let got = 0;
    const server = net.createServer((s) => {
      s.on('data', (d) => {
        got += d.length;
      });
      s.on('end', () => t.log('server got', got));
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.log(c.write(Buffer.alloc(8 << 20), () => t.log('written')));
    t.log(c.bytesWritten, c.writableLength, c.writableNeedDrain);
    c.once('drain', () => {
      t.log('drain', c.writableLength);
      c.end();
    });
    c.resume();
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'writes of every kind and their callbacks in order': async ({ net }, t) => {
    const parts: Buffer[] = [];
    const server = net.createServer((s) => s.on('data', (d) => parts.push(d as Buffer)));
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    c.write('utf8 é', () => t.log('1'));
    c.write('ff00', 'hex', () => t.log('2'));
    c.write('aGk=', 'base64', () => t.log('3'));
    c.write('é', 'latin1', () => t.log('4'));
    c.write(new Uint8Array([1, 2, 3]), () => t.log('5'));
    c.write('', () => t.log('6'));
    attempt(t, 'null', () => c.write(null as unknown as string));
    attempt(t, 'number', () => c.write(7 as unknown as string));
    t.log(c.bytesWritten);
    c.end();
    c.resume();
    await once(c, 'close');
    t.log(Buffer.concat(parts).toString('hex'));
    server.close();
    await once(server, 'close');
  },

  'corked writes': async ({ net }, t) => {
    const parts: Buffer[] = [];
    const server = net.createServer((s) => s.on('data', (d) => parts.push(d as Buffer)));
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    c.cork();
    for (let i = 0; i < 10; i++) c.write(String(i), () => t.log('written', i));
    c.uncork();
    c.end();
    c.resume();
    await once(c, 'close');
    t.log(parts.length, Buffer.concat(parts));
    server.close();
    await once(server, 'close');
  },

  'onread with a static buffer': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('0123456789'));
    const port = await listening(server, t);
    const buffer = Buffer.alloc(4);
    const c = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback: (n, buf) => {
          t.log(n, buf.subarray(0, n), buf === buffer);
          return true;
        },
      },
    });
    t.watch('client', c, 'data end close');
    await once(c, 'close');
    t.log(c.bytesRead);
    server.close();
    await once(server, 'close');
  },

  'onread that stops, and goes on with other buffers': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('0123456789'));
    const port = await listening(server, t);
    const buffers = [3, 2, 4, 5].map((n) => Buffer.alloc(n));
    let given = 0;
    const c = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: () => buffers[given++ % 4] as Buffer,
        callback: (n, buffer) => {
          t.log(n, Buffer.from(buffer.subarray(0, n)));
          setTimeout(() => c.resume(), 5);
          return false;
        },
      },
    });
    t.watch('client', c, 'data end close');
    await once(c, 'close');
    t.log(c.bytesRead);
    server.close();
    await once(server, 'close');
  },

  'readable events and setEncoding': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('žluťoučký'));
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    c.setEncoding('utf8');
    let text = '';
    c.on('readable', () => {
      for (let part = c.read(); part !== null; part = c.read()) text += part;
    });
    await once(c, 'end');
    t.log(text);
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'setNoDelay, setKeepAlive, ref and unref answer the socket': async ({ net }, t) => {
    const server = net.createServer({ noDelay: true, keepAlive: true }, (s) => s.resume());
    const port = await listening(server, t);
    const c = new net.Socket();
    t.log(c.setNoDelay() === c, c.setKeepAlive(true, 1000) === c, c.ref() === c, c.unref() === c);
    c.ref();
    c.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.log(c.setNoDelay(false) === c, c.setKeepAlive(false) === c, c.bufferSize);
    attempt(t, 'timeout', () => c.setTimeout('x' as unknown as number));
    attempt(t, 'negative', () => c.setTimeout(-1));
    attempt(t, 'callback', () => c.setTimeout(10, 'x' as unknown as () => void));
    c.setTimeout(0);
    c.end();
    c.resume();
    await once(c, 'close');
    t.log(c.bufferSize);
    server.close();
    await once(server, 'close');
  },

  'a socket connects a second time': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('x'));
    const port = await listening(server, t);
    const c = new net.Socket();
    t.watch('client', c, 'connect data end close');
    c.connect(port, '127.0.0.1');
    await once(c, 'close');
    c.connect(port, '127.0.0.1');
    await once(c, 'close');
    server.close();
    await once(server, 'close');
  },

  'destroySoon sends what was written': async ({ net }, t) => {
    let got = 0;
    let received: (value: unknown) => void = () => {};
    const all = new Promise((resolve) => {
      received = resolve;
    });
    const server = net.createServer((s) => {
      s.on('data', (d) => {
        got += d.length;
      });
      s.on('close', () => {
        t.log('server got', got);
        received(got);
      });
    });
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    await once(c, 'connect');
    t.watch('client', c, 'finish close error');
    c.write(Buffer.alloc(3 << 20));
    c.destroySoon();
    await once(c, 'close');
    await all;
    server.close();
    await once(server, 'close');
  },

  'localPort in use is a bind error': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const c = net.connect({ port, host: '127.0.0.1', localPort: port, localAddress: '127.0.0.1' });
    t.watch('client', c, 'connect error close');
    await once(c, 'close');
    const d = net.connect({ port, host: '127.0.0.1', localAddress: '192.0.2.1' });
    t.watch('client', d, 'connect error close');
    await once(d, 'close');
    server.close();
    await once(server, 'close');
  },
};
