// Pacing: no faster than the program (or the controller) says, spread over time, and without harm
// to anything that is not bulk (RFC 9002 §7.7 says for QUIC what Linux does for TCP).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { Bulk } from './bulk.ts';
import { arrive, ISS, type Seen, taken, wait } from './segments.ts';

function opened(rate: number): ScriptBench {
  const bench = runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000,sackOK>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win 65535
  `,
    { config: { tcp: { testIss: ISS } } },
  );
  bench.socket.setMaxPacingRate(rate);
  return bench;
}

const end = (s: Seen): number => s.seq + s.len;

/** Without what was sent again. */
function fresh(segments: readonly Seen[]): Seen[] {
  let next = 1;
  return segments.filter((s) => {
    if (s.seq < next) return false;
    next = end(s);
    return true;
  });
}

/** Octets sent by `ms` after the first segment. */
function sentBy(segments: readonly Seen[], ms: number): number {
  const start = segments[0]?.atUs ?? 0;
  return segments.filter((s) => s.atUs - start <= ms * 1000).reduce((sum, s) => sum + s.len, 0);
}

describe('a maximum pacing rate', () => {
  test('is kept by an event loop whose turns come late (RFC 9002 §7.7)', () => {
    const flow = new Bulk({
      there: { delayUs: 20_000, rate: 12_500_000 },
      turnUs: [5000, 0],
    });
    flow.socket.setMaxPacingRate(1_000_000);
    const goodput = flow.goodput(1000, 3000);
    // 1,448 of 1,500 octets are payload
    expect(goodput).toBeGreaterThan(940_000);
    expect(goodput).toBeLessThanOrEqual(970_000);
  });

  test('spreads a window over time: never more than the rate allows and one burst (Linux SO_MAX_PACING_RATE)', () => {
    const bench = opened(20_000);
    bench.call('write', ['10000']);
    const out: Seen[] = [];
    for (let ms = 0; ms < 800; ms += 10) {
      wait(bench, 10);
      out.push(...fresh(taken(bench)));
      const ack = Math.max(1, ...out.filter((s) => s.atUs < bench.elapsedUs - 50_000).map(end));
      arrive(bench, { flags: '.', seq: 1, ack });
    }
    expect(out.reduce((sum, s) => sum + s.len, 0)).toBe(10_000);
    for (const ms of [0, 50, 100, 200, 300, 400, 500]) {
      expect(sentBy(out, ms)).toBeLessThanOrEqual(2000 + (20_000 * ms) / 1000);
    }
    // and not much slower than it says, headers counted
    expect(sentBy(out, 520)).toBe(10_000);
  });

  test('without one a window leaves at once (RFC 5681 §3.1)', () => {
    const bench = opened(0);
    bench.call('write', ['10000']);
    wait(bench, 1);
    expect(taken(bench).reduce((sum, s) => sum + s.len, 0)).toBe(10_000);
  });

  test('taken back, the rest leaves at once (Linux SO_MAX_PACING_RATE)', () => {
    const bench = opened(1000);
    bench.call('write', ['10000']);
    wait(bench, 100);
    expect(taken(bench).length).toBeLessThanOrEqual(2);
    bench.socket.setMaxPacingRate(0);
    arrive(bench, { flags: '.', seq: 1, ack: 1001 });
    wait(bench, 1);
    expect(taken(bench).at(-1)?.seq).toBe(9001);
  });

  test('does not hold back acknowledgments (RFC 9293 MUST-40)', () => {
    const bench = opened(1000);
    bench.call('write', ['5000']);
    wait(bench, 1);
    taken(bench);
    arrive(bench, { flags: 'P.', seq: 1, ack: 1, len: 1000 });
    arrive(bench, { flags: 'P.', seq: 1001, ack: 1, len: 1000 });
    wait(bench, 1);
    const acks = taken(bench);
    expect(acks.at(-1)).toMatchObject({ len: 0, ack: 2001 });
  });

  test('holds for retransmissions too (Linux tcp_xmit_retransmit_queue)', () => {
    const bench = opened(100_000);
    bench.call('write', ['10000']);
    wait(bench, 300);
    const before = fresh(taken(bench));
    expect(before.reduce((sum, s) => sum + s.len, 0)).toBe(10_000);
    wait(bench, 3000);
    const again = taken(bench).filter((s) => s.len > 0);
    for (let i = 1; i < again.length; i++) {
      const gap = (again[i] as Seen).atUs - (again[i - 1] as Seen).atUs;
      expect(gap).toBeGreaterThanOrEqual(((again[i - 1] as Seen).len / 100_000) * 1e6 * 0.4);
    }
    expect(again.length).toBeGreaterThan(0);
  });

  test('the window is still the limit: a rate above it changes nothing (RFC 5681 §3)', () => {
    const bench = opened(1e9);
    bench.call('write', ['50000']);
    wait(bench, 50);
    expect(taken(bench).reduce((sum, s) => sum + s.len, 0)).toBe(10_000);
  });

  test('a bulk transfer runs at the rate, with headers, over seconds (Linux SO_MAX_PACING_RATE)', () => {
    const flow = new Bulk({ there: { rate: 1_250_000, delayUs: 10_000, queue: 200_000 } });
    flow.socket.setMaxPacingRate(250_000);
    const goodput = flow.goodput(500, 2500);
    expect(goodput).toBeLessThanOrEqual(250_000);
    expect(goodput).toBeGreaterThanOrEqual(225_000);
    // no queue builds up at the bottleneck
    expect(flow.info.rtt).toBeLessThan(30_000);
    expect(flow.stats.queueFull).toBe(0);
  });

  test('can be changed while it runs (Linux SO_MAX_PACING_RATE)', () => {
    const flow = new Bulk({ there: { rate: 1_250_000, delayUs: 10_000, queue: 200_000 } });
    flow.socket.setMaxPacingRate(100_000);
    const slow = flow.goodput(500, 1500);
    flow.socket.setMaxPacingRate(400_000);
    const fast = flow.goodput(2000, 3000);
    expect(slow).toBeLessThanOrEqual(100_000);
    expect(fast).toBeGreaterThanOrEqual(360_000);
    expect(fast).toBeLessThanOrEqual(400_000);
  });
});
