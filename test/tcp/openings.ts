// Beginnings of packet scripts: connections in a state, without a word about how the stack does it.
// The peer's numbers start at 0 (its SYN), so do the stack's. The round trip is 0.1 s.

import type { ScriptBench } from '../kit/script-bench.ts';

/** The packet that came out at place `i` (negative: from the end) and was not looked at yet. */
export function packet(bench: ScriptBench, i: number): Uint8Array {
  const sent = bench.outbox.at(i);
  if (sent === undefined) throw new Error(`no packet ${i}`);
  return sent.octets;
}

/** Passive open, nothing but MSS: no SACK, no timestamps, no scaling. ESTABLISHED at 0.1 s. */
export const PLAIN = `
  0 listen 80
  0 < S 0:0(0) win 65535 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 65535
`;

/** Passive open with SACK. */
export const SACK = `
  0 listen 80
  0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,nop>
  +0 > S. 0:0(0) ack 1 <mss 1460,sackOK>
  +.1 < . 1:1(0) ack 1 win 65535
`;

/** Passive open with all options: TSval 100 of the peer, 700 of the stack, no scaling of windows. */
export const STAMPED = `
  0 listen 80
  0 < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 0>
  +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
  +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 200 ecr 700>
`;

export interface Situation {
  /** In the words of ss. */
  readonly state: string;
  readonly script: string;
  /** Numbers of the script after it. */
  readonly rcvNxt: number;
  readonly sndUna: number;
  readonly sndNxt: number;
}

const FINWAIT1 = `${PLAIN}
  +0 shutdown
  +0 > F. 1:1(0) ack 1
`;
const CLOSEWAIT = `${PLAIN}
  +0 < F. 1:1(0) ack 1 win 65535
  +0~+.2 > . 1:1(0) ack 2
`;

/** Every synchronized state, reached by a passive open. */
export const SYNCHRONIZED: readonly Situation[] = [
  { state: 'ESTAB', script: PLAIN, rcvNxt: 1, sndUna: 1, sndNxt: 1 },
  { state: 'FIN-WAIT-1', script: FINWAIT1, rcvNxt: 1, sndUna: 1, sndNxt: 2 },
  {
    state: 'FIN-WAIT-2',
    script: `${FINWAIT1}
      +.1 < . 1:1(0) ack 2 win 65535
    `,
    rcvNxt: 1,
    sndUna: 2,
    sndNxt: 2,
  },
  { state: 'CLOSE-WAIT', script: CLOSEWAIT, rcvNxt: 2, sndUna: 1, sndNxt: 1 },
  {
    state: 'CLOSING',
    script: `${FINWAIT1}
      +.1 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 2:2(0) ack 2
    `,
    rcvNxt: 2,
    sndUna: 1,
    sndNxt: 2,
  },
  {
    state: 'LAST-ACK',
    script: `${CLOSEWAIT}
      +0 shutdown
      +0 > F. 1:1(0) ack 2
    `,
    rcvNxt: 2,
    sndUna: 1,
    sndNxt: 2,
  },
];

/** FIN-WAIT-2, then the peer's FIN: the stack waits 2 MSL. */
export const TIME_WAIT = `${FINWAIT1}
  +.1 < . 1:1(0) ack 2 win 65535
  +.1 < F. 1:1(0) ack 2 win 65535
  +0~+.2 > . 2:2(0) ack 2
`;
