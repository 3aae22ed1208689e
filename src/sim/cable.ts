// A cable of the simulated world: two ends, an impairment each way, and a watcher that sees every
// packet as it was sent and as it is handed to the stack.

import type { Random } from '../base/random.ts';
import { RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { type Tx, TxFlag } from '../base/tx.ts';
import { Impair, type Impairment } from '../link/impair.ts';
import type { Link } from '../link/link.ts';
import { copyPacket, packetLen } from '../link/packet.ts';
import { PacketRing } from '../link/packet-ring.ts';

export interface Watcher {
  /** `octets` left the stack at this end. */
  sent(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void;
  /** The stack at this end is about to receive `octets`. */
  received(end: CableEnd, octets: Uint8Array, flags: number, gso: number): void;
  /** The link refused a packet (a full transmit ring). */
  refused(end: CableEnd): void;
}

export interface CableShape {
  mtu: number;
  /** Bits of LinkCap. */
  caps: number;
  /** Chance that `transmit` says "full": EAGAIN, a full ring. */
  refuse: number;
}

const LARGEST = 65_535;

export class CableEnd implements Link {
  readonly name: string;
  readonly loopback = false;
  readonly caps: number;
  mtu: number;
  /** Name of the host at this end, for traces. */
  readonly hostName: string;
  readonly slab: Slab;
  readonly ring: PacketRing;
  /** The way from here to the other end. */
  readonly way: Impair;
  /** Called when something has arrived: the host of this end has work. */
  onPackets: (() => void) | null = null;
  peer: CableEnd | null = null;
  readonly #cable: Cable;

  constructor(cable: Cable, hostName: string, name: string, slab: Slab, way: Impair) {
    this.#cable = cable;
    this.name = name;
    this.hostName = hostName;
    this.slab = slab;
    this.way = way;
    this.mtu = cable.shape.mtu;
    this.caps = cable.shape.caps;
    this.ring = new PacketRing(slab, 1 << 20, 512);
  }

  get pending(): number {
    return this.ring.pending;
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

  transmit(tx: Tx): boolean {
    const cable = this.#cable;
    const len = packetLen(tx);
    const octets = new Uint8Array(len);
    copyPacket(tx, this.slab.u8, octets, 0);
    const flags = (tx.flags & TxFlag.NEEDS_CSUM) === 0 ? 0 : RxFlag.NEEDS_CSUM;
    const gso = tx.gsoSize === 0 ? 0 : tx.gsoType | (tx.gsoSize << 8);
    // A refused packet was sent all the same: what the stack meant to say is judged like the rest.
    cable.watcher.sent(this, octets, flags, gso);
    if (len > (tx.gsoSize > 0 ? LARGEST : this.mtu) || cable.refuses()) {
      cable.watcher.refused(this);
      return false;
    }
    this.way.offer(octets, flags, gso, cable.nowUs());
    return true;
  }

  flush(): void {}

  /** Takes the oldest packet that has arrived; false when none waits. */
  shift(): boolean {
    if (!this.ring.shift()) return false;
    const ring = this.ring;
    const octets = this.slab.u8.slice(ring.off, ring.off + ring.len);
    this.#cable.watcher.received(this, octets, ring.flags, ring.gso);
    return true;
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

  /** When the next packet arrives at an end. */
  nextUs(): number {
    let next = Infinity;
    for (const end of this.ends) next = Math.min(next, end.way.nextUs());
    return next;
  }

  /** Puts what has arrived into the ends' receive rings; what does not fit is lost, as on a NIC. */
  arrive(nowUs: number): void {
    for (const end of this.ends) {
      const to = end.peer;
      if (to === null) continue;
      let any = false;
      for (let p = end.way.take(nowUs); p !== null; p = end.way.take(nowUs)) {
        any = to.ring.putBytes(p.octets, p.flags, p.gso) || any;
      }
      if (any && to.onPackets !== null) to.onPackets();
    }
  }

  /** From now on a good cable: faults stop, what flies goes on. */
  heal(): void {
    for (const end of this.ends) {
      const { delayUs, mtu } = end.way.options;
      end.way.options = { delayUs: delayUs ?? 0, ...(mtu === undefined ? {} : { mtu }) };
    }
    this.shape.refuse = 0;
  }
}
