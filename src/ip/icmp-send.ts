// ICMP errors that we send, and every reason not to (RFC 1122 §3.2.2, RFC 1812 §4.3.2).

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isMartianSource, V4_MAPPED } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { NOT_OURS } from './addresses.ts';
import { completePartial } from './icmp-quote.ts';
import { sendError6 } from './icmp6-send.ts';
import { count, drop, type IpLayer, type Verdict } from './ip.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path, turnBack } from './path.ts';

/** RFC 1812 §4.3.2.3: quote as much as fits 576 octets in all. */
const LONGEST_QUOTE = 576 - ipv4.MIN_HEADER - icmp4.HEADER;
/** Internetwork control, as Linux sends its errors (RFC 1812 §4.3.2.5). */
const TOS_CONTROL = 0xc0;

const path = new Path();
const words = new Int32Array(4);

/**
 * Answers the packet in `rx` with an ICMP error unless one of the rules forbids it. Their rate is
 * limited but for ourselves: nobody else sees what goes over loopback.
 * @param extra the second word: next-hop MTU, or pointer << 24
 * @returns whether a message was sent
 */
export function sendError(ip: IpLayer, rx: Rx, type: number, code: number, extra: number): boolean {
  if (!mayAnswer(ip, rx)) return false;
  words[0] = rx.src0;
  words[1] = rx.src1;
  words[2] = rx.src2;
  words[3] = rx.src3;
  const inside = (rx.flags & RxFlag.LOOPBACK) !== 0;
  if (!inside && !ip.icmpLimiter.allow(words, ip.nowUs)) {
    count(ip, Ctr.IcmpOutRateLimitHost);
    return false;
  }
  turnBack(path, rx);
  // A packet of ours that never left was for another host: it is we who say so.
  if (inside && ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3) === NOT_OURS) {
    path.anySource = true;
  }
  if (selectPath(ip, path) !== 0) {
    count(ip, Ctr.IpOutNoRoutes);
    return false;
  }
  completePartial(ip, rx);
  return emit(ip, rx, (type << 24) | (code << 16), extra);
}

function emit(ip: IpLayer, rx: Rx, word0: number, extra: number): boolean {
  const quote = Math.min(rx.len, LONGEST_QUOTE, path.mtu - ipv4.MIN_HEADER - icmp4.HEADER);
  const len = icmp4.HEADER + quote;
  const l4 = begin(ip, 4, len);
  const { u8, view } = ip.slab;
  view.setInt32(l4, word0);
  view.setInt32(l4 + 4, extra);
  u8.copyWithin(l4 + icmp4.HEADER, rx.off, rx.off + quote);
  view.setUint16(l4 + icmp4.Offset.CHECKSUM, checksum.finish(checksum.sum(u8, l4, len, 0)));
  const tx = ip.tx;
  tx.reset();
  tx.protocol = ipv4.Proto.ICMP;
  tx.tos = TOS_CONTROL;
  tx.ttl = ip.config.defaultTtl;
  aim(ip, path);
  if (send(ip, path, len) !== 0) return false;
  count(ip, Ctr.IcmpOutMsgs);
  const type = word0 >>> 24;
  if (type === icmp4.Type.DEST_UNREACH) count(ip, Ctr.IcmpOutDestUnreachs);
  else if (type === icmp4.Type.TIME_EXCEEDED) count(ip, Ctr.IcmpOutTimeExcds);
  else if (type === icmp4.Type.PARAM_PROBLEM) count(ip, Ctr.IcmpOutParmProbs);
  return true;
}

/** RFC 1122 §3.2.2: the packets about which no ICMP error is sent. */
function mayAnswer(ip: IpLayer, rx: Rx): boolean {
  // … destined to a broadcast or multicast address, of IP or of the link
  if (rx.dstKind !== DstKind.UNICAST) return false;
  if ((rx.flags & RxFlag.LINK_BROADCAST) !== 0) return false;
  // … a fragment other than the first
  if (ipv4.fragmentOffset(rx.u8, rx.off) !== 0) return false;
  // … whose source does not name a single host
  if (!singleHost(ip, rx)) return false;
  // … an ICMP error, and what might be one
  if (rx.protocol !== ipv4.Proto.ICMP) return true;
  return rx.l4Len >= icmp4.HEADER && icmp4.isQuery(icmp4.type(rx.u8, rx.l4Off));
}

function singleHost(ip: IpLayer, rx: Rx): boolean {
  const kind = ip.addresses.kindOf(rx.src0, rx.src1, rx.src2, rx.src3);
  if ((rx.flags & RxFlag.LOOPBACK) !== 0) return kind === DstKind.UNICAST;
  if (isMartianSource(rx.src0, rx.src1, rx.src2, rx.src3)) return false;
  return rx.src2 === V4_MAPPED && kind === NOT_OURS;
}

/** Nobody listens on the datagram's port (RFC 1122 §4.1.3.1, RFC 4443 §3.1). */
export function portUnreachable(ip: IpLayer, rx: Rx): void {
  if (rx.family === 4) sendError(ip, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.PORT, 0);
  else sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.PORT, 0);
}

/** RFC 1122 §3.2.2.1: nobody here speaks the packet's protocol. */
export function protocolUnreachable(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.IpInUnknownProtos);
  sendError(ip, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.PROTOCOL, 0);
  return drop(ip, rx, Drop.IP_NOPROTO);
}
