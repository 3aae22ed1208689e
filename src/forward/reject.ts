// A packet that a filter has refused is answered: "administratively prohibited" (RFC 1812 §5.2.7.1
// code 13, RFC 4443 §3.1 code 1), or for TCP a reset as its destination would send it (RFC 9293
// §3.10.7.1).

import { type Rx, RxFlag } from '../base/rx.ts';
import { sendError } from '../ip/icmp-send.ts';
import { sendError6 } from '../ip/icmp6-send.ts';
import type { IpLayer } from '../ip/ip.ts';
import { aim, begin, selectPath, send } from '../ip/output.ts';
import { Path } from '../ip/path.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as icmp6 from '../wire/icmp6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import { Ruling } from './packet-view.ts';

/** RFC 1812 §5.2.7.1. */
const PROHIBITED = 13;

const path = new Path();

export function reject(ip: IpLayer, rx: Rx, ruling: number): void {
  if (ruling === Ruling.RESET && rx.protocol === ipv4.Proto.TCP) {
    reset(ip, rx);
    return;
  }
  if (rx.family === 6) sendError6(ip, rx, icmp6.Type.DEST_UNREACH, icmp6.Unreach.PROHIBITED, 0);
  else sendError(ip, rx, icmp4.Type.DEST_UNREACH, PROHIBITED, 0);
}

function reset(ip: IpLayer, rx: Rx): void {
  const { view } = rx;
  const later = rx.family === 4 && ipv4.fragmentOffset(rx.u8, rx.off) !== 0;
  if (later || !tcp.check(view, rx.l4Off, rx.l4Len)) return;
  const flags = tcp.flags(view, rx.l4Off);
  const group = (rx.flags & RxFlag.LINK_BROADCAST) !== 0 || rx.dstKind !== 0;
  if (group || (flags & tcp.Flag.RST) !== 0) return;
  path.dst0 = rx.src0;
  path.dst1 = rx.src1;
  path.dst2 = rx.src2;
  path.dst3 = rx.src3;
  path.anySource = true;
  path.wantLink = -1;
  if (selectPath(ip, path) !== 0 || path.local) return;
  // In the destination's name: it may be another host's.
  path.src0 = rx.dst0;
  path.src1 = rx.dst1;
  path.src2 = rx.dst2;
  path.src3 = rx.dst3;
  const hasAck = (flags & tcp.Flag.ACK) !== 0;
  const marks = (flags & tcp.Flag.SYN ? 1 : 0) + (flags & tcp.Flag.FIN ? 1 : 0);
  const payload = rx.l4Len - tcp.headerLen(view, rx.l4Off);
  const seq = hasAck ? tcp.ack(view, rx.l4Off) : 0;
  const ack = hasAck ? 0 : (tcp.seq(view, rx.l4Off) + payload + marks) | 0;
  const ports = view.getUint32(rx.l4Off);
  const l4 = begin(ip, rx.family, tcp.HEADER_LEN);
  const out = ip.slab.view;
  out.setUint32(l4, ((ports & 0xffff) << 16) | (ports >>> 16));
  out.setInt32(l4 + 4, seq);
  out.setInt32(l4 + 8, ack);
  out.setUint16(l4 + 12, 0x5000 | tcp.Flag.RST | (hasAck ? 0 : tcp.Flag.ACK));
  out.setUint16(l4 + 14, 0);
  out.setInt32(l4 + 16, 0);
  const tx = ip.tx;
  tx.reset();
  tx.protocol = ipv4.Proto.TCP;
  tx.tos = 0;
  tx.ttl = ip.config.defaultTtl;
  tx.csumOffset = tcp.CHECKSUM_OFFSET;
  aim(ip, path);
  send(ip, path, tcp.HEADER_LEN);
}
