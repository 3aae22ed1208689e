import { describe, expect, it } from 'vitest';
import { Delivery } from '../../src/node/delivery.ts';

describe('Buffers for what a program reads', () => {
  it.each([
    ['empty', 0],
    ['one octet', 1],
    ['of the shared pool', 1024],
    ['of the arena', 1025],
    ['the largest of the arena', 16_383],
    ['the smallest of its own', 16_384],
    ['a super-segment', 65_483],
    ['two super-segments', 131_072],
    ['larger than an arena', 400_000],
  ])('%s: an equal copy that outlives the source', (_name, len) => {
    const source = new Uint8Array(len + 10).fill(7);
    const chunk = new Delivery().copy(source, 5, len);
    source.fill(9);
    expect(chunk.length).toBe(len);
    expect(chunk.every((octet) => octet === 7)).toBe(true);
  });

  it('never gives the same memory twice', () => {
    const delivery = new Delivery();
    const source = new Uint8Array(70_000);
    const chunks = [];
    for (let i = 0; i < 50; i++) {
      source.fill(i);
      chunks.push(delivery.copy(source, 0, 900 + i * 400));
    }
    chunks.forEach((chunk, i) => {
      expect(chunk.every((octet) => octet === i)).toBe(true);
    });
  });
});
