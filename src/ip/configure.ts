// Changes of addresses and routes while the stack runs. Each moves the epoch, so that cached paths
// are asked for again.

import { Code } from '../base/code.ts';
import { KIND_BITS, RouteChange, Seen } from '../base/watch.ts';
import { Address, mappedLength, maskWord, type Prefix } from '../wire/address.ts';
import { claim, unclaim } from './claims.ts';
import { forgetGroups } from './group-changes.ts';
import type { IpLayer } from './ip.ts';
import type { RouteSpec } from './routes.ts';

/**
 * Adds an address and the route to its network, or with `all` every address of a prefix, which adds
 * no route: the prefix is here. On an Ethernet an address may have to be asked for first
 * (claims.ts): it is ours when `ip.onAddress` says so. NONE, ENODEV, EINVAL, EADDRINUSE, ENOBUFS.
 */
export function addAddress(ip: IpLayer, linkId: number, prefix: Prefix, all: boolean): Code {
  if (!hasLink(ip, linkId)) return Code.ENODEV;
  const port = ip.ethers[linkId];
  const hasNeighbors = port !== null && port !== undefined && !all;
  return hasNeighbors ? claim(ip, port, prefix) : assign(ip, linkId, prefix, all);
}

/** Adds an address that is ours without any doubt. */
export function assign(ip: IpLayer, linkId: number, prefix: Prefix, all: boolean): Code {
  const code = ip.addresses.add(linkId, prefix, all);
  if (code !== Code.NONE) return code;
  if (!all && hasNetwork(linkId, prefix)) ip.routes.add(connected(linkId, prefix));
  changed(ip, RouteChange.ADDRESS, linkId, prefix);
  return Code.NONE;
}

/** NONE, or EADDRNOTAVAIL when it is not there. */
export function removeAddress(ip: IpLayer, linkId: number, prefix: Prefix, all: boolean): Code {
  const port = ip.ethers[linkId];
  if (port !== null && port !== undefined && !all && unclaim(ip, port, prefix.address)) {
    return Code.NONE;
  }
  const code = ip.addresses.remove(linkId, prefix, all);
  if (code !== Code.NONE) return code;
  if (!all && hasNetwork(linkId, prefix)) {
    const index = ip.routes.find(connected(linkId, prefix));
    if (index >= 0) ip.routes.remove(index);
  }
  changed(ip, RouteChange.NO_ADDRESS, linkId, prefix);
  return Code.NONE;
}

/** Adds a route; one that is there already is no error. NONE, ENODEV, EINVAL, ENOBUFS. */
export function addRoute(ip: IpLayer, spec: RouteSpec): Code {
  if (!hasLink(ip, spec.linkId)) return Code.ENODEV;
  const family = spec.prefix.address.family;
  if (spec.gateway != null && spec.gateway.family !== family) return Code.EINVAL;
  if (spec.source != null && spec.source.family !== family) return Code.EINVAL;
  if (ip.routes.add({ ...spec, prefix: network(spec.prefix) }) < 0) return Code.ENOBUFS;
  changed(ip, RouteChange.ROUTE, spec.linkId, spec.prefix);
  return Code.NONE;
}

/** NONE, or ENETUNREACH when there is no such route. */
export function removeRoute(ip: IpLayer, spec: RouteSpec): Code {
  const index = ip.routes.find({ ...spec, prefix: network(spec.prefix) });
  if (index < 0) return Code.ENETUNREACH;
  ip.routes.remove(index);
  changed(ip, RouteChange.NO_ROUTE, spec.linkId, spec.prefix);
  return Code.NONE;
}

/** Forgets a link's routes and addresses when it goes. */
export function removeLink(ip: IpLayer, linkId: number): void {
  ip.routes.removeLink(linkId);
  for (const entry of [...ip.addresses.list]) {
    if (entry.linkId === linkId) ip.addresses.remove(linkId, entry, entry.all);
  }
  forgetGroups(ip, linkId);
  ip.links[linkId] = null;
  if (ip.ethers[linkId] !== null && ip.ethers[linkId] !== undefined) ip.etherCount--;
  ip.ethers[linkId] = null;
  changed(ip, RouteChange.LINK, linkId, null);
}

/** What paths were taken by is another now; an onlooker hears of it. */
function changed(ip: IpLayer, change: number, linkId: number, prefix: Prefix | null): void {
  ip.routeEpoch++;
  const w = ip.watch;
  if (w === null) return;
  const { a, b, c, d } = prefix === null ? new Address(0, 0, 0, 0) : prefix.address;
  w.note(Seen.FROM, 0, a, b, c);
  w.more(d);
  w.note(Seen.ROUTE | (change << KIND_BITS), 0, linkId, prefix === null ? 0 : prefix.length, 0);
}

/** The prefix without its host bits. */
export function network(prefix: Prefix): Prefix {
  const length = mappedLength(prefix);
  const { a, b, c, d } = prefix.address;
  const address = new Address(
    a & maskWord(length, 0),
    b & maskWord(length, 1),
    c & maskWord(length, 2),
    d & maskWord(length, 3),
  );
  return { address, length: prefix.length };
}

function connected(linkId: number, prefix: Prefix): RouteSpec {
  return { prefix: network(prefix), linkId, source: prefix.address };
}

function hasLink(ip: IpLayer, linkId: number): boolean {
  return ip.links[linkId] !== null && ip.links[linkId] !== undefined;
}

function hasNetwork(linkId: number, prefix: Prefix): boolean {
  return linkId !== 0 && prefix.length < (prefix.address.family === 4 ? 32 : 128);
}
