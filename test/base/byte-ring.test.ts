// ByteRing against a plain array of the stream.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteRing } from '../../src/base/byte-ring.ts';

function read(ring: ByteRing, s: number, len: number): number[] {
  const out: number[] = [];
  let at = s;
  for (let pieces = 0; out.length < len && pieces < 4; pieces++) {
    const n = ring.run(at, len - out.length);
    const i = ring.index(at);
    out.push(...ring.memory.subarray(i, i + n));
    at = (at + n) | 0;
  }
  return out;
}

const octets = (from: number, len: number): Uint8Array =>
  Uint8Array.from({ length: len }, (_, i) => (from + i) * 31);

describe('byte rings', () => {
  test('give back what was stored at its sequence number, over growth and the wrap', () => {
    const base = fc.constantFrom(0, -5000, 2 ** 31 - 3000, 4095, 77);
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(base, sizes, fc.integer({ min: 0, max: 100 }), (from, lens, keepPercent) => {
        const ring = new ByteRing();
        let start = 0; // oldest octet still wanted
        let end = 0;
        for (const len of lens) {
          ring.ensure((from + start) | 0, end - start, end - start + len);
          ring.store((from + end) | 0, octets(end, len), 0, len);
          end += len;
          const held = Buffer.from(read(ring, (from + start) | 0, end - start));
          expect(held.equals(octets(start, end - start))).toBe(true);
          start += Math.floor(((end - start) * (100 - keepPercent)) / 100);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('take octets ahead of a hole', () => {
    const ring = new ByteRing();
    ring.ensure(-100, 0, 3000);
    ring.store(1900, octets(2000, 500), 0, 500);
    ring.store(-100, octets(0, 2000), 0, 2000);
    expect(read(ring, -100, 2500)).toEqual([...octets(0, 2500)]);
  });

  test('hold no memory before the first octet and none after release', () => {
    const ring = new ByteRing();
    expect(ring.capacity).toBe(0);
    expect(ring.run(5, 100)).toBe(0);
    ring.ensure(0, 0, 1);
    expect(ring.capacity).toBe(4096);
    ring.ensure(0, 4096, 4097);
    expect(ring.capacity).toBe(8192);
    ring.release();
    expect(ring.capacity).toBe(0);
  });
});
