// An ICMP error about a translated packet (RFC 5508 §4, RFC 5382 REQ-9): its own addresses and what
// it quotes are put back to what the receiver knows.

import type { Rx } from '../base/rx.ts';
import { isError } from '../ip/icmp-error.ts';
import { finish, fold } from '../wire/checksum.ts';
import * as icmp4 from '../wire/icmp4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import type { Nat } from './nat.ts';
import { swapped, updated } from './rewrite.ts';

export { isError as isIcmpError };

/** RFC 792: the header and the first 64 bits of what the error is about. */
const LEAST_QUOTE = 8;

/**
 * Translates the error in `rx` when it is about a connection that is followed; whether it was. What
 * is damaged or about something else stays as it is.
 */
export function translateError(nat: Nat, rx: Rx): boolean {
  const { u8, view } = rx;
  const quote = rx.l4Off + icmp4.HEADER;
  const room = rx.l4Len - icmp4.HEADER;
  if (room < ipv4.MIN_HEADER || ipv4.version(u8, quote) !== 4) return false;
  const header = ipv4.headerLen(u8, quote);
  if (header < ipv4.MIN_HEADER || header + LEAST_QUOTE > room) return false;
  if (ipv4.fragmentOffset(u8, quote) !== 0) return false;
  // RFC 5508 REQ-3: a wrong checksum is not made right by being translated.
  if (fold(nat.ip.sum(rx.l4Off, rx.l4Len, 0)) !== 0xffff) return false;
  const protocol = ipv4.protocol(u8, quote);
  const l4 = quote + header;
  const ports = portsOf(rx, protocol, l4);
  if (ports < 0) return false;
  const turned = ((ports & 0xffff) << 16) | (ports >>> 16);
  // The quoted packet left as the mirror image of what its connection's other direction brings.
  const src = ipv4.src(u8, quote);
  const id = nat.track.find(protocol, ipv4.dst(u8, quote), src, turned | 0);
  if (id < 0) return false;
  const other = id ^ 1;
  const { track } = nat;
  const outer = { src: rx.src3, dst: rx.dst3 };
  if (track.dst(id) !== track.src(other)) outer.dst = track.src(other);
  // An inside router's address says nothing outside (RFC 5508 REQ-5).
  if (track.src(id) !== track.dst(other)) outer.src = track.dst(other);
  // The transport's checksum covers the quoted addresses, too.
  const change = swapped(src, track.src(other)) + swapped(ipv4.dst(u8, quote), track.dst(other));
  putAddress(rx, quote, ipv4.Offset.SRC, track.src(other));
  putAddress(rx, quote, ipv4.Offset.DST, track.dst(other));
  const end = rx.l4Off + rx.l4Len;
  if (protocol === ipv4.Proto.ICMP) putId(rx, l4, track.ports(other) & 0xffff);
  else putPorts(rx, protocol, { l4, end, ports: track.ports(other), change });
  view.setUint16(rx.l4Off + icmp4.Offset.CHECKSUM, 0);
  const sum = finish(nat.ip.sum(rx.l4Off, rx.l4Len, 0));
  view.setUint16(rx.l4Off + icmp4.Offset.CHECKSUM, sum);
  putAddress(rx, rx.off, ipv4.Offset.SRC, outer.src);
  putAddress(rx, rx.off, ipv4.Offset.DST, outer.dst);
  rx.src3 = outer.src;
  rx.dst3 = outer.dst;
  return true;
}

/** Ports of the quoted packet as an unsigned word, of a query its id twice; -1: none of ours. */
function portsOf(rx: Rx, protocol: number, l4: number): number {
  if (protocol === ipv4.Proto.TCP || protocol === ipv4.Proto.UDP) return rx.view.getUint32(l4);
  if (protocol !== ipv4.Proto.ICMP || !icmp4.isQuery(icmp4.type(rx.u8, l4))) return -1;
  return icmp4.echoId(rx.u8, l4) * 65_537;
}

/** The quoted header's checksum is only ever as right as it came. */
function putAddress(rx: Rx, header: number, field: number, addr: number): void {
  const { view } = rx;
  const at = header + field;
  const sum = header + ipv4.Offset.CHECKSUM;
  view.setUint16(sum, updated(view.getUint16(sum), swapped(view.getInt32(at), addr)));
  view.setInt32(at, addr);
}

function putId(rx: Rx, l4: number, id: number): void {
  const { view } = rx;
  const sum = l4 + icmp4.Offset.CHECKSUM;
  const change = swapped(view.getUint16(l4 + icmp4.Offset.ID), id);
  view.setUint16(sum, updated(view.getUint16(sum), change));
  view.setUint16(l4 + icmp4.Offset.ID, id);
}

interface NewPorts {
  readonly l4: number;
  /** Octet behind the quote. */
  readonly end: number;
  readonly ports: number;
  /** By what the pseudo-header's sum changes. */
  readonly change: number;
}

function putPorts(rx: Rx, protocol: number, to: NewPorts): void {
  const { view } = rx;
  const isTcp = protocol === ipv4.Proto.TCP;
  const at = to.l4 + (isTcp ? tcp.CHECKSUM_OFFSET : udp.Offset.CHECKSUM);
  const was = view.getInt32(to.l4);
  view.setInt32(to.l4, to.ports);
  if (at + 2 > to.end) return;
  const check = view.getUint16(at);
  // RFC 768: no checksum stays none.
  if (!isTcp && check === 0) return;
  const value = updated(check, to.change + swapped(was, to.ports));
  view.setUint16(at, !isTcp && value === 0 ? 0xffff : value);
}
