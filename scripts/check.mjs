// `npm run check`: types, lint and unit tests, in seconds. `--static` leaves the tests out.

import { join } from 'node:path';
import { ROOT, runQuietly, say } from './machine.mjs';
import { setup } from './setup.mjs';
import { runProject } from './vitest.mjs';

const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const biome = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
/** `test/tsconfig.json` takes in src, bench and examples: one pass for all of it. */
const STEPS = [
  ['types', [tsc, '-p', 'test/tsconfig.json']],
  ['types of the core', [tsc, '-p', 'src/tsconfig.core.json']],
  ['types of the page', [tsc, '-p', 'src/web/page/tsconfig.json']],
  ['lint and format', [biome, 'ci', '--colors=off', '--max-diagnostics=100', '.']],
];

setup({ native: false, dist: false });
let failed = 0;
const running = STEPS.map(([name, args]) => ({
  name,
  done: runQuietly(process.execPath, args, 1_200_000),
}));
for (const { name, done } of running) {
  const { code, output } = await done;
  say(`${code === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (code === 0) continue;
  failed++;
  say(output.trimEnd());
}
if (!process.argv.includes('--static')) {
  // Some unit tests look at the built package, which needs sources without type errors.
  if (failed === 0) setup({ native: false });
  const { failed: tests } = await runProject('unit', { timeoutMs: 1_200_000 });
  failed += tests;
}
process.exit(failed === 0 ? 0 : 1);
