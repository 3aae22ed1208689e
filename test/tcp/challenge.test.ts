// Blind attacks within the window: RFC 5961's challenge ACKs, in every synchronized state.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { PLAIN, SYNCHRONIZED } from './openings.ts';

describe.each(SYNCHRONIZED)('in $state', ({ script, rcvNxt, sndUna, sndNxt }) => {
  const ack = `> . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}`;

  test('RST at RCV.NXT ends the connection, silently (RFC 5961 §3.2)', () => {
    const bench = runScript(`${script}
      +.01 < R ${rcvNxt}:${rcvNxt}(0) win 0
      +1 > nothing
    `);
    expect(bench.socket.info().state).toBe('UNCONN');
  });

  test.each([1, 2, 1000, 60_000])('RST %d octets further is challenged (RFC 5961 §3.2)', (off) => {
    const bench = runScript(`${script}
      +.01 < R ${rcvNxt + off}:${rcvNxt + off}(0) win 0
      +0 ${ack}
    `);
    expect(bench.socket.info().state).not.toBe('UNCONN');
  });

  test.each([-1, -1000, 70_000_000, -70_000_000])(
    'RST %d octets off is dropped (RFC 5961 §3.2)',
    (off) => {
      const bench = runScript(`${script}
      +.01 < R ${rcvNxt + off}:${rcvNxt + off}(0) win 0
      +.05 > nothing
    `);
      expect(bench.socket.info().state).not.toBe('UNCONN');
    },
  );

  test.each([-100_000, -1, 0, 1, 1000, 100_000_000])(
    'SYN %d octets off is challenged (RFC 5961 §4.2)',
    (off) => {
      const bench = runScript(`${script}
      +.01 < S ${rcvNxt + off}:${rcvNxt + off}(0) win 100 <mss 1000>
      +0 ${ack}
    `);
      expect(bench.socket.info().state).not.toBe('UNCONN');
    },
  );

  test('an ACK of what was never sent is challenged (RFC 5961 §5.2)', () => {
    runScript(`${script}
      +.01 < P. ${rcvNxt}:${rcvNxt + 10}(10) ack ${sndNxt + 1} win 65535
      +0 ${ack}
      +0 expect data 0
    `);
  });

  test('an ACK older than the largest window is challenged (RFC 5961 §5.2)', () => {
    runScript(`${script}
      +.01 < P. ${rcvNxt}:${rcvNxt + 10}(10) ack ${sndUna - 65_600} win 65535
      +0 ${ack}
      +0 expect data 0
    `);
  });

  test('a segment without ACK is dropped (RFC 9293 §3.10.7.4)', () => {
    runScript(`${script}
      +.01 < P ${rcvNxt}:${rcvNxt + 10}(10) win 65535
      +.05 > nothing
      +0 expect data 0
    `);
  });

  test('a segment in front of the window is acknowledged and dropped (RFC 9293 §3.10.7.4)', () => {
    runScript(`${script}
      +.01 < . ${rcvNxt - 50}:${rcvNxt - 40}(10) ack ${sndUna} win 65535
      +0 ${ack}
      +0 expect data 0
    `);
  });

  test('a segment behind the window is acknowledged and dropped (RFC 9293 §3.10.7.4)', () => {
    runScript(`${script}
      +.01 < . ${rcvNxt + 80_000_000}:${rcvNxt + 80_000_010}(10) ack ${sndUna} win 65535
      +0 ${ack}
      +0 expect data 0
    `);
  });
});

describe('SYN-RECEIVED', () => {
  const SYN_RECEIVED = `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 1000>
    +0 > S. 0:0(0) ack 1 <mss 1460>
  `;

  test('RST within the window is challenged, not obeyed (RFC 5961 §3.2)', () => {
    runScript(`${SYN_RECEIVED}
      +.01 < R 100:100(0) win 0
      +0 > . 1:1(0) ack 1
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });

  test('RST outside of the window is dropped (RFC 5961 §3.2)', () => {
    runScript(`${SYN_RECEIVED}
      +.01 < R -5:-5(0) win 0
      +.05 > nothing
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });
});

describe('the budget of challenge ACKs', () => {
  const storm = (from: number, n: number): string =>
    Array.from({ length: n }, (_, i) => `+0 < R ${from + i}:${from + i}(0) win 0`).join('\n');

  test('is bounded: 100 forged RSTs in an instant bring at most 20 answers (RFC 5961 §7)', () => {
    const bench = runScript(`${PLAIN}\n${storm(100, 100)}`, { allowLeftover: true });
    expect(bench.outbox.length).toBeGreaterThan(0);
    expect(bench.outbox.length).toBeLessThanOrEqual(20);
    expect(bench.stack.counters.get('TcpExtTCPACKSkippedChallenge')).toBeGreaterThan(50);
  });

  test('comes back with time (RFC 5961 §7)', () => {
    runScript(`${PLAIN}\n${storm(100, 100)}
      +0 forget
      +2 < R 100:100(0) win 0
      +0 > . 1:1(0) ack 1
    `);
  });

  test('is a connection\u2019s own: exhausting A does not silence B (CVE-2016-5696)', () => {
    runScript(`${PLAIN}
      +0 use B
      +0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 use A
      ${storm(100, 200)}
      +0 forget
      +0 use B
      +0 < R 100:100(0) win 0
      +0 > . 1:1(0) ack 1
    `);
  });

  test('differs from one connection to the next, so that its size tells nothing (CVE-2016-5696)', () => {
    const sizes = Array.from({ length: 12 }, (_, seed) => {
      const bench = runScript(`${PLAIN}\n${storm(100, 100)}`, {
        allowLeftover: true,
        seed: seed + 1,
      });
      return bench.outbox.length;
    });
    expect(new Set(sizes).size).toBeGreaterThan(1);
  });
});
