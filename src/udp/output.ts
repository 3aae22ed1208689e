// UDP's way down (RFC 768, RFC 1122 §4.1): one datagram, copied into the slab, with DF when it fits
// the path whole and in fragments when not.
// @hot

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { DstKind } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import { isEverybodys } from '../ip/groups.ts';
import { count } from '../ip/ip.ts';
import { aim, begin, selectPath, send } from '../ip/output.ts';
import type { Path } from '../ip/path.ts';
import { isMulticast, isV4 } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as udp4 from '../wire/udp.ts';
import { copyOctets } from './copy.ts';
import type { Endpoint } from './endpoint.ts';
import { familyCode, madeWork, type UdpLayer } from './udp.ts';

const OUT_DATAGRAMS = Ctr.UdpOutDatagrams;
/** After a refused send the program is told to try again this much later. */
const RETRY_US = 1000;

/**
 * Sends `len` octets from the endpoint to `udp.to`; they are copied.
 * 0, EMSGSIZE, EINVAL, EACCES (a broadcast without `broadcast`), EAFNOSUPPORT, ENETUNREACH,
 * EADDRNOTAVAIL, or ENOBUFS: `writable` follows.
 */
export function sendDatagram(
  udp: UdpLayer,
  e: Endpoint,
  u8: Uint8Array,
  off: number,
  len: number,
): Code {
  if (len > (isV4(udp.to.a, udp.to.b, udp.to.c) ? udp4.MAX_PAYLOAD4 : udp4.MAX_PAYLOAD6)) {
    return Code.EMSGSIZE;
  }
  if (udp.to.port === 0) return Code.EINVAL;
  const reached = reach(udp, e);
  if (reached !== Code.NONE) return reached;
  // The clock stands still within a turn.
  if (e.turnUs !== udp.ip.nowUs) {
    e.turnUs = udp.ip.nowUs;
    e.sent = 0;
  }
  if (e.sent >= e.sendLimit) return block(udp, e);
  const code = write(udp, e, u8, off, len);
  if (code === Code.ENOBUFS) return block(udp, e);
  if (code !== Code.NONE) return code;
  e.sent += len;
  e.transmitted++;
  const values = udp.ip.counters.values;
  values[OUT_DATAGRAMS] = (values[OUT_DATAGRAMS] as number) + 1;
  madeWork(udp);
  return Code.NONE;
}

function write(udp: UdpLayer, e: Endpoint, u8: Uint8Array, off: number, len: number): Code {
  const path = e.path;
  udp.via = path;
  if (path.dstKind === DstKind.UNICAST) return put(udp, e, u8, off, len);
  return writeToMany(udp, e, u8, off, len);
}

/**
 * To a group or a broadcast address: out, and to our own members, as if it had come by that link
 * (RFC 1112 §6.1). With a TTL of 0 a group's datagram does not leave the host.
 */
function writeToMany(udp: UdpLayer, e: Endpoint, u8: Uint8Array, off: number, len: number): Code {
  const path = e.path;
  const group = path.dstKind === DstKind.MULTICAST;
  if (udp.ip.links[path.linkId]?.loopback === true) {
    // On a stack without a device nobody has asked for this link: `multicastLoop` counts.
    if (group && !e.multicastLoop && path.wantLink < 0) return Code.NONE;
    return put(udp, e, u8, off, len);
  }
  const ttl = udp.to.ttl < 0 ? e.multicastTtl : udp.to.ttl;
  if (!group || ttl > 0) {
    const code = put(udp, e, u8, off, len);
    if (code !== Code.NONE) return code;
  }
  if (group && !(e.multicastLoop && isHeardHere(udp, path))) return Code.NONE;
  if (udp.ports.bindings(udp.to.port).length === 0) return Code.NONE;
  turnInwards(udp.back, path);
  udp.back.mtu = udp.ip.links[0]?.mtu ?? 0;
  udp.via = udp.back;
  // What the queue has no room for is lost, as on any link: the datagram is out.
  put(udp, e, u8, off, len);
  return Code.NONE;
}

function isHeardHere(udp: UdpLayer, path: Path): boolean {
  const { dst0, dst1, dst2, dst3 } = path;
  const g = udp.ip.groups.find(path.linkId, dst0, dst1, dst2, dst3);
  return g?.exists === true || isEverybodys(dst0, dst1, dst2, dst3);
}

/** The same addresses, over loopback. */
function turnInwards(back: Path, path: Path): void {
  back.linkId = 0;
  back.family = path.family;
  back.dstKind = path.dstKind;
  back.src0 = path.src0;
  back.src1 = path.src1;
  back.src2 = path.src2;
  back.src3 = path.src3;
  back.dst0 = path.dst0;
  back.dst1 = path.dst1;
  back.dst2 = path.dst2;
  back.dst3 = path.dst3;
}

/** One packet on the path `udp.via`. */
function put(udp: UdpLayer, e: Endpoint, u8: Uint8Array, off: number, len: number): Code {
  const ip = udp.ip;
  const path = udp.via;
  const l4Len = udp4.HEADER + len;
  const l4 = begin(ip, path.family, l4Len);
  const slab = ip.slab.u8;
  udp4.write(slab, l4, e.port, udp.to.port, l4Len);
  copyOctets(slab, l4 + udp4.HEADER, u8, off, len);
  const tx = ip.tx;
  tx.reset();
  tx.protocol = ipv4.Proto.UDP;
  tx.csumOffset = udp4.Offset.CHECKSUM;
  const to = udp.to;
  tx.tos = to.tos < 0 ? e.tos : to.tos;
  if (to.ttl > 0) tx.ttl = to.ttl;
  else tx.ttl = path.dstKind === DstKind.MULTICAST ? e.multicastTtl || 1 : e.ttl;
  if (path === udp.back) tx.asLink = e.path.linkId;
  // RFC 1191 §3 lets the path tell us its MTU; what is larger goes in pieces from the start.
  const header = path.family === 6 ? ipv6.HEADER : ipv4.MIN_HEADER;
  const fits = header + l4Len <= path.mtu;
  tx.flags = e.dontFragment || fits ? TxFlag.DF : 0;
  aim(ip, path);
  return send(ip, path, l4Len);
}

function block(udp: UdpLayer, e: Endpoint): Code {
  count(udp.ip, Ctr.UdpSndbufErrors);
  if (!e.blocked) {
    e.blocked = true;
    if (udp.blocked.size === 0) udp.retryUs = udp.ip.nowUs + RETRY_US;
    udp.blocked.push(e.slot);
    madeWork(udp);
  }
  return Code.ENOBUFS;
}

/** Makes `e.path` the path to `udp.to`, asking for it only when something has changed. */
function reach(udp: UdpLayer, e: Endpoint): Code {
  const to = udp.to;
  const path = e.path;
  const bound = e.binding;
  const group = isMulticast(to.a, to.b, to.c, to.d);
  let any = to.anySource && e.bindsAny && !e.connected;
  if (group && e.multicastSource !== null) any = false;
  const wished = to.linkId < 0 && group ? e.multicastLink : to.linkId;
  const link = bound.link ?? wished;
  const isFresh =
    path.epoch === udp.ip.routeEpoch && path.anySource === any && path.wantLink === link;
  if (!isFresh || !leadsTo(udp, e, any)) {
    const family = familyCode(bound, to.a, to.b, to.c);
    if (family !== Code.NONE) return family;
    path.dst0 = to.a;
    path.dst1 = to.b;
    path.dst2 = to.c;
    path.dst3 = to.d;
    path.anySource = any;
    path.wantLink = link;
    if (!any) chooseSource(udp, e, group);
    const code = selectPath(udp.ip, path);
    if (code !== Code.NONE) return code;
  }
  return path.dstKind === DstKind.BROADCAST && !e.broadcast ? Code.EACCES : Code.NONE;
}

function leadsTo(udp: UdpLayer, e: Endpoint, any: boolean): boolean {
  const to = udp.to;
  const path = e.path;
  if (path.dst3 !== to.d || path.dst2 !== to.c || path.dst1 !== to.b || path.dst0 !== to.a) {
    return false;
  }
  if (any || to.anySource) return true;
  return (
    path.src3 === to.src3 && path.src2 === to.src2 && path.src1 === to.src1 && path.src0 === to.src0
  );
}

function chooseSource(udp: UdpLayer, e: Endpoint, group: boolean): void {
  const to = udp.to;
  const path = e.path;
  if (!to.anySource) {
    path.src0 = to.src0;
    path.src1 = to.src1;
    path.src2 = to.src2;
    path.src3 = to.src3;
  } else if (group && e.bindsAny && e.multicastSource !== null) {
    const s = e.multicastSource;
    path.src0 = s.a;
    path.src1 = s.b;
    path.src2 = s.c;
    path.src3 = s.d;
  } else if (e.connected) {
    path.src0 = e.flow[0] as number;
    path.src1 = e.flow[1] as number;
    path.src2 = e.flow[2] as number;
    path.src3 = e.flow[3] as number;
  } else {
    path.src0 = e.binding.a;
    path.src1 = e.binding.b;
    path.src2 = e.binding.c;
    path.src3 = e.binding.d;
  }
}
