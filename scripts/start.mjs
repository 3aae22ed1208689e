// `npm start`: set-up, then `portside demo`: a stack on a TUN in a namespace of its own, proved
// with the real ping and curl. Stays up on a terminal until Ctrl-C.

import { join } from 'node:path';
import { become, fail, install, isRoot, ROOT } from './machine.mjs';
import { setup } from './setup.mjs';

if (process.platform !== 'linux') fail('the demonstration needs Linux: it opens a TUN device');
if (!isRoot) fail('the demonstration needs root (CAP_NET_ADMIN): run `sudo npm start`');
setup();
const missing = install({ curl: 'curl', ping: 'iputils-ping', ip: 'iproute2', iperf3: 'iperf3' });
if (missing.length > 0) fail(`missing programs: ${missing.join(', ')}`);
become(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'demo', ...process.argv.slice(2)]);
