// What node:tls, node:https and node:http2 make of a host's sockets.

import * as http2 from 'node:http2';
import * as https from 'node:https';
import type * as net from 'node:net';
import * as tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

let host: Host;

afterEach(async () => {
  await host.close({ deadlineMs: 50 });
});

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** A TLS server that answers every connection with what it got. */
async function echo(): Promise<number> {
  host = await createHost();
  const server = host.net.createServer((raw) => {
    const secure = new tls.TLSSocket(raw, { isServer: true, key: KEY, cert: CERT });
    secure.on('error', () => {});
    secure.pipe(secure);
  });
  return listening(server);
}

async function conversation(socket: tls.TLSSocket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (d) => {
    text += d;
  });
  socket.end('through tls');
  await once(socket, 'end');
  return text;
}

describe('tls', () => {
  it('wraps a socket that is still connecting', async () => {
    const port = await echo();
    const socket = host.net.connect(port, '127.0.0.1');
    const secure = tls.connect({ socket, ca: CERT, servername: 'portside.test' });
    await once(secure, 'secureConnect');
    expect(secure.authorized).toBe(true);
    expect(await conversation(secure)).toBe('through tls');
  });

  it('wraps a socket that is connected already', async () => {
    const port = await echo();
    const socket = host.net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const secure = tls.connect({ socket, ca: CERT, servername: 'portside.test' });
    await once(secure, 'secureConnect');
    expect(await conversation(secure)).toBe('through tls');
  });

  it('moves 5 MB', async () => {
    const port = await echo();
    const socket = host.net.connect(port, '127.0.0.1');
    const secure = tls.connect({ socket, ca: CERT, servername: 'portside.test' });
    let octets = 0;
    secure.on('data', (d) => {
      octets += d.length;
    });
    secure.end(Buffer.alloc(5_000_000));
    await once(secure, 'end');
    expect(octets).toBe(5_000_000);
  });
});

describe('https and http2', () => {
  it('https answers over a wrapped socket', async () => {
    host = await createHost();
    const site = https.createServer({ key: KEY, cert: CERT }, (req, res) => res.end(req.url));
    const server = host.net.createServer((raw) => site.emit('connection', raw));
    const port = await listening(server);
    const socket = host.net.connect(port, '127.0.0.1');
    const text = await new Promise<string>((resolve, reject) => {
      const createConnection = (): tls.TLSSocket =>
        tls.connect({ socket, ca: CERT, servername: 'portside.test' });
      const request = https.get({ host: 'portside.test', path: '/x', createConnection }, (res) => {
        res.on('data', (d) => resolve(String(d)));
      });
      request.on('error', reject);
    });
    expect(text).toBe('/x');
    socket.destroy();
  });

  it('http2 without tls', async () => {
    host = await createHost();
    const site = http2.createServer((req, res) => res.end(`h2 ${req.url}`));
    const server = host.net.createServer((raw) => site.emit('connection', raw));
    const port = await listening(server);
    const session = http2.connect('http://127.0.0.1', {
      createConnection: () => host.net.connect(port, '127.0.0.1'),
    });
    const stream = session.request({ ':path': '/y' });
    let text = '';
    stream.on('data', (d) => {
      text += d;
    });
    await once(stream, 'end');
    expect(text).toBe('h2 /y');
    session.close();
    await once(session, 'close');
  });
});
