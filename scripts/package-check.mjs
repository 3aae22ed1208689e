// What npm would publish: publint's opinion, and the list of files, without publishing anything.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, run, say } from './machine.mjs';
import { setup } from './setup.mjs';

/** Files that a user needs. */
const NEEDED = [
  'package.json',
  'README.md',
  'LICENSE',
  'CMakeLists.txt',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/core.js',
  'dist/core.d.ts',
  'dist/sim/index.js',
  'dist/cli/main.js',
  'dist/cjs/portside.cjs',
  'dist/cjs/index.cjs',
  'dist/cjs/index.mjs',
  'dist/cjs/types/index.d.ts',
  'dist/web/page/index.html',
  'dist/web/page/page.js',
  'dist/web/page/style.css',
];
/** Nothing else than this is shipped. */
const ALLOWED = [
  /^(package\.json|README\.md|LICENSE|CMakeLists\.txt)$/,
  /^dist\/.+\.(js|mjs|cjs|d\.ts|map)$/,
  /^dist\/cjs\/types\/package\.json$/,
  /^dist\/web\/.+$/,
  /^native\/.+\.(cc|h)$/,
  /^prebuilds\/.+\.node$/,
  /^scripts\/build-native\.mjs$/,
];
const MOST_OCTETS = 8 * 1024 * 1024;

setup({ native: false });
const problems = [...publint(), ...packList()];
for (const problem of problems) say(`FAILED ${problem}`);
if (problems.length === 0) say('ok     package');
process.exit(problems.length === 0 ? 0 : 1);

function publint() {
  const main = join(ROOT, 'node_modules', 'publint', 'src', 'cli.js');
  const code = run(process.execPath, [main, 'run', '--strict', '--pack', 'npm', ROOT], {
    timeoutMs: 600_000,
  });
  return code === 0 ? [] : ['publint (see above)'];
}

function packList() {
  const done = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.status !== 0) return [`npm pack: ${done.stderr}`];
  const [pack] = JSON.parse(done.stdout);
  const paths = pack.files.map((file) => file.path);
  const missing = NEEDED.filter((path) => !paths.includes(path));
  const foreign = paths.filter((path) => !ALLOWED.some((allowed) => allowed.test(path)));
  say(`npm pack: ${paths.length} files, ${pack.unpackedSize} octets unpacked`);
  return [
    ...missing.map((path) => `npm pack leaves out ${path}`),
    ...foreign.map((path) => `npm pack takes ${path} along`),
    ...(pack.unpackedSize > MOST_OCTETS ? [`npm pack: ${pack.unpackedSize} octets unpacked`] : []),
  ];
}
