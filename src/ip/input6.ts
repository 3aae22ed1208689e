// An IPv6 packet arrives (RFC 8200 §3): base header, addresses, then the extension headers. What
// passes is described in `rx` for the transport.
// @hot

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isLoopback, isMulticast, isUnspecified, isV4 } from '../wire/address.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { NOT_OURS } from './addresses.ts';
import { isExtension, walkHeaders } from './headers6.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';

const IN_RECEIVES = Ctr.Ip6InReceives;
const IN_DELIVERS = Ctr.Ip6InDelivers;

/** DELIVER: `rx` describes a whole datagram for us. DONE: dropped, or kept for reassembly. */
export function input6(ip: IpLayer, rx: Rx): Verdict {
  const values = ip.counters.values;
  values[IN_RECEIVES] = (values[IN_RECEIVES] as number) + 1;
  if ((rx.flags & RxFlag.BAD_META) !== 0) {
    count(ip, Ctr.Ip6InDiscards);
    return drop(ip, rx, Drop.BAD_META);
  }
  const lengths = ipv6.check(rx.u8, rx.off, rx.len);
  if (lengths !== Drop.NONE) {
    count(ip, Ctr.Ip6InHdrErrors);
    return drop(ip, rx, lengths);
  }
  describe6(rx);
  const reason = checkAddresses(ip, rx);
  if (reason !== Drop.NONE) {
    if (reason === Drop.OTHERHOST && ip.router !== null && ip.router.takes(rx)) {
      return Verdict.FORWARD;
    }
    count(ip, Ctr.Ip6InAddrErrors);
    return drop(ip, rx, reason);
  }
  if (isExtension(rx.protocol)) {
    const verdict = walkHeaders(ip, rx);
    if (verdict !== Verdict.DELIVER) return verdict;
  }
  // The unspecified source is for neighbour discovery alone (RFC 4291 §2.5.2).
  if (rx.protocol !== ipv6.Next.ICMP && isUnspecified(rx.src0, rx.src1, rx.src2, rx.src3)) {
    count(ip, Ctr.Ip6InAddrErrors);
    return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  }
  values[IN_DELIVERS] = (values[IN_DELIVERS] as number) + 1;
  return Verdict.DELIVER;
}

/** Sets the network fields of `rx`; octets behind the datagram (link padding) are cut off. */
export function describe6(rx: Rx): void {
  const u8 = rx.u8;
  const off = rx.off;
  rx.len = ipv6.HEADER + ipv6.payloadLen(u8, off);
  rx.family = 6;
  rx.protocol = ipv6.nextHeader(u8, off);
  rx.protocolAt = off + ipv6.Offset.NEXT_HEADER;
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
    // Our own address from a device (Land).
    const own = ip.addresses.kindOf(rx.src0, rx.src1, rx.src2, rx.src3);
    if (own !== NOT_OURS) return Drop.IP_INVALID_SOURCE;
  }
  const kind = ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  if (kind === NOT_OURS) return Drop.OTHERHOST;
  // MLD stands behind a hop-by-hop header; sockets look at sources themselves.
  const query = rx.protocol === ipv6.Next.HOP_BY_HOP;
  if (kind === DstKind.MULTICAST && !ip.groups.hears(rx.linkId, rx, query)) return Drop.OTHERHOST;
  rx.dstKind = kind === DstKind.BROADCAST ? DstKind.MULTICAST : kind;
  return Drop.NONE;
}
