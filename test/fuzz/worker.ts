// A worker of the sequence fuzzer: hunts until its time is over, tells its programs.

import { parentPort, workerData } from 'node:worker_threads';
import { type Crash, Hunt, minimised, shrunk } from './hunt.ts';

export interface Order {
  readonly edges: number;
  readonly seed: number;
  readonly minutes: number;
  readonly corpus: readonly Uint8Array[];
}

export interface Harvest {
  readonly kind: 'progress' | 'done';
  readonly executions: number;
  readonly instructions: number;
  readonly reached: number;
  readonly fresh: readonly Uint8Array[];
  readonly crashes: readonly Crash[];
  readonly mostSteps: number;
}

function work(order: Order): void {
  const hunt = new Hunt(order.edges, order.seed);
  for (const p of order.corpus) hunt.try(p);
  const end = performance.now() + order.minutes * 60_000;
  let told = hunt.corpus.length;
  let next = performance.now() + 10_000;
  const tell = (kind: Harvest['kind']): void => {
    const fresh = hunt.corpus.slice(told);
    told = hunt.corpus.length;
    const { executions, instructions, reached, crashes, mostSteps } = hunt;
    const figures = { executions, instructions, reached, mostSteps };
    parentPort?.postMessage({ kind, ...figures, fresh, crashes });
  };
  while (performance.now() < end && hunt.crashes.length < 10) {
    for (let i = 0; i < 200; i++) hunt.step();
    if (performance.now() > next) {
      next = performance.now() + 10_000;
      tell('progress');
    }
  }
  const small = hunt.crashes.map((c) => ({
    program: shrunk(c.program, order.edges, order.seed),
    what: c.what,
  }));
  hunt.crashes.splice(0, hunt.crashes.length, ...small);
  tell('done');
}

if (parentPort !== null) work(workerData as Order);

export * as costs from './costs.ts';
export { Hunt, minimised, shrunk };
