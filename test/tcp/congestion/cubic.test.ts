// CUBIC against its formulas (RFC 9438), on a connection whose peer acknowledges everything after
// 0.1 s, each second segment.

import { describe, expect, test } from 'vitest';
import { runScript } from '../../kit/script.ts';
import type { ScriptBench } from '../../kit/script-bench.ts';

const ROUND_US = 100_000;

function acknowledge(
  bench: ScriptBench,
  ack: number,
  options: { sack?: [number, number] } = {},
): void {
  bench.inject({
    kind: 'tcp',
    flags: 16,
    pshOptional: false,
    seq: 1,
    len: 0,
    ack,
    win: 65_535,
    urg: 0,
    options: options.sack === undefined ? [] : [{ kind: 'sack', blocks: [options.sack] }],
  });
}

/** One round trip later: every segment that was sent has arrived. Answers the highest number. */
function round(bench: ScriptBench): number {
  bench.runTo(bench.elapsedUs + ROUND_US);
  const ends = bench.outbox.splice(0).map((o) => {
    const seq = new DataView(o.octets.buffer).getUint32(24);
    return ((seq - bench.socket.tcb.iss) >>> 0) + o.octets.length - 40;
  });
  const top = Math.max(0, ...ends);
  for (let k = 1; k < ends.length; k += 2) acknowledge(bench, ends[k] as number);
  if (top > 0) acknowledge(bench, top);
  return top;
}

function opened(octets: number): ScriptBench {
  return runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,wscale 9>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win 65535
    +0 write(${octets})
  `,
    { allowLeftover: true },
  );
}

/** The first segment of the flight is lost; the loss is repaired within two round trips. */
function lose(bench: ScriptBench): void {
  bench.runTo(bench.elapsedUs + ROUND_US);
  bench.outbox.length = 0;
  const { tcb } = bench.socket;
  const una = (tcb.sndUna - tcb.iss) >>> 0;
  const nxt = (tcb.sndNxt - tcb.iss) >>> 0;
  for (let n = 1; una + (n + 1) * 1000 <= nxt; n++)
    acknowledge(bench, una, { sack: [una + 1000, una + (n + 1) * 1000] });
  for (let i = 0; i < 3; i++) {
    bench.runTo(bench.elapsedUs + ROUND_US);
    bench.outbox.length = 0;
    acknowledge(bench, (tcb.sndNxt - tcb.iss) >>> 0);
  }
}

describe('CUBIC', () => {
  test('reduces the window to seven tenths on loss (RFC 9438 §4.6)', () => {
    const bench = opened(4_000_000);
    for (let i = 0; i < 4; i++) round(bench);
    const before = bench.socket.info().snd_cwnd;
    lose(bench);
    const { snd_ssthresh: after } = bench.socket.info();
    expect(before).toBeGreaterThanOrEqual(150);
    expect(Math.abs(after - Math.floor(before * 0.7))).toBeLessThanOrEqual(
      Math.ceil(before * 0.02),
    );
  });

  test('comes back to the old maximum after K = cbrt(0.3 wMax / 0.4) seconds, flat there (RFC 9438 §4.2)', () => {
    const bench = opened(60_000_000);
    for (let i = 0; i < 5; i++) round(bench);
    const wMax = bench.socket.info().snd_cwnd;
    lose(bench);
    const low = bench.socket.info().snd_cwnd;
    const k = Math.cbrt((wMax * 0.3) / 0.4);
    const start = bench.elapsedUs;
    const curve: [number, number][] = [];
    while (bench.elapsedUs - start < (k + 2) * 1e6) {
      round(bench);
      curve.push([(bench.elapsedUs - start) / 1e6, bench.socket.info().snd_cwnd]);
    }
    const at = (s: number): number => (curve.find(([t]) => t >= s) as [number, number])[1];
    const cubic = (s: number): number => 0.4 * (s - k) ** 3 + wMax;
    expect(low).toBeLessThan(wMax * 0.75);
    // within a round trip and a few percent of the formula, over the whole curve
    for (const s of [0.3 * k, 0.5 * k, 0.7 * k, k, k + 1]) {
      expect(at(s)).toBeGreaterThan(cubic(s - 0.4) * 0.94);
      expect(at(s)).toBeLessThan(cubic(s + 0.4) * 1.06 + 2);
    }
  });

  test('in the Reno-friendly region grows at least as Reno with its factor would (RFC 9438 §4.3)', () => {
    const bench = opened(4_000_000);
    round(bench);
    lose(bench);
    const start = bench.socket.info().snd_cwnd;
    for (let i = 0; i < 12; i++) round(bench);
    const grown = bench.socket.info().snd_cwnd - start;
    // alpha = 0.53 below the old maximum: 12 round trips are about six segments
    expect(grown).toBeGreaterThanOrEqual(4);
    expect(grown).toBeLessThanOrEqual(16);
  });

  test('a second loss before the old maximum lowers the maximum further (RFC 9438 §4.7, fast convergence)', () => {
    const bench = opened(8_000_000);
    for (let i = 0; i < 4; i++) round(bench);
    lose(bench);
    const first = bench.socket.info().snd_ssthresh;
    round(bench);
    lose(bench);
    const second = bench.socket.info().snd_ssthresh;
    expect(second).toBeLessThan(first * 0.8);
    expect(second).toBeGreaterThan(first * 0.6);
    // wMax is now (1 + 0.7) / 2 of the window at the loss: growth flattens below it
    const start = bench.elapsedUs;
    while (bench.elapsedUs - start < 4e6) round(bench);
    expect(bench.socket.info().snd_cwnd).toBeLessThan(first * 1.1);
  });

  test('never goes below two segments (RFC 9438 §4.6)', () => {
    const bench = opened(4_000_000);
    for (let i = 0; i < 6; i++) lose(bench);
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThanOrEqual(2);
  });
});
