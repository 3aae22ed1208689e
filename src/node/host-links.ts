// The links that a host stands on: opened, set up on both sides, closed.

import type { Slab } from '../base/slab.ts';
import type { Link } from '../link/link.ts';
import type { Stack } from '../stack/stack.ts';
import { type Driver, isDeviceLink } from './driver.ts';
import { openTun } from './fromtuntap.ts';
import { addLinkLocal, addRoutes, configureKernel } from './host-setup.ts';
import type { Settings } from './options.ts';
import { TunLink } from './tun.ts';

/** Longer than a peer on this machine takes for a small answer (docs/performance.md). */
const BUSY_POLL_US = 50;

export function makeLink(link: Settings['link'], slab: Slab): Link | null {
  return typeof link === 'function' ? link(slab) : link;
}

/** Where the packets of a link lie, in octets of the slab. */
export interface Region {
  readonly at: number;
  readonly size: number;
}

interface Base {
  readonly stack: Stack;
  readonly driver: Driver;
  readonly slab: Slab;
}

/** Sets a link up on our side, and where it `configures` on the kernel's; its id. */
export function joinLink(
  { stack, driver, slab }: Base,
  { settings, configures }: { settings: Settings; configures: boolean },
  link: Link | null,
  region: Region,
): number {
  if (settings.mtu !== null && link !== null && !(link instanceof TunLink)) {
    link.mtu = settings.mtu;
  }
  if (link instanceof TunLink && configures) configureKernel(link, settings);
  const id = link === null ? 0 : stack.addLink(link);
  if (link !== null) {
    // Addresses may be asked for on the wire: it carries from here on.
    driver.attach(link, id, slab, region.at, region.size);
    if (link.mac !== null && link.mac !== undefined) addLinkLocal(stack, id, link);
  }
  for (const a of settings.addresses) {
    const own = a.all ? { own: 'all' as const } : {};
    stack.addAddress(id, a.address.toString(), a.length, own);
  }
  addRoutes(stack, settings, id, link);
  return id;
}

export function closeAll(links: readonly (Link | null)[]): void {
  for (const link of links) if (link !== null && isDeviceLink(link)) link.close();
}

export async function openLink(settings: Settings, slab: Slab): Promise<Link | null> {
  const { tun, link } = settings;
  if (tun !== null) {
    const multiQueue = settings.queues > 1;
    return openTun({ busyPollUs: BUSY_POLL_US, ...tun, multiQueue });
  }
  return makeLink(link, slab);
}
