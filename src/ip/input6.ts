// An IPv6 packet arrives (RFC 8200 §3). The base header is checked as it must be; what lies behind
// it has no reader yet, so a sound packet ends as UNHANDLED_PROTO.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import { isLoopback, isMulticast, isUnspecified, isV4 } from '../wire/address.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { NOT_OURS } from './addresses.ts';
import { count, drop, type IpLayer, type Verdict } from './ip.ts';

export function input6(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.Ip6InReceives);
  if ((rx.flags & RxFlag.BAD_META) !== 0) {
    count(ip, Ctr.Ip6InDiscards);
    return drop(ip, rx, Drop.BAD_META);
  }
  const lengths = ipv6.check(rx.u8, rx.off, rx.len);
  if (lengths !== Drop.NONE) {
    count(ip, Ctr.Ip6InHdrErrors);
    return drop(ip, rx, lengths);
  }
  describe(rx);
  const reason = checkAddresses(ip, rx);
  if (reason !== Drop.NONE) {
    count(ip, Ctr.Ip6InAddrErrors);
    return drop(ip, rx, reason);
  }
  count(ip, Ctr.Ip6InUnknownProtos);
  return drop(ip, rx, Drop.UNHANDLED_PROTO);
}

function describe(rx: Rx): void {
  const { u8, off } = rx;
  rx.len = ipv6.HEADER + ipv6.payloadLen(u8, off);
  rx.family = 6;
  rx.protocol = ipv6.nextHeader(u8, off);
  rx.tos = ipv6.trafficClass(u8, off);
  rx.ttl = ipv6.hopLimit(u8, off);
  rx.ipHeaderLen = ipv6.HEADER;
  rx.l4Off = off + ipv6.HEADER;
  rx.l4Len = rx.len - ipv6.HEADER;
  rx.src0 = ipv6.srcWord(u8, off, 0);
  rx.src1 = ipv6.srcWord(u8, off, 1);
  rx.src2 = ipv6.srcWord(u8, off, 2);
  rx.src3 = ipv6.srcWord(u8, off, 3);
  rx.dst0 = ipv6.dstWord(u8, off, 0);
  rx.dst1 = ipv6.dstWord(u8, off, 1);
  rx.dst2 = ipv6.dstWord(u8, off, 2);
  rx.dst3 = ipv6.dstWord(u8, off, 3);
}

function checkAddresses(ip: IpLayer, rx: Rx): Drop {
  // On the wire a mapped address is nobody's (RFC 4942 §2.2): inside, its shape means IPv4.
  if (isV4(rx.src0, rx.src1, rx.src2)) return Drop.IP_INVALID_SOURCE;
  if (isV4(rx.dst0, rx.dst1, rx.dst2)) return Drop.IP_INADDRERRORS;
  if (isMulticast(rx.src0, rx.src1, rx.src2, rx.src3)) return Drop.IP_INVALID_SOURCE;
  if (isUnspecified(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return Drop.IP_INADDRERRORS;
  if ((rx.flags & RxFlag.LOOPBACK) === 0) {
    if (isLoopback(rx.src0, rx.src1, rx.src2, rx.src3)) return Drop.IP_INVALID_SOURCE;
    if (isLoopback(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return Drop.IP_INADDRERRORS;
  }
  const group = isMulticast(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  const kind = ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  return !group && kind === NOT_OURS ? Drop.OTHERHOST : Drop.NONE;
}
