// RACK-TLP (RFC 8985): loss by time of sending, reordering, tail loss probes.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { SACK } from './openings.ts';

const starts = (bench: ScriptBench): number[] =>
  bench.outbox.map(
    (o) => (new DataView(o.octets.buffer).getUint32(24) - bench.socket.tcb.iss) >>> 0,
  );

describe('a tail loss probe', () => {
  test('goes after two round trips when nothing is acknowledged, before the RTO (RFC 8985 §7.2)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +.29 expect open
    `,
      { allowLeftover: true },
    );
    const [first] = bench.outbox;
    expect(((first?.atUs as number) - 100_000) / 1000).toBeGreaterThanOrEqual(198);
    // the last segment, or new data if there is any
    expect(starts(bench)).toEqual([4001]);
    expect(bench.stack.counters.get('TcpExtTCPLossProbes')).toBe(1);
  });

  test('sends new data if there is some and the window has room (RFC 8985 §7.3)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(10000)
      +0 write(5000)
      +0 forget
      +.25 expect open
    `,
      { allowLeftover: true },
    );
    expect(starts(bench)).toEqual([10_001]);
  });

  test('waits longer for a lone segment, whose ACK may be delayed (RFC 8985 §7.2)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(500)
      +0 forget
      +.28 > nothing
    `,
      { allowLeftover: true },
    );
    expect(bench.outbox).toEqual([]);
  });

  test('is one per flight: the next is a timeout (RFC 8985 §7.2)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +1.2 expect open
    `,
      { allowLeftover: true },
    );
    expect(bench.stack.counters.get('TcpExtTCPLossProbes')).toBe(1);
    expect(bench.stack.counters.get('TcpExtTCPTimeouts')).toBeGreaterThan(0);
  });

  test('makes the loss of a whole tail visible: SACK of the probe starts recovery (RFC 8985 §7.4)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +.1 < . 1:1(0) ack 1001 win 65535
      +.25 forget
      +.06 < . 1:1(0) ack 1001 win 65535 <nop,nop,sack 4001:5001>
      +.1 < . 1:1(0) ack 2001 win 65535 <nop,nop,sack 4001:5001>
      +.01 expect open
    `,
      { allowLeftover: true },
    );
    // nothing is in flight: PRR begins with one, then goes on in slow start
    expect(starts(bench)).toEqual([1001, 2001, 3001]);
    expect(bench.stack.counters.get('TcpExtTCPTimeouts')).toBe(0);
  });

  test('whose original was lost reduces the window once (RFC 8985 §7.4.2)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +.1 < . 1:1(0) ack 4001 win 65535
      +.4 forget
      +.01 < . 1:1(0) ack 5001 win 65535
      +0 write(1000)
      +.1 < . 1:1(0) ack 6001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.stack.counters.get('TcpExtTCPTimeouts')).toBe(0);
    expect(bench.stack.counters.get('TcpExtTCPLossProbeRecovery')).toBe(1);
    expect(bench.socket.info().unacked).toBe(0);
  });

  test('that was needless is known by its D-SACK and costs nothing (RFC 8985 §7.4.2)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +.25 forget
      +0 < . 1:1(0) ack 5001 win 65535
      +.1 < . 1:1(0) ack 5001 win 65535 <nop,nop,sack 4001:5001>
    `,
      { allowLeftover: true },
    );
    expect(bench.stack.counters.get('TcpExtTCPLossProbeRecovery')).toBe(0);
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  test('can be switched off', () => {
    const bench = runScript(`${SACK}\n +0 write(5000)\n +0 forget\n +.29 > nothing`, {
      config: { tcp: { lossProbe: false } },
    });
    expect(bench.stack.counters.get('TcpExtTCPLossProbes')).toBe(0);
  });
});

describe('reordering', () => {
  test('of two segments within a quarter of the round trip is no loss (RFC 8985 §6.2, reordering window)', () => {
    const bench = runScript(`${SACK}
      +0 write(5000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:2001>
      +.005 < . 1:1(0) ack 2001 win 65535
      +.005 < . 1:1(0) ack 5001 win 65535
    `);
    expect(bench.socket.info().total_retrans).toBe(0);
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  test('a hole is a loss once the window of reordering has passed, without any more ACKs (RFC 8985 §6.3)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(2000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:2001>
      +.05 expect open
    `,
      { allowLeftover: true },
    );
    expect(starts(bench)).toEqual([1]);
    expect(((bench.outbox[0]?.atUs as number) - 200_000) / 1000).toBeGreaterThanOrEqual(20);
    expect(((bench.outbox[0]?.atUs as number) - 200_000) / 1000).toBeLessThanOrEqual(30);
  });

  test('that is seen widens the window: the same again is waited for (RFC 8985 §6.2.4)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(5000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 4001:5001>
      +.001 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 3001:5001>
      +.001 < . 1:1(0) ack 5001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().total_retrans).toBe(0);
  });
});
