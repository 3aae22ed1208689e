// The hunt for new edges: programs are changed, run on an instrumented stack, and kept when they
// take a branch that none before has taken (or one of them far more often). Runs inside the bundle
// that instrument.ts has made.

import { below, SeededRandom } from '../../src/base/random.ts';
import { Machine, MOST, WIDTH } from './program.ts';
import { Rig } from './rig.ts';

declare global {
  var portsideEdges: Uint32Array;
}

/** Programs that one rig runs before a fresh one takes its place. */
const RIG_LIFE = 2000;
/** Counters touched at most by one program: what it may cost. Far above every honest one. */
const MOST_STEPS = 60_000_000;
const INTERESTING = [0, 1, 2, 7, 15, 16, 31, 32, 63, 64, 100, 127, 128, 200, 255] as const;

export interface Crash {
  readonly program: Uint8Array;
  readonly what: string;
}

export class Hunt {
  readonly corpus: Uint8Array[] = [];
  readonly crashes: Crash[] = [];
  executions = 0;
  instructions = 0;
  /** The most counters that one program has touched. */
  mostSteps = 0;
  readonly #edges: number;
  /** Bits of how often each edge has been taken by one program: 1, 2, 4, 16, 128 times. */
  readonly seen: Uint8Array;
  readonly #random: SeededRandom;
  readonly #seed: number;
  #machine: Machine;
  #life = 0;

  constructor(edges: number, seed: number) {
    // calls that are refused throw by the thousand
    Error.stackTraceLimit = 0;
    this.#edges = edges;
    this.#seed = seed;
    this.seen = new Uint8Array(edges);
    this.#random = new SeededRandom(seed);
    this.#machine = new Machine(new Rig(seed));
  }

  get reached(): number {
    let n = 0;
    for (const bits of this.seen) if (bits !== 0) n++;
    return n;
  }

  /** Runs a program; true when it reached something new, and it is kept then. */
  try(program: Uint8Array, keep = true): boolean {
    const counters = globalThis.portsideEdges;
    counters.fill(0, 0, this.#edges);
    this.executions++;
    this.instructions += program.length / WIDTH - 1;
    this.#life++;
    try {
      this.#machine.run(program);
    } catch (error) {
      this.#crashed(program, error instanceof Error ? error.message : String(error));
      this.#life = RIG_LIFE;
    }
    if (this.#life >= RIG_LIFE) {
      this.#life = 0;
      this.#machine = new Machine(new Rig(this.#seed));
    }
    const fresh = this.#look(program);
    if (fresh && keep) this.corpus.push(program.slice());
    return fresh;
  }

  /** The first of each kind is kept. */
  #crashed(program: Uint8Array, what: string): void {
    if (this.crashes.some((c) => c.what === what)) return;
    this.crashes.push({ program: program.slice(), what });
  }

  #look(program: Uint8Array): boolean {
    const counters = globalThis.portsideEdges;
    const { seen } = this;
    let fresh = false;
    let steps = 0;
    for (let i = 0; i < this.#edges; i++) {
      const n = counters[i] as number;
      if (n === 0) continue;
      steps += n;
      const bit = n < 2 ? 1 : n < 4 ? 2 : n < 16 ? 4 : n < 128 ? 8 : 16;
      if (((seen[i] as number) & bit) !== 0) continue;
      seen[i] = (seen[i] as number) | bit;
      fresh = true;
    }
    if (steps > this.mostSteps) this.mostSteps = steps;
    if (steps > MOST_STEPS) this.#crashed(program, 'more steps than a program may cost');
    return fresh;
  }

  /** One more program: a change of an old one, or a new one. */
  step(): boolean {
    const { corpus } = this;
    const r = this.#random;
    if (corpus.length === 0 || below(r, 200) === 0) return this.try(this.#fresh());
    // the newest are the least explored
    const n = corpus.length;
    const i = below(r, 3) === 0 ? n - 1 - below(r, Math.min(n, 16)) : below(r, n);
    return this.try(this.#mutate(corpus[i] as Uint8Array));
  }

  #fresh(): Uint8Array {
    const p = new Uint8Array(WIDTH * (2 + below(this.#random, 20)));
    for (let i = 0; i < p.length; i++) p[i] = this.#random.next();
    if (below(this.#random, 2) === 0) p.fill(0, 0, WIDTH);
    return p;
  }

  #mutate(from: Uint8Array): Uint8Array {
    const r = this.#random;
    let p: Uint8Array = from.slice();
    const rounds = 1 << below(r, 4);
    for (let k = 0; k < rounds; k++) {
      const count = p.length / WIDTH;
      const at = WIDTH * (1 + below(r, Math.max(1, count - 1)));
      const kind = below(r, 16);
      if (kind < 5) p[below(r, p.length)] = r.next();
      else if (kind < 7) {
        p[below(r, p.length)] = INTERESTING[below(r, INTERESTING.length)] as number;
      } else if (kind === 7) {
        const i = below(r, p.length);
        p[i] = (p[i] as number) ^ (1 << below(r, 8));
      } else if (kind === 8 && count > 2) p = cut(p, at, WIDTH);
      else if (kind === 9) p = insert(p, at, this.#instruction());
      else if (kind === 10) p = insert(p, at, p.slice(at, at + WIDTH));
      else if (kind === 11) p = this.#splice(p, at);
      else if (kind === 12) p.set(this.#instruction(), Math.min(at, p.length - WIDTH));
      else if (kind === 13) p[below(r, WIDTH)] = r.next();
      else if (kind === 14) p = insert(p, at, this.#piece());
      else if (count > 3) {
        const other = WIDTH * (1 + below(r, count - 1));
        const kept = p.slice(at, at + WIDTH);
        p.copyWithin(at, other, other + WIDTH);
        p.set(kept, other);
      }
    }
    return p.length > WIDTH * (MOST + 1) ? p.slice(0, WIDTH * (MOST + 1)) : p;
  }

  #instruction(): Uint8Array {
    const one = new Uint8Array(WIDTH);
    for (let i = 0; i < WIDTH; i++) one[i] = this.#random.next();
    if (below(this.#random, 2) === 0) one[0] = (one[0] as number) & 31;
    return one;
  }

  /** Some instructions of another program. */
  #piece(): Uint8Array {
    const r = this.#random;
    const other = this.corpus[below(r, this.corpus.length)] as Uint8Array;
    const count = other.length / WIDTH;
    const from = WIDTH * below(r, count);
    return other.slice(from, from + WIDTH * (1 + below(r, 6)));
  }

  #splice(p: Uint8Array, at: number): Uint8Array {
    const r = this.#random;
    const other = this.corpus[below(r, this.corpus.length)] as Uint8Array;
    const from = WIDTH * below(r, other.length / WIDTH);
    return insert(p.slice(0, at), at, other.slice(from));
  }
}

function cut(p: Uint8Array, at: number, n: number): Uint8Array {
  const out = new Uint8Array(p.length - n);
  out.set(p.subarray(0, at));
  out.set(p.subarray(at + n), at);
  return out;
}

function insert(p: Uint8Array, at: number, what: Uint8Array): Uint8Array {
  const out = new Uint8Array(p.length + what.length);
  out.set(p.subarray(0, at));
  out.set(what, at);
  out.set(p.subarray(at), at + what.length);
  return out;
}

/** The programs that reach everything that all of them reach, shortest first. */
export function minimised(programs: readonly Uint8Array[], edges: number, seed: number): Hunt {
  const hunt = new Hunt(edges, seed);
  for (const p of [...programs].sort((a, b) => a.length - b.length)) hunt.try(p);
  return hunt;
}

/** Leaves instructions out as long as the program still crashes. */
export function shrunk(program: Uint8Array, edges: number, seed: number): Uint8Array {
  const crashes = (p: Uint8Array): boolean => {
    const hunt = new Hunt(edges, seed);
    hunt.try(p, false);
    return hunt.crashes.length > 0;
  };
  if (!crashes(program)) return program;
  let p = program;
  for (let i = p.length - WIDTH; i >= WIDTH; i -= WIDTH) {
    const shorter = cut(p, i, WIDTH);
    if (crashes(shorter)) p = shorter;
  }
  return p;
}
