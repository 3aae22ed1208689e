// The links that a host stands on: opened, set up on both sides, closed.

import type { Slab } from '../base/slab.ts';
import type { Link } from '../link/link.ts';
import type { Stack } from '../stack/stack.ts';
import { isDeviceLink } from './driver.ts';
import { openTun } from './fromtuntap.ts';
import { addRoutes, configureKernel } from './host-setup.ts';
import type { Settings } from './options.ts';
import { TunLink } from './tun.ts';

/** Longer than a peer on this machine takes for a small answer (docs/performance.md). */
const BUSY_POLL_US = 50;

export function makeLink(link: Settings['link'], slab: Slab): Link | null {
  return typeof link === 'function' ? link(slab) : link;
}

/** Sets a link up on our side, and where it `configures` on the kernel's; its id. */
export function joinLink(
  settings: Settings,
  stack: Stack,
  link: Link | null,
  configures: boolean,
): number {
  if (settings.mtu !== null && link !== null && !(link instanceof TunLink)) {
    link.mtu = settings.mtu;
  }
  if (link instanceof TunLink && configures) configureKernel(link, settings);
  const id = link === null ? 0 : stack.addLink(link);
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
    const { name, driver, netns, fd, busyPollUs = BUSY_POLL_US } = tun;
    const multiQueue = settings.queues > 1;
    return openTun({ name, driver, netns, fd, busyPollUs, multiQueue });
  }
  return makeLink(link, slab);
}
