// Coverage-guided fuzzing over sequences of packets, calls and time: builds the instrumented stack,
// lets workers hunt, merges what they found, says which edges nobody has reached.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { encodeProgram, readCorpus, writeCorpus } from './corpus.ts';
import { type Built, buildInstrumented, type Edge, ROOMS, ROOT } from './instrument.ts';
import type * as Bundled from './worker.ts';
import type { Harvest, Order } from './worker.ts';

export type Bundle = typeof Bundled;

export interface Open {
  readonly built: Built;
  readonly bundle: Bundle;
  readonly close: () => void;
}

/** Builds the instrumented bundle in a directory of its own and loads it. */
export async function open(): Promise<Open> {
  const dir = mkdtempSync(join(tmpdir(), 'portside-fuzz-'));
  const close = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const entry = join(ROOT, 'test/fuzz/worker.ts');
    const built = await buildInstrumented(entry, join(dir, 'worker.mjs'));
    const bundle = (await import(pathToFileURL(built.file).href)) as Bundle;
    return { built, bundle, close };
  } catch (error) {
    close();
    throw error;
  }
}

export interface Options {
  readonly minutes: number;
  readonly workers: number;
  readonly seed: number;
  /** Write what was found to the corpus. */
  readonly save: boolean;
  /** Print the edges that were not reached. */
  readonly missing: boolean;
  readonly say: (line: string) => void;
}

/** Answers the number of crashes. */
export async function fuzzSequences(o: Options): Promise<number> {
  const { built, bundle, close } = await open();
  try {
    const edges = built.edges.length;
    const old = readCorpus();
    const found: Uint8Array[] = [];
    const started = performance.now();
    const harvests = await Promise.all(
      Array.from({ length: o.workers }, (_, i) =>
        hunt(built.file, { edges, seed: o.seed + i, minutes: o.minutes, corpus: old }, (h) => {
          found.push(...h.fresh);
          if (h.kind === 'progress') {
            o.say(`worker ${i}: ${h.executions} executions, ${h.reached} edges of ${edges}`);
          }
        }),
      ),
    );
    const seconds = (performance.now() - started) / 1000;
    const executions = harvests.reduce((n, h) => n + h.executions, 0);
    const steps = harvests.reduce((n, h) => n + h.instructions, 0);
    const crashes = harvests.flatMap((h) => h.crashes);
    for (const c of crashes) o.say(`CRASH ${c.what}\n${encodeProgram(c.program)}`);
    const all = bundle.minimised([...old, ...found], edges, o.seed);
    if (o.save) writeCorpus(all.corpus);
    for (const room of ROOMS) {
      const { reached, all: n } = roomOf(built.edges, all.seen, room);
      o.say(`src/${room}: ${reached} of ${n} edges, ${((100 * reached) / n).toFixed(1)} %`);
    }
    if (o.missing) for (const line of missing(built.edges, all.seen)) o.say(line);
    o.say(
      `${all.reached} edges of ${edges}, ${executions} executions of ${steps} instructions ` +
        `(${Math.round(steps / seconds)} a second), ${all.corpus.length} programs, ` +
        `${crashes.length} crashes, at most ${Math.max(...harvests.map((h) => h.mostSteps))} steps`,
    );
    return crashes.length;
  } finally {
    close();
  }
}

function hunt(file: string, order: Order, heard: (h: Harvest) => void): Promise<Harvest> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: order });
    worker.on('message', (h: Harvest) => {
      heard(h);
      if (h.kind === 'done') resolve(h);
    });
    worker.on('error', reject);
  });
}

/** Reached and all edges of a room. */
export function roomOf(
  edges: readonly Edge[],
  seen: Uint8Array,
  room: string,
): { reached: number; all: number } {
  let all = 0;
  let reached = 0;
  edges.forEach((edge, i) => {
    if (!edge.file.startsWith(`src/${room}/`)) return;
    all++;
    if (seen[i] !== 0) reached++;
  });
  return { reached, all };
}

export function missing(edges: readonly Edge[], seen: Uint8Array): string[] {
  return edges
    .filter((_, i) => seen[i] === 0)
    .map((edge) => `not reached: ${edge.file}:${edge.line} ${edge.what}`);
}
