// RFC 9293 figure 5 as the simulator's own table, in `ss`'s words: which states may follow which,
// over one or more moves, since a program looks only now and then.

const MOVES: Readonly<Record<string, readonly string[]>> = {
  'SYN-SENT': ['SYN-RECV', 'ESTAB', 'UNCONN'],
  'SYN-RECV': ['ESTAB', 'FIN-WAIT-1', 'CLOSE-WAIT', 'UNCONN'],
  ESTAB: ['FIN-WAIT-1', 'CLOSE-WAIT', 'UNCONN'],
  'FIN-WAIT-1': ['FIN-WAIT-2', 'CLOSING', 'TIME-WAIT', 'UNCONN'],
  'FIN-WAIT-2': ['TIME-WAIT', 'UNCONN'],
  'CLOSE-WAIT': ['LAST-ACK', 'UNCONN'],
  CLOSING: ['TIME-WAIT', 'UNCONN'],
  'LAST-ACK': ['UNCONN'],
  'TIME-WAIT': ['UNCONN'],
  UNCONN: [],
};

const reachable = new Map<string, ReadonlySet<string>>();
for (const from of Object.keys(MOVES)) {
  const seen = new Set([from]);
  // Bounded: each state is added once.
  for (const state of seen) for (const next of MOVES[state] ?? []) seen.add(next);
  reachable.set(from, seen);
}

/** Whether a connection seen in state `from` may later be seen in state `to`. */
export function mayFollow(from: string, to: string): boolean {
  return reachable.get(from)?.has(to) === true;
}
