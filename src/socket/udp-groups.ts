// The multicast side of a UDP socket (RFC 3678, RFC 1112): groups and their sources, and how it
// sends to groups.

import { Code, CodeError } from '../base/code.ts';
import { linkOfGroup } from '../ip/select.ts';
import type { Endpoint } from '../udp/endpoint.ts';
import {
  blockSource,
  joinGroup,
  joinSource,
  leaveGroup,
  leaveSource,
  unblockSource,
} from '../udp/membership.ts';
import { madeWork, type UdpLayer } from '../udp/udp.ts';
import { type Address, parse } from '../wire/address.ts';
import { type GroupLinkName, linkNamed, zoneLink } from './udp-names.ts';

export class UdpGroups {
  readonly #udp: UdpLayer;
  readonly #endpoint: Endpoint;

  constructor(udp: UdpLayer, endpoint: Endpoint) {
    this.#udp = udp;
    this.#endpoint = endpoint;
  }

  /** What is sent to groups has this TTL or hop limit, 0 to 255; 0 stays here. Default 1. */
  setTtl(ttl: number): void {
    if (!Number.isInteger(ttl) || ttl < 0 || ttl > 255) throw new CodeError(Code.EINVAL, 'setTtl');
    this.#endpoint.multicastTtl = ttl;
  }

  /**
   * Joins a group; `on` names the link by its id, its name or an address of ours on it.
   * @throws CodeError EINVAL (no group), ENODEV, EADDRINUSE (is a member), ENOBUFS (too many)
   */
  join(group: string | Address, on?: GroupLinkName): void {
    const g = addressOf(group, 'join');
    this.#change('join', g, joinGroup(this.#udp, this.#endpoint, g, this.#link(g, on)));
  }

  /** @throws CodeError EADDRNOTAVAIL (is no member), ENODEV */
  leave(group: string | Address, on?: GroupLinkName): void {
    const g = addressOf(group, 'leave');
    this.#change('leave', g, leaveGroup(this.#udp, this.#endpoint, g, this.#link(g, on)));
  }

  /** Hears one source of a group more. @throws CodeError EINVAL, EADDRNOTAVAIL, ENOBUFS, ENODEV */
  joinSource(group: string | Address, source: string | Address, on?: GroupLinkName): void {
    this.#bySource('joinSource', joinSource, group, source, on);
  }

  leaveSource(group: string | Address, source: string | Address, on?: GroupLinkName): void {
    this.#bySource('leaveSource', leaveSource, group, source, on);
  }

  /** A member of the whole group does not hear that source. */
  blockSource(group: string | Address, source: string | Address, on?: GroupLinkName): void {
    this.#bySource('blockSource', blockSource, group, source, on);
  }

  unblockSource(group: string | Address, source: string | Address, on?: GroupLinkName): void {
    this.#bySource('unblockSource', unblockSource, group, source, on);
  }

  /** What is sent to groups comes back to members on this host (default), or not. */
  setLoop(on: boolean): void {
    this.#endpoint.multicastLoop = on;
  }

  /**
   * False: only groups that this socket has joined itself. True, the default and Linux's: any
   * group's datagram for its port.
   */
  setAll(on: boolean): void {
    this.#endpoint.multicastAll = on;
  }

  /**
   * The link for what is sent to groups, named as in `join`; null = as the routes say. An address
   * of ours is the source, too. @throws CodeError EADDRNOTAVAIL, ENODEV
   */
  setInterface(on: GroupLinkName | null): void {
    const e = this.#endpoint;
    e.path.epoch = 0;
    e.multicastLink = -1;
    e.multicastSource = null;
    if (on === null) return;
    const link = linkNamed(this.#udp.ip, on);
    const address = typeof on === 'string' ? parse(on) : null;
    if (link < 0) {
      const code = address === null ? Code.ENODEV : Code.EADDRNOTAVAIL;
      throw new CodeError(code, 'setInterface', String(on));
    }
    e.multicastLink = link;
    e.multicastSource = address;
  }

  /** Whether a name stands for a link. */
  hasLink(on: GroupLinkName): boolean {
    return linkNamed(this.#udp.ip, on) >= 0;
  }

  #link(group: Address, on: GroupLinkName | undefined): number {
    const { ip } = this.#udp;
    if (on !== undefined) return linkNamed(ip, on);
    return group.zone === '' ? linkOfGroup(ip, group) : zoneLink(ip, group.zone);
  }

  #bySource(
    call: string,
    run: typeof joinSource,
    group: string | Address,
    source: string | Address,
    on: GroupLinkName | undefined,
  ): void {
    const g = addressOf(group, call);
    const s = addressOf(source, call);
    this.#change(call, g, run(this.#udp, this.#endpoint, g, s, this.#link(g, on)));
  }

  #change(call: string, group: Address, code: Code): void {
    if (code !== Code.NONE) throw new CodeError(code, call, group.toString());
    madeWork(this.#udp);
  }
}

function addressOf(address: string | Address, call: string): Address {
  if (typeof address !== 'string') return address;
  const parsed = parse(address);
  if (parsed === null) throw new CodeError(Code.EINVAL, call, address);
  return parsed;
}
