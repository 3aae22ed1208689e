// Closing: both sides, half-close, simultaneous close, abort, and data that nobody will read.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import { PLAIN, SYNCHRONIZED } from './openings.ts';

describe('an active close', () => {
  test('goes FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT (RFC 9293 §3.6)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +0 expect state FIN-WAIT-1
      +.1 < . 1:1(0) ack 2 win 65535
      +0 expect state FIN-WAIT-2
      +.1 < F. 1:1(0) ack 2 win 65535
      +0~+.2 > . 2:2(0) ack 2
      +0 expect ended
      +0 expect closed OK
    `);
  });

  test('FIN with the ACK of our FIN goes straight to TIME-WAIT (RFC 9293 §3.10.7.4)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 2 win 65535
      +0~+.2 > . 2:2(0) ack 2
      +0 expect ended
      +0 expect closed OK
      +1 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
    `);
  });

  test('data goes on arriving after our FIN (half-close, RFC 9293 §3.6)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.1 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 2:2(0) ack 1001
      +0 expect data 1000
      +0 < . 1001:1001(0) ack 2 win 65535
      +0 < P. 1001:2001(1000) ack 2 win 65535
      +0~+.2 > . 2:2(0) ack 2001
      +0 expect data 1000
      +0 expect state FIN-WAIT-2
    `);
  });

  test('FIN is sent behind all data that was queued (RFC 9293 §3.10.4)', () => {
    runScript(`${PLAIN}
      +0 write(2500)
      +0 shutdown
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 > P. 2001:2501(500) ack 1
      +0 > F. 2501:2501(0) ack 1
      +.1 < . 1:1(0) ack 2502 win 65535
      +0 expect state FIN-WAIT-2
      +0 expect written 1
    `);
  });

  test('a lost FIN is retransmitted (RFC 9293 §3.8.1)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.1~+1.5 > F. 1:1(0) ack 1
      +.1 < . 1:1(0) ack 2 win 65535
      +0 expect state FIN-WAIT-2
    `);
  });

  test('an orphan in FIN-WAIT-2 is given up after 60 s (negative list: FIN-WAIT-2 hold)', () => {
    runScript(`${PLAIN}
      +0 close
      +0 > F. 1:1(0) ack 1
      +.1 < . 1:1(0) ack 2 win 65535
      +59 expect open
      +2 expect closed OK
      +0 < F. 1:1(0) ack 2 win 65535
      +0 > R 2:2(0)
    `);
  });

  test('a half-closed connection that the program still reads lives on (RFC 9293 §3.6)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.1 < . 1:1(0) ack 2 win 65535
      +3600 expect state FIN-WAIT-2
      +0 < P. 1:101(100) ack 2 win 65535
      +0~+.2 > . 2:2(0) ack 101
      +0 expect data 100
    `);
  });
});

describe('a passive close', () => {
  test('goes CLOSE-WAIT, LAST-ACK, CLOSED (RFC 9293 §3.6)', () => {
    runScript(`${PLAIN}
      +0 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 2
      +0 expect ended
      +0 expect state CLOSE-WAIT
      +0 write(100)
      +0 > P. 1:101(100) ack 2
      +.1 < . 2:2(0) ack 101 win 65535
      +0 shutdown
      +0 > F. 101:101(0) ack 2
      +0 expect state LAST-ACK
      +.1 < . 2:2(0) ack 102 win 65535
      +0 expect closed OK
      +0 < . 2:2(0) ack 102 win 65535
      +0 > R 102:102(0)
    `);
  });

  test('data together with FIN is delivered before the end is told (RFC 9293 §3.10.7.4)', () => {
    runScript(`${PLAIN}
      +0 < FP. 1:501(500) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 502
      +0 expect data 500
      +0 expect ended
    `);
  });

  test('a FIN ahead of missing data waits for it (RFC 9293 SHLD-31)', () => {
    runScript(`${PLAIN}
      +0 < F. 501:501(0) ack 1 win 65535
      +0 > . 1:1(0) ack 1
      +0 expect state ESTAB
      +.1 < P. 1:501(500) ack 1 win 65535
      +0 > . 1:1(0) ack 502
      +0 expect data 500
      +0 expect ended
      +0 expect state CLOSE-WAIT
    `);
  });

  test('data behind the FIN is not taken (RFC 9293 §3.10.7.4)', () => {
    runScript(
      `${PLAIN}
      +0 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 2
      +.1 < P. 2:102(100) ack 1 win 65535
      +0~+.2 expect data 0
      +0 expect state CLOSE-WAIT
    `,
      { allowLeftover: true },
    );
  });

  test('LAST-ACK without an answer ends after a bounded number of retransmissions (negative list: LAST-ACK hold)', () => {
    runScript(
      `${PLAIN}
      +0 < F. 1:1(0) ack 1 win 65535
      +0 close
      +300 expect closed ETIMEDOUT
    `,
      { allowLeftover: true },
    );
  });
});

describe('a simultaneous close', () => {
  test('goes CLOSING, TIME-WAIT (RFC 9293 §3.6)', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +.05 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 2:2(0) ack 2
      +0 expect state CLOSING
      +.05 < . 2:2(0) ack 2 win 65535
      +0 expect closed OK
      +1 < F. 1:1(0) ack 2 win 65535
      +0 > . 2:2(0) ack 2
    `);
  });
});

describe('the program', () => {
  test('learns a normal close as ended and closed without an error (RFC 9293 MUST-12)', () => {
    runScript(`${PLAIN}
      +0 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 2
      +0 expect ended
      +0 expect open
      +0 close
      +0 > F. 1:1(0) ack 2
      +.1 < . 2:2(0) ack 2 win 65535
      +0 expect closed OK
    `);
  });

  test.each(SYNCHRONIZED.slice(0, 4))(
    'learns a reset in $state as an error (RFC 9293 MUST-12)',
    ({ state, script, rcvNxt, sndNxt }) => {
      // the end of the peer's data was told already in CLOSE-WAIT: Linux says EPIPE there
      runScript(`${script}
        +.1 < R. ${rcvNxt}:${rcvNxt}(0) ack ${sndNxt} win 0
        +0 expect closed ${state === 'CLOSE-WAIT' ? 'EPIPE' : 'ECONNRESET'}
        +1 > nothing
      `);
    },
  );

  test.each(SYNCHRONIZED.slice(4))(
    'hears of the end in $state after a reset, once (RFC 9293 §3.10.7.4)',
    ({ script, rcvNxt, sndNxt }) => {
      const bench = runScript(`${script}
        +.1 < R. ${rcvNxt}:${rcvNxt}(0) ack ${sndNxt} win 0
        +1 > nothing
      `);
      expect(bench.socket.info().state).toBe('UNCONN');
    },
  );

  test('a close with unread data sends RST, not FIN (RFC 9293 SHLD-3)', () => {
    runScript(`${PLAIN}
      +0 pause
      +0 < P. 1:1001(1000) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 1001
      +0 close
      +0 > R. 1:1(0) ack 1001
      +0 expect closed ECONNABORTED
    `);
  });

  test('data that arrives after close is answered by RST (RFC 9293 §3.6.1, RFC 2525 §2.16)', () => {
    runScript(`${PLAIN}
      +0 close
      +0 > F. 1:1(0) ack 1
      +.1 < . 1:1(0) ack 2 win 65535
      +.1 < P. 1:101(100) ack 2 win 65535
      +0 > R 2:2(0)
      +0 expect closed ECONNRESET
      +1 < P. 101:201(100) ack 2 win 65535
      +0 > R 2:2(0)
    `);
  });

  test('abort sends RST at SND.NXT and drops what is queued (RFC 9293 §3.10.5)', () => {
    runScript(`${PLAIN}
      +0 write(300)
      +0 > P. 1:301(300) ack 1
      +0 abort
      +0 > R. 301:301(0) ack 1
      +0 expect closed ECONNABORTED
      +5 > nothing
    `);
  });

  test.each(SYNCHRONIZED.slice(0, 4))(
    'abort in $state sends RST (RFC 9293 §3.10.5)',
    ({ script, rcvNxt, sndNxt }) => {
      runScript(`${script}
      +0 abort
      +0 > R. ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
      +0 expect closed ECONNABORTED
    `);
    },
  );

  test.each(SYNCHRONIZED.filter(({ state }) => state === 'CLOSING' || state === 'LAST-ACK'))(
    'abort in $state says nothing: everything has been said (RFC 9293 §3.10.5)',
    ({ script }) => {
      runScript(`${script}
      +0 abort
      +0 expect closed ECONNABORTED
      +5 > nothing
    `);
    },
  );

  test('abort in LAST-ACK with octets that have not left sends RST (RFC 9293 §3.10.5)', () => {
    runScript(`${PLAIN}
      +0 < F. 1:1(0) ack 1 win 0
      +0 > . 1:1(0) ack 2
      +0 write(300)
      +0 shutdown
      +0 abort
      +0 > R. 1:1(0) ack 2
    `);
  });

  test('a RST that carries text is as good as any (RFC 9293 SHLD-2)', () => {
    runScript(`${PLAIN}
      +0 < R. 1:31(30) ack 1 win 0
      +0 expect data 0
      +0 expect closed ECONNRESET
    `);
  });

  test('a reset wakes a connection with unread data: data is lost with it or read first, never both', () => {
    const bench = runScript(`${PLAIN}
      +0 pause
      +0 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 < R. 101:101(0) ack 1 win 0
      +0 expect closed ECONNRESET
    `);
    expect([0, 100]).toContain(bench.socket.bytesReceived);
  });
});
