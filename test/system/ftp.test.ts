// The real lftp against an unmodified ftp-srv on portside (RFC 959): a control connection and one for
// each transfer, opened by the client (passive) or by the server (active).

import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { App, NOTHING } from './app.ts';
import { makeFile, sha256 } from './files.ts';
import { FULL, Lab, US } from './netns.ts';

const SIZE = FULL ? 500_000_000 : 10_000_000;
const LIMIT_MS = 600_000;

const lab = new Lab();
const here = join(lab.dir, 'client');
const there = join(lab.dir, 'ftp');
let app: App;
let digest: string;

beforeAll(async () => {
  mkdirSync(here);
  mkdirSync(join(there, 'tree/sub/deep'), { recursive: true });
  for (let i = 0; i < 20; i++) writeFileSync(join(there, `tree/sub/${i}.txt`), `file ${i}\n`);
  writeFileSync(join(there, 'tree/sub/deep/empty'), '');
  await makeFile(join(there, 'tree/large.bin'), 3_000_000);
  digest = await makeFile(join(here, 'up.bin'), SIZE);
  app = await App.start(lab, 'ftp.cjs');
});

afterAll(() => lab.close());

const SETTINGS = [
  ...['net:max-retries 2', 'net:timeout 60', 'xfer:clobber on', 'xfer:use-temp-file off'],
  ...[
    'ftp:use-feat yes',
    'ftp:use-site-utime no',
    'ftp:use-site-utime2 no',
    'ssl:verify-certificate no',
  ],
];

/** Runs commands of lftp in the client's folder; answers what it printed. */
async function lftp(...commands: string[]): Promise<string> {
  const script = [
    ...SETTINGS.map((s) => `set ${s}`),
    ...['set cmd:fail-exit yes', `lcd ${here}`, `open -u anonymous,x ftp://${US}`, ...commands],
  ];
  const done = await lab.run(['lftp', '--norc', '-c', script.join('; ')], {
    timeoutMs: LIMIT_MS,
    env: { HOME: lab.dir },
  });
  expect(`${done.code} ${done.err}`).toBe('0 ');
  return done.out;
}

describe.each([
  ['passive (RFC 959 §3.3)', 'on'],
  ['active: the server connects (RFC 959 §3.2)', 'off'],
])('lftp and ftp-srv, %s', (_name, passive) => {
  const mode = `set ftp:passive-mode ${passive}`;

  test('an upload and a download are equal to the file', { timeout: LIMIT_MS }, async () => {
    await lftp(mode, 'put up.bin -o stored.bin', 'get stored.bin -o down.bin');
    expect(await sha256(join(there, 'stored.bin'))).toBe(digest);
    expect(await sha256(join(here, 'down.bin'))).toBe(digest);
  });

  test('a listing shows what is there', async () => {
    const out = await lftp(mode, 'cls -1 tree/sub');
    const names = [...Array.from({ length: 20 }, (_, i) => `${i}.txt`), 'deep/'];
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.replace('tree/sub/', ''))
        .sort(),
    ).toEqual(names.sort());
  });
});

describe('lftp and ftp-srv', () => {
  test('a download goes on where it stopped (REST, RFC 3659 §5)', async () => {
    const size = Math.floor(SIZE / 3);
    await lftp('get stored.bin -o part.bin');
    truncateSync(join(here, 'part.bin'), size);
    const log = join(lab.dir, 'log');
    await lftp(`debug -o ${log} 5`, 'get -c stored.bin -o part.bin');
    expect(await sha256(join(here, 'part.bin'))).toBe(digest);
    expect(readFileSync(log, 'utf8')).toContain(`REST ${size}`);
  });

  test('mirror brings a tree with six connections at once', async () => {
    await lftp('mirror --parallel=6 tree copy');
    expect(readdirSync(join(here, 'copy/sub')).length).toBe(21);
    for (const file of ['large.bin', 'sub/7.txt', 'sub/deep/empty']) {
      expect(await sha256(join(here, 'copy', file)), file).toBe(
        await sha256(join(there, 'tree', file)),
      );
    }
  });

  test('mirror -R stores a tree', async () => {
    await lftp('mirror -R --parallel=4 copy back');
    expect(readdirSync(join(there, 'back/sub')).sort()).toEqual(
      readdirSync(join(there, 'tree/sub')).sort(),
    );
    expect(await sha256(join(there, 'back/large.bin'))).toBe(
      await sha256(join(there, 'tree/large.bin')),
    );
  });

  test('nothing is left: no connection, no socket after close, nothing that holds the loop', async () => {
    const ending = await app.end();
    // ftp-srv's own: each passive listener looks after itself for 30 s more.
    const resources = ending.resources.filter((name) => name !== 'Timeout');
    expect({ ...ending, resources }).toEqual(NOTHING);
    expect(app.err).toBe('');
  });
});
