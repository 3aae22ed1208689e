// Neighbour discovery arrives (RFC 4861 §7): solicitations and advertisements of neighbours, with
// every check of §7.1 before anything is believed. The ICMPv6 checksum has been verified.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isMulticast, isUnspecified } from '../wire/address.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as ndp from '../wire/ndp.ts';
import { claimed, contest } from './claims.ts';
import type { EtherPort } from './ether.ts';
import { sealIcmp6 } from './icmp6-send.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import { answered, heard } from './nud.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path } from './path.ts';

const { NEIGHBOR_SOLICIT, NEIGHBOR_ADVERT } = icmp6.Type;

const path = new Path();
const words = new Int32Array(4);

export function isNdp(type: number): boolean {
  return type === NEIGHBOR_SOLICIT || type === NEIGHBOR_ADVERT;
}

export function input(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  const isSolicit = icmp6.type(rx.u8, rx.l4Off) === NEIGHBOR_SOLICIT;
  count(ip, isSolicit ? Ctr.Icmp6InNeighborSolicits : Ctr.Icmp6InNeighborAdvertisements);
  const reason = check(rx, ndp.Length.NEIGHBOR);
  if (reason !== Drop.NONE) return bad(ip, rx, reason);
  const { view, l4Off: at } = rx;
  for (let i = 0; i < 4; i++) words[i] = view.getInt32(at + ndp.Offset.TARGET + 4 * i);
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  if (isMulticast(a, b, c, d)) return bad(ip, rx, Drop.IP_INADDRERRORS);
  return isSolicit ? solicited(ip, rx, port) : advertised(ip, rx, port);
}

function bad(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.Icmp6InErrors);
  return drop(ip, rx, reason);
}

/** RFC 4861 §6.1, §7.1, §8.1: what every message of neighbour discovery has in common. */
export function check(rx: Rx, least: number): Drop {
  if (rx.ttl !== ndp.HOP_LIMIT) return Drop.IPV6_NDISC_HOP_LIMIT;
  // RFC 6980 §5: never in fragments, whose parts no switch can look at.
  if ((rx.flags & RxFlag.SCRATCH) !== 0) return Drop.POLICY;
  if (icmp6.code(rx.u8, rx.l4Off) !== 0) return Drop.IPV6_NDISC_BAD_CODE;
  if (rx.l4Len < least) return Drop.PKT_TOO_SMALL;
  return ndp.checkOptions(rx.u8, rx.l4Off + least, rx.l4Off + rx.l4Len);
}

/** Somebody asks for the address in `words`. */
function solicited(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  const { u8, l4Off, l4Len } = rx;
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  const from = l4Off + ndp.Length.NEIGHBOR;
  const end = l4Off + l4Len;
  const isNobody = isUnspecified(rx.src0, rx.src1, rx.src2, rx.src3);
  if (isNobody) {
    // RFC 4861 §7.1.1: to the solicited-node group, and without saying where the asker is.
    const isGroup = rx.dst0 === ndp.GROUP_A && rx.dst1 === 0 && rx.dst2 === ndp.SOLICITED_C;
    if (!isGroup || rx.dst3 >>> 24 !== 0xff) return bad(ip, rx, Drop.IP_INADDRERRORS);
    if (ndp.findOption(u8, from, end, ndp.Option.SOURCE_MAC) >= 0) {
      return bad(ip, rx, Drop.IPV6_NDISC_BAD_OPTIONS);
    }
  }
  if (claimed(port, a, b, c, d) !== null) {
    // RFC 4862 §5.4.3: another one wants it at the same time; who looks it up gets no answer.
    if (isNobody) contest(ip, port, [a, b, c, d]);
    return drop(ip, rx, isNobody ? Drop.ADDRESS_CONFLICT : Drop.IPV6_NDISC_NS_OTHERHOST);
  }
  if (ip.addresses.kindOf(a, b, c, d) !== DstKind.UNICAST || (a | b | c) === 0) {
    return drop(ip, rx, Drop.IPV6_NDISC_NS_OTHERHOST);
  }
  const mac = isNobody ? -1 : ndp.macOption(u8, from, end, ndp.Option.SOURCE_MAC);
  if (mac >= 0) {
    const target = [a, b, c, d];
    words[0] = rx.src0;
    words[1] = rx.src1;
    words[2] = rx.src2;
    words[3] = rx.src3;
    heard(ip, port, words, ethernet.high(u8, mac), ethernet.low(u8, mac));
    words.set(target);
  }
  advertise(ip, rx, port, isNobody);
  return Verdict.DONE;
}

/** RFC 4861 §7.2.4: to who asked; to all nodes when that is nobody. */
function advertise(ip: IpLayer, rx: Rx, port: EtherPort, toAll: boolean): void {
  path.dst0 = toAll ? ndp.GROUP_A : rx.src0;
  path.dst1 = toAll ? 0 : rx.src1;
  path.dst2 = toAll ? 0 : rx.src2;
  path.dst3 = toAll ? 1 : rx.src3;
  path.wantLink = port.linkId;
  path.anySource = false;
  [path.src0, path.src1, path.src2, path.src3] = words as unknown as [
    number,
    number,
    number,
    number,
  ];
  if (selectPath(ip, path) !== 0) {
    count(ip, Ctr.Ip6OutNoRoutes);
    return;
  }
  const len = ndp.Length.NEIGHBOR + ndp.MAC_OPTION;
  const l4 = begin(ip, 6, len);
  const { u8, view } = ip.slab;
  view.setInt32(l4, NEIGHBOR_ADVERT << 24);
  const flags = ndp.Flag.OVERRIDE | (toAll ? 0 : ndp.Flag.SOLICITED);
  view.setInt32(l4 + ndp.Offset.FLAGS, flags << 24);
  for (let i = 0; i < 4; i++) view.setInt32(l4 + ndp.Offset.TARGET + 4 * i, words[i] as number);
  ndp.putMacOption(u8, l4 + ndp.Length.NEIGHBOR, ndp.Option.TARGET_MAC, port.mac);
  const { tx } = ip;
  tx.reset();
  tx.protocol = ipv6.Next.ICMP;
  tx.tos = 0;
  tx.ttl = ndp.HOP_LIMIT;
  aim(ip, path);
  sealIcmp6(ip, l4, len);
  if (send(ip, path, len) !== 0) return;
  count(ip, Ctr.Icmp6OutMsgs);
  count(ip, Ctr.Icmp6OutNeighborAdvertisements);
}

/** Somebody says that the address in `words` is his. */
function advertised(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  const { u8, l4Off: at } = rx;
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  const flags = u8[at + ndp.Offset.FLAGS] as number;
  const isSolicited = (flags & ndp.Flag.SOLICITED) !== 0;
  // RFC 4861 §7.1.2: an answer to one who asked goes to that one.
  if (isSolicited && rx.dstKind !== DstKind.UNICAST) return bad(ip, rx, Drop.IP_INADDRERRORS);
  const isOurs = ip.addresses.kindOf(a, b, c, d) === DstKind.UNICAST;
  if (isOurs || claimed(port, a, b, c, d) !== null) {
    contest(ip, port, [a, b, c, d]);
    return drop(ip, rx, Drop.ADDRESS_CONFLICT);
  }
  const n = port.neighbors.find(a, b, c, d);
  // RFC 4861 §7.2.5: of neighbours that nobody here is interested in, nothing is noted.
  if (n === null) return drop(ip, rx, Drop.IPV6_NDISC_FAILED);
  const end = at + rx.l4Len;
  const mac = ndp.macOption(u8, at + ndp.Length.NEIGHBOR, end, ndp.Option.TARGET_MAC);
  const isNews = answered(ip, port, n, {
    hasMac: mac >= 0,
    high: mac < 0 ? 0 : ethernet.high(u8, mac),
    low: mac < 0 ? 0 : ethernet.low(u8, mac),
    isSolicited,
    overrides: (flags & ndp.Flag.OVERRIDE) !== 0,
  });
  if (!isNews) return drop(ip, rx, Drop.IPV6_NDISC_FAILED);
  n.isRouter = (flags & ndp.Flag.ROUTER) !== 0;
  return Verdict.DONE;
}
