// ICMP errors that arrive (RFC 792, RFC 1122 §3.2.2): what they quote is checked before a transport
// hears of them, and path MTUs change only after the transport has recognised the quoted packet as
// its own (RFC 5927 §4).

import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { V4_MAPPED } from '../wire/address.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { IpLayer } from './ip.ts';
import { plateauBelow } from './pmtu.ts';

/** An error message about a packet of ours. One per stack, reused. */
export class IcmpError {
  type = 0;
  code = 0;
  family: 4 | 6 = 4;
  /** Fragmentation needed, or Packet Too Big. */
  isTooBig = false;
  isUnreachable = false;
  /** Next-hop MTU as reported; 0 when the router did not say. */
  mtu = 0;
  pointer = 0;
  /** Protocol, total length and addresses of the quoted packet: `src` is ours, `dst` the peer's. */
  protocol = 0;
  quotedLen = 0;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  srcPort = 0;
  dstPort = 0;
  /** TCP's sequence number as int32. */
  seq = 0;
  /** A negative errno, and whether Linux would end an unestablished connection for it. */
  errno = 0;
  hard = false;
  /** Said by this stack itself: a neighbour could not be found (unreachable.ts). */
  isOwn = false;
}

// Linux's errno of each code of Destination Unreachable (net/ipv4/icmp.c, icmp_err_convert), and
// whether it is fatal there. ENONET, EHOSTDOWN and EPROTO have no other use here.
const ENONET = -64;
const EPROTO = -71;
const EHOSTDOWN = -112;
const ENOPROTOOPT = -92;
const ECONNREFUSED = -111;
const EMSGSIZE = -90;
const EOPNOTSUPP = -95;
const ENETUNREACH = -101;
const EHOSTUNREACH = -113;

// biome-ignore format: a table
const UNREACH_ERRNO = [
  ENETUNREACH,
  EHOSTUNREACH,
  ENOPROTOOPT,
  ECONNREFUSED,
  EMSGSIZE,
  EOPNOTSUPP,
  ENETUNREACH,
  EHOSTDOWN,
  ENONET,
  ENETUNREACH,
  EHOSTUNREACH,
  ENETUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
  EHOSTUNREACH,
];
const UNREACH_HARD = [0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1];

/** RFC 791 §3.1: every link carries 68 octets; whoever reports less is wrong. */
const SMALLEST_MTU = 68;

/** Whether octets of that type are an error that a transport may hear of. */
export function isError(type: number): boolean {
  return (
    type === icmp4.Type.DEST_UNREACH ||
    type === icmp4.Type.TIME_EXCEEDED ||
    type === icmp4.Type.PARAM_PROBLEM
  );
}

/**
 * Reads the error at `rx.l4Off` into `ip.icmpError`. NONE, or why the message is to be dropped: the
 * quote is too short, not an IPv4 packet, not the start of a datagram, or not sent by us to there.
 */
export function parseError(ip: IpLayer, rx: Rx): Drop {
  const u8 = rx.u8;
  const quote = rx.l4Off + icmp4.HEADER;
  const room = rx.l4Len - icmp4.HEADER;
  if (rx.dstKind !== DstKind.UNICAST) return Drop.IP_INADDRERRORS;
  if (room < ipv4.MIN_HEADER) return Drop.PKT_TOO_SMALL;
  if (ipv4.version(u8, quote) !== 4) return Drop.IP_INHDR;
  const header = ipv4.headerLen(u8, quote);
  if (header < ipv4.MIN_HEADER) return Drop.IP_INHDR;
  // RFC 792: the header and the first 64 bits of the original's data.
  if (header + 8 > room) return Drop.PKT_TOO_SMALL;
  const total = ipv4.totalLen(u8, quote);
  if (total < header + 8) return Drop.IP_INHDR;
  if (ipv4.fragmentOffset(u8, quote) !== 0) return Drop.FRAG_TOO_FAR;
  // The original left from the address that the error came to.
  const src = ipv4.src(u8, quote);
  if (src !== rx.dst3) return Drop.IP_INADDRERRORS;
  read(ip.icmpError, rx, quote, header);
  return Drop.NONE;
}

function read(error: IcmpError, rx: Rx, quote: number, header: number): void {
  const u8 = rx.u8;
  error.type = icmp4.type(u8, rx.l4Off);
  error.code = icmp4.code(u8, rx.l4Off);
  error.family = 4;
  error.isUnreachable = error.type === icmp4.Type.DEST_UNREACH;
  error.isOwn = error.isUnreachable && (rx.flags & RxFlag.LOOPBACK) !== 0;
  error.isTooBig = error.isUnreachable && error.code === icmp4.Unreach.FRAG_NEEDED;
  error.mtu = error.isTooBig ? icmp4.mtu(u8, rx.l4Off) : 0;
  error.pointer = error.type === icmp4.Type.PARAM_PROBLEM ? icmp4.pointer(u8, rx.l4Off) : 0;
  error.protocol = ipv4.protocol(u8, quote);
  error.quotedLen = ipv4.totalLen(u8, quote);
  error.src0 = 0;
  error.src1 = 0;
  error.src2 = V4_MAPPED;
  error.src3 = ipv4.src(u8, quote);
  error.dst0 = 0;
  error.dst1 = 0;
  error.dst2 = V4_MAPPED;
  error.dst3 = ipv4.dst(u8, quote);
  const l4 = quote + header;
  error.srcPort = rx.view.getUint16(l4);
  error.dstPort = rx.view.getUint16(l4 + 2);
  error.seq = rx.view.getInt32(l4 + 4);
  convert(error);
}

function convert(error: IcmpError): void {
  error.hard = false;
  if (error.type === icmp4.Type.DEST_UNREACH) {
    error.errno = UNREACH_ERRNO[error.code] ?? EHOSTUNREACH;
    error.hard = UNREACH_HARD[error.code] === 1;
  } else if (error.type === icmp4.Type.TIME_EXCEEDED) {
    error.errno = EHOSTUNREACH;
  } else {
    error.errno = EPROTO;
  }
}

const words = new Int32Array(4);

/**
 * Takes the MTU of a "fragmentation needed" that the transport has recognised. A router that did
 * not say is answered with the next lower plateau (RFC 1191 §5). True when the path's MTU went
 * down: the epoch has moved, paths are to be asked for again.
 */
export function acceptPmtu(ip: IpLayer, error: IcmpError): boolean {
  const six = error.family === 6;
  const mtu = error.mtu === 0 && !six ? plateauBelow(error.quotedLen) : error.mtu;
  // RFC 8201 §4: no report goes below 1280.
  if (mtu < (six ? ipv6.MIN_MTU : SMALLEST_MTU)) return false;
  // A report that is no smaller than what was sent is no reason for it not to have passed.
  if (mtu >= error.quotedLen) return false;
  words[0] = error.dst0;
  words[1] = error.dst1;
  words[2] = error.dst2;
  words[3] = error.dst3;
  if (!ip.pmtu.lower(words, mtu, ip.nowUs)) return false;
  ip.routeEpoch++;
  return true;
}
