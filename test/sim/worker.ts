// A child of pool.ts: runs the seeds that it is told.

import { type RunOptions, runSeed } from '../../src/sim/run.ts';

process.on('message', (options: RunOptions) => {
  process.send?.(runSeed(options));
});
// Ctrl-C is the parent's to answer: a seed that has begun is finished.
process.on('SIGINT', () => {});
process.send?.('ready');
