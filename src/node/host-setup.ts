// What a host sets up on both sides of its device: the kernel's address and routes, and its own.

import type { Link } from '../link/link.ts';
import type { Stack } from '../stack/stack.ts';
import { type Address, fromV4 } from '../wire/address.ts';
import type { Settings } from './options.ts';
import type { TunLink } from './tun.ts';

/**
 * Packets that wait in the kernel for a device of ours. Its own 500 last for 5 ms of a flood of
 * 100,000 packets/s, less than a collection of garbage; 40 ms stay below every timeout of TCP.
 */
const TX_QUEUE = 4096;

/** The kernel's side of a TUN: its own address, the way to every address that is ours. */
export function configureKernel(link: TunLink, settings: Settings): void {
  const first = settings.addresses.find((a) => !a.all) ?? settings.addresses[0];
  let peer = settings.peer;
  if (peer === undefined) {
    peer =
      first !== undefined && link.device.created ? otherHost(first.address, first.length) : null;
  }
  const routed = settings.addresses.filter((a) => a.all || a !== first || peer === null);
  link.configure({
    ...(settings.mtu === null ? {} : { mtu: settings.mtu }),
    ...(link.device.created ? { txQueueLen: TX_QUEUE } : {}),
    addresses:
      peer && first !== undefined ? [{ address: peer.toString(), prefix: first.length }] : [],
    up: true,
    routes: routed.map((a) => ({ address: network(a.address, a.length), prefix: a.length })),
  });
}

export function addRoutes(stack: Stack, settings: Settings, id: number, link: Link | null): void {
  if (settings.routes === null) {
    if (link === null) return;
    stack.addRoute('0.0.0.0', 0, { link: id });
    if (settings.addresses.some((a) => a.address.family === 6)) {
      stack.addRoute('::', 0, { link: id });
    }
    return;
  }
  for (const { address, length, via } of settings.routes) {
    const target = network(address, length);
    const gateway = via === null ? {} : { gateway: via.toString() };
    stack.addRoute(target, length, { link: id, ...gateway });
  }
}

/** With several links each prefix of ours is reached by its own. */
export function addOwnRoutes(stack: Stack): void {
  for (const { linkId, address, length } of stack.ip.addresses.list) {
    if (linkId === 0) continue;
    stack.addRoute(network(address, length), length, { link: linkId });
  }
}

/** The first host address of an IPv4 prefix that is not `own`; null where there is none. */
function otherHost(own: Address, length: number): Address | null {
  if (own.family !== 4 || length > 31) return null;
  if (length === 31) return fromV4(own.d ^ 1);
  const base = own.d & (length === 0 ? 0 : -1 << (32 - length));
  const first = (base + 1) | 0;
  return fromV4(first === own.d ? first + 1 : first);
}

/** The prefix with its host bits cleared, as text. */
function network(address: Address, length: number): string {
  if (address.family === 4) {
    return fromV4(length === 0 ? 0 : address.d & (-1 << (32 - length))).toString();
  }
  return address.toString();
}
