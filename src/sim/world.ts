// The simulated world: hosts, cables, one clock, one seed. Nothing in it reads a real clock or a
// real source of randomness, so a seed names one history, packet for packet.
//
//   const world = new World({ seed: 7 });
//   const a = world.host('a', { addresses: ['10.0.0.1/24'] });
//   const b = world.host('b', { addresses: ['10.0.0.2/24'] });
//   world.link(a, b, { loss: 0.01, delayUs: 10_000 });
//   b.stack.listen({ port: 80, handler });
//   a.stack.connect({ address: '10.0.0.2', port: 80, handler });
//   world.run();                       // until nothing is left to happen
//   world.hash;                        // the same for the same seed, always

import { SeededRandom } from '../base/random.ts';
import type { Impairment } from '../link/impair.ts';
import { LinkCap } from '../link/link.ts';
import { Cable, type CableEnd, type CableShape, type Watcher } from './cable.ts';
import { Clock } from './clock.ts';
import { decode, line, Wire } from './decode.ts';
import { type HostOptions, SimHost } from './host.ts';
import { Trace } from './trace.ts';

export interface WorldOptions {
  seed: number;
  /** Virtual µs at the start. */
  startUs?: number;
  /** How many lines of the trace to keep; default 0. */
  keepTrace?: number;
}

export interface LinkOptions {
  mtu?: number;
  /** Bits of LinkCap that the cable's ends have; default none: the stack sums and cuts. */
  caps?: number;
  /** Chance that an end refuses a packet. */
  refuse?: number;
  /** Segments that arrive together are joined on the way. */
  gro?: { everyUs: number };
  /** Of the receive ring at either end, octets. */
  ringOctets?: number;
  /** Addresses of either end instead of the hosts' own. */
  addresses?: readonly [readonly string[], readonly string[]];
}

export const ALL_CAPS = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;

/** What a simulation that watches more adds to every packet: invariants.ts. */
export interface PacketWatch {
  sent(host: string, octets: Uint8Array, flags: number, gso: number, mtu: number): void;
  received(host: string, octets: Uint8Array, flags: number, gso: number): void;
  forged(host: string, octets: Uint8Array): void;
  refused(host: string): void;
}

export class World {
  readonly seed: number;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly hosts: SimHost[] = [];
  readonly cables: Cable[] = [];
  watch: PacketWatch | null = null;
  /** Packets sent, octets of them, turns, packets refused by a link. */
  packets = 0;
  octets = 0;
  steps = 0;
  refusals = 0;
  readonly #wire = new Wire();
  readonly #watcher: Watcher;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.clock = new Clock(options.startUs);
    this.random = new SeededRandom(options.seed);
    this.trace = new Trace(options.keepTrace ?? 0);
    this.#watcher = {
      sent: (end, octets, flags, gso) => this.#sent(end, octets, flags, gso),
      received: (end, octets, flags, gso) => this.#received(end, octets, flags, gso),
      forged: (end, octets) => this.#forged(end, octets),
      refused: (end) => {
        this.refusals++;
        if (this.watch !== null) this.watch.refused(end.hostName);
      },
    };
  }

  /** The hash of everything that has happened. */
  get hash(): string {
    return this.trace.hash;
  }

  host(name: string, options: HostOptions = {}): SimHost {
    const random = new SeededRandom(this.random.next());
    const host = new SimHost(name, this.clock, random, options);
    this.hosts.push(host);
    return host;
  }

  /** Lays a cable between two hosts. @param impairment of both directions, or one for each */
  link(
    a: SimHost,
    b: SimHost,
    impairment: Impairment | readonly [Impairment, Impairment] = {},
    options: LinkOptions = {},
  ): Cable {
    const shape: CableShape = {
      mtu: options.mtu ?? 1500,
      caps: options.caps ?? 0,
      refuse: options.refuse ?? 0,
      ...(options.gro === undefined ? {} : { gro: options.gro }),
      ...(options.ringOctets === undefined ? {} : { ringOctets: options.ringOctets }),
    };
    const random = new SeededRandom(this.random.next());
    const cable = new Cable(shape, this.#watcher, random, () => this.clock.nowUs());
    const [there, back] = isPair(impairment) ? impairment : [impairment, impairment];
    const n = this.cables.length;
    const endA = cable.end(a.name, `${a.name}${n}`, a.slab, there);
    const endB = cable.end(b.name, `${b.name}${n}`, b.slab, back);
    const [ofA, ofB] = options.addresses ?? [a.addresses, b.addresses];
    a.plug(endA, ofA, ofB);
    b.plug(endB, ofB, ofA);
    this.cables.push(cable);
    return cable;
  }

  /** Time of the next event; Infinity when nothing is left to happen. */
  nextUs(): number {
    let next = this.clock.next();
    for (const cable of this.cables) next = Math.min(next, cable.nextUs());
    for (const host of this.hosts) next = Math.min(next, host.nextUs());
    return next;
  }

  /** Jumps to the next event and lets it happen. False: nothing is left. */
  step(): boolean {
    const next = this.nextUs();
    if (next === Infinity) return false;
    this.steps++;
    this.clock.moveTo(next);
    const now = this.clock.nowUs();
    for (const cable of this.cables) cable.arrive(now);
    for (const host of this.hosts) if (host.nextUs() <= now) host.turn();
    return true;
  }

  /**
   * Runs until nothing is left, `done()` answers true, or a bound is met.
   * @returns whether it ended by itself or by `done`
   */
  run(bounds: { untilUs?: number; maxSteps?: number; done?: () => boolean } = {}): boolean {
    const until = bounds.untilUs ?? Infinity;
    const maxSteps = bounds.maxSteps ?? 10_000_000;
    for (let i = 0; i < maxSteps; i++) {
      if (bounds.done?.() === true) return true;
      const next = this.nextUs();
      if (next === Infinity && until === Infinity) return true;
      if (next > until) {
        this.#moveTo(until);
        return next === Infinity;
      }
      this.step();
    }
    return false;
  }

  /** Nothing happens until then: the hosts' clocks move with the world's. */
  #moveTo(us: number): void {
    this.clock.moveTo(us);
    for (const host of this.hosts) host.tick();
  }

  /** Adds an event of the program's to the trace. */
  note(what: string, value = 0): void {
    this.trace.number(value);
    this.trace.event(this.clock.nowUs(), what, () => String(value));
  }

  #describe(octets: Uint8Array, flags: number, gso: number): string {
    const wrong = decode(octets, 0, octets.length, this.#wire, (flags & 1) !== 0);
    const size = gso >>> 8 === 0 ? '' : ` gso ${gso >>> 8}`;
    return `${line(this.#wire)}${size}${wrong === '' ? '' : ` [${wrong}]`}`;
  }

  #sent(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void {
    this.packets++;
    this.octets += octets.length;
    this.trace.octets(octets);
    this.trace.event(this.clock.nowUs(), `${end.name} sends`, () =>
      this.#describe(octets, flags, gso),
    );
    if (this.watch !== null) this.watch.sent(end.hostName, octets, flags, gso, end.mtu);
  }

  #received(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void {
    this.trace.octets(octets);
    this.trace.event(this.clock.nowUs(), `${end.name} gets`, () =>
      this.#describe(octets, flags, gso),
    );
    if (this.watch !== null) this.watch.received(end.hostName, octets, flags, gso);
  }

  #forged(end: CableEnd, octets: Uint8Array): void {
    this.trace.octets(octets);
    this.trace.event(this.clock.nowUs(), `${end.name} gets forged`, () =>
      this.#describe(octets, 0, 0),
    );
    if (this.watch !== null) this.watch.forged(end.hostName, octets);
  }
}

function isPair(
  impairment: Impairment | readonly [Impairment, Impairment],
): impairment is readonly [Impairment, Impairment] {
  return Array.isArray(impairment);
}
