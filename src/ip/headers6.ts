// The chain of IPv6 extension headers (RFC 8200 §4): in any order and number within bounds of our
// own, options by their action bits, routing headers only to be refused, one Fragment header.
// @hot

import { Drop } from '../base/drop.ts';
import { DstKind, type Rx } from '../base/rx.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { sendError6 } from './icmp6-send.ts';
import { drop, type IpLayer, Verdict } from './ip.ts';
import { reassemble6 } from './reassemble6.ts';

/** What a chain may hold: more is no traffic but a burden (RFC 8504 §5.3 allows such limits). */
const MAX_HEADERS = 8;
const MAX_OCTETS = 512;
const PAD1 = 0;

/**
 * Walks from `rx.protocol` at `rx.l4Off` to the transport header, which `rx` describes afterwards.
 * DELIVER, or DONE: dropped (and answered where RFC 8200 says so), or kept as a fragment.
 */
export function walkHeaders(ip: IpLayer, rx: Rx): Verdict {
  let octets = 0;
  let first = true;
  let whole = true;
  for (let n = 0; n <= MAX_HEADERS; n++) {
    const header = rx.protocol;
    if (!isExtension(header)) return Verdict.DELIVER;
    if (header === ipv6.Next.NONE) return drop(ip, rx, Drop.IP_NOPROTO);
    // Only the first header may be a Hop-by-Hop one; later it is an unknown protocol (§4.1).
    if (header === ipv6.Next.HOP_BY_HOP && !first) {
      return problem(ip, rx, icmp6.Problem.NEXT_HEADER, rx.protocolAt);
    }
    first = false;
    if (header === ipv6.Next.FRAGMENT) {
      if (rx.l4Len < ipv6.FRAGMENT_HEADER) return malformed(ip, rx);
      // Fragments within fragments slip past whoever reassembles once.
      if (!whole) return malformed(ip, rx);
      whole = false;
      const verdict = reassemble6(ip, rx);
      if (verdict !== Verdict.DELIVER) return verdict;
      continue;
    }
    if (rx.l4Len < 8) return malformed(ip, rx);
    const len = ((rx.u8[rx.l4Off + 1] as number) + 1) << 3;
    octets += len;
    if (len > rx.l4Len || octets > MAX_OCTETS) return malformed(ip, rx);
    const verdict =
      header === ipv6.Next.ROUTING
        ? routing(ip, rx)
        : options(ip, rx, rx.l4Off + 2, rx.l4Off + len);
    if (verdict !== Verdict.DELIVER) return verdict;
    step(rx, rx.l4Off, len);
  }
  return malformed(ip, rx);
}

export function isExtension(header: number): boolean {
  return (
    header === ipv6.Next.HOP_BY_HOP ||
    header === ipv6.Next.DESTINATION ||
    header === ipv6.Next.ROUTING ||
    header === ipv6.Next.FRAGMENT ||
    header === ipv6.Next.NONE
  );
}

/** The header that starts at `at` names its follower in its first octet. */
export function step(rx: Rx, at: number, len: number): void {
  rx.protocol = rx.u8[at] as number;
  rx.protocolAt = at;
  rx.l4Off = at + len;
  rx.l4Len = rx.off + rx.len - rx.l4Off;
  rx.ipHeaderLen = rx.l4Off - rx.off;
}

/** RFC 8200 §4.2: an unknown option says itself what is to become of its packet. */
export function options(ip: IpLayer, rx: Rx, from: number, to: number): Verdict {
  const u8 = rx.u8;
  let i = from;
  while (i < to) {
    const kind = u8[i] as number;
    if (kind === PAD1) {
      i++;
      continue;
    }
    if (i + 2 > to) return malformed(ip, rx);
    const next = i + 2 + (u8[i + 1] as number);
    if (next > to) return malformed(ip, rx);
    const action = kind >>> 6;
    // 00: skip it. Router alerts and padding are among these; what they ask for, hosts do not do.
    if (action === 1) return drop(ip, rx, Drop.IPV6_BAD_EXTHDR);
    if (action === 2 || (action === 3 && rx.dstKind === DstKind.UNICAST)) {
      return problem(ip, rx, icmp6.Problem.OPTION, i);
    }
    if (action === 3) return drop(ip, rx, Drop.IPV6_BAD_EXTHDR);
    i = next;
  }
  return Verdict.DELIVER;
}

/** RFC 8200 §4.4, RFC 5095: no routing type is known here, type 0 least of all. */
function routing(ip: IpLayer, rx: Rx): Verdict {
  if ((rx.u8[rx.l4Off + 3] as number) === 0) return Verdict.DELIVER;
  return problem(ip, rx, icmp6.Problem.HEADER, rx.l4Off + 2);
}

function malformed(ip: IpLayer, rx: Rx): Verdict {
  return drop(ip, rx, Drop.IPV6_BAD_EXTHDR);
}

/** Parameter Problem that points at the octet `at` of the slab. */
function problem(ip: IpLayer, rx: Rx, code: number, at: number): Verdict {
  sendError6(ip, rx, icmp6.Type.PARAM_PROBLEM, code, at - rx.off);
  return drop(ip, rx, Drop.IPV6_BAD_EXTHDR);
}
