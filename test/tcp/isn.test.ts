// Initial sequence numbers (RFC 9293 §3.4.1, RFC 6528) and ephemeral ports (RFC 6056).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { packet } from './openings.ts';

const REMOTE = '198.51.100.9';
const nobody = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};

interface Syn {
  port: number;
  iss: number;
}

/** Opens a connection and looks at its SYN; then it is dropped. */
function syn(bench: ScriptBench, port = 80, localPort = 0): Syn {
  bench.outbox.length = 0;
  const options = { address: REMOTE, port, handler: nobody };
  const s = bench.stack.connect(localPort === 0 ? options : { ...options, localPort });
  bench.runTo(bench.elapsedUs);
  const view = new DataView(packet(bench, 0).buffer);
  s.abort();
  bench.runTo(bench.elapsedUs);
  bench.outbox.length = 0;
  return { port: view.getUint16(20), iss: view.getUint32(24) };
}

describe('initial sequence numbers', () => {
  test('of one 4-tuple advance with the clock, a tick in about 4 µs (RFC 9293 MUST-8)', () => {
    const bench = runScript('0 listen 81');
    const first = syn(bench, 80, 4000).iss;
    bench.runTo(bench.elapsedUs + 1_000_000);
    const second = syn(bench, 80, 4000).iss;
    const ticks = (second - first) >>> 0;
    // 250,000 ticks a second in the RFC; Linux takes 64 ns, which is within its intent
    expect(ticks).toBeGreaterThanOrEqual(200_000);
    expect(ticks).toBeLessThanOrEqual(16_000_000);
  });

  test('differ for every 4-tuple by a keyed function (RFC 9293 MUST-9, RFC 6528 §3)', () => {
    const a = runScript('0 listen 81', { seed: 1 });
    const b = runScript('0 listen 81', { seed: 2 });
    const distances = (bench: ScriptBench): number[] => {
      const base = syn(bench, 80, 4000).iss;
      return [1, 2, 3, 4, 5].map((i) => (syn(bench, 80, 4000 + i).iss - base) >>> 0);
    };
    const [da, db] = [distances(a), distances(b)];
    expect(new Set(da).size).toBe(5);
    expect(da.filter((d, i) => d === db[i])).toEqual([]);
    // neighbours are not near: no plain counter
    expect(da.filter((d) => d < 100_000 || d > 2 ** 32 - 100_000).length).toBeLessThanOrEqual(1);
  });

  test('are spread evenly over all 4-tuples (chi-square; RFC 9293 SHLD-1)', () => {
    const bench = runScript('0 listen 81');
    const buckets = new Float64Array(64);
    const n = 3200;
    for (let i = 0; i < n; i++) {
      const { iss } = syn(bench, 1 + (i % 1000), 20_000 + i);
      buckets[iss >>> 26] = (buckets[iss >>> 26] as number) + 1;
    }
    let chi = 0;
    for (const count of buckets) chi += (count - n / 64) ** 2 / (n / 64);
    expect(chi).toBeLessThan(115); // 63 degrees of freedom
  });

  test('of SYN+ACKs are as hard to guess as those of SYNs (RFC 6528 §3)', () => {
    const issOf = (seed: number): number => {
      const bench = runScript('0 listen 80\n 0 < S 0:0(0) win 9 <mss 1000>', {
        allowLeftover: true,
        seed,
      });
      return new DataView(packet(bench, 0).buffer).getUint32(24);
    };
    const values = [1, 2, 3, 4, 5, 6].map(issOf);
    expect(new Set(values).size).toBe(6);
  });
});

describe('ephemeral ports', () => {
  test('come from 32768 to 60999 and do not follow one another (RFC 6056 §3.2, §3.3)', () => {
    const bench = runScript('0 listen 81');
    const ports = Array.from({ length: 500 }, () => syn(bench).port);
    expect(ports.filter((p) => p < 32_768 || p > 60_999)).toEqual([]);
    expect(new Set(ports).size).toBeGreaterThan(480);
    const steps = ports.slice(1).map((p, i) => Math.abs(p - (ports[i] as number)));
    expect(steps.filter((s) => s <= 2).length).toBeLessThan(5);
    const lower = ports.filter((p) => p < 46_884).length;
    expect(lower).toBeGreaterThan(180);
    expect(lower).toBeLessThan(320);
  });

  test('are not those of a connection that is open to the same peer (RFC 9293 §3.4)', () => {
    const bench = runScript('0 listen 81', {
      config: { tcp: { ephemeralLow: 40_000, ephemeralHigh: 40_003 } },
    });
    const used = new Set<number>();
    for (let i = 0; i < 4; i++)
      used.add(bench.stack.connect({ address: REMOTE, port: 80, handler: nobody }).localPort);
    expect([...used].sort()).toEqual([40_000, 40_001, 40_002, 40_003]);
    expect(() => bench.stack.connect({ address: REMOTE, port: 80, handler: nobody })).toThrow(
      /EADDRNOTAVAIL/,
    );
    // another peer is another 4-tuple
    expect(() => bench.stack.connect({ address: REMOTE, port: 81, handler: nobody })).not.toThrow();
  });
});
