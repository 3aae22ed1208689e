// The timer wheel against a naive model: a map of deadlines.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Deadlines, NEVER } from '../../src/base/deadlines.ts';
import { below, fraction, SeededRandom } from '../../src/base/random.ts';

const DAY_US = 86_400e6;
/** The wheel counts ticks of 256 µs; here its count passes 2^32. */
const WRAP_US = 2 ** 32 * 256;

function sorted(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

function expire(wheel: Deadlines, now: number): number[] {
  const n = wheel.expire(now);
  if (n !== wheel.dueSize) expect.fail('expire() and dueSize differ');
  return sorted(Array.from({ length: n }, (_, i) => wheel.due(i)));
}

function expireModel(model: Map<number, number>, now: number): number[] {
  const due = [...model].filter(([, us]) => us <= now).map(([id]) => id);
  for (const id of due) model.delete(id);
  return sorted(due);
}

/** Delays from nothing to 40 days, evenly over orders of magnitude; some lie in the past. */
function delay(random: SeededRandom): number {
  const kind = below(random, 10);
  if (kind === 0) return -below(random, 1_000_000);
  if (kind === 1) return below(random, 257);
  return Math.floor((40 * DAY_US) ** fraction(random));
}

function randomRun(seed: number, startUs: number, steps: number): void {
  const random = new SeededRandom(seed);
  const wheel = new Deadlines(4);
  const model = new Map<number, number>();
  let now = startUs;
  expect(expire(wheel, now)).toEqual([]);
  for (let i = 0; i < steps; i++) {
    const id = below(random, 40);
    const what = below(random, 10);
    if (what < 5) {
      const us = now + delay(random);
      wheel.set(id, us);
      model.set(id, us);
    } else if (what < 6) {
      wheel.clear(id);
      model.delete(id);
    } else if (what < 7) {
      const us = 1 + below(random, 1 << 30);
      wheel.after(id, us);
      model.set(id, now + us);
    } else {
      if (what < 9) now += Math.floor((12 * DAY_US) ** (fraction(random) * fraction(random)));
      else now = Math.max(now, Math.min(wheel.next(), now + 30 * DAY_US));
      expect(expire(wheel, now)).toEqual(expireModel(model, now));
    }
    const earliest = Math.min(NEVER, ...model.values());
    const right =
      wheel.armed === model.size &&
      wheel.next() <= earliest &&
      wheel.deadline(id) === (model.get(id) ?? NEVER);
    if (!right) expect.fail(`step ${i}: next ${wheel.next()}, earliest ${earliest}`);
  }
}

describe('the timer wheel', () => {
  // biome-ignore format: a table
  const starts = [
    { name: 'from zero', startUs: 0 },
    { name: 'from an odd time', startUs: 1_234_567_891 },
    { name: 'just before 2^31 ticks', startUs: WRAP_US / 2 - 3_000_000 },
    { name: 'just before 2^32 ticks', startUs: WRAP_US - 3_000_000 },
    { name: 'well past 2^32 ticks', startUs: 3 * WRAP_US + 17 },
  ];
  test.each(starts)('agrees with a map of deadlines after random steps $name', ({ startUs }) => {
    for (let seed = 1; seed <= 6; seed++) randomRun(seed, startUs, 400);
  });

  test('agrees with a map of deadlines for any short history', () => {
    const at = fc.integer({ min: 0, max: 70_000_000 });
    const step = fc.record({ id: fc.integer({ min: 0, max: 5 }), at, expire: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const wheel = new Deadlines(8);
        const model = new Map<number, number>();
        let now = 0;
        for (const s of steps) {
          if (s.expire) {
            now = Math.max(now, s.at);
            expect(expire(wheel, now)).toEqual(expireModel(model, now));
          } else {
            wheel.set(s.id, s.at);
            model.set(s.id, s.at);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([1, 300, 70_000, 20_000_000, 5_000_000_000, 2 * WRAP_US])(
    'reaches a deadline %d µs away in a few wakings at next(), never late',
    (delayUs) => {
      const wheel = new Deadlines();
      const now = 987_654_321;
      wheel.expire(now);
      wheel.set(3, now + delayUs);
      let wakings = 0;
      let at = now;
      while (wheel.armed > 0 && wakings < 20) {
        at = wheel.next();
        wheel.expire(at);
        wakings++;
      }
      expect(at).toBe(now + delayUs);
      expect(wakings).toBeLessThanOrEqual(10);
    },
  );

  test('does not fire a deadline a microsecond early', () => {
    const wheel = new Deadlines();
    wheel.set(1, 1000);
    expect(expire(wheel, 999)).toEqual([]);
    expect(expire(wheel, 1000)).toEqual([1]);
    expect(expire(wheel, 2000)).toEqual([]);
  });

  test('a deadline moved later fires once, at its new time', () => {
    const wheel = new Deadlines();
    wheel.set(1, 1000);
    wheel.set(1, 90_000_000);
    expect(expire(wheel, 50_000_000)).toEqual([]);
    expect(expire(wheel, 90_000_000)).toEqual([1]);
  });

  test('a deadline moved earlier fires at its new time', () => {
    const wheel = new Deadlines();
    wheel.set(1, 90_000_000);
    wheel.set(1, 1000);
    expect(wheel.next()).toBeLessThanOrEqual(1000);
    expect(expire(wheel, 1000)).toEqual([1]);
  });

  test('after() counts from the last tick, which expires nothing', () => {
    const wheel = new Deadlines();
    wheel.set(1, 2000);
    wheel.tick(5_000_000);
    wheel.after(2, 1_000_000);
    expect(wheel.deadline(2)).toBe(6_000_000);
    expect(wheel.armed).toBe(2);
    expect(expire(wheel, 5_000_000)).toEqual([1]);
    expect(expire(wheel, 5_999_000)).toEqual([]);
    expect(expire(wheel, 6_000_000)).toEqual([2]);
  });

  test('next() is NEVER when nothing is armed, and clearing twice is harmless', () => {
    const wheel = new Deadlines();
    expect(wheel.next()).toBe(NEVER);
    wheel.set(1, 5);
    wheel.clear(1);
    wheel.clear(1);
    wheel.clear(999);
    expect([wheel.next(), wheel.armed]).toEqual([NEVER, 0]);
  });
});
