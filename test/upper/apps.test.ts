// Unmodified programs as processes of their own under `node --import portside/register`: each says
// the same on portside as on the kernel, everything went over portside, and nothing is left open.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CERT, KEY } from '../fixtures/certificate.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MS = 60_000;

interface Outcome {
  code: number | null;
  out: string[];
  err: string;
}

/** Runs a program to its end; the certificate comes by standard input. */
function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: '', PORTSIDE: '', ...env },
    timeout: LIMIT_MS,
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (d) => {
    out += d;
  });
  child.stderr.setEncoding('utf8').on('data', (d) => {
    err += d;
  });
  child.stdin.on('error', () => {}); // a program that does not read it
  child.stdin.end(JSON.stringify({ key: KEY, cert: CERT }));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out: out.trim().split('\n'), err }));
  });
}

const REGISTER = ['--import', 'portside/register'];
const PROBE = ['--import', './test/upper/apps/probe.mjs'];

async function onPortside(app: string, how = REGISTER): Promise<{ said: unknown; count: Count }> {
  const done = await run([...how, ...PROBE, `test/upper/apps/${app}`]);
  expect(done.err).toBe('');
  expect(done.code).toBe(0);
  const [said, count] = done.out.map((line) => JSON.parse(line));
  return { said, count };
}

interface Count {
  tcp: number;
  udp: number;
  left: number;
}

describe('unmodified programs under node --import portside/register', () => {
  // biome-ignore format: a table
  const table: [string, unknown, number, number][] = [
    ['fastify.mjs', [{ hello: 'world', ip: '127.0.0.1' }, { hello: 'again', ip: '127.0.0.1' },
      { n: [1, 2, 3] }], 8, 0],
    ['ws.mjs', ['text hello', 'binary 1000000', 'pong are you there', 'close 4001 enough'], 40, 0],
    ['mail.cjs', [[{ subject: 'on portside', user: 'ann', secure: true, size: true }],
      ['bob@example.org']], 20, 0],
    ['ftp.cjs', [['220', '230', '202', '226', '213'], 300_000], 30, 0],
    ['tracker.cjs', ['start udp 127.0.0.1', 'start http 127.0.0.1', 'udp: complete 0 incomplete 1',
      'http complete 0 incomplete 1'], 8, 4],
  ];
  it.each(table)('%s', { timeout: 2 * LIMIT_MS }, async (app, expected, tcp, udp) => {
    const { said, count } = await onPortside(app);
    expect(said).toEqual(expected);
    expect(count.tcp).toBeGreaterThanOrEqual(tcp);
    expect(count.udp).toBeGreaterThanOrEqual(udp);
    expect(count.left).toBe(0);
  });

  it('a program with --require, on loopback', { timeout: 2 * LIMIT_MS }, async () => {
    const { said } = await onPortside('tracker.cjs', ['--require', 'portside/register']);
    expect(said).toHaveLength(4);
  });

  it('PORTSIDE=off leaves a process alone', { timeout: 2 * LIMIT_MS }, async () => {
    const program = `import('portside/register').then((door) => {
      const { listen } = require('net').Server.prototype;
      console.log(door.host, listen.toString().includes('listenInCluster'));
    });`;
    const done = await run([...REGISTER, '--eval', program], { PORTSIDE: 'off' });
    expect(done.err).toBe('');
    expect(done.out).toEqual(['null true']);
  });

  it('a wrong configuration ends the process before the program starts', {
    timeout: 2 * LIMIT_MS,
  }, async () => {
    const args = [...REGISTER, '--eval', "console.log('started')"];
    const done = await run(args, { PORTSIDE_KERNEL: '10.0.0.0/99' });
    expect(done.code).toBe(1);
    expect(done.out).toEqual(['']);
    expect(done.err).toContain('ERR_PORTSIDE_INVALID_OPTION');
    expect(done.err).toContain("Received '10.0.0.0/99'");
  });
});
