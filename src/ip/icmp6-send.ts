// ICMPv6 errors that we send, and every reason not to (RFC 4443 §2.4).

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isMulticast, isUnspecified } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { NOT_OURS } from './addresses.ts';
import { completePartial } from './icmp-quote.ts';
import { count, drop, type IpLayer, type Verdict } from './ip.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path, turnBack } from './path.ts';

/** RFC 4443 §2.4 (c): as much as fits the smallest MTU. */
const LONGEST_QUOTE = ipv6.MIN_MTU - ipv6.HEADER - icmp6.HEADER;

const path = new Path();
const words = new Int32Array(4);

/**
 * Answers the packet in `rx` with an ICMPv6 error unless one of the rules forbids it. The rate is
 * limited but for ourselves: nobody else sees what goes over loopback.
 * @param extra the second word: MTU, or pointer
 * @returns whether a message was sent
 */
export function sendError6(
  ip: IpLayer,
  rx: Rx,
  type: number,
  code: number,
  extra: number,
): boolean {
  const forGroups =
    type === icmp6.Type.PACKET_TOO_BIG ||
    (type === icmp6.Type.PARAM_PROBLEM && code === icmp6.Problem.OPTION);
  if (!mayAnswer(ip, rx, forGroups)) return false;
  // One bucket for a /64: whoever owns one has all its addresses to ask from.
  words[0] = rx.src0;
  words[1] = rx.src1;
  words[2] = 0;
  words[3] = 0;
  const inside = (rx.flags & RxFlag.LOOPBACK) !== 0;
  if (!inside && !ip.icmpLimiter.allow(words, ip.nowUs)) {
    count(ip, Ctr.Icmp6OutRateLimitHost);
    return false;
  }
  turnBack(path, rx);
  // A packet of ours that never left was for another host: it is we who say so.
  if (inside && ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3) === NOT_OURS) {
    path.anySource = true;
  }
  if (selectPath(ip, path) !== 0) {
    count(ip, Ctr.Ip6OutNoRoutes);
    return false;
  }
  completePartial(ip, rx);
  return emit(ip, rx, (type << 24) | (code << 16), extra);
}

function emit(ip: IpLayer, rx: Rx, word0: number, extra: number): boolean {
  const quote = Math.min(rx.len, LONGEST_QUOTE);
  const len = icmp6.HEADER + quote;
  const l4 = begin(ip, 6, len);
  const { u8, view } = ip.slab;
  view.setInt32(l4, word0);
  view.setInt32(l4 + 4, extra);
  u8.copyWithin(l4 + icmp6.HEADER, rx.off, rx.off + quote);
  const tx = ip.tx;
  tx.reset();
  tx.protocol = ipv6.Next.ICMP;
  tx.tos = 0;
  tx.ttl = ip.config.defaultTtl;
  aim(ip, path);
  sealIcmp6(ip, l4, len);
  if (send(ip, path, len) !== 0) return false;
  count(ip, Ctr.Icmp6OutMsgs);
  const type = word0 >>> 24;
  if (type === icmp6.Type.DEST_UNREACH) count(ip, Ctr.Icmp6OutDestUnreachs);
  else if (type === icmp6.Type.PACKET_TOO_BIG) count(ip, Ctr.Icmp6OutPktTooBigs);
  else if (type === icmp6.Type.TIME_EXCEEDED) count(ip, Ctr.Icmp6OutTimeExcds);
  else if (type === icmp6.Type.PARAM_PROBLEM) count(ip, Ctr.Icmp6OutParmProblems);
  return true;
}

/** Writes the checksum of a message in the slab; its addresses stand in `ip.tx` (RFC 4443 §2.3). */
export function sealIcmp6(ip: IpLayer, l4: number, len: number): void {
  const { u8, view } = ip.slab;
  const pseudo = checksum.pseudo6(ip.tx, ipv6.Next.ICMP, len);
  view.setUint16(l4 + icmp6.Offset.CHECKSUM, checksum.finish(checksum.sum(u8, l4, len, pseudo)));
}

/** RFC 4443 §2.4 (e): the packets about which no error is sent. */
function mayAnswer(ip: IpLayer, rx: Rx, forGroups: boolean): boolean {
  const group = rx.dstKind !== DstKind.UNICAST || (rx.flags & RxFlag.LINK_BROADCAST) !== 0;
  if (group && !forGroups) return false;
  const { src0: a, src1: b, src2: c, src3: d } = rx;
  if (isUnspecified(a, b, c, d) || isMulticast(a, b, c, d)) return false;
  const kind = ip.addresses.kindOf(a, b, c, d);
  const inside = (rx.flags & RxFlag.LOOPBACK) !== 0;
  if (inside ? kind !== DstKind.UNICAST : kind !== NOT_OURS) return false;
  if (rx.protocol !== ipv6.Next.ICMP) return true;
  // Errors and redirects, and what might be one.
  if (rx.l4Len < 1) return false;
  const type = icmp6.type(rx.u8, rx.l4Off);
  return type >= icmp6.INFORMATIONAL && type !== icmp6.Type.REDIRECT;
}

/** RFC 8200 §4: nobody here speaks the packet's protocol. */
export function protocolUnreachable6(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.Ip6InUnknownProtos);
  const at = rx.protocolAt - rx.off;
  sendError6(ip, rx, icmp6.Type.PARAM_PROBLEM, icmp6.Problem.NEXT_HEADER, at);
  return drop(ip, rx, Drop.IP_NOPROTO);
}
