// The real curl against `portside up --http`: large transfers both ways with equal digests.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesDigest, streamBytes } from '../../src/cli/bytes.ts';
import { FULL, Lab, US } from './netns.ts';

const SIZE = FULL ? 1_000_000_000 : 200_000_000;
const EACH = FULL ? 1_000_000_000 : 20_000_000;
const LIMIT_MS = FULL ? 1_200_000 : 300_000;

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Writes the octets of `/bytes/size` to a file without the network. */
async function makeFile(file: string, size: number): Promise<void> {
  const out = createWriteStream(file);
  const written = new Promise<void>((resolve) => out.on('finish', resolve));
  streamBytes(out, 0, size);
  await written;
}

describe('curl and the HTTP service', () => {
  const lab = new Lab();
  const url = `http://${US}`;
  afterAll(() => lab.close());
  beforeAll(async () => {
    await makeFile(join(lab.dir, 'put'), SIZE);
    await lab.up(`${US}/24`, '--http');
  });

  test('any path answers 200, text/plain and hello, world', async () => {
    const curl = await lab.run(['curl', '-sS', '-i', `${url}/any/path?x=1`]);
    expect(curl.out).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(curl.out).toMatch(/^Content-Type: text\/plain\r$/im);
    expect(curl.out).toMatch(/^Content-Length: 12\r$/im);
    expect(curl.out.endsWith('\r\n\r\nhello, world')).toBe(true);
  });

  test('a large GET arrives unchanged', { timeout: LIMIT_MS }, async () => {
    const curl = await lab.sh(`curl -sS -f ${url}/bytes/${SIZE} | sha256sum`, {
      timeoutMs: LIMIT_MS,
    });
    expect(curl.err).toBe('');
    expect(curl.out.split(' ')[0]).toBe(bytesDigest(SIZE));
  });

  test('a large PUT arrives unchanged', { timeout: LIMIT_MS }, async () => {
    const curl = await lab.run(['curl', '-sS', '-f', '-T', join(lab.dir, 'put'), `${url}/sha256`], {
      timeoutMs: LIMIT_MS,
    });
    expect(curl.err).toBe('');
    expect(JSON.parse(curl.out)).toEqual({ bytes: SIZE, sha256: bytesDigest(SIZE) });
  });

  test('ten GETs and ten PUTs at once arrive unchanged', { timeout: 2 * LIMIT_MS }, async () => {
    await makeFile(join(lab.dir, 'each'), EACH);
    const digest = bytesDigest(EACH);
    const jobs: Promise<void>[] = [];
    for (let i = 0; i < 10; i++) {
      jobs.push(
        lab
          .sh(`curl -sS -f ${url}/bytes/${EACH} | sha256sum`, { timeoutMs: 2 * LIMIT_MS })
          .then((get) => expect(`${get.out.split(' ')[0]}${get.err}`).toBe(digest)),
        lab
          .run(['curl', '-sS', '-f', '-T', join(lab.dir, 'each'), `${url}/sha256`], {
            timeoutMs: 2 * LIMIT_MS,
          })
          .then((put) => expect(put.out).toBe(`{"bytes":${EACH},"sha256":"${digest}"}\n`)),
      );
    }
    await Promise.all(jobs);
  });

  test('a range in the middle is exactly that part (RFC 9110 §14.2)', async () => {
    const whole = await lab.sh(
      `curl -sS ${url}/bytes/5000000 | tail -c +1000001 | head -c 70000 | sha256sum`,
    );
    const part = await lab.sh(`curl -sS -f -r 1000000-1069999 ${url}/bytes/5000000 | sha256sum`);
    expect(part.out).toBe(whole.out);
  });

  test('several requests share one connection (RFC 9112 §9.3)', async () => {
    const curl = await lab.run([
      'curl',
      '-sS',
      '-o',
      '/dev/null',
      '-o',
      '/dev/null',
      '-o',
      '/dev/null',
      '-w',
      '%{num_connects}\n',
      `${url}/a`,
      `${url}/b`,
      `${url}/bytes/100000`,
    ]);
    expect(curl.out).toBe('1\n0\n0\n');
  });
});

describe('curl and a directory', () => {
  const lab = new Lab();
  const url = `http://${US}`;
  afterAll(() => lab.close());
  beforeAll(async () => {
    mkdirSync(join(lab.dir, 'www/sub'), { recursive: true });
    writeFileSync(join(lab.dir, 'secret'), 'secret');
    writeFileSync(join(lab.dir, 'www/sub/page.html'), '<p>page</p>');
    await makeFile(join(lab.dir, 'www/big'), 30_000_000);
    await lab.up(`${US}/24`, '--http', join(lab.dir, 'www'));
  });

  test('serves a file, and a broken download goes on where it stopped', async () => {
    const file = join(lab.dir, 'got');
    const first = await lab.run(['curl', '-sS', '-r', '0-9999999', '-o', file, `${url}/big`]);
    expect(first.code).toBe(0);
    const rest = await lab.run(['curl', '-sS', '-f', '-C', '-', '-o', file, `${url}/big`]);
    expect(rest.code).toBe(0);
    expect(await sha256(file)).toBe(bytesDigest(30_000_000));
  });

  test('serves nothing above the directory', async () => {
    for (const path of ['/../secret', '/%2e%2e/secret', '/sub/..%2f..%2fsecret']) {
      const curl = await lab.run([
        'curl',
        '-sS',
        '--path-as-is',
        '-w',
        '%{http_code}',
        '-o',
        '/dev/null',
        `${url}${path}`,
      ]);
      expect(curl.out, path).toBe('404');
    }
  });
});
