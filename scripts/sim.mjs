// `npm run sim -- --seed N | --seeds N | --minutes N`: the simulator at full size.

import { runTs } from './run-ts.mjs';
import { setup } from './setup.mjs';

setup({ native: false, dist: false });
runTs('test/sim/main.ts', process.argv.slice(2));
