// The control block's packed parts: bits of two words, floats and ints in records of a shared chunk.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import { Chunk, Chunks, recordOf } from '../../src/tcp/tcb-chunk.ts';
import { TcbFlags } from '../../src/tcp/tcb-flags.ts';
import { TcbNumbers } from '../../src/tcp/tcb-numbers.ts';
import { TcbTimes } from '../../src/tcp/tcb-times.ts';

/** Names of the accessors of a class. */
function accessors(prototype: object): string[] {
  const all = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return all.filter(([, d]) => d.get !== undefined && d.set !== undefined).map(([name]) => name);
}

describe('a flag of the control block', () => {
  const names = accessors(TcbFlags.prototype);

  test('has a bit of its own', () => {
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) {
      const t = new TcbFlags(new Chunk(1), 0) as unknown as Record<string, boolean>;
      for (const other of names) expect(t[other]).toBe(false);
      t[name] = true;
      expect(names.filter((other) => t[other])).toEqual([name]);
      for (const other of names) t[other] = true;
      t[name] = false;
      expect(names.filter((other) => !t[other])).toEqual([name]);
    }
  });
});

describe('a float of the control block', () => {
  const names = accessors(TcbTimes.prototype);

  test('has a place of its own behind the eight totals, all inside of its record', () => {
    const chunk = new Chunk(3);
    const t = new TcbTimes(chunk, 1);
    const named = t as unknown as Record<string, number>;
    const places = Array.from({ length: 28 }, (_, i) => i);
    expect(names.length).toBe(28 - 8);
    for (let i = 0; i < 8; i++) t.times[t.at + i] = 1000 + i;
    for (const [i, name] of names.entries()) named[name] = 0.5 + i;
    expect(names.map((name) => named[name])).toEqual(names.map((_, i) => 0.5 + i));
    expect(places.slice(0, 8).map((i) => t.times[t.at + i])).toEqual([
      1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007,
    ]);
    expect(places.map((i) => chunk.times[i])).toEqual(places.map(() => 0));
    expect(places.map((i) => chunk.times[56 + i])).toEqual(places.map(() => 0));
  });

  test('begins anew in a record that another has used', () => {
    const chunk = new Chunk(2);
    chunk.times.fill(77);
    const t = new TcbTimes(chunk, 1);
    expect([t.spaceUs, t.keepIdleMs, t.keepIntervalMs, t.rate]).toEqual([0, 7_200_000, 75_000, 0]);
    expect(chunk.times[27]).toBe(77);
  });
});

describe('an int of the control block', () => {
  const names = accessors(TcbNumbers.prototype);

  test('has a place of its own, all inside of its record', () => {
    const chunk = new Chunk(3);
    const t = new TcbNumbers(chunk, 1);
    const named = t as unknown as Record<string, number>;
    const places = Array.from({ length: 32 }, (_, i) => i);
    expect(names.length).toBe(32);
    for (const [i, name] of names.entries()) named[name] = 0x70000000 + i;
    expect(names.map((name) => named[name])).toEqual(names.map((_, i) => 0x70000000 + i));
    expect(places.map((i) => chunk.ints[i])).toEqual(places.map(() => 0));
    expect(places.map((i) => chunk.ints[64 + i])).toEqual(places.map(() => 0));
  });

  test('begins anew in a record that another has used', () => {
    const chunk = new Chunk(2);
    chunk.ints.fill(77);
    const t = new TcbNumbers(chunk, 1);
    expect([t.fastOpenListener, t.peerMss, t.advMss, t.keepProbes, t.irs]).toEqual([
      -1, 536, 1460, 9, 0,
    ]);
    expect(chunk.ints[31]).toBe(77);
  });

  test('that a program sets is rounded up and ends at 2^31 - 1', () => {
    const t = new TcbNumbers(new Chunk(1), 0);
    t.keepProbes = 0.25;
    t.wantedMss = 1e12;
    expect([t.keepProbes, t.wantedMss]).toEqual([1, 0x7fffffff]);
  });
});

describe('chunks', () => {
  test('64 slots share one, each with a record of its own', () => {
    const chunks = new Chunks();
    const first = chunks.enter(0);
    expect(Array.from({ length: 63 }, (_, i) => chunks.enter(i + 1) === first)).not.toContain(
      false,
    );
    expect(chunks.enter(64)).not.toBe(first);
    expect(new Set(Array.from({ length: 64 }, (_, slot) => recordOf(slot))).size).toBe(64);
    expect([recordOf(0), recordOf(63), recordOf(64)]).toEqual([0, 63, 0]);
  });

  test('are given up with the last slot: 352 octets a slot', () => {
    const chunks = new Chunks();
    for (let slot = 0; slot < 65; slot++) chunks.enter(slot);
    expect(chunks.octets).toBe(2 * 64 * 352);
    for (let slot = 0; slot < 63; slot++) chunks.leave(slot);
    expect(chunks.octets).toBe(2 * 64 * 352);
    chunks.leave(63);
    expect(chunks.octets).toBe(64 * 352);
    chunks.leave(64);
    expect(chunks.octets).toBe(0);
  });
});

test('a closed connection keeps its totals when its slot goes to another', () => {
  const world = new World({ seed: 3 });
  const a = world.host('a', { addresses: ['10.0.0.1/24'] });
  const b = world.host('b', { addresses: ['10.0.0.2/24'] });
  world.link(a, b, { delayUs: 1000 });
  const idle = { opened() {}, data() {}, ended() {}, writable() {}, written() {}, closed() {} };
  b.stack.listen({ port: 80, handler: { accept: () => idle } });
  const open = () => a.stack.connect({ address: '10.0.0.2', port: 80, handler: idle });
  const run = () => world.run({ untilUs: world.clock.nowUs() + 100_000 });
  const first = open();
  run();
  first.send(new Uint8Array(700));
  run();
  first.abort();
  run();
  const second = open();
  run();
  second.send(new Uint8Array(30));
  run();
  expect(second.tcb.slot).toBe(first.tcb.slot);
  expect([first.bytesSent, second.bytesSent]).toEqual([700, 30]);
});
