// A path: where packets to one destination go. Owners keep it and ask again when the epoch moved.

export class Path {
  linkId = -1;
  /** Largest IP packet in octets that passes whole. */
  mtu = 0;
  family = 4;
  /** `ip.routeEpoch` at the time of asking. */
  epoch = 0;
  /** DstKind of the destination. */
  dstKind = 0;
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
  /** Next hop; all zero when the destination is on the link. */
  gateway0 = 0;
  gateway1 = 0;
  gateway2 = 0;
  gateway3 = 0;
}
