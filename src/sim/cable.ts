// A cable of the simulated world: two ends, an impairment each way, perhaps a box in the way, and a
// watcher that sees every packet as it was sent and as it is handed to the stack.

import type { Random } from '../base/random.ts';
import { RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { type Tx, TxFlag } from '../base/tx.ts';
import { Impair, type Impairment } from '../link/impair.ts';
import type { Link } from '../link/link.ts';
import { copyPacket, packetLen } from '../link/packet.ts';
import { PacketRing } from '../link/packet-ring.ts';
import type { Box } from './box.ts';
import { coalesce } from './coalesce.ts';
import type { Passing } from './craft.ts';

export interface Watcher {
  /** `octets` left the stack at this end. */
  sent(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void;
  /** The stack at this end is about to receive `octets`; `forged`: its peer has not sent them. */
  received(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void;
  forged(end: CableEnd, octets: Uint8Array): void;
  /** The link refused a packet (a full transmit ring). */
  refused(end: CableEnd): void;
}

export interface CableShape {
  mtu: number;
  /** Bits of LinkCap. */
  caps: number;
  /** Chance that `transmit` says "full": EAGAIN, a full ring. */
  refuse: number;
  /** Segments that arrive together are joined (GRO); what arrives waits for `everyUs` ticks. */
  gro?: { everyUs: number };
  /** Of the receive ring at either end; 1 MiB without. */
  ringOctets?: number;
}

/** Makes a packet of somebody else's at the moment at which the host takes it; null: no chance. */
export type Forge = () => Uint8Array | null;

const LARGEST = 65_535;
const LARGE = 16_384;
const MAX_SPARE = 64;
const RING_OCTETS = 1 << 20;
const RING_PACKETS = 512;
const MAX_FORGES = 64;

export class CableEnd implements Link {
  readonly name: string;
  readonly loopback = false;
  readonly caps: number;
  mtu: number;
  /** Name of the host at this end, for traces. */
  readonly hostName: string;
  slab: Slab;
  ring: PacketRing;
  /** The way from here to the other end. */
  readonly way: Impair;
  /** Called when something has arrived: the host of this end has work. */
  onPackets: (() => void) | null = null;
  peer: CableEnd | null = null;
  readonly #cable: Cable;
  readonly #forges: Forge[] = [];

  constructor(cable: Cable, hostName: string, name: string, slab: Slab, way: Impair) {
    this.#cable = cable;
    this.name = name;
    this.hostName = hostName;
    this.slab = slab;
    this.way = way;
    this.mtu = cable.shape.mtu;
    this.caps = cable.shape.caps;
    this.ring = new PacketRing(slab, cable.shape.ringOctets ?? RING_OCTETS, RING_PACKETS);
  }

  get pending(): number {
    return this.ring.pending + this.#forges.length;
  }
  get off(): number {
    return this.ring.off;
  }
  get len(): number {
    return this.ring.len;
  }
  get flags(): number {
    return this.ring.flags;
  }
  get gso(): number {
    return this.ring.gso;
  }

  /** The host at this end has started anew: other memory, and what lay in the ring is gone. */
  rewire(slab: Slab): void {
    this.slab = slab;
    const octets = this.#cable.shape.ringOctets ?? RING_OCTETS;
    this.ring = new PacketRing(slab, octets, RING_PACKETS);
    this.#forges.length = 0;
  }

  transmit(tx: Tx): boolean {
    const cable = this.#cable;
    const len = packetLen(tx);
    const octets = cable.memory(len);
    copyPacket(tx, this.slab.u8, octets, 0);
    const flags = (tx.flags & TxFlag.NEEDS_CSUM) === 0 ? 0 : RxFlag.NEEDS_CSUM;
    const gso = tx.gsoSize === 0 ? 0 : tx.gsoType | (tx.gsoSize << 8);
    // A refused packet was sent all the same: what the stack meant to say is judged like the rest.
    cable.watcher.sent(this, octets, flags, gso);
    if (len > (tx.gsoSize > 0 ? LARGEST : this.mtu) || cable.refuses()) {
      cable.watcher.refused(this);
      return false;
    }
    cable.offer(this, octets, flags, gso);
    return true;
  }

  flush(): void {}

  /** A packet of an attacker's: made when everything before it has been received. */
  forge(forge: Forge): void {
    if (this.#forges.length >= MAX_FORGES) return;
    this.#forges.push(forge);
    if (this.onPackets !== null) this.onPackets();
  }

  /** Takes the oldest packet that has arrived; false when none waits. */
  shift(): boolean {
    const ring = this.ring;
    if (ring.shift()) {
      const octets = this.slab.u8.subarray(ring.off, ring.off + ring.len);
      this.#cable.watcher.received(this, octets, ring.flags, ring.gso);
      return true;
    }
    for (let forge = this.#forges.shift(); forge !== undefined; forge = this.#forges.shift()) {
      const octets = forge();
      if (octets === null || !ring.putBytes(octets, 0, 0) || !ring.shift()) continue;
      this.#cable.watcher.forged(this, octets);
      return true;
    }
    return false;
  }

  release(): void {
    this.ring.release();
  }
}

export class Cable {
  readonly shape: CableShape;
  readonly watcher: Watcher;
  readonly nowUs: () => number;
  readonly #random: Random;
  readonly ends: CableEnd[] = [];
  box: Box | null = null;
  /** Segments that arrived inside of a super-segment made on the way. */
  coalesced = 0;
  readonly #spare: ArrayBuffer[] = [];

  constructor(shape: CableShape, watcher: Watcher, random: Random, nowUs: () => number) {
    this.shape = shape;
    this.watcher = watcher;
    this.#random = random;
    this.nowUs = nowUs;
  }

  /** Makes one end; the second call joins the two. */
  end(hostName: string, name: string, slab: Slab, out: Impairment): CableEnd {
    if (this.ends.length === 2) throw new RangeError('a cable has two ends');
    const end = new CableEnd(this, hostName, name, slab, new Impair(this.#random, out));
    const other = this.ends[0];
    if (other !== undefined) {
      other.peer = end;
      end.peer = other;
    }
    this.ends.push(end);
    return end;
  }

  refuses(): boolean {
    const chance = this.shape.refuse;
    return chance > 0 && this.#random.next() >>> 0 < chance * 0x1_0000_0000;
  }

  /** Memory for a packet; that of large ones is used again. */
  memory(len: number): Uint8Array {
    if (len < LARGE) return new Uint8Array(len);
    return new Uint8Array(this.#spare.pop() ?? new ArrayBuffer(LARGEST), 0, len);
  }

  /** A packet has been copied out of the network: it had its octets to itself. */
  #recycle(octets: Uint8Array): void {
    const buffer = octets.buffer;
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== LARGEST) return;
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }

  /** A packet of `from` goes into the network, through the box if there is one. */
  offer(from: CableEnd, octets: Uint8Array, flags: number, gso: number): void {
    const now = this.nowUs();
    if (this.box === null) {
      from.way.offer(octets, flags, gso, now);
      return;
    }
    const back: Passing[] = [];
    for (const p of this.box.through({ octets, flags, gso }, now, back)) {
      from.way.offer(p.octets, p.flags, p.gso, now);
    }
    for (const p of back) from.peer?.way.offer(p.octets, p.flags, p.gso, now);
  }

  /** When the next packet arrives at an end. */
  nextUs(): number {
    let next = Infinity;
    for (const end of this.ends) next = Math.min(next, end.way.nextUs());
    const gro = this.shape.gro;
    if (gro === undefined || next === Infinity || gro.everyUs <= 1) return next;
    return Math.ceil(next / gro.everyUs) * gro.everyUs;
  }

  /** Puts what has arrived into the ends' receive rings; what does not fit is lost, as on a NIC. */
  arrive(nowUs: number): void {
    const gro = this.shape.gro;
    for (const end of this.ends) {
      const to = end.peer;
      if (to === null) continue;
      if (gro === undefined) this.#put(end, to, nowUs);
      else if (nowUs % gro.everyUs < 1) this.#putJoined(end, to, nowUs);
    }
  }

  #put(end: CableEnd, to: CableEnd, nowUs: number): void {
    let any = false;
    for (let p = end.way.take(nowUs); p !== null; p = end.way.take(nowUs)) {
      any = to.ring.putBytes(p.octets, p.flags, p.gso) || any;
      this.#recycle(p.octets);
    }
    if (any && to.onPackets !== null) to.onPackets();
  }

  #putJoined(end: CableEnd, to: CableEnd, nowUs: number): void {
    const list: Passing[] = [];
    for (let p = end.way.take(nowUs); p !== null; p = end.way.take(nowUs)) list.push(p);
    if (list.length === 0) return;
    const packets = coalesce(list, (n) => {
      this.coalesced += n;
    });
    for (const p of packets) to.ring.putBytes(p.octets, p.flags, p.gso);
    if (to.onPackets !== null) to.onPackets();
  }

  /** From now on a good cable: faults stop, what flies goes on. */
  heal(): void {
    for (const end of this.ends) {
      const { delayUs, mtu } = end.way.options;
      end.way.options = { delayUs: delayUs ?? 0, ...(mtu === undefined ? {} : { mtu }) };
    }
    this.shape.refuse = 0;
    this.box?.heal();
  }
}
