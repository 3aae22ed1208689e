// Deadlines of the IP layer: reassembly, the path MTU cache, multicast groups, neighbours.

import { advanceClaims } from './claims.ts';
import { expireGroups } from './group-answers.ts';
import type { IpLayer } from './ip.ts';
import { advanceNeighbors } from './nud.ts';
import { expire4 } from './reassemble4.ts';
import { expire6 } from './reassemble6.ts';

const NEVER = Infinity;

/** A time not after the layer's earliest deadline, absolute µs; Infinity when there is none. */
export function nextDeadline(ip: IpLayer): number {
  // Mostly all are empty: then no number is boxed on its way through the calls.
  const held = ip.reassembly.datagrams + ip.reassembly6.datagrams + ip.pmtu.size;
  if (held + ip.groups.size + ip.etherCount === 0) return NEVER;
  const fragments = Math.min(ip.reassembly.nextDeadline(), ip.reassembly6.nextDeadline());
  const others = Math.min(fragments, ip.pmtu.nextDeadline(), ip.groups.deadlineUs);
  return ip.etherCount === 0 ? others : Math.min(others, etherDeadline(ip));
}

function etherDeadline(ip: IpLayer): number {
  let next = NEVER;
  for (const port of ip.ethers) {
    if (port !== null && port !== undefined && port.dueUs < next) next = port.dueUs;
  }
  return next;
}

function advanceEthers(ip: IpLayer): void {
  for (const port of ip.ethers) {
    if (port === null || port === undefined || port.dueUs > ip.nowUs) continue;
    port.dueUs = NEVER;
    advanceClaims(ip, port);
    advanceNeighbors(ip, port);
  }
}

/** Acts on what is due at `ip.nowUs`. */
export function advance(ip: IpLayer): void {
  expire4(ip);
  expire6(ip);
  expireGroups(ip);
  if (ip.etherCount > 0) advanceEthers(ip);
  if (ip.pmtu.size > 0 && ip.pmtu.advance(ip.nowUs)) ip.routeEpoch++;
}
