import { describe, expect, it } from 'vitest';
import { Delivery } from '../../src/node/delivery.ts';

describe('Buffers for what a program reads', () => {
  it.each([
    ['empty', 0],
    ['one octet', 1],
    ['of the shared pool', 1024],
    ['of a block', 1025],
    ['a quarter of a block', 16_384],
    ['a super-segment', 65_483],
    ['a whole block', 65_536],
    ['larger than a block', 65_537],
    ['two super-segments', 131_072],
  ])('%s: an equal copy that outlives the source', (_name, len) => {
    const source = new Uint8Array(len + 10).fill(7);
    const chunk = new Delivery().copy(source, 5, len);
    source.fill(9);
    expect(chunk.length).toBe(len);
    expect(chunk.every((octet) => octet === 7)).toBe(true);
  });

  it('gives no memory a second time while anybody sees it, views of views included', () => {
    const delivery = new Delivery();
    const source = new Uint8Array(60_000);
    const views: Uint8Array[] = [];
    // 120 MB pass; the chunks themselves are garbage, and of each tenth one a view is kept.
    for (let i = 0; i < 2000; i++) {
      source.fill(i & 255);
      const chunk = delivery.copy(source, 0, source.length);
      if (i % 10 === 0) views.push(chunk.subarray(100, 40_000).subarray(50, 60));
    }
    for (let i = 0; i < views.length; i++) {
      expect(views[i]).toEqual(Buffer.alloc(10, (i * 10) & 255));
    }
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
