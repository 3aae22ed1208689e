// ARP arrives (RFC 826, RFC 5227, RFC 1122 §2.3.2): what it says of others is believed where it was
// asked for or is said to us; what it says against us is answered.

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { isMartianSource, V4_MAPPED } from '../wire/address.ts';
import * as arp from '../wire/arp.ts';
import * as ethernet from '../wire/ethernet.ts';
import { NOT_OURS } from './addresses.ts';
import { claimed, contest } from './claims.ts';
import type { EtherPort } from './ether.ts';
import { count, drop, type IpLayer, Verdict } from './ip.ts';
import { answered, heard } from './nud.ts';
import { reply4 } from './solicit.ts';

/** What was said last stands for a while: two hosts with one address shall not make us swing. */
const LOCK_US = 1_000_000;

const words = new Int32Array(4);
words[2] = V4_MAPPED;

export function inputArp(ip: IpLayer, rx: Rx, port: EtherPort): Verdict {
  const { u8, off } = rx;
  const reason = arp.check(u8, off, rx.len);
  if (reason !== Drop.NONE) return drop(ip, rx, reason);
  const isRequest = arp.operation(u8, off) === arp.Op.REQUEST;
  count(ip, isRequest ? Ctr.PortsideArpInRequests : Ctr.PortsideArpInReplies);
  const sender = arp.address(u8, off + arp.Offset.SENDER);
  const target = arp.address(u8, off + arp.Offset.TARGET);
  const isProbe = sender === 0;
  const mac = off + arp.Offset.SENDER_MAC;
  const high = ethernet.high(u8, mac);
  const low = ethernet.low(u8, mac);
  // Our own words, from a bridge that loops.
  if (high === port.mac.high && low === port.mac.low) return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  if (isProbe) return probed(ip, rx, port, isRequest, target);
  if (isMartianSource(0, 0, V4_MAPPED, sender)) return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  const kind = ip.addresses.kindOf(0, 0, V4_MAPPED, sender);
  if (kind === DstKind.UNICAST || claimed(port, 0, 0, V4_MAPPED, sender) !== null) {
    contest(ip, port, [0, 0, V4_MAPPED, sender]);
    return drop(ip, rx, Drop.ADDRESS_CONFLICT);
  }
  if (kind !== NOT_OURS) return drop(ip, rx, Drop.IP_INVALID_SOURCE);
  return learn(ip, rx, port, { isRequest, sender, target, high, low });
}

interface Said {
  readonly isRequest: boolean;
  readonly sender: number;
  readonly target: number;
  readonly high: number;
  readonly low: number;
}

/** RFC 826's algorithm: what is known is brought up to date; new is only who asks for us. */
function learn(ip: IpLayer, rx: Rx, port: EtherPort, said: Said): Verdict {
  const isForUs = isOurs(ip, said.target);
  const n = port.neighbors.find(0, 0, V4_MAPPED, said.sender);
  const isLocked = n?.hasMac === true && ip.nowUs - n.setUs < LOCK_US;
  if (said.isRequest && isForUs) {
    words[3] = said.sender;
    const isSame = n !== null && n.high === said.high && n.low === said.low;
    if (!isLocked || isSame) heard(ip, port, words, said.high, said.low);
    reply4(ip, port, rx.off);
    return Verdict.DONE;
  }
  // RFC 5227 §3: what nobody here asked for, and what others ask each other, makes no entry.
  if (n === null) return drop(ip, rx, isForUs ? Drop.NEIGH_FAILED : Drop.OTHERHOST);
  const toUs = (rx.flags & RxFlag.LINK_BROADCAST) === 0;
  answered(ip, port, n, {
    hasMac: true,
    high: said.high,
    low: said.low,
    isSolicited: !said.isRequest && toUs && isForUs,
    overrides: !isLocked,
  });
  return Verdict.DONE;
}

/** Somebody would like to have an address (RFC 5227 §2.1.1). */
function probed(ip: IpLayer, rx: Rx, port: EtherPort, isRequest: boolean, target: number): Verdict {
  if (isRequest && isOurs(ip, target)) {
    reply4(ip, port, rx.off);
    return Verdict.DONE;
  }
  // Two who probe for the same address at the same time: neither gets it.
  if (isRequest && claimed(port, 0, 0, V4_MAPPED, target) !== null) {
    contest(ip, port, [0, 0, V4_MAPPED, target]);
    return drop(ip, rx, Drop.ADDRESS_CONFLICT);
  }
  return drop(ip, rx, Drop.OTHERHOST);
}

/** 127/8 is not the link's business. */
function isOurs(ip: IpLayer, address: number): boolean {
  if (address >>> 24 === 127) return false;
  return ip.addresses.kindOf(0, 0, V4_MAPPED, address) === DstKind.UNICAST;
}
