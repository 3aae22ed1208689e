// Slabs from seed to seed: fresh memory costs page faults, and what a stack reads before it has
// written it shows sooner when the last run is still lying there (the same seed must give the same
// hash whatever memory it gets).

/** Enough for a stack with two links. */
export const SLAB_OCTETS = 1 << 22;

const MAX_KEPT = 8;
const kept: ArrayBuffer[] = [];

/** Memory for one slab, noted in `borrowed`. */
export function borrow(borrowed: ArrayBuffer[]): ArrayBuffer {
  const memory = kept.pop() ?? new ArrayBuffer(SLAB_OCTETS);
  borrowed.push(memory);
  return memory;
}

/** The run that borrowed it is over. */
export function giveBack(borrowed: ArrayBuffer[]): void {
  for (const memory of borrowed.splice(0)) if (kept.length < MAX_KEPT) kept.push(memory);
}
