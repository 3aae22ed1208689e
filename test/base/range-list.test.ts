// RangeList against a model that marks octets one by one.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RangeList } from '../../src/base/range-list.ts';

const SPACE = 64;

class Model {
  readonly octets = new Array<boolean>(SPACE + 1).fill(false);
  insert(start: number, end: number): void {
    this.octets.fill(true, start, end);
  }
  dropBefore(s: number): void {
    this.octets.fill(false, 0, s);
  }
  ranges(): [number, number][] {
    const found: [number, number][] = [];
    for (let i = 0; i < SPACE; i++) {
      if (this.octets[i] && !this.octets[i - 1]) found.push([i, i]);
      if (this.octets[i]) (found[found.length - 1] as [number, number])[1] = i + 1;
    }
    return found;
  }
}

function contents(list: RangeList, base: number): [number, number][] {
  return Array.from({ length: list.size }, (_, i) => [
    (list.start(i) - base) | 0,
    (list.end(i) - base) | 0,
  ]);
}

const range = fc
  .tuple(fc.integer({ min: 0, max: SPACE - 1 }), fc.integer({ min: 1, max: 12 }))
  .map(([start, len]): [number, number] => [start, Math.min(SPACE, start + len)]);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('insert' as const), range }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('dropBefore' as const),
      range: fc.integer({ min: 0, max: SPACE }).map((s): [number, number] => [s, s]),
    }),
  },
);
/** Bases at which the space crosses the sign or the wrap. */
const base = fc.constantFrom(0, -32, 2 ** 31 - 32, 12_345);

describe('range lists', () => {
  test('hold exactly the octets that were put in, sorted, disjoint and merged', () => {
    fc.assert(
      fc.property(base, fc.array(step, { maxLength: 40 }), (from, steps) => {
        const list = new RangeList(64);
        const model = new Model();
        for (const { do: what, range: r } of steps) {
          const [start, end] = r;
          if (what === 'dropBefore') {
            list.dropBefore((from + start) | 0);
            model.dropBefore(start);
          } else {
            const at = list.insert((from + start) | 0, (from + end) | 0);
            model.insert(start, end);
            const [gotStart, gotEnd] = contents(list, from)[at] as [number, number];
            expect(gotStart <= start && end <= gotEnd).toBe(true);
          }
          expect(contents(list, from)).toEqual(model.ranges());
        }
      }),
      { numRuns: 400 },
    );
  });

  test('covers() is true for held octets only', () => {
    fc.assert(
      fc.property(base, fc.array(range, { maxLength: 12 }), range, (from, ranges, [s, e]) => {
        const list = new RangeList(64);
        const model = new Model();
        for (const [start, end] of ranges) {
          list.insert((from + start) | 0, (from + end) | 0);
          model.insert(start, end);
        }
        const held = model.octets.slice(s, e).every((octet) => octet);
        expect(list.covers((from + s) | 0, (from + e) | 0)).toBe(held);
      }),
      { numRuns: 400 },
    );
  });

  test('refuse a range beyond the cap, and still merge into those they hold', () => {
    const list = new RangeList(2);
    expect(list.insert(10, 20)).toBe(0);
    expect(list.insert(30, 40)).toBe(1);
    expect(list.insert(50, 60)).toBe(-1);
    expect(contents(list, 0)).toEqual([
      [10, 20],
      [30, 40],
    ]);
    expect(list.insert(20, 30)).toBe(0);
    expect(contents(list, 0)).toEqual([[10, 40]]);
    expect(list.insert(50, 60)).toBe(1);
  });

  test('dropFrom forgets what lies behind a number and cuts what lies on both sides of it', () => {
    const list = new RangeList(8);
    for (const start of [-20, 0, 20, 40]) list.insert(start, start + 10);
    list.dropFrom(25);
    expect([list.size, list.start(2), list.end(2)]).toEqual([3, 20, 25]);
    list.dropFrom(0);
    expect([list.size, list.start(0), list.end(0)]).toEqual([1, -20, -10]);
    list.dropFrom(-100);
    expect(list.size).toBe(0);
  });

  test('dropLast forgets the highest range and says how much that was', () => {
    const list = new RangeList(8);
    list.insert(-10, 5);
    list.insert(100, 107);
    expect(list.dropLast()).toBe(7);
    expect(list.dropLast()).toBe(15);
    expect(list.dropLast()).toBe(0);
    expect(list.size).toBe(0);
  });
});
