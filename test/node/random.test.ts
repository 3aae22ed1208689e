import { expect, it } from 'vitest';
import { SystemRandom } from '../../src/node/random.ts';

it('gives int32 words that do not repeat over several pools', () => {
  const random = new SystemRandom();
  const seen = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const word = random.next();
    expect(word).toBe(word | 0);
    seen.add(word);
  }
  // 5000 words of 2^32: a repetition has a chance of 0.3 %, three of them of nearly none.
  expect(seen.size).toBeGreaterThan(4997);
});

it('differs between two sources', () => {
  const a = new SystemRandom();
  const b = new SystemRandom();
  const words = (r: SystemRandom): number[] => Array.from({ length: 8 }, () => r.next());
  expect(words(a)).not.toEqual(words(b));
});
