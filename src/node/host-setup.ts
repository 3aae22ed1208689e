// What a host sets up on both sides of its device: the kernel's address and routes, and its own.

import { createHash } from 'node:crypto';
import { Code, CodeError } from '../base/code.ts';
import { claimed } from '../ip/claims.ts';
import type { Link } from '../link/link.ts';
import type { Stack } from '../stack/stack.ts';
import { type Address, fromV4 } from '../wire/address.ts';
import type { Driver } from './driver.ts';
import type { OwnAddress, Settings } from './options.ts';
import { TunLink } from './tun.ts';

/**
 * Packets that wait in the kernel for a device of ours. Its own 500 last for 5 ms of a flood of
 * 100,000 packets/s, less than a collection of garbage; 40 ms stay below every timeout of TCP.
 */
const TX_QUEUE = 4096;

/** The kernel's side of a TUN: its own address, the way to every address that is ours. */
export function configureKernel(link: TunLink, settings: Settings): void {
  // Behind an interface by AF_PACKET is a wire, and not the kernel.
  if (link.kind === 'packet') {
    link.configure({ ...(settings.mtu === null ? {} : { mtu: settings.mtu }), up: true });
    return;
  }
  const first = firstAddress(settings);
  const peer = peerOf(link, settings);
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

function firstAddress(settings: Settings): OwnAddress | undefined {
  return settings.addresses.find((a) => !a.all) ?? settings.addresses[0];
}

/** Who is at the other end; null where nobody is known to be. */
function peerOf(link: TunLink, settings: Settings): Address | null {
  if (settings.peer !== undefined) return settings.peer;
  const first = firstAddress(settings);
  if (first === undefined || !link.device.created) return null;
  return otherHost(first.address, first.length);
}

export function addRoutes(stack: Stack, settings: Settings, id: number, link: Link | null): void {
  if (settings.routes === null) {
    if (link === null) return;
    if (link.mac !== null && link.mac !== undefined) {
      addGateway(stack, settings, id, link);
      return;
    }
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

/** On an Ethernet a neighbour is asked for by name: without a router nothing leads outside. */
function addGateway(stack: Stack, settings: Settings, id: number, link: Link): void {
  const peer = link instanceof TunLink ? peerOf(link, settings) : (settings.peer ?? null);
  if (peer === null) return;
  const target = peer.family === 4 ? '0.0.0.0' : '::';
  stack.addRoute(target, 0, { link: id, gateway: peer.toString() });
}

/** A link of the host and what was asked of it. */
export interface Joined {
  readonly settings: Settings;
  readonly id: number;
}

/** Our addresses that others may have, too: fulfilled when it is known, or EADDRINUSE. */
export function untilOurs(
  { stack, driver }: { stack: Stack; driver: Driver },
  links: readonly Joined[],
): Promise<void> | null {
  if (links.every(({ id }) => (stack.ip.ethers[id] ?? null) === null)) return null;
  // Whatever was said about them leaves with the first turn.
  driver.work();
  const { ip } = stack;
  const open = new Set<string>();
  for (const { settings, id } of links) {
    for (const a of settings.addresses) {
      if (!a.all && isOpen(stack, id, a)) open.add(nameOf(id, a.address));
    }
  }
  if (open.size === 0) return null;
  const { promise, resolve, reject } = withResolvers();
  ip.onAddress = (linkId, address, isOurs) => {
    if (!open.delete(nameOf(linkId, address))) return;
    if (!isOurs) reject(new CodeError(Code.EADDRINUSE, 'address', `${address}`));
    else if (open.size === 0) resolve();
  };
  return heldUntil(driver, promise);
}

function nameOf(linkId: number, address: Address): string {
  return `${linkId} ${address}`;
}

function isOpen(stack: Stack, id: number, own: OwnAddress): boolean {
  const { a, b, c, d } = own.address;
  const port = stack.ip.ethers[id];
  return port !== null && port !== undefined && claimed(port, a, b, c, d) !== null;
}

/** Addresses are being asked for: the event loop is held meanwhile. */
async function heldUntil(driver: Driver, ours: Promise<void>): Promise<void> {
  driver.hold();
  driver.work();
  try {
    await ours;
  } finally {
    driver.release();
  }
}

interface Resolvers {
  promise: Promise<void>;
  resolve: () => void;
  reject: (reason: Error) => void;
}

/** Promise.withResolvers came with Node 22. */
function withResolvers(): Resolvers {
  let resolve = (): void => {};
  let reject = (_reason: Error): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/**
 * An IPv6 Ethernet host has a link-local address (RFC 4291 §2.8). Its identifier is opaque and the
 * same at every start for one link-layer address (RFC 7217 §5), and another than the kernel's,
 * which may have made its own of the same link-layer address.
 */
export function addLinkLocal(stack: Stack, id: number, link: Link): void {
  const octets = createHash('sha256').update(`portside ${link.name} ${link.mac}`).digest();
  const word = (at: number): string => octets.readUInt16BE(at).toString(16);
  const address = `fe80::${word(0)}:${word(2)}:${word(4)}:${word(6)}`;
  try {
    stack.addAddress(id, address, 64);
  } catch (error) {
    // The program has named the same one.
    if ((error as CodeError).errno !== Code.EADDRINUSE) throw error;
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
