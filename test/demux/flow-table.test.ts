// The flow table against a Map, and its probe bound under keys crafted against V8's own hash.

import { describe, expect, test } from 'vitest';
import { below, SeededRandom } from '../../src/base/random.ts';
import { FlowTable, MAX_PROBE } from '../../src/demux/flow-table.ts';

const MAPPED = 0x0000ffff;
const LOCAL = 0x0a4d0002;

/** Key words of an IPv4 flow. */
function key4(local: number, remote: number, ports: number): Int32Array {
  return Int32Array.from([0, 0, MAPPED, local, 0, 0, MAPPED, remote, ports]);
}

/** V8's hash of an integer key of a Map: no seed in it, so anybody can aim (SHR of ~key, …). */
function v8Hash(key: number): number {
  let h = key >>> 0;
  h = (~h + (h << 15)) >>> 0;
  h = (h ^ (h >>> 12)) >>> 0;
  h = (h + (h << 2)) >>> 0;
  h = (h ^ (h >>> 4)) >>> 0;
  h = Math.imul(h, 2057) >>> 0;
  h = (h ^ (h >>> 16)) >>> 0;
  return h & 0x3fffffff;
}

describe('the flow table', () => {
  test('agrees with a Map over random insertions, lookups and deletions', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = new SeededRandom(seed);
      const table = new FlowTable(new SeededRandom(seed + 100), 16);
      const model = new Map<string, number>();
      for (let i = 0; i < 8000; i++) {
        const local = LOCAL + below(random, 3);
        const remote = 0xc0000200 + below(random, 40);
        const ports = (80 << 16) | below(random, 30);
        const key = key4(local, remote | 0, ports);
        const name = key.join();
        const held = model.get(name);
        let wrong = table.find(key, 0) !== (held ?? -1);
        wrong ||= table.find4(local, remote | 0, ports) !== (held ?? -1);
        // grows in the first half, shrinks in the second
        if (below(random, 10) < (i < 4000 ? 7 : 3)) {
          wrong ||= table.insert(key, 0, i) !== (held === undefined);
          if (held === undefined) model.set(name, i);
        } else {
          wrong ||= table.remove(key, 0) !== (held !== undefined);
          model.delete(name);
        }
        if (wrong || table.size !== model.size) expect.fail(`seed ${seed}, step ${i}`);
      }
      const found = [...model.keys()].map((k) =>
        table.find(Int32Array.from(k.split(',').map(Number)), 0),
      );
      expect(found).toEqual([...model.values()]);
    }
  });

  test('keeps flows of IPv6 apart that differ in one word only', () => {
    const table = new FlowTable(new SeededRandom(1));
    const base = Int32Array.from([0x20010db8, 1, 2, 3, 0x20010db8, 5, 6, 7, (443 << 16) | 9]);
    table.insert(base, 0, 100);
    for (let w = 0; w < 9; w++) {
      const other = base.slice();
      other[w] = (other[w] as number) ^ 0x80;
      expect(table.find(other, 0)).toBe(-1);
      expect(table.insert(other, 0, w)).toBe(true);
    }
    expect(table.find(base, 0)).toBe(100);
    expect(table.size).toBe(10);
  });

  test('an IPv4 lookup does not find an IPv6 flow with the same low words', () => {
    const table = new FlowTable(new SeededRandom(1));
    table.insert(Int32Array.from([0x20010db8, 0, 0, LOCAL, 0x20010db8, 0, 0, 99, 7]), 0, 1);
    table.insert(Int32Array.from([0, 0, 0, LOCAL, 0, 0, 0, 99, 7]), 0, 2);
    expect(table.find4(LOCAL, 99, 7)).toBe(-1);
  });

  test('reads its key at an offset', () => {
    const table = new FlowTable(new SeededRandom(1));
    const shifted = new Int32Array(20);
    shifted.set(key4(LOCAL, 5, 6), 11);
    table.insert(shifted, 11, 3);
    expect(table.find4(LOCAL, 5, 6)).toBe(3);
    expect(table.remove(shifted, 11)).toBe(true);
    expect(table.size).toBe(0);
  });

  test('20,000 keys that collide in V8 need at most 32 probes here (CVE-2023-1206)', () => {
    const crafted: number[] = [];
    for (let i = 0; crafted.length < 20_000; i++) if ((v8Hash(i) & 1023) === 77) crafted.push(i);
    const table = new FlowTable(new SeededRandom(11));
    for (const remote of crafted) table.insert(key4(LOCAL, remote, 80 << 16), 0, 1);
    expect(table.size).toBe(20_000);
    expect(table.longestProbe()).toBeLessThanOrEqual(32);
    expect(crafted.filter((remote) => table.find4(LOCAL, remote, 80 << 16) !== 1)).toEqual([]);
  });

  // biome-ignore format: a table
  const sweeps: { name: string; key: (i: number) => Int32Array }[] = [
    { name: 'every port of one host', key: (i) => key4(LOCAL, 0x01020304, (80 << 16) | i) },
    { name: 'a /16 of hosts', key: (i) => key4(LOCAL, 0x0b000000 | i, (80 << 16) | 1234) },
    { name: 'one host and port per /16', key: (i) => key4(LOCAL, i << 16, (80 << 16) | 1234) },
    { name: 'every local address of a /16', key: (i) => key4(LOCAL + i, 0x01020304, 80 << 16) },
  ];
  test.each(sweeps)('probes stay bounded for $name', ({ key }) => {
    const table = new FlowTable(new SeededRandom(3));
    for (let i = 0; i < 65_536; i++) table.insert(key(i), 0, i);
    expect(table.size).toBe(65_536);
    expect(table.longestProbe()).toBeLessThanOrEqual(MAX_PROBE);
    for (let i = 0; i < 65_536; i += 2) table.remove(key(i), 0);
    expect(table.size).toBe(32_768);
    for (let i = 0; i < 65_536; i += 97) expect(table.find(key(i), 0)).toBe(i % 2 === 0 ? -1 : i);
    expect(table.longestProbe()).toBeLessThanOrEqual(32);
  });

  test('tells in how many cells its flows are found', () => {
    const table = new FlowTable(new SeededRandom(3), 64);
    expect(table.longestProbe()).toBe(0);
    for (let i = 0; i < 1000; i++) table.insert(key4(LOCAL, i, 0), 0, i);
    const probes = [...table.probes()];
    expect(probes).toHaveLength(33);
    expect(probes[0]).toBe(0);
    expect(probes.reduce((a, b) => a + b)).toBe(1000);
    // at most half full: most flows lie at home, and none is far away
    expect(probes[1]).toBeGreaterThan(600);
    expect(probes.slice(table.longestProbe() + 1).every((n) => n === 0)).toBe(true);
    expect(probes[table.longestProbe()]).toBeGreaterThan(0);
    for (let i = 0; i < 1000; i++) table.remove(key4(LOCAL, i, 0), 0);
    expect([...table.probes()].every((n) => n === 0)).toBe(true);
  });

  test('is at most half full', () => {
    const table = new FlowTable(new SeededRandom(3), 4);
    for (let i = 0; i < 5000; i++) {
      table.insert(key4(LOCAL, i, 0), 0, i);
      if (table.size * 2 > table.capacity) expect.fail(`${table.size} of ${table.capacity}`);
    }
    expect(table.size).toBe(5000);
  });
});
