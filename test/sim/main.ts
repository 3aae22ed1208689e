// `npm run sim -- --seed N | --seeds N [--from N] | --minutes N [--trace N] [--loss X] [--clean]`
// Prints each failing seed with what went wrong; one seed alone prints its trace hash and scenario.

import { readFileSync, writeFileSync } from 'node:fs';
import { type RunResult, runSeed } from '../../src/sim/run.ts';

const FAILED_FILE = new URL('./failed-seeds.json', import.meta.url);

interface Options {
  seed: number | null;
  seeds: number;
  from: number;
  minutes: number;
  trace: number;
  loss: number;
  clean: boolean;
}

function usage(wrong: string): never {
  console.error(`${wrong}\nusage: sim [--seed N | --seeds N [--from N] | --minutes N]`);
  console.error('           [--trace LINES] [--loss 0…1] [--clean]');
  process.exit(2);
}

function parse(args: string[]): Options {
  const o: Options = {
    seed: null,
    seeds: 0,
    from: 1,
    minutes: 0,
    trace: 0,
    loss: 0.2,
    clean: false,
  };
  for (let i = 0; i < args.length; i++) {
    const name = args[i];
    if (name === '--clean') {
      o.clean = true;
      continue;
    }
    const value = Number(args[++i]);
    if (!Number.isFinite(value)) usage(`${name} wants a number`);
    if (name === '--seed') o.seed = value;
    else if (name === '--seeds') o.seeds = value;
    else if (name === '--from') o.from = value;
    else if (name === '--minutes') o.minutes = value;
    else if (name === '--trace') o.trace = value;
    else if (name === '--loss') o.loss = value;
    else usage(`what is ${name}?`);
  }
  if (o.seed === null && o.seeds === 0 && o.minutes === 0) o.seeds = 1000;
  return o;
}

/** Seeds that failed before are replayed first. */
function failedBefore(): number[] {
  try {
    const list: unknown = JSON.parse(readFileSync(FAILED_FILE, 'utf8'));
    return Array.isArray(list) ? list.filter((n): n is number => typeof n === 'number') : [];
  } catch {
    return [];
  }
}

function remember(seeds: number[]): void {
  if (seeds.length === 0) return;
  const all = [...new Set([...failedBefore(), ...seeds])].sort((a, b) => a - b).slice(0, 100);
  writeFileSync(FAILED_FILE, `${JSON.stringify(all)}\n`);
}

function run(seed: number, o: Options): RunResult {
  return runSeed({ seed, keepTrace: o.trace, maxLoss: o.loss, clean: o.clean });
}

function report(r: RunResult): void {
  console.log(`seed ${r.seed} FAILED (trace hash ${r.hash}): npm run sim -- --seed ${r.seed}`);
  console.log(`  ${r.scenario}`);
  for (const failure of r.failures) console.log(`  ${failure}`);
}

function single(seed: number, o: Options): number {
  const r = run(seed, o);
  for (const text of r.trace) console.log(text);
  if (r.failures.length > 0) report(r);
  else console.log(`seed ${seed} passed\n  ${r.scenario}`);
  console.log(
    `  ${r.conversations} conversations, ${r.octets} octets read, ${r.packets} packets, ` +
      `${r.steps} steps, ${(r.virtualUs / 1e6).toFixed(3)} s of virtual time`,
  );
  console.log(`trace hash ${r.hash}`);
  return r.failures.length === 0 ? 0 : 1;
}

function many(o: Options): number {
  const start = performance.now();
  const end = o.minutes > 0 ? start + o.minutes * 60_000 : Infinity;
  const failed: number[] = [];
  const total = { seeds: 0, octets: 0, packets: 0, undetectable: 0, gaveUp: 0 };
  const queue = o.clean ? [] : failedBefore();
  let next = o.from;
  while (performance.now() < end && (o.minutes > 0 || total.seeds < o.seeds)) {
    const seed = queue.shift() ?? next++;
    const r = run(seed, o);
    total.seeds++;
    total.octets += r.octets;
    total.packets += r.packets;
    total.undetectable += r.undetectable;
    total.gaveUp += r.gaveUp;
    if (r.failures.length > 0) {
      failed.push(seed);
      report(r);
    }
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${total.seeds} seeds, ${(total.octets / 1e6).toFixed(1)} MB read and judged, ` +
      `${total.packets} packets, ${seconds.toFixed(1)} s; ${total.undetectable} damaged packets ` +
      `that no checksum could tell, ${total.gaveUp} connections given up by timeouts`,
  );
  if (o.loss === 0.2 && !o.clean) remember(failed);
  if (failed.length > 0) console.log(`failing seeds: ${failed.join(' ')}`);
  return failed.length === 0 ? 0 : 1;
}

const options = parse(process.argv.slice(2));
process.exitCode = options.seed === null ? many(options) : single(options.seed, options);
