// Link 0 of every stack: 127/8 and the stack's own addresses (RFC 1122 §3.2.1.3 (g)). It carries
// super-segments whole and needs no checksum: the octets never leave the slab.
//
// The stack polls it inside `drain`:
//
//   while (lo.shift()) receive(lo.link, lo.off, lo.len, lo.flags, lo.gso);
//   …deliver the ready list…
//   lo.release();
// @hot

import { RxFlag } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import type { Tx } from '../base/tx.ts';
import { type Link, LinkCap } from './link.ts';
import { PacketRing } from './packet-ring.ts';

export const LOOPBACK_MTU = 65_535;
/** A packet's flags in the ring: RxFlag, and above them a link. */
const LINK_SHIFT = 8;
const FLAGS = 255;

export class Loopback implements Link {
  readonly name = 'lo';
  mtu = LOOPBACK_MTU;
  readonly caps = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
  readonly loopback = true;
  readonly #slab: Slab;
  readonly #ring: PacketRing;

  /**
   * @param octets region of the slab for packets in flight, at least 65,536
   * @param cap most packets in flight
   */
  constructor(slab: Slab, octets = 1 << 20, cap = 1024) {
    this.#slab = slab;
    this.#ring = new PacketRing(slab, octets, cap);
  }

  /** Packets that wait to be received. */
  get pending(): number {
    return this.#ring.pending;
  }

  /** Arguments of `Stack.receive` for the packet that the last `shift` took. */
  get off(): number {
    return this.#ring.off;
  }
  get len(): number {
    return this.#ring.len;
  }
  get flags(): number {
    return this.#ring.flags & FLAGS;
  }
  /** Its own id, or the device's whose own broadcast or multicast this is a copy of. */
  get link(): number {
    return this.#ring.flags >>> LINK_SHIFT;
  }
  get gso(): number {
    return this.#ring.gso;
  }

  /** Packets refused because the queue was full. */
  get full(): number {
    return this.#ring.full;
  }

  transmit(tx: Tx): boolean {
    return this.#ring.put(tx, this.#slab, RxFlag.LOOPBACK | (tx.asLink << LINK_SHIFT));
  }

  flush(): void {}

  /** Takes the oldest packet; false when none waits. */
  shift(): boolean {
    return this.#ring.shift();
  }

  /** The stack has delivered what it shifted: the room may be used again. */
  release(): void {
    this.#ring.release();
  }
}
