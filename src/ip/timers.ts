// Deadlines of the IP layer: reassembly and the path MTU cache.

import type { IpLayer } from './ip.ts';
import { expireFragments } from './reassembly.ts';

const NEVER = Infinity;

/** A time not after the layer's earliest deadline, absolute µs; Infinity when there is none. */
export function nextDeadline(ip: IpLayer): number {
  // Mostly both are empty: then no number is boxed on its way through the calls.
  const fragments = ip.reassembly.datagrams === 0 ? NEVER : ip.reassembly.nextDeadline();
  return ip.pmtu.size === 0 ? fragments : Math.min(fragments, ip.pmtu.nextDeadline());
}

/** Acts on what is due at `ip.nowUs`. */
export function advance(ip: IpLayer): void {
  if (ip.reassembly.datagrams > 0) expireFragments(ip);
  if (ip.pmtu.size > 0 && ip.pmtu.advance(ip.nowUs)) ip.routeEpoch++;
}
