// The control block's packed parts: bits of two words, floats in a record that it shares a chunk with.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import { TcbFlags } from '../../src/tcp/tcb-flags.ts';
import { RECORD, recordAt, TcbTimes } from '../../src/tcp/tcb-times.ts';

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
      const t = new TcbFlags(new Float64Array(RECORD), 0) as unknown as Record<string, boolean>;
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

  test('has a place of its own behind the eight totals', () => {
    const t = new TcbTimes(new Float64Array(2 * RECORD), RECORD);
    const named = t as unknown as Record<string, number>;
    for (let i = 0; i < 8; i++) t.times[t.at + i] = 1000 + i;
    for (const [i, name] of names.entries()) named[name] = 0.5 + i;
    expect(names.map((name) => named[name])).toEqual(names.map((_, i) => 0.5 + i));
    expect([...t.times.subarray(t.at, t.at + 8)]).toEqual([
      1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007,
    ]);
    expect([...t.times.subarray(0, RECORD)]).toEqual(new Array(RECORD).fill(0));
  });

  test('of one slot is not another slot’s', () => {
    const places = Array.from({ length: 64 }, (_, slot) => recordAt(slot));
    expect(new Set(places).size).toBe(64);
    expect(recordAt(64)).toBe(0);
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
