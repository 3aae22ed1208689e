// ab and wrk against `portside up --http`: many requests, one after the other and many at once.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FULL, Lab, US } from './netns.ts';

describe('many HTTP requests', () => {
  const lab = new Lab();
  const url = `http://${US}/`;
  afterAll(() => lab.close());
  beforeAll(async () => {
    await lab.up(`${US}/24`, '--http');
  });

  function expectClean(out: string, n: number): void {
    expect(out).toMatch(new RegExp(`Complete requests:\\s+${n}\\n`));
    expect(out).toMatch(/Failed requests:\s+0\n/);
    expect(out).not.toMatch(/Write errors|Non-2xx/);
  }

  test('1,000 requests one after the other, a connection each', async () => {
    const ab = await lab.run(['ab', '-q', '-s', '120', '-n', '1000', '-c', '1', url]);
    expect(ab.code, ab.err).toBe(0);
    expectClean(ab.out, 1000);
  });

  test('200 at once, a connection each', async () => {
    const n = FULL ? 50_000 : 5000;
    const ab = await lab.run(['ab', '-q', '-s', '120', '-n', String(n), '-c', '200', url]);
    expect(ab.code, ab.err).toBe(0);
    expectClean(ab.out, n);
  });

  test('200 connections kept alive', async () => {
    const seconds = FULL ? 20 : 3;
    const wrk = await lab.run([
      'wrk',
      '-t',
      '1',
      '-c',
      '200',
      '-d',
      `${seconds}s`,
      '--timeout',
      '60s',
      url,
    ]);
    expect(wrk.code, wrk.err).toBe(0);
    expect(wrk.out).not.toContain('Socket errors');
    expect(wrk.out).not.toContain('Non-2xx');
    expect(Number(/(\d+) requests in/.exec(wrk.out)?.[1])).toBeGreaterThan(200);
  });
});
