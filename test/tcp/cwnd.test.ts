// When the congestion window may grow and what it is worth after silence (RFC 5681 §4.1, RFC 7661).
// The peer acknowledges everything after 0.1 s.

import { describe, expect, test } from 'vitest';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { arrive, ISS, taken, wait } from './segments.ts';

function opened(win = 65_535, tcp: ConfigOverrides['tcp'] = {}): ScriptBench {
  return runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,wscale 4>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win ${win}
  `,
    { config: { tcp: { testIss: ISS, ...tcp } } },
  );
}

/** One round trip: what is in flight is acknowledged, segment by segment. */
function round(bench: ScriptBench, win = 65_535): void {
  wait(bench, 100);
  const ends = taken(bench)
    .filter((s) => s.len > 0)
    .map((s) => s.seq + s.len);
  for (const ack of ends) arrive(bench, { flags: '.', seq: 1, ack, win });
}

/** `rounds` full windows; then everything is acknowledged and nothing is left to send. */
function grown(rounds: number, tcp: ConfigOverrides['tcp'] = {}): ScriptBench {
  const bench = opened(65_535, tcp);
  bench.call('write', [String(10_000 * (2 ** rounds - 1))]);
  for (let i = 0; i < rounds; i++) round(bench);
  expect(bench.socket.queued).toBe(0);
  return bench;
}

const cwnd = (bench: ScriptBench): number => bench.socket.info().snd_cwnd;

describe('growth', () => {
  test('a sender that the window limits doubles it each round trip in slow start (RFC 5681 §3.1)', () => {
    const bench = opened();
    bench.call('write', ['200000']);
    const curve = [cwnd(bench)];
    for (let i = 0; i < 2; i++) {
      round(bench);
      curve.push(cwnd(bench));
    }
    expect(curve).toEqual([10, 20, 40]);
  });

  test('a program that sends one segment a round trip does not open it (RFC 7661 §4.3)', () => {
    const bench = opened();
    for (let i = 0; i < 60; i++) {
      bench.call('write', ['1000']);
      round(bench);
    }
    expect(cwnd(bench)).toBe(10);
  });

  test('a program that uses half of it opens it to no more than twice its use (RFC 7661 §4.3)', () => {
    const bench = opened();
    for (let i = 0; i < 60; i++) {
      bench.call('write', ['6000']);
      round(bench);
    }
    expect(cwnd(bench)).toBeLessThanOrEqual(12);
  });

  test('a receiver with a small window does not let it grow without bound (RFC 7661 §4.3)', () => {
    // 375 · 2^4 octets
    const bench = opened(375);
    bench.call('write', ['300000']);
    for (let i = 0; i < 40; i++) round(bench, 375);
    expect(cwnd(bench)).toBeLessThanOrEqual(12);
  });
});

describe('silence', () => {
  test('longer than the RTO brings it to the restart window, the initial one (RFC 5681 §4.1)', () => {
    const bench = grown(3);
    const before = cwnd(bench);
    expect(before).toBeGreaterThanOrEqual(40);
    wait(bench, 30_000);
    bench.call('write', ['100000']);
    wait(bench, 1);
    expect(cwnd(bench)).toBe(10);
    expect(taken(bench).reduce((sum, s) => sum + s.len, 0)).toBe(10_000);
  });

  test('ssthresh remembers what the path carried: three quarters (RFC 2861 §3.2)', () => {
    const bench = grown(3);
    const before = cwnd(bench);
    wait(bench, 30_000);
    bench.call('write', ['100000']);
    wait(bench, 1);
    const { snd_ssthresh } = bench.socket.info();
    expect(snd_ssthresh).toBeGreaterThanOrEqual(Math.floor(before * 0.75) - 1);
  });

  test('shorter than the RTO changes nothing (RFC 5681 §4.1)', () => {
    const bench = grown(3);
    const before = cwnd(bench);
    wait(bench, 100);
    bench.call('write', ['100000']);
    wait(bench, 1);
    expect(cwnd(bench)).toBe(before);
  });

  test('each RTO of it halves, not below the restart window (RFC 2861 §3.2)', () => {
    const bench = grown(4);
    const before = cwnd(bench);
    const rtoMs = bench.socket.info().rto / 1000;
    wait(bench, rtoMs * 1.5);
    bench.call('write', ['100000']);
    wait(bench, 1);
    expect(cwnd(bench)).toBe(before >> 1);
  });

  test('with the knob off the window is kept (Linux tcp_slow_start_after_idle 0)', () => {
    const bench = grown(3, { idleRestart: false });
    const before = cwnd(bench);
    wait(bench, 30_000);
    bench.call('write', ['1000']);
    wait(bench, 1);
    expect(cwnd(bench)).toBe(before);
  });

  test('a window below the initial one is not raised by it (RFC 5681 §4.1: RW = min(IW, cwnd))', () => {
    const bench = grown(1);
    bench.call('write', ['1000']);
    wait(bench, 5000);
    taken(bench);
    arrive(bench, { flags: '.', seq: 1, ack: 11_001 });
    const before = cwnd(bench);
    expect(before).toBeLessThan(10);
    wait(bench, 60_000);
    bench.call('write', ['100000']);
    wait(bench, 1);
    expect(cwnd(bench)).toBeLessThanOrEqual(before);
  });
});

describe('a window that is not used', () => {
  test('stays as long as acknowledgments come, and does not grow either (RFC 7661 §4.3)', () => {
    const bench = grown(4);
    const before = cwnd(bench);
    for (let i = 0; i < 60; i++) {
      bench.call('write', ['1000']);
      round(bench);
    }
    expect(before).toBeGreaterThanOrEqual(80);
    expect(cwnd(bench)).toBe(before);
  });
});
