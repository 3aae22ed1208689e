// `npm test`: set-up, then the three vitest projects one after the other. The last line is
// `N passed, N failed`, and the exit code says the same.
// `npm test -- --project unit`, further arguments are vitest's file filters.

import { spawnSync } from 'node:child_process';
import { fail, filesBelow, install, isRoot, say } from './machine.mjs';
import { sweepNamespaces, TEST_TOOLS } from './netns.mjs';
import { setup } from './setup.mjs';
import { addCounts, closingLine, lastFailures, runProject } from './vitest.mjs';

const MINUTE = 60_000;
/** Ends a project that hangs. On an idle machine all three together take less than ten minutes. */
const PROJECTS = { unit: 30 * MINUTE, sim: 30 * MINUTE, system: 60 * MINUTE };

const { projects, filters } = readArguments(process.argv.slice(2));
const withoutRoot = process.env.PORTSIDE_NO_ROOT === '1';
let total = { passed: 0, failed: 0, skipped: 0 };
let finished = false;
// A set-up that fails ends the process by itself; the closing line is owed all the same.
process.on('exit', () => {
  if (!finished) say(closingLine({ passed: total.passed, failed: 1, skipped: 0 }));
});

setup({ native: canMakeNamespaces() });
for (const project of projects) {
  say(`\n── ${project} ──`);
  const counts = await (project === 'system' ? runSystem(filters) : runOne(project, filters));
  total = addCounts(total, counts);
}
say('');
for (const line of lastFailures(projects)) say(`FAILED ${line}`);
say(closingLine(total));
finished = true;
process.exit(total.failed === 0 ? 0 : 1);

function readArguments(args) {
  const chosen = [];
  const rest = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--project') chosen.push(args[++i] ?? '');
    else rest.push(args[i]);
  }
  const unknown = chosen.find((name) => !(name in PROJECTS));
  if (unknown !== undefined) fail(`no project '${unknown}': ${Object.keys(PROJECTS).join(', ')}`);
  return { projects: chosen.length > 0 ? chosen : Object.keys(PROJECTS), filters: rest };
}

function runOne(project, filters) {
  return runProject(project, { filters, timeoutMs: PROJECTS[project] });
}

async function runSystem(filters) {
  const files = filesBelow(['test']).filter((file) => isSystemTest(file));
  if (!canMakeNamespaces()) {
    if (!withoutRoot) {
      say('system: needs root and network namespaces; PORTSIDE_NO_ROOT=1 leaves it out');
      return { passed: 0, failed: 1, skipped: 0 };
    }
    say('system: left out (PORTSIDE_NO_ROOT=1):');
    for (const file of files) say(`  ${file}`);
    return { passed: 0, failed: 0, skipped: files.length };
  }
  const missing = install(TEST_TOOLS);
  if (missing.length > 0) {
    say(`system: missing programs: ${missing.join(', ')}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  sweepNamespaces();
  const counts = await runOne('system', filters);
  sweepNamespaces();
  return counts;
}

function isSystemTest(file) {
  return /^test\/system\/.*\.test\.ts$|\.system\.test\.ts$/.test(file);
}

/** Root alone is not enough in some containers: ask the kernel. */
function canMakeNamespaces() {
  if (!isRoot || withoutRoot) return false;
  return spawnSync('unshare', ['-n', 'true']).status === 0;
}
