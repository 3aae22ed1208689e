// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), on simulated bottlenecks of
// 10 Mbit/s: 1,250,000 octets per second, of which 1,206,667 are payload.

import { describe, expect, test } from 'vitest';
import { bbr } from '../../../src/tcp/congestion/bbr.ts';
import { cubic } from '../../../src/tcp/congestion/cubic.ts';
import { Bulk } from '../bulk.ts';

const RATE = 1_250_000;
const PAYLOAD = 1_206_667;
/** Two delays of 20 ms. */
const RTT_US = 40_000;
const PATH = { rate: RATE, delayUs: 20_000, queue: 400_000 };

describe('BBR', () => {
  test('fills the bottleneck (BBR §4.3)', () => {
    const flow = new Bulk({ there: PATH, controller: bbr });
    expect(flow.goodput(1000, 3000)).toBeGreaterThan(PAYLOAD * 0.95);
    expect(flow.info.congestion).toBe('bbr');
  });

  test('keeps the queue short where CUBIC fills it (BBR §4.3.3)', () => {
    const mean = (controller: typeof bbr): number => {
      const flow = new Bulk({ there: PATH, controller });
      let sum = 0;
      for (let ms = 2000; ms < 4000; ms += 100) sum += flow.until(ms).info.rtt;
      return sum / 20;
    };
    expect(mean(bbr)).toBeLessThan(RTT_US * 1.5);
    expect(mean(cubic)).toBeGreaterThan(RTT_US * 3);
  });

  test('knows the bottleneck: it paces near to the rate after the start (BBR §4.1.1)', () => {
    const flow = new Bulk({ there: PATH, controller: bbr });
    for (let ms = 1500; ms <= 2500; ms += 100) {
      const { pacing_rate } = flow.until(ms).info;
      // gains of 0.75, 1 and 1.25 around it
      expect(pacing_rate).toBeGreaterThan(PAYLOAD * 0.7);
      expect(pacing_rate).toBeLessThan(PAYLOAD * 1.3);
    }
  });

  test('is not slowed by one percent of random loss, which costs CUBIC half (BBR §1)', () => {
    const goodput = (controller: typeof bbr): number =>
      new Bulk({ there: { ...PATH, loss: 0.01 }, controller, seed: 3 }).goodput(1000, 4000);
    expect(goodput(bbr)).toBeGreaterThan(PAYLOAD * 0.9);
    expect(goodput(cubic)).toBeLessThan(PAYLOAD * 0.7);
  });

  test('does not lose much with a queue of half a bandwidth-delay product (BBR §4.2.3)', () => {
    const flow = new Bulk({ there: { ...PATH, queue: 25_000 }, controller: bbr });
    expect(flow.goodput(1000, 4000)).toBeGreaterThan(PAYLOAD * 0.8);
  });

  test('looks for the least RTT with four segments in flight every ten seconds (BBR §4.3.5)', () => {
    const flow = new Bulk({
      there: { rate: 250_000, delayUs: 20_000, queue: 100_000 },
      controller: bbr,
    }).until(9000);
    let least = Infinity;
    for (let ms = 9000; ms <= 12_500; ms += 10) {
      least = Math.min(least, flow.until(ms).info.snd_cwnd);
    }
    expect(least).toBe(4);
    // and comes back
    expect(flow.until(13_500).info.snd_cwnd).toBeGreaterThan(8);
    expect(flow.goodput(13_500, 14_500)).toBeGreaterThan(250_000 * 0.9);
  });

  test('follows a bottleneck that becomes wider, and one that becomes narrower (BBR §4.3.4)', () => {
    const flow = new Bulk({ there: { ...PATH, rate: RATE / 4 }, controller: bbr }).until(1500);
    const way = flow.world.cables[0]?.ends[0]?.way;
    if (way === undefined) throw new Error('no cable');
    way.options = { ...PATH };
    expect(flow.goodput(3500, 4500)).toBeGreaterThan(PAYLOAD * 0.85);
    way.options = { ...PATH, rate: RATE / 4 };
    expect(flow.goodput(6500, 8500)).toBeGreaterThan((PAYLOAD / 4) * 0.9);
    expect(flow.info.pacing_rate).toBeLessThan((PAYLOAD / 4) * 1.4);
  });

  test("the program's own limit holds for it as well (Linux SO_MAX_PACING_RATE)", () => {
    const flow = new Bulk({ there: PATH, controller: bbr });
    flow.socket.setMaxPacingRate(200_000);
    expect(flow.goodput(1000, 3000)).toBeLessThanOrEqual(200_000);
    expect(flow.goodput(3000, 4000)).toBeGreaterThan(170_000);
  });

  test('a program that sends little does not make the path look slow (BBR §4.1.1.3)', () => {
    const flow = new Bulk({ there: PATH, controller: bbr }).until(1500);
    // the bulk ends, small writes follow for a while
    const small = new Bulk({ there: PATH, controller: bbr, total: 1_500_000 }).until(2000);
    for (let ms = 2000; ms < 3000; ms += 50) {
      small.more(2000);
      small.until(ms + 50);
    }
    expect(flow.info.pacing_rate).toBeGreaterThan(PAYLOAD * 0.7);
    expect(small.info.pacing_rate).toBeGreaterThan(PAYLOAD * 0.7);
  });

  test('five percent of loss over 100 ms leave four fifths of the path (BBR §1)', () => {
    const there = { rate: RATE, delayUs: 50_000, queue: 125_000, loss: 0.05 };
    const flow = new Bulk({ there, controller: bbr, seed: 5 });
    expect(flow.goodput(4000, 9000)).toBeGreaterThan(PAYLOAD * 0.8);
  });

  test('holes of several round trips close neither window nor send buffer (RFC 2018 §1)', () => {
    // a product of 432 segments: the first buffers of both ends hold 90 and 181
    const there = { rate: 6_250_000, delayUs: 50_000, queue: 625_000, loss: 0.05 };
    const flow = new Bulk({ there, controller: bbr, seed: 1 });
    expect(flow.goodput(0, 6000)).toBeGreaterThan(4_000_000);
  });

  test('begins to probe in any phase but the one that drains (BBR §4.3.4.3)', () => {
    const phases = new Set<number>();
    for (let seed = 1; seed <= 12; seed++) {
      const flow = new Bulk({ there: PATH, controller: bbr, seed });
      const memory = (): { mode: number; cycle: number } =>
        flow.socket.tcb.congestionMemory as unknown as { mode: number; cycle: number };
      expect(flow.when(() => flow.info.state === 'ESTAB' && memory().mode === 2, 3000)).toBe(true);
      phases.add(memory().cycle);
    }
    expect(phases.has(1)).toBe(false);
    expect(phases.size).toBeGreaterThan(3);
  });

  test('has room for acknowledgments that come in clumps (BBR update-ack-aggregation)', () => {
    const flow = new Bulk({
      there: { rate: RATE, delayUs: 10_000, queue: 100_000 },
      controller: bbr,
      turnUs: [0, 40_000],
    });
    // two round trips of acknowledgments at once: more than the window of two products holds
    expect(flow.goodput(2000, 6000)).toBeGreaterThan(PAYLOAD * 0.9);
  });

  test('goes on after a timeout (BBR §4.2.4)', () => {
    const flow = new Bulk({ there: PATH, controller: bbr });
    const start = flow.world.clock.nowUs();
    const way = flow.world.cables[0]?.ends[0]?.way;
    if (way === undefined) throw new Error('no cable');
    way.options = { ...PATH, partitions: [[start + 1_500_000, start + 3_000_000]] };
    flow.until(3000);
    expect(flow.a.stack.counters.get('TcpExtTCPTimeouts')).toBeGreaterThan(0);
    expect(flow.goodput(5500, 6500)).toBeGreaterThan(PAYLOAD * 0.85);
  });
});
