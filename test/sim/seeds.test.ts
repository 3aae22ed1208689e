// 200 seeds of two hosts on a bad cable: up to 20 % loss each way, bursts, reordering, duplicates,
// late replays, damage. 0 octets lost, duplicated, reordered or wrong; no deadlock; empty pools.

import { describe, expect, test } from 'vitest';
import { type RunResult, runSeed } from '../../src/sim/run.ts';

function shown(r: RunResult): string {
  return `npm run sim -- --seed ${r.seed}\n${r.scenario}\n${r.failures.join('\n')}`;
}

describe('200 seeds: every octet right, no rule of the wire broken, nothing left behind', () => {
  const GROUPS = 20;
  const SEEDS = 10;
  let octets = 0;
  for (let group = 0; group < GROUPS; group++) {
    const first = group * SEEDS + 1;
    test(`seeds ${first} to ${first + SEEDS - 1} (reliability.md 4.1, 4.2)`, () => {
      const failed: string[] = [];
      for (let seed = first; seed < first + SEEDS; seed++) {
        const r = runSeed({ seed });
        octets += r.octets;
        if (r.failures.length > 0) failed.push(shown(r));
      }
      expect(failed.join('\n\n')).toBe('');
    });
  }

  test('the seeds moved data worth the name', () => {
    expect(octets).toBeGreaterThan(20_000_000);
  });
});

test.each([3, 14, 159])('seed %i gives the identical packet trace twice (T0)', (seed) => {
  const one = runSeed({ seed, keepTrace: 1_000_000 });
  const two = runSeed({ seed, keepTrace: 1_000_000 });
  expect(two.trace).toEqual(one.trace);
  expect(two.hash).toBe(one.hash);
  expect(two.packets).toBe(one.packets);
  expect(runSeed({ seed: seed + 1 }).hash).not.toBe(one.hash);
});

test('a clean cable loses nothing and needs no retransmission', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const r = runSeed({ seed, clean: true });
    expect(shown(r)).toBe(`npm run sim -- --seed ${seed}\n${r.scenario}\n`);
    expect(r.gaveUp).toBe(0);
  }
});
