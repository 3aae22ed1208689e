// The examples that need no root, run as anybody would: at most 15 lines of code, and this output.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CERT, KEY } from '../fixtures/certificate.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'portside-examples-'));
writeFileSync(join(folder, 'key.pem'), KEY);
writeFileSync(join(folder, 'cert.pem'), CERT);

afterAll(() => rmSync(folder, { recursive: true }));

function run(args: string[]): Promise<{ out: string; err: string; error: Error | null }> {
  const env = { ...process.env, KEY: join(folder, 'key.pem'), CERT: join(folder, 'cert.pem') };
  const options = { cwd: ROOT, env, timeout: LIMIT_MS };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, out, err) => resolve({ out, err, error }));
  });
}

describe('an example', () => {
  // biome-ignore format: a table
  const table: [string, string[], string][] = [
    ['tcp-echo.mjs', [], 'hello, world\n'],
    ['udp.mjs', [], 'hello over UDP from 10.0.0.2:9\n'],
    ['dns.mjs', [], "10.1.1.1 10.9.9.9\n[ { address: '10.9.9.9', ttl: 60 } ]\n"],
    ['http.mjs', [], 'hello from /a/path\n'],
    ['https.mjs', [], 'secure /hello\n'],
    ['http2.mjs', [], 'h2.0 /hello\n'],
    ['ws.mjs', [], 'hello over ws\n'],
    ['undici.mjs', [], 'fetched /hello\n'],
    ['fastify.mjs', [], '{"hello":"world","ip":"::1"}'],
    ['register.mjs', ['--import', 'portside/register'], 'hello from ::1\n\n'],
  ];
  it.each(table)(
    '%s has at most 15 lines of code and does what it says',
    {
      timeout: 2 * LIMIT_MS,
    },
    async (file, how, expected) => {
      const text = readFileSync(join(ROOT, 'examples', file), 'utf8');
      const code = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
      expect(code.length).toBeLessThanOrEqual(15);
      expect(await run([...how, `examples/${file}`])).toEqual({
        out: expected,
        err: '',
        error: null,
      });
    },
  );
});
