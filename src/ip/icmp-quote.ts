// What an ICMP error quotes of the packet that it is about.

import { type Rx, RxFlag } from '../base/rx.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import type { IpLayer } from './ip.ts';

/** A quote shows the checksum as the wire would have: one left to the link is completed first. */
export function completePartial(ip: IpLayer, rx: Rx): void {
  if ((rx.flags & RxFlag.NEEDS_CSUM) === 0 || rx.gsoSize !== 0) return;
  let field = 0;
  if (rx.protocol === ipv4.Proto.UDP && rx.l4Len >= udp.HEADER) field = udp.Offset.CHECKSUM;
  else if (rx.protocol === ipv4.Proto.TCP && rx.l4Len >= tcp.HEADER_LEN)
    field = tcp.CHECKSUM_OFFSET;
  if (field === 0) return;
  const value = checksum.finish(ip.sum(rx.l4Off, rx.l4Len, 0));
  const zero = value === 0 && rx.protocol === ipv4.Proto.UDP;
  rx.view.setUint16(rx.l4Off + field, zero ? 0xffff : value);
  rx.flags &= ~RxFlag.NEEDS_CSUM;
}
