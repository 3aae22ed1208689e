// Deadlines of the IP layer: reassembly and the path MTU cache.

import type { IpLayer } from './ip.ts';
import { expire4 } from './reassemble4.ts';
import { expire6 } from './reassemble6.ts';

const NEVER = Infinity;

/** A time not after the layer's earliest deadline, absolute µs; Infinity when there is none. */
export function nextDeadline(ip: IpLayer): number {
  // Mostly all are empty: then no number is boxed on its way through the calls.
  if (ip.reassembly.datagrams + ip.reassembly6.datagrams + ip.pmtu.size === 0) return NEVER;
  const fragments = Math.min(ip.reassembly.nextDeadline(), ip.reassembly6.nextDeadline());
  return Math.min(fragments, ip.pmtu.nextDeadline());
}

/** Acts on what is due at `ip.nowUs`. */
export function advance(ip: IpLayer): void {
  expire4(ip);
  expire6(ip);
  if (ip.pmtu.size > 0 && ip.pmtu.advance(ip.nowUs)) ip.routeEpoch++;
}
