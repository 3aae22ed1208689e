// One run of one vitest project, with its counts read from vitest's own report.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runGroup } from './machine.mjs';

const MAIN = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const FAILURES = join(ROOT, 'scripts', 'vitest-failures.mjs');

/**
 * @param project a name in test/vitest.config.ts
 * @returns counts of tests; a file that does not load, or an error outside of a test, is 1 failed
 */
export async function runProject(project, { filters = [], timeoutMs = 300_000, env = {} } = {}) {
  const report = join(ROOT, 'build', `vitest-${project}.json`);
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const list = failuresOf(project);
  rmSync(report, { force: true });
  rmSync(list, { force: true });
  const { code } = await runGroup(
    process.execPath,
    [
      MAIN,
      'run',
      '--config',
      'test/vitest.config.ts',
      '--project',
      project,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--reporter=${FAILURES}`,
      `--outputFile.json=${report}`,
      ...filters,
    ],
    { timeoutMs, env: { ...env, PORTSIDE_FAILURES: list } },
  );
  const counts = readCounts(report);
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.failed > 0 && !existsSync(list)) {
    const why = code === 124 ? `stopped after ${timeoutMs / 1000} s` : `exit code ${code}`;
    writeFileSync(list, `${project}: ${why}\n`);
  }
  return counts;
}

function readCounts(report) {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 };
  const json = JSON.parse(readFileSync(report, 'utf8'));
  const broken = json.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: json.numPassedTests,
    failed: json.numFailedTests + broken.length,
    skipped: json.numPendingTests + json.numTodoTests,
  };
}

function failuresOf(project) {
  return join(ROOT, 'build', `vitest-${project}.failures`);
}

/** What failed in the last run of each project, a line each. */
export function lastFailures(projects = ['unit', 'sim', 'system']) {
  return projects
    .map(failuresOf)
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, 'utf8').split('\n').filter(Boolean));
}

/** The closing line, alone on its line. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export function addCounts(a, b) {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}
