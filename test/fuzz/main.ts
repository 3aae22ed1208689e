// `npm run fuzz`: hunts with sequences of packets and calls, guided by coverage.
//   [--minutes N] [--workers N] [--seed N] [--save] [--missing]
//   --inputs N         single packets of all kinds into Stack.receive, in two stacks fed alike
//   --parsers          the length lattice of the parsers, then noise for --minutes N
//   --differential N   N scripts of packets and calls against the kernel (needs root)

import { availableParallelism } from 'node:os';
import { differential } from '../differential/run.ts';
import { fuzz } from './fuzz.ts';
import { lattice, rush } from './lattice.ts';
import { fuzzSequences } from './sequences.ts';

function number(name: string, otherwise: number): number {
  const i = process.argv.indexOf(`--${name}`);
  if (i < 0) return otherwise;
  const value = Number(process.argv[i + 1]);
  if (Number.isFinite(value)) return value;
  console.error(`--${name} wants a number`);
  process.exit(2);
}

const has = (name: string): boolean => process.argv.includes(`--${name}`);
const say = (line: string): void => console.log(line);
const seed = number('seed', 1);
const minutes = number('minutes', 1);

function singlePackets(): void {
  const start = performance.now();
  const result = fuzz({
    inputs: number('inputs', 1_000_000),
    seed,
    now: () => performance.now(),
    maxMsPer1000: 5000,
    progress: (done) => {
      if (done % 200_000 === 0) say(`${done} inputs`);
    },
  });
  const seconds = (performance.now() - start) / 1000;
  say(
    `${result.inputs} inputs, ${result.packetsOut} packets came out, 0 exceptions, ` +
      `${seconds.toFixed(1)} s; the slowest 1,000 inputs took ` +
      `${result.slowestMsPer1000.toFixed(0)} ms (in two stacks)`,
  );
}

function parsers(): void {
  const { executions } = lattice(1_000_000, seed);
  say(`${executions} executions of parsers, each answered as the model says`);
  const start = performance.now();
  const CHUNK = 4_000_000;
  let n = 0;
  while (performance.now() - start < minutes * 60_000) {
    rush(CHUNK, seed + n);
    n += CHUNK;
  }
  const rate = n / ((performance.now() - start) / 1000);
  say(`${n} executions over noise, 0 exceptions, ${(rate / 1e6).toFixed(1)} million a second`);
}

try {
  if (has('inputs')) singlePackets();
  else if (has('parsers')) parsers();
  else if (has('differential')) {
    const unlisted = await differential(number('differential', 10_000), seed, say);
    if (unlisted > 0) process.exitCode = 1;
  } else {
    const workers = number('workers', Math.max(1, availableParallelism()));
    const options = { minutes, workers, seed, save: has('save'), missing: has('missing'), say };
    if ((await fuzzSequences(options)) > 0) process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && error.cause instanceof Error) console.error(error.cause.stack);
  process.exitCode = 1;
}
