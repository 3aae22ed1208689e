// By what `portside/register` decides whether a call is the host's or the kernel's.

import * as net from 'node:net';
import type { Ground } from './ground.ts';
import type { Host } from './host.ts';
import type { KernelRoutes } from './kernel-routes.ts';
import type { ConnectOptions } from './net-connect.ts';

type Bag = Record<string, unknown>;

/** What the patches decide by. */
export interface Place {
  readonly host: Host;
  readonly ground: Ground;
  readonly kernel: KernelRoutes;
}

/** A path, a descriptor or a handle is of the kernel's world whatever else is said. */
function isKernelThing(options: ConnectOptions): boolean {
  const { path, fd, _handle, handle } = options as ConnectOptions & Bag;
  const hasFd = typeof fd === 'number' && fd >= 0;
  return Boolean(path) || hasFd || Boolean(_handle) || Boolean(handle);
}

export function staysOnKernel(place: Place, options: ConnectOptions): boolean {
  if (isKernelThing(options)) return true;
  const { host, port } = options;
  return typeof host === 'string' && place.kernel.has(host, Number(port ?? 0));
}

/** A name may turn out to be the kernel's: only its addresses tell. */
export function needsName(place: Place, options: ConnectOptions): boolean {
  const { host, lookup, port } = options;
  if (place.kernel.isEmpty || typeof host !== 'string' || net.isIP(host) !== 0) return false;
  return port != null && (lookup == null || typeof lookup === 'function');
}
