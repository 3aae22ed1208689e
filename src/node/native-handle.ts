// What `_handle` of a connection's net.Socket is: a stream of Node's C++ layer (JSStream, on which
// Node's own JSStreamSocket stands), whose other end is the edge. node:tls, http2 and http put
// their native halves straight on it, as on a kernel socket's handle, with nothing of JavaScript's
// streams between. It is made when somebody asks for it: a plain socket has none, and its octets go
// to `push`. From then on everything goes through it, to whoever listens there: the native half, or
// `onread`. A Node without JSStream has null here, and wraps the socket as a stream.

import { Buffer } from 'node:buffer';
import type * as net from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { Edge } from './edge.ts';
import { unsupported } from './errors.ts';

/** libuv's word for a write that its stream's end has caught. */
const UV_ECANCELED = -125;

interface JsStream {
  readonly isStreamBase: boolean;
  /** Kept inside: what lies in front of it hides nothing from the C++ half. */
  onread: (octets: ArrayBuffer | undefined) => void;
  readBuffer(octets: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
}

/** child_process sets it to take a handle away; another process cannot have one of ours. */
const notToBeTaken: PropertyDescriptor = {
  set() {
    throw unsupported('passing a connection to another process');
  },
};

type JsStreamClass = new () => JsStream;

/** The stream, and what feeds it. */
export interface NativeHandle extends JsStream {
  readonly edge: Edge;
  /** A native half has asked for the FIN: nothing more is written. */
  readonly isShut: boolean;
  deliver(octets: Uint8Array): void;
}

/** Node's C++ stream class, by the door that programs have to it; null where it is shut. */
function findJsStream(): JsStreamClass | null {
  const { binding } = process as unknown as { binding?: (name: string) => unknown };
  if (typeof binding !== 'function') return null;
  // With --pending-deprecation a warning is wrapped around it (node/ticks.ts).
  const inner: unknown = Object.getPrototypeOf(binding);
  const door = inner === Function.prototype ? binding : (inner as typeof binding);
  try {
    const { JSStream } = door.call(process, 'js_stream') as { JSStream?: JsStreamClass };
    return JSStream?.prototype.isStreamBase === undefined ? null : JSStream;
  } catch {
    return null;
  }
}

/** What node:tls and http call of a kernel's handle. */
const kernelLike = {
  get reading(): boolean {
    return edgeOf(this).reading;
  },
  set reading(_: boolean) {},

  ref(): void {
    edgeOf(this).ref(true);
  },

  unref(): void {
    edgeOf(this).ref(false);
  },

  hasRef(): boolean {
    return edgeOf(this).refed;
  },

  getsockname(out: object): number {
    return given(out, edgeOf(this).localInfo());
  },

  getpeername(out: object): number {
    return given(out, edgeOf(this).remoteInfo());
  },

  setNoDelay(on: boolean): number {
    edgeOf(this).socket.setNoDelay(on);
    return 0;
  },

  setKeepAlive(on: boolean, delaySeconds: number): number {
    edgeOf(this).socket.setKeepAlive(on, delaySeconds * 1000);
    return 0;
  },

  close(callback?: () => void): void {
    const { socket } = edgeOf(this);
    if (callback !== undefined) socket.once('close', callback);
    socket.destroy();
  },
};

function edgeOf(handle: unknown): Edge {
  return (handle as { edge: Edge }).edge;
}

/** A native half's write; negative: what came of it at once. */
function write(to: NativeHandle, request: object, chunks: Uint8Array[]): number {
  const { edge } = to;
  if (!edge.active) return UV_ECANCELED;
  if (to.isShut) return Code.EPIPE;
  if (edge.over) return edge.fate === 0 ? Code.EPIPE : edge.fate;
  edge.wrapped = true;
  try {
    for (const chunk of chunks) edge.put(chunk);
  } catch (error) {
    if (error instanceof CodeError) return error.errno;
    throw error;
  }
  let isInside = true;
  edge.settle(() => {
    const finish = (): void => to.finishWrite(request, edge.active ? 0 : UV_ECANCELED);
    // As where the kernel has taken all at once: http2 goes on, TLSWrap cannot before it is left.
    if (isInside && Object.hasOwn(to, 'reading')) process.nextTick(finish);
    else finish();
  });
  isInside = false;
  return 0;
}

type Maker = (edge: Edge) => NativeHandle;

function makerOf(Base: JsStreamClass): Maker {
  class Handle extends Base implements NativeHandle {
    readonly edge: Edge;
    isShut = false;

    constructor(edge: Edge) {
      super();
      this.edge = edge;
      this.onread = (octets) => this.#read(octets);
      Object.defineProperty(this, 'onread', notToBeTaken);
    }

    /** The core's memory: whoever listens copies. */
    deliver(octets: Uint8Array): void {
      this.readBuffer(octets);
    }

    /** Nobody native listens (any more): the socket's own reader gets it. */
    #read(octets: ArrayBuffer | undefined): void {
      const { socket } = this.edge;
      if (octets === undefined) {
        socket.push(null);
        socket.read(0);
      } else if (!socket.destroyed && !socket.push(Buffer.from(octets))) this.edge.stopReading();
    }

    // --- what the C++ half calls ---------------------------------------------------------------

    isClosing(): boolean {
      return !this.edge.active;
    }

    onreadstart(): number {
      this.edge.startReading();
      return 0;
    }

    onreadstop(): number {
      this.edge.stopReading();
      return 0;
    }

    onwrite(request: object, chunks: Uint8Array[]): number {
      return write(this, request, chunks);
    }

    onshutdown(request: object): number {
      const edge = this.edge;
      if (!edge.active) return UV_ECANCELED;
      this.isShut = true;
      edge.shutdown(() => this.finishShutdown(request, 0));
      return 0;
    }
  }
  Object.defineProperties(Handle.prototype, Object.getOwnPropertyDescriptors(kernelLike));

  return (edge) => new Handle(edge);
}

function given(out: object, info: net.AddressInfo | null): number {
  if (info === null) return Code.ENOTCONN;
  Object.assign(out, info);
  return 0;
}

const JsStream = findJsStream();
const make = JsStream === null ? null : makerOf(JsStream);

/** False: tls and http2 wrap our sockets as streams of JavaScript. */
export const hasNativeHandles = make !== null;

/** The handle of a live connection, or of one that is being made. */
export function nativeHandleOf(edge: Edge): NativeHandle | null {
  if (!edge.active || make === null) return null;
  edge.native ??= make(edge);
  return edge.native;
}
