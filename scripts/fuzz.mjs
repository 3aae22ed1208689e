// `npm run fuzz -- [--minutes N] [--workers N]`; test/fuzz/main.ts has the other ways.

import { runTs } from './run-ts.mjs';
import { setup } from './setup.mjs';

setup({ native: false, dist: false });
runTs('test/fuzz/main.ts', process.argv.slice(2));
