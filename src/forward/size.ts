// How large a super-segment's packets are on the wire.
// @hot

import { GsoType, type Rx } from '../base/rx.ts';

const UDP_HEADER = 8;

/** Whether the segments of the super-segment in `rx` are TCP's. */
export function isTcpGso(rx: Rx): boolean {
  return rx.gsoType === GsoType.TCPV4 || rx.gsoType === GsoType.TCPV6;
}

/** Octets of the transport header at `rx.l4Off`; 0 when it does not lie in the packet. */
export function transportHeaderLen(rx: Rx): number {
  const len = isTcpGso(rx) ? tcpHeaderLen(rx) : UDP_HEADER;
  return len <= rx.l4Len ? len : 0;
}

function tcpHeaderLen(rx: Rx): number {
  return rx.l4Len < 20 ? 65_536 : ((rx.u8[rx.l4Off + 12] as number) >>> 4) << 2;
}

/** Octets of the largest packet that a super-segment is cut into. */
export function segmentLen(rx: Rx): number {
  return rx.l4Off - rx.off + transportHeaderLen(rx) + rx.gsoSize;
}
