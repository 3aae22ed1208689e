// Questions about neighbours, and what we say of ourselves without being asked: ARP (RFC 826, RFC
// 5227) and neighbour solicitations (RFC 4861 §4.3). They are written whole into the arena and go
// out by the port's own record: a packet that is on its way down keeps `ip.tx`.

import { Ctr } from '../base/counters.ts';
import * as arp from '../wire/arp.ts';
import * as checksum from '../wire/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as ndp from '../wire/ndp.ts';
import { type EtherPort, putHeader } from './ether.ts';
import { count, type IpLayer } from './ip.ts';
import type { Neighbor } from './neighbor.ts';

/** Asks for a neighbour: everybody, or the neighbour itself where it was last. */
export function solicit(ip: IpLayer, port: EtherPort, n: Neighbor, isUnicast: boolean): void {
  const source = ip.addresses.sourceFor(port.linkId, n.a, n.b, n.c, n.d);
  // Without an address of that family there is nobody to answer to.
  if (source === null) return;
  if (n.isV4) {
    const high = isUnicast ? n.high : ethernet.BROADCAST_HIGH;
    const low = isUnicast ? n.low : ethernet.BROADCAST_LOW;
    request(ip, port, source.d, n.d, { high, low });
    return;
  }
  const { tx } = port;
  tx.src0 = source.a;
  tx.src1 = source.b;
  tx.src2 = source.c;
  tx.src3 = source.d;
  if (isUnicast) {
    tx.dst0 = n.a;
    tx.dst1 = n.b;
    tx.dst2 = n.c;
    tx.dst3 = n.d;
    solicit6(ip, port, [n.a, n.b, n.c, n.d], n);
  } else solicitGroup(ip, port, [n.a, n.b, n.c, n.d]);
}

/** An address's four words. */
export type Words = readonly [number, number, number, number];

/** Duplicate address detection: a question for an address, from nobody (RFC 4862 §5.4.2). */
export function probe6(ip: IpLayer, port: EtherPort, target: Words): void {
  const { tx } = port;
  tx.src0 = 0;
  tx.src1 = 0;
  tx.src2 = 0;
  tx.src3 = 0;
  solicitGroup(ip, port, target);
}

function solicitGroup(ip: IpLayer, port: EtherPort, target: Words): void {
  const { tx } = port;
  tx.dst0 = ndp.GROUP_A;
  tx.dst1 = 0;
  tx.dst2 = ndp.SOLICITED_C;
  tx.dst3 = ndp.solicitedNode(target[3]);
  const high = ethernet.group6High(tx.dst3);
  solicit6(ip, port, target, { high, low: tx.dst3 & 0xffff });
}

interface To {
  readonly high: number;
  readonly low: number;
}

function solicit6(ip: IpLayer, port: EtherPort, target: Words, to: To): void {
  const { tx } = port;
  // RFC 4861 §4.3: from the unspecified address it must not say where we are.
  const isProbe = (tx.src0 | tx.src1 | tx.src2 | tx.src3) === 0;
  const len = ndp.Length.NEIGHBOR + (isProbe ? 0 : ndp.MAC_OPTION);
  const off = ip.arena.take(ipv6.HEADER + len);
  if (off < 0) return;
  const { u8, view } = ip.slab;
  const l4 = off + ipv6.HEADER;
  view.setInt32(l4, icmp6.Type.NEIGHBOR_SOLICIT << 24);
  view.setInt32(l4 + 4, 0);
  for (let i = 0; i < 4; i++) view.setInt32(l4 + ndp.Offset.TARGET + 4 * i, target[i] as number);
  if (!isProbe) {
    ndp.putMacOption(u8, l4 + ndp.Length.NEIGHBOR, ndp.Option.SOURCE_MAC, port.mac);
  }
  count(ip, Ctr.Icmp6OutNeighborSolicits);
  emit6(ip, port, off, len, to);
}

/** Sends an ICMPv6 message written behind room for its header; addresses as in `port.tx`. */
export function emit6(ip: IpLayer, port: EtherPort, off: number, len: number, to: To): void {
  const { u8, view } = ip.slab;
  const { tx } = port;
  view.setInt32(off, 0x60000000);
  view.setInt32(off + 4, (len << 16) | (ipv6.Next.ICMP << 8) | ndp.HOP_LIMIT);
  const words = [tx.src0, tx.src1, tx.src2, tx.src3, tx.dst0, tx.dst1, tx.dst2, tx.dst3];
  for (let i = 0; i < 8; i++) view.setInt32(off + 8 + 4 * i, words[i] as number);
  const l4 = off + ipv6.HEADER;
  const pseudo = checksum.pseudo6(tx, ipv6.Next.ICMP, len);
  view.setUint16(l4 + icmp6.Offset.CHECKSUM, checksum.finish(checksum.sum(u8, l4, len, pseudo)));
  tx.family = 6;
  tx.protocol = ipv6.Next.ICMP;
  count(ip, Ctr.Ip6OutRequests);
  count(ip, Ctr.Icmp6OutMsgs);
  sendFrame(ip, port, off, ipv6.HEADER + len, to);
}

function sendFrame(ip: IpLayer, port: EtherPort, off: number, len: number, to: To): void {
  const { tx } = port;
  tx.reset();
  tx.headerOff = off;
  tx.headerLen = len;
  tx.l4 = tx.family === 6 ? ipv6.HEADER : 0;
  putHeader(ip, port, tx, to.high, to.low);
  if (tx.family !== 6) ip.slab.view.setUint16(off - 2, ethernet.EtherType.ARP);
  // ARP is no IP packet: captures leave it out
  const tap = tx.family === 6 ? ip.tap : null;
  if (tap !== null) tap.leaving(port.linkId, tx);
  const taken = ip.links[port.linkId]?.transmit(tx) === true;
  if (tap !== null) tap.left(taken);
  if (taken) count(ip, Ctr.PortsideTxPackets);
}

// --- ARP ----------------------------------------------------------------------------------------

const EVERYBODY: To = { high: ethernet.BROADCAST_HIGH, low: ethernet.BROADCAST_LOW };

/** Who has `target`? `sender` 0 asks without saying who we are (RFC 5227 §1.1: a probe). */
function request(ip: IpLayer, port: EtherPort, sender: number, target: number, to: To): void {
  count(ip, Ctr.PortsideArpOutRequests);
  emitArp(ip, port, to, {
    op: arp.Op.REQUEST,
    senderHigh: port.mac.high,
    senderLow: port.mac.low,
    sender,
    targetHigh: 0,
    targetLow: 0,
    target,
  });
}

/** RFC 5227 §2.1.1: a probe for an address that we would like to have. */
export function probe4(ip: IpLayer, port: EtherPort, target: number): void {
  request(ip, port, 0, target, EVERYBODY);
}

/** RFC 5227 §2.3, §2.4: says that an address is ours, to everybody. */
export function announce4(ip: IpLayer, port: EtherPort, address: number): void {
  request(ip, port, address, address, EVERYBODY);
}

/** Answers the request at `rxOff` of the slab for an address of ours. */
export function reply4(ip: IpLayer, port: EtherPort, rxOff: number): void {
  const { u8 } = ip.slab;
  const high = ethernet.high(u8, rxOff + arp.Offset.SENDER_MAC);
  const low = ethernet.low(u8, rxOff + arp.Offset.SENDER_MAC);
  count(ip, Ctr.PortsideArpOutReplies);
  emitArp(
    ip,
    port,
    { high, low },
    {
      op: arp.Op.REPLY,
      senderHigh: port.mac.high,
      senderLow: port.mac.low,
      sender: arp.address(u8, rxOff + arp.Offset.TARGET),
      targetHigh: high,
      targetLow: low,
      target: arp.address(u8, rxOff + arp.Offset.SENDER),
    },
  );
}

function emitArp(ip: IpLayer, port: EtherPort, to: To, fields: arp.ArpFields): void {
  const off = ip.arena.take(arp.LENGTH);
  if (off < 0) return;
  arp.write(ip.slab.u8, off, fields);
  port.tx.family = 4;
  sendFrame(ip, port, off, arp.LENGTH, to);
}
