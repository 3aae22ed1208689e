// What must not be guessed: initial sequence numbers (RFC 6528, RFC 9293 §3.4.1), timestamp offsets
// (RFC 7323 §5.4 per connection) and where the search for an ephemeral port begins (RFC 6056
// §3.3.3).

import { type SipKey, sipFlow } from '../base/hash.ts';
import { below } from '../base/random.ts';
import type { Binding } from '../demux/ports.ts';
import type { Tcb } from './tcb.ts';
import { flowKey, type TcpLayer } from './tcp.ts';

function keyed(tcp: TcpLayer, t: Tcb, key: SipKey): number {
  return sipFlow(key, flowKey(tcp, t));
}

/** ISN = M + F(4-tuple, secret); M ticks every 4 µs. */
export function initialSequence(t: Tcb): number {
  const tcp = t.layer;
  if (tcp.reopens) {
    tcp.reopens = false;
    return tcp.reopenIss;
  }
  if (tcp.config.testIss >= 0) return tcp.config.testIss | 0;
  return (keyed(tcp, t, tcp.issKey) + Math.floor(tcp.ip.nowUs / 4)) | 0;
}

export function timestampOffset(t: Tcb): number {
  return timestampOffsetOf(t.layer, flowKey(t.layer, t));
}

/** The offset of a connection that has only its flow key. */
export function timestampOffsetOf(tcp: TcpLayer, key: Int32Array): number {
  if (tcp.config.testTsOffset >= 0) return tcp.config.testTsOffset | 0;
  return sipFlow(tcp.tsKey, key);
}

/** Our timestamp clock: 1 ms ticks (RFC 7323 §5.4) from a connection's own offset. */
export function timestampNow(t: Tcb): number {
  return (Math.floor(t.layer.ip.nowUs / 1000) + t.tsOffset) | 0;
}

/** A local port for an active open whose 4-tuple is free; -1 when there is none. */
export function ephemeralPort(t: Tcb): number {
  const tcp = t.layer;
  const low = tcp.config.ephemeralLow;
  const n = tcp.config.ephemeralHigh - low + 1;
  t.localPort = 0;
  const start = (keyed(tcp, t, tcp.portKey) >>> 0) % n;
  const jump = below(tcp.random, n);
  for (let i = 0; i < n; i++) {
    const port = low + ((start + jump + i) % n);
    t.localPort = port;
    // below -1 stands a TIME-WAIT record: its four-tuple is taken too
    if (tcp.flows.find(flowKey(tcp, t), 0) === -1 && !listened(tcp, t, port)) return port;
  }
  return -1;
}

/** Whether the local address and port belong to somebody who listens or has bound them. */
function listened(tcp: TcpLayer, t: Tcb, port: number): boolean {
  if (tcp.ports.bindings(port).length === 0) return false;
  return tcp.ports.taken(bindingOf(t, port));
}

export function bindingOf(t: Tcb, port: number): Binding {
  const p = t.path;
  const { src0: a, src1: b, src2: c, src3: d } = p;
  return { port, a, b, c, d, v6Only: false, share: false, slot: t.slot };
}
