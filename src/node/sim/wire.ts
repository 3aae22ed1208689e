// The wire of the simulated network. Every host has one port; a packet goes to the port that owns
// its destination address, through the impairment of the path between the two. No router and no
// switch is modelled: what lies between two hosts is one delay, one rate, one chance of loss.

import type { Random } from '../../base/random.ts';
import { RxFlag } from '../../base/rx.ts';
import type { Slab } from '../../base/slab.ts';
import { type Tx, TxFlag } from '../../base/tx.ts';
import { Impair, type Impairment, type ImpairStats } from '../../link/impair.ts';
import type { Link } from '../../link/link.ts';
import { copyPacket, packetLen } from '../../link/packet.ts';
import { PacketRing } from '../../link/packet-ring.ts';
import type { Clock } from '../clock.ts';

const RING_OCTETS = 4 << 20;
const RING_PACKETS = 4096;

/** Where a host's packets leave and arrive: the link that its stack has. */
export class Port implements Link {
  readonly name: string;
  readonly loopback = false;
  /** None: the stack sums and cuts, so that the network sees what a wire would carry. */
  readonly caps = 0;
  mtu: number;
  onPackets: (() => void) | null = null;
  readonly #send: (octets: Uint8Array, flags: number) => void;
  #slab: Slab | null = null;
  #ring: PacketRing | null = null;

  constructor(name: string, mtu: number, send: (octets: Uint8Array, flags: number) => void) {
    this.name = name;
    this.mtu = mtu;
    this.#send = send;
  }

  attach(slab: Slab): void {
    this.#slab = slab;
    this.#ring = new PacketRing(slab, RING_OCTETS, RING_PACKETS);
  }

  get off(): number {
    return this.#ring?.off ?? 0;
  }
  get len(): number {
    return this.#ring?.len ?? 0;
  }
  get flags(): number {
    return this.#ring?.flags ?? 0;
  }
  get gso(): number {
    return this.#ring?.gso ?? 0;
  }

  transmit(tx: Tx): boolean {
    const len = packetLen(tx);
    if (this.#slab === null || len > this.mtu) return false;
    const octets = new Uint8Array(len);
    copyPacket(tx, this.#slab.u8, octets, 0);
    this.#send(octets, (tx.flags & TxFlag.NEEDS_CSUM) === 0 ? 0 : RxFlag.NEEDS_CSUM);
    return true;
  }

  flush(): void {}

  /** A packet has come out of the network; false: the receive ring is full. */
  arrive(octets: Uint8Array, flags: number, gso: number): boolean {
    const taken = this.#ring?.putBytes(octets, flags, gso) ?? false;
    if (taken) this.onPackets?.();
    return taken;
  }

  shift(): boolean {
    return this.#ring?.shift() ?? false;
  }

  release(): void {
    this.#ring?.release();
  }
}

/** One direction of a path. */
export class Way {
  readonly from: Port;
  readonly to: Port;
  readonly impair: Impair;
  /** Nothing that is sent now passes. */
  isCut = false;
  /** Packets that a cut has swallowed. */
  swallowed = 0;
  readonly #clock: Clock;
  readonly #arrived: (way: Way, octets: Uint8Array, flags: number, gso: number) => void;
  #armedUs = Infinity;
  #disarm: (() => void) | null = null;

  constructor(
    ends: readonly [Port, Port],
    impair: Impair,
    clock: Clock,
    arrived: (way: Way, octets: Uint8Array, flags: number, gso: number) => void,
  ) {
    [this.from, this.to] = ends;
    this.impair = impair;
    this.#clock = clock;
    this.#arrived = arrived;
  }

  get #dropped(): number {
    const { lost, tooBig, queueFull, aqmDropped, undetectable } = this.impair.stats;
    return lost + tooBig + queueFull + aqmDropped + undetectable + this.swallowed;
  }

  /** Sends a packet on its way. @returns whether the network keeps it */
  send(octets: Uint8Array, flags: number): boolean {
    const before = this.#dropped;
    if (this.isCut) this.swallowed++;
    else this.impair.offer(octets, flags, 0, this.#clock.nowUs());
    this.#arm();
    return this.#dropped === before;
  }

  #arm(): void {
    const next = this.impair.nextUs();
    if (next >= this.#armedUs) return;
    this.#disarm?.();
    this.#armedUs = next;
    this.#disarm = this.#clock.after(next - this.#clock.nowUs(), () => this.#deliver());
  }

  #deliver(): void {
    this.#armedUs = Infinity;
    this.#disarm = null;
    const now = this.#clock.nowUs();
    for (let p = this.impair.take(now); p !== null; p = this.impair.take(now)) {
      this.#arrived(this, p.octets, p.flags, p.gso);
    }
    this.#arm();
  }

  stop(): void {
    this.#disarm?.();
    this.#disarm = null;
    this.impair.clear();
  }
}

/** Both directions between two hosts: what a test changes while its program runs. */
export class Path {
  /** From the host named first when the path was asked for, and back. */
  readonly there: Way;
  readonly back: Way;
  readonly #default: Impairment;

  constructor(there: Way, back: Way, impairment: Impairment) {
    this.there = there;
    this.back = back;
    this.#default = impairment;
  }

  /** The same path seen from its other end. */
  reversed(): Path {
    return new Path(this.back, this.there, this.#default);
  }

  /** Replaces what the path does; what flies goes on. Without `back`: both ways alike. */
  impair(there: Impairment, back: Impairment = there): this {
    this.there.impair.options = there;
    this.back.impair.options = back;
    return this;
  }

  /** From now on nothing passes: both ways, or one. What flies still arrives. */
  cut(direction: 'both' | 'there' | 'back' = 'both'): this {
    if (direction !== 'back') this.there.isCut = true;
    if (direction !== 'there') this.back.isCut = true;
    return this;
  }

  /** The path is as the network was made: whole, and with its impairment. */
  heal(): this {
    this.there.isCut = false;
    this.back.isCut = false;
    return this.impair(this.#default);
  }

  /** What became of the packets, each way. */
  get stats(): { there: ImpairStats; back: ImpairStats } {
    return { there: this.there.impair.stats, back: this.back.impair.stats };
  }
}

/** What a path needs to be made. */
export interface PathParts {
  readonly clock: Clock;
  readonly random: () => Random;
  readonly impairment: Impairment;
  readonly arrived: (way: Way, octets: Uint8Array, flags: number, gso: number) => void;
}

export function makePath(a: Port, b: Port, parts: PathParts): Path {
  const way = (ends: readonly [Port, Port]): Way =>
    new Way(ends, new Impair(parts.random(), parts.impairment), parts.clock, parts.arrived);
  return new Path(way([a, b]), way([b, a]), parts.impairment);
}
