// Laws of sequence numbers modulo 2^32.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as seq from '../../src/base/seq.ts';

const number = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 0xffffff00 | 0),
);
/** Distances at which two numbers can be compared at all. */
const near = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe('sequence numbers (RFC 9293 §3.4)', () => {
  test('adding moves a number forward, over the wrap too', () => {
    fc.assert(
      fc.property(number, near, (a, n) => {
        const b = seq.add(a, n);
        expect(seq.diff(b, a)).toBe(n);
        expect(seq.diff(a, b)).toBe(-n);
        expect([seq.lt(a, b), seq.le(a, b), seq.gt(a, b), seq.ge(a, b)]).toEqual([
          true,
          true,
          false,
          false,
        ]);
        expect([seq.lt(b, a), seq.le(b, a), seq.gt(b, a), seq.ge(b, a)]).toEqual([
          false,
          false,
          true,
          true,
        ]);
        expect([seq.max(a, b), seq.min(a, b)]).toEqual([b, a]);
        expect([seq.max(b, a), seq.min(b, a)]).toEqual([b, a]);
      }),
      { numRuns: 2000 },
    );
  });

  test('a number equals itself', () => {
    fc.assert(
      fc.property(number, (a) => {
        expect([seq.lt(a, a), seq.gt(a, a), seq.le(a, a), seq.ge(a, a)]).toEqual([
          false,
          false,
          true,
          true,
        ]);
        expect([seq.max(a, a), seq.min(a, a), seq.diff(a, a)]).toEqual([a, a, 0]);
      }),
    );
  });

  test('the result of add and diff is always an int32', () => {
    fc.assert(
      fc.property(number, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (a, n) => {
        const b = seq.add(a, n);
        expect(b).toBe(b | 0);
        expect(seq.diff(b, a)).toBe(n | 0);
      }),
    );
  });

  // biome-ignore format: a table
  const windows = [
    { name: 'the left edge is inside', s: 100, low: 100, size: 10, inside: true },
    { name: 'the last octet is inside', s: 109, low: 100, size: 10, inside: true },
    { name: 'the right edge is outside', s: 110, low: 100, size: 10, inside: false },
    { name: 'before the left edge is outside', s: 99, low: 100, size: 10, inside: false },
    { name: 'a window of nothing holds nothing', s: 100, low: 100, size: 0, inside: false },
    { name: 'over the wrap', s: 3, low: -5, size: 10, inside: true },
    { name: 'behind a window over the wrap', s: 5, low: -5, size: 10, inside: false },
    { name: 'over the sign', s: -(2 ** 31) + 2, low: 2 ** 31 - 2, size: 10, inside: true },
    { name: 'a window of 2^31', s: 2 ** 31 - 1, low: 0, size: 2 ** 31, inside: true },
  ];
  test.each(windows)('within: $name (RFC 9293 §3.4)', ({ s, low, size, inside }) => {
    expect(seq.within(s, low, size)).toBe(inside);
  });
});
