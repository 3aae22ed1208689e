// A path: where packets to one destination go. Owners keep it and ask again when the epoch moved.
// @hot

import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import type { Address } from '../wire/address.ts';
import type { Neighbor } from './neighbor.ts';

export class Path {
  linkId = -1;
  /** Largest IP packet in octets that passes whole. */
  mtu = 0;
  family = 4;
  /** `ip.routeEpoch` at the time of asking. */
  epoch = 0;
  /** DstKind of the destination. */
  dstKind = 0;
  /** The link to leave by whatever the routes say; -1 = as they say. */
  wantLink = -1;
  /** False: choose nothing, `src` is given. True: the selection fills `src`. */
  anySource = true;
  /** The destination is this stack. */
  local = false;
  /** A router asked for less than the floor: packets go without DF (as Linux's locked routes). */
  locked = false;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  /** Next hop; null when the destination is on the link. */
  gateway: Address | null = null;
  /** On an Ethernet: who packets are handed to; null until the first one goes. */
  neighbor: Neighbor | null = null;
}

/**
 * Back to the sender of `rx`, from the address that it has addressed (RFC 1122 §3.2.2, §3.3.4.2,
 * RFC 4443 §2.2); where that is a group or another host, from one of ours.
 */
export function turnBack(path: Path, rx: Rx): void {
  path.dst0 = rx.src0;
  path.dst1 = rx.src1;
  path.dst2 = rx.src2;
  path.dst3 = rx.src3;
  path.wantLink = -1;
  path.anySource = rx.dstKind !== DstKind.UNICAST || (rx.flags & RxFlag.TRANSIT) !== 0;
  path.src0 = rx.dst0;
  path.src1 = rx.dst1;
  path.src2 = rx.dst2;
  path.src3 = rx.dst3;
}
