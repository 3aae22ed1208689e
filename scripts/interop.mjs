// `npm run test:interop [-- FILTER…]`: real programs at full size, each in a namespace of its own.
// As root. The sizes are those of the issue (1 GB transfers …); `npm test` runs smaller ones.

import { fail, install, isRoot } from './machine.mjs';
import { sweepNamespaces, TEST_TOOLS } from './netns.mjs';
import { setup } from './setup.mjs';
import { runProject } from './vitest.mjs';

if (!isRoot) fail('test:interop needs root: it makes network namespaces and TUN devices');
setup();
const missing = install(TEST_TOOLS);
if (missing.length > 0) fail(`missing programs: ${missing.join(', ')}`);
sweepNamespaces();
const result = await runProject('system', {
  filters: process.argv.slice(2),
  timeoutMs: 60 * 60_000,
  env: { PORTSIDE_FULL: '1' },
});
process.exit(result.failed === 0 ? 0 : 1);
