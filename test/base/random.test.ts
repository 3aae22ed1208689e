// Random numbers as an argument: the seeded generator and the draws made of it.

import { describe, expect, test } from 'vitest';
import { below, fraction, type Random, SeededRandom } from '../../src/base/random.ts';

class Fixed implements Random {
  readonly words: number[];
  calls = 0;
  constructor(...words: number[]) {
    this.words = words;
  }
  next(): number {
    this.calls++;
    return this.words[Math.min(this.calls, this.words.length) - 1] as number;
  }
}

describe('the seeded generator', () => {
  test('gives the same numbers for the same seed and others for another', () => {
    const draw = (seed: number): number[] => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 8 }, () => random.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(0)).not.toEqual(draw(1));
  });

  test('every bit is set about half the time', () => {
    const random = new SeededRandom(3);
    const ones = new Array<number>(32).fill(0);
    let whole = true;
    for (let i = 0; i < 20_000; i++) {
      const x = random.next();
      whole &&= x === (x | 0);
      for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] as number) + ((x >>> bit) & 1);
    }
    expect(whole).toBe(true);
    for (const n of ones) expect(Math.abs(n - 10_000)).toBeLessThan(450); // six sigma
  });
});

describe('below', () => {
  test.each([1, 2, 3, 10, 28_232, 2 ** 31])('stays in [0, %d)', (n) => {
    const random = new SeededRandom(9);
    const drawn = Array.from({ length: 2000 }, () => below(random, n));
    expect(drawn.filter((x) => x < 0 || x >= n || !Number.isInteger(x))).toEqual([]);
  });

  test('draws again what would bias the result', () => {
    // 2^32 mod 3 is 1, so 0xffffffff alone is beyond the last whole multiple of 3
    const random = new Fixed(-1, 5);
    expect(below(random, 3)).toBe(2);
    expect(random.calls).toBe(2);
  });

  test('ends even when the source is stuck', () => {
    expect(below(new Fixed(-1), 3)).toBe(0);
  });
});

test('fraction is in [0, 1)', () => {
  expect(fraction(new Fixed(0))).toBe(0);
  expect(fraction(new Fixed(-1))).toBeLessThan(1);
  expect(fraction(new Fixed(-1))).toBeGreaterThan(0.999999);
});
