// The real swaks against an unmodified smtp-server on portside (RFC 5321): STARTTLS (RFC 3207), login
// (RFC 4954), pipelining (RFC 2920), large letters, many at once.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CERT } from '../fixtures/certificate.ts';
import { App, NOTHING } from './app.ts';
import { FULL, KERNEL, Lab, type Outcome, US } from './netns.ts';

const ATTACHMENT = FULL ? 10_000_000 : 1_000_000;
const AT_ONCE = FULL ? 50 : 8;

const lab = new Lab();
const attachment = join(lab.dir, 'attachment');
let app: App;

beforeAll(async () => {
  writeFileSync(join(lab.dir, 'cert.pem'), CERT);
  writeFileSync(attachment, Buffer.alloc(ATTACHMENT, 'portside '));
  app = await App.start(lab, 'mail.cjs');
});

afterAll(() => lab.close());

const LOGIN = ['--auth', 'PLAIN', '--auth-user', 'ann', '--auth-password', 'right'];
const SECURE = ['--tls', '--tls-verify', '--tls-ca-path', join(lab.dir, 'cert.pem')];

function swaks(to: string, ...args: string[]): Promise<Outcome> {
  const from = ['--from', 'ann@example.org', '--to', to, '--helo', 'client.example.org'];
  const server = ['--server', US, '--timeout', '120s'];
  return lab.run(['swaks', ...server, ...from, ...args], { env: { HOME: lab.dir } });
}

interface Letter {
  readonly to: string[];
  readonly [key: string]: unknown;
}

function letterTo(to: string): Letter | undefined {
  const letters = app.lines.slice(1).map((line) => JSON.parse(line) as Letter);
  return letters.find((letter) => letter.to[0] === to);
}

describe('swaks and smtp-server', () => {
  test('a letter with STARTTLS and login, the certificate verified', async () => {
    const done = await swaks('bob@example.org', ...SECURE, ...LOGIN);
    expect(done.code, done.out + done.err).toBe(0);
    expect(done.out).toMatch(/=== TLS started with cipher TLSv1\.3/);
    expect(done.out).toMatch(/<~ {2}235 /);
    expect(letterTo('bob@example.org')).toMatchObject({
      ...{ from: 'ann@example.org', user: 'ann', secure: true, peer: KERNEL },
    });
  });

  test('a wrong password is refused, and the session goes on to its end', async () => {
    const login = ['--auth', 'PLAIN', '--auth-user', 'ann', '--auth-password', 'wrong'];
    const done = await swaks('nobody@example.org', ...SECURE, ...login);
    expect(done.code).toBe(28);
    expect(done.out).toMatch(/<~\* 535 /);
    expect(letterTo('nobody@example.org')).toBeUndefined();
  });

  test('an attachment arrives whole, with commands in one write (RFC 2920)', async () => {
    const attach = ['--attach', `@${attachment}`, '--pipeline', '--suppress-data'];
    const done = await swaks('carol@example.org', ...SECURE, ...LOGIN, ...attach);
    expect(done.code, done.out + done.err).toBe(0);
    // base64 makes 4 octets of 3, and a line of 76 characters ends with CRLF.
    const octets = letterTo('carol@example.org')?.['octets'] as number;
    expect(octets).toBeGreaterThan(ATTACHMENT * 1.35);
    expect(octets).toBeLessThan(ATTACHMENT * 1.38 + 2000);
  });

  test('many at once', async () => {
    const names = Array.from({ length: AT_ONCE }, (_, i) => `n${i}@example.org`);
    const done = await Promise.all(names.map((to) => swaks(to, ...SECURE, ...LOGIN)));
    expect(done.map((d) => d.code)).toEqual(names.map(() => 0));
    expect(names.map((to) => letterTo(to)?.['secure'])).toEqual(names.map(() => true));
  });

  test('nothing is left', async () => {
    expect(await app.end()).toEqual(NOTHING);
    expect(app.err).toBe('');
  });
});
