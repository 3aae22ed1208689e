// What node:dgram's Socket calls its handle, over a UdpSocket of the stack. Node's own code checks
// arguments, binds implicitly, queues and reports; the verbs below answer as libuv's do: 0, a
// negative errno, or octets + 1 for a datagram that is gone.

import { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import type * as dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import { type Address, parse } from '../wire/address.ts';
import { errnoError } from './errors.ts';
import type { Ground, Tenant } from './ground.ts';
import { rethrow } from './rethrow.ts';

/** libuv's UV_UDP_IPV6ONLY and UV_UDP_REUSEADDR. */
const IPV6_ONLY = 1;
const REUSE_ADDR = 4;
const EBADF = -9;
const ENOTSUP = Code.EOPNOTSUPP;
/** Linux's net.core.rmem_default, which a program sees before it sets a size. */
const DEFAULT_BUFFER = 212_992;
/** Most datagrams that wait for room in the link. */
const QUEUE_CAP = 1024;

type OnMessage = (nread: number, handle: object, buf?: Buffer, rinfo?: dgram.RemoteInfo) => void;

interface SendRequest {
  oncomplete?: (error: number, sent: number) => void;
}

interface Waiting {
  request: SendRequest;
  octets: Uint8Array;
  to: Address | undefined;
  port: number | undefined;
}

type LookupBound = (address: string, callback: (...args: unknown[]) => void) => void;

export class DgramHandle implements UdpHandler, Tenant {
  readonly ground: Ground;
  readonly socket: dgram.Socket;
  readonly family: 4 | 6;
  lookup: LookupBound;
  onmessage: OnMessage | null = null;
  onerror: unknown = null;
  readonly #resource = new AsyncResource('PORTSIDE_UDP', { requireManualDestroy: true });
  #core: UdpSocket | null = null;
  #peer: { address: string; port: number } | null = null;
  #refed = true;
  #held = false;
  #closed = false;
  readonly #queue: Waiting[] = [];
  #queuedOctets = 0;
  #recvBuffer = DEFAULT_BUFFER;
  #sendBuffer = DEFAULT_BUFFER;

  constructor(ground: Ground, socket: dgram.Socket, family: 4 | 6, lookup: LookupBound) {
    this.ground = ground;
    this.socket = socket;
    this.family = family;
    this.lookup = lookup;
    ground.enter(this);
  }

  // --- life ----------------------------------------------------------------------------------

  bind(address: string, port: number, flags = 0): number {
    if (this.ground.closed) return Code.ENETDOWN;
    if (this.#core !== null) return Code.EINVAL;
    try {
      this.#core = this.ground.stack.udp({
        address,
        // Node hands down what stood first among bind's arguments, a callback too.
        port: port >>> 0,
        ipv6Only: (flags & IPV6_ONLY) !== 0,
        reusePort: (flags & REUSE_ADDR) !== 0,
        handler: this,
      });
    } catch (error) {
      if (error instanceof CodeError) return error.errno;
      throw error;
    }
    this.#applyHold();
    return 0;
  }

  connect(address: string, port: number): number {
    if (this.#core === null) return EBADF;
    try {
      this.#core.connect(address, port);
    } catch (error) {
      if (error instanceof CodeError) return error.errno;
      throw error;
    }
    this.#peer = { address, port };
    return 0;
  }

  disconnect(): number {
    if (this.#core === null) return EBADF;
    this.#core.disconnect();
    this.#peer = null;
    return 0;
  }

  close(callback?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#core?.close();
    this.#core = null;
    this.#applyHold();
    this.ground.leave(this);
    const waiting = this.#queue.splice(0);
    this.#queuedOctets = 0;
    for (const w of waiting) this.#complete(w.request, Code.ECANCELED, 0);
    if (typeof callback === 'function') setImmediate(callback);
  }

  ref(): void {
    this.#refed = true;
    this.#applyHold();
  }

  unref(): void {
    this.#refed = false;
    this.#applyHold();
  }

  hasRef(): boolean {
    return this.#refed;
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  #applyHold(): void {
    const wanted = this.#refed && this.#core !== null;
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this.ground.driver.hold();
    else this.ground.driver.release();
  }

  getsockname(out: Partial<AddressInfo>): number {
    if (this.#core === null) return EBADF;
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    Object.assign(out, { address: this.#core.address, family, port: this.#core.port });
    return 0;
  }

  getpeername(out: Partial<AddressInfo>): number {
    if (this.#core === null) return EBADF;
    if (this.#peer === null) return Code.ENOTCONN;
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    Object.assign(out, { address: this.#peer.address, family, port: this.#peer.port });
    return 0;
  }

  // --- data ----------------------------------------------------------------------------------

  recvStart(): number {
    this.#core?.resume();
    return 0;
  }

  recvStop(): number {
    this.#core?.pause();
    return 0;
  }

  /** `(request, list, n, hasCallback)` on a connected socket, else with port and address before. */
  send(
    request: SendRequest,
    list: ArrayBufferView[],
    _n: number,
    portOrFlag: number | boolean,
    address?: string,
  ): number {
    const core = this.#core;
    if (core === null) return EBADF;
    const data = joined(list);
    const isUnconnected = typeof portOrFlag === 'number';
    const to = isUnconnected ? (parse(address ?? '') ?? undefined) : undefined;
    const port = isUnconnected ? portOrFlag : undefined;
    if (isUnconnected && to === undefined) return Code.EINVAL;
    const result =
      to === undefined
        ? core.send(data, 0, data.length)
        : core.send(data, 0, data.length, to, port);
    if (result !== Code.EAGAIN && result !== Code.ENOBUFS)
      return result < 0 ? result : data.length + 1;
    if (this.#queue.length >= QUEUE_CAP) return Code.ENOBUFS;
    // The program may use its memory again before there is room.
    this.#queue.push({ request, octets: data.slice(), to, port });
    this.#queuedOctets += data.length;
    return 0;
  }

  getSendQueueSize(): number {
    return this.#queuedOctets;
  }

  getSendQueueCount(): number {
    return this.#queue.length;
  }

  datagram(_s: UdpSocket, u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
    if (this.onmessage === null) return;
    const chunk = this.ground.delivery.copy(u8, off, len);
    const remote = from.remote();
    const isMapped = this.family === 6 && remote.family === 4;
    const address = isMapped ? `::ffff:${remote}` : remote.toString();
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    this.#tell(len, chunk, { address, family, port: from.port, size: len });
  }

  error(_s: UdpSocket, code: number): void {
    this.#tell(code);
  }

  writable(): void {
    const core = this.#core;
    // Bounded by the queue's cap: every round takes one out or stops.
    while (core !== null && this.#queue.length > 0) {
      const w = this.#queue[0] as Waiting;
      const n = w.octets.length;
      const result =
        w.to === undefined ? core.send(w.octets, 0, n) : core.send(w.octets, 0, n, w.to, w.port);
      if (result === Code.EAGAIN || result === Code.ENOBUFS) return;
      this.#queue.shift();
      this.#queuedOctets -= n;
      this.#complete(w.request, result < 0 ? result : 0, result < 0 ? 0 : n);
    }
  }

  #tell(nread: number, chunk?: Buffer, rinfo?: dgram.RemoteInfo): void {
    const listener = this.onmessage;
    if (listener === null) return;
    try {
      this.#resource.runInAsyncScope(listener, undefined, nread, this, chunk, rinfo);
    } catch (error) {
      rethrow(error);
    }
  }

  #complete(request: SendRequest, error: number, sent: number): void {
    const done = request.oncomplete;
    if (done === undefined) return;
    process.nextTick(() => done.call(request, error, sent));
  }

  // --- options -------------------------------------------------------------------------------

  setBroadcast(on: number): number {
    if (this.#core === null) return EBADF;
    this.#core.setBroadcast(on !== 0);
    return 0;
  }

  setTTL(ttl: number): number {
    if (this.#core === null) return EBADF;
    if (ttl < 1 || ttl > 255) return Code.EINVAL;
    this.#core.setTtl(ttl);
    return 0;
  }

  setMulticastTTL(ttl: number): number {
    if (this.#core === null) return EBADF;
    return ttl < 0 || ttl > 255 ? Code.EINVAL : 0;
  }

  setMulticastLoopback(_on: number): number {
    return this.#core === null ? EBADF : 0;
  }

  setMulticastInterface(address: string): number {
    if (this.#core === null) return EBADF;
    return parse(address) === null ? Code.EINVAL : ENOTSUP;
  }

  addMembership(group: string, _on?: string): number {
    return this.#membership(group);
  }

  dropMembership(group: string, _on?: string): number {
    return this.#membership(group);
  }

  addSourceSpecificMembership(_source: string, group: string, _on?: string): number {
    return this.#membership(group);
  }

  dropSourceSpecificMembership(_source: string, group: string, _on?: string): number {
    return this.#membership(group);
  }

  /** Multicast is not there yet: a group is refused as such, nonsense as nonsense. */
  #membership(group: string): number {
    const address = parse(group);
    if (address === null) return Code.EINVAL;
    const first = address.family === 4 ? address.d >>> 28 : (address.a >>> 24) & 0xff;
    return first === (address.family === 4 ? 0xe : 0xff) ? ENOTSUP : Code.EINVAL;
  }

  /** Linux doubles what is asked for, and a program reads that. */
  bufferSize(
    size: number,
    isReceive: boolean,
    context: Record<string, unknown>,
  ): number | undefined {
    if (this.#core === null) {
      Object.assign(context, {
        errno: EBADF,
        code: 'EBADF',
        message: 'bad file descriptor',
        syscall: isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size',
      });
      return undefined;
    }
    if (size !== 0) {
      const doubled = Math.min(size * 2, 0x7fffffff);
      if (isReceive) this.#recvBuffer = doubled;
      else this.#sendBuffer = doubled;
    }
    return isReceive ? this.#recvBuffer : this.#sendBuffer;
  }

  // --- Tenant --------------------------------------------------------------------------------

  shut(): void {
    this.fail(null);
  }

  fail(error: number | null): void {
    if (this.#closed) return;
    try {
      this.#resource.runInAsyncScope(() => {
        if (error !== null) this.socket.emit('error', errnoError(error, 'recvmsg'));
        if (!this.#closed) this.socket.close();
      });
    } catch (thrown) {
      rethrow(thrown);
    }
  }
}

/** One run of octets; a single view is not copied. */
function joined(list: ArrayBufferView[]): Uint8Array {
  const only = list[0];
  if (list.length === 1 && only !== undefined) {
    return new Uint8Array(only.buffer, only.byteOffset, only.byteLength);
  }
  return Buffer.concat(list as Uint8Array[]);
}
