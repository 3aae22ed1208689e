// ICMPv6 (RFC 4443): echo, and errors on their way to a transport. Sending errors is icmp6-send.ts,
// reading them icmp6-error.ts.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isUnspecified } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { takeEchoError, takeReply } from './echo.ts';
import { parseError6 } from './icmp6-error.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import * as mld from './mld.ts';
import * as ndp from './ndp.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path, turnBack } from './path.ts';

export { protocolUnreachable6, sendError6 } from './icmp6-send.ts';

/** Echo data up to here is copied behind the header; more is gathered from where it lies. */
const COPY_LIMIT = 1024;

const path = new Path();

/**
 * An ICMPv6 message for us. ERROR: `ip.icmpError` holds an error about a TCP or UDP packet of ours.
 */
export function input6(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.Icmp6InMsgs);
  if (rx.l4Len < icmp6.HEADER) return bad(ip, rx, Drop.PKT_TOO_SMALL);
  const pseudo = checksum.pseudo6(rx, ipv6.Next.ICMP, rx.l4Len);
  if (checksum.fold(ip.sum(rx.l4Off, rx.l4Len, pseudo)) !== 0xffff) {
    count(ip, Ctr.Icmp6InCsumErrors);
    return bad(ip, rx, Drop.ICMP_CSUM);
  }
  const type = icmp6.type(rx.u8, rx.l4Off);
  if (type === icmp6.Type.ECHO) {
    count(ip, Ctr.Icmp6InEchos);
    return echo(ip, rx);
  }
  if (type === icmp6.Type.ECHO_REPLY) {
    count(ip, Ctr.Icmp6InEchoReplies);
    return takeReply(ip, rx);
  }
  if (type < icmp6.INFORMATIONAL) return error(ip, rx, type);
  if (mld.isMld(type)) return mld.input(ip, rx);
  const port = ip.ethers[rx.linkId];
  if (port !== null && port !== undefined && ndp.isNdp(type)) return ndp.input(ip, rx, port);
  // RFC 4443 §2.4 (b): unknown messages that inform are dropped. On a link without neighbours, and
  // a TUN device is one, neighbour discovery has nothing to say either.
  return drop(ip, rx, Drop.UNHANDLED_PROTO);
}

function bad(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.Icmp6InErrors);
  return drop(ip, rx, reason);
}

function error(ip: IpLayer, rx: Rx, type: number): Verdict {
  if (type === icmp6.Type.DEST_UNREACH) count(ip, Ctr.Icmp6InDestUnreachs);
  else if (type === icmp6.Type.PACKET_TOO_BIG) count(ip, Ctr.Icmp6InPktTooBigs);
  else if (type === icmp6.Type.TIME_EXCEEDED) count(ip, Ctr.Icmp6InTimeExcds);
  else if (type === icmp6.Type.PARAM_PROBLEM) count(ip, Ctr.Icmp6InParmProblems);
  const reason = parseError6(ip, rx);
  if (reason !== Drop.NONE) return bad(ip, rx, reason);
  const protocol = ip.icmpError.protocol;
  if (protocol === ipv6.Next.TCP || protocol === ipv6.Next.UDP) return Verdict.ERROR;
  if (protocol === ipv6.Next.ICMP) return takeEchoError(ip, rx);
  return drop(ip, rx, Drop.NO_SOCKET);
}

/** RFC 4443 §4.2: the reply carries the same data and comes from the address that was asked. */
function echo(ip: IpLayer, rx: Rx): Verdict {
  const group = rx.dstKind !== DstKind.UNICAST || (rx.flags & RxFlag.LINK_BROADCAST) !== 0;
  if (group && !ip.config.echoBroadcast) return drop(ip, rx, Drop.POLICY);
  if (isUnspecified(rx.src0, rx.src1, rx.src2, rx.src3)) {
    return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  }
  turnBack(path, rx);
  if (selectPath(ip, path) !== 0) {
    count(ip, Ctr.Ip6OutNoRoutes);
    return drop(ip, rx, Drop.IP_OUTNOROUTES);
  }
  // The scratch is overwritten by the next reassembly, so its octets do not wait for a flush.
  const whole = rx.l4Len <= COPY_LIMIT || (rx.flags & RxFlag.SCRATCH) !== 0;
  const l4 = begin(ip, 6, whole ? rx.l4Len : icmp6.HEADER);
  const tx = ip.tx;
  tx.reset();
  tx.protocol = ipv6.Next.ICMP;
  tx.tos = rx.tos;
  tx.ttl = ip.config.defaultTtl;
  aim(ip, path);
  writeReply(ip, rx, l4, whole);
  if (send(ip, path, rx.l4Len) === 0) {
    count(ip, Ctr.Icmp6OutMsgs);
    count(ip, Ctr.Icmp6OutEchoReplies);
  }
  return Verdict.DONE;
}

function writeReply(ip: IpLayer, rx: Rx, l4: number, whole: boolean): void {
  const { u8, view } = ip.slab;
  const len = whole ? rx.l4Len : icmp6.HEADER;
  u8.copyWithin(l4, rx.l4Off, rx.l4Off + len);
  view.setUint16(l4, icmp6.Type.ECHO_REPLY << 8);
  if (!whole) ip.tx.gather(null, rx.l4Off + len, rx.l4Len - len);
  // The data's sum is the request's; type and, for a group, the source differ.
  view.setUint16(l4 + icmp6.Offset.CHECKSUM, 0);
  const data = ip.sum(rx.l4Off + icmp6.HEADER, rx.l4Len - icmp6.HEADER, 0);
  const pseudo = checksum.pseudo6(ip.tx, ipv6.Next.ICMP, rx.l4Len);
  const total = checksum.fold(data) + checksum.sum(u8, l4, icmp6.HEADER, pseudo);
  view.setUint16(l4 + icmp6.Offset.CHECKSUM, checksum.finish(total));
}
