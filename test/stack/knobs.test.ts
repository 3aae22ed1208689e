// Every knob that the profile `linux` sets to something else than the default: the same script, with
// what each of the two profiles makes of it.

import { describe, expect, test } from 'vitest';
import { configure } from '../../src/stack/config.ts';
import { profiles } from '../../src/stack/profiles.ts';
import { runPd } from '../kit/packetdrill/run.ts';

const OPEN = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
`;
const UNPROVEN = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+1 > S. 0:0(0) ack 1 <mss 1460>
+2 > S. 0:0(0) ack 1 <mss 1460>
`;
const CONNECT = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
`;
const TIME_WAIT = `${OPEN}
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+0 < F. 1:1(0) ack 2 win 257
+0 > . 2:2(0) ack 2
+1 < R 2:2(0) win 0
+0 < F. 1:1(0) ack 2 win 257
`;
const SHUT = `${OPEN}
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 1001 win 0
+0 write(4, ..., 2000) = 2000
+.1 < . 1:1(0) ack 1001 win 10
+0 > . 1001:2001(1000) ack 1
`;
const CHALLENGED = `${OPEN}
+0 < R 9:9(0) win 0
+0 > . 1:1(0) ack 1
+.1 < R 9:9(0) win 0
`;
const SYNS = [1, 2, 4, 8, 16, 32].map((s) => `+${s} > S 0:0(0) <...>`).join('\n');
const BLACK_HOLE = `${OPEN.replace('mss 1000', 'mss 1460')}
+0 write(4, ..., 1460) = 1460
+0 > P. 1:1461(1460) ack 1
* > P. 1:1461(1460) ack 1
* > P. 1:1461(1460) ack 1
* > P. 1:1461(1460) ack 1
`;

const OVERTAKEN = `
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1000 ecr 0>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 1000>
+0 < P. 1:11(10) ack 1 win 257 <nop,nop,TS val 1100 ecr 100>
+0 > . 1:1(0) ack 11 <...>
+0 < P. 11:21(10) ack 1 win 257 <nop,nop,TS val 1099 ecr 100>
`;

interface Row {
  readonly begin: string;
  readonly standard: string;
  readonly linux: string;
}

const ROWS: Readonly<Record<string, Row>> = {
  synRetries: {
    begin: `--knob=tcp.synLinear=0${CONNECT}${SYNS}\n`,
    standard: '+64 > S 0:0(0) <...>',
    linux: '+65 getsockopt(3, SOL_SOCKET, SO_ERROR, [ETIMEDOUT], [4]) = 0',
  },
  synAckUnproven: {
    begin: UNPROVEN,
    standard: '+10 < R 1:1(0) win 0',
    linux: '+4 > S. 0:0(0) ack 1 <mss 1460>',
  },
  softErrorsEndOpen: {
    begin: `${CONNECT}+.1 < [0:0(0)] icmp unreachable host_unreachable\n`,
    standard: '+0 %{ assert tcpi_state == TCP_SYN_SENT }%',
    linux: '+0 %{ assert tcpi_state == TCP_CLOSE }%',
  },
  rcvBufInitial: {
    begin: OPEN,
    standard: '+0 %{ assert tcpi_rcv_space == 131072, tcpi_rcv_space }%',
    linux: '+0 %{ assert tcpi_rcv_space == 65536, tcpi_rcv_space }%',
  },
  sndBufInitial: {
    begin: `${OPEN}+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n`,
    standard: '+0 write(4, ..., 300000) = 262144\n+0 > . 1:10001(10000) ack 1',
    linux: '+0 write(4, ..., 300000) = 87040\n+0 > . 1:10001(10000) ack 1',
  },
  challengeGapMs: { begin: CHALLENGED, standard: '+0 > . 1:1(0) ack 1', linux: '' },
  rfc1337: { begin: TIME_WAIT, standard: '+0 > . 2:2(0) ack 2', linux: '+0 > R 2:2(0)' },
  fillWindow: { begin: SHUT, standard: '', linux: '+0 > P. 2001:2281(280) ack 1' },
  mtuProbing: {
    begin: BLACK_HOLE,
    standard: '* > . 1:1025(1024) ack 1',
    linux: '* > P. 1:1461(1460) ack 1',
  },
  pawsSlack: {
    begin: OVERTAKEN,
    standard: '+0 > . 1:1(0) ack 11 <...>',
    linux: '+0~+.05 > . 1:1(0) ack 21 <...>',
  },
  finAckAtOnce: {
    begin: `${OPEN}
      +0 < P. 1:1001(1000) ack 1 win 257
      +0 > . 1:1(0) ack 1001
      +.01 < F. 1001:1001(0) ack 1 win 257\n`,
    standard: '+0 > . 1:1(0) ack 1002',
    linux: '+.04 > . 1:1(0) ack 1002',
  },
  hurriedAcks: {
    begin: `${OPEN}
      +0 setsockopt(4, SOL_TCP, TCP_QUICKACK, [0], 4) = 0
      +.01 < P. 1:1001(1000) ack 1 win 257
      +0 < P. 1001:1101(100) ack 1 win 257\n`,
    standard: '+.04 > . 1:1(0) ack 1101',
    linux: '+0 > . 1:1(0) ack 1101',
  },
  wholeSegments: {
    begin: `
      0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
      +0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [10000], 4) = 0
      +0 bind(3, ..., ...) = 0
      +0 listen(3, 1) = 0
      +0 < S 0:0(0) win 32792 <mss 1000>
      +0 > S. 0:0(0) ack 1 win 8760 <mss 1460>
      +.1 < . 1:1(0) ack 1 win 257
      +0 < P. 1:12001(12000) ack 1 win 257\n`,
    standard: '+0 > . 1:1(0) ack 8761',
    linux: '+0 > . 1:1(0) ack 12001',
  },
  strictEmbryos: {
    begin: `
      0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
      +0 bind(3, ..., ...) = 0
      +0 listen(3, 1) = 0
      +0 < S 0:0(0) win 32792 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < . 200000:200000(0) ack 9 win 257\n`,
    standard: '+0 > . 1:1(0) ack 1',
    linux: '+0 > R 9:9(0)',
  },
  crossedOffers: {
    begin: `${CONNECT}+.1 < S 0:0(0) win 65535 <mss 1000>\n`,
    standard: '+0 > S. 0:0(0) ack 1 <mss 1460>',
    linux: '+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>',
  },
  paceHeaders: {
    begin: `${OPEN}
      +0 setsockopt(4, SOL_SOCKET, SO_MAX_PACING_RATE, [20000], 4) = 0
      +0 write(4, ..., 4000) = 4000
      +0 > . 1:2001(2000) ack 1\n`,
    standard: '+.104 > P. 2001:4001(2000) ack 1',
    linux: '+.1 > P. 2001:4001(2000) ack 1',
  },
  synLinear: {
    begin: `${CONNECT}+1 > S 0:0(0) <...>\n`,
    standard: '+2 > S 0:0(0) <...>',
    linux: '+1 > S 0:0(0) <...>',
  },
  probeMinMs: {
    begin: `${OPEN}
      +0 write(4, ..., 2000) = 2000
      +0 > . 1:1001(1000) ack 1
      +0 > P. 1001:2001(1000) ack 1\n`,
    standard: '+.21 > P. 1001:2001(1000) ack 1',
    linux: '+.202 > P. 1001:2001(1000) ack 1',
  },
};
/** Shown where what it governs is: test/tcp/congestion/hystart.test.ts runs both. */
const ELSEWHERE = ['hystart'];

describe('knobs of the profile linux', () => {
  const standard = configure().tcp as unknown as Record<string, unknown>;
  const changed = Object.entries(profiles.linux.tcp ?? {})
    .filter(([knob, value]) => standard[knob] !== value)
    .map(([knob]) => knob);

  test('each that differs from the default is shown', () => {
    expect([...Object.keys(ROWS), ...ELSEWHERE].sort()).toEqual([...changed].sort());
  });

  for (const [knob, { begin, standard: rfc, linux }] of Object.entries(ROWS)) {
    test(`${knob}: by default, and as Linux has it (Linux ip-sysctl)`, () => {
      runPd(`--profile=rfc\n--tolerance_usecs=1000\n${begin}${rfc}\n`);
      runPd(`--profile=linux\n--tolerance_usecs=1000\n${begin}${linux}\n`);
      expect(() => runPd(`--profile=rfc\n--tolerance_usecs=1000\n${begin}${linux}\n`)).toThrow();
    });
  }
});
