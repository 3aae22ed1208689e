// Two real aria2 find each other through an unmodified bittorrent-tracker on portside, by HTTP (BEP 3)
// and by UDP (BEP 15), and one gets a file from the other.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { App, NOTHING } from '../system/app.ts';
import { makeFile, sha256 } from '../system/files.ts';
import { FULL, Lab, US, until } from '../system/netns.ts';

const SIZE = FULL ? 200_000_000 : 5_000_000;
const PIECE = 1 << 18;
const LIMIT_MS = 600_000;

const lab = new Lab();
let app: App;

afterAll(() => lab.close());
beforeAll(async () => {
  app = await App.start(lab, 'tracker.cjs');
});

/** A value in BEP 3's notation; strings in pieces, because hashes are octets. */
function bencode(value: number | string | Buffer | Record<string, unknown>): Buffer {
  if (typeof value === 'number') return Buffer.from(`i${value}e`);
  if (typeof value === 'string') return bencode(Buffer.from(value));
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
  const names = Object.keys(value).sort();
  const inner = names.flatMap((name) => [bencode(name), bencode(value[name] as string)]);
  return Buffer.concat([Buffer.from('d'), ...inner, Buffer.from('e')]);
}

/** A .torrent for one file. */
function torrent(file: string, name: string, announce: string): Buffer {
  const octets = readFileSync(file);
  const pieces: Buffer[] = [];
  for (let at = 0; at < octets.length; at += PIECE) {
    pieces.push(
      createHash('sha1')
        .update(octets.subarray(at, at + PIECE))
        .digest(),
    );
  }
  const info = {
    length: octets.length,
    name,
    'piece length': PIECE,
    pieces: Buffer.concat(pieces),
  };
  return bencode({ announce, info });
}

function aria2(folder: string, port: number, file: string, ...args: string[]): string[] {
  const quiet = ['--no-conf', '--console-log-level=warn', '--summary-interval=0'];
  // Only the tracker tells of peers: neither the local network nor the peers themselves do.
  const alone = ['--bt-enable-lpd=false', '--enable-peer-exchange=false', '--enable-dht6=false'];
  // aria2 asks UDP trackers only with DHT; there is nobody else whom its DHT could ask.
  const dht = ['--enable-dht=true', `--dht-listen-port=${port}`, `--dht-file-path=${folder}/dht`];
  const own = [`--dir=${folder}`, `--listen-port=${port}`, '--check-integrity=true'];
  return ['aria2c', ...quiet, ...alone, ...dht, ...own, ...args, file];
}

describe.each([
  ['HTTP (BEP 3)', `http://${US}:6969/announce`, 'http', 6900],
  ['UDP (BEP 15)', `udp://${US}:6969/announce`, 'udp', 6910],
])('aria2 and bittorrent-tracker by %s', (_name, announce, type, port) => {
  test('a peer gets the file from the one that the tracker names', {
    timeout: LIMIT_MS,
  }, async () => {
    const [seed, leech] = ['seed', 'leech'].map((who) => join(lab.dir, `${type}-${who}`)) as [
      string,
      string,
    ];
    for (const folder of [seed, leech]) mkdirSync(folder);
    const digest = await makeFile(join(seed, 'file'), SIZE);
    const meta = join(lab.dir, `${type}.torrent`);
    writeFileSync(meta, torrent(join(seed, 'file'), 'file', announce));
    const seeder = lab.spawn(aria2(seed, port, meta, '--seed-ratio=0.0', '--bt-seed-unverified'));
    await until('the tracker knows the seed', () =>
      app.lines.some((line) => line.startsWith(`start ${type}`) && line.endsWith(`:${port}`)),
    );
    const got = await lab.run(aria2(leech, port + 1, meta, '--seed-time=0'), {
      timeoutMs: LIMIT_MS,
    });
    expect(got.code, got.out + got.err).toBe(0);
    expect(await sha256(join(leech, 'file'))).toBe(digest);
    const ended = new Promise((resolve) => seeder.once('close', resolve));
    seeder.kill('SIGINT');
    await ended;
    await until(
      'the tracker has heard of both ends',
      () => app.lines.filter((line) => line.startsWith(`stop ${type}`)).length === 2,
    );
  });
});

test('the tracker leaves nothing behind', async () => {
  expect(await app.end()).toEqual(NOTHING);
  expect(app.err).toBe('');
});
