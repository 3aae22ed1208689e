// Choice of link, source and MTU for a destination (RFC 1122 §3.3.1, §3.3.4.3): what is ours goes
// by the stack's own loopback, the rest by the longest route.

import { Code } from '../base/code.ts';
import { DstKind } from '../base/rx.ts';
import type { Address } from '../wire/address.ts';
import {
  isLimitedBroadcast,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4,
  V4_MAPPED,
} from '../wire/address.ts';
import { NOT_OURS } from './addresses.ts';
import type { IpLayer } from './ip.ts';
import { Path } from './path.ts';

const LOOPBACK_V4 = 0x7f000001;

/**
 * Fills `path` for its destination words, and for its source words unless `anySource`.
 * 0, ENETUNREACH, or EADDRNOTAVAIL when the source wanted is not ours.
 */
export function selectPath(ip: IpLayer, path: Path): Code {
  path.family = isV4(path.dst0, path.dst1, path.dst2) ? 4 : 6;
  path.epoch = 0;
  path.locked = false;
  path.gateway = null;
  path.neighbor = null;
  // As on Linux, the unspecified address as a destination means this host.
  if (path.family === 4 && path.dst3 === 0) path.dst3 = LOOPBACK_V4;
  else if (isUnspecified(path.dst0, path.dst1, path.dst2, path.dst3)) path.dst3 = 1;
  if (!path.anySource) {
    const kind = ip.addresses.kindOf(path.src0, path.src1, path.src2, path.src3);
    if (kind !== DstKind.UNICAST) return Code.EADDRNOTAVAIL;
    if (isV4(path.src0, path.src1, path.src2) !== (path.family === 4)) return Code.EADDRNOTAVAIL;
  }
  const kind = kindOfDestination(ip, path);
  path.dstKind = kind === NOT_OURS ? DstKind.UNICAST : kind;
  path.local = kind === DstKind.UNICAST;
  const code = path.local ? selectLocal(ip, path) : selectRoute(ip, path);
  if (code !== Code.NONE) return code;
  path.epoch = ip.routeEpoch;
  return Code.NONE;
}

function kindOfDestination(ip: IpLayer, path: Path): number {
  if (isMulticast(path.dst0, path.dst1, path.dst2, path.dst3)) return DstKind.MULTICAST;
  return ip.addresses.kindOf(path.dst0, path.dst1, path.dst2, path.dst3);
}

function selectLocal(ip: IpLayer, path: Path): Code {
  const link = ip.links[0];
  if (link === null || link === undefined) return Code.ENETUNREACH;
  path.linkId = 0;
  path.mtu = link.mtu;
  if (!path.anySource) return Code.NONE;
  const loopback4 = path.family === 4 && path.dst3 >>> 24 === 127;
  path.src0 = path.dst0;
  path.src1 = path.dst1;
  path.src2 = loopback4 ? V4_MAPPED : path.dst2;
  path.src3 = loopback4 ? LOOPBACK_V4 : path.dst3;
  return Code.NONE;
}

function selectRoute(ip: IpLayer, path: Path): Code {
  const inside = isLoopback(path.dst0, path.dst1, path.dst2, path.dst3);
  const wanted = inside ? 0 : path.wantLink;
  const index = routeOf(ip, path, wanted);
  let source: Address | null = null;
  let mtu = 0;
  if (index >= 0) {
    const route = ip.routes.at(index);
    path.linkId = route.linkId;
    mtu = route.mtu;
    source = route.source;
    // RFC 1112 §6.4: a group's packets go to the link itself.
    if (path.dstKind !== DstKind.MULTICAST) path.gateway = route.gateway;
  } else if (wanted >= 0) path.linkId = wanted;
  else path.linkId = path.dstKind === DstKind.UNICAST ? -1 : linkForGroups(ip, path);
  const link = path.linkId < 0 ? null : ip.links[path.linkId];
  if (link === null || link === undefined) return Code.ENETUNREACH;
  path.mtu = mtu === 0 ? link.mtu : Math.min(mtu, link.mtu);
  applyPathMtu(ip, path);
  if (!path.anySource) {
    // RFC 1122 §3.2.1.3 (g): 127/8 never appears outside a host.
    const own = isLoopback(path.src0, path.src1, path.src2, path.src3);
    return own && !link.loopback ? Code.EADDRNOTAVAIL : Code.NONE;
  }
  return chooseSource(ip, path, source);
}

/** Index of the route; with a link that is wanted, the best one by it. -1: what is on the link. */
function routeOf(ip: IpLayer, path: Path, wanted: number): number {
  const { dst0, dst1, dst2, dst3 } = path;
  if (wanted < 0) return ip.routes.lookup(dst0, dst1, dst2, dst3);
  if (path.dstKind !== DstKind.UNICAST || isLinkLocal(dst0, dst1, dst2, dst3)) return -1;
  return ip.routes.lookupOn(wanted, dst0, dst1, dst2, dst3);
}

/** The link by which a group is joined and reached when nobody says another. */
export function linkOfGroup(ip: IpLayer, group: Address): number {
  const index = ip.routes.lookup(group.a, group.b, group.c, group.d);
  if (index >= 0) return ip.routes.at(index).linkId;
  const path = new Path();
  path.dstKind = DstKind.MULTICAST;
  return linkForGroups(ip, path);
}

/**
 * Broadcasts and groups without a route leave by the source's link, else by the first device; on a
 * stack that has none, groups stay inside.
 */
function linkForGroups(ip: IpLayer, path: Path): number {
  if (!path.anySource) {
    for (const entry of ip.addresses.list) {
      const { a, b, c, d } = entry.address;
      if (a === path.src0 && b === path.src1 && c === path.src2 && d === path.src3) {
        return entry.linkId;
      }
    }
  }
  for (let i = 1; i < ip.links.length; i++) {
    if (ip.links[i] !== null && ip.links[i] !== undefined) return i;
  }
  return path.dstKind === DstKind.MULTICAST ? 0 : -1;
}

function applyPathMtu(ip: IpLayer, path: Path): void {
  const known = ip.pmtu.get(path.dst0, path.dst1, path.dst2, path.dst3);
  if (known === 0 || known >= path.mtu) return;
  if (path.family === 6) {
    path.mtu = known;
    return;
  }
  const floor = Math.min(ip.config.pmtuMin, path.mtu);
  path.locked = known < floor;
  path.mtu = Math.max(known, floor);
}

function chooseSource(ip: IpLayer, path: Path, preferred: Address | null): Code {
  // Towards a gateway the source is chosen as for the gateway itself: it is on the link.
  const gateway = path.gateway;
  const limited = isLimitedBroadcast(path.dst0, path.dst1, path.dst2, path.dst3);
  let source = preferred;
  if (source === null && gateway !== null && !limited) {
    source = ip.addresses.sourceFor(path.linkId, gateway.a, gateway.b, gateway.c, gateway.d);
  }
  source ??= ip.addresses.sourceFor(path.linkId, path.dst0, path.dst1, path.dst2, path.dst3);
  if (source === null) return Code.ENETUNREACH;
  path.src0 = source.a;
  path.src1 = source.b;
  path.src2 = source.c;
  path.src3 = source.d;
  return Code.NONE;
}
