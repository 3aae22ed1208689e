// The walk of the state machine at commit size (reliability.md T5); the whole of it by
// `npm run sim -- --model 300000`.

import { expect, test } from 'vitest';
import { walk } from './model.ts';

test('40,000 states of two stacks and a channel that loses, doubles and reorders: no deadlock, every close ends, every move in figure 5 (RFC 9293 §3.3.2, MUST-10, MUST-11)', () => {
  const r = walk({ states: 40_000 });
  expect(r.failures).toEqual([]);
  expect(r.states).toBeGreaterThanOrEqual(40_000);
  expect(r.transitions).toBeGreaterThan(r.states);
  // the corners are reached: crossing SYNs, crossing FINs, a child that goes back to LISTEN
  for (const move of [
    '- > LISTEN',
    '- > SYN-SENT',
    'LISTEN > SYN-RECV',
    'SYN-RECV > LISTEN',
    'SYN-SENT > SYN-RECV',
    'SYN-SENT > ESTAB',
    'SYN-RECV > ESTAB',
    'SYN-RECV > FIN-WAIT-1',
    'ESTAB > FIN-WAIT-1',
    'ESTAB > CLOSE-WAIT',
    'FIN-WAIT-1 > CLOSING',
    'FIN-WAIT-1 > FIN-WAIT-2',
    'FIN-WAIT-1 > TIME-WAIT',
    'CLOSING > TIME-WAIT',
    'CLOSE-WAIT > LAST-ACK',
    'LAST-ACK > -',
    'TIME-WAIT > -',
  ]) {
    expect(r.moves).toContain(move);
  }
  // and these moves do not exist
  for (const move of ['ESTAB > LAST-ACK', 'FIN-WAIT-2 > CLOSING', 'TIME-WAIT > ESTAB']) {
    expect(r.moves).not.toContain(move);
  }
});
