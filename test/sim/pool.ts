// Seeds over several processes: each child runs one seed after the other and says what came out.
// Children and not threads, so that a seed that takes the process with it is known by its number.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunOptions, RunResult } from '../../src/sim/run.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
const LOADER = new URL('../../scripts/ts-loader.mjs', import.meta.url).href;

export interface PoolOptions {
  workers: number;
  /** The next seed; null: no more. */
  next(): RunOptions | null;
  /** A seed is done. */
  done(result: RunResult): void;
}

/** Runs until `next` says null and every seed that was begun is done. */
export async function runPool(o: PoolOptions): Promise<void> {
  const children: ChildProcess[] = [];
  try {
    await Promise.all(
      Array.from({ length: o.workers }, () => {
        const child = fork(WORKER, [], { execArgv: ['--import', LOADER] });
        children.push(child);
        return serve(child, o);
      }),
    );
  } finally {
    for (const child of children) child.kill();
  }
}

function serve(child: ChildProcess, o: PoolOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let seed: RunOptions | null = null;
    const give = (): void => {
      seed = o.next();
      if (seed === null) {
        child.disconnect();
        resolve();
      } else child.send(seed);
    };
    child.on('message', (message: RunResult | 'ready') => {
      if (message !== 'ready') o.done(message);
      give();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (seed === null) return;
      reject(new Error(`seed ${seed.seed}: the process has ended (${signal ?? code})`));
    });
  });
}
