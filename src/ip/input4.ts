// An IPv4 packet arrives (RFC 791, RFC 1122 §3.2.1): lengths, checksum, options, addresses,
// fragments, each in one place. What passes is described in `rx` for the transport.
// @hot

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { V4_MAPPED } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { NOT_OURS } from './addresses.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import { reassemble4 } from './reassemble4.ts';

const IN_RECEIVES = Ctr.IpInReceives;
const IN_OCTETS = Ctr.IpExtInOctets;
const IN_NO_ECT = Ctr.IpExtInNoECTPkts;
const IN_DELIVERS = Ctr.IpInDelivers;

/**
 * Octets of TCP header that a first fragment must hold so that no filter is misled (RFC 1858 §3).
 */
const TCP_HEADER = 20;
const TCP_DATA_OFFSET = 12;

/** DELIVER: `rx` describes a whole datagram for us. DONE: dropped, or kept for reassembly. */
export function input4(ip: IpLayer, rx: Rx): Verdict {
  const values = ip.counters.values;
  values[IN_RECEIVES] = (values[IN_RECEIVES] as number) + 1;
  values[IN_OCTETS] = (values[IN_OCTETS] as number) + rx.len;
  if ((rx.flags & RxFlag.BAD_META) !== 0) return discard(ip, rx, Drop.BAD_META);
  const u8 = rx.u8;
  const off = rx.off;
  const lengths = ipv4.check(u8, off, rx.len);
  if (lengths !== Drop.NONE) return malformed(ip, rx, lengths);
  const header = ipv4.headerLen(u8, off);
  if (ipv4.headerSum(u8, off, header) !== 0xffff) {
    count(ip, Ctr.IpExtInCsumErrors);
    return malformed(ip, rx, Drop.IP_CSUM);
  }
  if (header > ipv4.MIN_HEADER) {
    const options = ipv4.checkOptions(u8, off, header);
    if (options !== Drop.NONE) return malformed(ip, rx, options);
  }
  describe(rx, header);
  // The four ECN counters follow one another in the order of the codepoints (RFC 3168 §5).
  const ecn = IN_NO_ECT + (rx.tos & 3);
  values[ecn] = (values[ecn] as number) + 1;
  const source = checkSource(ip, rx);
  if (source !== Drop.NONE) return refuse(ip, rx, source);
  if (ip.router?.arrives(rx) === true) return Verdict.DONE;
  const destination = checkDestination(ip, rx);
  if (destination !== Drop.NONE) {
    const passes = destination === Drop.OTHERHOST && ip.router !== null && ip.router.takes(rx);
    return passes ? Verdict.FORWARD : refuse(ip, rx, destination);
  }
  if ((ipv4.fragmentWord(rx.u8, rx.off) & (ipv4.MF | ipv4.OFFSET_MASK)) !== 0) {
    const verdict = acceptFragment(ip, rx);
    if (verdict !== Verdict.DELIVER) return verdict;
  }
  values[IN_DELIVERS] = (values[IN_DELIVERS] as number) + 1;
  return Verdict.DELIVER;
}

/** Sets the network fields of `rx`; octets behind the datagram (link padding) are cut off. */
export function describe(rx: Rx, header: number): void {
  const u8 = rx.u8;
  const off = rx.off;
  rx.len = ipv4.totalLen(u8, off);
  rx.family = 4;
  rx.protocol = ipv4.protocol(u8, off);
  rx.tos = ipv4.tos(u8, off);
  rx.ttl = ipv4.ttl(u8, off);
  rx.ipHeaderLen = header;
  rx.l4Off = off + header;
  rx.l4Len = rx.len - header;
  rx.src0 = 0;
  rx.src1 = 0;
  rx.src2 = V4_MAPPED;
  rx.src3 = ipv4.src(u8, off);
  rx.dst0 = 0;
  rx.dst1 = 0;
  rx.dst2 = V4_MAPPED;
  rx.dst3 = ipv4.dst(u8, off);
}

/** RFC 1122 §3.2.1.3: silently discard what cannot come from where it says. */
function checkSource(ip: IpLayer, rx: Rx): Drop {
  const srcTop = rx.src3 >>> 24;
  // 0/8, 224/4 and 240/4 are nobody's source; 127/8 nobody's outside a host.
  // A switch asks for groups from 0.0.0.0 (RFC 4541 §2.1.1).
  const proxy = rx.src3 === 0 && rx.protocol === ipv4.Proto.IGMP;
  if ((srcTop === 0 && !proxy) || srcTop >= 224) return Drop.IP_INVALID_SOURCE;
  if ((rx.flags & RxFlag.LOOPBACK) !== 0) return Drop.NONE;
  if (srcTop === 127) return Drop.IP_INVALID_SOURCE;
  // Our own address from a device (Land), and a source that is a broadcast address of ours.
  const own = ip.addresses.kindOf(0, 0, V4_MAPPED, rx.src3) !== NOT_OURS;
  return own ? Drop.IP_INVALID_SOURCE : Drop.NONE;
}

/** RFC 1122 §3.2.1.3: silently discard what is not for us. OTHERHOST: a router may take it. */
function checkDestination(ip: IpLayer, rx: Rx): Drop {
  const dstTop = rx.dst3 >>> 24;
  if (dstTop === 127 && (rx.flags & RxFlag.LOOPBACK) === 0) return Drop.IP_INADDRERRORS;
  const kind = ip.addresses.kindOf(0, 0, V4_MAPPED, rx.dst3);
  if (kind === NOT_OURS) return dstTop === 0 ? Drop.IP_INADDRERRORS : Drop.OTHERHOST;
  const query = rx.protocol === ipv4.Proto.IGMP;
  if (kind === DstKind.MULTICAST && !ip.groups.hears(rx.linkId, rx, query)) return Drop.OTHERHOST;
  rx.dstKind = kind;
  if (kind === DstKind.BROADCAST) count(ip, Ctr.IpExtInBcastPkts);
  else if (kind === DstKind.MULTICAST) count(ip, Ctr.IpExtInMcastPkts);
  return Drop.NONE;
}

export function acceptFragment(ip: IpLayer, rx: Rx): Verdict {
  if (rx.gsoSize !== 0) return discard(ip, rx, Drop.BAD_META);
  if (rx.protocol === ipv4.Proto.TCP) {
    const offset = ipv4.fragmentOffset(rx.u8, rx.off);
    // RFC 3128 §4: a fragment at octet 8 is there to overwrite the flags behind a filter's back.
    if (offset === 8) return discard(ip, rx, Drop.POLICY);
    if (offset === 0 && !holdsTcpHeader(rx)) return discard(ip, rx, Drop.PKT_TOO_SMALL);
  }
  return reassemble4(ip, rx);
}

/** RFC 1858 §3.2: the first fragment holds the whole TCP header. */
function holdsTcpHeader(rx: Rx): boolean {
  if (rx.l4Len < TCP_HEADER) return false;
  return rx.l4Len >= ((rx.u8[rx.l4Off + TCP_DATA_OFFSET] as number) >>> 4) << 2;
}

function malformed(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.IpInHdrErrors);
  if (reason === Drop.PKT_TOO_SMALL) count(ip, Ctr.IpExtInTruncatedPkts);
  return drop(ip, rx, reason);
}

function refuse(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.IpInAddrErrors);
  return drop(ip, rx, reason);
}

function discard(ip: IpLayer, rx: Rx, reason: Drop): Verdict {
  count(ip, Ctr.IpInDiscards);
  return drop(ip, rx, reason);
}
