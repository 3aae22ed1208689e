// What `register` does for a TLSSocket that connects by itself, and for a Resolver that is told its
// servers: nothing of it touches the kernel.

import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/node/host.ts';
import { register, unregister } from '../../src/node/register.ts';
import { decodeDns } from '../../src/wire/dns-decode.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

let host: Host;
let server: tls.Server;
let port: number;

beforeEach(async () => {
  host = await register();
  server = tls.createServer({ key: KEY, cert: CERT }, (socket) => {
    socket.on('data', (data) => socket.end(`heard ${data}`)).on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as net.AddressInfo);
});

afterEach(async () => {
  server.close();
  await unregister();
});

function peers(): number {
  return host.stack.sockets().filter((s) => s.state === 'ESTAB').length;
}

describe('a TLSSocket that connects by itself', () => {
  it('has a socket of the host beneath, its addresses and its end', async () => {
    const secure = new tls.TLSSocket(undefined as never, {});
    let text = '';
    secure.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    secure.connect(port, '127.0.0.1', () => secure.write('hello'));
    expect(secure.connecting).toBe(true);
    await once(secure, 'connect');
    expect([secure.connecting, secure.remotePort, peers()]).toEqual([false, port, 2]);
    await once(secure, 'close');
    expect(text).toBe('heard hello');
  });

  it('ends with the error of a port on which nobody listens', async () => {
    const secure = new tls.TLSSocket(undefined as never, {});
    secure.connect(1, '127.0.0.1');
    const [error] = (await once(secure, 'error')) as [NodeJS.ErrnoException];
    expect(error.message).toBe('connect ECONNREFUSED 127.0.0.1:1');
  });

  it('tls.connect with onread fills the program’s buffer, and asks for one each time', async () => {
    const pool = [Buffer.alloc(4), Buffer.alloc(4)];
    let asked = 0;
    const heard: string[] = [];
    const onread = {
      buffer: () => pool[asked++ % 2] as Buffer,
      callback: (length: number, buffer: Uint8Array) => {
        heard.push(Buffer.from(buffer.subarray(0, length)).toString());
        return true;
      },
    };
    const options = { port, host: '127.0.0.1', ca: CERT, servername: 'localhost', onread };
    const secure = tls.connect(options as tls.ConnectionOptions, () => secure.write('hello'));
    await once(secure, 'close');
    expect(heard).toEqual(['hear', 'd he', 'llo']);
    // One beforehand, and one for the next read after each.
    expect(asked).toBe(4);
  });
});

describe('a Resolver', () => {
  it('asks servers that the host has a way to over the host, without EDNS as c-ares', async () => {
    const seen: [string, number][] = [];
    const socket = dgram.createSocket('udp4');
    socket.on('message', (message, from) => {
      const question = decodeDns(message, 0, message.length);
      if (typeof question === 'string') return;
      seen.push([question.questions[0]?.name ?? '', question.additionals.length]);
      const reply = Buffer.from(message);
      reply[2] = 0x81;
      reply[3] = 0x83; // NXDOMAIN
      socket.send(reply, from.port, from.address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const resolver = new dns.promises.Resolver();
    resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    await expect(resolver.resolve4('a.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(seen).toEqual([['a.example', 0]]);
    socket.close();
  });

  it('keeps Node’s handle for servers that the host has no way to', () => {
    const resolver = new dns.Resolver() as dns.Resolver & { _handle: object };
    const { _handle } = resolver;
    resolver.setServers(['192.0.2.1']);
    expect(resolver._handle).toBe(_handle);
    expect(resolver.getServers()).toEqual(['192.0.2.1']);
  });
});
