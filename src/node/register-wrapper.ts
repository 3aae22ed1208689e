// What a registered process changes on Node's socket around a stream (JSStreamSocket): tls and
// http2 put it around a socket that has no handle of the kernel's, and take it for the socket
// itself. So it has to connect when the socket beneath does, and to know that one's addresses.

import * as net from 'node:net';
import * as tls from 'node:tls';
import { edgeOf } from './adopt.ts';
import type { Method, Patches } from './patches.ts';
import { streamInner } from './stream-handle.ts';

interface Wrapper extends net.Socket {
  stream?: net.Socket;
}

/** Wrappers that will say 'connect' when what they wrap does. */
const waiting = new WeakSet<Wrapper>();

export function patchWrapper(patches: Patches): void {
  const prototype = streamInner().wrapper;
  // Node asks the handle for addresses, and a wrapped stream's handle has none.
  for (const name of ['_getpeername', '_getsockname'] as const) {
    patches.add(tls.TLSSocket.prototype, name, { value: addressOf(name, '_parent') });
    patches.add(prototype, name, { value: addressOf(name, 'stream') });
  }
  for (const name of ['ref', 'unref'] as const) {
    patches.add(tls.TLSSocket.prototype, name, { value: passed(name, '_parent') });
    patches.add(prototype, name, { value: passed(name, 'stream') });
  }
  patches.add(prototype, 'connecting', {
    get(this: Wrapper): boolean {
      return isOurs(this.stream) && this.stream.connecting;
    },
    // The constructor of net.Socket says false.
    set(): void {},
  });
  for (const name of ['on', 'once', 'addListener', 'prependListener'] as const) {
    const value = function (this: Wrapper, event: string, listener: () => void): Wrapper {
      if (event === 'connect' || event === 'ready') passConnect(this);
      const method = net.Socket.prototype[name] as unknown as Method;
      method.call(this as never, ...([event, listener] as never[]));
      return this;
    };
    patches.add(prototype, name, { value });
  }
}

function isOurs(stream: net.Socket | null | undefined): stream is net.Socket {
  return stream != null && edgeOf(stream) !== null;
}

function passConnect(wrapper: Wrapper): void {
  const { stream } = wrapper;
  if (!isOurs(stream) || !stream.connecting || waiting.has(wrapper)) return;
  waiting.add(wrapper);
  stream.once('connect', () => {
    if (wrapper.destroyed) return; // aborted meanwhile: as node:net, it says nothing any more
    wrapper.emit('connect');
    wrapper.emit('ready');
  });
}

/** The address of the host's socket that lies beneath, in this field; else Node's own answer. */
function addressOf(name: '_getpeername' | '_getsockname', field: string): Method {
  const method = function (this: Record<string, object | null | undefined>): unknown {
    const beneath = this[field];
    const isHosts = beneath != null && edgeOf(beneath) !== null;
    const asked = isHosts ? beneath : net.Socket.prototype;
    const ask = (asked as unknown as Record<string, Method>)[name] as Method;
    return ask.call((isHosts ? beneath : this) as never);
  };
  return method as unknown as Method;
}

/** `ref` and `unref` are the matter of the host's socket beneath, and of Node's own elsewhere. */
function passed(name: 'ref' | 'unref', field: string): Method {
  const method = function (this: net.Socket): net.Socket {
    const beneath = (this as unknown as Record<string, net.Socket | null>)[field];
    if (isOurs(beneath)) beneath[name]();
    else net.Socket.prototype[name].call(this);
    return this;
  };
  return method as unknown as Method;
}
