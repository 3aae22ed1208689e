// An endless source on a TCP handle: one static block is written again and again without a copy,
// so a queue of megabytes costs one table entry a block. chargen and iperf3 send through it.
// @hot

import type { TcpSocket } from '../socket/tcp-socket.ts';
import { State } from '../tcp/state.ts';

/** Octets kept queued per connection: two full receive windows of a kernel with default limits. */
export const SOURCE_QUEUE = 8 * 1024 * 1024;

/** Most blocks written in one call, whatever the queue says: the turn stays short. */
const MOST_BLOCKS = 4096;

/** A connection that has been reset and whose `closed` is still to come takes nothing any more. */
export function isDead(s: TcpSocket): boolean {
  return s.state === State.CLOSED;
}

/** Tops the queue up to `target` octets with whole blocks. Answers how many octets were written. */
export function refill(s: TcpSocket, block: Uint8Array, target: number): number {
  if (isDead(s)) return 0;
  let wrote = 0;
  for (let i = 0; i < MOST_BLOCKS && s.queued < target; i++) {
    s.write(block, 0, block.length);
    wrote += block.length;
  }
  return wrote;
}
