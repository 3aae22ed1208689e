// Under which address and port a new connection leaves (RFC 4787 §4, RFC 5382 REQ-1).

import type { Rx } from '../base/rx.ts';
import { V4_MAPPED } from '../wire/address.ts';
import type { Nat } from './nat.ts';

/** No address, or no port, to leave under. */
const NONE_LEFT = -2;
const AS_IT_IS = -1;

/**
 * The mapping under which the packet's source leaves by `out`: -1 when it keeps its own, -2 when
 * there is none. `rx` has its destination already; `nat` knows it as it came.
 */
export function outsideOf(nat: Nat, rx: Rx, out: number, dport: number): number {
  const outside = addressFor(nat, rx, out);
  if (outside === 0) return nat.rules.masquerade[out] === 1 ? NONE_LEFT : AS_IT_IS;
  if (outside === rx.src3) return AS_IT_IS;
  const { map, track, rules } = nat;
  const { protocol } = rx;
  const wanted = nat.camePorts >>> 16;
  const known = map.of(protocol, rx.src3, wanted, outside);
  if (rules.sharedMapping && known >= 0) return known;
  const isFree = (port: number): boolean => {
    if (nat.isOwnPort(protocol, port)) return false;
    if (rules.forwards.some((f) => f.port === port && f.protocol === protocol)) return false;
    if (rules.sharedMapping) return map.behind(protocol, outside, port) < 0;
    const back = protocol === 1 ? port : dport;
    return track.find(protocol, rx.dst3, outside, (back << 16) | port) < 0;
  };
  if (!rules.sharedMapping) return dependent(nat, rx, outside, isFree);
  const port = map.choose(protocol, wanted, isFree);
  return port < 0 ? NONE_LEFT : map.add(protocol, rx.src3, wanted, outside, port);
}

function dependent(nat: Nat, rx: Rx, outside: number, isFree: (port: number) => boolean): number {
  const wanted = nat.camePorts >>> 16;
  const port = nat.map.choose(rx.protocol, wanted, isFree);
  return port < 0 ? NONE_LEFT : nat.map.once(rx.protocol, rx.src3, wanted, outside, port);
}

/** The address to leave under; 0: its own. */
function addressFor(nat: Nat, rx: Rx, out: number): number {
  if (nat.rules.masquerade[out] === 1) {
    const source = nat.ip.addresses.sourceFor(out, 0, 0, V4_MAPPED, rx.dst3);
    return source === null ? 0 : source.d;
  }
  // RFC 4787 REQ-9: whoever comes from inside by an outside address is known by one, too; else the
  // answer would go past us.
  const { masquerade } = nat.rules;
  const fromInside = masquerade.length > 0 && masquerade[rx.linkId] !== 1;
  const hairpin = rx.dst3 !== nat.cameDst && (fromInside || out === rx.linkId);
  return hairpin ? nat.cameDst : 0;
}
