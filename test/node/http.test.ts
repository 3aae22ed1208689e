// `host.http`, `host.https` and `host.fetch`: Node's modules and Node's fetch, on a host.

import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';

let host: Host;
let site: http.Server;
let secure: net.Server;
let base: string;
let secureBase: string;
const requests: string[] = [];

function answer(req: http.IncomingMessage, res: http.ServerResponse): void {
  requests.push(`${req.method} ${req.url}`);
  if (req.url === '/moved') res.writeHead(302, { location: '/target' }).end();
  else if (req.url === '/drip') {
    res.write('a');
    res.on('close', () => requests.push('/drip closed'));
  } else if (req.url === '/large') res.end(Buffer.alloc(3_000_000, 'x'));
  else if (req.method === 'POST') req.pipe(res);
  else res.setHeader('x-two', ['1', '2']).end(`${req.headers.host} ${req.url}`);
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

beforeAll(async () => {
  host = await createHost();
  site = host.http.createServer(answer);
  base = `http://127.0.0.1:${await listening(site)}`;
  secure = host.https.createServer({ key: KEY, cert: CERT }, answer);
  secureBase = `https://127.0.0.1:${await listening(secure)}`;
});

afterAll(() => host.close({ deadlineMs: 50 }));

async function text(response: http.IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response) body += chunk;
  return body;
}

function got(request: http.ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => text(response).then(resolve, reject)).on('error', reject);
  });
}

describe('host.http', () => {
  test('asks by URL, by options, with and without callback', async () => {
    const { hostname, port } = new URL(base);
    const where = { hostname, port, path: '/b' };
    expect(await got(host.http.get(`${base}/a`))).toContain('/a');
    expect(await got(host.http.get(where))).toContain('/b');
    expect(await got(host.http.get(new URL(`${base}/c`), { headers: { host: 'me' } }))).toBe(
      'me /c',
    );
    const body = await new Promise<string>((resolve) => {
      host.http.request(`${base}/d`, (response) => resolve(text(response))).end();
    });
    expect(body).toContain('/d');
  });

  test('keeps connections alive in its own global agent, and makes new ones with agent: false', async () => {
    const connections: net.Socket[] = [];
    site.on('connection', (socket: net.Socket) => connections.push(socket));
    await got(host.http.get(`${base}/1`));
    const before = connections.length;
    await got(host.http.get(`${base}/2`));
    expect(connections.length).toBe(before);
    await got(host.http.get(`${base}/3`, { agent: false }));
    expect(connections.length).toBe(before + 1);
    expect(host.http.globalAgent).not.toBe(http.globalAgent);
    expect(host.http.STATUS_CODES).toBe(http.STATUS_CODES);
  });

  test('makes servers of Node’s class that the kernel does not know', async () => {
    expect(site).toBeInstanceOf(http.Server);
    const outside = http.get(`${base}/outside`);
    const [error] = (await once(outside, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    const other = new host.http.Server().listen(0, '127.0.0.1');
    await once(other, 'listening');
    other.close();
    await once(other, 'close');
  });
});

test('host.https speaks TLS with names and sessions as node:https', async () => {
  const options = { ca: CERT, servername: 'localhost' };
  expect(await got(host.https.get(`${secureBase}/s`, options))).toContain('/s');
  const refused = host.https.get(`${secureBase}/s`, { agent: new host.https.Agent() });
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
});

describe('host.fetch', () => {
  test('gives status, headers of both kinds and the body', async () => {
    const response = await host.fetch(`${base}/f`);
    expect([response.status, response.headers.get('x-two')]).toEqual([200, '1, 2']);
    expect(await response.text()).toContain('/f');
  });

  test('follows redirects, sends bodies of each kind, takes large ones', async () => {
    expect((await host.fetch(`${base}/moved`)).url).toBe(`${base}/target`);
    const post = async (body: unknown, more: object = {}): Promise<string> =>
      (await host.fetch(`${base}/p`, { method: 'POST', body: body as string, ...more })).text();
    expect(await post('words')).toBe('words');
    expect(await post(new Uint8Array([65, 66]))).toBe('AB');
    expect(await post(new URLSearchParams({ a: '1' }))).toBe('a=1');
    const stream = new Blob(['streamed ', 'body']).stream();
    expect(await post(stream, { duplex: 'half' })).toBe('streamed body');
    const large = await (await host.fetch(`${base}/large`)).arrayBuffer();
    expect(large.byteLength).toBe(3_000_000);
  });

  test('is aborted in the middle of a body, and the server hears of it', async () => {
    const controller = new AbortController();
    const response = await host.fetch(`${base}/drip`, { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect((await reader.read()).value).toEqual(new Uint8Array([97]));
    controller.abort();
    await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' });
    for (let i = 0; i < 1000 && !requests.includes('/drip closed'); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(requests).toContain('/drip closed');
  });

  test('fails as fetch does, with the cause that Node would give', async () => {
    const failed = await host.fetch('http://127.0.0.1:49999/').catch((error: Error) => error);
    expect(failed).toBeInstanceOf(TypeError);
    expect((failed as Error).message).toBe('fetch failed');
    expect((failed as Error).cause).toMatchObject({ code: 'ECONNREFUSED', port: 49999 });
  });
});
