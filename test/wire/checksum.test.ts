import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as checksum from '../../src/wire/checksum.ts';

/** RFC 1071 §4.1, octet by octet, with an end-around carry at each word. */
function reference(octets: ArrayLike<number>, initial = 0): number {
  let s = initial % 0xffff || (initial === 0 ? 0 : 0xffff);
  for (let i = 0; i < octets.length; i += 2) {
    s += ((octets[i] as number) << 8) | (octets[i + 1] ?? 0);
    if (s > 0xffff) s -= 0xffff;
  }
  return s;
}

test('the example of RFC 1071 §3', () => {
  const octets = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  expect(checksum.fold(checksum.sum(octets, 0, 8, 0))).toBe(0xddf2);
  expect(checksum.finish(checksum.sum(octets, 0, 8, 0))).toBe(0x220d);
});

describe('sum agrees with the definition (RFC 1071)', () => {
  test.each([
    0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 66, 127, 1460, 1461, 65_535, 65_536, 65_537, 200_001,
  ])('%i octets of 0xff, and of a pattern, at even and odd places', (len) => {
    for (const off of [0, 1, 2, 3, 5]) {
      const ones = new Uint8Array(len + 8).fill(0xff);
      const mixed = Uint8Array.from({ length: len + 8 }, (_, i) => (i * 131 + (i >> 7)) & 255);
      for (const u8 of [ones, mixed]) {
        const got = checksum.sum(u8, off, len, 0);
        expect(got).toBeLessThan(2 ** 32);
        expect(checksum.fold(got)).toBe(reference(u8.subarray(off, off + len)));
      }
    }
  });

  test('whatever the view on the buffer and the initial sum', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(9),
        fc.integer({ min: 0, max: 0xffffffff }),
        (octets, shift, initial) => {
          const room = new Uint8Array(octets.length + 16);
          const view = room.subarray(shift);
          view.set(octets);
          const got = checksum.fold(checksum.sum(view, 0, octets.length, initial));
          const want = reference(octets, initial);
          // Zero has two forms in ones' complement.
          expect(got % 0xffff).toBe(want % 0xffff);
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
  });

  test('alternating among three buffers', () => {
    const buffers = [1, 2, 3].map((k) => new Uint8Array(200).fill(k));
    for (let i = 0; i < 30; i++) {
      const u8 = buffers[(i * 7) % 3] as Uint8Array;
      expect(checksum.fold(checksum.sum(u8, 0, 200, 0))).toBe(reference(u8));
    }
  });
});

test('runs that start at an odd octet of the whole are swapped (RFC 1071 §2 (B))', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }),
      (first, second) => {
        const whole = Uint8Array.from([...first, ...second]);
        const a = checksum.sum(first, 0, first.length, 0);
        const b = checksum.sum(second, 0, second.length, 0);
        const both = checksum.fold(a) + ((first.length & 1) === 0 ? b : checksum.swap(b));
        expect(checksum.fold(both) % 0xffff).toBe(reference(whole) % 0xffff);
      },
    ),
    { numRuns: 1000, seed: 2 },
  );
});

describe('update (RFC 1624)', () => {
  test('the example of RFC 1624 §4: 0xDD2F, 0x5555 becomes 0x3285', () => {
    expect(checksum.update(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  test('is what summing again gives', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 60 }),
        fc.nat(0xffff),
        fc.nat(29),
        (octets, word, where) => {
          const u8 = Uint8Array.from(octets.length % 2 === 0 ? octets : [...octets, 0]);
          const at = (where % (u8.length / 2)) * 2;
          const before = checksum.finish(checksum.sum(u8, 0, u8.length, 0));
          const old = ((u8[at] as number) << 8) | (u8[at + 1] as number);
          u8[at] = word >>> 8;
          u8[at + 1] = word & 255;
          const after = checksum.finish(checksum.sum(u8, 0, u8.length, 0));
          const updated = checksum.update(before, old, word);
          // All-zero data alone sums to the other zero.
          expect(updated % 0xffff).toBe(after % 0xffff);
          if (u8.some((x) => x !== 0)) expect(updated).toBe(after);
        },
      ),
      { numRuns: 2000, seed: 4 },
    );
  });
});

test('pseudo-headers (RFC 9293 §3.1, RFC 8200 §8.1)', () => {
  const v4 = [192, 0, 2, 1, 198, 51, 100, 7, 0, 17, 0x12, 0x34];
  const got = checksum.pseudo4(0xc0000201 | 0, 0xc6336407 | 0, 17, 0x1234);
  expect(checksum.fold(got)).toBe(reference(v4));
  const pair = {
    src0: 0x20010db8,
    src1: 0,
    src2: 0xffff0000 | 0,
    src3: -1,
    dst0: 0xfe800000 | 0,
    dst1: 0x12345678,
    dst2: 0x9abcdef0 | 0,
    dst3: 1,
  };
  const words = [
    pair.src0,
    pair.src1,
    pair.src2,
    pair.src3,
    pair.dst0,
    pair.dst1,
    pair.dst2,
    pair.dst3,
  ];
  const v6 = words.flatMap((w) => [w >>> 24, (w >>> 16) & 255, (w >>> 8) & 255, w & 255]);
  v6.push(0, 1, 0x86, 0xa0, 0, 0, 0, 6);
  expect(checksum.fold(checksum.pseudo6(pair, 6, 100_000))).toBe(reference(v6));
});
