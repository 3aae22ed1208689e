// A packet that found no neighbour is answered with an ICMP error (RFC 4861 §7.2.2, RFC 1812
// §5.2.7.1). One of ours comes back over the stack's own loopback, as with Linux, so that
// transports hear of it as of every other error; the sender of one passed on is told. COLD.

import { DstKind, RxFlag } from '../base/rx.ts';
import { TxFlag } from '../base/tx.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { NOT_OURS } from './addresses.ts';
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
  rx.gsoType = 0;
  rx.gsoSize = 0;
  rx.dstKind = DstKind.UNICAST;
  if (packet.family === 6) {
    describe6(rx);
    rx.len = Math.min(rx.len, len);
    rx.flags = flagsOf(ip, packet);
    sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.ADDRESS, 0);
    return;
  }
  describe(rx, ipv4.headerLen(rx.u8, off));
  rx.len = Math.min(rx.len, len);
  rx.flags = flagsOf(ip, packet);
  sendError(ip, rx, icmp4.Type.DEST_UNREACH, icmp4.Unreach.HOST, 0);
}

function flagsOf({ addresses, rx }: IpLayer, packet: Waiting): number {
  const { src0, src1, src2, src3 } = rx;
  if (addresses.kindOf(src0, src1, src2, src3) !== NOT_OURS) return RxFlag.LOOPBACK;
  // Of a longer one the octets that its checksum needs are not here.
  const isPartial = (packet.flags & TxFlag.NEEDS_CSUM) !== 0 && packet.octets.length <= QUOTED;
  return RxFlag.TRANSIT | (isPartial ? RxFlag.NEEDS_CSUM : 0);
}
