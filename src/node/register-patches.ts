// The patches of `portside/register`: functions of Node's, each of which asks where the call
// belongs, and goes on with Node's own function for whatever is the kernel's. docs/register.md
// lists them. `undo` puts back what was there.

import dgram from 'node:dgram';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import {
  adoptServer,
  adoptSocket,
  connectAdopted,
  disownServer,
  groundOf,
  isOurs,
  listenAdopted,
} from './adopt.ts';
import { adoptDgram, isUnbound } from './dgram.ts';
import type { Lookup, LookupAddress } from './ground.ts';
import type { Host } from './host.ts';
import type { KernelRoutes } from './kernel-routes.ts';
import { type ConnectOptions, connectArgs, normalizeArgs } from './net-connect.ts';
import { type Method, Patches } from './patches.ts';
import { needsName, type Place, staysOnKernel } from './register-place.ts';
import { patchResolvers } from './register-resolver.ts';
import { connectSecure, isSecure, patchTls } from './register-tls.ts';
import { patchWrapper } from './register-wrapper.ts';

type Bag = Record<string, unknown>;

/** Puts every patch in place. */
export function patchNode(host: Host, kernel: KernelRoutes, ownNames: boolean): Patches {
  const place: Place = { host, ground: groundOf(host), kernel };
  const patches = new Patches();
  patchServer(patches, place);
  patchSocket(patches, place);
  patchTls(patches, place);
  patchWrapper(patches);
  patchDgram(patches, place);
  if (ownNames) patchDns(patches, host);
  else patchResolvers(patches, place);
  syncBuiltinESMExports();
  return patches;
}

// --- net -----------------------------------------------------------------------------------

function patchServer(patches: Patches, place: Place): void {
  // Node's own `listen` is called from inside ours, on the way down.
  let isInside = false;
  patches.replace(net.Server.prototype, 'listen', (original) => {
    const listen = function (this: net.Server, ...args: unknown[]): unknown {
      const isHosts = this instanceof place.host.net.Server;
      if (isInside || isHosts) return original.apply(this as never, args as never);
      const [options] = normalizeArgs(args);
      if (staysOnKernel(place, options)) {
        disownServer(this);
        return original.apply(this as never, args as never);
      }
      adoptServer(this, place.host, place.ground);
      isInside = true;
      try {
        return listenAdopted(this, args);
      } finally {
        isInside = false;
      }
    };
    return listen as unknown as Method;
  });
}

function patchSocket(patches: Patches, place: Place): void {
  patches.replace(net.Socket.prototype, 'connect', (original) => {
    const connect = function (this: net.Socket, ...args: unknown[]): unknown {
      const pair = connectArgs(args);
      const kernel = (): unknown => original.apply(this as never, args as never);
      if (isOurs(this)) return connectAdopted(this, args);
      const hasHandle = (this as unknown as { _handle: unknown })._handle !== null;
      if (isSecure(this) && !staysOnKernel(place, pair[0])) {
        if (connectSecure(this, place, pair)) return this;
      }
      if (hasHandle || staysOnKernel(place, pair[0])) return kernel();
      if (needsName(place, pair[0])) return connectByName(this, place, pair, original);
      adoptSocket(this, place.host, place.ground);
      return connectAdopted(this, args);
    };
    return connect as unknown as Method;
  });
}

/** Looks the name up first, and connects with that answer, on whichever side it belongs. */
function connectByName(
  socket: net.Socket,
  place: Place,
  [options, callback]: [ConnectOptions, unknown],
  original: Method,
): net.Socket {
  const lookup = (options.lookup as Lookup | null | undefined) ?? place.ground.lookup;
  const inner = socket as unknown as { connecting: boolean };
  if (typeof callback === 'function') socket.once('connect', callback as () => void);
  inner.connecting = true;
  const { family, hints } = options as { family?: number; hints?: number };
  lookup(String(options.host), { family, hints, all: true }, (error, found) => {
    if (socket.destroyed) return;
    inner.connecting = false;
    const list: LookupAddress[] = Array.isArray(found) ? found : [];
    const answer: Lookup = (_name, how, done) => {
      const first = list[0];
      if (error || first === undefined) process.nextTick(done, error, undefined, undefined);
      else if (how.all === true) process.nextTick(done, null, list);
      else process.nextTick(done, null, first.address, first.family);
    };
    const known = { ...options, lookup: answer };
    const port = Number(options.port ?? 0);
    if (list.length > 0 && list.every((a) => place.kernel.has(a.address, port))) {
      original.call(socket as never, known as never);
      return;
    }
    adoptSocket(socket, place.host, place.ground);
    connectAdopted(socket, [known]);
  });
  return socket;
}

// --- dgram ---------------------------------------------------------------------------------

/** Where a datagram socket's first call says that it belongs: an address and a port. */
type Target = (args: readonly unknown[]) => { address: unknown; port: unknown; fd?: unknown };

const bindTarget: Target = ([first, second]) => {
  if (typeof first !== 'object' || first === null) return { port: first, address: second };
  const { address, port, fd } = first as Bag;
  return { address, port, fd };
};

const connectTarget: Target = ([port, address]) => ({ port, address });

/** `(msg[, offset, length], port[, address][, callback])`. */
const sendTarget: Target = (args) => {
  const isLong = typeof args[1] === 'number' && typeof args[2] === 'number' && args.length > 3;
  const at = isLong && typeof args[3] !== 'function' ? 3 : 1;
  return { port: args[at], address: args[at + 1] };
};

function patchDgram(patches: Patches, place: Place): void {
  // The first of these calls decides for good.
  const decided = new WeakSet<dgram.Socket>();
  const decide = (socket: dgram.Socket, target: ReturnType<Target>): void => {
    if (decided.has(socket) || !isUnbound(socket)) return;
    decided.add(socket);
    const { address, port, fd } = target;
    if (typeof fd === 'number') return;
    const literal = typeof address === 'string' && net.isIP(address) !== 0 ? address : null;
    if (literal !== null && place.kernel.has(literal, Number(port ?? 0))) return;
    adoptDgram(socket, place.ground);
  };
  const table: [string, Target][] = [
    ['bind', bindTarget],
    ['connect', connectTarget],
    ['send', sendTarget],
  ];
  for (const [name, targetOf] of table) {
    patches.replace(dgram.Socket.prototype, name, (original) => {
      const method = function (this: dgram.Socket, ...args: unknown[]): unknown {
        decide(this, targetOf(args));
        return original.apply(this as never, args as never);
      };
      return method as unknown as Method;
    });
  }
}

// --- dns -----------------------------------------------------------------------------------

/** Every function of node:dns and of its promises becomes the host's; constants stay. */
function patchDns(patches: Patches, host: Host): void {
  const pairs: [object, object][] = [
    [dns, host.dns],
    [dns.promises, host.dns.promises],
  ];
  for (const [target, source] of pairs) {
    const theirs = target as Bag;
    for (const [name, ours] of Object.entries(source)) {
      const isTheirs = typeof theirs[name] === 'function' && theirs[name] !== ours;
      if (isTheirs && typeof ours === 'function')
        patches.replace(target, name, () => ours as Method);
    }
  }
}
