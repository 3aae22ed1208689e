// The real curl against node:http2 over TLS on a portside host: HTTP/2 by ALPN, HTTP/1.1 on the same
// port, h2c by prior knowledge; large bodies both ways, ranges, many streams of one connection.

import { createWriteStream, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesDigest, streamBytes } from '../../src/cli/bytes.ts';
import { answer } from '../../src/cli/http.ts';
import { createHost, type Host } from '../../src/node/host.ts';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { openRows } from './leftovers.ts';
import { FULL, Lab, US, until } from './netns.ts';

const SIZE = FULL ? 1_000_000_000 : 30_000_000;
const LIMIT_MS = FULL ? 1_200_000 : 300_000;
const NAME = 'portside.test';

const lab = new Lab();
const cert = join(lab.dir, 'cert.pem');
const file = join(lab.dir, 'put');
let host: Host;
let sessions = 0;

beforeAll(async () => {
  writeFileSync(cert, CERT);
  await new Promise<void>((resolve) => {
    const out = createWriteStream(file).on('finish', resolve);
    streamBytes(out, 0, SIZE);
  });
  host = await createHost({ tun: { name: 'ps0', netns: lab.name }, addresses: [`${US}/24`] });
  // Nothing here is asked that the request and response of node:http2 do not have.
  const serve = (req: unknown, res: unknown): void =>
    answer(req as IncomingMessage, res as ServerResponse, null);
  const secure = http2.createSecureServer({ key: KEY, cert: CERT, allowHTTP1: true }, serve);
  const plain = http2.createServer(serve);
  for (const site of [secure, plain]) site.on('session', () => sessions++);
  for (const [port, site] of [[443, secure] as const, [80, plain] as const]) {
    const server = host.net.createServer((socket) => site.emit('connection', socket));
    await new Promise<void>((resolve) => server.listen(port, US, resolve));
  }
});

afterAll(async () => {
  await host?.close({ deadlineMs: 100 });
  lab.close();
});

function curl(...args: string[]): string[] {
  const common = ['-sS', '-f', '--cacert', cert, '--resolve', `${NAME}:443:${US}`];
  return ['curl', ...common, ...args];
}

async function said(...args: string[]): Promise<string> {
  const done = await lab.run(curl(...args), { timeoutMs: LIMIT_MS });
  expect(done.err).toBe('');
  expect(done.code).toBe(0);
  return done.out;
}

async function digest(...args: string[]): Promise<string> {
  const command = curl(...args).join(' ');
  const done = await lab.sh(`${command} | sha256sum`, { timeoutMs: LIMIT_MS });
  expect(done.err).toBe('');
  return done.out.split(' ')[0] as string;
}

describe('curl and node:http2 on portside', () => {
  const shown = ['-o', '/dev/null', '-w', '%{http_version} %{http_code} %{ssl_verify_result}'];
  // biome-ignore format: a table
  const table: [string, string[], string][] = [
    ['HTTP/2 by ALPN (RFC 9113 §3.2)', ['--http2', `https://${NAME}/`], '2 200 0'],
    ['HTTP/1.1 on the same port', ['--http1.1', `https://${NAME}/`], '1.1 200 0'],
    ['h2c by prior knowledge (RFC 9113 §3.3)', ['--http2-prior-knowledge', `http://${US}/`],
      '2 200 0'],
  ];
  test.each(table)('%s', async (_name, args, expected) => {
    expect(await said(...shown, ...args)).toBe(expected);
  });

  test('a large GET over h2 arrives unchanged', { timeout: LIMIT_MS }, async () => {
    const got = await digest('--http2', `https://${NAME}/bytes/${SIZE}`);
    expect(got).toBe(bytesDigest(SIZE));
  });

  test('a large PUT over h2 arrives unchanged', { timeout: LIMIT_MS }, async () => {
    const got = await said('--http2', '-T', file, `https://${NAME}/sha256`);
    expect(JSON.parse(got)).toEqual({ bytes: SIZE, sha256: bytesDigest(SIZE) });
  });

  test('a range over h2 is exactly that part (RFC 9110 §14.2)', async () => {
    const whole = curl('--http2', `https://${NAME}/bytes/5000000`).join(' ');
    const cut = await lab.sh(`${whole} | tail -c +1000001 | head -c 70000 | sha256sum`);
    const part = await digest('--http2', '-r', '1000000-1069999', `https://${NAME}/bytes/5000000`);
    expect(part).toBe(cut.out.split(' ')[0]);
    const code = ['-o', '/dev/null', '-w', '%{http_code} %header{content-range}'];
    expect(await said(...code, '-r', '10-19', `https://${NAME}/bytes/100`)).toBe(
      '206 bytes 10-19/100',
    );
  });

  test('forty transfers at once are streams of one connection (RFC 9113 §5)', async () => {
    const before = sessions;
    const each = FULL ? 5_000_000 : 500_000;
    const many = [
      '--no-progress-meter',
      '--parallel',
      '--parallel-max',
      '40',
      '--fail-early',
      '-w',
      '%{size_download}\n',
    ];
    const outputs = Array.from({ length: 40 }, () => ['-o', '/dev/null']).flat();
    const urls = Array.from({ length: 40 }, (_, i) => `https://${NAME}/bytes/${each}?${i}`);
    const out = await said('--http2', ...many, ...outputs, ...urls);
    expect(out).toBe(`${each}\n`.repeat(40));
    expect(sessions - before).toBe(1);
  });

  test('a curl that is killed in the middle of a body leaves nothing behind', async () => {
    const child = lab.spawn(
      curl('--http2', '--limit-rate', '100k', `https://${NAME}/bytes/${1e9}`),
    );
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGKILL');
    await until('its connection is gone', () => openRows(host).length === 0);
  });
});
