// What somebody who captures packets is given: each packet where it enters or leaves the stack, and
// why it was discarded. Null when nobody captures.

import type { Drop } from './drop.ts';
import type { Rx } from './rx.ts';
import type { Tx } from './tx.ts';

export interface PacketTap {
  /** A packet has come; nothing has looked at it yet. */
  arrived(rx: Rx): void;
  /** It is discarded. */
  discarded(reason: Drop): void;
  /** The walk of the packet that came last is over. */
  judged(): void;
  /** A packet is going to be given to a link. */
  leaving(link: number, tx: Tx): void;
  /** The link has taken it, or has not: its queue is full. */
  left(taken: boolean): void;
}
