// Other stacks with the same addresses, each on a queue of its own of one device. The device may
// bring a packet to a stack that does not know its flow: then the others are asked.

import type { Rx } from '../base/rx.ts';

export interface Elsewhere {
  /**
   * No socket here knows the packet in `rx`. True: it has gone to another stack, or found no room
   * on the way; it is not this stack's any more. False: it is, answer it.
   * @param opens a SYN that a listener of this stack would take
   */
  pass(rx: Rx, opens: boolean): boolean;
  /** A broadcast or a group's datagram: the others hear it, too. */
  share(rx: Rx): void;
}
