// The answers of the HTTP service, over Node's own http on the kernel's loopback: what they say does
// not depend on the stack below.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http, { type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesDigest } from '../../src/cli/bytes.ts';
import { answer } from '../../src/cli/http.ts';

interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function serve(directory: string | null): Promise<Server> {
  const server = http.createServer((req, res) => answer(req, res, directory));
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function ask(
  server: Server,
  path: string,
  options: http.RequestOptions = {},
  body?: Buffer,
): Promise<Reply> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const req = http.request({ port, host: '127.0.0.1', path, agent: false, ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => {
        const { statusCode, headers } = res;
        resolve({ status: statusCode ?? 0, headers, body: Buffer.concat(chunks) });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}

describe('without a directory', () => {
  let server: Server;
  beforeAll(async () => {
    server = await serve(null);
  });
  afterAll(() => server.close());

  test.each(['/', '/index.html', '/a/b?c=d', '/bytes', '/bytes/x', '/bytes/-1'])(
    '%s answers 200, text/plain and 12 octets',
    async (path) => {
      const reply = await ask(server, path);
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toBe('text/plain');
      expect(reply.headers['content-length']).toBe('12');
      expect(reply.body.toString()).toBe('hello, world');
    },
  );

  test.each([0, 1, 1_048_573, 5_000_000])('/bytes/%i streams as many octets', async (n) => {
    const reply = await ask(server, `/bytes/${n}`);
    expect(reply.status).toBe(200);
    expect(reply.body.length).toBe(n);
    expect(sha256(reply.body)).toBe(bytesDigest(n));
  });

  test('HEAD tells the length of 100 TB and sends nothing (RFC 9110 §9.3.2)', async () => {
    const reply = await ask(server, '/bytes/100000000000000', { method: 'HEAD' });
    expect(reply.headers['content-length']).toBe('100000000000000');
    expect(reply.body.length).toBe(0);
  });

  test('a range is that part of the whole (RFC 9110 §14.2)', async () => {
    const whole = await ask(server, '/bytes/3000000');
    const part = await ask(server, '/bytes/3000000', {
      headers: { range: 'bytes=1048570-2100000' },
    });
    expect(part.status).toBe(206);
    expect(part.headers['content-range']).toBe('bytes 1048570-2100000/3000000');
    expect(part.body.equals(whole.body.subarray(1048570, 2100001))).toBe(true);
    const none = await ask(server, '/bytes/10', { headers: { range: 'bytes=10-' } });
    expect(none.status).toBe(416);
    expect(none.headers['content-range']).toBe('bytes */10');
  });

  test('PUT and POST below /sha256 answer with the digest of the body', async () => {
    const body = Buffer.from('abc');
    for (const method of ['PUT', 'POST']) {
      const reply = await ask(server, '/sha256/any', { method }, body);
      expect(reply.headers['content-type']).toBe('application/json');
      // FIPS 180-2, appendix B.1
      expect(JSON.parse(reply.body.toString())).toEqual({
        bytes: 3,
        sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      });
    }
  });

  test('PUT anywhere else counts the body', async () => {
    const reply = await ask(server, '/upload', { method: 'PUT' }, Buffer.alloc(3_000_000));
    expect(reply.status).toBe(200);
    expect(reply.headers['x-octets-received']).toBe('3000000');
    expect(reply.body.toString()).toBe('hello, world');
  });

  test('a path that cannot be decoded is a bad request', async () => {
    expect((await ask(server, '/%zz')).status).toBe(400);
  });

  test('a client that goes away in the middle harms nobody', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise<void>((resolve) => {
      const req = http.get({ port, host: '127.0.0.1', path: '/bytes/1000000000', agent: false });
      req.on('response', (res) => res.once('data', () => req.destroy()));
      req.on('error', () => {});
      req.on('close', () => resolve());
    });
    expect((await ask(server, '/')).status).toBe(200);
  });
});

describe('with a directory', () => {
  let server: Server;
  const top = mkdtempSync(join(tmpdir(), 'portside-http-'));
  const root = join(top, 'www');
  beforeAll(async () => {
    mkdirSync(join(root, 'sub dir'), { recursive: true });
    writeFileSync(join(top, 'secret'), 'secret');
    writeFileSync(join(top, 'www-not'), 'sibling');
    writeFileSync(join(root, 'a.txt'), '0123456789');
    writeFileSync(join(root, 'empty'), '');
    writeFileSync(join(root, 'sub dir', 'index.html'), '<p>index</p>');
    mkdirSync(join(root, 'list'));
    writeFileSync(join(root, 'list', '<b>&.txt'), 'x');
    symlinkSync(join(top, 'secret'), join(root, 'link-out'));
    symlinkSync('a.txt', join(root, 'link-in'));
    server = await serve(root);
  });
  afterAll(() => {
    server.close();
    rmSync(top, { recursive: true });
  });

  test('serves a file with its type, length and validators', async () => {
    const reply = await ask(server, '/a.txt');
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(reply.headers['accept-ranges']).toBe('bytes');
    expect(reply.body.toString()).toBe('0123456789');
    const again = await ask(server, '/a.txt', {
      headers: { 'if-none-match': reply.headers.etag as string },
    });
    expect(again.status).toBe(304);
    expect(again.body.length).toBe(0);
    const since = await ask(server, '/a.txt', {
      headers: { 'if-modified-since': reply.headers['last-modified'] as string },
    });
    expect(since.status).toBe(304);
  });

  test('serves ranges, but not of a version that is gone (RFC 9110 §13.1.5)', async () => {
    const part = await ask(server, '/a.txt', { headers: { range: 'bytes=3-5' } });
    expect(part.status).toBe(206);
    expect(part.headers['content-range']).toBe('bytes 3-5/10');
    expect(part.body.toString()).toBe('345');
    const stale = await ask(server, '/a.txt', {
      headers: { range: 'bytes=3-5', 'if-range': '"other"' },
    });
    expect(stale.status).toBe(200);
    expect(stale.body.length).toBe(10);
  });

  const outside = [
    ['the parent', '/../secret'],
    ['the parent, encoded', '/%2e%2e/secret'],
    ['with an encoded slash', '/list/..%2f..%2fsecret'],
    ['a sibling with the same beginning', '/../www-not'],
    ['a link that leads out', '/link-out'],
    ['a NUL', '/a.txt%00.html'],
    ['a file taken for a directory', '/a.txt/x'],
    ['nothing there', '/nothing'],
  ] as const;
  test.each(outside)('answers 404: %s', async (_name, path) => {
    const reply = await ask(server, path);
    expect(reply.status).toBe(404);
    expect(reply.body.toString()).not.toContain('secret');
  });

  test('follows a link that stays inside', async () => {
    expect((await ask(server, '/link-in')).body.toString()).toBe('0123456789');
  });

  test('an empty file is served whole', async () => {
    const reply = await ask(server, '/empty');
    expect(reply.status).toBe(200);
    expect(reply.headers['content-length']).toBe('0');
  });

  test('a directory leads to its slash, its index or a list', async () => {
    const bare = await ask(server, '/sub%20dir');
    expect(bare.status).toBe(301);
    expect(bare.headers.location).toBe('/sub%20dir/');
    expect((await ask(server, '/sub%20dir/')).body.toString()).toBe('<p>index</p>');
    const list = (await ask(server, '/list/')).body.toString();
    expect(list).toContain('<a href="./%3Cb%3E%26.txt">&lt;b&gt;&amp;.txt</a>');
  });

  test('nobody writes', async () => {
    const reply = await ask(server, '/a.txt', { method: 'PUT' }, Buffer.from('x'));
    expect(reply.status).toBe(405);
    expect((await ask(server, '/a.txt')).body.toString()).toBe('0123456789');
  });
});
