// Packets of a running stack for captures: copies with their checksums completed, in the order of
// the wire, with the reason of a drop and the state of the socket. An answer that is sent while its
// packet is still being looked at comes behind that packet.

import { type Drop, dropName } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import type { PacketTap } from '../base/tap.ts';
import { type Tx, TxFlag } from '../base/tx.ts';
import { completeReceived, Direction } from '../link/capture.ts';
import { completeChecksum, copyPacket, frameLen } from '../link/packet.ts';
import type { Stack } from '../stack/stack.ts';
import { sum } from '../wire/checksum.ts';
import { socketText } from './socket-text.ts';

export interface SeenPacket {
  /** The stack's clock, µs. */
  readonly at: number;
  readonly link: number;
  readonly direction: Direction;
  /** Whole, from the IP header on; the listener may keep it, and must not change it. */
  readonly octets: Uint8Array;
  /** Payload of each wire segment of a super-segment; 0 for a single packet. */
  readonly gso: number;
  /** Why it was discarded; `` when it was not. */
  reason: string;
  /** What its connection looked like when it came or went; `` without. */
  readonly socket: string;
}

export interface TapListener {
  /** Whether `socket` is wanted. */
  readonly sockets: boolean;
  packet(seen: SeenPacket): void;
}

const MOST = 16;
const TAGGED = 0x8100;
const ETHERTYPE_4 = 0x0800;
const ETHERTYPE_6 = 0x86dd;

export class TapHub implements PacketTap {
  readonly #stack: Stack;
  readonly #listeners = new Set<TapListener>();
  /** The packet that is looked at now, and what has left since it came. */
  #waiting: SeenPacket[] = [];
  #inside = false;
  #wantsSockets = false;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Throws RangeError beyond sixteen. */
  add(listener: TapListener): void {
    if (this.#listeners.size >= MOST) throw new RangeError(`at most ${MOST} captures at once`);
    this.#listeners.add(listener);
    this.#settle();
  }

  remove(listener: TapListener): void {
    this.#listeners.delete(listener);
    this.#settle();
  }

  #settle(): void {
    this.#wantsSockets = [...this.#listeners].some((one) => one.sockets);
    this.#stack.ip.tap = this.#listeners.size === 0 ? null : this;
  }

  arrived(rx: Rx): void {
    this.#inside = true;
    const lead = this.#leadOf(rx);
    if (lead < 0) return;
    const octets = rx.u8.slice(rx.off + lead, rx.off + Math.max(lead, rx.len));
    if ((rx.flags & RxFlag.NEEDS_CSUM) !== 0) completeReceived(octets, sum);
    this.#see(rx.linkId, Direction.INBOUND, octets, rx.gsoSize);
  }

  discarded(reason: Drop): void {
    const first = this.#waiting[0];
    if (this.#inside && first !== undefined && first.direction === Direction.INBOUND) {
      first.reason = dropName(reason);
    }
  }

  judged(): void {
    this.#inside = false;
    this.#tell();
  }

  leaving(link: number, tx: Tx): void {
    // what goes over loopback is seen where it comes back
    if (link === 0) return;
    const frame = new Uint8Array(frameLen(tx));
    copyPacket(tx, this.#stack.slab.u8, frame, 0);
    const octets = frame.subarray(tx.lead);
    if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0 && tx.csumOffset > 0) {
      completeChecksum(octets, tx.l4, octets.length, tx.csumOffset, sum);
    }
    this.#see(link, Direction.OUTBOUND, octets, tx.gsoSize);
  }

  left(taken: boolean): void {
    const last = this.#waiting.at(-1);
    if (!taken && last?.direction === Direction.OUTBOUND) last.reason = 'FULL_RING';
    if (!this.#inside) this.#tell();
  }

  /** Octets before the IP header: on an Ethernet its own; -1: no IP packet (ARP). */
  #leadOf(rx: Rx): number {
    const port = this.#stack.ip.ethers[rx.linkId];
    if (port === null || port === undefined) return 0;
    const tagged = rx.len >= 18 && rx.view.getUint16(rx.off + 12) === TAGGED;
    const lead = tagged ? 18 : 14;
    if (rx.len < lead) return -1;
    const type = rx.view.getUint16(rx.off + lead - 2);
    return type === ETHERTYPE_4 || type === ETHERTYPE_6 ? lead : -1;
  }

  #see(link: number, direction: Direction, octets: Uint8Array, gso: number): void {
    const socket = this.#wantsSockets
      ? socketText(this.#stack, octets, direction === Direction.OUTBOUND)
      : '';
    const at = this.#stack.ip.nowUs;
    this.#waiting.push({ at, link, direction, octets, gso, reason: '', socket });
  }

  #tell(): void {
    const seen = this.#waiting;
    this.#waiting = [];
    for (const packet of seen) for (const listener of this.#listeners) listener.packet(packet);
  }
}

/** Hands every packet to `listener` from now on; answers what ends that. */
export function tapPackets(stack: Stack, listener: TapListener): () => void {
  const hub = stack.ip.tap instanceof TapHub ? stack.ip.tap : new TapHub(stack);
  hub.add(listener);
  return () => hub.remove(listener);
}
