// A flood of SYNs inside of the process: what one costs when the queue is full and a cookie
// answers.

import { Strangers } from '../strangers.ts';
import type { Suite } from '../suite.ts';

const TURN = 64;
const TURNS = 16;

function body(backlog: number): () => void {
  const strangers = new Strangers({ tcp: { synBacklog: backlog } });
  let n = 0;
  return () => {
    for (let i = 0; i < TURNS; i++) {
      strangers.syns(n, TURN);
      n = (n + TURN) % 50_000_000;
    }
  };
}

export const syn: Suite = {
  name: 'syn',
  question: 'a SYN of a stranger, answered with a cookie (500 kpps are 2000 ns)',
  cases: [
    { name: 'SYN in, SYN-ACK out, nothing kept', ops: TURN * TURNS, prepare: () => body(0) },
    { name: 'the same with a full queue of 1024', ops: TURN * TURNS, prepare: () => body(1024) },
  ],
};
