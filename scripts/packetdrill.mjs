// `npm run packetdrill -- PATH…`: packet scripts of other collections against the core.

import { runTs } from './run-ts.mjs';
import { setup } from './setup.mjs';

setup({ native: false, dist: false });
runTs('test/kit/packetdrill/main.ts', process.argv.slice(2));
