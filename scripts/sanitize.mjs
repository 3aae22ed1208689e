// `npm run sanitize [-- FILE…]`: the addon under AddressSanitizer and UBSan (a build of its own in
// build/asan), and system tests that use every part of it: devices, batches, rings, namespaces,
// rtnetlink. Any report of a sanitizer is a failure. As root.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { fail, isRoot, ROOT, say } from './machine.mjs';
import { sweepNamespaces } from './netns.mjs';
import { setup } from './setup.mjs';
import { closingLine, lastFailures, runProject } from './vitest.mjs';

const TESTS = [
  'test/node/device.system.test.ts',
  'test/node/busy-poll.system.test.ts',
  'test/system/unplug.test.ts',
  'test/system/host.test.ts',
];

/** Without these, ASan says at every start that `replace_str=0` leaves some functions replaced. */
const QUIET = 'intercept_strlen=0:intercept_strchr=0:intercept_strndup=0';

/** The runtime that belongs to the compiler: it has to be there before node itself. */
function runtime(name) {
  const { stdout } = spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' });
  const path = (stdout ?? '').trim();
  if (!path.startsWith('/')) fail(`gcc has no ${name}`);
  return path;
}

if (!isRoot) fail('sanitize needs root: it makes network namespaces and TUN devices');
setup();
const addon = buildNative({ asan: true });
const reports = join(ROOT, 'build', 'asan', 'reports');
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
sweepNamespaces();
const log = `log_path=${join(reports, 'report')}`;
const given = process.argv.slice(2);
const counts = await runProject('system', {
  filters: given.length > 0 ? given : TESTS,
  timeoutMs: 900_000,
  env: {
    LD_PRELOAD: `${runtime('libasan.so')} ${runtime('libubsan.so')}`,
    PORTSIDE_ADDON: addon,
    // node frees little at its end; iproute2 copies a string onto itself
    ASAN_OPTIONS: `detect_leaks=0:replace_str=0:${QUIET}:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
  },
});
const found = readdirSync(reports);
for (const name of found) say(`${readFileSync(join(reports, name), 'utf8')}\n`);
for (const line of lastFailures(['system'])) say(line);
say(`${found.length} reports of the sanitizers; ${closingLine(counts)}`);
process.exitCode = found.length > 0 || counts.failed > 0 || counts.passed === 0 ? 1 : 0;
