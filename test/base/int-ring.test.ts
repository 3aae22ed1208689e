// IntRing against an array.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IntRing } from '../../src/base/int-ring.ts';

describe('int rings', () => {
  test('are a FIFO of int32 values, over growth and wrapping', () => {
    const step = fc.option(fc.integer(), { freq: 2, nil: null });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new IntRing(4);
        const model: number[] = [];
        for (const value of steps) {
          if (value !== null) {
            ring.push(value);
            model.push(value);
          } else if (model.length > 0) expect(ring.shift()).toBe(model.shift());
          expect(ring.size).toBe(model.length);
          model.forEach((want, i) => {
            expect(ring.at(i)).toBe(want);
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  test('shift from an empty ring is a broken invariant, and so is growth over the cap', () => {
    expect(() => new IntRing().shift()).toThrow(/empty/);
    const ring = new IntRing(4, 8);
    for (let i = 0; i < 8; i++) ring.push(i);
    expect(() => ring.push(8)).toThrow(/cap/);
  });

  test('clear forgets everything', () => {
    const ring = new IntRing();
    ring.push(1);
    ring.clear();
    expect(ring.size).toBe(0);
    ring.push(2);
    expect(ring.shift()).toBe(2);
  });
});
