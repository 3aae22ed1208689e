// A real nginx as the server of our clients: host.http with keep-alive, host.https, host.fetch, undici
// and http2 on a portside host; bodies both ways, chunked ones, ranges, resets, restarts in the middle.

import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import http2 from 'node:http2';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { makeFile, sha256 } from '../system/files.ts';
import { openRows } from '../system/leftovers.ts';
import { FULL, KERNEL, Lab, US, until } from '../system/netns.ts';

const SIZE = FULL ? 500_000_000 : 20_000_000;
const LIMIT_MS = 600_000;
const PLAIN = `http://${KERNEL}`;
const SECURE = `https://${KERNEL}`;

const lab = new Lab();
const www = join(lab.dir, 'www');
const config = join(lab.dir, 'nginx.conf');
let host: Host;
let nginx: ChildProcess;
let digest: string;

const CONFIG = `
daemon off; user root; worker_processes 1; pid ${lab.dir}/pid; error_log ${lab.dir}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off; default_type text/plain; sendfile on; keepalive_requests 100000;
  client_body_temp_path ${lab.dir}/body; proxy_temp_path ${lab.dir}/proxy;
  fastcgi_temp_path ${lab.dir}/f; uwsgi_temp_path ${lab.dir}/u; scgi_temp_path ${lab.dir}/s;
  ssl_certificate ${lab.dir}/cert.pem; ssl_certificate_key ${lab.dir}/key.pem;
  gzip_types text/plain; gzip_min_length 1;
  server {
    listen ${KERNEL}:80; listen ${KERNEL}:443 ssl http2; root ${www};
    client_max_body_size 0; keepalive_timeout 300s;
    location / { add_header X-Connection $connection; }
    location /slow/ { alias ${www}/; limit_rate 3m; }
    location /gzip/ { alias ${www}/; gzip on; }
    location /put/ { dav_methods PUT; create_full_put_path on; }
    location = /echo { return 200 "$request_method $http_x_word $remote_addr"; }
    location = /empty { return 204; }
    location = /moved { return 302 /echo; }
    location = /vanish { return 444; }
    location = /once { keepalive_timeout 0; return 200 once; }
  }
}`;

async function start(): Promise<void> {
  nginx = lab.spawn(['nginx', '-c', config, '-p', lab.dir, '-e', `${lab.dir}/error.log`]);
  await until('nginx listens', async () => {
    const { out } = await lab.run(['ss', '-Hltn', 'src', `${KERNEL}:443`]);
    return out !== '';
  });
}

/** Kills master and workers; the kernel resets what they had open. */
async function kill(): Promise<void> {
  const gone = new Promise((resolve) => nginx.once('close', resolve));
  const { out } = await lab.run(['ip', 'netns', 'pids', lab.name]);
  nginx.kill('SIGKILL');
  for (const pid of out.split('\n').filter(Boolean).map(Number)) {
    if (isNginx(pid)) process.kill(pid, 'SIGKILL');
  }
  await gone;
}

function isNginx(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'nginx';
  } catch {
    return false; // it has just ended
  }
}

beforeAll(async () => {
  for (const folder of [www, join(www, 'put')]) mkdirSync(folder, { recursive: true });
  writeFileSync(config, CONFIG);
  writeFileSync(join(lab.dir, 'cert.pem'), CERT);
  writeFileSync(join(lab.dir, 'key.pem'), KEY);
  writeFileSync(join(www, 'small'), 'small\n');
  writeFileSync(join(www, 'text'), 'a line of text\n'.repeat(100_000));
  digest = await makeFile(join(www, 'big'), SIZE);
  const addresses = [`${US}/24`];
  host = await createHost({ tun: { name: 'ps0', netns: lab.name }, addresses, peer: KERNEL });
  await start();
});

afterAll(async () => {
  await host?.close({ deadlineMs: 100 });
  lab.close();
});

const TRUST = { ca: CERT, servername: 'localhost' };

function get(url: string, options: object = {}): Promise<http.IncomingMessage> {
  const { get: ask } = url.startsWith('https') ? host.https : host.http;
  return new Promise((resolve, reject) => {
    ask(url, { ...TRUST, ...options }, resolve).on('error', reject);
  });
}

async function hashed(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk);
  return hash.digest('hex');
}

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe.each([
  ['http', PLAIN],
  ['https', SECURE],
])('nginx over %s', (scheme, base) => {
  test('five hundred requests on one kept connection', async () => {
    const web = scheme === 'http' ? host.http : host.https;
    const agent = new web.Agent({ keepAlive: true, maxSockets: 1, ...TRUST });
    const connections = new Set<string | string[] | undefined>();
    for (let i = 0; i < 500; i++) {
      const response = await get(`${base}/small`, { agent });
      connections.add(response.headers['x-connection']);
      expect(await text(response)).toBe('small\n');
    }
    expect(connections.size).toBe(1);
    agent.destroy();
  });

  test('a large body arrives unchanged', { timeout: LIMIT_MS }, async () => {
    const response = await get(`${base}/big`);
    expect(response.headers['content-length']).toBe(String(SIZE));
    expect(await hashed(response)).toBe(digest);
  });

  test('a large body is stored unchanged, by length and chunked', {
    timeout: LIMIT_MS,
  }, async () => {
    for (const headers of [{ 'content-length': SIZE }, {}]) {
      const name = `${scheme}-${Object.keys(headers).length}`;
      const web = scheme === 'http' ? host.http : host.https;
      const request = web.request(`${base}/put/${name}`, { method: 'PUT', headers, ...TRUST });
      const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
        request.on('response', resolve).on('error', reject);
      });
      await pipeline(createReadStream(join(www, 'big')), request);
      const response = await answer;
      response.resume();
      expect(response.statusCode).toBe(201);
      expect(await sha256(join(www, 'put', name))).toBe(digest);
    }
  });
});

describe('nginx and fetch', () => {
  test('status, headers, redirect, no content; nginx sees our address', async () => {
    const echo = await host.fetch(`${PLAIN}/moved`, { headers: { 'x-word': 'hello' } });
    expect([echo.url, await echo.text()]).toEqual([`${PLAIN}/echo`, `GET hello ${US}`]);
    expect((await host.fetch(`${PLAIN}/empty`)).status).toBe(204);
    expect((await host.fetch(`${PLAIN}/absent`)).status).toBe(404);
  });

  test('what has not changed is 304, a range is 206 (RFC 9110 §15.4.5, §15.3.7)', async () => {
    const first = await host.fetch(`${PLAIN}/small`);
    const etag = first.headers.get('etag') as string;
    await first.text();
    const headers = { 'if-none-match': etag };
    expect((await host.fetch(`${PLAIN}/small`, { headers })).status).toBe(304);
    const range = { range: 'bytes=1000-1999' };
    const part = await host.fetch(`${PLAIN}/big`, { headers: range });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 1000-1999/${SIZE}`,
    ]);
    const octets = Buffer.from(await part.arrayBuffer());
    expect(octets.equals(readFileSync(join(www, 'big')).subarray(1000, 2000))).toBe(true);
  });

  test('gzip in chunks of unknown length is unpacked', async () => {
    const response = await host.fetch(`${PLAIN}/gzip/text`);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('content-length')).toBeNull();
    expect(await response.text()).toBe('a line of text\n'.repeat(100_000));
  });

  test('a connection that nginx closes without a word is ECONNRESET', async () => {
    const failed = await host.fetch(`${PLAIN}/vanish`).catch((error: Error) => error);
    expect((failed as Error).cause).toMatchObject({ code: 'ECONNRESET' });
  });

  test('a connection that is not kept is opened anew each time', async () => {
    const opened = host.stack.counters.get('TcpActiveOpens');
    for (let i = 0; i < 50; i++) {
      expect(await (await host.fetch(`${PLAIN}/once`)).text()).toBe('once');
    }
    expect(host.stack.counters.get('TcpActiveOpens') - opened).toBeGreaterThanOrEqual(49);
  });

  test('undici over host.net: fifty at once', async () => {
    const connect = (o: { hostname: string; port: string }, done: Done): void => {
      const socket = host.net.connect(Number(o.port || 80), o.hostname);
      socket.once('connect', () => done(null, socket)).once('error', (e) => done(e, null));
    };
    type Done = (error: Error | null, socket: unknown) => void;
    const dispatcher = new Agent({ connect: connect as never, connections: 10 });
    const all = await Promise.all(
      Array.from({ length: 50 }, async () => {
        return (await undiciFetch(`${PLAIN}/small`, { dispatcher })).text();
      }),
    );
    expect(all).toEqual(Array.from({ length: 50 }, () => 'small\n'));
    await dispatcher.close();
  });
});

test('http2 over host.net: a hundred streams of one connection', async () => {
  const socket = tls.connect({
    socket: host.net.connect(443, KERNEL),
    ALPNProtocols: ['h2'],
    ...TRUST,
  });
  const session = http2.connect(SECURE, { createConnection: () => socket });
  const opened = host.stack.counters.get('TcpActiveOpens');
  const all = await Promise.all(
    Array.from({ length: 100 }, () => text(session.request({ ':path': '/small' }))),
  );
  expect(all).toEqual(Array.from({ length: 100 }, () => 'small\n'));
  expect(host.stack.counters.get('TcpActiveOpens') - opened).toBeLessThanOrEqual(1);
  await new Promise<void>((resolve) => session.close(resolve));
});

describe('nginx that restarts', () => {
  test('in order: a body under way comes to its end, new requests are answered', async () => {
    const size = 3_000_000;
    const response = await get(`${PLAIN}/slow/big`, { headers: { range: `bytes=0-${size - 1}` } });
    nginx.kill('SIGHUP');
    const meanwhile = await (await host.fetch(`${PLAIN}/echo`)).text();
    expect(meanwhile).toContain('GET');
    const octets = await hashed(response);
    const whole = readFileSync(join(www, 'big')).subarray(0, size);
    expect(octets).toBe(createHash('sha256').update(whole).digest('hex'));
  });

  test('by kill -9: a body under way is ECONNRESET, then refused, then all is well', async () => {
    const agent = new host.http.Agent({ keepAlive: true });
    await text(await get(`${PLAIN}/small`, { agent }));
    const broken = await get(`${PLAIN}/slow/big`);
    const seen = new Promise((resolve) => broken.once('data', resolve));
    await seen;
    await kill();
    await expect(hashed(broken)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(get(`${PLAIN}/small`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await start();
    expect(await text(await get(`${PLAIN}/small`, { agent }))).toBe('small\n');
    agent.destroy();
  });
});

test('with its agents gone the host has no connection left', async () => {
  host.http.globalAgent.destroy();
  host.https.globalAgent.destroy();
  await until('all connections are gone', () => openRows(host).length === 0);
  await host.close({ deadlineMs: 500 });
  expect(openRows(host)).toEqual([]);
});
