// From the slab to a link: the packet in `rx` is described as one to send, without a copy.
// @hot

import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import { isExtension } from '../ip/headers6.ts';
import { drop, flushLinks, type IpLayer } from '../ip/ip.ts';
import { transmit } from '../ip/output.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { isTcpGso, transportHeaderLen } from './size.ts';

const MAX_HEADERS = 8;
/** Octets of headers that move at most: two of 60 octets, and some extension headers. */
const MOVED = 256;

/** Hands the packet to a link. Its octets stay where they are until the links are flushed. */
export function passOn(ip: IpLayer, rx: Rx, out: number): void {
  const tx = ip.tx;
  tx.reset();
  tx.headerOff = rx.off;
  tx.headerLen = rx.len;
  tx.l4 = rx.l4Off - rx.off;
  describeTx(ip, rx);
  if (rx.gsoSize !== 0 && !asSegments(ip, rx)) return;
  if ((rx.flags & RxFlag.NEEDS_CSUM) !== 0) {
    const field = checksumOffset(rx);
    if (field === 0) {
      drop(ip, rx, Drop.BAD_META);
      return;
    }
    tx.csumOffset = field;
    tx.flags = TxFlag.NEEDS_CSUM;
  }
  ip.passed = true;
  const ether = ip.etherCount > 0 && ip.ethers[out] !== null && ip.ethers[out] !== undefined;
  if (ether && !moveHeader(ip, rx)) return;
  transmit(ip, out);
}

/** The fields of `ip.tx` that do not depend on where its octets lie. */
export function describeTx(ip: IpLayer, rx: Rx): void {
  const tx = ip.tx;
  tx.family = rx.family;
  tx.protocol = rx.protocol;
  tx.tos = rx.tos;
  tx.ttl = rx.ttl;
  tx.src0 = rx.src0;
  tx.src1 = rx.src1;
  tx.src2 = rx.src2;
  tx.src3 = rx.src3;
  tx.dst0 = rx.dst0;
  tx.dst1 = rx.dst1;
  tx.dst2 = rx.dst2;
  tx.dst3 = rx.dst3;
}

/** An Ethernet writes before the packet, where another one may lie: the headers move away. */
function moveHeader(ip: IpLayer, rx: Rx): boolean {
  const tx = ip.tx;
  const len = Math.min(tx.headerLen, MOVED);
  let off = ip.arena.take(len);
  if (off < 0) {
    flushLinks(ip);
    ip.passed = true;
    off = ip.arena.take(len);
    if (off < 0) return false;
  }
  rx.u8.copyWithin(off, rx.off, rx.off + len);
  if (len < tx.headerLen) tx.gather(null, rx.off + len, tx.headerLen - len);
  tx.headerOff = off;
  tx.headerLen = len;
  return true;
}

/** A super-segment: its headers by themselves, its payload as a piece that lies in the slab. */
function asSegments(ip: IpLayer, rx: Rx): boolean {
  const l4 = transportHeaderLen(rx);
  const protocol = isTcpGso(rx) ? ipv4.Proto.TCP : ipv4.Proto.UDP;
  if (l4 < udp.HEADER || rx.protocol !== protocol) {
    drop(ip, rx, Drop.BAD_META);
    return false;
  }
  const tx = ip.tx;
  const header = tx.l4 + l4;
  tx.headerLen = header;
  tx.gsoType = rx.gsoType;
  tx.gsoSize = rx.gsoSize;
  tx.gather(null, rx.off + header, rx.len - header);
  // Whoever cuts it starts from the pseudo-header's sum, also when the whole was summed already.
  if ((rx.flags & RxFlag.NEEDS_CSUM) === 0) {
    const pseudo =
      rx.family === 6
        ? checksum.pseudo6(rx, protocol, rx.l4Len)
        : checksum.pseudo4(rx.src3, rx.dst3, protocol, rx.l4Len);
    rx.view.setUint16(rx.l4Off + checksumOffset(rx), checksum.fold(pseudo));
    rx.flags |= RxFlag.NEEDS_CSUM;
  }
  return true;
}

/** Where the transport keeps its checksum, from its header on; 0: nobody can complete it. */
function checksumOffset(rx: Rx): number {
  if (rx.protocol === ipv4.Proto.TCP && rx.l4Len >= tcp.HEADER_LEN) return tcp.CHECKSUM_OFFSET;
  if (rx.protocol === ipv4.Proto.UDP && rx.l4Len >= udp.HEADER) return udp.Offset.CHECKSUM;
  return 0;
}

/**
 * Looks for the transport header of an IPv6 packet and describes it in `rx`. A chain that is longer
 * than anybody's, and what lies behind a Fragment header that is not the first, stay as they are.
 */
export function transportOf(rx: Rx): void {
  const u8 = rx.u8;
  const end = rx.off + rx.len;
  let next = ipv6.nextHeader(u8, rx.off);
  let at = rx.off + ipv6.HEADER;
  for (let n = 0; n < MAX_HEADERS && isExtension(next); n++) {
    if (next === ipv6.Next.NONE || at + 8 > end) break;
    const isFragment = next === ipv6.Next.FRAGMENT;
    if (isFragment && (rx.view.getUint16(at + ipv6.Fragment.OFFSET) & 0xfff8) !== 0) break;
    const len = isFragment ? ipv6.FRAGMENT_HEADER : ((u8[at + 1] as number) + 1) << 3;
    if (at + len > end) break;
    rx.protocolAt = at;
    next = u8[at] as number;
    at += len;
  }
  rx.protocol = next;
  rx.l4Off = at;
  rx.l4Len = end - at;
  rx.ipHeaderLen = at - rx.off;
}
