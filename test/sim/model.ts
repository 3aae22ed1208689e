// The walk of the state machine (reliability.md T5): two real stacks, between them a channel that
// may lose, double and reorder what it holds, programs that open, listen, send, stop reading, close
// and abort at any time, and timers that may fire at any time. States are told apart by what a
// peer or a program could see of them; each new one is a place from which every action is tried.
//
// A stack cannot be copied, so a state is reached again by its actions from the root. To spare
// that, the walk goes on from where it is as long as there is anything new to try.

import { SeededRandom } from '../../src/base/random.ts';
import { ledger } from '../../src/sim/ledger.ts';
import { mayFollow } from '../../src/sim/states.ts';
import {
  CHANNEL_ACTION,
  ChannelMove,
  Endpoint,
  USER_ACTIONS,
  type UserAction,
} from './endpoint.ts';

export interface WalkOptions {
  /** Distinct states to find. */
  states: number;
  /** Most packets in the channel. */
  inFlight?: number;
  /** Longest sequence of actions. */
  depth?: number;
}

export interface WalkResult {
  states: number;
  transitions: number;
  /** Times that the walk began at the root. */
  roots: number;
  /** Pairs of TCP states of the two ends that were seen. */
  pairs: Set<string>;
  /** Moves of one end, `ESTAB > CLOSE-WAIT`. */
  moves: Set<string>;
  /** What is wrong, with the actions that lead there; empty is right. */
  failures: string[];
}

interface Found {
  readonly path: readonly number[];
  /** Actions that are still to be tried; null: not known yet. */
  open: number[] | null;
}

interface Packet {
  readonly to: 0 | 1;
  readonly octets: Uint8Array;
  readonly key: string;
}

const IN_FLIGHT = 3;
const DEPTH = 48;
const MAX_FAILURES = 10;
/** A fair end: everything arrives, timers fire; so many steps must be enough. */
const MAX_END_STEPS = 400;

export function walk(options: WalkOptions): WalkResult {
  return new Walk(options).run();
}

class Walk {
  readonly #options: Required<WalkOptions>;
  readonly #ends: readonly [Endpoint, Endpoint];
  readonly #known = new Map<string, Found>();
  readonly #queue: Found[] = [];
  readonly #result: WalkResult;
  #channel: Packet[] = [];
  #path: number[] = [];
  #head = 0;

  constructor(options: WalkOptions) {
    this.#options = { inFlight: IN_FLIGHT, depth: DEPTH, ...options };
    const random = new SeededRandom(5);
    this.#ends = [new Endpoint(0, random), new Endpoint(1, random)];
    this.#result = {
      states: 0,
      transitions: 0,
      roots: 0,
      pairs: new Set(),
      moves: new Set(),
      failures: [],
    };
  }

  run(): WalkResult {
    const r = this.#result;
    this.#enter();
    while (this.#known.size < this.#options.states && r.failures.length < MAX_FAILURES) {
      const found = this.#next();
      if (found === null) break;
      this.#toRoot();
      for (const action of found.path) this.#act(action);
      this.#explore();
      this.#endFairly();
    }
    r.states = this.#known.size;
    return r;
  }

  /** The state found first that has something left to try. */
  #next(): Found | null {
    for (; this.#head < this.#queue.length; this.#head++) {
      const found = this.#queue[this.#head] as Found;
      if (found.open === null || found.open.length > 0) return found;
    }
    return null;
  }

  /** From here on to something new, as long as there is any. */
  #explore(): void {
    while (this.#path.length < this.#options.depth) {
      const here = this.#enter();
      const action = here.open?.pop();
      if (action === undefined) return;
      this.#result.transitions++;
      this.#act(action);
      if (this.#result.failures.length >= MAX_FAILURES) return;
    }
    this.#enter();
  }

  #enter(): Found {
    const key = this.#describe();
    let found = this.#known.get(key);
    if (found === undefined) {
      found = { path: [...this.#path], open: null };
      this.#known.set(key, found);
      this.#queue.push(found);
      this.#judge();
    }
    found.open ??= this.#enabled();
    return found;
  }

  #describe(): string {
    const [a, b] = this.#ends;
    return `${a.describe()}|${b.describe()}|${this.#channel.map((p) => p.key).join(' ')}`;
  }

  #enabled(): number[] {
    const actions: number[] = [];
    for (const end of this.#ends) {
      for (const [i, action] of USER_ACTIONS.entries()) {
        if (end.may(action)) actions.push(end.side * USER_ACTIONS.length + i);
      }
    }
    let last = '';
    for (const [i, p] of this.#channel.entries()) {
      if (p.key === last) continue;
      last = p.key;
      for (let move = 0; move < 3; move++) actions.push(CHANNEL_ACTION + i * 3 + move);
    }
    return actions;
  }

  #act(action: number): void {
    this.#path.push(action);
    const before = this.#ends.map((end) => end.stateName);
    if (action >= CHANNEL_ACTION) this.#move(action - CHANNEL_ACTION);
    else {
      const end = this.#ends[action < USER_ACTIONS.length ? 0 : 1];
      end.act(USER_ACTIONS[action % USER_ACTIONS.length] as UserAction);
    }
    this.#collect();
    for (const [i, end] of this.#ends.entries()) {
      const from = before[i] as string;
      const to = end.stateName;
      if (from === to) continue;
      this.#result.moves.add(`${from} > ${to}`);
      // A child that is gone leaves its listener: to LISTEN as to nothing.
      const rests = (state: string): boolean => state === '-' || state === 'LISTEN';
      if (!rests(from) && !rests(to) && !mayFollow(from, to)) this.#fail(`${from} > ${to}`);
    }
  }

  #move(code: number): void {
    const p = this.#channel[Math.floor(code / 3)];
    if (p === undefined) return;
    const kind = code % 3;
    if (kind !== ChannelMove.KEEP) this.#channel.splice(Math.floor(code / 3), 1);
    if (kind !== ChannelMove.LOSE) this.#ends[p.to].receive(p.octets);
  }

  /** What the ends have sent goes into the channel; what has no room is lost. */
  #collect(): void {
    for (const end of this.#ends) {
      for (const octets of end.sent.splice(0)) {
        if (this.#channel.length >= this.#options.inFlight) continue;
        this.#channel.push({ to: end.side === 0 ? 1 : 0, octets, key: end.keyOf(octets) });
      }
    }
    this.#channel.sort((p, q) => (p.key < q.key ? -1 : p.key > q.key ? 1 : 0));
  }

  #judge(): void {
    const [a, b] = this.#ends;
    this.#result.pairs.add(`${a.stateName} ${b.stateName}`);
    for (const end of this.#ends) {
      for (const text of ledger(end)) this.#fail(text);
      for (const text of end.wrong()) this.#fail(text);
    }
    if (a.got > b.given) this.#fail(`A has read ${a.got}, B has sent ${b.given}`);
    if (b.got > a.given) this.#fail(`B has read ${b.got}, A has sent ${a.given}`);
    if (a.sawEnd && !b.finished) this.#fail('A was told of an end that B has not sent');
    if (b.sawEnd && !a.finished) this.#fail('B was told of an end that A has not sent');
  }

  #fail(what: string): void {
    const { failures } = this.#result;
    if (failures.length < MAX_FAILURES) failures.push(`${what} after ${this.#path.join()}`);
  }

  /** Both programs close, nothing is lost any more: everything ends (every close ends). */
  #endFairly(): void {
    for (const end of this.#ends) end.finish();
    this.#collect();
    for (let n = 0; n < MAX_END_STEPS; n++) {
      const p = this.#channel.shift();
      if (p !== undefined) this.#ends[p.to].receive(p.octets);
      else if (!this.#fireSoonest()) break;
      this.#collect();
    }
    for (const end of this.#ends) {
      const left = end.leftovers();
      if (left !== '') this.#fail(`a close that does not end: ${left}`);
    }
  }

  /** The earlier of the two next timers fires; false: there is none. */
  #fireSoonest(): boolean {
    const [a, b] = this.#ends;
    if (a.waitUs() === Infinity && b.waitUs() === Infinity) return false;
    (a.waitUs() <= b.waitUs() ? a : b).act('timer');
    return true;
  }

  #toRoot(): void {
    this.#result.roots++;
    this.#channel = [];
    this.#path = [];
    for (const end of this.#ends) end.reset();
  }
}
