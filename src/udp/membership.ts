// What one socket wants of groups (RFC 3678, RFC 9776 §3.1): a group on a link, everything but some
// sources or some sources only. Each change moves the link's counts (ip/group-changes.ts). Rules
// and errors are Linux's. COLD, but for `wants`.

import { Code } from '../base/code.ts';
import type { Rx } from '../base/rx.ts';
import { changeGroup, countSource } from '../ip/group-changes.ts';
import { type Group, sameAddress } from '../ip/groups.ts';
import { type Address, isMulticast } from '../wire/address.ts';
import type { Endpoint } from './endpoint.ts';
import type { UdpLayer } from './udp.ts';

export class Membership {
  readonly linkId: number;
  readonly group: Address;
  /** True: all but `sources`. False: only these. */
  isExclude: boolean;
  readonly sources: Address[] = [];

  constructor(linkId: number, group: Address, isExclude: boolean) {
    this.linkId = linkId;
    this.group = group;
    this.isExclude = isExclude;
  }

  has(source: Address): boolean {
    return this.sources.some((s) => sameAddress(s, source));
  }
}

function find(e: Endpoint, linkId: number, group: Address): Membership | null {
  return e.memberships.find((m) => m.linkId === linkId && sameAddress(m.group, group)) ?? null;
}

function isGroup(address: Address): boolean {
  return isMulticast(address.a, address.b, address.c, address.d);
}

/** NONE, EINVAL (no group), ENODEV, EADDRINUSE (is a member), ENOBUFS. */
export function joinGroup(udp: UdpLayer, e: Endpoint, group: Address, linkId: number): Code {
  if (!isGroup(group)) return Code.EINVAL;
  if (find(e, linkId, group) !== null) return Code.EADDRINUSE;
  return enter(udp, e, new Membership(linkId, group, true));
}

function enter(udp: UdpLayer, e: Endpoint, m: Membership): Code {
  if (e.memberships.length >= udp.config.udpMaxMemberships) return Code.ENOBUFS;
  const code = changeGroup(udp.ip, m.linkId, m.group, (g) => {
    if (m.isExclude) g.excluders++;
    return Code.NONE;
  });
  if (code === Code.NONE) e.memberships.push(m);
  return code;
}

/** NONE, EADDRNOTAVAIL (is no member). */
export function leaveGroup(udp: UdpLayer, e: Endpoint, group: Address, linkId: number): Code {
  const i = e.memberships.findIndex((m) => m.linkId === linkId && sameAddress(m.group, group));
  if (i < 0) return Code.EADDRNOTAVAIL;
  const [m] = e.memberships.splice(i, 1);
  if (m !== undefined) withdraw(udp, m);
  return Code.NONE;
}

function withdraw(udp: UdpLayer, m: Membership): void {
  changeGroup(udp.ip, m.linkId, m.group, (g) => {
    if (m.isExclude) g.excluders--;
    for (const s of m.sources) countSource(udp.ip, g, s, role(m), -1);
    return Code.NONE;
  });
}

function role(m: Membership): 'wanted' | 'unwanted' {
  return m.isExclude ? 'unwanted' : 'wanted';
}

/** The socket closes. */
export function leaveAll(udp: UdpLayer, e: Endpoint): void {
  for (const m of e.memberships.splice(0)) withdraw(udp, m);
}

/**
 * Hears one source more: IP_ADD_SOURCE_MEMBERSHIP. A member of the whole group changes over.
 * NONE, EINVAL (blocks sources by now), EADDRNOTAVAIL (is heard already), ENOBUFS, ENODEV.
 */
export function joinSource(
  udp: UdpLayer,
  e: Endpoint,
  group: Address,
  source: Address,
  linkId: number,
): Code {
  if (!isGroup(group) || group.family !== source.family) return Code.EINVAL;
  let m = find(e, linkId, group);
  if (m === null) {
    m = new Membership(linkId, group, false);
    const code = enter(udp, e, m);
    if (code !== Code.NONE) return code;
    const added = addTo(udp, m, source, false);
    if (added !== Code.NONE) e.memberships.splice(e.memberships.indexOf(m), 1);
    return added;
  }
  return addTo(udp, m, source, false);
}

/** NONE, EADDRNOTAVAIL (not heard), EINVAL. The last source is the end of the membership. */
export function leaveSource(
  udp: UdpLayer,
  e: Endpoint,
  group: Address,
  source: Address,
  linkId: number,
): Code {
  if (!isGroup(group)) return Code.EINVAL;
  if (linkId < 0) return Code.ENODEV;
  const m = find(e, linkId, group);
  if (m === null) return Code.EINVAL;
  if (m.isExclude) return m.sources.length > 0 ? Code.EINVAL : Code.EADDRNOTAVAIL;
  if (!m.has(source)) return Code.EADDRNOTAVAIL;
  if (m.sources.length === 1) return leaveGroup(udp, e, group, linkId);
  return takeFrom(udp, m, source);
}

/** Everything but one source more: IP_BLOCK_SOURCE. NONE, EINVAL, EADDRNOTAVAIL, ENOBUFS. */
export function blockSource(
  udp: UdpLayer,
  e: Endpoint,
  group: Address,
  source: Address,
  linkId: number,
): Code {
  const m = isGroup(group) && group.family === source.family ? find(e, linkId, group) : null;
  return m === null || !m.isExclude ? Code.EINVAL : addTo(udp, m, source, true);
}

/** NONE, EINVAL, EADDRNOTAVAIL. */
export function unblockSource(
  udp: UdpLayer,
  e: Endpoint,
  group: Address,
  source: Address,
  linkId: number,
): Code {
  const m = isGroup(group) ? find(e, linkId, group) : null;
  if (m === null || !m.isExclude) return Code.EINVAL;
  return m.has(source) ? takeFrom(udp, m, source) : Code.EADDRNOTAVAIL;
}

function addTo(udp: UdpLayer, m: Membership, source: Address, isExclude: boolean): Code {
  // As on Linux the mode may change while no source stands in the list.
  if (m.isExclude !== isExclude && m.sources.length > 0) return Code.EINVAL;
  if (m.has(source)) return Code.EADDRNOTAVAIL;
  if (m.sources.length >= udp.config.udpMaxSources) return Code.ENOBUFS;
  const change = (g: Group): Code => {
    const code = countSource(udp.ip, g, source, isExclude ? 'unwanted' : 'wanted', 1);
    if (code === Code.NONE && m.isExclude && !isExclude) g.excluders--;
    return code;
  };
  const code = changeGroup(udp.ip, m.linkId, m.group, change);
  if (code !== Code.NONE) return code;
  m.isExclude = isExclude;
  m.sources.push(source);
  return Code.NONE;
}

function takeFrom(udp: UdpLayer, m: Membership, source: Address): Code {
  const i = m.sources.findIndex((s) => sameAddress(s, source));
  m.sources.splice(i, 1);
  return changeGroup(udp.ip, m.linkId, m.group, (g) => countSource(udp.ip, g, source, role(m), -1));
}

/**
 * Whether a socket that is bound for a group's datagram hears it: as its membership says; without
 * one, as on Linux, when any socket has joined and `multicastAll` was not taken back.
 */
export function wants(e: Endpoint, rx: Rx): boolean {
  const { memberships } = e;
  for (let i = 0; i < memberships.length; i++) {
    const m = memberships[i] as Membership;
    const { a, b, c, d } = m.group;
    if (d !== rx.dst3 || c !== rx.dst2 || b !== rx.dst1 || a !== rx.dst0) continue;
    if (m.linkId === rx.linkId) return lists(m, rx) !== m.isExclude;
  }
  return e.multicastAll;
}

function lists(m: Membership, rx: Rx): boolean {
  for (let i = 0; i < m.sources.length; i++) {
    const s = m.sources[i] as Address;
    if (s.d === rx.src3 && s.c === rx.src2 && s.b === rx.src1 && s.a === rx.src0) return true;
  }
  return false;
}
