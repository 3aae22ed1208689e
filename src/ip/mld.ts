// Multicast Listener Discovery arrives (RFC 9777 §6.2, §8, RFC 2710): queries of both versions, and
// other hosts' reports of the first. What we send is group-report.ts.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import { Address, isLinkLocal, isMulticast, isUnspecified } from '../wire/address.ts';
import { fromCode } from '../wire/igmp.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as mld from '../wire/mld.ts';
import { queried, reported } from './group-answers.ts';
import { groupLink } from './group-changes.ts';
import { Compat } from './groups.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';

const { QUERY, REPORT1, DONE, REPORT2 } = mld.Type;

export function isMld(type: number): boolean {
  return type === QUERY || type === REPORT1 || type === DONE || type === REPORT2;
}

/** An MLD message whose ICMPv6 checksum is right. */
export function input(ip: IpLayer, rx: Rx): Verdict {
  if ((rx.flags & RxFlag.LOOPBACK) !== 0) return drop(ip, rx, Drop.POLICY);
  // RFC 9777 §6.2, RFC 2710 §3: a hop limit of 1, from a link-local address, with a router alert.
  if (rx.ttl !== 1) return drop(ip, rx, Drop.IP_TTL);
  const local = isLinkLocal(rx.src0, rx.src1, rx.src2, rx.src3);
  const type = rx.u8[rx.l4Off] as number;
  if (!local) return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  if (!hasRouterAlert(rx)) return drop(ip, rx, Drop.INVALID_PROTO);
  if (type === QUERY) return query(ip, rx);
  if (type !== REPORT1) return drop(ip, rx, Drop.UNHANDLED_PROTO);
  if (rx.l4Len < mld.MESSAGE1) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  count(ip, Ctr.Icmp6InGroupMembResponses);
  reported(ip, groupLink(ip, rx.linkId, 6), address(rx, mld.Offset.GROUP));
  return Verdict.DONE;
}

function query(ip: IpLayer, rx: Rx): Verdict {
  const { u8, view, l4Off: at } = rx;
  const version = mld.queryVersion(rx.l4Len);
  if (version === 0) return drop(ip, rx, Drop.INVALID_PROTO);
  const group = address(rx, mld.Offset.GROUP);
  const { a, b, c, d } = group;
  const isGeneral = isUnspecified(a, b, c, d);
  if (!isGeneral && !isMulticast(a, b, c, d)) return drop(ip, rx, Drop.INVALID_PROTO);
  const current = version === 2;
  const n = current ? view.getUint16(at + mld.Offset.QUERY_SOURCES) : 0;
  if (current && mld.QUERY2 + 16 * n > rx.l4Len) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  count(ip, Ctr.Icmp6InGroupMembQueries);
  const code = view.getUint16(at + mld.Offset.MAX_RESPONSE);
  const tooMany = n > ip.config.groupMaxSources;
  const sources: Address[] = [];
  for (let i = 0; i < n && !tooMany; i++) sources.push(address(rx, mld.QUERY2 + 16 * i));
  queried(ip, groupLink(ip, rx.linkId, 6), {
    group: isGeneral ? null : group,
    sources,
    tooMany,
    maxMs: current ? mld.fromCode(code) : code,
    // Version 1 of MLD is version 2 of IGMP: reports, and a word when the last one leaves.
    compat: current ? Compat.CURRENT : Compat.V2,
    robustness: current ? (u8[at + mld.Offset.RESV_S_QRV] as number) & 7 : 0,
    intervalMs: current ? fromCode(u8[at + mld.Offset.QQIC] as number) * 1000 : 0,
  });
  return Verdict.DONE;
}

function address(rx: Rx, offset: number): Address {
  const at = rx.l4Off + offset;
  const { view } = rx;
  return new Address(
    view.getInt32(at),
    view.getInt32(at + 4),
    view.getInt32(at + 8),
    view.getInt32(at + 12),
  );
}

/** The header has been walked (ip/headers6.ts): its lengths are right. */
function hasRouterAlert(rx: Rx): boolean {
  const { u8, off } = rx;
  if (ipv6.nextHeader(u8, off) !== ipv6.Next.HOP_BY_HOP) return false;
  let at = off + ipv6.HEADER + 2;
  const end = off + ipv6.HEADER + (((u8[off + ipv6.HEADER + 1] as number) + 1) << 3);
  while (at < end) {
    const kind = u8[at] as number;
    if (kind === mld.ROUTER_ALERT) return true;
    at += kind === 0 ? 1 : 2 + (u8[at + 1] as number);
  }
  return false;
}
