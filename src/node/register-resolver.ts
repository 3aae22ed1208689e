// A Resolver of a registered process that has its names from the machine: told to ask servers that
// are the host's, it asks them over the host. Until then, and for any other server, it is Node's.

import dns from 'node:dns';
import { isReachable } from '../services/dns/destinations.ts';
import { parse } from '../wire/address.ts';
import { DnsHandle } from './dns-handle.ts';
import type { Method, Patches } from './patches.ts';
import type { Place } from './register-place.ts';

interface Resolver {
  _handle: object;
}

/** `10.0.0.1`, `10.0.0.1:53`, `[::1]:53`, `::1`. */
const SERVER = /^(?:\[([^\]]+)\]|([\d.]+|[\da-f:]+(?:%.*)?))(?::(\d+))?$/i;
const DOMAIN = 53;

export function patchResolvers(patches: Patches, place: Place): void {
  const classes = [dns.Resolver, dns.promises.Resolver];
  for (const base of new Set(classes.map((c) => owner(c.prototype)))) {
    if (base === null) continue;
    patches.replace(base, 'setServers', (original) => {
      const setServers = function (this: Resolver, servers: readonly string[]): void {
        original.call(this as never, servers as never);
        if (this._handle instanceof DnsHandle || !areHosts(place, servers)) return;
        const { _handle } = new place.host.dns.Resolver() as unknown as { _handle: DnsHandle };
        _handle.resolver.config.udpSize = 0; // c-ares asks without EDNS
        this._handle = _handle;
        original.call(this as never, servers as never);
      };
      return setServers as unknown as Method;
    });
  }
}

/** The prototype that has the method: one base class for both forms. */
function owner(prototype: object): object | null {
  let at: object | null = prototype;
  while (at !== null && !Object.hasOwn(at, 'setServers')) at = Object.getPrototypeOf(at) as object;
  return at;
}

/** The host has a way to all of them, and none is the kernel's. Node has checked their form. */
function areHosts(place: Place, servers: readonly string[]): boolean {
  if (servers.length === 0) return false;
  return servers.every((server) => {
    const [, bracketed, plain, port] = SERVER.exec(server) ?? [];
    const text = bracketed ?? plain ?? '';
    const address = parse(text);
    if (address === null || place.kernel.has(text, Number(port ?? DOMAIN))) return false;
    return isReachable(place.host.stack, address);
  });
}
