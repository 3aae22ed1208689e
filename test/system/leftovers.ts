// What programs that have ended left behind on a host: rows of sockets that are neither listeners nor
// in TIME-WAIT, where TCP keeps the pair for a minute by intention (RFC 9293 §3.6.1).

import type { Host } from '../../src/node/host.ts';

/** `state local:port remote:port` of every connection and connected UDP socket. */
export function openRows(host: Host): string[] {
  return host.stack
    .sockets()
    .filter((row) => !['LISTEN', 'UNCONN', 'TIME-WAIT'].includes(row.state))
    .map((r) => `${r.state} ${r.localPort} ${r.remoteAddress}:${r.remotePort}`);
}
