// Messages to routers about groups: reports of IGMPv3 and MLDv2, made of records (RFC 9776 §4.2,
// RFC 9777 §5.2), and the messages of the versions before. COLD: a few packets for a change.

import { Ctr } from '../base/counters.ts';
import { DstKind } from '../base/rx.ts';
import { type Address, fromV4, isLinkLocal } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as igmp from '../wire/igmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as mld from '../wire/mld.ts';
import { Compat, type Group, type GroupLink } from './groups.ts';
import { sealIcmp6 } from './icmp6-send.ts';
import { count, type IpLayer } from './ip.ts';
import { begin, send, transmit } from './output.ts';
import { Path } from './path.ts';

/** Where reports go (RFC 9776 §4.2.14, RFC 9777 §5.2.14), and leaves (RFC 2236 §3, RFC 2710 §5). */
const ALL_IGMPV3 = 0xe0000016 | 0;
const ALL_ROUTERS4 = 0xe0000002 | 0;
const LINK_SCOPE = 0xff020000 | 0;
const ALL_MLDV2 = 0x16;
const ALL_ROUTERS6 = 2;

/** RFC 9776 §4: DSCP of internetwork control. */
const TOS_CONTROL = 0xc0;
const LONGEST = 1500;
const HEADER4 = 24;
/** Hop-by-hop header: the router alert option (RFC 2711), and padding to eight octets. */
const HOP_BY_HOP = [ipv6.Next.ICMP, 0, mld.ROUTER_ALERT, 2, 0, 0, 1, 0];
const RECORD_HEAD = 4;

const path = new Path();

/** Records for one link, sent in as few messages as they fit in. */
export class GroupReport {
  readonly #ip: IpLayer;
  readonly #link: GroupLink;
  readonly #octets = new Uint8Array(LONGEST);
  readonly #room: number;
  #at: number = mld.REPORT_HEADER;
  #records = 0;

  constructor(ip: IpLayer, link: GroupLink) {
    this.#ip = ip;
    this.#link = link;
    const mtu = Math.min(ip.links[link.linkId]?.mtu ?? 0, LONGEST);
    this.#room = mtu - (link.family === 4 ? HEADER4 : ipv6.HEADER + HOP_BY_HOP.length);
  }

  /** RFC 9776 §4.2.16: what does not fit is cut off from IS_EX and TO_EX, else goes on. */
  add(type: number, group: Address, sources: readonly Address[]): void {
    const size = this.#link.family === 4 ? 4 : 16;
    const head = RECORD_HEAD + size;
    let from = 0;
    // Bounded: each round sends what is there, or takes at least one source.
    for (;;) {
      const left = sources.length - from;
      const fit = Math.floor((this.#room - this.#at - head) / size);
      if (fit < left && this.#records > 0) {
        this.send();
        continue;
      }
      if (fit < 0 || (fit === 0 && left > 0)) return;
      const n = Math.min(fit, left);
      this.#write(type, group, sources.slice(from, from + n));
      from += n;
      if (from >= sources.length) return;
      if (type === igmp.Record.IS_EX || type === igmp.Record.TO_EX) return;
    }
  }

  #write(type: number, group: Address, sources: readonly Address[]): void {
    const u8 = this.#octets;
    u8.set([type, 0, sources.length >>> 8, sources.length & 255], this.#at);
    this.#at += RECORD_HEAD;
    for (const address of [group, ...sources]) {
      this.#at = putAddress(u8, this.#at, address, this.#link.family);
    }
    this.#records++;
  }

  /** Sends what has been added. */
  send(): void {
    if (this.#records === 0) return;
    const u8 = this.#octets;
    const isV4 = this.#link.family === 4;
    const type = isV4 ? igmp.Type.REPORT3 : mld.Type.REPORT2;
    const n = this.#records;
    u8.set([type, 0, 0, 0, 0, 0, n >>> 8, n & 255]);
    const message = u8.subarray(0, this.#at);
    this.#at = mld.REPORT_HEADER;
    this.#records = 0;
    if (isV4) {
      count(this.#ip, Ctr.PortsideIgmpOutReports);
      emit4(this.#ip, this.#link.linkId, ALL_IGMPV3, message);
    } else {
      count(this.#ip, Ctr.Icmp6OutMLDv2Reports);
      emit6(this.#ip, this.#link.linkId, [LINK_SCOPE, 0, 0, ALL_MLDV2], message);
    }
  }
}

/** A report of the version that the link's querier speaks, to the group itself. */
export function sendOldReport(ip: IpLayer, link: GroupLink, group: Group): void {
  const { a, b, c, d } = group.address;
  group.lastReporter = true;
  if (link.family === 4) {
    const type = link.compat === Compat.V1 ? igmp.Type.REPORT1 : igmp.Type.REPORT2;
    count(ip, Ctr.PortsideIgmpOutReports);
    emit4(ip, link.linkId, d, oldMessage(type, group.address, 4));
    return;
  }
  count(ip, Ctr.Icmp6OutGroupMembResponses);
  emit6(ip, link.linkId, [a, b, c, d], oldMessage(mld.Type.REPORT1, group.address, 6));
}

/** Nobody here is left in the group; only said by who has last reported it (RFC 2236 §3). */
export function sendLeave(ip: IpLayer, link: GroupLink, group: Group): void {
  if (link.compat !== Compat.V2 || !group.lastReporter) return;
  group.lastReporter = false;
  if (link.family === 4) {
    emit4(ip, link.linkId, ALL_ROUTERS4, oldMessage(igmp.Type.LEAVE, group.address, 4));
    return;
  }
  count(ip, Ctr.Icmp6OutGroupMembReductions);
  const done = oldMessage(mld.Type.DONE, group.address, 6);
  emit6(ip, link.linkId, [LINK_SCOPE, 0, 0, ALL_ROUTERS6], done);
}

function oldMessage(type: number, group: Address, family: 4 | 6): Uint8Array {
  const u8 = new Uint8Array(family === 4 ? igmp.HEADER : mld.MESSAGE1);
  u8[0] = type;
  putAddress(u8, family === 4 ? igmp.Offset.GROUP : mld.Offset.GROUP, group, family);
  return u8;
}

function putAddress(u8: Uint8Array, at: number, address: Address, family: 4 | 6): number {
  const { a, b, c, d } = address;
  let i = at;
  for (const word of family === 4 ? [d] : [a, b, c, d]) {
    u8.set([word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255], i);
    i += 4;
  }
  return i;
}

/** TTL 1, the router alert option (RFC 9776 §4), and the link's own address, or 0.0.0.0. */
function emit4(ip: IpLayer, linkId: number, dst: number, message: Uint8Array): void {
  const n = message.length;
  const l4 = begin(ip, 4, 4 + n) + 4;
  const { u8, view } = ip.slab;
  const tx = ip.tx;
  const off = tx.headerOff;
  const src = sourceOn(ip, linkId, 4)?.d ?? 0;
  u8.set(message, l4);
  view.setUint16(l4 + 2, 0);
  view.setUint16(l4 + 2, checksum.finish(checksum.sum(u8, l4, n, 0)));
  view.setInt32(off, 0x46000000 | (TOS_CONTROL << 16) | (HEADER4 + n));
  view.setInt32(off + 4, ipv4.DF << 0);
  view.setInt32(off + 8, (1 << 24) | (ipv4.Proto.IGMP << 16));
  view.setInt32(off + 12, src);
  view.setInt32(off + 16, dst);
  view.setInt32(off + 20, igmp.ROUTER_ALERT | 0);
  ipv4.seal(u8, off, HEADER4);
  tx.reset();
  tx.l4 = HEADER4;
  tx.headerLen = HEADER4 + n;
  tx.protocol = ipv4.Proto.IGMP;
  tx.dst0 = 0;
  tx.dst1 = 0;
  tx.dst2 = 0xffff;
  tx.dst3 = dst;
  count(ip, Ctr.IpOutRequests);
  count(ip, Ctr.IpExtOutMcastPkts);
  transmit(ip, linkId);
}

/** Hop limit 1, the router alert option, a link-local source or :: (RFC 9777 §5, §5.2.13). */
function emit6(ip: IpLayer, linkId: number, dst: number[], message: Uint8Array): void {
  const n = message.length;
  const l4 = begin(ip, 6, HOP_BY_HOP.length + n);
  const { u8 } = ip.slab;
  const tx = ip.tx;
  const src = sourceOn(ip, linkId, 6);
  u8.set(HOP_BY_HOP, l4);
  const at = l4 + HOP_BY_HOP.length;
  u8.set(message, at);
  u8.fill(0, at + 2, at + 4);
  tx.reset();
  tx.protocol = ipv6.Next.HOP_BY_HOP;
  tx.tos = 0;
  tx.ttl = 1;
  tx.src0 = src?.a ?? 0;
  tx.src1 = src?.b ?? 0;
  tx.src2 = src?.c ?? 0;
  tx.src3 = src?.d ?? 0;
  [tx.dst0, tx.dst1, tx.dst2, tx.dst3] = dst as [number, number, number, number];
  sealIcmp6(ip, at, n);
  path.family = 6;
  path.linkId = linkId;
  path.mtu = ip.links[linkId]?.mtu ?? 0;
  path.dstKind = DstKind.MULTICAST;
  if (send(ip, path, HOP_BY_HOP.length + n) === 0) count(ip, Ctr.Icmp6OutMsgs);
}

function sourceOn(ip: IpLayer, linkId: number, family: 4 | 6): Address | null {
  for (const { linkId: on, address, all } of ip.addresses.list) {
    if (on !== linkId || address.family !== family) continue;
    if (family === 4) return all ? hostOf(ip, linkId) : address;
    if (isLinkLocal(address.a, address.b, address.c, address.d)) return address;
  }
  return null;
}

function hostOf(ip: IpLayer, linkId: number): Address {
  return ip.addresses.sourceFor(linkId, 0, 0, 0xffff, ALL_IGMPV3) ?? fromV4(0);
}
