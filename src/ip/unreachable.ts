// A packet of ours that found no neighbour comes back as an ICMP error from ourselves (RFC 4861
// §7.2.2, as Linux does for IPv4, too): over the stack's own loopback, so that transports hear of
// it the way they hear of every other error. COLD.

import { DstKind, RxFlag } from '../base/rx.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { sendError } from './icmp-send.ts';
import { sendError6 } from './icmp6-send.ts';
import { describe } from './input4.ts';
import { describe6 } from './input6.ts';
import { flushLinks, type IpLayer } from './ip.ts';
import type { Waiting } from './neighbor.ts';

/** As much as the longest quote of either family. */
const QUOTED = ipv6.MIN_MTU;
/** The quote, and the message that is made of it. */
const ROOM = 8192;

export function unreachable(ip: IpLayer, packet: Waiting): void {
  if (ip.arena.size - ip.arena.used < ROOM) flushLinks(ip);
  const { rx } = ip;
  const { octets } = packet;
  const len = Math.min(octets.length, QUOTED);
  const off = ip.arena.take(len);
  if (off < 0) return;
  ip.slab.u8.set(octets.subarray(0, len), off);
  rx.linkId = 0;
  rx.off = off;
  rx.len = len;
  rx.flags = RxFlag.LOOPBACK;
  rx.gsoType = 0;
  rx.gsoSize = 0;
  rx.dstKind = DstKind.UNICAST;
  if (packet.family === 6) {
    describe6(rx);
    rx.len = Math.min(rx.len, len);
    sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.ADDRESS, 0);
    return;
  }
  describe(rx, ipv4.headerLen(rx.u8, off));
  rx.len = Math.min(rx.len, len);
  sendError(ip, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.HOST, 0);
}
