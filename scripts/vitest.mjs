// One run of one vitest project, with its counts read from vitest's own report.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runGroup, say } from './machine.mjs';

const MAIN = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');

/**
 * @param project a name in test/vitest.config.ts
 * @returns counts of tests; a file that does not load, or an error outside of a test, is 1 failed
 */
export async function runProject(project, { filters = [], timeoutMs = 300_000, env = {} } = {}) {
  const report = join(ROOT, 'build', `vitest-${project}.json`);
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  rmSync(report, { force: true });
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
      `--outputFile.json=${report}`,
      ...filters,
    ],
    { timeoutMs, env },
  );
  if (code === 124) say(`${project}: stopped after ${timeoutMs / 1000} s`);
  const counts = readCounts(report);
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
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
