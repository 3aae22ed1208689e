// `npm run test:node -- NODE [--only net,dgram] [--match TEXT] [--how WAY] [--jobs N] [--json]`:
// Node's own test files for net, dgram and what stands on them, run on portside. NODE is a checkout
// (or an unpacked source) of the Node version in use; nothing of it is kept here. Each file runs in
// a process of its own with test/node-suite/preload.cjs before it. A file does not apply when
// test/node-suite/not-applicable.json says why, when it skips itself, or when it fails on this
// machine with Node's own net as well, which is tried for every file that fails.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, ROOT, say } from './machine.mjs';

const FOLDERS = ['parallel', 'sequential', 'pummel', 'async-hooks'];
const FAMILIES = ['net', 'dgram', 'tcp', 'socket', 'http', 'https', 'tls', 'http2'];
/** What a family runs with, unless --how says otherwise: preload.cjs lists the ways. */
const HOW = { net: 'doors', dgram: 'doors', socket: 'doors' };
const WAYS = ['doors', 'register', 'replace', 'kernel'];
const TAIL = 4000;
const LONG_RUNS = 4;

const LIST = join(ROOT, 'test', 'node-suite', 'not-applicable.json');
const PRELOAD = join(ROOT, 'test', 'node-suite', 'preload.cjs');

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: FAMILIES.join(',') },
      match: { type: 'string', multiple: true, default: [] },
      how: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      timeout: { type: 'string', default: '60' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const node = positionals[0];
  if (node === undefined || !existsSync(join(node, 'test', 'common', 'index.js'))) {
    fail('test:node needs the path of a checkout of Node: npm run test:node -- ../node');
  }
  const { how } = values;
  if (how !== undefined && !WAYS.includes(how)) fail(`--how is one of ${WAYS.join(', ')}`);
  const families = values.only.split(',');
  const wrong = families.find((family) => !FAMILIES.includes(family));
  if (wrong !== undefined) fail(`--only knows ${FAMILIES.join(', ')}, not ${wrong}`);
  return { ...values, node: resolve(node), families };
}

/** Every file of the families: its name (`parallel/test-net-end.js`) and family. */
function findFiles({ node, families, match }) {
  const found = [];
  for (const folder of FOLDERS) {
    const path = join(node, 'test', folder);
    for (const name of existsSync(path) ? readdirSync(path) : []) {
      const [, family] = /^test-([a-z0-9]+)[-.].*\.m?js$/.exec(name) ?? [];
      const file = `${folder}/${name}`;
      if (!families.includes(family)) continue;
      if (match.length === 0 || match.some((text) => file.includes(text))) {
        found.push({ file, family });
      }
    }
  }
  return found;
}

/** The two comments that a test file has for its runner: flags of Node's, and its environment. */
function wishes(path) {
  const head = readFileSync(path, 'utf8').slice(0, 4000);
  const flags = [...head.matchAll(/^\/\/ Flags:(.*)$/gm)].flatMap((m) => m[1].trim().split(/\s+/));
  const env = /^\/\/ Env:(.*)$/m.exec(head)?.[1] ?? '';
  const pairs = env
    .trim()
    .split(/\s+/)
    .filter((pair) => pair.includes('='));
  return { flags, env: Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s))) };
}

/** Runs one file; answers its exit code (null: out of time) and the end of what it said. */
function runFile(settings, { file, how, slot, seconds }) {
  const path = join(settings.node, 'test', file);
  const { flags, env } = wishes(path);
  const preload = how === 'kernel' ? [] : ['--require', PRELOAD];
  const folder = mkdtempSync(join(tmpdir(), 'portside-node-test-'));
  return new Promise((done) => {
    const child = spawn(process.execPath, [...preload, ...flags, path], {
      cwd: settings.node,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_TESTS_HOW: how,
        NODE_TEST_DIR: folder,
        TEST_THREAD_ID: String(slot),
        ...(file.startsWith('parallel/') ? { TEST_PARALLEL: '1' } : {}),
        ...env,
      },
    });
    let output = '';
    let isLate = false;
    const hear = (chunk) => {
      output = (output + chunk).slice(-TAIL);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const endGroup = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // gone with its children
      }
    };
    const timer = setTimeout(() => {
      isLate = true;
      endGroup();
    }, seconds * 1000);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      endGroup();
      rmSync(folder, { recursive: true, force: true });
      done({ code: isLate ? null : (code ?? `signal ${signal}`), output });
    });
  });
}

const SKIPPED = /^1\.\.0 # Skipped: (.*)$/m;

/** One file's outcome: `passed`, `failed` or `n/a` with the reason. */
async function judge(settings, test, slot) {
  const reason = settings.list[test.file];
  if (reason !== undefined && !settings.all) return { ...test, outcome: 'n/a', reason };
  const seconds = Number(settings.timeout) * (test.file.startsWith('pummel/') ? LONG_RUNS : 1);
  const how = settings.how ?? HOW[test.family] ?? 'register';
  const run = { file: test.file, how, slot, seconds };
  const started = Date.now();
  const first = await runFile(settings, run);
  const result = { ...test, ms: Date.now() - started };
  const skipped = SKIPPED.exec(first.output);
  if (first.code === 0 && skipped) return { ...result, outcome: 'n/a', reason: skipped[1] };
  if (first.code === 0) return { ...result, outcome: 'passed' };
  if (how !== 'kernel') {
    const own = await runFile(settings, { ...run, how: 'kernel' });
    if (own.code !== 0) {
      return { ...result, outcome: 'n/a', reason: "fails here with Node's own net as well" };
    }
  }
  const why = first.code === null ? `still running after ${seconds} s` : `exit ${first.code}`;
  return { ...result, outcome: 'failed', reason: why, output: first.output };
}

async function runAll(settings, tests) {
  const results = [];
  const queue = [...tests];
  const worker = async (slot) => {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      const result = await judge(settings, test, slot);
      results.push(result);
      if (settings.json) continue;
      const why = result.reason === undefined ? '' : `  ${result.reason}`;
      say(`${result.outcome.padEnd(7)}${result.file}${why}`);
    }
  };
  const jobs = Math.min(2, Math.max(1, Number(settings.jobs)));
  await Promise.all(Array.from({ length: jobs }, (_, slot) => worker(slot + 1)));
  return results.sort((a, b) => (a.file < b.file ? -1 : 1));
}

function table(results) {
  const lines = [['family', 'files', 'n/a', 'apply', 'passed', 'failed', '%']];
  const families = [...new Set(results.map((r) => r.family))];
  for (const family of [...families, 'all']) {
    const own = results.filter((r) => family === 'all' || r.family === family);
    const count = (outcome) => own.filter((r) => r.outcome === outcome).length;
    const [passed, failed] = [count('passed'), count('failed')];
    const apply = passed + failed;
    const percent = apply === 0 ? '-' : ((100 * passed) / apply).toFixed(1);
    lines.push([family, own.length, count('n/a'), apply, passed, failed, percent]);
  }
  return lines.map((l) => l.map((cell) => String(cell).padStart(8)).join('')).join('\n');
}

const settings = readArguments();
settings.list = JSON.parse(readFileSync(LIST, 'utf8'));
const results = await runAll(settings, findFiles(settings));
const failed = results.filter((r) => r.outcome === 'failed');
if (settings.json) say(JSON.stringify(results, null, 1));
else {
  for (const { file, reason, output } of failed)
    say(`\n--- ${file}: ${reason}\n${output.trimEnd()}`);
  say(`\n${table(results)}`);
}
process.exitCode = failed.length === 0 ? 0 : 1;
