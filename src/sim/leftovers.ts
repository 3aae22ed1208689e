// What must be gone when every connection is over and TIME-WAIT has passed: sockets, timers, flows,
// ports, memory, packets that nobody took.

import type { SimHost } from './host.ts';

/** One line for each thing that a host still holds; empty is right. */
export function leftovers(host: SimHost): string[] {
  const found: string[] = [];
  const { stack } = host;
  const want = (what: string, n: number, wanted = 0): void => {
    if (n !== wanted) found.push(`${what} is ${n} at the end, not ${wanted}`);
  };
  const { tcp, ip, udpLayer, loopback } = stack;
  want('PortsideExceptions', stack.counters.get('PortsideExceptions'));
  want('TcpCurrEstab', stack.counters.get('TcpCurrEstab'));
  want('connections', tcp.live);
  want('TIME-WAIT connections', tcp.timeWait.size);
  want('TIME-WAIT timers', tcp.timeWait.deadlines.armed);
  want('flows', tcp.flows.size);
  want('TCP ports', tcp.ports.size);
  want('TCP timers', tcp.deadlines.armed);
  want('octets of receive memory', tcp.rcvMemory);
  want('octets of send blocks', tcp.blocks.inUse);
  want('send records', tcp.segs.used);
  want('octets of the memory budget', ip.memory.used - udpLayer.memory);
  want('the TCP ready list', tcp.ready.size);
  want('errors of handlers', tcp.errors.length);
  want('UDP sockets', udpLayer.live);
  want('octets in reassembly', ip.reassembly.octets);
  want('packets on the loopback', loopback.pending);
  want('next deadline', stack.nextDeadline(), Infinity);
  for (const { end } of host.links) {
    want(`packets in the ring of ${end.name}`, end.pending);
    want(`packets held in the ring of ${end.name}`, end.ring.occupied);
    want(`packets flying from ${end.name}`, end.way.flying);
  }
  return found;
}
