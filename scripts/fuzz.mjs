// `npm run fuzz -- [--inputs N] [--seed N]`: octets of all kinds into Stack.receive.

import { runTs } from './run-ts.mjs';
import { setup } from './setup.mjs';

setup({ native: false, dist: false });
runTs('test/fuzz/main.ts', process.argv.slice(2));
