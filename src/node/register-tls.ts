// What `portside/register` changes for node:tls. A TLSSocket that connects by itself (tls.connect,
// or `connect` of one that was made without a socket) has a kernel handle from its constructor on:
// it gets a socket of the host's beneath instead.

import net from 'node:net';
import tls from 'node:tls';
import { type ConnectOptions, normalizeArgs } from './net-connect.ts';
import type { Method, Patches } from './patches.ts';
import { needsName, type Place, staysOnKernel } from './register-place.ts';

type Bag = Record<string, unknown>;

const RAW_OPTIONS = [
  ...['host', 'port', 'family', 'hints', 'lookup', 'localAddress', 'localPort', 'noDelay'],
  ...['keepAlive', 'keepAliveInitialDelay', 'autoSelectFamily', 'autoSelectFamilyAttemptTimeout'],
  ...['allowHalfOpen', 'highWaterMark'],
];

/** The socket of the host's beneath a TLSSocket, connecting. */
function connectBeneath(options: ConnectOptions & Bag): net.Socket {
  const raw: Bag = {};
  for (const name of RAW_OPTIONS) if (options[name] !== undefined) raw[name] = options[name];
  return net.connect(raw as unknown as net.NetConnectOpts);
}

/** tls.connect makes a kernel handle for itself unless it is given a socket: it gets ours. */
export function patchTls(patches: Patches, place: Place): void {
  patches.replace(tls, 'connect', (original) => {
    const connect = (...args: unknown[]): unknown => {
      const [first, callback] = normalizeArgs(args);
      const later = args.slice(1, 3).find((a) => typeof a === 'object' && a !== null);
      const options = { ...first, ...(later as object | undefined) } as ConnectOptions & Bag;
      // `onread` is for a socket that tls connects by itself: `connectSecure` has it.
      const isGiven = Boolean(options['socket']) || options.port == null;
      if (isGiven || options['onread'] || staysOnKernel(place, options)) {
        return original.apply(undefined as never, args as never);
      }
      const socket = connectBeneath(options);
      const rest = callback === null ? [] : [callback];
      const all = [{ ...options, socket }, ...rest] as never;
      let secure: tls.TLSSocket;
      try {
        secure = original.apply(undefined as never, all) as tls.TLSSocket;
      } catch (error) {
        // Node checks what is left of the options before it connects.
        socket.destroy();
        throw error;
      }
      // A signal that is aborted already ends it before it knows of its socket.
      if (options['signal']) secure.once('close', () => socket.destroy());
      if (options.timeout) secure.setTimeout(options.timeout);
      return secure;
    };
    return connect as unknown as Method;
  });
}

/** Node's own way to another handle, of which autoSelectFamily makes use; Node 20 has it. */
const REINITIALIZE = Object.getOwnPropertySymbols(net.Socket.prototype).find(
  (symbol) => symbol.description === 'kReinitializeHandle',
);

interface Handle {
  readonly _parent?: { close?(): void };
  useUserBuffer?(buffer: Uint8Array): void;
}

interface Inner {
  _handle: Handle | null;
  _parent: net.Socket | null;
  ssl: Handle | null;
  connecting: boolean;
  [kind: symbol]: unknown;
}

/** Whether it is a TLSSocket with a handle of its own, which is not connected. */
export function isSecure(socket: net.Socket): boolean {
  if (!(socket instanceof tls.TLSSocket)) return false;
  const { _handle, _parent } = socket as unknown as Inner;
  return _handle !== null && _parent == null;
}

/** `connect` of such a socket. False: this one has to stay on the kernel. */
export function connectSecure(
  secure: net.Socket,
  place: Place,
  [options, callback]: [ConnectOptions, unknown],
): boolean {
  if (REINITIALIZE === undefined || needsName(place, options)) return false;
  const beneath = connectBeneath(options as ConnectOptions & Bag);
  const handle = (beneath as unknown as Inner)._handle;
  if (handle === null) {
    beneath.destroy();
    return false;
  }
  const inner = secure as unknown as Inner;
  if (typeof callback === 'function') secure.once('connect', callback as () => void);
  rewrap(inner, handle);
  inner._parent = beneath;
  inner.connecting = true;
  beneath.once('connect', () => {
    inner.connecting = false;
    if (secure.destroyed) return;
    secure.emit('connect');
    secure.emit('ready');
    if (secure.readable && !secure.isPaused()) secure.read(0);
  });
  beneath.on('error', (error) => secure.destroy(error));
  beneath.once('close', () => secure.destroy());
  return true;
}

/** Puts the TLSSocket on another handle. */
function rewrap(inner: Inner, handle: Handle): void {
  const before = inner._handle;
  // `onread`: Node would ask the program for a buffer once more.
  const field = Object.getOwnPropertySymbols(inner).find((s) => s.description === 'kBuffer');
  const buffer = field === undefined ? null : (inner[field] as Uint8Array | null);
  if (field !== undefined) inner[field] = null;
  (inner[REINITIALIZE as symbol] as (handle: Handle) => void)(handle);
  inner.ssl = inner._handle;
  if (field !== undefined && buffer !== null) {
    inner[field] = buffer;
    inner._handle?.useUserBuffer?.(buffer);
  }
  before?._parent?.close?.();
}
