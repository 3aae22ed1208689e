// Reductions that were not needed are taken back: D-SACK, timestamps (Eifel), F-RTO.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { SACK, STAMPED } from './openings.ts';

describe('a recovery that was not needed', () => {
  test('is undone when D-SACK tells that every retransmission was a duplicate (RFC 2883 §5, RFC 3708)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(10000)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,sack 1001:4001>
      +0 > . 1:1001(1000) ack 1
      +.01 < . 1:1(0) ack 10001 win 65535
      +.09 < . 1:1(0) ack 10001 win 65535 <nop,nop,sack 1:1001>
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThan(1000);
  });

  test('is undone at once when the echo is older than the retransmission (RFC 3522, RFC 7323 §4)', () => {
    const bench = runScript(
      `${STAMPED}
      +0 write(9880)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 300 ecr 800,nop,nop,sack 989:3953>
      +0 > . 1:989(988) ack 1 <...>
      +.01 < . 1:1(0) ack 9881 win 65535 <nop,nop,TS val 310 ecr 800>
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThan(1000);
    expect(bench.socket.info().ca_state).toBe('open');
  });

  test('is not undone when the retransmission was needed (RFC 3522)', () => {
    const bench = runScript(
      `${STAMPED}
      +0 write(9880)
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 300 ecr 800,nop,nop,sack 989:3953>
      +0 > . 1:989(988) ack 1 <...>
      +.1 < . 1:1(0) ack 9881 win 65535 <nop,nop,TS val 400 ecr 900>
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_ssthresh).toBe(7);
    expect(bench.socket.info().snd_cwnd).toBeLessThanOrEqual(8);
  });
});

describe('a timeout that was not needed', () => {
  test('is undone when ACKs of the first sending go on (F-RTO, RFC 5682 §3)', () => {
    // the path stalls for 0.6 s, nothing is lost
    const bench = runScript(
      `${SACK}
      +0 write(20000)
      +0 forget
      +.6 forget
      +0 < . 1:1(0) ack 2001 win 65535
      +.001 < . 1:1(0) ack 4001 win 65535
      +.001 < . 1:1(0) ack 6001 win 65535
      +.001 < . 1:1(0) ack 10001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().ca_state).toBe('open');
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(9);
  });

  test('is undone by timestamps with the first ACK (RFC 4015, RFC 7323 §4)', () => {
    const bench = runScript(
      `${STAMPED}
      +0 write(9880)
      +0 forget
      +.6 forget
      +0 < . 1:1(0) ack 1977 win 65535 <nop,nop,TS val 300 ecr 800>
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().ca_state).not.toBe('loss');
    expect(bench.socket.info().snd_ssthresh).toBeGreaterThan(1000);
  });

  test('is not undone when the data was lost (RFC 5682 §3)', () => {
    const bench = runScript(
      `${SACK}
      +0 write(10000)
      +0 forget
      +.6 forget
      +0 < . 1:1(0) ack 1001 win 65535
      +.1 < . 1:1(0) ack 1001 win 65535
      +0 < . 1:1(0) ack 2001 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_ssthresh).toBeLessThanOrEqual(7);
  });
});
