// Counts the octets of heap that each walk allocates. Runs in a process of its own whose young
// generation is so large that nothing is collected while it counts: what the heap grows by is what
// has been allocated. Prints one JSON object: name of a walk → octets of one call, in the best window:
// what a packet allocates shows in every window, what V8 allocates while it still compiles does not.

import { getHeapStatistics } from 'node:v8';
import { EMPTY_TURN, WALKS, type Walk } from '../../bench/walks.ts';

const WARM_PACKETS = 150_000;
const WINDOW_PACKETS = 40_000;
const WINDOWS = 12;

declare const gc: () => void;

function calls(run: () => void, n: number): void {
  for (let i = 0; i < n; i++) run();
}

/** A pause lets V8's compiler threads hand over what they have made. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

function used(): number {
  return getHeapStatistics().used_heap_size;
}

function measure(walk: Walk): number {
  const run = walk.start();
  const perWindow = Math.ceil(WINDOW_PACKETS / walk.packets);
  for (let i = 0; i < 3; i++) {
    calls(run, Math.ceil(WARM_PACKETS / 3 / walk.packets));
    pause();
  }
  let best = Infinity;
  for (let i = 0; i < WINDOWS; i++) {
    pause();
    gc();
    const before = used();
    calls(run, perWindow);
    best = Math.min(best, (used() - before) / perWindow);
  }
  return best;
}

const wanted = process.argv.slice(2);
const found: Record<string, number> = {};
for (const walk of [EMPTY_TURN, ...WALKS]) {
  if (wanted.length > 0 && !wanted.includes(walk.name)) continue;
  found[walk.name] = measure(walk);
}
process.stdout.write(`${JSON.stringify(found)}\n`);
