// Timestamps and PAWS (RFC 7323 §3 to §5).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { PLAIN, packet, STAMPED } from './openings.ts';

describe('timestamps', () => {
  test('too old on data that came already: D-SACK tells that it was needless (RFC 2883 §4)', () => {
    runScript(`${STAMPED}
      +0 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 300 ecr 700>
      +0~+.2 > . 1:1(0) ack 11 <nop,nop,TS val . ecr 300>
      +0 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 250 ecr 700>
      +0 > . 1:1(0) ack 11 <nop,nop,TS val . ecr 300,nop,nop,sack 1:11>
      +0 expect counter TcpExtPAWSEstab 1
    `);
  });

  test('stand on every segment once agreed (RFC 7323 §3.2)', () => {
    runScript(`${STAMPED}
      +0 write(100)
      +0 > P. 1:101(100) ack 1 <nop,nop,TS val 800 ecr 200>
      +.1 < P. 1:11(10) ack 101 win 65535 <nop,nop,TS val 300 ecr 800>
      +0~+.2 > . 101:101(0) ack 11 <nop,nop,TS val . ecr 300>
      +0 shutdown
      +0 > F. 101:101(0) ack 11 <nop,nop,TS val . ecr 300>
    `);
  });

  test('are not used when the peer did not offer them (RFC 7323 §3.2)', () => {
    runScript(`${PLAIN}
      +0 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 300 ecr 800>
      +0~+.2 > . 1:1(0) ack 11
      +0 expect data 10
    `);
  });

  test('grow with the clock by one a millisecond (RFC 7323 §5.4)', () => {
    runScript(`${STAMPED}
      +9.9 write(100)
      +0 > P. 1:101(100) ack 1 <nop,nop,TS val 10700 ecr 200>
    `);
  });

  test('begin anywhere, and elsewhere for each connection (RFC 7323 §5.4, CVE-2026-23247)', () => {
    const values = Array.from({ length: 6 }, (_, seed) => {
      const bench = runScript('0 connect 80', { allowLeftover: true, seed: seed + 1 });
      const octets = packet(bench, 0);
      for (let at = 40; at < octets.length; ) {
        const kind = octets[at] as number;
        if (kind === 8) return new DataView(octets.buffer).getUint32(at + 2);
        at += kind === 1 ? 1 : (octets[at + 1] as number);
      }
      return 0;
    });
    expect(new Set(values).size).toBe(6);
    const two = runScript(
      `
      0 connect 80
      0 connect 81
    `,
      { allowLeftover: true },
    );
    const stamp = (i: number): number => {
      const octets = packet(two, i);
      return new DataView(octets.buffer).getUint32(
        octets.findIndex((o, k) => k >= 40 && o === 8 && octets[k + 1] === 10) + 2,
      );
    };
    expect(Math.abs(stamp(0) - stamp(1))).toBeGreaterThan(1000);
  });

  test('the echo is of the segment that advanced the left edge first (RFC 7323 §4.3)', () => {
    runScript(`${STAMPED}
      +0 < . 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 300 ecr 700>
      +0 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 310 ecr 700>
      +0 forget
      +.3 forget
      +0 < . 2001:3001(1000) ack 1 win 65535 <nop,nop,TS val 400 ecr 700>
      +0~+.2 > . 1:1(0) ack 3001 <nop,nop,TS val . ecr 400>
    `);
  });

  test('a segment out of order does not change the echo, one that fills the gap does (RFC 7323 §4.3)', () => {
    runScript(`${STAMPED}
      +0 < . 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 300 ecr 700>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val . ecr 200,nop,nop,sack 1001:2001>
      +0 < . 1:1001(1000) ack 1 win 65535 <nop,nop,TS val 290 ecr 700>
      +0 > . 1:1(0) ack 2001 <nop,nop,TS val . ecr 290>
    `);
  });
});

describe('PAWS', () => {
  test('a segment with an older timestamp is dropped and acknowledged (RFC 7323 §5.3 R1)', () => {
    const bench = runScript(`${STAMPED}
      +.01 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 199 ecr 700>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val . ecr 200>
      +0 expect data 0
    `);
    expect(bench.stack.counters.get('TcpExtPAWSEstab')).toBe(1);
  });

  test('the same timestamp is good (RFC 7323 §5.3)', () => {
    runScript(`${STAMPED}
      +.01 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
      +0~+.2 > . 1:1(0) ack 11 <...>
      +0 expect data 10
    `);
  });

  test('an old RST is not exempt from the window, only from PAWS (RFC 7323 §5.2)', () => {
    runScript(`${STAMPED}
      +.01 < R. 1:1(0) ack 1 win 0 <nop,nop,TS val 1 ecr 700>
      +0 expect closed ECONNRESET
    `);
    runScript(`${STAMPED}
      +.01 < R. 1:1(0) ack 1 win 0
      +0 expect closed ECONNRESET
    `);
  });

  test('a segment without the agreed timestamp is dropped, and the connection lives (RFC 7323 §3.2)', () => {
    const bench = runScript(
      `${STAMPED}
      +.01 < P. 1:11(10) ack 1 win 65535
      +.1 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 300 ecr 700>
      +.2 expect state ESTAB
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.bytesReceived).toBe(10);
  });

  test('timestamps wrap: past 2^32 is newer (RFC 7323 §5.3)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 4294967290 ecr 0>
      +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 700 ecr 4294967290>
      +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 4294967295 ecr 700>
      +.1 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 5 ecr 700>
      +0~+.2 > . 1:1(0) ack 11 <nop,nop,TS val . ecr 5>
      +.1 < P. 11:21(10) ack 1 win 65535 <nop,nop,TS val 4294967294 ecr 700>
      +0 > . 1:1(0) ack 11 <nop,nop,TS val . ecr 5>
      +0 expect data 10
    `);
  });

  test('after 24 days of silence the remembered timestamp is void (RFC 7323 §5.5)', () => {
    runScript(`${STAMPED}
      +2160000 < P. 1:11(10) ack 1 win 65535 <nop,nop,TS val 100 ecr 700>
      +0~+.2 > . 1:1(0) ack 11 <nop,nop,TS val . ecr 100>
      +0 expect data 10
    `);
  });

  test('our own clock may wrap as well: 60 days (reliability, soak)', () => {
    runScript(`${STAMPED}
      +5184000 write(100)
      +0 > P. 1:101(100) ack 1 <nop,nop,TS val . ecr 200>
      +.1 < . 1:1(0) ack 101 win 65535 <nop,nop,TS val 2000000000 ecr 889032804>
      +0 expect written 1
    `);
  });

  test('empty segments that PAWS refuses are answered twice a second at most (ACK loops)', () => {
    let script = STAMPED;
    for (let i = 0; i < 200; i++)
      script += '+0 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 1 ecr 700>\n';
    const bench = runScript(script, { allowLeftover: true });
    expect(bench.outbox.length).toBe(1);
  });
});
