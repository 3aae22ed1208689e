// ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2): echo, and errors on their way to a transport. Sending
// errors is icmp-send.ts, reading them icmp-error.ts, their rate icmp-limiter.ts.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import * as checksum from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { takeEchoError, takeReply } from './echo.ts';
import { isError, parseError } from './icmp-error.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import { aim, begin, selectPath, send } from './output.ts';
import { Path, turnBack } from './path.ts';

export { acceptPmtu, IcmpError } from './icmp-error.ts';
export { IcmpLimiter } from './icmp-limiter.ts';
export { portUnreachable, protocolUnreachable, sendError } from './icmp-send.ts';

/** Echo data up to here is copied behind the header; more is gathered from where it lies. */
const COPY_LIMIT = 1024;

const path = new Path();

/**
 * An ICMP message for us. ERROR: `ip.icmpError` holds an error about a TCP or UDP packet of ours.
 */
export function input(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.IcmpInMsgs);
  if (rx.l4Len < icmp4.HEADER) return bad(ip, rx, Drop.PKT_TOO_SMALL);
  // Links do not vouch for ICMP: what their flags say is about TCP and UDP.
  if (checksum.fold(ip.sum(rx.l4Off, rx.l4Len, 0)) !== 0xffff) {
    count(ip, Ctr.IcmpInCsumErrors);
    return bad(ip, rx, Drop.ICMP_CSUM);
  }
  const type = icmp4.type(rx.u8, rx.l4Off);
  if (type === icmp4.Type.ECHO) {
    count(ip, Ctr.IcmpInEchos);
    return echo(ip, rx);
  }
  if (isError(type)) return error(ip, rx, type);
  if (type === icmp4.Type.ECHO_REPLY) {
    count(ip, Ctr.IcmpInEchoReps);
    return takeReply(ip, rx);
  }
  // RFC 1122 §3.2.2.2: redirects are for hosts with a choice of routers; ignored by default.
  if (type === icmp4.Type.REDIRECT) return drop(ip, rx, Drop.POLICY);
  // RFC 6633 (source quench), RFC 6918 (timestamps, masks, information), RFC 1122 §3.2.2 (unknown).
  return drop(ip, rx, Drop.UNHANDLED_PROTO);
}

function bad(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.IcmpInErrors);
  return drop(ip, rx, reason);
}

function error(ip: IpLayer, rx: Rx, type: number): Verdict {
  if (type === icmp4.Type.DEST_UNREACH) count(ip, Ctr.IcmpInDestUnreachs);
  else if (type === icmp4.Type.TIME_EXCEEDED) count(ip, Ctr.IcmpInTimeExcds);
  else count(ip, Ctr.IcmpInParmProbs);
  const reason = parseError(ip, rx);
  if (reason !== Drop.NONE) return bad(ip, rx, reason);
  const protocol = ip.icmpError.protocol;
  if (protocol === ipv4.Proto.TCP || protocol === ipv4.Proto.UDP) return Verdict.ERROR;
  if (protocol === ipv4.Proto.ICMP) return takeEchoError(ip, rx);
  return drop(ip, rx, Drop.NO_SOCKET);
}

/** RFC 1122 §3.2.2.6: the reply carries the same data and comes from the address that was asked. */
function echo(ip: IpLayer, rx: Rx): Verdict {
  const group = rx.dstKind !== DstKind.UNICAST || (rx.flags & RxFlag.LINK_BROADCAST) !== 0;
  if (group && !ip.config.echoBroadcast) return drop(ip, rx, Drop.POLICY);
  turnBack(path, rx);
  if (selectPath(ip, path) !== 0) {
    count(ip, Ctr.IpOutNoRoutes);
    return drop(ip, rx, Drop.IP_OUTNOROUTES);
  }
  // The scratch is overwritten by the next reassembly, so its octets do not wait for a flush.
  const whole = rx.l4Len <= COPY_LIMIT || (rx.flags & RxFlag.SCRATCH) !== 0;
  const l4 = begin(ip, 4, whole ? rx.l4Len : icmp4.HEADER);
  const tx = ip.tx;
  tx.reset();
  writeReply(ip, rx, l4, whole);
  tx.protocol = ipv4.Proto.ICMP;
  tx.tos = rx.tos;
  tx.ttl = ip.config.defaultTtl;
  aim(ip, path);
  if (send(ip, path, rx.l4Len) === 0) {
    count(ip, Ctr.IcmpOutMsgs);
    count(ip, Ctr.IcmpOutEchoReps);
  }
  return Verdict.DONE;
}

function writeReply(ip: IpLayer, rx: Rx, l4: number, whole: boolean): void {
  const { u8, view } = ip.slab;
  const len = whole ? rx.l4Len : icmp4.HEADER;
  u8.copyWithin(l4, rx.l4Off, rx.l4Off + len);
  if (!whole) ip.tx.gather(null, rx.l4Off + len, rx.l4Len - len);
  // Only the type changes, so the checksum follows from the old one (RFC 1624).
  const was = view.getUint16(l4);
  view.setUint16(l4, icmp4.Type.ECHO_REPLY << 8);
  const field = checksum.update(icmp4.checksum(u8, l4), was, icmp4.Type.ECHO_REPLY << 8);
  // A message of zeros alone must not carry 0: 0xffff is right for it and for every other.
  view.setUint16(l4 + icmp4.Offset.CHECKSUM, field === 0 ? 0xffff : field);
}
