// Writes docs/conformance.md from the names of the tests: which requirement is shown by which test.
//   node scripts/conformance.mjs [--check]
// --check writes nothing and fails when a MUST or SHLD of RFC 9293, or a row of requirements.mjs,
// has neither test nor answer, or when the page no longer says what the tests' names say.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, ROOT } from './machine.mjs';
import { ROWS } from './requirements.mjs';

const PAGE = join(ROOT, 'docs', 'conformance.md');
const MUSTS = 69;
const SHOULDS = 31;
/** Answered without a test of that name, and why. */
const ANSWERS = new Map([
  ['SHLD-8', 'explicit congestion notification: the tests that cite RFC 3168'],
  ['SHLD-13', 'advice to programs: new ones should not use urgent data'],
  ['SHLD-20', 'the program may ignore what `takeError` reports'],
  ['SHLD-22', 'the DSCP goes out unchanged: see MUST-48 and SHLD-21'],
  ['SHLD-23', 'advice to programs: the DSCP should not change within a connection without need'],
]);

function testNames() {
  const dir = mkdtempSync(join(tmpdir(), 'portside-'));
  const out = join(dir, 'tests.json');
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const projects = ['--project', 'unit', '--project', 'sim'];
  const args = [vitest, 'list', '--config', 'test/vitest.config.ts', ...projects, `--json=${out}`];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) fail(`vitest list failed: ${stderr}`);
  const tests = JSON.parse(readFileSync(out, 'utf8'));
  rmSync(dir, { recursive: true });
  return tests.map((t) => ({ name: t.name, file: t.file.slice(ROOT.length + 1) }));
}

function byRequirement(tests) {
  const shown = new Map();
  const add = (key, test) => shown.set(key, [...(shown.get(key) ?? []), test]);
  for (const test of tests) {
    for (const [, kind, number] of test.name.matchAll(/\b(MUST|SHLD|REC|MAY)-(\d+)/g)) {
      add(`${kind}-${number}`, test);
    }
    for (const [, rfc] of test.name.matchAll(/\bRFC (\d+)/g)) add(`RFC ${rfc}`, test);
  }
  return shown;
}

function row(key, shown) {
  const tests = shown.get(key) ?? [];
  if (tests.length === 0) return `| ${key} | ${ANSWERS.get(key) ?? '**nothing**'} |`;
  const files = [...new Set(tests.map((t) => `\`${t.file}\``))].sort().join(' ');
  return `| ${key} | ${files} |`;
}

/** A row of requirements.mjs: every wanted part of a name must be found. */
function ask([table, what, ...wanted], tests) {
  const { answer } = wanted[0];
  if (answer !== undefined) return `| ${table} | ${what} | ${answer} |`;
  const found = wanted.map((part) => tests.filter((t) => t.name.includes(part)));
  if (found.some((list) => list.length === 0)) return `| ${table} | ${what} | **nothing** |`;
  const files = [...new Set(found.flat().map((t) => `\`${t.file}\``))].sort().join(' ');
  return `| ${table} | ${what} | ${files} |`;
}

function page(shown, tests) {
  const rows = (kind, n) =>
    Array.from({ length: n }, (_, i) => row(`${kind}-${i + 1}`, shown)).join('\n');
  const rfcs = [...shown.keys()]
    .filter((key) => key.startsWith('RFC '))
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
    .map((key) => row(key, shown))
    .join('\n');
  return `# Conformance

Made by \`node scripts/conformance.mjs\` from the names of the tests; do not edit. Deliberate
differences: [departures.md](departures.md).

## RFC 9293, MUST

| requirement | shown by |
|---|---|
${rows('MUST', MUSTS)}

## RFC 9293, SHLD

| requirement | shown by |
|---|---|
${rows('SHLD', SHOULDS)}

## Internet layer, extensions, attacks

| of | what | shown by |
|---|---|---|
${ROWS.map((wanted) => ask(wanted, tests)).join('\n')}

## Every RFC that a test cites

| RFC | cited by |
|---|---|
${rfcs}
`;
}

const tests = testNames();
const text = page(byRequirement(tests), tests);
const orphans = text.split('\n').filter((line) => line.includes('**nothing**'));
if (process.argv.includes('--check')) {
  for (const orphan of orphans) console.error(`no test and no answer: ${orphan}`);
  const stale = !existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== text;
  if (stale) console.error('docs/conformance.md is stale: run node scripts/conformance.mjs');
  process.exit(orphans.length > 0 || stale ? 1 : 0);
}
writeFileSync(PAGE, text);
console.log(`${PAGE}: ${orphans.length} requirements without test or answer`);
for (const orphan of orphans) console.log(orphan);
