// An unmodified fastify application on a TUN by `node --import portside/register`, and the real curl
// on the kernel's side of it; the same process asks the kernel's side with fetch.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KERNEL, Lab, ROOT, US } from './netns.ts';

const lab = new Lab();
let app: ChildProcess;
let errors = '';

beforeAll(async () => {
  app = spawn(process.execPath, ['--import', 'portside/register', 'test/upper/apps/site.mjs'], {
    cwd: ROOT,
    env: { ...process.env, PORTSIDE: `${US}/24`, PORTSIDE_NETNS: lab.name, PORTSIDE_PEER: KERNEL },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  app.stderr?.setEncoding('utf8').on('data', (d) => {
    errors += d;
  });
  await new Promise<void>((resolve, reject) => {
    app.stdout?.once('data', () => resolve());
    app.once('exit', () => reject(new Error(errors)));
  });
});

afterAll(async () => {
  const gone = new Promise((resolve) => app.once('exit', resolve));
  if (app.kill()) await gone;
  await lab.close();
});

describe('curl and an unmodified fastify application', () => {
  const url = `http://${US}`;

  test('a page: the application sees the kernel’s address', async () => {
    const curl = await lab.run(['curl', '-sS', url]);
    expect(JSON.parse(curl.out)).toEqual({ ip: KERNEL, host: US });
  });

  test('an upload of 20 MB has the same digest there', async () => {
    const body = Buffer.alloc(20_000_000, 'portside');
    const file = join(lab.dir, 'upload');
    writeFileSync(file, body);
    const curl = await lab.run(['curl', '-sS', '-T', file, `${url}/sha256`]);
    expect(curl.out).toBe(createHash('sha256').update(body).digest('hex'));
  });

  test('a download of 50 MB', async () => {
    const out = await lab.sh(`curl -sS ${url}/zeros/50 | wc -c`);
    expect(out.out.trim()).toBe('52428800');
  });

  test('nothing was said on standard error', () => {
    expect(errors).toBe('');
  });
});
