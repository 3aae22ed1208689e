// How a program names links to a UDP socket, and what one datagram may have of its own.

import type { IpLayer } from '../ip/ip.ts';
import { type Address, parse } from '../wire/address.ts';

/** A link by its id, by its name, or by an address of ours on it. */
export type GroupLinkName = number | string;

export interface SendOptions {
  /** Default: the connected peer. */
  readonly address?: Address | undefined;
  readonly port?: number | undefined;
  /** DSCP and ECN in one octet (RFC 2474, RFC 3168). */
  readonly tos?: number | undefined;
  /** TTL or hop limit, 1 to 255. */
  readonly ttl?: number | undefined;
  /** Which of our addresses it comes from. */
  readonly source?: Address | undefined;
}

/** Id of the link, -1 when there is none of that name. */
export function linkNamed(ip: IpLayer, on: GroupLinkName): number {
  if (typeof on === 'number') return linkNumbered(ip, on);
  const address = parse(on);
  if (address === null) return zoneLink(ip, on);
  if (address.zone !== '') return zoneLink(ip, address.zone);
  const { a, b, c, d } = address;
  for (const { linkId, address: own, all, length } of ip.addresses.list) {
    if (own.a === a && own.b === b && own.c === c && own.d === d) return linkId;
    if (all && own.family === 4 && address.family === 4 && isWithin(own.d, d, length)) {
      return linkId;
    }
  }
  return -1;
}

function isWithin(network: number, address: number, length: number): boolean {
  return length === 0 || ((network ^ address) & (-1 << (32 - length))) === 0;
}

/** RFC 4007 §11: a zone is a link's name, or its number, counted from 1 as interfaces are. */
export function zoneLink(ip: IpLayer, zone: string): number {
  for (let i = 0; i < ip.links.length; i++) if (ip.links[i]?.name === zone) return i;
  if (!/^[1-9][0-9]{0,8}$/.test(zone)) return -1;
  const id = Number(zone) - 1;
  return exists(ip, id) ? id : -1;
}

export function linkNumbered(ip: IpLayer, id: number): number {
  return exists(ip, id) ? id : -1;
}

function exists(ip: IpLayer, id: number): boolean {
  return ip.links[id] !== null && ip.links[id] !== undefined;
}
