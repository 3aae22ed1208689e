// Round-trip measurement and the retransmission timeout (RFC 6298, Karn's rule, RFC 7323 §4).
// The floor is on the variance term, 200 ms, as in Linux (docs/departures.md).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { PLAIN, STAMPED } from './openings.ts';

describe('the retransmission timeout', () => {
  test('is 1 s before the first measurement (RFC 6298 §2.1)', () => {
    runScript(`
      0 connect 80
      0 > S 0:0(0) <...>
      1 > S 0:0(0) <...>
    `);
  });

  test('after the first measurement R: SRTT = R, RTTVAR = R/2 (RFC 6298 §2.2)', () => {
    const bench = runScript(`${PLAIN}`);
    const { rtt, rttvar, rto } = bench.socket.info();
    expect([rtt, rttvar]).toEqual([100_000, 50_000]);
    expect(rto).toBe(300_000); // SRTT + max(200 ms, 4 RTTVAR)
  });

  test('later measurements move SRTT by 1/8 and RTTVAR by 1/4 (RFC 6298 §2.3)', () => {
    const bench = runScript(`${PLAIN}
      +1 write(100)
      +0 > P. 1:101(100) ack 1
      +.2 < . 1:1(0) ack 101 win 65535
    `);
    const { rtt, rttvar } = bench.socket.info();
    expect(rtt).toBe(112_500); // 7/8 * 100 + 1/8 * 200
    expect(rttvar).toBeGreaterThanOrEqual(62_500 - 1); // 3/4 * 50 + 1/4 * 100
    expect(rttvar).toBeLessThanOrEqual(62_500 + 1);
  });

  test('a long round trip makes a long timeout (RFC 6298 §2.2)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.8 < . 1:1(0) ack 1 win 65535
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +2.35~+2.45 > P. 1:101(100) ack 1
    `);
  });

  test('a retransmission gives no measurement without timestamps (RFC 9293 MUST-18, Karn)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(100)
      +0 > P. 1:101(100) ack 1
      +.15~+.35 > P. 1:101(100) ack 1
      +2 < . 1:1(0) ack 101 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().rtt).toBe(100_000);
  });

  test('doubles for the same octets until they are acknowledged (RFC 6298 §5.5)', () => {
    runScript(
      `${PLAIN}
      +0 write(1000)
      +0 > P. 1:1001(1000) ack 1
      +.2~+.35 > P. 1:1001(1000) ack 1
      +.25~+.65 > P. 1:1001(1000) ack 1
      +.55~+1.25 > P. 1:1001(1000) ack 1
      +1.15~+2.45 > P. 1:1001(1000) ack 1
      +2.35~+4.85 > P. 1:1001(1000) ack 1
    `,
      { toleranceMs: 60 },
    );
  });

  test('keeps the doubled value for new data until a measurement can be made (RFC 6298 §5, Karn)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(1000)
      +0 > P. 1:1001(1000) ack 1
      +1.5 forget
      +.05 < . 1:1(0) ack 1001 win 65535
    `,
      { allowLeftover: true },
    );
    // nothing measured: SRTT is what the handshake gave
    expect(bench.socket.info().rtt).toBe(100_000);
  });

  test('is restarted by an ACK of new data, not by one of nothing (RFC 6298 §5.3)', () => {
    runScript(`${PLAIN}
      +0 write(2000)
      +0 > . 1:1001(1000) ack 1
      +0 > P. 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 65535
      +.15~+.35 > P. 1001:2001(1000) ack 1
    `);
  });

  test('is at most 120 s (RFC 6298 §2.5)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(1000)
      +800 expect open
    `,
      { allowLeftover: true },
    );
    const times = bench.outbox.map((o) => o.atUs / 1e6);
    const gaps = times.slice(1).map((t, i) => t - (times[i] as number));
    expect(Math.max(...gaps)).toBeGreaterThan(100);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(121);
  });
});

describe('with timestamps', () => {
  test('an ACK of a retransmission measures by its echo (RFC 7323 §4.1)', () => {
    const bench = runScript(
      `${STAMPED}
      +0 write(1000)
      +0 > . 1:989(988) ack 1 <...>
      +0 > P. 989:1001(12) ack 1 <...>
      +.4 forget
      +.1 < . 1:1(0) ack 1001 win 65535 <nop,nop,TS val 700 ecr 800>
    `,
      { allowLeftover: true },
    );
    // 0.5 s since TSval 800 (at 0.1 s): SRTT = 7/8 * 100 + 1/8 * 500
    expect(bench.socket.info().rtt).toBeGreaterThan(140_000);
    expect(bench.socket.info().rtt).toBeLessThan(160_000);
  });

  test('an echo of what was never sent does not spoil the estimate (RFC 7323 §4.1, forged TSecr)', () => {
    const bench = runScript(`${STAMPED}
      +0 write(100)
      +0 > P. 1:101(100) ack 1 <...>
      +.1 < . 1:1(0) ack 101 win 65535 <nop,nop,TS val 300 ecr 90000000>
    `);
    expect(bench.socket.info().rtt).toBeLessThanOrEqual(110_000);
    expect(bench.socket.info().rto).toBeLessThanOrEqual(400_000);
  });
});
