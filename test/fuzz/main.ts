// `npm run fuzz -- [--inputs N] [--seed N]`: at least a million inputs into Stack.receive.

import { fuzz } from './fuzz.ts';

function number(name: string, otherwise: number): number {
  const i = process.argv.indexOf(`--${name}`);
  if (i < 0) return otherwise;
  const value = Number(process.argv[i + 1]);
  if (Number.isFinite(value)) return value;
  console.error(`usage: fuzz [--inputs N] [--seed N]; --${name} wants a number`);
  process.exit(2);
}

const inputs = number('inputs', 1_000_000);
const seed = number('seed', 1);
const start = performance.now();
try {
  const result = fuzz({
    inputs,
    seed,
    now: () => performance.now(),
    maxMsPer1000: 5000,
    progress: (done) => {
      if (done % 200_000 === 0) console.log(`${done} inputs`);
    },
  });
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${result.inputs} inputs, ${result.packetsOut} packets came out, 0 exceptions, ` +
      `${seconds.toFixed(1)} s; the slowest 1,000 inputs took ` +
      `${result.slowestMsPer1000.toFixed(0)} ms (in two stacks)`,
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && error.cause instanceof Error) console.error(error.cause.stack);
  process.exitCode = 1;
}
