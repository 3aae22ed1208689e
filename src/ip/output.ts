// The way down: room for headers, the IP header, the pseudo-header sum, fragmentation (RFC 791
// §3.2, RFC 1122 §3.2.1, RFC 6864, RFC 8200). A transport calls `begin`, writes at what it got,
// describes the packet in `ip.tx`, and calls `send`.
// @hot

import { assert } from '../base/assert.ts';
import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { DstKind } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { handOver, transmitEther } from './ether-output.ts';
import { fragment } from './fragment.ts';
import { fragment6 } from './fragment6.ts';
import { count, flushLinks, type IpLayer } from './ip.ts';
import type { Path } from './path.ts';

export { Path } from './path.ts';
export { selectPath } from './select.ts';

const OUT_REQUESTS = Ctr.IpOutRequests;
const OUT_OCTETS = Ctr.IpExtOutOctets;
const OUT_NO_ROUTES = Ctr.IpOutNoRoutes;
const OUT_BCAST = Ctr.IpExtOutBcastPkts;
const OUT_MCAST = Ctr.IpExtOutMcastPkts;
const OUT6_REQUESTS = Ctr.Ip6OutRequests;
const FRAG_FAILS = Ctr.IpFragFails;
const FRAG6_FAILS = Ctr.Ip6FragFails;

/**
 * Room for an IP header and `room` octets behind it. The answer is the offset of the transport
 * header; when the arena is full, what is queued is sent first.
 */
export function begin(ip: IpLayer, family: number, room: number): number {
  const header = family === 6 ? ipv6.HEADER : ipv4.MIN_HEADER;
  let off = ip.arena.take(header + room);
  if (off < 0) {
    flushLinks(ip);
    off = ip.arena.take(header + room);
    assert(off >= 0, 'begin: more room wanted than the transmit arena has');
  }
  const tx = ip.tx;
  tx.headerOff = off;
  tx.l4 = header;
  tx.family = family;
  return off + header;
}

/** Sets the addresses of `ip.tx` from a path. */
export function aim(ip: IpLayer, path: Path): void {
  const tx = ip.tx;
  tx.src0 = path.src0;
  tx.src1 = path.src1;
  tx.src2 = path.src2;
  tx.src3 = path.src3;
  tx.dst0 = path.dst0;
  tx.dst1 = path.dst1;
  tx.dst2 = path.dst2;
  tx.dst3 = path.dst3;
}

/**
 * Sends the packet in `ip.tx`.
 * @param l4Len transport header and payload, pieces included
 * @returns 0, EMSGSIZE (too large and not to be cut), ENOBUFS (the link's queue is full, the packet
 *   is lost) or ENETUNREACH (the link is gone)
 */
export function send(ip: IpLayer, path: Path, l4Len: number): Code {
  const tx = ip.tx;
  const total = tx.l4 + l4Len;
  const most = tx.family === 6 ? ipv6.MAX_PACKET : ipv4.MAX_PACKET;
  if (total > most) return refuse(ip, Code.EMSGSIZE);
  const link = ip.links[path.linkId];
  if (link === null || link === undefined) {
    count(ip, OUT_NO_ROUTES);
    return Code.ENETUNREACH;
  }
  ip.via = path;
  tx.headerLen = total - tx.payloadLen;
  if (tx.ttl === 0) tx.ttl = ip.config.defaultTtl;
  if (tx.csumOffset > 0) writePseudoSum(ip, l4Len);
  if (tx.family === 6) {
    writeHeader6(ip, l4Len);
    count(ip, OUT6_REQUESTS);
    if (ip.router !== null && !ip.router.askOut(path.linkId)) return Code.EPERM;
    if (total <= path.mtu || tx.gsoSize !== 0) return transmit(ip, path.linkId);
    if ((tx.flags & TxFlag.DF) !== 0) return refuse(ip, Code.EMSGSIZE);
    return fragment6(ip, path, l4Len);
  }
  if (path.locked) tx.flags &= ~TxFlag.DF;
  const values = ip.counters.values;
  values[OUT_REQUESTS] = (values[OUT_REQUESTS] as number) + 1;
  values[OUT_OCTETS] = (values[OUT_OCTETS] as number) + total;
  if (path.dstKind !== DstKind.UNICAST) {
    count(ip, path.dstKind === DstKind.BROADCAST ? OUT_BCAST : OUT_MCAST);
  }
  writeHeader4(ip, total);
  if (ip.router !== null && !ip.router.askOut(path.linkId)) return Code.EPERM;
  if (total <= path.mtu || tx.gsoSize !== 0) return transmit(ip, path.linkId);
  if ((tx.flags & TxFlag.DF) !== 0) return refuse(ip, Code.EMSGSIZE);
  return fragment(ip, path, l4Len);
}

/** Hands `ip.tx` to a link. */
export function transmit(ip: IpLayer, linkId: number): Code {
  const link = ip.links[linkId];
  if (link === null || link === undefined) return Code.ENETUNREACH;
  if (ip.etherCount === 0) return handOver(ip, link);
  const port = ip.ethers[linkId];
  if (port === null || port === undefined) return handOver(ip, link);
  return transmitEther(ip, port, link);
}

function refuse(ip: IpLayer, code: Code): Code {
  count(ip, ip.tx.family === 6 ? FRAG6_FAILS : FRAG_FAILS);
  return code;
}

/** The folded pseudo-header sum goes into the transport's checksum field; others complete it. */
function writePseudoSum(ip: IpLayer, l4Len: number): void {
  const tx = ip.tx;
  const pseudo =
    tx.family === 6
      ? checksum.pseudo6(tx, tx.protocol, l4Len)
      : checksum.pseudo4(tx.src3, tx.dst3, tx.protocol, l4Len);
  const field = checksum.fold(pseudo);
  const at = tx.headerOff + tx.l4 + tx.csumOffset;
  const u8 = ip.slab.u8;
  u8[at] = field >>> 8;
  u8[at + 1] = field & 255;
  tx.flags |= TxFlag.NEEDS_CSUM;
}

function writeHeader4(ip: IpLayer, total: number): void {
  const tx = ip.tx;
  const view = ip.slab.view;
  const off = tx.headerOff;
  const df = (tx.flags & TxFlag.DF) !== 0;
  // RFC 6864 §4.1: an atomic datagram's ID means nothing; zero tells nothing.
  const id = df ? 0 : ip.idents.next(tx.src3, tx.dst3, tx.protocol);
  const word0 = 0x45000000 | (tx.tos << 16) | total;
  const word1 = (id << 16) | (df ? ipv4.DF : 0);
  const word2 = (tx.ttl << 24) | (tx.protocol << 16);
  const s =
    (word0 >>> 16) +
    (word0 & 0xffff) +
    (word1 >>> 16) +
    (word1 & 0xffff) +
    (word2 >>> 16) +
    (tx.src3 >>> 16) +
    (tx.src3 & 0xffff) +
    (tx.dst3 >>> 16) +
    (tx.dst3 & 0xffff);
  view.setInt32(off, word0);
  view.setInt32(off + 4, word1);
  view.setInt32(off + 8, word2 | checksum.finish(s));
  view.setInt32(off + 12, tx.src3);
  view.setInt32(off + 16, tx.dst3);
}

function writeHeader6(ip: IpLayer, l4Len: number): void {
  const tx = ip.tx;
  const view = ip.slab.view;
  const off = tx.headerOff;
  const flow = tx.protocol === 6 || tx.protocol === 17 ? view.getInt32(off + tx.l4) : 0;
  const label = ip.idents.label(tx, tx.protocol, flow);
  view.setInt32(off, 0x60000000 | (tx.tos << 20) | label);
  view.setInt32(off + 4, (l4Len << 16) | (tx.protocol << 8) | tx.ttl);
  view.setInt32(off + 8, tx.src0);
  view.setInt32(off + 12, tx.src1);
  view.setInt32(off + 16, tx.src2);
  view.setInt32(off + 20, tx.src3);
  view.setInt32(off + 24, tx.dst0);
  view.setInt32(off + 28, tx.dst1);
  view.setInt32(off + 32, tx.dst2);
  view.setInt32(off + 36, tx.dst3);
}
