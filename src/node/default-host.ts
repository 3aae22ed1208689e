// The host of the doors `portside/net` and `portside/dgram`: one for each process, on loopback
// alone, made when it is first asked for. It stands on globalThis, so that a second copy of the
// package in the same process finds the same ports.

import { createLocalHost, type Host } from './host.ts';

const KEY = Symbol.for('portside/1');

interface Shared {
  host?: Host;
}

/** The process's default host: 127.0.0.0/8 and ::1, and a way to nowhere else. */
export function defaultHost(): Host {
  const global = globalThis as { [KEY]?: Shared };
  global[KEY] ??= {};
  const shared = global[KEY];
  if (shared.host === undefined || shared.host.closed) shared.host = createLocalHost();
  return shared.host;
}

/** Makes `host` the process's default host; answers what was that before. */
export function setDefaultHost(host: Host | undefined): Host | undefined {
  const global = globalThis as { [KEY]?: Shared };
  global[KEY] ??= {};
  const before = global[KEY].host;
  if (host === undefined) delete global[KEY].host;
  else global[KEY].host = host;
  return before;
}
