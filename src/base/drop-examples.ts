// The beginning of the last packet that was discarded for each reason: what a count alone cannot
// say. A reason keeps at most one in a millisecond, so that a flood does not pay for each packet.
// @hot

import { DROP_COUNT } from './drop.ts';
import type { Rx } from './rx.ts';

/** Octets kept of a packet: headers with all their options, and a little of what is behind. */
export const EXAMPLE_OCTETS = 128;
const GAP_US = 1000;

export class DropExamples {
  readonly octets = new Uint8Array(DROP_COUNT * EXAMPLE_OCTETS);
  /** Index = reason: when, how long it was, where it came from; a length below 0: none yet. */
  readonly atUs = new Float64Array(DROP_COUNT).fill(-Infinity);
  readonly lengths = new Int32Array(DROP_COUNT).fill(-1);
  readonly links = new Int32Array(DROP_COUNT);

  keep(reason: number, rx: Rx, nowUs: number): void {
    if (nowUs - (this.atUs[reason] as number) < GAP_US) return;
    const len = rx.len > 0 ? rx.len : 0;
    const n = len < EXAMPLE_OCTETS ? len : EXAMPLE_OCTETS;
    const from = rx.u8;
    const at = reason * EXAMPLE_OCTETS;
    for (let i = 0; i < n; i++) this.octets[at + i] = from[rx.off + i] as number;
    this.atUs[reason] = nowUs;
    this.lengths[reason] = len;
    this.links[reason] = rx.linkId;
  }
}
