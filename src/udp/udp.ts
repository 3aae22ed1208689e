// The UDP layer's state (RFC 768, RFC 1122 §4.1): endpoints by slot, who holds which port, the
// flows of connected endpoints, and the list of endpoints that have something to tell in the next
// drain.

import { Code } from '../base/code.ts';
import { FlowHash } from '../base/hash.ts';
import { IntRing } from '../base/int-ring.ts';
import { Held } from '../base/memory.ts';
import type { Random } from '../base/random.ts';
import { DstKind } from '../base/rx.ts';
import { Seen } from '../base/watch.ts';
import { FlowTable } from '../demux/flow-table.ts';
import { type Binding, Ports } from '../demux/ports.ts';
import { type IpLayer, nextId } from '../ip/ip.ts';
import { Path, selectPath } from '../ip/output.ts';
import { type Address, isMulticast, isUnspecified, isV4 } from '../wire/address.ts';
import { Endpoint, type EndpointSink } from './endpoint.ts';
import { leaveAll } from './membership.ts';
import { UdpMeta } from './meta.ts';

/** Knobs of this layer; values, units and sources in stack/config.ts. */
export interface UdpConfig {
  /** Most that one socket's receive queue may cost, octets. */
  udpReceiveOctets: number;
  /** Most that one socket may send in one turn, octets. */
  udpSendOctets: number;
  /** Receive memory of all sockets together, octets. */
  udpMemoryOctets: number;
  udpMaxSockets: number;
  /** Most that a program may set a buffer to, octets. */
  udpBufferMax: number;
  /** Memberships of one socket, and sources of one membership. */
  udpMaxMemberships: number;
  udpMaxSources: number;
  /** Most datagrams that one `drainReady` delivers. */
  udpDrainDatagrams: number;
  ephemeralLow: number;
  ephemeralHigh: number;
}

/** Where the next datagram goes; filled by the caller of `sendDatagram`. */
export class Destination {
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  port = 0;
  /** False: the source words say which of our addresses it comes from. */
  anySource = true;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  /** The link to leave by, -1 = as the routes say. */
  linkId = -1;
  /** Of this datagram alone; -1 = the socket's. */
  tos = -1;
  ttl = -1;

  /** As the socket says, from any address, by the routes. */
  reset(): void {
    this.anySource = true;
    this.linkId = -1;
    this.tos = -1;
    this.ttl = -1;
  }
}

export class UdpLayer {
  readonly ip: IpLayer;
  readonly config: UdpConfig;
  readonly random: Random;
  readonly endpoints: (Endpoint | null)[] = [];
  readonly freeSlots = new IntRing(16);
  live = 0;
  /** Endpoints that take datagrams from anybody. */
  readonly ports = new Ports();
  /** How many connected endpoints hold a port: those are found by flow only. */
  readonly connectedPorts = new Map<number, number>();
  readonly flows: FlowTable;
  readonly hash: FlowHash;
  readonly ready = new IntRing(16);
  /** Endpoints whose `send` was refused, and when they are told to try again. */
  readonly blocked = new IntRing(16);
  retryUs = Infinity;
  readonly meta = new UdpMeta();
  readonly to = new Destination();
  /** The way of a copy for members on this host. */
  readonly back = new Path();
  /** The way of the packet that is written now. */
  via = this.back;
  readonly key = new Int32Array(9);
  /** Octets of queue memory held by all endpoints. */
  memory = 0;
  /** Set by the stack: a call outside of drain has made work. */
  onWork: () => void = noWork;
  draining = false;

  constructor(ip: IpLayer, config: UdpConfig, random: Random) {
    this.ip = ip;
    this.config = config;
    this.random = random;
    this.flows = new FlowTable(random, 16);
    this.hash = new FlowHash(random);
  }
}

function noWork(): void {}

/** Tells the stack that there is something to deliver or to flush. */
export function madeWork(udp: UdpLayer): void {
  if (!udp.draining) udp.onWork();
}

export interface BindRequest {
  readonly address: Address;
  /** 0 = a random free one. */
  readonly port: number;
  readonly v6Only: boolean;
  readonly share: boolean;
  /** Sharing by SO_REUSEADDR's rules (demux/ports.ts). */
  readonly newest?: boolean;
  /** The only link (demux/ports.ts). */
  readonly link?: number | undefined;
  readonly sink: EndpointSink;
}

/** A bound endpoint, or EADDRINUSE, EADDRNOTAVAIL, ENOBUFS. */
export function openEndpoint(udp: UdpLayer, request: BindRequest): Endpoint | Code {
  const { a, b, c, d } = request.address;
  const kind = udp.ip.addresses.kindOf(a, b, c, d);
  const isOpen = isUnspecified(a, b, c, d) || isMulticast(a, b, c, d);
  if (!isOpen && kind > DstKind.MULTICAST) return Code.EADDRNOTAVAIL;
  if (udp.live >= udp.config.udpMaxSockets) return Code.ENOBUFS;
  const port = request.port === 0 ? ephemeral(udp, request) : request.port;
  if (port < 0) return Code.EADDRINUSE;
  const slot = udp.freeSlots.size > 0 ? udp.freeSlots.shift() : udp.endpoints.length;
  const binding = bindingFor(request, port, slot);
  const code = udp.ports.bind(binding);
  if (code !== Code.NONE) {
    noteRefused(udp, binding, code);
    releaseSlot(udp, slot);
    return code;
  }
  const { udpReceiveOctets, udpSendOctets } = udp.config;
  const isBroadcast = kind === DstKind.BROADCAST;
  const limits = { udpReceiveOctets, udpSendOctets, isBroadcast };
  const e = new Endpoint(slot, request.sink, binding, limits);
  e.id = nextId(udp.ip);
  udp.endpoints[slot] = e;
  udp.live++;
  return e;
}

/** A program wanted a port that it cannot have. */
function noteRefused(udp: UdpLayer, binding: Binding, code: number): void {
  const w = udp.ip.watch;
  if (w === null) return;
  w.note(Seen.FROM, 0, binding.a, binding.b, binding.c);
  w.more(binding.d);
  w.note(Seen.REFUSED, 0, binding.port, 17, code);
}

function releaseSlot(udp: UdpLayer, slot: number): void {
  udp.endpoints[slot] = null;
  udp.freeSlots.push(slot);
}

function bindingFor(request: BindRequest, port: number, slot: number): Binding {
  const { a, b, c, d } = request.address;
  const { v6Only, share, newest = false, link } = request;
  return { port, a, b, c, d, v6Only, share, newest, slot, link };
}

function ephemeral(udp: UdpLayer, request: BindRequest): number {
  const { ephemeralLow, ephemeralHigh } = udp.config;
  return udp.ports.ephemeral(udp.random, ephemeralLow, ephemeralHigh, (port) => {
    // Not even beside one that shares: a random port is for one alone.
    if (udp.connectedPorts.has(port)) return false;
    return !udp.ports.taken({ ...bindingFor(request, port, -1), share: false });
  });
}

/**
 * Ties an endpoint to one peer: it hears only that one, and datagrams from it find it before any
 * other endpoint of the port. NONE, ENETUNREACH, EADDRNOTAVAIL, EACCES, EADDRINUSE, EINVAL.
 */
export function connectEndpoint(udp: UdpLayer, e: Endpoint, to: Address, port: number): Code {
  if (port === 0) return Code.EINVAL;
  const path = e.path;
  const { binding } = e;
  const family = familyCode(binding, to.a, to.b, to.c);
  if (family !== Code.NONE) return family;
  const group = isMulticast(to.a, to.b, to.c, to.d);
  const fixed = group && e.bindsAny ? e.multicastSource : null;
  const any = e.bindsAny && fixed === null;
  path.dst0 = to.a;
  path.dst1 = to.b;
  path.dst2 = to.c;
  path.dst3 = to.d;
  path.wantLink = binding.link ?? (group ? e.multicastLink : -1);
  path.anySource = any;
  if (!any) {
    path.src0 = fixed === null ? binding.a : fixed.a;
    path.src1 = fixed === null ? binding.b : fixed.b;
    path.src2 = fixed === null ? binding.c : fixed.c;
    path.src3 = fixed === null ? binding.d : fixed.d;
  }
  const code = selectPath(udp.ip, path);
  if (code !== Code.NONE) return code;
  if (path.dstKind === DstKind.BROADCAST && !e.broadcast) return Code.EACCES;
  const key = udp.key;
  writeKey(key, e, port);
  const holder = udp.flows.find(key, 0);
  if (holder >= 0) return holder === e.slot ? Code.NONE : Code.EADDRINUSE;
  if (e.connected) dropFlow(udp, e);
  else if (!e.bindsGroup) udp.ports.unbind(binding);
  e.flow.set(key);
  udp.flows.insert(key, 0, e.slot);
  udp.connectedPorts.set(binding.port, (udp.connectedPorts.get(binding.port) ?? 0) + 1);
  e.connected = true;
  return Code.NONE;
}

/**
 * Whether a socket bound so may send to an address: NONE, EAFNOSUPPORT, ENETUNREACH as on Linux.
 */
export function familyCode(binding: Binding, a: number, b: number, c: number): Code {
  const v4 = isV4(a, b, c);
  if (isV4(binding.a, binding.b, binding.c)) return v4 ? Code.NONE : Code.EAFNOSUPPORT;
  return v4 && binding.v6Only ? Code.ENETUNREACH : Code.NONE;
}

/** Back to hearing everybody. NONE, or EADDRINUSE when the port has a new holder meanwhile. */
export function disconnectEndpoint(udp: UdpLayer, e: Endpoint): Code {
  if (!e.connected) return Code.ENOTCONN;
  const code = e.bindsGroup ? Code.NONE : udp.ports.bind(e.binding);
  if (code !== Code.NONE) return code;
  dropFlow(udp, e);
  e.connected = false;
  e.error = 0;
  return Code.NONE;
}

/** A queue has given `n` octets back. */
export function releaseQueue(udp: UdpLayer, n: number): void {
  udp.memory -= n;
  udp.ip.memory.give(Held.DATAGRAMS, n);
}

/** Frees the port and everything that waits. */
export function closeEndpoint(udp: UdpLayer, e: Endpoint): void {
  if (e.closed) return;
  e.closed = true;
  if (e.memberships.length > 0) {
    leaveAll(udp, e);
    madeWork(udp);
  }
  if (e.connected) dropFlow(udp, e);
  if (!e.connected || e.bindsGroup) udp.ports.unbind(e.binding);
  releaseQueue(udp, e.queue.release());
  udp.live--;
  releaseSlot(udp, e.slot);
}

function dropFlow(udp: UdpLayer, e: Endpoint): void {
  udp.flows.remove(e.flow, 0);
  const left = (udp.connectedPorts.get(e.port) ?? 1) - 1;
  if (left > 0) udp.connectedPorts.set(e.port, left);
  else udp.connectedPorts.delete(e.port);
}

function writeKey(key: Int32Array, e: Endpoint, port: number): void {
  const path = e.path;
  key[0] = path.src0;
  key[1] = path.src1;
  key[2] = path.src2;
  key[3] = path.src3;
  key[4] = path.dst0;
  key[5] = path.dst1;
  key[6] = path.dst2;
  key[7] = path.dst3;
  key[8] = (e.port << 16) | port;
}

/** Puts the endpoint on the ready list. */
export function markReady(udp: UdpLayer, e: Endpoint): void {
  if (e.ready) return;
  e.ready = true;
  udp.ready.push(e.slot);
}

/** Whether a drain would tell the endpoint something now. */
export function hasEvents(e: Endpoint): boolean {
  if (e.closed) return false;
  if (e.reports !== null && e.reports.length > 0) return true;
  return e.error !== 0 || e.writable || (!e.paused && e.queue.count > 0);
}
