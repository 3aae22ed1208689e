// The urgent mechanism (RFC 9293 §3.8.5, RFC 6093): supported, told to the program, data in line.

import { describe, expect, test } from 'vitest';
import { continueScript, runScript } from '../kit/script.ts';
import { PLAIN } from './openings.ts';

describe('urgent data', () => {
  test('that comes in is told to the program at once, and the octets stay in the stream (RFC 9293 MUST-30, MUST-32)', () => {
    runScript(`${PLAIN}
      +0 < P.U 1:11(10) ack 1 win 65535 urg 10
      +0 expect urgent
      +0 expect data 10
      +0~+.2 > . 1:1(0) ack 11
    `);
  });

  test('is announced ahead of its octets (RFC 9293 MUST-32)', () => {
    runScript(
      `${PLAIN}
      +0 < .U 1:1(0) ack 1 win 65535 urg 5000
      +0 expect urgent
    `,
      { allowLeftover: true },
    );
  });

  test.each([1, 2, 1000, 65_535])('of %d octets is as good as any (RFC 9293 MUST-31)', (urg) => {
    runScript(
      `${PLAIN}
      +0 < P.U 1:11(10) ack 1 win 65535 urg ${urg}
      +0 expect urgent
      +0 expect data 10
    `,
      { allowLeftover: true },
    );
  });

  test('the program learns how much of it is still to come (RFC 9293 MUST-33)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 < P.U 1:11(10) ack 1 win 65535 urg 510
      +0 expect data 10
    `,
      { allowLeftover: true },
    );
    expect(bench.socket.urgentAhead).toBe(500);
    continueScript(bench, '+0 < . 11:1011(1000) ack 1 win 65535', { allowLeftover: true });
    expect(bench.socket.urgentAhead).toBe(0);
  });

  test('a second mark is told as the first was, once the first has been read (RFC 9293 MUST-32)', () => {
    runScript(
      `${PLAIN}
      +0 < P.U 1:11(10) ack 1 win 65535 urg 10
      +0 expect urgent
      +0 < P. 11:21(10) ack 1 win 65535
      +0 < P.U 21:31(10) ack 1 win 65535 urg 1
      +0 expect urgent
    `,
      { allowLeftover: true },
    );
  });

  test('a pointer without the URG flag means nothing (RFC 9293 §3.1)', () => {
    const run = (): void => {
      runScript(
        `${PLAIN}
        +0 < P. 1:11(10) ack 1 win 65535 urg 10
        +0 expect urgent
      `,
        { allowLeftover: true },
      );
    };
    expect(run).toThrow(/urgent/);
  });

  test('that goes out points to the octet behind it (RFC 9293 MUST-62, RFC 6093 §6)', () => {
    runScript(`${PLAIN}
      +0 send_urgent(10)
      +0 > P.U 1:11(10) ack 1 urg 10
      +.1 < . 1:1(0) ack 11 win 65535
      +0 write(5)
      +0 > P. 11:16(5) ack 1 urg 0
    `);
  });

  test('is announced in all segments before it (RFC 9293 §3.8.5)', () => {
    runScript(
      `${PLAIN}
      +0 cork
      +0 write(2500)
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 send_urgent(10)
      +0 uncork
      +0 > P.U 2001:2511(510) ack 1 urg 510
    `,
      { allowLeftover: true },
    );
  });

  test.each([0, 1, 100, 65_535])(
    'URG with pointer %d in any flags is survived (URGENT/11)',
    (urg) => {
      for (const flags of ['.U', 'P.U', 'F.U', 'SU', 'S.U', 'RU', 'U', 'FPU', 'SFPU']) {
        const bench = runScript(
          `${PLAIN}
        +0 < ${flags} 1:1(0) ack 1 win 100 urg ${urg}
        +0 < P.U 1:2(1) ack 1 win 65535 urg ${urg}
      `,
          { allowLeftover: true },
        );
        expect(bench.stack.counters.get('PortsideExceptions')).toBe(0);
      }
    },
  );
});
