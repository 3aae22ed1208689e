// The congestion window as acknowledgments make it grow: initial window, slow start, congestion
// avoidance, application limits, restart after idle. Segments have 1,000 octets.

import { describe, expect, test } from 'vitest';
import { newReno } from '../../src/tcp/congestion/newreno.ts';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { PLAIN } from './openings.ts';

const ROUND_US = 100_000;

function acknowledge(bench: ScriptBench, ack: number): void {
  bench.inject({
    kind: 'tcp',
    flags: 16,
    pshOptional: false,
    seq: 1,
    len: 0,
    ack,
    win: 65_535,
    urg: 0,
    options: [],
  });
}

/** Acknowledges everything every 0.1 s, each second segment; answers cwnd after each round. */
function rounds(bench: ScriptBench, n: number, every = 2): number[] {
  const cwnds: number[] = [];
  for (let i = 0; i < n; i++) {
    bench.runTo(bench.elapsedUs + ROUND_US);
    const sent = bench.outbox.splice(0).map((o) => {
      const view = new DataView(o.octets.buffer);
      return ((view.getUint32(24) - bench.socket.tcb.iss) >>> 0) + o.octets.length - 40;
    });
    for (let k = every - 1; k < sent.length; k += every) acknowledge(bench, sent[k] as number);
    if (sent.length % every !== 0) acknowledge(bench, sent.at(-1) as number);
    cwnds.push(bench.socket.info().snd_cwnd);
  }
  return cwnds;
}

describe('slow start', () => {
  test('begins with ten segments (RFC 6928 §2)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(50000)`, { allowLeftover: true });
    expect(bench.outbox.length).toBe(10);
  });

  test.each([1, 2, 4])(
    'begins with %d segments when it is told so (knob initialCwnd)',
    (initialCwnd) => {
      const bench = runScript(`${PLAIN}\n +0 write(50000)`, {
        allowLeftover: true,
        config: { tcp: { initialCwnd } },
      });
      expect(bench.outbox.length).toBe(initialCwnd);
    },
  );

  test('begins with one segment after a SYN+ACK that was lost twice (RFC 5681 §3.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      0 > S. 0:0(0) ack 1 <...>
      1 > S. 0:0(0) ack 1 <...>
      3 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(50000)
    `,
      { allowLeftover: true, toleranceMs: 400 },
    );
    expect(bench.outbox.length).toBe(1);
  });

  test('doubles the window in a round trip, not more (RFC 5681 §3.1, RFC 2525 §2.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 6>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(500000)
    `,
      { allowLeftover: true },
    );
    expect(rounds(bench, 3)).toEqual([20, 40, 80]);
  });

  test('counts octets, not ACKs: ten ACKs of a hundred octets are one segment (RFC 3465, ACK division)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(50000)\n +0 forget`, { allowLeftover: true });
    bench.runTo(bench.elapsedUs + ROUND_US);
    for (let ack = 101; ack <= 1001; ack += 100) acknowledge(bench, ack);
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(11);
    expect(bench.outbox.length).toBeLessThanOrEqual(2);
  });

  test('an ACK of what was never sent brings nothing (optimistic ACK)', () => {
    const bench = runScript(`${PLAIN}\n +0 write(50000)\n +0 forget`, { allowLeftover: true });
    for (let i = 1; i < 20; i++) acknowledge(bench, 10_001 + i * 1000);
    expect(bench.socket.info().snd_cwnd).toBe(10);
    expect(bench.socket.info().bytes_acked).toBeLessThanOrEqual(1);
  });

  test('a program that sends little does not grow the window (RFC 7661 §4.3, RFC 2861)', () => {
    const bench = runScript(PLAIN);
    let ack = 1;
    for (let i = 0; i < 30; i++) {
      bench.call('write', ['1000']);
      bench.outbox.length = 0;
      bench.runTo(bench.elapsedUs + ROUND_US);
      ack += 1000;
      acknowledge(bench, ack);
    }
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(12);
  });
});

describe('congestion avoidance of NewReno', () => {
  test('adds one segment in a round trip (RFC 5681 §3.1, RFC 2525 §2.6)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 6>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(900000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 65535
      +.1 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true, config: { tcp: { controller: newReno } } },
    );
    expect(bench.socket.info().snd_ssthresh).toBe(5);
    rounds(bench, 2);
    const cwnds = rounds(bench, 8);
    for (let i = 1; i < cwnds.length; i++) {
      expect((cwnds[i] as number) - (cwnds[i - 1] as number)).toBeLessThanOrEqual(1);
    }
    expect((cwnds.at(-1) as number) - (cwnds[0] as number)).toBeGreaterThanOrEqual(6);
    expect((cwnds.at(-1) as number) - (cwnds[0] as number)).toBeLessThanOrEqual(7);
  });
});

describe('after idle time', () => {
  test('of more than an RTO the window starts again from the initial one (RFC 5681 §4.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 6>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(70000)
    `,
      { allowLeftover: true },
    );
    rounds(bench, 4);
    expect(bench.socket.info().snd_cwnd).toBeGreaterThan(30);
    bench.runTo(bench.elapsedUs + 10_000_000);
    bench.outbox.length = 0;
    bench.call('write', ['60000']);
    expect(bench.outbox.length).toBe(10);
  });

  test('of less than an RTO it does not (RFC 5681 §4.1)', () => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 6>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(70000)
    `,
      { allowLeftover: true },
    );
    rounds(bench, 4);
    bench.runTo(bench.elapsedUs + 150_000);
    bench.outbox.length = 0;
    bench.call('write', ['60000']);
    expect(bench.outbox.length).toBeGreaterThan(20);
  });
});

test('flight never exceeds the window, whatever the ACKs are (RFC 9293 MUST-19)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const bench = runScript(`${PLAIN}\n +0 write(300000)`, { allowLeftover: true, seed });
    let x = seed;
    for (let i = 0; i < 120; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
      bench.runTo(bench.elapsedUs + (x % 40_000));
      const { tcb } = bench.socket;
      const flight = (tcb.sndNxt - tcb.sndUna) | 0;
      if (flight > 0 && x % 3 !== 0)
        acknowledge(bench, ((tcb.sndUna - tcb.iss) >>> 0) + (x % (flight + 1)));
      else acknowledge(bench, (tcb.sndUna - tcb.iss) >>> 0);
      const info = bench.socket.info();
      // limited transmit may have two more under way, a tail loss probe one
      expect(info.unacked - info.sacked - info.lost + info.retrans).toBeLessThanOrEqual(
        info.snd_cwnd + 3,
      );
    }
  }
});

describe('an acknowledgment that ends inside of a super-segment', () => {
  test('while the pool of records is full: what was delivered stays a number (RFC 9937 §6)', () => {
    // 256 records: the first stands for two segments, and cutting it needs a 257th
    const writes = Array.from({ length: 255 }, () => '+0 write(100)').join('\n');
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,sackOK>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 nodelay
      +0 write(2000)
      ${writes}
      +0 forget
      +.1 < . 1:1(0) ack 1001 win 65535
    `,
      { allowLeftover: true, config: { tcp: { initialCwnd: 400 } } },
    );
    expect(bench.socket.info().delivered).toBe(2);
    expect(bench.socket.info().unacked).toBe(256);
  });
});
