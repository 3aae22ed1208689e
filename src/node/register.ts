// A whole process on a host: `register()` puts what node:net, node:tls, node:dgram and, where name
// servers are given, node:dns do from now on onto portside; `unregister()` takes that back.
// `node --import portside/register app.js` does it before the program's first line.

import dns from 'node:dns';
import { isMainThread } from 'node:worker_threads';
import { setDefaultHost } from './default-host.ts';
import { coded } from './errors.ts';
import type { Lookup } from './ground.ts';
import { createHost, createLocalHost, type Host } from './host.ts';
import { KernelRoutes } from './kernel-routes.ts';
import type { HostOptions } from './options.ts';
import type { Patches } from './patches.ts';
import {
  checkConfig,
  hostOptions,
  type RegisterConfig,
  readConfig,
  wantsDevice,
} from './register-config.ts';
import { patchNode } from './register-patches.ts';

interface Registration {
  readonly host: Host;
  readonly patches: Patches;
  /** The default host before, when ours has taken its place. */
  readonly before: Host | undefined;
  readonly isMade: boolean;
}

/** One for a process, whichever copy of the package did it. */
const KEY = Symbol.for('portside/1/registered');
const shared = globalThis as { [KEY]?: Registration | null };

const machineLookup = dns.lookup as unknown as Lookup;

/** The host of a registered process; null before `register` and after `unregister`. */
export function registeredHost(): Host | null {
  return shared[KEY]?.host ?? null;
}

/**
 * Puts the process on a host: one that is given, or one made of a configuration (the keys of
 * portside.config.json). Registering twice answers the host of the first time.
 * @throws ERR_PORTSIDE_INVALID_OPTION; whatever opening the device throws
 */
export async function register(given: RegisterConfig | Host = {}): Promise<Host> {
  const old = registeredHost();
  if (old !== null) return old;
  if ('stack' in given) {
    const host = given as Host;
    return put(host, false, new KernelRoutes([]), host.dns.getServers().length > 0);
  }
  const config = checkConfig(given);
  if (!wantsDevice(config)) return registerNow(config);
  const kernel = new KernelRoutes(config.kernel ?? []);
  return put(await createHost(optionsOf(config)), true, kernel, asksServers(config));
}

/** As `register`, at once: for `node --require`. A device cannot be had that way. */
export function registerNow(given: RegisterConfig = {}): Host {
  const old = registeredHost();
  if (old !== null) return old;
  const config = checkConfig(given);
  if (wantsDevice(config)) {
    const text = 'A device takes longer than a require: use node --import portside/register';
    throw coded(Error, 'ERR_PORTSIDE_UNSUPPORTED', text);
  }
  const kernel = new KernelRoutes(config.kernel ?? []);
  return put(createLocalHost(optionsOf(config)), true, kernel, asksServers(config));
}

function put(host: Host, isMade: boolean, kernel: KernelRoutes, ownNames: boolean): Host {
  const patches = patchNode(host, kernel, ownNames);
  shared[KEY] = { host, patches, isMade, before: isMade ? setDefaultHost(host) : undefined };
  return host;
}

/** What `portside/register` does when it is imported; null with PORTSIDE=off. */
export async function registerFromEnvironment(): Promise<Host | null> {
  const config = ownConfig();
  return config === null ? null : register(config);
}

/** What `portside/register` does when it is required. */
export function registerFromEnvironmentNow(): Host | null {
  const config = ownConfig();
  return config === null ? null : registerNow(config);
}

/**
 * Puts Node's functions back and closes the host if `register` has made it. What is open on it
 * ends as with `host.close()`.
 */
export async function unregister(): Promise<void> {
  const registration = shared[KEY];
  if (!registration) return;
  shared[KEY] = null;
  registration.patches.undo();
  if (!registration.isMade) return;
  setDefaultHost(registration.before);
  await registration.host.close();
}

/** A device belongs to the main thread; a worker has a host of its own, on loopback. */
function ownConfig(): RegisterConfig | null {
  const config = readConfig(process.env, process.cwd());
  if (config === null || isMainThread || !wantsDevice(config)) return config;
  return config.kernel === undefined ? {} : { kernel: config.kernel };
}

function asksServers(config: RegisterConfig): boolean {
  return (config.dns?.length ?? 0) > 0;
}

function optionsOf(config: RegisterConfig): HostOptions {
  const options = hostOptions(config);
  if (asksServers(config)) {
    const { dns: servers = [], search = [] } = config;
    // What the machine's own table says holds for the program as before.
    options.dns = { servers, search, hostsFile: true };
  } else options.lookup = machineLookup;
  return options;
}
