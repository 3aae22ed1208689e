// What .ci/run does: types and lint, `npm test` as README says it, and a look at the package.
// Every step counts as one test in the closing line, beside the tests themselves.

import { runGroup, say } from './machine.mjs';
import { addCounts, closingLine, lastFailures } from './vitest.mjs';

const MINUTE = 60_000;
// Limits end what hangs. On an idle machine all of it takes less than a quarter of an hour; a busy
// one may take its time.
const STEPS = [
  { name: 'types and lint', command: ['node', 'scripts/check.mjs', '--static'], minutes: 20 },
  { name: 'npm test', command: ['npm', 'test'], minutes: 120 },
  { name: 'conformance', command: ['node', 'scripts/conformance.mjs', '--check'], minutes: 20 },
  { name: 'package', command: ['node', 'scripts/package-check.mjs'], minutes: 20 },
];

let total = { passed: 0, failed: 0, skipped: 0 };
const failed = [];
for (const step of STEPS) {
  say(`\n━━ ${step.name} ━━`);
  const started = Date.now();
  const { code, lastLine } = await runStep(step);
  if (code !== 0) failed.push(step.name);
  total = addCounts(total, countsOf(code, lastLine));
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  say(`━━ ${step.name}: ${code === 0 ? 'ok' : `FAILED (exit code ${code})`}, ${seconds} s`);
}
say('');
// At the very end, where a log that was cut still shows it.
for (const name of failed) say(`FAILED ${name}`);
if (failed.includes('npm test')) for (const line of lastFailures()) say(`FAILED ${line}`);
say(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);

function runStep({ command, minutes }) {
  const [program, ...args] = command;
  return runGroup(program, args, { timeoutMs: minutes * MINUTE, env: { CI: 'true' } });
}

function countsOf(code, lastLine) {
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(lastLine);
  if (match === null) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  const [passed, failed, skipped] = match.slice(1).map((text) => Number(text ?? 0));
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}
