// What the IP layer needs of a link. Implementations: loopback, pair (a cable), impair, TUN
// (node/tun.ts), and whatever a program brings along.

import type { Tx } from '../base/tx.ts';
import type { Mac } from '../wire/ethernet.ts';

/** What a link does itself; what it lacks is done before it by link/offload.ts. */
export const LinkCap = {
  /** Completes transport checksums (TxFlag.NEEDS_CSUM). */
  TX_CSUM: 1,
  /** Takes TCP super-segments over IPv4 / IPv6 (Tx.gsoSize). */
  TSO4: 2,
  TSO6: 4,
  /** Takes UDP super-datagrams. */
  USO: 8,
} as const;

export interface Link {
  readonly name: string;
  /** Largest IP packet in octets. */
  mtu: number;
  /** Bits of LinkCap. */
  readonly caps: number;
  /** True for the stack's own loopback. */
  readonly loopback: boolean;
  /** False: no router on it wants to hear of multicast groups (no IGMP, no MLD). */
  readonly multicast?: boolean;
  /**
   * Its own address on an Ethernet: packets have an Ethernet header then, in and out. Absent or
   * null: packets begin with their IP header, and there are no neighbours to be found.
   */
  readonly mac?: Mac | null;
  /**
   * Queues the packet that `tx` describes. Its octets (slab and pieces) stay untouched until
   * `flush`. False: no room, the packet is gone and the link has not kept it.
   */
  transmit(tx: Tx): boolean;
  /** Sends what is queued. Afterwards the octets may be reused. */
  flush(): void;
}
