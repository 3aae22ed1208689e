// IGMP arrives (RFC 9776 §5.2, §7, RFC 2236, RFC 1112 appendix I): queries of all three versions,
// and other hosts' reports. What we send is group-report.ts.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import { type Address, fromV4 } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as igmp from '../wire/igmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { queried, reported } from './group-answers.ts';
import { groupLink } from './group-changes.ts';
import { Compat } from './groups.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';

/** RFC 2236 §4: what a query of version 1 leaves open, ms. */
const MAX_RESPONSE1_MS = 10_000;

export function input(ip: IpLayer, rx: Rx): Verdict {
  const { u8, l4Off: at, l4Len: len } = rx;
  // Our own come back over loopback only when somebody sends them there.
  if ((rx.flags & RxFlag.LOOPBACK) !== 0) return drop(ip, rx, Drop.POLICY);
  if (len < igmp.HEADER) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  if (checksum.fold(ip.sum(at, len, 0)) !== 0xffff) return drop(ip, rx, Drop.IGMP_CSUM);
  // Every message has a TTL of 1 (RFC 9776 §4): with another one it is not from this link.
  if (rx.ttl !== 1) return drop(ip, rx, Drop.IP_TTL);
  const type = u8[at] as number;
  if (type === igmp.Type.QUERY) return query(ip, rx);
  if (type === igmp.Type.REPORT1 || type === igmp.Type.REPORT2) {
    count(ip, Ctr.PortsideIgmpInReports);
    reported(ip, groupLink(ip, rx.linkId, 4), group(rx));
    return Verdict.DONE;
  }
  // RFC 9776 §4: others' reports of version 3, leaves and unknown types are ignored.
  return drop(ip, rx, Drop.UNHANDLED_PROTO);
}

function group(rx: Rx): Address {
  return fromV4(rx.view.getInt32(rx.l4Off + igmp.Offset.GROUP));
}

function query(ip: IpLayer, rx: Rx): Verdict {
  const { u8, l4Off: at } = rx;
  const code = u8[at + igmp.Offset.CODE] as number;
  const version = igmp.queryVersion(rx.l4Len, code);
  // RFC 9776 §7.1: lengths between those of the versions are silently ignored.
  if (version === 0) return drop(ip, rx, Drop.INVALID_PROTO);
  // RFC 9776 §9.1: without the option a query may be forged from afar.
  if (version > 1 && !hasRouterAlert(rx)) return drop(ip, rx, Drop.INVALID_PROTO);
  const asked = group(rx);
  const isGeneral = asked.d === 0;
  if (!isGeneral && asked.d >>> 28 !== 14) return drop(ip, rx, Drop.INVALID_PROTO);
  const current = version === 3;
  const n = current ? rx.view.getUint16(at + igmp.Offset.QUERY_SOURCES) : 0;
  if (igmp.QUERY3 + 4 * n > rx.l4Len && current) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  count(ip, Ctr.PortsideIgmpInQueries);
  const tenths = current ? igmp.fromCode(code) : code;
  const tooMany = n > ip.config.groupMaxSources;
  queried(ip, groupLink(ip, rx.linkId, 4), {
    group: isGeneral ? null : asked,
    sources: tooMany ? [] : sources(rx, n),
    tooMany,
    maxMs: version === 1 ? MAX_RESPONSE1_MS : tenths * 100,
    compat: version === 1 ? Compat.V1 : version === 2 ? Compat.V2 : Compat.CURRENT,
    robustness: current ? (u8[at + igmp.Offset.RESV_S_QRV] as number) & 7 : 0,
    intervalMs: current ? igmp.fromCode(u8[at + igmp.Offset.QQIC] as number) * 1000 : 0,
  });
  return Verdict.DONE;
}

function sources(rx: Rx, n: number): Address[] {
  const out: Address[] = [];
  for (let i = 0; i < n; i++) {
    out.push(fromV4(rx.view.getInt32(rx.l4Off + igmp.QUERY3 + 4 * i)));
  }
  return out;
}

/** The options have been walked (ip/input4.ts): their lengths are right. */
function hasRouterAlert(rx: Rx): boolean {
  const end = rx.off + ipv4.headerLen(rx.u8, rx.off);
  let at = rx.off + ipv4.MIN_HEADER;
  while (at < end) {
    const type = rx.u8[at] as number;
    if (type === igmp.ROUTER_ALERT >>> 24) return true;
    if (type === 0) return false;
    at += type === 1 ? 1 : Math.max(2, rx.u8[at + 1] as number);
  }
  return false;
}
