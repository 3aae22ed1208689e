// Delivery: the only place in UDP where a program's code runs. A handler may call anything on its
// socket and may throw: what it sees is already consistent before each call.

import type { IcmpReport } from '../ip/icmp-report.ts';
import type { Endpoint } from './endpoint.ts';
import { hasEvents, markReady, releaseQueue, type UdpLayer } from './udp.ts';

/** Datagrams that one socket gets before the next has its turn. */
const QUOTA = 64;

/** Delivers what is ready, at most `udpDrainDatagrams`; true when something is left. */
export function drainReady(udp: UdpLayer): boolean {
  let budget = udp.config.udpDrainDatagrams;
  const n = udp.ready.size;
  for (let i = 0; i < n && budget > 0; i++) {
    const e = udp.endpoints[udp.ready.shift()];
    if (e === null || e === undefined) continue;
    e.ready = false;
    budget -= deliver(udp, e, Math.min(budget, QUOTA));
  }
  return udp.ready.size > 0;
}

function deliver(udp: UdpLayer, e: Endpoint, most: number): number {
  let n = 0;
  try {
    while (n < most && hasEvents(e)) {
      n++;
      deliverOne(udp, e);
    }
    if (n > 0 && !e.closed && e.sink.delivered !== undefined) e.sink.delivered();
  } finally {
    if (!e.closed) releaseQueue(udp, e.queue.trim());
    if (hasEvents(e)) markReady(udp, e);
  }
  return n;
}

function deliverOne(udp: UdpLayer, e: Endpoint): void {
  if (e.error !== 0) {
    const code = e.error;
    e.error = 0;
    e.sink.error(code);
  } else if (e.reports !== null && e.reports.length > 0) {
    e.sink.report?.(e.reports.shift() as IcmpReport);
  } else if (e.writable) {
    e.writable = false;
    e.sink.writable();
  } else {
    const queue = e.queue;
    queue.take(udp.meta);
    e.sink.datagram(queue.memory, queue.off, queue.len, udp.meta);
  }
}

/** When `advance` is wanted next, absolute µs; Infinity when nothing waits. */
export function nextDeadline(udp: UdpLayer): number {
  return udp.retryUs;
}

/** Sockets whose `send` was refused may try again. */
export function advance(udp: UdpLayer): void {
  if (udp.ip.nowUs < udp.retryUs) return;
  udp.retryUs = Infinity;
  for (let n = udp.blocked.size; n > 0; n--) {
    const e = udp.endpoints[udp.blocked.shift()];
    if (e === null || e === undefined || !e.blocked) continue;
    e.blocked = false;
    e.writable = true;
    markReady(udp, e);
  }
}
