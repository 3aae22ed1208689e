// A cable with two ends, for two stacks in one process. What one end transmits is copied straight
// into the other stack's slab and shows there after `flush`. Nothing is lost but by a full queue.
//
//   const cable = new Cable({ mtu: 1500 });
//   const a = cable.end('a'), b = cable.end('b');
//   a.attach(slabA); b.attach(slabB);         // createHost does this by itself
//   …
//   while (b.shift()) stackB.receive(id, b.off, b.len, b.flags, b.gso);
//   stackB.drain(); b.release();
// @hot

import type { Slab } from '../base/slab.ts';
import type { Tx } from '../base/tx.ts';
import { Mac } from '../wire/ethernet.ts';
import { type Link, LinkCap } from './link.ts';
import { packetLen } from './packet.ts';
import { PacketRing } from './packet-ring.ts';

export interface CableOptions {
  /** Largest IP packet; default 1500. Super-segments may be larger where `caps` allow them. */
  mtu?: number;
  /** Bits of LinkCap; default all: the octets do not leave the process. */
  caps?: number;
  /** Octets of each end's receive region in its slab; default 1 MiB. */
  octets?: number;
  /** Most packets on their way in one direction; default 512. */
  cap?: number;
  /** Ethernet: both ends get an address of their own (02:00:00:00:00:01 and …:02). */
  ethernet?: boolean;
}

const LARGEST_PACKET = 65_535;
/** 02:00:00:00: administered locally. */
const LOCAL_MAC = 0x02000000;

export class PairEnd implements Link {
  readonly name: string;
  mtu: number;
  readonly caps: number;
  readonly loopback = false;
  readonly mac: Mac | null;
  peer: PairEnd | null = null;
  /** False: unplugged; everything sent is gone. */
  up = true;
  /** Told after a flush that brought packets: the driver of this end has work. */
  onPackets: (() => void) | null = null;
  readonly #octets: number;
  readonly #cap: number;
  #slab: Slab | null = null;
  /** Receives what the other end sends. */
  #ring: PacketRing | null = null;
  #unflushed = 0;
  #visible = 0;

  constructor(name: string, options: CableOptions, mac: Mac | null = null) {
    this.name = name;
    this.mac = mac;
    this.mtu = options.mtu ?? 1500;
    this.caps = options.caps ?? LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
    this.#octets = options.octets ?? 1 << 20;
    this.#cap = options.cap ?? 512;
  }

  /** The slab of the stack at this end: a region of it is reserved. Once, before any packet. */
  attach(slab: Slab): void {
    if (this.#slab !== null) throw new RangeError(`${this.name} has a slab already`); // cold
    this.#slab = slab;
    this.#ring = new PacketRing(slab, this.#octets, this.#cap); // cold
  }

  /** Packets that wait to be received at this end. */
  get pending(): number {
    return this.#visible;
  }

  get off(): number {
    return this.#ring === null ? 0 : this.#ring.off;
  }
  get len(): number {
    return this.#ring === null ? 0 : this.#ring.len;
  }
  get flags(): number {
    return this.#ring === null ? 0 : this.#ring.flags;
  }
  get gso(): number {
    return this.#ring === null ? 0 : this.#ring.gso;
  }

  transmit(tx: Tx): boolean {
    const peer = this.peer;
    if (peer === null || !this.up || !peer.up || this.#slab === null) return false;
    if (packetLen(tx) > (tx.gsoSize > 0 ? LARGEST_PACKET : this.mtu)) return false;
    const ring = peer.#ring;
    if (ring === null || !ring.put(tx, this.#slab, 0)) return false;
    this.#unflushed++;
    return true;
  }

  flush(): void {
    const peer = this.peer;
    if (peer === null || this.#unflushed === 0) return;
    peer.#visible += this.#unflushed;
    this.#unflushed = 0;
    if (peer.onPackets !== null) peer.onPackets();
  }

  /** Takes the oldest packet into `off len flags gso`; false when none waits. */
  shift(): boolean {
    if (this.#visible === 0 || this.#ring === null) return false;
    this.#visible--;
    return this.#ring.shift();
  }

  /** The stack has drained what was shifted: the room may be used again. */
  release(): void {
    if (this.#ring !== null) this.#ring.release();
  }
}

export class Cable {
  readonly #options: CableOptions;
  #first: PairEnd | null = null;
  #second: PairEnd | null = null;

  constructor(options: CableOptions = {}) {
    this.#options = options;
  }

  /** Makes one end; the second call joins them. Throws RangeError at the third. */
  end(name: string): PairEnd {
    if (this.#second !== null) throw new RangeError('a cable has two ends'); // cold
    const number = this.#first === null ? 1 : 2;
    const mac = this.#options.ethernet === true ? new Mac(LOCAL_MAC, number) : null; // cold
    const end = new PairEnd(name, this.#options, mac); // cold: two per cable
    if (this.#first === null) {
      this.#first = end;
      return end;
    }
    this.#second = end;
    end.peer = this.#first;
    this.#first.peer = end;
    return end;
  }
}
