// HalfSipHash-2-4 against the reference implementation's published vectors, and the flow hash's
// spread.

import { describe, expect, test } from 'vitest';
import { FlowHash, mix, SipKey, sipHash } from '../../src/base/hash.ts';
import { type Random, SeededRandom } from '../../src/base/random.ts';

/** Hands out the given words. */
class Fixed implements Random {
  readonly words: number[];
  constructor(...words: number[]) {
    this.words = words;
  }
  next(): number {
    return this.words.shift() ?? 0;
  }
}

/** Key octets 00 01 … 07 and message octets 00 01 … as little-endian words. */
const KEY = (): SipKey => new SipKey(new Fixed(0x03020100, 0x07060504));
const MESSAGE = Int32Array.from([
  0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514,
]);

describe('HalfSipHash-2-4', () => {
  // biome-ignore format: a table
  const vectors = [
    { words: 0, octets: [0xa9, 0x35, 0x9f, 0x5b] },
    { words: 1, octets: [0x2a, 0x6e, 0x46, 0x89] },
    { words: 2, octets: [0xd0, 0xb8, 0x84, 0x8f] },
    { words: 3, octets: [0x57, 0xf0, 0x87, 0x2f] },
    { words: 4, octets: [0xd9, 0xb5, 0xac, 0x84] },
    { words: 5, octets: [0xe3, 0x4d, 0x10, 0x45] },
    { words: 6, octets: [0x27, 0x40, 0x0c, 0x63] },
  ];
  test.each(vectors)('of $words words is the published one', ({ words, octets }) => {
    const got = sipHash(KEY(), MESSAGE, words);
    const want = new DataView(Uint8Array.from(octets).buffer).getInt32(0, true);
    expect(got).toBe(want);
  });

  test('depends on every bit of key and message', () => {
    const base = sipHash(KEY(), MESSAGE, 6);
    for (let bit = 0; bit < 32; bit++) {
      expect(
        sipHash(new SipKey(new Fixed(0x03020100 ^ (1 << bit), 0x07060504)), MESSAGE, 6),
      ).not.toBe(base);
      for (let w = 0; w < 6; w++) {
        const other = MESSAGE.slice();
        other[w] = (other[w] as number) ^ (1 << bit);
        expect(sipHash(KEY(), other, 6)).not.toBe(base);
      }
    }
  });
});

describe('the flow hash', () => {
  test('spreads counters, strides and bit patterns evenly (chi-square)', () => {
    const key = new FlowHash(new SeededRandom(5));
    const inputs: [string, (i: number) => number][] = [
      ['counter', (i) => i],
      ['stride of 2^16', (i) => i << 16],
      ['stride of 2^8 + 1', (i) => Math.imul(i, 257)],
      ['high bit set', (i) => i | 0x8000_0000],
    ];
    for (const [name, input] of inputs) {
      const buckets = new Float64Array(256);
      for (let i = 0; i < 1 << 16; i++) {
        const b = mix(mix(key.k0, input(i), key.k1), 0x1234_5678, key.k2) & 255;
        buckets[b] = (buckets[b] as number) + 1;
      }
      let chi = 0;
      for (const n of buckets) chi += (n - 256) ** 2 / 256;
      // 255 degrees of freedom: 350 has a chance below 1 in 10,000
      expect(chi, name).toBeLessThan(350);
    }
  });

  test('two keys disagree on which inputs share a bucket', () => {
    const a = new FlowHash(new SeededRandom(1));
    const b = new FlowHash(new SeededRandom(2));
    const bucket = (k: FlowHash, i: number): number => mix(k.k0, i, k.k1) & 1023;
    const target = bucket(a, 0);
    const colliding = Array.from({ length: 1 << 18 }, (_, i) => i).filter(
      (i) => bucket(a, i) === target,
    );
    expect(colliding.length).toBeGreaterThan(100);
    expect(new Set(colliding.map((i) => bucket(b, i))).size).toBeGreaterThan(colliding.length / 3);
  });
});
