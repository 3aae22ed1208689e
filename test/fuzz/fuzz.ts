// The fuzz run: epochs of a fresh pair of stacks, each fed thousands of inputs.

import { FuzzBench } from './bench.ts';

export interface FuzzOptions {
  inputs: number;
  seed: number;
  /** Inputs of one pair of stacks. */
  epoch?: number;
  /** Longest that 1,000 inputs may take, ms of real time; default: not judged. */
  maxMsPer1000?: number;
  now?: () => number;
  progress?: (done: number) => void;
}

export interface FuzzResult {
  inputs: number;
  packetsOut: number;
  slowestMsPer1000: number;
}

/** Throws with the input's number and octets when the stack does what it must not. */
export function fuzz(options: FuzzOptions): FuzzResult {
  const epoch = options.epoch ?? 20_000;
  const now = options.now ?? ((): number => 0);
  const result: FuzzResult = { inputs: 0, packetsOut: 0, slowestMsPer1000: 0 };
  for (let n = 0; result.inputs < options.inputs; n++) {
    const count = Math.min(epoch, options.inputs - result.inputs);
    runEpoch((options.seed * 100_003 + n) | 0, count, options, result, now);
    options.progress?.(result.inputs);
  }
  return result;
}

function runEpoch(
  seed: number,
  count: number,
  options: FuzzOptions,
  result: FuzzResult,
  now: () => number,
): void {
  const one = new FuzzBench(seed, 0xa7);
  const two = new FuzzBench(seed, 0x00);
  one.connect(0);
  two.connect(0);
  const generator = one.generator(seed);
  let since = now();
  for (let i = 1; i <= count; i++) {
    const input = generator.next();
    try {
      one.feed(input);
      two.feed(input);
    } catch (error) {
      const hex = Array.from(input.octets, (o) => o.toString(16).padStart(2, '0')).join('');
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(
        `epoch seed ${seed}, input ${i}: ${what}\n flags ${input.flags} gso ${input.gso} ${hex}`,
        { cause: error },
      );
    }
    if (i % 16 === 0) both(one, two, (b) => b.pass(1000 + (i % 97) * 100));
    if (i % 1000 === 0) {
      settle(`epoch seed ${seed}, before input ${i}`, [one, two]);
      timed(now() - since, options, result);
      both(one, two, (b) => b.connect(i));
      since = now();
    }
  }
  both(one, two, (b) => b.end());
  settle(`epoch seed ${seed}, at its end`, [one, two]);
  if (one.stack.nextDeadline() !== Infinity) {
    throw new Error(`epoch seed ${seed}: a deadline is left after everything has timed out`);
  }
  result.inputs += count;
  result.packetsOut += one.packetsOut;
}

/** After each 1,000: no exceptions, both alike. */
function settle(where: string, benches: readonly [FuzzBench, FuzzBench]): void {
  for (const bench of benches) bench.check();
  if (benches[0].state() !== benches[1].state()) {
    throw new Error(`${where}: octets outside of a packet mattered`);
  }
}

function timed(ms: number, options: FuzzOptions, result: FuzzResult): void {
  result.slowestMsPer1000 = Math.max(result.slowestMsPer1000, ms);
  if (options.maxMsPer1000 !== undefined && ms > options.maxMsPer1000) {
    throw new Error(`1,000 inputs took ${ms.toFixed(0)} ms`);
  }
}

function both(one: FuzzBench, two: FuzzBench, act: (bench: FuzzBench) => void): void {
  act(one);
  act(two);
}
