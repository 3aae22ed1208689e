// Runs one of the repository's TypeScript mains: `node scripts/run-ts.mjs FILE [ARGUMENT…]`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { become, fail, ROOT } from './machine.mjs';

/**
 * Hands the terminal to `file` and ends with its exit code.
 * @param nodeArgs options for node itself (`--expose-gc`)
 */
export function runTs(file, args, nodeArgs = []) {
  const path = join(ROOT, file);
  if (!existsSync(path)) fail(`there is no ${file}`);
  const loader = pathToFileURL(join(ROOT, 'scripts', 'ts-loader.mjs')).href;
  become(process.execPath, [
    '--enable-source-maps',
    '--import',
    loader,
    ...nodeArgs,
    path,
    ...args,
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) fail('usage: node scripts/run-ts.mjs FILE [ARGUMENT…]');
  runTs(file, args);
}
