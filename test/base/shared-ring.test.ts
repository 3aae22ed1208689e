// The ring between threads against a plain list of what was pushed.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RING_HEAD, SharedRing } from '../../src/base/shared-ring.ts';

const SIZE = 4096;

/** Both ends over one memory, as in two threads. */
function ends(): { write: SharedRing; read: SharedRing } {
  const memory = new SharedArrayBuffer(256 + RING_HEAD + SIZE);
  return { write: new SharedRing(memory, 256, SIZE), read: new SharedRing(memory, 256, SIZE) };
}

describe('a ring between threads', () => {
  test('gives back every packet and its words in order, over many wraps', () => {
    const steps = fc.array(
      fc.oneof(fc.record({ push: fc.integer({ min: 0, max: 1500 }) }), fc.constant('take')),
      { minLength: 50, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const { write, read } = ends();
        const kept: { octets: Uint8Array; word: number }[] = [];
        const to = new Uint8Array(2048);
        list.forEach((step, i) => {
          if (typeof step === 'object') {
            const packet = Uint8Array.from({ length: step.push + 3 }, (_, k) => k * 7 + i);
            write.words[5] = i;
            if (write.push(packet, 3, step.push)) {
              kept.push({ octets: packet.subarray(3), word: i });
            } else expect(kept.length).toBeGreaterThan(0);
          } else {
            const next = kept.shift();
            expect(read.peek()).toBe(next === undefined ? -1 : next.octets.length);
            if (next === undefined) return;
            read.take(to, 11);
            const got = Buffer.from(to.subarray(11, 11 + next.octets.length));
            expect(got.equals(next.octets)).toBe(true);
            expect(read.words[5]).toBe(next.word);
          }
        });
      }),
      { numRuns: 50 },
    );
  });

  test('refuses what finds no room, and keeps what it has', () => {
    const { write, read } = ends();
    const packet = new Uint8Array(1000).fill(9);
    // 1,000 octets and 32 of words, rounded up to 32: 1,056 of 4,096 each.
    expect([1, 2, 3, 4].map(() => write.push(packet, 0, 1000))).toEqual([true, true, true, false]);
    read.take(new Uint8Array(1000), 0);
    // 928 octets are left before the end, 1,056 at the start: the next one goes there.
    expect(write.push(packet, 0, 1000)).toBe(true);
    expect(
      [1, 2, 3].map(() => (read.peek() < 0 ? -1 : read.take(new Uint8Array(1000), 0))),
    ).toEqual([undefined, undefined, undefined]);
    expect(read.peek()).toBe(-1);
  });

  test('forgets what was for another reader', () => {
    const { write, read } = ends();
    write.push(new Uint8Array(10), 0, 10);
    read.clear();
    expect(read.peek()).toBe(-1);
    write.push(new Uint8Array(20), 0, 20);
    expect(read.peek()).toBe(20);
  });
});
