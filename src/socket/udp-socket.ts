// A UDP socket as a program sees it: an endpoint with a handler (docs/decisions/0001).

import { Code, CodeError } from '../base/code.ts';
import { DstKind } from '../base/rx.ts';
import type { IcmpReport } from '../ip/icmp-report.ts';
import type { Endpoint, EndpointSink } from '../udp/endpoint.ts';
import type { UdpMeta } from '../udp/meta.ts';
import { sendDatagram } from '../udp/output.ts';
import {
  closeEndpoint,
  connectEndpoint,
  disconnectEndpoint,
  hasEvents,
  madeWork,
  markReady,
  openEndpoint,
  type UdpLayer,
} from '../udp/udp.ts';
import { Address, isLinkLocal, parse } from '../wire/address.ts';
import { boundLink, type LinkName } from './bound-link.ts';
import { UdpGroups } from './udp-groups.ts';
import { type SendOptions, zoneLink } from './udp-names.ts';

export type { UdpMeta } from '../udp/meta.ts';
export type { UdpGroups } from './udp-groups.ts';
export type { GroupLinkName, SendOptions } from './udp-names.ts';

export interface UdpHandler {
  /** A datagram; `u8[off … off+len)` and `from` are valid during the call only. */
  datagram(s: UdpSocket, u8: Uint8Array, off: number, len: number, from: UdpMeta): void;
  /** An ICMP error about what a connected socket sent: ECONNREFUSED, EMSGSIZE, EHOSTUNREACH … */
  error(s: UdpSocket, code: number): void;
  /** After a `send` that answered ENOBUFS: there may be room again. */
  writable(s: UdpSocket): void;
  /** Given: ICMP errors about what the socket has sent, connected or not, with their source. */
  report?(s: UdpSocket, report: IcmpReport): void;
  /** After the last datagram that a turn delivers at once. */
  delivered?(s: UdpSocket): void;
}

export interface UdpOptions {
  /** Default `::`, every address of both families. */
  readonly address?: string | Address;
  /** Default 0, a random free port. */
  readonly port?: number;
  /** `::` without IPv4. */
  readonly ipv6Only?: boolean;
  /** May share the port with sockets that say the same. */
  readonly reusePort?: boolean;
  /** The same, but the last one to bind gets what is not for a group (SO_REUSEADDR of Linux). */
  readonly reuseAddr?: boolean;
  /** Bound to this link alone, by name or id (SO_BINDTODEVICE). */
  readonly link?: LinkName | undefined;
  readonly handler: UdpHandler;
}

/**
 * Opens and binds a socket.
 * @throws CodeError EINVAL (not an address, not a port), EADDRINUSE, EADDRNOTAVAIL, ENOBUFS
 */
export function openUdpSocket(udp: UdpLayer, options: UdpOptions): UdpSocket {
  return new UdpSocket(udp, options);
}

export class UdpSocket {
  readonly #udp: UdpLayer;
  readonly #endpoint: Endpoint;
  #remote: Address | null = null;
  #remotePort = 0;
  #groups: UdpGroups | null = null;
  handler: UdpHandler;
  /** The embedder's field. */
  owner: unknown = null;

  constructor(udp: UdpLayer, options: UdpOptions) {
    const port = options.port ?? 0;
    const address = addressOf(options.address ?? '::', port, 'bind');
    checkPort(port, address, 'bind');
    this.#udp = udp;
    this.handler = options.handler;
    const opened = openEndpoint(udp, {
      address,
      port,
      v6Only: options.ipv6Only === true,
      share: options.reusePort === true || options.reuseAddr === true,
      newest: options.reusePort !== true && options.reuseAddr === true,
      sink: new Sink(this),
      link: boundLink(udp.ip, options.link, 'bind'),
    });
    if (typeof opened === 'number') throw new CodeError(opened, 'bind', address.toString(), port);
    this.#endpoint = opened;
    if (options.handler.report !== undefined) opened.reports = [];
  }

  // --- names ---------------------------------------------------------------------------------

  /** Local address as text; a connected socket's is the one it sends from. */
  get address(): string {
    return this.localAddress.toString();
  }

  get localAddress(): Address {
    const e = this.#endpoint;
    const f = e.flow;
    if (e.connected) {
      return new Address(f[0] as number, f[1] as number, f[2] as number, f[3] as number);
    }
    return new Address(e.binding.a, e.binding.b, e.binding.c, e.binding.d);
  }

  get port(): number {
    return this.#endpoint.port;
  }

  get family(): 4 | 6 {
    return this.localAddress.family;
  }

  /** The peer of a connected socket, else null and 0. */
  get remoteAddress(): string | null {
    return this.#remote === null ? null : this.#remote.toString();
  }

  get remotePort(): number {
    return this.#remotePort;
  }

  get connected(): boolean {
    return this.#endpoint.connected;
  }

  get closed(): boolean {
    return this.#endpoint.closed;
  }

  get paused(): boolean {
    return this.#endpoint.paused;
  }

  // --- figures -------------------------------------------------------------------------------

  /** Received super-datagrams and datagrams that wait, and what they cost in octets. */
  get queuedDatagrams(): number {
    return this.#endpoint.queue.count;
  }

  get queuedOctets(): number {
    return this.#endpoint.queue.cost;
  }

  get datagramsReceived(): number {
    return this.#endpoint.received;
  }

  get datagramsSent(): number {
    return this.#endpoint.transmitted;
  }

  /** Datagrams lost because the receive queue was full. */
  get datagramsLost(): number {
    return this.#endpoint.lost;
  }

  /** Largest packet of the path that was used last, octets; 0 before the first. */
  get pathMtu(): number {
    return this.#endpoint.path.mtu;
  }

  // --- sending -------------------------------------------------------------------------------

  /**
   * Sends one datagram; the octets are copied. Without `to` it goes to the connected peer.
   * @returns 0, or a negative errno: EDESTADDRREQ, EMSGSIZE, EACCES, ENETUNREACH, EADDRNOTAVAIL,
   *   EAFNOSUPPORT, EINVAL, EBADFD (closed), ENOBUFS (try again after `writable`)
   */
  send(u8: Uint8Array, off: number, len: number, to?: Address, port?: number): number {
    const e = this.#endpoint;
    if (e.closed) return Code.EBADFD;
    const target = to ?? this.#remote;
    if (target === null) return Code.EDESTADDRREQ;
    const dest = this.#udp.to;
    dest.a = target.a;
    dest.b = target.b;
    dest.c = target.c;
    dest.d = target.d;
    dest.port = port ?? this.#remotePort;
    dest.reset();
    if (target.zone !== '') dest.linkId = zoneLink(this.#udp.ip, target.zone);
    return sendDatagram(this.#udp, e, u8, off, len);
  }

  /**
   * Answers the datagram that `from` describes, from the address it was sent to (RFC 1122
   * §4.1.3.5), which `send` on a wildcard socket cannot know. Makes no object.
   */
  reply(u8: Uint8Array, off: number, len: number, from: UdpMeta): number {
    const e = this.#endpoint;
    if (e.closed) return Code.EBADFD;
    const dest = this.#udp.to;
    dest.a = from.src0;
    dest.b = from.src1;
    dest.c = from.src2;
    dest.d = from.src3;
    dest.port = from.port;
    dest.reset();
    if (isLinkLocal(from.src0, from.src1, from.src2, from.src3)) dest.linkId = from.linkId;
    dest.anySource = from.dstKind !== DstKind.UNICAST;
    dest.src0 = from.dst0;
    dest.src1 = from.dst1;
    dest.src2 = from.dst2;
    dest.src3 = from.dst3;
    return sendDatagram(this.#udp, e, u8, off, len);
  }

  /**
   * Sends one datagram with what it alone has: its TOS, TTL, source address or link.
   * @returns as `send`
   */
  sendWith(u8: Uint8Array, off: number, len: number, o: SendOptions): number {
    const e = this.#endpoint;
    if (e.closed) return Code.EBADFD;
    const target = o.address ?? this.#remote;
    if (target === null) return Code.EDESTADDRREQ;
    const dest = this.#udp.to;
    dest.a = target.a;
    dest.b = target.b;
    dest.c = target.c;
    dest.d = target.d;
    dest.port = o.port ?? this.#remotePort;
    dest.reset();
    dest.tos = o.tos ?? -1;
    dest.ttl = o.ttl ?? -1;
    if (target.zone !== '') dest.linkId = zoneLink(this.#udp.ip, target.zone);
    const { source } = o;
    if (source !== undefined) {
      dest.anySource = false;
      dest.src0 = source.a;
      dest.src1 = source.b;
      dest.src2 = source.c;
      dest.src3 = source.d;
    }
    return sendDatagram(this.#udp, e, u8, off, len);
  }

  /**
   * Ties the socket to one peer.
   * @throws CodeError EINVAL, EACCES, ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE, EAFNOSUPPORT
   */
  connect(address: string | Address, port: number): void {
    const to = addressOf(address, port, 'connect');
    checkPort(port, to, 'connect');
    const e = this.#endpoint;
    const code = e.closed ? Code.EBADFD : connectEndpoint(this.#udp, e, to, port);
    if (code !== Code.NONE) throw new CodeError(code, 'connect', to.toString(), port);
    const path = e.path;
    this.#remote = new Address(path.dst0, path.dst1, path.dst2, path.dst3);
    this.#remotePort = port;
  }

  /** @throws CodeError ENOTCONN, EADDRINUSE (another socket holds the port by now) */
  disconnect(): void {
    const code = disconnectEndpoint(this.#udp, this.#endpoint);
    if (code !== Code.NONE) throw new CodeError(code, 'connect');
    this.#remote = null;
    this.#remotePort = 0;
  }

  /** Frees the port; what waits is lost, no handler is called any more. Idempotent. */
  close(): void {
    closeEndpoint(this.#udp, this.#endpoint);
  }

  // --- options -------------------------------------------------------------------------------

  /** Holds datagrams back; beyond the queue's limit they are lost. */
  pause(): void {
    this.#endpoint.paused = true;
  }

  resume(): void {
    const e = this.#endpoint;
    if (!e.paused) return;
    e.paused = false;
    if (!hasEvents(e)) return;
    markReady(this.#udp, e);
    madeWork(this.#udp);
  }

  /** 1 to 255; 0 = the stack's default. */
  setTtl(ttl: number): void {
    this.#endpoint.ttl = inOctet(ttl, 'setTtl');
  }

  /** As `groups.setTtl`. */
  setMulticastTtl(ttl: number): void {
    this.groups.setTtl(ttl);
  }

  /** DSCP and ECN in one octet. */
  setTos(tos: number): void {
    this.#endpoint.tos = inOctet(tos, 'setTos');
  }

  /** Allows sending to broadcast addresses. */
  setBroadcast(on: boolean): void {
    this.#endpoint.broadcast = on;
  }

  /**
   * With `on` a datagram that does not fit the path is EMSGSIZE instead of fragments (RFC 8085).
   */
  setDontFragment(on: boolean): void {
    this.#endpoint.dontFragment = on;
  }

  /** Most that the receive queue may cost, octets. */
  setReceiveLimit(octets: number): void {
    this.#endpoint.receiveLimit = Math.max(1, Math.floor(octets));
  }

  /** Most that is sent in one turn, octets; beyond it `send` answers ENOBUFS. */
  setSendLimit(octets: number): void {
    this.#endpoint.sendLimit = Math.max(1, Math.floor(octets));
  }

  get receiveLimit(): number {
    return this.#endpoint.receiveLimit;
  }

  get sendLimit(): number {
    return this.#endpoint.sendLimit;
  }

  /** Multicast: joining, leaving, and how groups are sent to. */
  get groups(): UdpGroups {
    this.#groups ??= new UdpGroups(this.#udp, this.#endpoint);
    return this.#groups;
  }
}

/** Between the layer and the handler of the day. */
class Sink implements EndpointSink {
  readonly #socket: UdpSocket;
  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  datagram(u8: Uint8Array, off: number, len: number, from: UdpMeta): void {
    const s = this.#socket;
    s.handler.datagram(s, u8, off, len, from);
  }

  error(code: number): void {
    this.#socket.handler.error(this.#socket, code);
  }

  writable(): void {
    this.#socket.handler.writable(this.#socket);
  }

  report(report: IcmpReport): void {
    const { handler } = this.#socket;
    if (handler.report !== undefined) handler.report(this.#socket, report);
  }

  delivered(): void {
    const { handler } = this.#socket;
    if (handler.delivered !== undefined) handler.delivered(this.#socket);
  }
}

function addressOf(address: string | Address, port: number, syscall: string): Address {
  if (typeof address !== 'string') return address;
  const parsed = parse(address);
  if (parsed === null) throw new CodeError(Code.EINVAL, syscall, address, port);
  return parsed;
}

function checkPort(port: number, address: Address, syscall: string): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new CodeError(Code.EINVAL, syscall, address.toString(), port);
}

function inOctet(value: number, call: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 255) return value;
  throw new CodeError(Code.EINVAL, call);
}
