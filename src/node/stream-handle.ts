// What Node's handle around a stream (JSStream, beneath tls and http2) does for a socket of a
// host's: `setNoDelay` and `setKeepAlive` reach the socket, as they reach a handle of the kernel's.
// http2, and ws over tls, turn Nagle's algorithm off that way; with it on, each of their small
// writes that follows another waits for the peer's delayed acknowledgment (RFC 1122 §4.2.3.4).
// A write behind a shutdown gets EPIPE, where JSStreamSocket alone would throw an assertion.

import type * as net from 'node:net';
import { PassThrough } from 'node:stream';
import * as tls from 'node:tls';

/** Node's JSStreamSocket: a net.Socket whose handle is a JSStream. */
interface Wrapper extends net.Socket {
  readonly _handle: object;
  readonly stream?: net.Socket;
}

type Handle = Record<PropertyKey, unknown>;

/** Classes that are only to be had from an instance of Node's. */
interface Inner {
  /** JSStreamSocket's prototype. */
  readonly wrapper: object;
  /** JSStream's. */
  readonly handle: object;
  /** Where a handle keeps its JSStreamSocket. */
  readonly owner: symbol | undefined;
  /** Where a JSStreamSocket keeps the shutdown that is under way. */
  readonly shutdown: symbol | undefined;
}

const UV_EPIPE = -32;

let inner: Inner | null = null;
let reaches = false;

/** What Node makes around a stream without a handle. */
export function streamInner(): Inner {
  if (inner !== null) return inner;
  const secureContext = tls.createSecureContext({});
  const socket = new tls.TLSSocket(new PassThrough() as unknown as net.Socket, { secureContext });
  const { _parentWrap } = (socket as unknown as { _handle: { _parentWrap: Wrapper } })._handle;
  const handle = _parentWrap._handle;
  const named = (of: object, name: string): symbol | undefined =>
    Object.getOwnPropertySymbols(of).find((symbol) => symbol.description === name);
  inner = {
    wrapper: Object.getPrototypeOf(_parentWrap) as object,
    handle: Object.getPrototypeOf(handle) as object,
    owner: named(handle, 'owner_symbol'),
    shutdown: named(_parentWrap, 'kCurrentShutdownRequest'),
  };
  socket.destroy();
  return inner;
}

/** Once for each process, when the first socket of a host's is wrapped: they bear `mark`. */
export function reachWrapped(mark: symbol): void {
  if (reaches) return;
  reaches = true;
  const { handle, owner, wrapper, shutdown } = streamInner();
  if (shutdown !== undefined) refuseLate(wrapper as LateWriter, shutdown, mark);
  if (owner === undefined) return;
  /** The host's socket that a handle is around; null around any other stream. */
  const beneath = (self: Handle): net.Socket | null => {
    const stream = (self[owner] as Wrapper | null | undefined)?.stream;
    return stream !== undefined && mark in stream ? stream : null;
  };
  add(handle, 'setNoDelay', (self, on) => beneath(self)?.setNoDelay(on as boolean));
  add(handle, 'setKeepAlive', (self, on, seconds) => {
    beneath(self)?.setKeepAlive(on as boolean, Number(seconds) * 1000);
  });
}

type Write = (this: Wrapper, request: object, chunks: Uint8Array[]) => number;
interface LateWriter {
  doWrite: Write;
}

/**
 * http2 may write behind its own shutdown (a WINDOW_UPDATE, an ACK of a PING). A handle of the
 * kernel's answers EPIPE; JSStreamSocket throws an assertion that no program can catch.
 */
function refuseLate(wrapper: LateWriter, shutdown: symbol, mark: symbol): void {
  const { doWrite } = wrapper;
  wrapper.doWrite = function (request, chunks) {
    const isLate = (this as unknown as Handle)[shutdown] !== null;
    if (isLate && this.stream !== undefined && mark in this.stream) return UV_EPIPE;
    return doWrite.call(this, request, chunks);
  };
}

function add(target: object, name: string, act: (self: Handle, ...args: unknown[]) => void): void {
  if (name in target) return; // a Node that does it by itself
  const value = function (this: Handle, ...args: unknown[]): number {
    act(this, ...args);
    return 0;
  };
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}
