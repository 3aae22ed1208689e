// An IPv6 fragment arrives (RFC 8200 §4.5, RFC 5722, RFC 6946, RFC 7112): kept, refused, or the
// last one missing. A fragment that is whole in itself is no fragment.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isExtension, step } from './headers6.ts';
import { sendError6 } from './icmp6-send.ts';
import { describe6 } from './input6.ts';
import { count, type IpLayer, Verdict } from './ip.ts';
import { admit, complete, expire, refuse } from './reassemble.ts';

const OFFSET_MASK = 0xfff8;
const MORE = 1;
/** Most headers looked at behind a first fragment's Fragment header. */
const MAX_HEADERS = 8;

/**
 * Takes the fragment whose Fragment header stands at `rx.l4Off`. DELIVER: `rx` describes what
 * follows that header, in this packet or in the whole datagram in the scratch.
 */
export function reassemble6(ip: IpLayer, rx: Rx): Verdict {
  const at = rx.l4Off;
  const word = rx.view.getUint16(at + ipv6.Fragment.OFFSET);
  const namedAt = rx.protocolAt;
  // RFC 6946 §4: an atomic fragment is not matched against others.
  if ((word & (OFFSET_MASK | MORE)) === 0) {
    step(rx, at, ipv6.FRAGMENT_HEADER);
    return Verdict.DELIVER;
  }
  count(ip, Ctr.Ip6ReasmReqds);
  const store = ip.reassembly6;
  if (rx.gsoSize !== 0) return refuse(ip, rx, store, Drop.BAD_META);
  const head = store.head;
  head.id = rx.view.getInt32(at + ipv6.Fragment.ID);
  head.protocol = 0;
  head.offset = word & OFFSET_MASK;
  head.more = (word & MORE) !== 0;
  head.kept = at - rx.off;
  head.nextAt = namedAt - rx.off;
  head.nextHeader = rx.u8[at] as number;
  step(rx, at, ipv6.FRAGMENT_HEADER);
  if (head.more && (rx.l4Len & 7) !== 0) return problem(ip, rx, ipv6.Offset.PAYLOAD_LENGTH);
  if (rx.l4Len === 0) return refuse(ip, rx, store, Drop.IP_INHDR);
  const end = head.kept - ipv6.HEADER + head.offset + rx.l4Len;
  if (end > 65_535) return problem(ip, rx, at + ipv6.Fragment.OFFSET - rx.off);
  if (head.offset === 0 && !holdsChain(rx)) {
    sendError6(ip, rx, icmp6.Type.PARAM_PROBLEM, icmp6.Problem.FIRST_FRAGMENT, 0);
    return refuse(ip, rx, store, Drop.IPV6_BAD_EXTHDR);
  }
  const d = admit(ip, rx, store);
  if (d === null || complete(ip, rx, store, d) === 0) return Verdict.DONE;
  describe6(rx);
  rx.protocol = d.nextHeader;
  rx.protocolAt = rx.off + d.nextAt;
  rx.l4Off = rx.off + d.kept;
  rx.l4Len = rx.len - d.kept;
  rx.ipHeaderLen = d.kept;
  return Verdict.DELIVER;
}

/** RFC 7112 §5: the first fragment holds every header up to the transport's, and that one, too. */
function holdsChain(rx: Rx): boolean {
  const u8 = rx.u8;
  const end = rx.l4Off + rx.l4Len;
  let next = rx.protocol;
  let at = rx.l4Off;
  for (let n = 0; n < MAX_HEADERS && isExtension(next); n++) {
    if (next === ipv6.Next.NONE) return true;
    if (at + 8 > end) return false;
    const len = next === ipv6.Next.FRAGMENT ? 8 : ((u8[at + 1] as number) + 1) << 3;
    next = u8[at] as number;
    at += len;
  }
  if (next === ipv6.Next.TCP) {
    return at + 20 <= end && at + (((u8[at + 12] as number) >>> 4) << 2) <= end;
  }
  return at + (next === ipv6.Next.UDP || next === ipv6.Next.ICMP ? 8 : 0) <= end;
}

function problem(ip: IpLayer, rx: Rx, pointer: number): Verdict {
  sendError6(ip, rx, icmp6.Type.PARAM_PROBLEM, icmp6.Problem.HEADER, pointer);
  return refuse(ip, rx, ip.reassembly6, Drop.PKT_TOO_BIG);
}

export function expire6(ip: IpLayer): void {
  if (ip.reassembly6.datagrams > 0) expire(ip, ip.reassembly6, tellSender);
}

/** RFC 8200 §4.5: Time Exceeded, code 1, when the first fragment was there. */
function tellSender(ip: IpLayer, len: number): void {
  const rx = ip.rx;
  describe6(rx);
  rx.len = len;
  rx.l4Len = len - rx.ipHeaderLen;
  rx.dstKind = ip.addresses.kindOf(rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  sendError6(ip, rx, icmp6.Type.TIME_EXCEEDED, icmp6.Exceeded.REASSEMBLY, 0);
}
