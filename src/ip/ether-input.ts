// A frame arrives on an Ethernet (RFC 894, IEEE 802.1Q): whether it is for us, of which VLAN it is,
// and what it carries. What passes is an IP packet at `rx.off`.
// @hot

import { Drop } from '../base/drop.ts';
import { type Rx, RxFlag } from '../base/rx.ts';
import * as ethernet from '../wire/ethernet.ts';
import { inputArp } from './arp.ts';
import type { EtherPort } from './ether.ts';
import { drop, type IpLayer, Verdict } from './ip.ts';

/** DELIVER: an IP packet begins at `rx.off`. DONE: dropped, or not IP and dealt with. */
export function inputEther(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  if (rx.len < ethernet.HEADER) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  const u8 = rx.u8;
  const off = rx.off;
  const high = ethernet.high(u8, off);
  const own = port.mac;
  if (ethernet.isGroup(high)) rx.flags |= RxFlag.LINK_BROADCAST;
  else if (high !== own.high || ethernet.low(u8, off) !== own.low) {
    return drop(ip, rx, Drop.OTHERHOST);
  }
  const src = off + ethernet.Offset.SRC;
  const srcHigh = ethernet.high(u8, src);
  // A group sends nothing, and what we have sent ourselves comes back where a bridge loops.
  if (ethernet.isGroup(srcHigh)) return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  if (srcHigh === own.high && ethernet.low(u8, src) === own.low) {
    return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  }
  rx.off = off + ethernet.HEADER;
  rx.len -= ethernet.HEADER;
  const type = ethernet.type(u8, off + ethernet.Offset.TYPE);
  if (type === ethernet.EtherType.VLAN) return inputVlan(ip, rx, port);
  return carried(ip, rx, port, type);
}

function carried(ip: IpLayer, rx: Rx, port: EtherPort, type: number): Verdict {
  const version = rx.len < 1 ? 0 : (rx.u8[rx.off] as number) >>> 4;
  if (type === ethernet.EtherType.IPV4) {
    return version === 4 ? Verdict.DELIVER : drop(ip, rx, Drop.IP_INHDR);
  }
  if (type === ethernet.EtherType.IPV6) {
    return version === 6 ? Verdict.DELIVER : drop(ip, rx, Drop.IP_INHDR);
  }
  if (type === ethernet.EtherType.ARP) return inputArp(ip, rx, port);
  return drop(ip, rx, Drop.UNHANDLED_PROTO);
}

/** The tag's VLAN is a link of its own; VLAN 0 is none: only the priority was to be said. */
function inputVlan(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  if (rx.len < ethernet.TAG) return drop(ip, rx, Drop.PKT_TOO_SMALL);
  const u8 = rx.u8;
  const vid = ethernet.type(u8, rx.off) & ethernet.VID_MASK;
  const type = ethernet.type(u8, rx.off + 2);
  rx.off += ethernet.TAG;
  rx.len -= ethernet.TAG;
  if (vid === 0) return carried(ip, rx, port, type);
  const linkId = port.vlans === null ? undefined : port.vlans.get(vid);
  const inner = linkId === undefined ? null : ip.ethers[linkId];
  if (linkId === undefined || inner === null || inner === undefined) {
    return drop(ip, rx, Drop.OTHERHOST);
  }
  rx.linkId = linkId;
  return carried(ip, rx, inner, type);
}
