// Deadlines of the IP layer: reassembly and the path MTU cache.

import type { IpLayer } from './ip.ts';
import { expireFragments } from './reassembly.ts';

/** A time not after the layer's earliest deadline, absolute µs; Infinity when there is none. */
export function nextDeadline(ip: IpLayer): number {
  return Math.min(ip.reassembly.nextDeadline(), ip.pmtu.nextDeadline());
}

/** Acts on what is due at `ip.nowUs`. */
export function advance(ip: IpLayer): void {
  expireFragments(ip);
  if (ip.pmtu.advance(ip.nowUs)) ip.routeEpoch++;
}
