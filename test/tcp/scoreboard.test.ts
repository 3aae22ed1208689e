// Where a SACK block lies among the records of a flight: found by fingers when it is far away.

import { describe, expect, test } from 'vitest';
import { Held, MemoryBudget } from '../../src/base/memory.ts';
import { SeededRandom } from '../../src/base/random.ts';
import * as seq from '../../src/base/seq.ts';
import {
  append,
  join,
  locate,
  NIL,
  remove,
  Scoreboard,
  SegPool,
  split,
} from '../../src/tcp/scoreboard.ts';

/** A flight of `n` records of `octets` each from `first` on. */
function flight(n: number, octets: number, first: number) {
  const memory = new MemoryBudget();
  const p = new SegPool(64, memory);
  const b = new Scoreboard();
  for (let i = 0; i < n; i++) {
    append(p, b, (first + i * octets) | 0, (first + (i + 1) * octets) | 0);
  }
  return { p, b, memory };
}

/** The first record that ends behind `start`, looked for from the front. */
function linear(p: SegPool, b: Scoreboard, start: number): number {
  let i = b.head;
  while (i !== NIL && seq.le(p.end[i] as number, start)) i = p.next[i] as number;
  return i;
}

/** Steps of the dearest of `n` lookups anywhere in a flight, and of all. */
function walks(bed: ReturnType<typeof flight>, n: number, span: number, first: number) {
  const { p, b } = bed;
  const chance = new SeededRandom(9);
  let most = 0;
  const from = b.walked;
  for (let k = 0; k < n; k++) {
    const before = b.walked;
    b.hint = locate(p, b, (first + ((chance.next() >>> 0) % span)) | 0);
    most = Math.max(most, b.walked - before);
  }
  return { most, mean: (b.walked - from) / n };
}

describe('a SACK block is found', () => {
  test('in 4 MB of segments of 48 octets in less than 600 steps, not 87,000 (CVE-2019-11478)', () => {
    const first = -2_000_000;
    const span = 87_000 * 48;
    const bed = flight(87_000, 48, first);
    expect(bed.p.used).toBe(87_000);
    walks(bed, 3000, span, first); // the fingers learn
    const { most, mean } = walks(bed, 3000, span, first);
    expect(most).toBeLessThan(600);
    expect(mean).toBeLessThan(300);
    expect(bed.b.walked).toBeGreaterThan(3000);
  });

  test('in a flight twice as large in about as many steps more as a part has records more', () => {
    const steps = [20_000, 40_000, 80_000].map((n) => {
      const bed = flight(n, 48, 77);
      walks(bed, 3000, n * 48, 77);
      return walks(bed, 3000, n * 48, 77).mean;
    });
    expect(Math.max(...steps)).toBeLessThan(300);
  });

  test('near the last one without fingers: nothing is held for a flight of few records', () => {
    const { p, b } = flight(60, 1448, 1000);
    for (let i = 0; i < 60; i++) expect(locate(p, b, 1000 + i * 1448 + 5)).toBe(i);
    expect([b.fingers, p.fingered]).toEqual([null, 0]);
  });

  test.each([
    ['across the wrap of sequence numbers', -40_000, 5],
    ['across the sign', 0x7fffffff - 30_000, 6],
    ['from zero on', 0, 7],
  ] as const)('where a walk from the front finds it, %s', (_name, first, seed) => {
    const { p, b } = flight(2000, 48, first);
    const chance = new SeededRandom(seed);
    const pick = (n: number): number => (chance.next() >>> 0) % n;
    let top = 2000 * 48;
    let low = 0;
    for (let round = 0; round < 30_000 && b.records > 400; round++) {
      const start = (first + low + pick(top - low)) | 0;
      const i = locate(p, b, start);
      expect(i).toBe(linear(p, b, start));
      b.hint = pick(3) === 0 ? b.head : i;
      const what = pick(8);
      if (i === NIL) continue;
      const length = seq.diff(p.end[i] as number, p.start[i] as number);
      if (what === 0 && p.next[i] !== NIL) join(p, b, i);
      else if (what === 1 && length > 1) {
        split(p, b, i, ((p.start[i] as number) + 1 + pick(length - 1)) | 0);
      } else if (what === 2 && pick(4) === 0) {
        low += seq.diff(p.end[b.head] as number, p.start[b.head] as number);
        remove(p, b, b.head);
      } else if (what === 3 && pick(4) === 0) {
        append(p, b, (first + top) | 0, (first + top + 700) | 0);
        top += 700;
      }
    }
    expect(p.fingered).toBe(1);
  });
});

test('fingers are in the books, and go with the last record', () => {
  const { p, b, memory } = flight(1000, 48, 5);
  expect(memory.held[Held.RECORDS]).toBe(64_000);
  locate(p, b, 5 + 900 * 48);
  expect([p.fingered, memory.held[Held.RECORDS]]).toEqual([1, 64_000 + 4096]);
  while (b.head !== NIL) remove(p, b, b.head);
  expect([p.fingered, memory.held[Held.RECORDS], b.fingers]).toEqual([0, 0, null]);
});
