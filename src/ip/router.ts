// What the IP layer asks of a router: whoever takes packets that are not for this stack, and looks
// at those that are (src/forward). A host has none.

import type { Rx } from '../base/rx.ts';

export interface Router {
  /**
   * An IPv4 packet with a sound header and source, before its destination is looked at: it may be
   * addressed anew here. True: it is done with (dropped, or kept as a fragment).
   */
  arrives(rx: Rx): boolean;
  /** Whether the packet, which is not for us, is to be forwarded. */
  takes(rx: Rx): boolean;
  /** Whether the packet of this stack's own in `ip.tx` may leave by that link. */
  askOut(link: number): boolean;
}
