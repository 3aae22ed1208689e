// An IPv4 fragment arrives (RFC 791 §3.2, RFC 1122 §3.3.2): kept, refused, or the last one missing.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { sendError } from './icmp-send.ts';
import { describe } from './input4.ts';
import { count, type IpLayer, Verdict } from './ip.ts';
import { admit, complete, expire, refuse } from './reassemble.ts';

/**
 * Takes the fragment that `rx` describes. DELIVER: it was the last one missing, and `rx` describes
 * the whole datagram in the scratch. DONE: kept or dropped.
 */
export function reassemble4(ip: IpLayer, rx: Rx): Verdict {
  count(ip, Ctr.IpReasmReqds);
  const store = ip.reassembly;
  const head = store.head;
  head.id = ipv4.id(rx.u8, rx.off);
  head.protocol = rx.protocol;
  head.offset = ipv4.fragmentOffset(rx.u8, rx.off);
  head.more = (ipv4.fragmentWord(rx.u8, rx.off) & ipv4.MF) !== 0;
  head.kept = rx.l4Off - rx.off;
  if (rx.l4Len === 0 || (head.more && (rx.l4Len & 7) !== 0)) {
    return refuse(ip, rx, store, Drop.IP_INHDR);
  }
  // The whole would be longer than any datagram: the "ping of death".
  if (head.offset + rx.len > ipv4.MAX_PACKET) return refuse(ip, rx, store, Drop.PKT_TOO_BIG);
  const d = admit(ip, rx, store);
  if (d === null || complete(ip, rx, store, d) === 0) return Verdict.DONE;
  describe(rx, d.kept);
  return Verdict.DELIVER;
}

export function expire4(ip: IpLayer): void {
  if (ip.reassembly.datagrams > 0) expire(ip, ip.reassembly, tellSender);
}

/** RFC 1122 §3.3.2, RFC 792: Time Exceeded, code 1. */
function tellSender(ip: IpLayer, len: number): void {
  const rx = ip.rx;
  describe(rx, ipv4.headerLen(rx.u8, rx.off));
  rx.len = len;
  rx.l4Len = len - rx.ipHeaderLen;
  rx.dstKind = ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  sendError(ip, rx, icmp4.Type.TIME_EXCEEDED, icmp4.Exceeded.REASSEMBLY, 0);
}
