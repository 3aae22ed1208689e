// A host of the simulated world: one Stack and its driver. A turn is what a turn of the event loop
// is to a real driver: advance, receive what has arrived (bounded), drain. A host may be slow
// (turns at least `turnUs` apart), may stall (a garbage collection: packets wait meanwhile), may
// have a coarse clock or one that jumps, and may start anew with nothing of what it knew.

import type { Random } from '../base/random.ts';
import { Slab } from '../base/slab.ts';
import type { ConfigOverrides } from '../stack/config.ts';
import { Stack } from '../stack/stack.ts';
import type { CableEnd } from './cable.ts';
import type { Clock } from './clock.ts';

export interface HostOptions {
  /** `10.0.0.1/24`; given to the first link unless `world.link` says otherwise. */
  addresses?: readonly string[];
  config?: ConfigOverrides;
  /** Octets of the slab; default 8 MiB. Poisoned on recycling. */
  slabOctets?: number;
  /** Memory of that many octets for the slab, instead of fresh memory. */
  memory?: ArrayBuffer;
  /** Least time between two turns; default 0. */
  turnUs?: number;
  /** Most packets received in a turn; default 64. */
  batch?: number;
  /** The host's clock moves in steps of so many µs; default: as the world's. */
  tickUs?: number;
}

/** What a host finds when it starts anew. */
export interface Restart {
  random: Random;
  config?: ConfigOverrides;
  memory?: ArrayBuffer;
}

interface Plug {
  end: CableEnd;
  addresses: readonly string[];
  peers: readonly string[];
}

/** Most turns at one instant: more means that the stack makes work for itself without end. */
const MAX_TURNS_AT_ONCE = 10_000;
const SLAB_OCTETS = 1 << 23;

export class SimHost {
  readonly name: string;
  stack: Stack;
  slab: Slab;
  readonly addresses: readonly string[];
  readonly links: { readonly id: number; readonly end: CableEnd }[] = [];
  /** Packets of the turn that runs now, for the watcher. */
  turns = 0;
  /** Called before and after each turn. */
  onTurn: ((host: SimHost, begins: boolean) => void) | null = null;
  readonly #clock: Clock;
  readonly #turnUs: number;
  readonly #batch: number;
  readonly #tickUs: number;
  readonly #slabOctets: number;
  readonly #plugs: Plug[] = [];
  /** How far this host's clock is ahead of the world's. */
  #aheadUs = 0;
  #work = false;
  #readyAtUs = 0;
  #lastTurnUs = -1;
  #turnsAtOnce = 0;

  constructor(name: string, clock: Clock, random: Random, options: HostOptions) {
    this.name = name;
    this.addresses = options.addresses ?? [];
    this.#clock = clock;
    this.#turnUs = options.turnUs ?? 0;
    this.#batch = options.batch ?? 64;
    this.#tickUs = options.tickUs ?? 0;
    this.#slabOctets = options.slabOctets ?? SLAB_OCTETS;
    const { config = {}, memory } = options;
    this.slab = new Slab(this.#slabOctets, true, memory);
    this.stack = this.#start(random, config);
  }

  #start(random: Random, config: ConfigOverrides): Stack {
    return new Stack({
      slab: this.slab,
      random,
      nowUs: this.clockUs(),
      config,
      onWork: () => {
        this.#work = true;
      },
    });
  }

  /** What this host's clock says. */
  clockUs(): number {
    const us = this.#clock.nowUs() + this.#aheadUs;
    return this.#tickUs > 0 ? Math.floor(us / this.#tickUs) * this.#tickUs : us;
  }

  /** The host's clock is put on by so much (back: it stands still until it is reached again). */
  jump(byUs: number): void {
    this.#aheadUs += byUs;
  }

  /** Plugs a cable in: adds the link, its addresses and the routes to its peers. Answers its id. */
  plug(end: CableEnd, addresses: readonly string[], peers: readonly string[]): number {
    this.#plugs.push({ end, addresses, peers });
    return this.#join(end, addresses, peers);
  }

  #join(end: CableEnd, addresses: readonly string[], peers: readonly string[]): number {
    const id = this.stack.addLink(end);
    this.links.push({ id, end });
    for (const text of addresses) {
      const [address, bits] = text.split('/');
      this.stack.addAddress(id, address as string, Number(bits ?? 32));
    }
    for (const text of peers) this.stack.addRoute(text.split('/')[0] as string, 32, { link: id });
    end.onPackets = () => {
      this.#work = true;
    };
    return id;
  }

  /** The process is killed and begins anew: a new stack, other secrets, nothing remembered. */
  restart(anew: Restart): void {
    this.slab = new Slab(this.#slabOctets, true, anew.memory);
    this.links.length = 0;
    this.#work = false;
    this.stack.onWork = () => {};
    this.stack = this.#start(anew.random, anew.config ?? {});
    for (const { end, addresses, peers } of this.#plugs) {
      end.rewire(this.slab);
      this.#join(end, addresses, peers);
    }
  }

  /** No turn before this time: a stall. */
  stall(untilUs: number): void {
    this.#readyAtUs = Math.max(this.#readyAtUs, untilUs);
  }

  /** When this host wants its next turn. */
  nextUs(): number {
    const wanted = this.#work ? this.#clock.nowUs() : this.#deadlineUs();
    return wanted === Infinity ? Infinity : Math.max(wanted, this.#readyAtUs);
  }

  /** When the world's clock must stand so that this host's says that a deadline has come. */
  #deadlineUs(): number {
    const own = this.stack.nextDeadline();
    if (own === Infinity) return Infinity;
    const us = this.#tickUs > 0 ? Math.ceil(own / this.#tickUs) * this.#tickUs : own;
    return us - this.#aheadUs;
  }

  /** Nothing happens until now: the stack's clock moves. */
  tick(): void {
    this.stack.tick(this.clockUs());
  }

  turn(): void {
    const now = this.#clock.nowUs();
    this.#turnsAtOnce = now === this.#lastTurnUs ? this.#turnsAtOnce + 1 : 0;
    if (this.#turnsAtOnce > MAX_TURNS_AT_ONCE) {
      throw new Error(`${this.name}: turns without end at ${now} µs`);
    }
    this.#lastTurnUs = now;
    this.#readyAtUs = now + this.#turnUs;
    this.#work = false;
    this.turns++;
    if (this.onTurn !== null) this.onTurn(this, true);
    this.stack.advance(this.clockUs());
    let left = this.#batch;
    for (const { id, end } of this.links) {
      for (; left > 0 && end.shift(); left--) {
        this.stack.receive(id, end.off, end.len, end.flags, end.gso);
      }
      if (end.pending > 0) this.#work = true;
    }
    this.stack.drain();
    for (const { end } of this.links) end.release();
    if (this.onTurn !== null) this.onTurn(this, false);
  }
}
