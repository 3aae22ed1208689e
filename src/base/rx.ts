// The packet walking up. One per stack, reused for every packet: offsets into the slab and the
// fields that the layers have read so far. No layer keeps a reference to it.

import type { Slab } from './slab.ts';
import { Views } from './views.ts';

/** What the link knows of a packet's checksum and origin. */
export const RxFlag = {
  /** The transport checksum is only the pseudo-header's; the octets never left this machine. */
  NEEDS_CSUM: 1,
  /** The link has verified the transport checksum. */
  DATA_VALID: 2,
  /** Came over the stack's own loopback link: 127/8 and own addresses are legal. */
  LOOPBACK: 4,
  /** Lies in the reassembler's scratch: copy what must outlive this packet. */
  SCRATCH: 8,
  /** Addressed to a link-layer broadcast or multicast address: no ICMP error in answer. */
  LINK_BROADCAST: 16,
  /** The link's metadata was nonsense: count and drop. */
  BAD_META: 32,
  /** On its way to another host: an error about it starts from any address of ours. */
  TRANSIT: 64,
} as const;

export const GsoType = { NONE: 0, TCPV4: 1, UDP: 3, TCPV6: 4, UDP_L4: 5 } as const;

/** How the destination address is ours. */
export const DstKind = { UNICAST: 0, BROADCAST: 1, MULTICAST: 2 } as const;

export class Rx {
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** For copies out of the packet. */
  readonly views: Views;

  linkId = 0;
  /** First octet of the IP header. */
  off = 0;
  /** Octets that came from the link, later cut to the IP length. */
  len = 0;
  flags = 0;
  gsoType = 0;
  /** Payload octets of each wire segment of a super-segment; 0 for a single packet. */
  gsoSize = 0;

  family = 4;
  protocol = 0;
  /** Octet that named the protocol; IPv6 only (RFC 4443 §3.4 points at it). */
  protocolAt = 0;
  tos = 0;
  ttl = 0;
  ipHeaderLen = 0;
  /** First octet and length of the transport segment. */
  l4Off = 0;
  l4Len = 0;
  dstKind = 0;
  /** Addresses as four int32 words, IPv4 as ::ffff:a.b.c.d. */
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;

  srcPort = 0;
  dstPort = 0;
  segSeq = 0;
  segAck = 0;
  /** Octets of sequence space: payload + SYN + FIN. */
  segLen = 0;
  segFlags = 0;
  segWnd = 0;
  segUrg = 0;
  dataOff = 0;
  dataLen = 0;

  constructor(slab: Slab) {
    this.u8 = slab.u8;
    this.view = slab.view;
    this.views = new Views(slab.u8);
  }
}
