// Leaving slow start before the queue overflows: HyStart++ (RFC 9406) and the classic HyStart of
// Linux's CUBIC.

import { describe, expect, test } from 'vitest';
import { runScript } from '../../kit/script.ts';
import type { ScriptBench } from '../../kit/script-bench.ts';
import { Bulk } from '../bulk.ts';
import { arrive, ISS, taken, wait } from '../segments.ts';

/** 10 Mbit/s, 80 ms: a bandwidth-delay product of 69 segments. */
const PATH = { rate: 1_250_000, delayUs: 40_000 };
const UNSET = 0x7fffffff;

function start(hystart: number, queue: number): Bulk {
  return new Bulk({ there: { ...PATH, queue }, config: { tcp: { hystart } } });
}

describe('on a path with a deep queue', () => {
  // five bandwidth-delay products: without HyStart slow start ends by overflow all the same
  const DEEP = 500_000;

  test('plain slow start ends by overflow, with many losses (RFC 9406 §1)', () => {
    const flow = start(0, DEEP).until(3000);
    expect(flow.stats.queueFull).toBeGreaterThan(100);
  });

  // biome-ignore format: a table
  const modes = [
    // it may still grow threefold in five rounds: into the end of this queue, but slowly
    { name: 'HyStart++', hystart: 1, loses: 60, cite: 'RFC 9406 §4.2' },
    { name: 'the classic HyStart', hystart: 2, loses: 0, cite: 'Linux tcp_cubic hystart' },
  ];
  test.each(modes)(
    '$name finds the queue before the first loss, and the pipe stays full ($cite)',
    ({ hystart, loses }) => {
      const flow = start(hystart, DEEP);
      const { counters } = flow.a.stack;
      const found = (): boolean =>
        counters.get('TcpExtTCPHystartDelayDetect') + counters.get('TcpExtTCPHystartTrainDetect') >
        0;
      expect(flow.when(found, 3000)).toBe(true);
      expect(flow.stats.queueFull).toBe(0);
      expect(flow.info.snd_cwnd).toBeGreaterThanOrEqual(69);
      expect(flow.info.snd_cwnd).toBeLessThan(69 + 345);
      expect(flow.goodput(2000, 3000)).toBeGreaterThan(1_206_667 * 0.95);
      expect(flow.stats.queueFull).toBeLessThanOrEqual(loses);
    },
  );

  test('by delay is counted with the window at which it happened (Linux TCPHystartDelayCwnd)', () => {
    const flow = start(1, DEEP);
    flow.when(() => flow.a.stack.counters.get('TcpExtTCPHystartDelayDetect') > 0, 3000);
    const cwnd = flow.a.stack.counters.get('TcpExtTCPHystartDelayCwnd');
    expect(cwnd).toBeGreaterThanOrEqual(69);
    expect(cwnd).toBeLessThan(69 + 345);
  });
});

// --- by script: the RFC's rules one by one --------------------------------------------------------

function opened(octets: number, hystart = 1): ScriptBench {
  const bench = runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,wscale 8>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win 65535
  `,
    { config: { tcp: { testIss: ISS, hystart } } },
  );
  bench.call('write', [String(octets)]);
  return bench;
}

/** One round whose every segment is acknowledged `rttMs` after it left. Answers cwnd after it. */
function round(bench: ScriptBench, rttMs: number): number {
  wait(bench, rttMs);
  const ends = taken(bench)
    .filter((s) => s.len > 0)
    .map((s) => s.seq + s.len);
  for (const ack of ends) arrive(bench, { flags: '.', seq: 1, ack });
  return bench.socket.info().snd_cwnd;
}

/**
 * Two rounds at 100 ms and two at 130. A round ends with SND.NXT as it was at its first ACK (§4.1),
 * so the last few of the old RTT fall into the third; the fourth is the one that shows it.
 */
function risen(octets: number): ScriptBench {
  const bench = opened(octets);
  for (const ms of [100, 100, 130, 130]) round(bench, ms);
  expect(detected(bench)).toBe(1);
  return bench;
}

const detected = (bench: ScriptBench): number =>
  bench.stack.counters.get('TcpExtTCPHystartDelayDetect');

describe('HyStart++', () => {
  test('a steady RTT leaves slow start alone (RFC 9406 §4.2)', () => {
    const bench = opened(3_000_000);
    const curve = [100, 100, 100, 100, 100].map((ms) => round(bench, ms));
    expect(curve).toEqual([20, 40, 80, 160, 320]);
    expect([detected(bench), bench.socket.info().snd_ssthresh]).toEqual([0, UNSET]);
  });

  // biome-ignore format: a table
  const thresholds = [
    { name: 'an RTT of 16 ms: at least 4 ms', base: 16, below: 19, above: 21 },
    { name: 'an RTT of 64 ms: an eighth', base: 64, below: 71, above: 73 },
    { name: 'an RTT of 100 ms: an eighth', base: 100, below: 112, above: 113 },
    { name: 'an RTT of 180 ms: at most 16 ms', base: 180, below: 195, above: 197 },
  ];
  test.each(thresholds)('the threshold is for $name (RFC 9406 §4.2)', ({ base, below, above }) => {
    const tried = [below, above].map((rtt) => {
      const bench = opened(1_000_000);
      for (const ms of [base, base, rtt, rtt]) round(bench, ms);
      return detected(bench);
    });
    expect(tried).toEqual([0, 1]);
  });

  test('needs eight samples of a round (RFC 9406 §4.3, N_RTT_SAMPLE)', () => {
    const bench = opened(1_000_000);
    for (const ms of [100, 100, 200]) round(bench, ms);
    // The third round began when 28,001 was acknowledged and 64,001 was SND.NXT; the fourth has
    // seen the ACKs of 65,001 to 70,001: six.
    wait(bench, 200);
    const ends = taken(bench).map((s) => s.seq + s.len);
    arrive(bench, { flags: '.', seq: 1, ack: ends[0] as number });
    expect(detected(bench)).toBe(0);
    arrive(bench, { flags: '.', seq: 1, ack: ends[1] as number });
    expect(detected(bench)).toBe(1);
  });

  test('conservative slow start grows by a quarter a round (RFC 9406 §4.2, CSS_GROWTH_DIVISOR)', () => {
    const bench = risen(6_000_000);
    const before = bench.socket.info().snd_cwnd;
    const after = round(bench, 130);
    expect(after / before).toBeGreaterThan(1.2);
    expect(after / before).toBeLessThan(1.3);
    expect(bench.socket.info().snd_ssthresh).toBe(UNSET);
  });

  test('five rounds of it end slow start (RFC 9406 §4.2, CSS_ROUNDS)', () => {
    const bench = risen(20_000_000);
    let rounds = 0;
    while (bench.socket.info().snd_ssthresh === UNSET && rounds < 10) {
      round(bench, 130);
      rounds++;
    }
    // the round in which it was found is the first of the five (§4.2)
    expect(rounds).toBe(4);
    const { snd_cwnd, snd_ssthresh } = bench.socket.info();
    expect(snd_cwnd - snd_ssthresh).toBeLessThanOrEqual(2);
    // congestion avoidance from here on
    expect(round(bench, 130) - snd_cwnd).toBeLessThan(snd_cwnd / 10);
  });

  test('an RTT that falls below the one that led there brings slow start back (RFC 9406 §4.2, cssBaselineMinRtt)', () => {
    const bench = risen(20_000_000);
    round(bench, 100);
    const before = bench.socket.info().snd_cwnd;
    expect(round(bench, 100) / before).toBeGreaterThan(1.9);
    expect(bench.socket.info().snd_ssthresh).toBe(UNSET);
  });

  test('an RTT between baseline and the rise does not (RFC 9406 §4.2)', () => {
    const bench = risen(20_000_000);
    const before = bench.socket.info().snd_cwnd;
    expect(round(bench, 131) / before).toBeLessThan(1.3);
  });

  test('a timeout ends conservative slow start: what follows is slow start up to ssthresh (RFC 9406 §4.2, RFC 5681 §3.1)', () => {
    const bench = risen(6_000_000);
    wait(bench, 3000);
    expect(bench.socket.info().ca_state).toBe('loss');
    taken(bench);
    // everything arrives in the end
    const nxt = bench.socket.tcb.sndNxt - ISS;
    arrive(bench, { flags: '.', seq: 1, ack: bench.socket.tcb.sndUna - ISS + 1000 });
    arrive(bench, { flags: '.', seq: 1, ack: nxt });
    const before = bench.socket.info().snd_cwnd;
    const after = round(bench, 100);
    const { snd_ssthresh } = bench.socket.info();
    expect(after).toBeGreaterThanOrEqual(Math.min(before * 1.8, snd_ssthresh));
  });

  test('a loss ends it for good (RFC 9406 §4.2)', () => {
    const bench = risen(6_000_000);
    const { tcb } = bench.socket;
    expect(tcb.congestionMemory).toMatchObject({ hystart: { css: true } });
    const word = (n: number): number[] => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255);
    const block = [...word(tcb.sndUna + 1000), ...word(tcb.sndNxt)];
    wait(bench, 130);
    const ack = tcb.sndUna - ISS;
    for (let i = 0; i < 2; i++) {
      arrive(bench, { flags: '.', seq: 1, ack, options: [1, 1, 5, 10, ...block] });
      wait(bench, 50);
    }
    expect(bench.socket.info().ca_state).toBe('recovery');
    expect(tcb.congestionMemory).toMatchObject({ hystart: { css: false } });
  });

  test('off, a rise of the RTT changes nothing (RFC 5681 §3.1)', () => {
    const bench = opened(3_000_000, 0);
    const curve = [100, 100, 150, 200].map((ms) => round(bench, ms));
    expect(curve).toEqual([20, 40, 80, 160]);
  });
});

describe('the classic HyStart', () => {
  test('leaves at once when the delay has grown by an eighth, not under 16 segments (Linux tcp_cubic)', () => {
    const bench = opened(3_000_000, 2);
    expect(round(bench, 100)).toBe(20);
    expect(round(bench, 100)).toBe(40);
    round(bench, 130);
    const { snd_cwnd, snd_ssthresh } = bench.socket.info();
    expect(snd_ssthresh).toBeLessThan(80);
    expect(snd_ssthresh).toBeGreaterThanOrEqual(40);
    expect(snd_cwnd).toBeLessThanOrEqual(snd_ssthresh + 2);
  });

  test('stays in slow start while the delay is steady (Linux tcp_cubic)', () => {
    const bench = opened(3_000_000, 2);
    const curve = [100, 100, 100, 100].map((ms) => round(bench, ms));
    expect(curve).toEqual([20, 40, 80, 160]);
  });
});
