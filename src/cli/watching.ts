// What the commands that follow a running host share: its events, batch by batch, until the host or
// the user ends it.

import { createInterface } from 'node:readline';
import type { EventRow } from '../inspect/event-rows.ts';
import type { ControlClient } from '../node/control-client.ts';

interface Batch {
  readonly at: number;
  readonly lost: number;
  readonly events: readonly EventRow[];
}

/**
 * Hands batches to `take` until it answers false, ctrl-C, or `seconds` (0: no limit) are over.
 * @param begun is called as soon as nothing more is missed
 */
export async function watching(
  client: ControlClient,
  request: object,
  seconds: number,
  take: (events: readonly EventRow[]) => boolean,
  begun: () => void = () => {},
): Promise<void> {
  const { socket } = await client.switchTo('watch', request);
  begun();
  const stop = (): void => void socket.destroy();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : null;
  try {
    for await (const line of createInterface({ input: socket })) {
      const batch = JSON.parse(line) as Batch;
      if (batch.lost > 0) {
        process.stderr.write(`portside: ${batch.lost} events came too fast and are missing\n`);
      }
      if (!take(batch.events)) break;
    }
  } finally {
    if (timer !== null) clearTimeout(timer);
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    stop();
  }
}
