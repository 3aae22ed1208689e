// Plays a scenario of the laboratory: step by step, up to a time, or anew up to a packet. What a
// reader does to a packet is noted with its place, so that playing again gives the same history.

import { dropName } from '../base/drop.ts';
import { EVENT_KINDS, type EventReader, kindsMask, subscribe } from '../inspect/event-rows.ts';
import { PacketReader } from '../inspect/packet-line.ts';
import type { SimHost } from '../sim/host.ts';
import { ORIGIN_US, type Scenario, Stage } from '../sim/lab/stage.ts';
import type { PacketWatch } from '../sim/world.ts';
import { EventLog, Numbers } from './event-log.ts';
import type { EventRow, PacketRow } from './frames.ts';
import { Kept } from './history.ts';

const MOST_PACKETS = 20_000;
/** Octets that are kept of each packet. */
const SNAP = 128;
/** All but what is given to programs: they say so themselves. */
const KINDS = kindsMask(EVENT_KINDS.slice(2).filter((kind) => kind !== 'delivered')) ?? undefined;
const MOST_STEPS = 2_000_000;

export interface LabPacket extends PacketRow {
  octets: Uint8Array;
}

/** The next packet of a host: below 0 lost, else so many µs later. */
export interface Fate {
  /** How many had passed when it was asked for. */
  readonly after: number;
  readonly host: string;
  readonly us: number;
}

interface Seat {
  readonly host: SimHost;
  readonly log: EventLog;
  readonly reader: PacketReader;
  readonly events: EventReader;
  readonly drops: Float64Array;
  fate: number | null;
  /** The packet that was sent or received last, until it is known what became of it. */
  out: { packet: LabPacket; lost: readonly number[] } | null;
  into: LabPacket | null;
}

export class Player {
  readonly scenario: Scenario;
  readonly stage: Stage;
  readonly packets = new Kept<LabPacket>(MOST_PACKETS);
  /** Every state that changes, what programs say and what the stacks judge. */
  readonly log = new Kept<EventRow>(MOST_PACKETS);
  readonly fates: Fate[];
  /** Packets that were sent. */
  sent = 0;
  readonly #numbers = new Numbers();
  readonly #packetNumbers = new Numbers();
  readonly #seats = new Map<string, Seat>();
  readonly #cursors = new Map<string, number>();
  #said = 0;
  #given = 0;
  /** Steps of the world in which packets were sent. */
  readonly #bearing: number[] = [];

  constructor(scenario: Scenario, fates: readonly Fate[] = []) {
    this.scenario = scenario;
    this.fates = [...fates];
    this.stage = new Stage();
    this.stage.world.watch = this.#watch();
    this.stage.onHost = (host) => this.#sit(host);
    scenario.build(this.stage);
    for (const seat of this.#seats.values()) {
      for (const { end } of seat.host.links) this.#judge(seat, end.way);
    }
    this.#hear();
  }

  get world(): Stage['world'] {
    return this.stage.world;
  }

  get nowUs(): number {
    return this.stage.nowUs;
  }

  get hosts(): readonly SimHost[] {
    return this.world.hosts;
  }

  get ended(): boolean {
    return this.world.nextUs() - ORIGIN_US > this.scenario.untilUs;
  }

  logOf(host: string): EventLog | null {
    return this.#seats.get(host)?.log ?? null;
  }

  #sit(host: SimHost): void {
    this.#seats.set(host.name, {
      host,
      log: new EventLog(host.name, this.#numbers, ORIGIN_US),
      reader: new PacketReader(),
      events: subscribe(host.stack, { kinds: KINDS, capacity: 4096 }),
      drops: host.stack.counters.drops.slice(),
      ...{ fate: null, out: null, into: null },
    });
  }

  /** Puts the reader's wish before the scenario's own verdict on each packet. */
  #judge(seat: Seat, way: SimHost['links'][number]['end']['way']): void {
    const { fate } = way.options;
    way.options = {
      ...way.options,
      fate: (octets, nowUs) => {
        const own = fate?.(octets, nowUs) ?? 0;
        const wish = seat.fate;
        if (wish === null) return own;
        seat.fate = null;
        return wish < 0 || own < 0 ? -1 : own + wish;
      },
    };
  }

  /** The next packet of a host is lost (below 0) or comes later. */
  fate(host: string, us: number): void {
    this.fates.push({ after: this.sent, host, us });
  }

  /** One event of the world. False: nothing is left. */
  step(): boolean {
    if (this.ended) return false;
    for (; this.#given < this.fates.length; this.#given++) {
      const fate = this.fates[this.#given] as Fate;
      if (fate.after > this.sent) break;
      const seat = this.#seats.get(fate.host);
      if (seat !== undefined) seat.fate = fate.us;
    }
    const before = this.sent;
    if (!this.world.step()) return false;
    if (this.sent > before) this.#bearing.push(this.world.steps);
    this.#hear();
    return true;
  }

  /** Up to the next moment at which packets are sent. */
  stepPacket(): boolean {
    const before = this.sent;
    for (let i = 0; i < MOST_STEPS && this.sent === before; i++) if (!this.step()) return false;
    return true;
  }

  /** @param untilMs when to stop for lack of time, by `clock` */
  runTo(us: number, untilMs = Infinity, clock: () => number = () => 0): void {
    for (let i = 0; i < MOST_STEPS; i++) {
      if (this.world.nextUs() - ORIGIN_US > us || !this.step()) break;
      if ((i & 31) === 0 && clock() > untilMs) return;
    }
    const end = Math.min(us, this.scenario.untilUs);
    if (end > this.nowUs && this.world.nextUs() - ORIGIN_US > end) {
      this.world.run({ untilUs: ORIGIN_US + end });
    }
  }

  /** A player that stands before the last moment at which packets were sent. */
  back(): Player {
    const to = this.#bearing.at(-2) ?? 0;
    const again = new Player(this.scenario, this.fates);
    for (let i = 0; i < MOST_STEPS && again.world.steps < to; i++) if (!again.step()) break;
    again.fates.length = again.#given;
    return again;
  }

  // --- what passes
  // --------------------------------------------------------------------------------

  #packet(seat: Seat, dir: 'in' | 'out', octets: Uint8Array): LabPacket {
    const line = seat.reader.read(octets);
    const packet: LabPacket = {
      ...{ n: ++this.#packetNumbers.last, us: this.nowUs, host: seat.host.name, dir },
      ...line,
      ...{ len: octets.length, verdict: '', octets: octets.slice(0, SNAP) },
    };
    this.packets.push(packet);
    return packet;
  }

  #watch(): PacketWatch {
    return {
      sent: (host, octets) => this.#sentBy(host, octets),
      received: (host, octets) => this.#receivedBy(host, octets),
      forged: (host, octets) => this.#receivedBy(host, octets),
      refused: () => {},
    };
  }

  #sentBy(name: string, octets: Uint8Array): void {
    const seat = this.#seats.get(name);
    if (seat === undefined) return;
    this.#settle(seat);
    this.sent++;
    seat.out = { packet: this.#packet(seat, 'out', octets), lost: losses(seat.host) };
  }

  #receivedBy(name: string, octets: Uint8Array): void {
    const seat = this.#seats.get(name);
    if (seat === undefined) return;
    this.#settle(seat);
    seat.into = this.#packet(seat, 'in', octets);
  }

  /** What became of the packets before: lost on the way, or discarded by the stack. */
  #settle(seat: Seat): void {
    if (seat.out !== null) {
      const { packet, lost } = seat.out;
      const now = losses(seat.host);
      const which = now.findIndex((n, i) => n > (lost[i] as number));
      if (which >= 0) packet.verdict = LOST[which] as string;
      seat.out = null;
    }
    const { drops } = seat.host.stack.counters;
    const packet = seat.into;
    seat.into = null;
    for (let i = 1; i < drops.length; i++) {
      if (drops[i] === seat.drops[i]) continue;
      if (packet !== null && packet.verdict === '') packet.verdict = dropName(i);
      seat.drops[i] = drops[i] as number;
    }
  }

  /** Events and words since the last step. */
  #hear(): void {
    for (const seat of this.#seats.values()) {
      this.#settle(seat);
      seat.log.take(seat.events.take(100_000));
    }
    const { said } = this.stage;
    for (; this.#said < said.length; this.#said++) {
      const { us, host, text } = said[this.#said] as (typeof said)[number];
      this.#seats.get(host)?.log.say(us, 'say', text);
    }
    for (const seat of this.#seats.values()) {
      const from = this.#cursors.get(seat.host.name) ?? 0;
      for (const event of seat.log.events.since(from)) this.log.push(event);
      this.#cursors.set(seat.host.name, seat.log.events.end);
    }
    for (const { host, log } of this.#seats.values()) {
      for (const t of host.stack.tcp.connections) if (t !== null) log.segment(t.id, t.mss);
    }
  }
}

const LOST = ['lost on the way', 'too long for the path', 'the queue is full', 'dropped by CoDel'];

function losses(host: SimHost): number[] {
  const sums = [0, 0, 0, 0];
  for (const { end } of host.links) {
    const { lost, tooBig, queueFull, aqmDropped } = end.way.stats;
    for (const [i, n] of [lost, tooBig, queueFull, aqmDropped].entries()) {
      sums[i] = (sums[i] as number) + n;
    }
  }
  return sums;
}
