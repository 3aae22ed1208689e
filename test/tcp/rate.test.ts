// Delivery rate samples (draft-cheng-iccrg-delivery-rate-estimation-00): what the path delivers,
// neither what bursts of sending nor compressed acknowledgments make of it.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { Bulk } from './bulk.ts';
import { arrive, ISS, taken, wait } from './segments.ts';

function opened(): ScriptBench {
  return runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000,sackOK>
    +0 > S. 0:0(0) ack 1 <...>
    +.1 < . 1:1(0) ack 1 win 65535
  `,
    { config: { tcp: { testIss: ISS } } },
  );
}

describe('a delivery rate sample', () => {
  test('is a window over a round trip while nothing queues (delivery-rate §3.3)', () => {
    const bench = opened();
    bench.call('write', ['30000']);
    wait(bench, 100);
    taken(bench);
    arrive(bench, { flags: '.', seq: 1, ack: 10_001 });
    // ten segments of 1000 octets in 0.1 s
    expect(bench.socket.tcb.rate).toBeGreaterThanOrEqual(99_000);
    expect(bench.socket.tcb.rate).toBeLessThanOrEqual(101_000);
  });

  test('acknowledgments compressed into one moment do not make it larger (delivery-rate §2.2)', () => {
    const bench = opened();
    bench.socket.setMaxPacingRate(100_000);
    bench.call('write', ['10000']);
    wait(bench, 110);
    expect(taken(bench).at(-1)?.seq).toBe(9001);
    // all of them waited somewhere on the way back
    wait(bench, 90);
    let most = 0;
    for (let ack = 1001; ack <= 10_001; ack += 1000) {
      arrive(bench, { flags: '.', seq: 1, ack });
      most = Math.max(most, bench.socket.tcb.rate);
    }
    expect(most).toBeLessThanOrEqual(100_000);
    expect(most).toBeGreaterThan(20_000);
  });

  test('is the rate of the bottleneck when the sender fills it (delivery-rate §3.3)', () => {
    const flow = new Bulk({ there: { rate: 500_000, delayUs: 20_000, queue: 100_000 } }).until(
      1500,
    );
    // payload of packets of 1500 octets at 500,000 octets per second
    expect(flow.socket.tcb.rate).toBeGreaterThan(500_000 * 0.965 * 0.97);
    expect(flow.socket.tcb.rate).toBeLessThan(500_000 * 0.966 * 1.03);
  });

  test('never exceeds the bottleneck by more than rounding, with loss and reordering (delivery-rate §3.3)', () => {
    const flow = new Bulk({
      there: { rate: 500_000, delayUs: 20_000, queue: 100_000, loss: 0.02, reorder: 0.02 },
      seed: 4,
    });
    let most = 0;
    for (let ms = 200; ms <= 3000; ms += 7) most = Math.max(most, flow.until(ms).socket.tcb.rate);
    expect(most).toBeGreaterThan(400_000);
    expect(most).toBeLessThan(500_000 * 1.05);
  });

  test('a program that sends little is known to be the limit (delivery-rate §3.4)', () => {
    const flow = new Bulk({ there: { rate: 500_000, delayUs: 20_000 }, total: 3000 }).until(500);
    expect(flow.socket.tcb.appLimited).toBeGreaterThan(0);
    flow.more(1_000_000);
    flow.until(900);
    expect(flow.socket.tcb.appLimited).toBe(0);
  });

  test('stands in tcp_info in octets per second (Linux tcpi_delivery_rate)', () => {
    const flow = new Bulk({ there: { rate: 500_000, delayUs: 20_000, queue: 100_000 } }).until(
      1500,
    );
    flow.socket.setMaxPacingRate(300_000);
    expect(flow.info.delivery_rate).toBe(Math.round(flow.socket.tcb.rate));
    expect(flow.info.pacing_rate).toBe(300_000);
  });
});
