// A host of the simulated world: one Stack and its driver. A turn is what a turn of the event loop
// is to a real driver: advance, receive what has arrived (bounded), drain. A host may be slow
// (turns at least `turnUs` apart) and may stall (a garbage collection): packets wait meanwhile.

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
  /** Least time between two turns; default 0. */
  turnUs?: number;
  /** Most packets received in a turn; default 64. */
  batch?: number;
}

/** Most turns at one instant: more means that the stack makes work for itself without end. */
const MAX_TURNS_AT_ONCE = 10_000;

export class SimHost {
  readonly name: string;
  readonly stack: Stack;
  readonly slab: Slab;
  readonly addresses: readonly string[];
  readonly links: { readonly id: number; readonly end: CableEnd }[] = [];
  /** Packets of the turn that runs now, for the watcher. */
  turns = 0;
  /** Called before and after each turn. */
  onTurn: ((host: SimHost, begins: boolean) => void) | null = null;
  readonly #clock: Clock;
  readonly #turnUs: number;
  readonly #batch: number;
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
    this.slab = new Slab(options.slabOctets ?? 1 << 23, true);
    this.stack = new Stack({
      slab: this.slab,
      random,
      nowUs: clock.nowUs(),
      config: options.config ?? {},
      onWork: () => {
        this.#work = true;
      },
    });
  }

  /** Plugs a cable in: adds the link, its addresses and the routes to its peers. Answers its id. */
  plug(end: CableEnd, addresses: readonly string[], peers: readonly string[]): number {
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

  /** No turn before this time: a stall. */
  stall(untilUs: number): void {
    this.#readyAtUs = Math.max(this.#readyAtUs, untilUs);
  }

  /** When this host wants its next turn. */
  nextUs(): number {
    const wanted = this.#work ? this.#clock.nowUs() : this.stack.nextDeadline();
    return wanted === Infinity ? Infinity : Math.max(wanted, this.#readyAtUs);
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
    this.stack.advance(now);
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
