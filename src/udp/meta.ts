// What a program learns of a datagram besides its octets. One object, reused for each.

import { Address } from '../wire/address.ts';

export class UdpMeta {
  /** The sender: four int32 words, IPv4 as ::ffff:a.b.c.d, and its port. */
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  port = 0;
  /** The address that was addressed. */
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  /** UNICAST, BROADCAST or MULTICAST of DstKind: how that address is ours. */
  dstKind = 0;
  ttl = 0;
  tos = 0;
  linkId = 0;

  /** The sender's address as an object that may be kept. */
  remote(): Address {
    return new Address(this.src0, this.src1, this.src2, this.src3);
  }

  /** The address that was addressed, as an object that may be kept. */
  local(): Address {
    return new Address(this.dst0, this.dst1, this.dst2, this.dst3);
  }
}
