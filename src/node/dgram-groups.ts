// Multicast of node:dgram's sockets on a UdpSocket: arguments read as libuv reads them, answers its
// negative errnos (measured on Linux).

import { isIPv4, isIPv6 } from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { UdpSocket } from '../socket/udp-socket.ts';
import { isMulticast, parse } from '../wire/address.ts';

const ENOPROTOOPT = Code.ENOPROTOOPT;

/** What to call on the core, and with which name for the link. */
interface Place {
  readonly on: string | undefined;
}

/** The errno of what a call of the core throws, else 0. */
export function answered(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (error instanceof CodeError) return error.errno;
    throw error;
  }
}

/**
 * The interface of an IPv4 group is an own address, of an IPv6 group a zone; a zone that there is
 * none of counts as none given, as with `if_nametoindex`.
 */
function place(core: UdpSocket, family: 4 | 6, named: string | undefined | null): Place | number {
  if (named === undefined || named === null) return { on: undefined };
  if (family === 4) {
    if (!isIPv4(named)) return Code.EINVAL;
    return { on: named === '0.0.0.0' ? undefined : named };
  }
  if (!isIPv6(named)) return Code.EINVAL;
  const zone = parse(named)?.zone ?? '';
  return { on: zone !== '' && core.groups.hasLink(zone) ? zone : undefined };
}

/** Family of a group's text as libuv tries it; 0 = neither. */
function familyOf(text: string): 4 | 6 | 0 {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}

/** `addMembership` and `dropMembership`. */
export function membership(
  core: UdpSocket,
  socketFamily: 4 | 6,
  isJoin: boolean,
  group: string,
  named: string | undefined | null,
): number {
  const family = familyOf(group);
  if (family === 0) return Code.EINVAL;
  const where = place(core, family, named);
  if (typeof where === 'number') return where;
  if (family === 6 && socketFamily === 4) return ENOPROTOOPT;
  const address = withoutZone(group);
  if (isJoin) return answered(() => core.groups.join(address, where.on));
  const parsed = parse(address);
  const isGroup = parsed !== null && isMulticast(parsed.a, parsed.b, parsed.c, parsed.d);
  if (!isGroup) return family === 6 ? Code.EINVAL : Code.EADDRNOTAVAIL;
  return answered(() => core.groups.leave(address, where.on));
}

/** `addSourceSpecificMembership` and `dropSourceSpecificMembership`; `pair` is source and group. */
export function sourceMembership(
  core: UdpSocket,
  socketFamily: 4 | 6,
  isJoin: boolean,
  pair: readonly [string, string],
  named: string | undefined | null,
): number {
  const [source, group] = pair;
  const family = familyOf(source);
  if (family === 0 || familyOf(group) === 0) return Code.EINVAL;
  const where = place(core, family, named);
  if (typeof where === 'number') return where;
  if (family === 6 && socketFamily === 4) return ENOPROTOOPT;
  const g = withoutZone(group);
  const s = withoutZone(source);
  if (isJoin) return answered(() => core.groups.joinSource(g, s, where.on));
  return answered(() => core.groups.leaveSource(g, s, where.on));
}

/** `setMulticastInterface`. */
export function multicastInterface(core: UdpSocket, socketFamily: 4 | 6, named: string): number {
  const family = familyOf(named);
  if (family === 0) return Code.EINVAL;
  const where = place(core, family, named);
  if (typeof where === 'number') return where;
  if (family === 6 && socketFamily === 4) return ENOPROTOOPT;
  return answered(() => core.groups.setInterface(where.on ?? null));
}

function withoutZone(text: string): string {
  const percent = text.indexOf('%');
  return percent < 0 ? text : text.slice(0, percent);
}
