// `npm run sim -- [--seed N | --seeds N [--from N] | --minutes N] [--workers N]`: the simulator at
// full size. Seeds that ever failed come first. Ctrl-C stops after the seeds that have begun; the
// same command goes on from there. The last line is `N seeds, X GB, N violations`.
// `npm run sim -- --model N`: the walk of the state machine over N distinct states.

import { availableParallelism } from 'node:os';
import { addBites, type Bites } from '../../src/sim/bites.ts';
import { type RunOptions, type RunResult, runSeed } from '../../src/sim/run.ts';
import { kindOf } from '../../src/sim/scenario.ts';
import { walk } from './model.ts';
import { runPool } from './pool.ts';
import { ledger, loadState, remember, type State, saveState } from './progress.ts';

interface Options {
  seed: number | null;
  seeds: number;
  from: number;
  minutes: number;
  workers: number;
  trace: number;
  loss: number;
  clean: boolean;
  bites: boolean;
  model: number;
}

const USAGE = `usage: sim [--seed N [--trace LINES] | --seeds N [--from N] | --minutes N]
           [--model STATES] [--workers N] [--loss 0…1] [--clean] [--bites]`;
const SAVE_EVERY = 100;

function usage(wrong: string): never {
  console.error(`${wrong}\n${USAGE}`);
  process.exit(2);
}

function parse(args: string[]): Options {
  const o = {
    seeds: 0,
    from: 1,
    minutes: 0,
    workers: availableParallelism(),
    trace: 0,
    loss: 0.2,
    model: 0,
  };
  const out: Options = { ...o, seed: null, clean: false, bites: false };
  for (let i = 0; i < args.length; i++) {
    const name = (args[i] ?? '').replace(/^--/, '');
    if (name === 'clean' || name === 'bites') {
      out[name] = true;
      continue;
    }
    const value = Number(args[++i]);
    if (!Number.isFinite(value)) usage(`${args[i - 1]} wants a number`);
    if (name === 'seed' || name in o) out[name as 'seed'] = value;
    else usage(`what is --${name}?`);
  }
  if (out.seed === null && out.seeds === 0 && out.minutes === 0) out.seeds = 1000;
  return out;
}

function shape(seed: number, o: Options): RunOptions {
  return { seed, keepTrace: o.trace, maxLoss: o.loss, clean: o.clean };
}

function report(r: RunResult): void {
  console.log(`seed ${r.seed} FAILED (trace hash ${r.hash}): npm run sim -- --seed ${r.seed}`);
  console.log(`  ${r.scenario}`);
  for (const failure of r.failures) console.log(`  ${failure}`);
}

function single(seed: number, o: Options): number {
  const r = runSeed(shape(seed, o));
  for (const text of r.trace) console.log(text);
  if (r.failures.length > 0) report(r);
  else console.log(`seed ${seed} passed\n  ${r.scenario}`);
  console.log(
    `  ${r.conversations} conversations, ${r.octets} octets read, ${r.packets} packets, ` +
      `${r.steps} steps, ${(r.virtualUs / 1e6).toFixed(3)} s of virtual time`,
  );
  if (o.bites) print(r.bites);
  console.log(`trace hash ${r.hash}`);
  return r.failures.length === 0 ? 0 : 1;
}

function print(bites: Bites): void {
  for (const [what, n] of Object.entries(bites).sort()) console.log(`  ${what}: ${n}`);
}

function model(states: number): number {
  const r = walk({ states });
  for (const failure of r.failures) console.log(failure);
  console.log([...r.moves].sort().join('\n'));
  console.log(
    `${r.states} states, ${r.transitions} transitions, ${r.roots} ends, ` +
      `${r.pairs.size} pairs of states, ${r.failures.length} violations`,
  );
  return r.failures.length === 0 ? 0 : 1;
}

class Many {
  readonly #o: Options;
  readonly #state: State;
  readonly #replay: number[];
  readonly #started = performance.now();
  readonly #bites: Bites = {};
  readonly #open = new Set<number>();
  #gaveUp = 0;
  #undetectable = 0;
  #packets = 0;
  #stopped = false;

  constructor(o: Options, args: string) {
    this.#o = o;
    this.#state = loadState();
    const usual = o.loss === 0.2 && !o.clean;
    this.#replay = usual ? ledger() : [];
    if (this.#state.args === args) console.log(`going on from seed ${this.#state.next}`);
    else Object.assign(this.#state, { args, next: o.from, seeds: 0, octets: 0, failed: [] });
  }

  async run(): Promise<number> {
    const stop = (): void => {
      this.#stopped = true;
      console.log('stopping after the seeds that have begun; the same command goes on from there');
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    await runPool({
      workers: this.#o.workers,
      next: () => this.#next(),
      done: (r) => this.#done(r),
    });
    return this.#end();
  }

  #next(): RunOptions | null {
    if (this.#stopped) return null;
    const { minutes, seeds, from } = this.#o;
    const again = this.#replay.shift();
    if (again !== undefined) return shape(again, this.#o);
    const s = this.#state;
    if (minutes > 0) {
      if (performance.now() - this.#started > minutes * 60_000) return null;
    } else if (s.next >= from + seeds) return null;
    const seed = s.next++;
    this.#open.add(seed);
    return shape(seed, this.#o);
  }

  #done(r: RunResult): void {
    const s = this.#state;
    this.#open.delete(r.seed);
    s.seeds++;
    s.octets += r.octets;
    s.everSeeds++;
    s.everOctets += r.octets;
    this.#packets += r.packets;
    this.#undetectable += r.undetectable;
    this.#gaveUp += r.gaveUp;
    addBites(this.#bites, r.bites);
    if (r.failures.length > 0) {
      s.failed.push(r.seed);
      report(r);
    }
    if (kindOf(r.seed) === 'giant') console.log(`seed ${r.seed}: ${r.octets} octets in one go`);
    if (s.seeds % SAVE_EVERY === 0) this.#save();
  }

  /** Seeds that have begun and are not done are to be run again. */
  #save(): void {
    const next = Math.min(this.#state.next, ...this.#open);
    saveState({ ...this.#state, next });
  }

  #end(): number {
    const s = this.#state;
    const o = this.#o;
    const seconds = (performance.now() - this.#started) / 1000;
    if (o.loss === 0.2 && !o.clean) remember(s.failed);
    if (!this.#stopped) s.args = '';
    this.#save();
    if (o.bites) print(this.#bites);
    console.log(
      `${this.#packets} packets, ${seconds.toFixed(1)} s, ${o.workers} workers; ` +
        `${this.#undetectable} damaged packets that no checksum could tell, ` +
        `${this.#gaveUp} connections given up by timeouts`,
    );
    const ever = `${s.everSeeds} seeds and ${(s.everOctets / 1e9).toFixed(1)} GB`;
    console.log(`in this checkout so far: ${ever}`);
    if (s.failed.length > 0) console.log(`failing seeds: ${s.failed.join(' ')}`);
    const gb = (s.octets / 1e9).toFixed(2);
    console.log(`${s.seeds} seeds, ${gb} GB, ${s.failed.length} violations`);
    return s.failed.length === 0 ? 0 : 1;
  }
}

const args = process.argv.slice(2);
const options = parse(args);
if (options.model > 0) process.exitCode = model(options.model);
else
  process.exitCode =
    options.seed === null
      ? await new Many(options, args.join(' ')).run()
      : single(options.seed, options);
