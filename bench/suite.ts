// What a suite is, and how one is run: a case at a time by benny, in nanoseconds an operation.

import b from 'benny';

export interface Case {
  readonly name: string;
  /** Operations of one call of the body: many, so that the call itself does not count. */
  readonly ops: number;
  /** Octets of one operation, where a rate in Gbit/s says more. */
  readonly octets?: number;
  /** A way that was measured and not chosen; it stays here to be measured again. */
  readonly rejected?: boolean;
  /** Prepares and answers the body: a plain function. Called once, just before the case runs. */
  readonly prepare: () => () => void;
}

export interface Suite {
  readonly name: string;
  /** What the suite asks, in one sentence. */
  readonly question: string;
  readonly cases: readonly Case[];
}

export interface Result {
  readonly suite: string;
  readonly name: string;
  readonly rejected: boolean;
  /** Median of an operation over the samples, and the fastest one. */
  readonly ns: number;
  readonly nsBest: number;
  /** Relative margin of error, per cent. */
  readonly margin: number;
  readonly samples: number;
  readonly gbps: number | null;
}

/** Keeps what a body computes from being thrown away with the computation. */
export const kept = new Float64Array(1);

declare const gc: (() => void) | undefined;

const WARM_MS = 300;
const MOST_WARM_CALLS = 1_000_000;

/** V8 compiles in the meantime: benny's first samples are already of the final code. */
function warm(body: () => void): void {
  const until = performance.now() + WARM_MS;
  for (let i = 0; i < MOST_WARM_CALLS && performance.now() < until; i++) body();
}

/** benny announces every suite on the console, and here each case is one. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = () => {};
  try {
    return await work();
  } finally {
    console.log = log;
  }
}

async function runCase(suite: Suite, c: Case, seconds: number): Promise<Result> {
  if (typeof gc === 'function') gc();
  const body = c.prepare();
  warm(body);
  const summary = await quietly(() =>
    b.suite(
      suite.name,
      b.configure({ cases: { minSamples: 10, maxTime: seconds } }),
      b.add(c.name, () => {
        body();
      }),
    ),
  );
  const result = summary.results[0];
  if (result === undefined) throw new Error(`${suite.name}: ${c.name} gave no result`);
  const ns = (result.details.median * 1e9) / c.ops;
  return {
    suite: suite.name,
    name: c.name,
    rejected: c.rejected === true,
    ns,
    nsBest: (result.details.min * 1e9) / c.ops,
    margin: result.margin,
    samples: result.samples,
    gbps: c.octets === undefined ? null : (c.octets * 8) / ns,
  };
}

function line(r: Result): string {
  const name = `${r.rejected ? '(' : ' '}${r.name}${r.rejected ? ')' : ''}`;
  const rate = r.gbps === null ? '' : `${r.gbps.toFixed(1)} Gbit/s`.padStart(16);
  return `${name.padEnd(66)}${r.ns.toFixed(1).padStart(11)} ns ±${r.margin.toFixed(1)} %${rate}`;
}

/** Runs a suite case by case and prints a line for each. */
export async function runSuite(suite: Suite, seconds: number): Promise<Result[]> {
  console.log(`\n${suite.name}: ${suite.question}`);
  const results: Result[] = [];
  for (const c of suite.cases) {
    const result = await runCase(suite, c, seconds);
    results.push(result);
    console.log(line(result));
  }
  return results;
}
