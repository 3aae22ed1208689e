// Lets Node 20 run the TypeScript of this repository as it stands: `node --import
// ./scripts/ts-loader.mjs file.ts`. Types are erased by esbuild, file by file, so that
// import.meta.url, worker threads and stack traces are those of the sources.

import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';

const TYPESCRIPT = /\.ts$/;

/** Node's loader hook: runs on the thread that Node keeps for hooks. */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !TYPESCRIPT.test(new URL(url).pathname)) {
    return next(url, context);
  }
  const { transform } = await import('esbuild');
  const path = fileURLToPath(url);
  const { code } = await transform(await readFile(path, 'utf8'), {
    loader: 'ts',
    target: 'es2022',
    format: 'esm',
    sourcemap: 'inline',
    sourcefile: path,
  });
  return { format: 'module', source: code, shortCircuit: true };
}

// This file is loaded twice: by --import on the program's thread, and by Node as the hook.
if (!new URL(import.meta.url).searchParams.has('hook')) register(`${import.meta.url}?hook`);
