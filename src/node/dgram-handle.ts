// What node:dgram's Socket calls its handle, over a UdpSocket of the stack. Node's own code checks
// arguments, binds implicitly, queues and reports; the verbs below answer as libuv's do: 0, a
// negative errno, or octets + 1 for a datagram that is gone.

import { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import type * as dgram from 'node:dgram';
import { type AddressInfo, isIP } from 'node:net';
import { Code, CodeError } from '../base/code.ts';
import type { SendOptions, UdpHandler, UdpMeta, UdpSocket } from '../socket/udp-socket.ts';
import { parse } from '../wire/address.ts';
import { addressText, BatchBuilder } from './dgram-batch.ts';
import type { BatchItem, Extras, PacketInfo } from './dgram-extras.ts';
import { DgramOptions, EBADF, REUSE_ADDR } from './dgram-options.ts';
import { errnoError } from './errors.ts';
import type { Ground, Tenant } from './ground.ts';
import { rethrow } from './rethrow.ts';
import { settleTicks } from './ticks.ts';

/** libuv's UV_UDP_IPV6ONLY and UV_UDP_REUSEPORT. */
const IPV6_ONLY = 1;
const REUSE_PORT = 8;
/** Most datagrams that wait for room in the link. */
const QUEUE_CAP = 1024;

type OnMessage = (nread: number, handle: object, buf?: Buffer, rinfo?: dgram.RemoteInfo) => void;

interface SendRequest {
  oncomplete?: (error: number, sent: number) => void;
}

interface Waiting {
  request: SendRequest;
  octets: Uint8Array;
  how: SendOptions;
}

/** Node's switch for tests of its own: nothing leaves before the event loop has turned. */
const WAITS_ALWAYS = process.execArgv.includes('--test-udp-no-try-send');
const CONNECTED: SendOptions = {};

type LookupBound = (address: string, callback: (...args: unknown[]) => void) => void;

export class DgramHandle extends DgramOptions implements UdpHandler, Tenant {
  readonly socket: dgram.Socket;
  readonly extras: Extras;
  lookup: LookupBound;
  onmessage: OnMessage | null = null;
  onerror: unknown = null;
  readonly #resource = new AsyncResource('PORTSIDE_UDP', { requireManualDestroy: true });
  #peer: { address: string; port: number } | null = null;
  #refed = true;
  #held = false;
  readonly #queue: Waiting[] = [];
  readonly #batch = new BatchBuilder();
  #queuedOctets = 0;

  constructor(ground: Ground, socket: dgram.Socket, extras: Extras, lookup: LookupBound) {
    super(ground, extras.family);
    this.socket = socket;
    this.extras = extras;
    this.lookup = lookup;
    ground.enter(this);
  }

  // --- life ----------------------------------------------------------------------------------

  bind(address: string, port: number, flags = 0): number {
    if (this.ground.closed) return Code.ENETDOWN;
    if (this.core !== null || !this.#isOwn(address)) return Code.EINVAL;
    try {
      this.core = this.ground.stack.udp({
        address,
        // Node hands down what stood first among bind's arguments, a callback too.
        port: port >>> 0,
        ipv6Only: (flags & IPV6_ONLY) !== 0,
        reusePort: this.extras.reusePort || (flags & REUSE_PORT) !== 0,
        reuseAddr: (flags & REUSE_ADDR) !== 0,
        ...(this.extras.link === undefined ? {} : { link: this.extras.link }),
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
    if (this.core === null) return EBADF;
    if (!this.#isOwn(address)) return Code.EINVAL;
    try {
      this.core.connect(address, port);
    } catch (error) {
      if (error instanceof CodeError) return error.errno;
      throw error;
    }
    this.#peer = { address, port };
    return 0;
  }

  /** libuv reads a literal of the socket's own family and no other. */
  #isOwn(address: string | undefined): boolean {
    return isIP(address ?? '') === this.family;
  }

  disconnect(): number {
    if (this.core === null) return EBADF;
    this.core.disconnect();
    this.#peer = null;
    return 0;
  }

  close(callback?: () => void): void {
    if (this.closed) return;
    this.closed = true;
    this.core?.close();
    this.core = null;
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
    const wanted = this.#refed && this.core !== null;
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this.ground.driver.hold();
    else this.ground.driver.release();
  }

  getsockname(out: Partial<AddressInfo>): number {
    if (this.core === null) return EBADF;
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    Object.assign(out, { address: this.core.address, family, port: this.core.port });
    return 0;
  }

  getpeername(out: Partial<AddressInfo>): number {
    if (this.core === null) return EBADF;
    if (this.#peer === null) return Code.ENOTCONN;
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    Object.assign(out, { address: this.#peer.address, family, port: this.#peer.port });
    return 0;
  }

  // --- data ----------------------------------------------------------------------------------

  recvStart(): number {
    this.core?.resume();
    return 0;
  }

  recvStop(): number {
    this.core?.pause();
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
    const data = joined(list);
    if (typeof portOrFlag !== 'number') return this.#try(request, data, CONNECTED);
    const to = this.#isOwn(address) ? parse(address ?? '') : null;
    if (to === null) return Code.EINVAL;
    return this.#try(request, data, { address: to, port: portOrFlag });
  }

  #try(request: SendRequest, data: Uint8Array, how: SendOptions): number {
    const core = this.core;
    if (core === null) return EBADF;
    if (!WAITS_ALWAYS)
      return this.#hand(request, data, core.sendWith(data, 0, data.length, how), how);
    setImmediate(() => this.writable());
    return this.#hand(request, data, Code.EAGAIN, how);
  }

  /** One of a batch; the answers are `send`'s. */
  sendItem(request: SendRequest, item: BatchItem): number {
    const core = this.core;
    if (core === null) return EBADF;
    const { octets, how } = item;
    const result = core.sendWith(octets, 0, octets.length, how);
    return this.#hand(request, octets, result, how);
  }

  /** What has no room in the link waits, and its memory is the program's again. */
  #hand(request: SendRequest, data: Uint8Array, result: number, how: SendOptions): number {
    if (result !== Code.EAGAIN && result !== Code.ENOBUFS)
      return result < 0 ? result : data.length + 1;
    if (this.#queue.length >= QUEUE_CAP) return Code.ENOBUFS;
    // The program may use its memory again before there is room.
    this.#queue.push({ request, octets: data.slice(), how });
    this.#queuedOctets += data.length;
    return 0;
  }

  getSendQueueSize(): number {
    return this.#queuedOctets;
  }

  getSendQueueCount(): number {
    return this.#queue.length;
  }

  datagram(s: UdpSocket, u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
    if (this.onmessage === null) return;
    if (this.#batch.count > 0 || this.socket.listenerCount('batch' as 'message') > 0) {
      this.#batch.add(u8, off, len, from, s.queuedOctets);
      return;
    }
    const chunk = this.ground.delivery.copy(u8, off, len);
    const address = addressText([from.src0, from.src1, from.src2, from.src3], this.family);
    const family = this.family === 6 ? 'IPv6' : 'IPv4';
    const rinfo = { address, family, port: from.port, size: len } as dgram.RemoteInfo;
    if (this.extras.packetInfo) Object.assign(rinfo, packetInfo(from, this.family));
    this.#tell(len, chunk, rinfo);
  }

  /** The turn's last datagram has come. */
  delivered(): void {
    if (this.#batch.count === 0) return;
    const batch = this.#batch.take(this.family);
    try {
      this.#resource.runInAsyncScope(() => this.socket.emit('batch', batch));
    } catch (error) {
      rethrow(error);
    }
    settleTicks();
  }

  error(_s: UdpSocket, code: number): void {
    this.#tell(code);
  }

  writable(): void {
    const core = this.core;
    // Bounded by the queue's cap: every round takes one out or stops.
    while (core !== null && this.#queue.length > 0) {
      const w = this.#queue[0] as Waiting;
      const n = w.octets.length;
      const result = core.sendWith(w.octets, 0, n, w.how);
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
    settleTicks();
  }

  #complete(request: SendRequest, error: number, sent: number): void {
    const done = request.oncomplete;
    if (done === undefined) return;
    process.nextTick(() => done.call(request, error, sent));
  }

  // --- Tenant --------------------------------------------------------------------------------

  shut(): void {
    this.fail(null);
  }

  fail(error: number | null): void {
    if (this.closed) return;
    try {
      this.#resource.runInAsyncScope(() => {
        if (error !== null) this.socket.emit('error', errnoError(error, 'recvmsg'));
        if (!this.closed) this.socket.close();
      });
    } catch (thrown) {
      rethrow(thrown);
    }
  }
}

/** `rinfo` of a socket that was made with `packetInfo`. */
function packetInfo(from: UdpMeta, family: 4 | 6): PacketInfo {
  const words = [from.dst0, from.dst1, from.dst2, from.dst3] as [number, number, number, number];
  const { ttl, tos } = from;
  return { localAddress: addressText(words, family), ttl, tos, ecn: tos & 3 };
}

/** One run of octets; a single view is not copied. */
function joined(list: ArrayBufferView[]): Uint8Array {
  const only = list[0];
  if (list.length === 1 && only !== undefined) {
    return new Uint8Array(only.buffer, only.byteOffset, only.byteLength);
  }
  return Buffer.concat(list as Uint8Array[]);
}
