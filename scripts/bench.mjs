// `npm run bench -- [SUITE…]`: see bench/README.md.

import { install } from './machine.mjs';
import { runTs } from './run-ts.mjs';
import { setup } from './setup.mjs';

setup();
install({ ip: 'iproute2', iperf3: 'iperf3' });
runTs('bench/main.ts', process.argv.slice(2), ['--expose-gc']);
