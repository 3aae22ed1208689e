// Which listener a SYN is for: the port's own holder, among sharers the one that the group's
// function chooses, and where nobody holds the port a listener for every port of a prefix.

import type { Rx } from '../base/rx.ts';
import { format, mappedLength, maskWord, type Prefix } from '../wire/address.ts';
import type { TcpLayer } from './tcp.ts';

/** Slot of the listener, -1 when nobody listens. */
export function listenerFor(layer: TcpLayer, rx: Rx): number {
  layer.ports.spread = rx.src3 ^ rx.srcPort;
  layer.ports.link = rx.linkId;
  const slot = layer.ports.find(rx.dstPort, rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  if (slot < 0) return layer.prefixListeners.length === 0 ? -1 : ofPrefix(layer, rx);
  const balance = layer.listeners[slot]?.balance ?? null;
  if (balance === null) return slot;
  const group = layer.ports.sharers(rx.dstPort, rx.dst0, rx.dst1, rx.dst2, rx.dst3);
  const from = format(rx.src0, rx.src1, rx.src2, rx.src3);
  const wish = Math.floor(balance(from, rx.srcPort, group.length));
  return group[wish] ?? slot;
}

/** The longest prefix that holds the destination; of equals the oldest. */
function ofPrefix(layer: TcpLayer, rx: Rx): number {
  let best = -1;
  let longest = -1;
  for (const slot of layer.prefixListeners) {
    const prefix = layer.listeners[slot]?.prefix ?? null;
    if (prefix === null) continue;
    const length = prefix.length === 0 ? 0 : mappedLength(prefix);
    if (length > longest && holds(prefix, length, rx)) {
      best = slot;
      longest = length;
    }
  }
  return best;
}

/** A prefix of length 0, of either family, is every address of both. */
function holds(prefix: Prefix, length: number, rx: Rx): boolean {
  if (length === 0) return true;
  const { a, b, c, d } = prefix.address;
  const differ =
    ((rx.dst0 ^ a) & maskWord(length, 0)) |
    ((rx.dst1 ^ b) & maskWord(length, 1)) |
    ((rx.dst2 ^ c) & maskWord(length, 2)) |
    ((rx.dst3 ^ d) & maskWord(length, 3));
  return differ === 0;
}
