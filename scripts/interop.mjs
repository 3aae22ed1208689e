// `npm run test:interop [-- FILTER…]`: real programs at full size, each in a namespace of its own:
// the system tests at the sizes of the issue (1 GB transfers …), of which `npm test` runs smaller
// ones, and those of test/interop. As root.

import { fail, install, isRoot, say } from './machine.mjs';
import { INTEROP_TOOLS, sweepNamespaces, TEST_TOOLS } from './netns.mjs';
import { setup } from './setup.mjs';
import { addCounts, closingLine, lastFailures, runProject } from './vitest.mjs';

if (!isRoot) fail('test:interop needs root: it makes network namespaces and TUN devices');
setup();
const missing = install({ ...TEST_TOOLS, ...INTEROP_TOOLS });
if (missing.length > 0) fail(`missing programs: ${missing.join(', ')}`);
sweepNamespaces();
const projects = ['system', 'interop'];
let total = { passed: 0, failed: 0, skipped: 0 };
for (const project of projects) {
  say(`\n── ${project} ──`);
  const counts = await runProject(project, {
    filters: process.argv.slice(2),
    timeoutMs: 90 * 60_000,
    env: { PORTSIDE_FULL: '1' },
  });
  total = addCounts(total, counts);
}
sweepNamespaces();
say('');
for (const line of lastFailures(projects)) say(`FAILED ${line}`);
say(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
