// A packet for somebody else (RFC 1812 §5.2 and §5.3, RFC 8200 §4.3): the route is looked up, the
// TTL counted down, and the octets go from where they lie in the slab to the link by which they
// leave. What cannot go on is answered as the RFCs say. Super-segments pass whole: link/offload.ts
// cuts them for a link that cannot.
// @hot

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { options } from '../ip/headers6.ts';
import { sendError } from '../ip/icmp-send.ts';
import { sendError6 } from '../ip/icmp6-send.ts';
import { count, drop, flushLinks, type IpLayer, Verdict } from '../ip/ip.ts';
import type { Route } from '../ip/routes.ts';
import { isLinkLocal, isUnspecified } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Forwarding } from './forwarding.ts';
import { forwardParts } from './fragment4.ts';
import { HOOK_FORWARD } from './packet-view.ts';
import { passOn, transportOf } from './pass.ts';
import { segmentLen } from './size.ts';

/** Sends on the packet in `rx`, which `Forwarding.takes` has let in. */
export function forward(f: Forwarding, rx: Rx): void {
  if (rx.family === 6) forward6(f, rx);
  else forward4(f, rx);
  // What was put together from fragments lies where the next ones will.
  if ((rx.flags & RxFlag.SCRATCH) !== 0) flushLinks(f.ip);
}

function forward4(f: Forwarding, rx: Rx): void {
  const ip = f.ip;
  // RFC 3927 §7: no router passes on what is of one link alone.
  if (isLinkLocal(rx.src0, rx.src1, rx.src2, rx.src3))
    return astray(ip, rx, Drop.IP_INVALID_SOURCE);
  if (isLinkLocal(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return astray(ip, rx, Drop.IP_INADDRERRORS);
  const index = ip.routes.lookup(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  const link = index < 0 ? null : ip.links[ip.routes.at(index).linkId];
  if (link === null || link === undefined || link.loopback) {
    // RFC 1812 §5.2.7.1: no route at all is code 0.
    count(ip, Ctr.IpExtInNoRoutes);
    tell(f, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.NET, 0);
    drop(ip, rx, Drop.IP_INNOROUTES);
    return;
  }
  // RFC 1812 §5.3.1: a packet whose time is up is not passed on.
  if (rx.ttl <= 1) {
    count(ip, Ctr.IpInHdrErrors);
    tell(f, rx, icmp4.Type.TIME_EXCEEDED, icmp4.Exceeded.TTL, 0);
    drop(ip, rx, Drop.IP_TTL);
    return;
  }
  const route = ip.routes.at(index);
  const out = route.linkId;
  const mtu = route.mtu === 0 ? link.mtu : Math.min(route.mtu, link.mtu);
  if (f.filter !== null && !f.ask(rx, HOOK_FORWARD, out)) return;
  const isWhole = rx.gsoSize === 0 ? rx.len <= mtu : segmentLen(rx) <= mtu;
  const df = (ipv4.fragmentWord(rx.u8, rx.off) & ipv4.DF) !== 0;
  // A super-datagram's parts have one size, which nobody may change.
  if (!isWhole && (df || rx.gsoSize !== 0)) {
    count(ip, Ctr.IpFragFails);
    tell(f, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.FRAG_NEEDED, mtu);
    drop(ip, rx, Drop.PKT_TOO_BIG);
    return;
  }
  if (f.nat !== null && !f.nat.leaves(rx, out)) return;
  aimBy(f, rx, route);
  countDown(rx);
  count(ip, Ctr.IpForwDatagrams);
  if (isWhole) passOn(ip, rx, out);
  else forwardParts(ip, rx, out, mtu);
}

/** Who an Ethernet is to hand the packet to. */
function aimBy(f: Forwarding, rx: Rx, route: Route): void {
  const path = f.path;
  path.linkId = route.linkId;
  path.family = rx.family;
  path.dstKind = DstKind.UNICAST;
  path.gateway = route.gateway;
  path.neighbor = null;
  path.dst0 = rx.dst0;
  path.dst1 = rx.dst1;
  path.dst2 = rx.dst2;
  path.dst3 = rx.dst3;
  f.ip.via = path;
}

/** RFC 1812 §5.3.1 and RFC 1624: the checksum follows from the one that was right. */
function countDown(rx: Rx): void {
  const at = rx.off + ipv4.Offset.TTL;
  const was = rx.view.getUint16(at);
  rx.ttl--;
  rx.u8[at] = rx.ttl;
  const sum = checksum.update(ipv4.checksum(rx.u8, rx.off), was, was - 0x100);
  rx.view.setUint16(rx.off + ipv4.Offset.CHECKSUM, sum);
}

function forward6(f: Forwarding, rx: Rx): void {
  const ip = f.ip;
  // RFC 4291 §2.5.2: the unspecified address never leaves its link.
  if (isUnspecified(rx.src0, rx.src1, rx.src2, rx.src3)) {
    return astray(ip, rx, Drop.IP_INVALID_SOURCE);
  }
  if (rx.protocol === ipv6.Next.HOP_BY_HOP && !hopByHop(ip, rx)) return;
  if (isLinkLocal(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return astray(ip, rx, Drop.IP_INADDRERRORS);
  const index = ip.routes.lookup(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  const link = index < 0 ? null : ip.links[ip.routes.at(index).linkId];
  if (link === null || link === undefined || link.loopback) {
    count(ip, Ctr.Ip6InNoRoutes);
    sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.NO_ROUTE, 0);
    drop(ip, rx, Drop.IP_INNOROUTES);
    return;
  }
  if (rx.ttl <= 1) {
    count(ip, Ctr.Ip6InHdrErrors);
    sendError6(ip, rx, icmp6.Type.TIME_EXCEEDED, icmp6.Exceeded.HOP_LIMIT, 0);
    drop(ip, rx, Drop.IP_TTL);
    return;
  }
  // RFC 4443 §3.1 code 2, RFC 4291 §2.5.6: a link-local source is known to one link alone.
  if (isLinkLocal(rx.src0, rx.src1, rx.src2, rx.src3)) {
    sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.SCOPE, 0);
    return astray(ip, rx, Drop.IP_INVALID_SOURCE);
  }
  const route = ip.routes.at(index);
  const mtu = route.mtu === 0 ? link.mtu : Math.min(route.mtu, link.mtu);
  transportOf(rx);
  if (f.filter !== null && !f.ask(rx, HOOK_FORWARD, route.linkId)) return;
  if ((rx.gsoSize === 0 ? rx.len : segmentLen(rx)) > mtu) {
    // RFC 8200 §5: only the source makes fragments.
    count(ip, Ctr.Ip6InTooBigErrors);
    count(ip, Ctr.Ip6FragFails);
    sendError6(ip, rx, icmp6.Type.PACKET_TOO_BIG, 0, mtu);
    drop(ip, rx, Drop.PKT_TOO_BIG);
    return;
  }
  aimBy(f, rx, route);
  rx.ttl--;
  rx.u8[rx.off + ipv6.Offset.HOP_LIMIT] = rx.ttl;
  count(ip, Ctr.Ip6OutForwDatagrams);
  passOn(ip, rx, route.linkId);
}

/** RFC 8200 §4.3: the one extension header that every node on the way looks at. */
function hopByHop(ip: IpLayer, rx: Rx): boolean {
  const len = rx.l4Len < 8 ? 0 : ((rx.u8[rx.l4Off + 1] as number) + 1) << 3;
  if (len === 0 || len > rx.l4Len) {
    count(ip, Ctr.Ip6InHdrErrors);
    drop(ip, rx, Drop.IPV6_BAD_EXTHDR);
    return false;
  }
  return options(ip, rx, rx.l4Off + 2, rx.l4Off + len) === Verdict.DELIVER;
}

/** An error about the packet as it came: its sender knows nothing of a translation. */
function tell(f: Forwarding, rx: Rx, type: number, code: number, extra: number): void {
  if (f.nat !== null) f.nat.restore(rx);
  sendError(f.ip, rx, type, code, extra);
}

function astray(ip: IpLayer, rx: Rx, reason: Drop): void {
  count(ip, rx.family === 6 ? Ctr.Ip6InAddrErrors : Ctr.IpInAddrErrors);
  drop(ip, rx, reason);
}
