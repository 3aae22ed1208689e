// `portside bench` as a user runs it, so short that its figures say nothing: every cell is measured
// on every contestant, and nothing is left behind.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, PORTSIDE } from './netns.ts';

let lab: Lab;
beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab?.close());

interface Row {
  cell: string;
  via: string;
  rate: number;
  ratio: number | null;
}

const SHORT = ['--rounds', '1', '--seconds', '0.2', '--warm', '0.1'];

describe('portside bench', () => {
  test('measures every cell through Node, net and the core, and writes them down', async () => {
    const out = join(lab.dir, 'bench.json');
    const chart = join(lab.dir, 'bench.html');
    const words = ['bench', ...SHORT, '--json', '--out', out, '--chart', chart];
    const run = await lab.runOutside([...PORTSIDE, ...words], { timeoutMs: 300_000 });
    expect(run.err).toBe('');
    expect(run.code).toBe(0);
    const lines = run.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { median?: Row });
    const rows = lines.flatMap((line) => (line.median === undefined ? [] : [line.median]));
    const named = rows.map((r) => `${r.cell} ${r.via}`);
    const cells = ['in', 'out', 'in8', 'out8', 'rr1', 'rr64', 'http', 'crr'];
    cells.push('udp', 'udp-in', 'udp-out');
    const expected = cells.flatMap((cell) => {
      const vias = cell === 'http' ? ['node', 'net'] : ['node', 'net', 'core'];
      return vias.map((via) => `${cell} ${via}`);
    });
    expect(named).toEqual(expected);
    for (const row of rows) {
      expect(row.rate, `${row.cell} ${row.via}`).toBeGreaterThan(0);
      expect(row.ratio, `${row.cell} ${row.via}`).toBeGreaterThan(0);
    }
    expect((JSON.parse(readFileSync(out, 'utf8')) as { rows: Row[] }).rows).toHaveLength(32);
    expect(readFileSync(chart, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<svg [\s\S]*rr64 core/);
    const left = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
    expect(left).not.toMatch(/portside-bench-/);
  });

  test.each([
    ['an unknown cell', ['fast'], /there is no cell 'fast'/],
    ['no rounds', ['rr1', '--rounds', '0'], /--rounds: '0' is not a number/],
    ['an unknown way', ['rr1', '--via', 'tcp'], /--via: 'tcp' is none of node, net, core/],
  ])('refuses %s', async (_name, words, message) => {
    const run = await lab.runOutside([...PORTSIDE, 'bench', ...words]);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(message);
  });
});
