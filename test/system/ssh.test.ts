// OpenSSH's scp, sftp and ssh against an unmodified ssh2 server on portside (RFC 4253, 4254): files both
// ways, commands with standard input and exit codes, channels of one connection, rekeying.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { App, NOTHING } from './app.ts';
import { makeFile, sha256 } from './files.ts';
import { FULL, Lab, type RunOptions, US } from './netns.ts';

const SIZE = FULL ? 200_000_000 : 5_000_000;
const LIMIT_MS = 600_000;

const lab = new Lab();
const here = join(lab.dir, 'client');
const there = join(lab.dir, 'ssh');
let app: App;
let digest: string;

beforeAll(async () => {
  for (const folder of [here, join(there, 'tree')]) mkdirSync(folder, { recursive: true });
  for (let i = 0; i < 10; i++) writeFileSync(join(there, 'tree', `${i}.txt`), `file ${i}\n`);
  digest = await makeFile(join(here, 'up.bin'), SIZE);
  for (const name of ['user', 'host']) {
    const file = join(lab.dir, name);
    await lab.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
  }
  const key = readFileSync(join(lab.dir, 'host.pub'), 'utf8');
  writeFileSync(join(lab.dir, 'known'), `${US} ${key}`);
  app = await App.start(lab, 'ssh.cjs');
});

afterAll(() => lab.close());

const OPTIONS = [
  ...['-F', '/dev/null', '-i', join(lab.dir, 'user'), '-o', 'BatchMode=yes'],
  ...['-o', `UserKnownHostsFile=${join(lab.dir, 'known')}`, '-o', 'StrictHostKeyChecking=yes'],
  ...['-o', 'IdentitiesOnly=yes', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=60'],
];

async function said(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const done = await lab.run([program, ...OPTIONS, ...args], { timeoutMs: LIMIT_MS, ...options });
  expect(`${done.code} ${done.err}`).toBe('0 ');
  return done.out;
}

describe('OpenSSH and an ssh2 server', () => {
  test('scp brings a file up and down, unchanged', { timeout: LIMIT_MS }, async () => {
    await said('scp', [join(here, 'up.bin'), `ann@${US}:stored.bin`]);
    expect(await sha256(join(there, 'stored.bin'))).toBe(digest);
    await said('scp', [`ann@${US}:stored.bin`, join(here, 'down.bin')]);
    expect(await sha256(join(here, 'down.bin'))).toBe(digest);
  });

  test('sftp: folders, listings, up and down in one session', async () => {
    const commands = [
      ...[`lcd ${here}`, 'mkdir made', 'put up.bin made/a', 'ls -1 made'],
      ...['get -r tree', 'rm made/a', 'ls -1 made', 'bye'],
    ];
    const out = await said('sftp', ['-q', '-b', '-', `ann@${US}`], { input: commands.join('\n') });
    const lines = out.split('\n').filter((line) => !line.startsWith('sftp>') && line !== '');
    expect(lines.filter((line) => line.includes('made/'))).toEqual(['made/a']);
    expect(readdirSync(join(here, 'tree')).length).toBe(10);
    expect(readFileSync(join(here, 'tree/7.txt'), 'utf8')).toBe('file 7\n');
    expect(readdirSync(join(there, 'made'))).toEqual([]);
  });

  test('a command reads standard input to its end, and its exit code comes back', async () => {
    const input = readFileSync(join(here, 'up.bin')).subarray(0, 3_000_000);
    writeFileSync(join(here, 'input'), input);
    const out = await said('ssh', [`ann@${US}`, 'sha256'], { input });
    expect(out).toBe(await sha256(join(here, 'input')));
    const done = await lab.run(['ssh', ...OPTIONS, `ann@${US}`, 'exit 7']);
    expect(done.code).toBe(7);
  });

  test('new keys in the middle of a transfer (RFC 4253 §9)', async () => {
    await said('scp', ['-o', 'RekeyLimit=1M', join(here, 'up.bin'), `ann@${US}:again.bin`]);
    expect(await sha256(join(there, 'again.bin'))).toBe(digest);
  });

  test('another key is refused', async () => {
    const file = join(lab.dir, 'other');
    await lab.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file]);
    const options = OPTIONS.map((option) => (option === join(lab.dir, 'user') ? file : option));
    const done = await lab.run(['ssh', ...options, `ann@${US}`, 'exit 0']);
    expect(done.code).toBe(255);
    expect(done.err).toContain('Permission denied');
  });

  test('six sessions at once', async () => {
    const files = Array.from({ length: 6 }, (_, i) => join(here, `at-once-${i}`));
    await Promise.all(files.map((file) => said('scp', [`ann@${US}:stored.bin`, file])));
    for (const file of files) expect(await sha256(file)).toBe(digest);
  });

  test('nothing is left', async () => {
    expect(await app.end()).toEqual(NOTHING);
    expect(app.err).toBe('');
  });
});
