// Broken invariants of our own: a programmer's error, never a packet's and never the network's.

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}
