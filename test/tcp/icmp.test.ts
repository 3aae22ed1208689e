// ICMP errors about our segments: which end a connection, which are noted, what they must quote
// (RFC 1122 §4.2.3.9, RFC 5461, RFC 5927), and path MTU discovery (RFC 1191).

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { PLAIN } from './openings.ts';

const CONNECT = `
  0 connect 80
  +0 > S 0:0(0) <...>
`;
const FLIGHT = `${PLAIN}
  +0 write(3000)
  +0 > . 1:1001(1000) ack 1
  +0 > . 1001:2001(1000) ack 1
  +0 > P. 2001:3001(1000) ack 1
`;
/** The same with segments of 1,460 octets. */
const BIG = `
  0 listen 80
  0 < S 0:0(0) win 65535 <mss 1460>
  +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 65535
  +0 write(2920)
  +0 > . 1:1461(1460) ack 1
  +0 > P. 1461:2921(1460) ack 1
`;
const sizes = (bench: ScriptBench): number[] => bench.outbox.map((o) => o.octets.length);

describe('before the connection is open', () => {
  // biome-ignore format: a table
  const hard = [
    { error: 'port_unreachable', code: 'ECONNREFUSED' },
    { error: 'protocol_unreachable', code: 'ENOPROTOOPT' },
  ];
  test.each(hard)(
    '$error ends it with $code (RFC 9293 SHLD-26, RFC 5461 §4)',
    ({ error, code }) => {
      runScript(`${CONNECT}
      +.1 < icmp ${error} [0:0(0)]
      +0 expect closed ${code}
    `);
    },
  );

  test.each([
    'net_unreachable',
    'host_unreachable',
    'source_route_failed',
    'ttl_exceeded',
    'parameter_problem',
  ])('%s does not end it (RFC 9293 MUST-56)', (error) => {
    runScript(`${CONNECT}
        +.1 < icmp ${error} [0:0(0)]
        +.1 expect open
        +0 expect state SYN-SENT
        +.1 < S. 0:0(0) ack 1 win 65535 <mss 1000>
        +0 > . 1:1(0) ack 1
        +0 expect opened
      `);
  });

  test('what the network said is what the program hears at last (RFC 9293 MUST-47, SHLD-25)', () => {
    runScript(
      `${CONNECT}
      +.1 < icmp host_unreachable [0:0(0)]
      +300 expect closed EHOSTUNREACH
    `,
      { allowLeftover: true },
    );
  });
});

describe('on an open connection', () => {
  test.each([
    'net_unreachable',
    'host_unreachable',
    'protocol_unreachable',
    'port_unreachable',
    'source_route_failed',
    'admin_prohibited',
    'ttl_exceeded',
    'reassembly_exceeded',
    'parameter_problem',
  ])('%s is noted and does not end it (RFC 9293 MUST-56, RFC 5927 §4)', (error) => {
    runScript(`${FLIGHT}
      +.05 < icmp ${error} [1:1001(1000)]
      +.05 expect open
      +0 < . 1:1(0) ack 3001 win 65535
      +0 expect state ESTAB
      +0 expect written 1
    `);
  });

  test('Source Quench changes nothing (RFC 9293 MUST-55, RFC 6633)', () => {
    const bench = runScript(`${FLIGHT}
      +.05 < icmp source_quench [1:1001(1000)]
      +.05 < . 1:1(0) ack 3001 win 65535
    `);
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  test('an error about numbers that are not in flight is ignored (RFC 5927 §4.1)', () => {
    for (const seq of [3001, 100_000, -1000]) {
      const bench = runScript(`${FLIGHT}
        +.05 < icmp frag_needed mtu 600 [${seq}]
        +.05 < . 1:1(0) ack 3001 win 65535
      `);
      expect(bench.socket.info().pmtu).toBe(1500);
    }
  });

  test('an error is found by the connection that it quotes, not by another (RFC 9293 MUST-54)', () => {
    runScript(`
      0 connect 80
      +0 > S 0:0(0) <...>
      +0 connect 81
      +0 > S 0:0(0) <...>
      +.1 < icmp port_unreachable [0:0(0)]
      +0 expect closed ECONNREFUSED
      +.2 > nothing
    `);
  });
});

describe('path MTU discovery', () => {
  test('frag needed makes smaller segments and sends what was lost again at once (RFC 1191 §6.5)', () => {
    const bench = runScript(
      `${BIG}
      +.05 < icmp frag_needed mtu 1000 [1:1461(1460)]
      +.01 expect open
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().pmtu).toBe(1000);
    expect(bench.outbox.length).toBeGreaterThan(0);
    expect(Math.max(...sizes(bench))).toBe(1000);
  });

  test('is no sign of congestion: the window stays (RFC 1191 §6.5)', () => {
    const bench = runScript(
      `${BIG}
      +.05 < icmp frag_needed mtu 1000 [1:1461(1460)]
      +.05 < . 1:1(0) ack 2921 win 65535
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  test('a message never makes segments larger (RFC 1191 §3, RFC 8201 §4)', () => {
    const bench = runScript(
      `${BIG}
      +.01 < icmp frag_needed mtu 1000 [1:1461(1460)]
      +.01 < icmp frag_needed mtu 1400 [1:1461(1460)]
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().pmtu).toBe(1000);
  });

  test.each([68, 100, 300, 551])(
    'an MTU of %d is not believed below the floor of 552 (RFC 5927 §7)',
    (mtu) => {
      const bench = runScript(
        `${BIG}
      +.05 < icmp frag_needed mtu ${mtu} [1:1461(1460)]
    `,
        { allowLeftover: true },
      );
      expect(bench.socket.info().pmtu).toBeGreaterThanOrEqual(552);
    },
  );

  test('an MTU of 0 (an old router) falls to the next plateau (RFC 1191 §5)', () => {
    const bench = runScript(
      `${BIG}
      +.05 < icmp frag_needed mtu 0 [1:1461(1460)]
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.info().pmtu).toBeLessThan(1500);
    expect(bench.socket.info().pmtu).toBeGreaterThanOrEqual(552);
  });

  test('a forged message about nothing in flight does not degrade the path (RFC 5927 §7)', () => {
    const bench = runScript(`${PLAIN}
      +.05 < icmp frag_needed mtu 600 [1:1001(1000)]
    `);
    expect(bench.socket.info().pmtu).toBe(1500);
  });

  test('the same octets are never sent over the MTU again (RFC 1191 §3)', () => {
    const bench = runScript(
      `${BIG}
      +.05 < icmp frag_needed mtu 700 [1:1461(1460)]
      +3 expect open
    `,
      { allowLeftover: true },
    );
    expect(Math.max(...sizes(bench))).toBeLessThanOrEqual(700);
  });
});
