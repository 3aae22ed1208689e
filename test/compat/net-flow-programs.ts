// Programs for node:net and for a host's net: reading, writing, back-pressure, counting octets.

import type * as net from 'node:net';
import {
  attempt,
  closed,
  closedPort,
  joined,
  listening,
  once,
  type Program,
  settled,
} from './transcript.ts';

/** Everything that comes until the end. */
async function all(s: net.Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of s) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export const flowPrograms: Record<string, Program> = {
  'bytesWritten before connect, by encoding': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.log(c.bytesWritten, c.bytesRead);
    const writes: [string | Uint8Array, BufferEncoding?][] = [
      ['žluť'],
      ['žluť', 'latin1'],
      ['žluť', 'utf16le'],
      ['00ff', 'hex'],
      ['aGVsbG8=', 'base64'],
      [Buffer.from('abc')],
      [new Uint8Array(5)],
    ];
    for (const [data, encoding] of writes) {
      const full = encoding === undefined ? c.write(data) : c.write(data as string, encoding);
      t.log(full, c.bytesWritten, c.writableLength, c.bufferSize);
    }
    await once(c, 'connect');
    t.log(c.bytesWritten);
    c.end('!').resume();
    await once(c, 'close');
    t.log(c.bytesWritten, c.bufferSize);
    await closed(server);
  },

  'bytesRead and bytesWritten stay after close': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.end('0123456789').resume();
    client.write('abc');
    client.resume();
    await once(client, 'close');
    t.log(client.bytesRead, client.bytesWritten);
    if (!peer.destroyed) await once(peer, 'close');
    t.log(peer.bytesRead, peer.bytesWritten);
    await closed(server);
  },

  'bytesRead of both connections of one socket': async ({ net }, t) => {
    const server = net.createServer((s) => s.end('four'));
    const port = await listening(server, t);
    const c = new net.Socket();
    for (let i = 0; i < 2; i++) {
      c.connect(port, '127.0.0.1');
      t.log(c.bytesRead, c.bytesWritten);
      c.resume();
      await once(c, 'close');
      t.log(c.bytesRead, c.bytesWritten);
    }
    await closed(server);
  },

  'every kind of view is written': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    const got = all(peer);
    client.write(new Uint8Array([1, 2]));
    client.write(new Uint8Array([9, 8, 7]).subarray(1));
    client.write(Buffer.from('b'));
    for (const view of [new Uint16Array([1]), new DataView(new ArrayBuffer(1)), [1], {}]) {
      attempt(t, view.constructor.name, () => client.write(view as unknown as string));
    }
    client.end().resume();
    t.log((await got).toString('hex'));
    peer.end();
    await closed(server);
  },

  'strings in every encoding': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    const got = all(peer);
    for (const e of ['utf8', 'ascii', 'latin1', 'binary', 'ucs2', 'utf16le'] as const) {
      client.write('é€x', e);
    }
    client.write('deadbeef', 'hex');
    client.write('__-_', 'base64url');
    attempt(t, 'unknown encoding', () => client.write('x', 'klingon' as BufferEncoding));
    client.setDefaultEncoding('latin1');
    client.write('é');
    client.end().resume();
    t.log((await got).toString('hex'));
    peer.end();
    await closed(server);
  },

  'write refuses what is no data': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.resume();
    for (const bad of [null, undefined, 1, true, 1n, () => {}]) {
      attempt(t, String(bad), () => client.write(bad as unknown as string));
    }
    t.log(client.destroyed, client.writable);
    client.end().resume();
    await once(client, 'close');
    await closed(server);
  },

  'write callbacks once each, in order, with the error at the end': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.pause();
    client.on('error', (e) => t.log('client:error', e.message));
    const chunk = Buffer.alloc(16 << 20);
    for (let i = 0; i < 3; i++) client.write(chunk, (e) => t.log('client:callback', i, e?.message));
    await settled();
    client.destroy(new Error('enough'));
    await once(client, 'close');
    peer.on('error', () => {}).destroy();
    await closed(server);
  },

  'write callbacks at destroy without an error': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.pause();
    client.write(Buffer.alloc(16 << 20), (e) => t.log('client:first', e));
    client.write('more', (e) => t.log('client:second', e));
    client.end((e?: Error) => t.log('client:ended', e));
    await settled();
    client.destroy();
    await once(client, 'close');
    peer.on('error', () => {}).destroy();
    await closed(server);
  },

  'high-water mark, needDrain and drain': async ({ net }, t) => {
    const server = net.createServer((s) => s.resume());
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    t.log(c.writableHighWaterMark, c.readableHighWaterMark);
    const answers: boolean[] = [];
    for (let i = 0; i < 5; i++) answers.push(c.write(Buffer.alloc(5000)));
    t.log(answers, c.writableNeedDrain, c.writableLength);
    await once(c, 'drain');
    t.log(c.writableLength, c.writableNeedDrain);
    c.end().resume();
    await once(c, 'close');
    await closed(server);
  },

  'highWaterMark of a server and of a client': async ({ net }, t) => {
    const options = { highWaterMark: 1000 } as net.ServerOpts;
    const { server, client, peer } = await joined(net, t, options, {
      writableHighWaterMark: 10,
      readableHighWaterMark: 20,
    });
    t.log(peer.writableHighWaterMark, peer.readableHighWaterMark);
    t.log(client.writableHighWaterMark, client.readableHighWaterMark);
    t.log(client.write('123456789'), client.write('0'), client.writableNeedDrain);
    peer.resume();
    client.end().resume();
    await once(client, 'close');
    attempt(t, 'text', () => net.createServer({ highWaterMark: 'x' } as object));
    t.log(
      (net.createServer({ highWaterMark: -1 } as object) as { highWaterMark?: number })
        .highWaterMark,
    );
    await closed(server);
  },

  'a writer that waits for drain': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    let got = 0;
    peer.on('data', (d) => {
      got += d.length;
    });
    peer.on('end', () => t.log('peer:got', got));
    const chunk = Buffer.alloc(100_000);
    let left = 100;
    const pump = (): void => {
      while (left > 0) {
        left--;
        if (!client.write(chunk)) return;
      }
      client.end();
    };
    client.on('drain', pump).resume();
    pump();
    await once(client, 'close');
    t.log(client.bytesWritten);
    await closed(server);
  },

  'five hundred small writes arrive in order': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    const got = all(peer);
    let called = 0;
    for (let i = 0; i < 500; i++) client.write(`${i},`, () => called++);
    client.end().resume();
    const expected = Array.from({ length: 500 }, (_, i) => `${i},`).join('');
    t.log((await got).toString() === expected, called, client.bytesWritten);
    peer.end();
    await closed(server);
  },

  'cork twice, uncork twice': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    const got = all(peer);
    client.cork();
    client.cork();
    client.write('a', () => t.log('client:a'));
    client.write('c3', 'hex', () => t.log('client:c3'));
    client.uncork();
    await settled();
    t.log('client:held', client.writableLength, client.writableCorked, client.bytesWritten);
    client.uncork();
    client.write(Buffer.from('z'), () => t.log('client:z'));
    client.end().resume();
    t.log((await got).toString('latin1'));
    peer.end();
    await closed(server);
  },

  'pipe to oneself is an echo': async ({ net }, t) => {
    const server = net.createServer((s) => s.pipe(s));
    const port = await listening(server, t);
    const c = net.connect(port, '127.0.0.1');
    const sent = Buffer.alloc(1_000_000, 'portside');
    c.end(sent);
    t.log((await all(c)).equals(sent));
    await closed(server);
  },

  'for await sees an error of the connection': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    await settled();
    setImmediate(() => peer.resetAndDestroy());
    try {
      await all(client);
    } catch (error) {
      t.log('client:error', error);
    }
    await closed(server);
  },

  'setEncoding splits no character': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    t.log(client.setEncoding('utf8') === client, client.readableEncoding);
    let text = '';
    client.on('data', (d) => {
      text += typeof d === 'string' ? d : 'no text';
    });
    const octets = Buffer.from('ž€😀');
    for (const octet of octets) {
      peer.write(Buffer.of(octet));
      await settled(5);
    }
    peer.end();
    await once(client, 'close');
    t.log('client:text', text);
    await closed(server);
  },

  'setEncoding hex and base64': async ({ net }, t) => {
    for (const encoding of ['hex', 'base64', 'latin1'] as const) {
      const { server, client, peer } = await joined(net, t);
      client.setEncoding(encoding);
      let text = '';
      client.on('data', (d) => {
        text += d;
      });
      peer.end(Buffer.from([0, 1, 254, 255]));
      await once(client, 'close');
      t.log(encoding, text);
      await closed(server);
    }
  },

  'read(n) and unshift': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.end('0123456789');
    await once(client, 'readable');
    t.log(client.read(3), client.readableLength);
    client.unshift(Buffer.from('back'));
    t.log(client.read(5), client.read(0));
    t.log(client.read());
    client.resume();
    if (!client.destroyed) await once(client, 'close');
    await closed(server);
  },

  'write errors of a socket that was refused': async ({ net }, t) => {
    const port = await closedPort(net, t);
    const c = net.connect(port, '127.0.0.1');
    t.watch('client', c, 'error close');
    c.write('one', (e) => t.log('client:one', e));
    c.write('two', (e) => t.log('client:two', e));
    c.end('three', (e?: Error) => t.log('client:three', e));
    await once(c, 'close');
    await settled();
    t.log(c.bytesWritten, c.writableLength);
  },

  'write to a peer that has reset': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    t.watch('client', client, 'error close end');
    client.resume();
    await settled();
    peer.resetAndDestroy();
    await once(client, 'close');
    t.log(client.write('x', (e) => t.log('client:callback', e)));
    await settled();
    await closed(server);
  },

  'one error for a large write to a peer that is gone': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    let errors = 0;
    peer.on('error', () => {
      errors++;
    });
    client.destroy();
    peer.write(Buffer.alloc(10 << 20));
    await once(peer, 'close');
    t.log('peer:errors', errors);
    await closed(server);
  },

  'no copy is owed after the callback': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, { allowHalfOpen: true });
    const got = all(peer);
    const block = Buffer.alloc(1000, 'a');
    await new Promise<void>((resolve) => client.write(block, () => resolve()));
    block.fill('b');
    client.end(block).resume();
    const text = (await got).toString();
    t.log(text.length, text.indexOf('b'), text.lastIndexOf('a'));
    peer.end();
    await closed(server);
  },
};
