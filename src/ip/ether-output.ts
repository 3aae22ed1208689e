// The last step down on an Ethernet: which link-layer address a packet goes to (RFC 826, RFC 4861
// §7.2, RFC 1112 §6.4, RFC 2464 §7). A path remembers its neighbour, so that a packet to a
// neighbour that is known costs one comparison and four stores.
// @hot

import { Code } from '../base/code.ts';
import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { DstKind } from '../base/rx.ts';
import type { Link } from '../link/link.ts';
import { isMulticast } from '../wire/address.ts';
import * as ethernet from '../wire/ethernet.ts';
import { type EtherPort, putHeader } from './ether.ts';
import type { IpLayer } from './ip.ts';
import { Nud } from './neighbor.ts';
import { hold, isUsable, lookFor } from './nud.ts';
import type { Path } from './path.ts';

const TX_PACKETS = Ctr.PortsideTxPackets;
const TX_FULL = Ctr.PortsideTxFull;
const OUT_DISCARDS = Ctr.IpOutDiscards;

/** Hands `ip.tx` to a link. 0, or ENOBUFS: the link has no room, and the packet is gone. */
export function handOver(ip: IpLayer, link: Link): Code {
  const values = ip.counters.values;
  const tap = ip.tap;
  if (tap !== null) tap.leaving(ip.links.indexOf(link), ip.tx);
  const taken = link.transmit(ip.tx);
  if (tap !== null) tap.left(taken);
  if (taken) {
    values[TX_PACKETS] = (values[TX_PACKETS] as number) + 1;
    return Code.NONE;
  }
  const drops = ip.counters.drops;
  drops[Drop.FULL_RING] = (drops[Drop.FULL_RING] as number) + 1;
  values[TX_FULL] = (values[TX_FULL] as number) + 1;
  values[OUT_DISCARDS] = (values[OUT_DISCARDS] as number) + 1;
  return Code.ENOBUFS;
}

/** The same on an Ethernet. A packet whose neighbour is still being asked for waits: 0, too. */
export function transmitEther(ip: IpLayer, port: EtherPort, link: Link): Code {
  const tx = ip.tx;
  const path = ip.via;
  if (isMulticast(tx.dst0, tx.dst1, tx.dst2, tx.dst3)) {
    const high = tx.family === 6 ? ethernet.group6High(tx.dst3) : ethernet.group4High(tx.dst3);
    putHeader(ip, port, tx, high, tx.dst3 & 0xffff);
  } else if (path.dstKind === DstKind.BROADCAST) {
    putHeader(ip, port, tx, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW);
  } else {
    const n = neighborOf(ip, port, path);
    if (n.reachableUs < ip.nowUs && !isUsable(ip, port, n)) {
      hold(ip, port, n);
      return Code.NONE;
    }
    putHeader(ip, port, tx, n.high, n.low);
  }
  const code = handOver(ip, link);
  tx.lead = 0;
  return code;
}

function neighborOf(ip: IpLayer, port: EtherPort, path: Path): NonNullable<Path['neighbor']> {
  let n = path.neighbor;
  if (n !== null && n.state !== Nud.FAILED && n.linkId === port.linkId) return n;
  n = lookFor(ip, port, path);
  path.neighbor = n;
  return n;
}
