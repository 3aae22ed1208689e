// The whole way of a packet: `Stack.receive` and `drain` with data in order, pure ACKs, datagrams;
// segments and datagrams out. The link is a counter, so this is the stack alone.

import type { Suite } from '../suite.ts';
import { WALKS } from '../walks.ts';

export const walk: Suite = {
  name: 'walk',
  question: 'what does a packet cost from the link to the program, and back?',
  cases: WALKS.map(({ name, packets, octets, start }) => ({
    name,
    ops: packets,
    ...(octets > 0 ? { octets } : {}),
    prepare: start,
  })),
};
