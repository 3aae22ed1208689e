// ICMP errors for a socket that has asked for them with their source (Linux: IP_RECVERR): what
// traceroute lives on. Unlike an error of a connected socket, they do not end anything.

import { reportOf } from '../ip/icmp-report.ts';
import type { Endpoint } from './endpoint.ts';
import { madeWork, markReady, type UdpLayer } from './udp.ts';

/** What waits for one socket; later ones are lost. */
const MOST_WAITING = 256;

/** Keeps the error in `ip.icmpError` for the endpoint. */
export function keepReport(udp: UdpLayer, e: Endpoint): void {
  if (e.reports === null || e.reports.length >= MOST_WAITING) return;
  e.reports.push(reportOf(udp.ip));
  markReady(udp, e);
  madeWork(udp);
}
