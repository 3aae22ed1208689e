// Another address and port in a packet (RFC 3022 §4.1): both checksums follow from what they were
// (RFC 1624). A partial checksum, which a link will complete, covers the pseudo-header alone, and
// is a sum and not its complement.
// @hot

import { type Rx, RxFlag } from '../base/rx.ts';
import { fold } from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';

/** Puts `addr` and `port` (of ICMP: the query's id) in the place of the source. */
export function rewriteSource(rx: Rx, addr: number, port: number): void {
  rewrite(rx, ipv4.Offset.SRC, addr, port);
  rx.src3 = addr;
}

export function rewriteDestination(rx: Rx, addr: number, port: number): void {
  rewrite(rx, ipv4.Offset.DST, addr, port);
  rx.dst3 = addr;
}

function rewrite(rx: Rx, field: number, addr: number, port: number): void {
  const view = rx.view;
  const at = rx.off + field;
  const was = view.getInt32(at);
  const moved = swapped(was, addr);
  view.setInt32(at, addr);
  const header = rx.off + ipv4.Offset.CHECKSUM;
  view.setUint16(header, updated(view.getUint16(header), moved));
  const l4 = rx.l4Off;
  if (rx.protocol === ipv4.Proto.ICMP) {
    const id = l4 + icmp4.Offset.ID;
    const sum = l4 + icmp4.Offset.CHECKSUM;
    view.setUint16(sum, updated(view.getUint16(sum), swapped(view.getUint16(id), port)));
    view.setUint16(id, port);
    return;
  }
  const portAt = field === ipv4.Offset.SRC ? l4 : l4 + 2;
  const isUdp = rx.protocol === ipv4.Proto.UDP;
  const sum = l4 + (isUdp ? udp.Offset.CHECKSUM : tcp.CHECKSUM_OFFSET);
  const check = view.getUint16(sum);
  if ((rx.flags & RxFlag.NEEDS_CSUM) !== 0) {
    view.setUint16(sum, fold(check + moved));
  } else if (!isUdp || check !== 0) {
    // RFC 768: no checksum stays none, and a computed zero is sent as all ones.
    const value = updated(check, moved + swapped(view.getUint16(portAt), port));
    view.setUint16(sum, isUdp && value === 0 ? 0xffff : value);
  }
  view.setUint16(portAt, port);
}

/** What a sum of words changes by, as a sum: the old ones' complement and the new ones. */
export function swapped(was: number, is: number): number {
  const old = (~was & 0xffff) + ((~was >>> 16) & 0xffff);
  return old + (is & 0xffff) + (is >>> 16);
}

/** RFC 1624 equation 3. */
export function updated(check: number, change: number): number {
  return ~fold((~check & 0xffff) + change) & 0xffff;
}
