// ICMPv6 errors that arrive (RFC 4443 §3): what they quote is checked before a transport hears of
// them, as for IPv4 (icmp-error.ts).

import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isExtension } from './headers6.ts';
import type { IpLayer } from './ip.ts';

const EPROTO = -71;
const EMSGSIZE = -90;
const ENETUNREACH = -101;
const EACCES = -13;
const ECONNREFUSED = -111;
const EHOSTUNREACH = -113;

/** Linux's errno of each code of Destination Unreachable, and whether it is fatal there. */
const UNREACH_ERRNO = [
  ENETUNREACH,
  EACCES,
  EHOSTUNREACH,
  EHOSTUNREACH,
  ECONNREFUSED,
  EACCES,
  EACCES,
];
const UNREACH_HARD = [0, 1, 0, 0, 1, 1, 1];
const MAX_HEADERS = 8;

/**
 * Reads the error at `rx.l4Off` into `ip.icmpError`. NONE, or why the message is to be dropped: the
 * quote is too short, no IPv6 packet, not the start of a datagram, or not sent by us to there.
 */
export function parseError6(ip: IpLayer, rx: Rx): Drop {
  const u8 = rx.u8;
  const quote = rx.l4Off + icmp6.HEADER;
  const end = rx.l4Off + rx.l4Len;
  if (rx.dstKind !== DstKind.UNICAST) return Drop.IP_INADDRERRORS;
  if (quote + ipv6.HEADER > end) return Drop.PKT_TOO_SMALL;
  if (ipv6.version(u8, quote) !== 6) return Drop.IP_INHDR;
  // The original left from the address that the error came to.
  for (let i = 0; i < 4; i++) {
    const word = i === 0 ? rx.dst0 : i === 1 ? rx.dst1 : i === 2 ? rx.dst2 : rx.dst3;
    if (ipv6.srcWord(u8, quote, i) !== word) return Drop.IP_INADDRERRORS;
  }
  let next = ipv6.nextHeader(u8, quote);
  let at = quote + ipv6.HEADER;
  for (let n = 0; n < MAX_HEADERS && isExtension(next); n++) {
    if (next === ipv6.Next.NONE || at + 8 > end) return Drop.PKT_TOO_SMALL;
    const fragment = next === ipv6.Next.FRAGMENT;
    if (fragment && (rx.view.getUint16(at + 2) & 0xfff8) !== 0) return Drop.FRAG_TOO_FAR;
    next = u8[at] as number;
    at += fragment ? 8 : ((u8[at + 1] as number) + 1) << 3;
  }
  if (at + 8 > end) return Drop.PKT_TOO_SMALL;
  read(ip, rx, quote, next, at);
  return Drop.NONE;
}

function read(ip: IpLayer, rx: Rx, quote: number, protocol: number, l4: number): void {
  const error = ip.icmpError;
  const u8 = rx.u8;
  error.type = icmp6.type(u8, rx.l4Off);
  error.code = icmp6.code(u8, rx.l4Off);
  error.family = 6;
  error.isTooBig = error.type === icmp6.Type.PACKET_TOO_BIG;
  error.isUnreachable = error.type === icmp6.Type.DEST_UNREACH;
  const word = icmp6.word(u8, rx.l4Off);
  error.mtu = error.isTooBig ? Math.min(word, 0x7fffffff) : 0;
  error.pointer = error.type === icmp6.Type.PARAM_PROBLEM ? word : 0;
  error.protocol = protocol;
  error.quotedLen = ipv6.HEADER + ipv6.payloadLen(u8, quote);
  error.src0 = rx.dst0;
  error.src1 = rx.dst1;
  error.src2 = rx.dst2;
  error.src3 = rx.dst3;
  error.dst0 = ipv6.dstWord(u8, quote, 0);
  error.dst1 = ipv6.dstWord(u8, quote, 1);
  error.dst2 = ipv6.dstWord(u8, quote, 2);
  error.dst3 = ipv6.dstWord(u8, quote, 3);
  error.srcPort = rx.view.getUint16(l4);
  error.dstPort = rx.view.getUint16(l4 + 2);
  error.seq = rx.view.getInt32(l4 + 4);
  error.isOwn = error.isUnreachable && (rx.flags & RxFlag.LOOPBACK) !== 0;
  error.hard = error.isUnreachable && UNREACH_HARD[error.code] === 1;
  if (error.isUnreachable) error.errno = UNREACH_ERRNO[error.code] ?? EHOSTUNREACH;
  else if (error.isTooBig) error.errno = EMSGSIZE;
  else if (error.type === icmp6.Type.TIME_EXCEEDED) error.errno = EHOSTUNREACH;
  else error.errno = EPROTO;
}
