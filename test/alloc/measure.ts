// Counts the octets of heap that one walk allocates for each packet. Runs in a process of its own
// whose young generation is so large that nothing is collected while it counts: what the heap grows
// by is what has been allocated.
//   node --expose-gc --min-semi-space-size=… measure.ts NAME → {"perPacket": …, "windows": […]}

import { getHeapStatistics } from 'node:v8';
import { EMPTY_TURN, WALKS } from '../../bench/walks.ts';

const WARM_PACKETS = 300_000;
const WINDOW_PACKETS = 200_000;
const WINDOWS = 5;

declare const gc: () => void;

function calls(run: () => void, n: number): void {
  for (let i = 0; i < n; i++) run();
}

const walk = [EMPTY_TURN, ...WALKS].find(({ name }) => name === process.argv[2]);
if (walk === undefined) throw new Error(`no walk is called '${process.argv[2]}'`);
const run = walk.start();
const used = (): number => getHeapStatistics().used_heap_size;
const perWindow = Math.ceil(WINDOW_PACKETS / walk.packets);
calls(run, Math.ceil(WARM_PACKETS / walk.packets));
const windows: number[] = [];
for (let i = 0; i < WINDOWS; i++) {
  gc();
  const before = used();
  calls(run, perWindow);
  windows.push((used() - before) / (perWindow * walk.packets));
}
process.stdout.write(`${JSON.stringify({ windows })}\n`);
