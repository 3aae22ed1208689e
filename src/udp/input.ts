// A UDP datagram arrives (RFC 768, RFC 1122 §4.1.3): lengths, checksum, and whom it is for: exact
// 4-tuple, then the port's specific binding, then its wildcard; every listener for a broadcast.
// @hot

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { mix } from '../base/hash.ts';
import { Held } from '../base/memory.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import type { Binding } from '../demux/ports.ts';
import { acceptPmtu, type IcmpError, portUnreachable } from '../ip/icmp.ts';
import { count, drop, Verdict } from '../ip/ip.ts';
import type { Path } from '../ip/path.ts';
import { V4_MAPPED } from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as udp4 from '../wire/udp.ts';
import type { Endpoint } from './endpoint.ts';
import { wants } from './membership.ts';
import { keepReport } from './reports.ts';
import { hasEvents, madeWork, markReady, type UdpLayer } from './udp.ts';

const IN_DATAGRAMS = Ctr.UdpInDatagrams;
/** Most sockets that one broadcast reaches. */
const MOST_LISTENERS = 1024;

/** Always DONE: queued for its socket, or dropped. */
export function input(udp: UdpLayer, rx: Rx): Verdict {
  const ip = udp.ip;
  const u8 = rx.u8;
  const off = rx.l4Off;
  const lengths = udp4.check(u8, off, rx.l4Len);
  if (lengths !== Drop.NONE) return refuse(udp, rx, lengths);
  const len = udp4.length(u8, off);
  if ((rx.flags & (RxFlag.NEEDS_CSUM | RxFlag.DATA_VALID)) === 0) {
    // A super-datagram has no checksum of its own: only a link that vouches may bring one.
    if (rx.gsoSize !== 0) return refuse(udp, rx, Drop.BAD_META);
    if (!checksumRight(udp, rx, len)) {
      count(ip, Ctr.UdpInCsumErrors);
      return refuse(udp, rx, Drop.UDP_CSUM);
    }
  }
  rx.srcPort = udp4.srcPort(u8, off);
  rx.dstPort = udp4.dstPort(u8, off);
  rx.dataOff = off + udp4.HEADER;
  rx.dataLen = len - udp4.HEADER;
  if (rx.dstKind !== DstKind.UNICAST) return toListeners(udp, rx);
  const slot = find(udp, rx);
  const e = slot < 0 ? null : udp.endpoints[slot];
  if (e === null || e === undefined) {
    if (ip.elsewhere?.pass(rx, false)) return Verdict.DONE;
    count(ip, Ctr.UdpNoPorts);
    portUnreachable(ip, rx);
    return drop(ip, rx, Drop.NO_SOCKET);
  }
  enqueue(udp, rx, e);
  return Verdict.DONE;
}

function refuse(udp: UdpLayer, rx: Rx, reason: Drop): Verdict {
  count(udp.ip, Ctr.UdpInErrors);
  return drop(udp.ip, rx, reason);
}

function checksumRight(udp: UdpLayer, rx: Rx, len: number): boolean {
  if (rx.family === 4) {
    // RFC 768: an all-zero field means that the sender made no checksum.
    if (udp4.checksum(rx.u8, rx.l4Off) === 0) return true;
    const pseudo = checksum.pseudo4(rx.src3, rx.dst3, ipv4.Proto.UDP, len);
    return checksum.fold(udp.ip.sum(rx.l4Off, len, pseudo)) === 0xffff;
  }
  // RFC 8200 §8.1: over IPv6 there is always one.
  if (udp4.checksum(rx.u8, rx.l4Off) === 0) return false;
  const pseudo = checksum.pseudo6(rx, ipv4.Proto.UDP, len);
  return checksum.fold(udp.ip.sum(rx.l4Off, len, pseudo)) === 0xffff;
}

/** Slot of the endpoint for a unicast datagram, -1 when there is none. */
function find(udp: UdpLayer, rx: Rx): number {
  if (udp.flows.size > 0) {
    const slot = findFlow(udp, rx);
    if (slot >= 0 && comesBy(udp.endpoints[slot] as Endpoint, rx)) return slot;
  }
  const k = udp.hash;
  const hash = mix(mix(k.k0, rx.src3, k.k1), rx.srcPort, k.k2);
  udp.ports.spread = hash;
  udp.ports.link = rx.linkId;
  return udp.ports.find(rx.dstPort, rx.dst0, rx.dst1, rx.dst2, rx.dst3);
}

/** An endpoint that is bound to a link hears nothing of the others. */
function comesBy(e: Endpoint, rx: Rx): boolean {
  const { link } = e.binding;
  return link === undefined || link === rx.linkId;
}

function findFlow(udp: UdpLayer, rx: Rx): number {
  const ports = (rx.dstPort << 16) | rx.srcPort;
  if (rx.family === 4) return udp.flows.find4(rx.dst3, rx.src3, ports);
  const key = udp.key;
  key[0] = rx.dst0;
  key[1] = rx.dst1;
  key[2] = rx.dst2;
  key[3] = rx.dst3;
  key[4] = rx.src0;
  key[5] = rx.src1;
  key[6] = rx.src2;
  key[7] = rx.src3;
  key[8] = ports;
  return udp.flows.find(key, 0);
}

/** RFC 1122 §4.1.3.5 and Linux: a broadcast or group is heard by every socket bound for it. */
function toListeners(udp: UdpLayer, rx: Rx): Verdict {
  const bindings = udp.ports.bindings(rx.dstPort);
  let heard = 0;
  for (let i = 0; i < bindings.length && heard < MOST_LISTENERS; i++) {
    const binding = bindings[i] as Binding;
    const e = udp.endpoints[binding.slot];
    if (e === null || e === undefined || !hears(binding, rx)) continue;
    if (rx.dstKind === DstKind.MULTICAST && !wants(e, rx)) continue;
    if (e.connected && !isPeer(e, rx)) continue;
    enqueue(udp, rx, e);
    heard++;
  }
  udp.ip.elsewhere?.share(rx);
  if (heard > 0) return Verdict.DONE;
  count(udp.ip, Ctr.UdpNoPorts);
  return drop(udp.ip, rx, Drop.NO_SOCKET);
}

/** Only what is bound to a group is found here while it is connected. */
function isPeer(e: Endpoint, rx: Rx): boolean {
  const f = e.flow;
  if (((f[8] as number) & 0xffff) !== rx.srcPort) return false;
  return f[4] === rx.src0 && f[5] === rx.src1 && f[6] === rx.src2 && f[7] === rx.src3;
}

function hears(x: Binding, rx: Rx): boolean {
  if (x.link !== undefined && x.link !== rx.linkId) return false;
  if (x.a === rx.dst0 && x.b === rx.dst1 && x.c === rx.dst2 && x.d === rx.dst3) return true;
  if ((x.a | x.b | x.d) !== 0) return false;
  if (rx.family === 4) return x.c === V4_MAPPED || (x.c === 0 && !x.v6Only);
  return x.c === 0;
}

function enqueue(udp: UdpLayer, rx: Rx, e: Endpoint): void {
  const before = e.queue.capacity;
  const budget = udp.ip.memory;
  const room = Math.min(
    udp.config.udpMemoryOctets - udp.memory,
    budget.cap - budget.used - budget.reserved,
  );
  if (!e.queue.push(rx, e.receiveLimit, room)) {
    e.lost++;
    count(udp.ip, Ctr.UdpRcvbufErrors);
    count(udp.ip, Ctr.UdpInErrors);
    drop(udp.ip, rx, Drop.SOCKET_RCVBUFF);
    return;
  }
  udp.memory += e.queue.capacity - before;
  budget.take(Held.DATAGRAMS, e.queue.capacity - before);
  const n = rx.gsoSize > 0 && rx.dataLen > 0 ? Math.ceil(rx.dataLen / rx.gsoSize) : 1;
  e.received += n;
  const values = udp.ip.counters.values;
  values[IN_DATAGRAMS] = (values[IN_DATAGRAMS] as number) + n;
  if (!e.paused && !e.ready) markReady(udp, e);
}

/**
 * An ICMP error about a datagram of ours stands in `ip.icmpError` (RFC 1122 §4.1.3.3). A connected
 * socket is told; the path MTU goes down only for a destination that the socket really sent to.
 */
export function error(udp: UdpLayer): Verdict {
  const ip = udp.ip;
  const err = ip.icmpError;
  const ports = (err.srcPort << 16) | err.dstPort;
  const slot = udp.flows.size > 0 ? flowOf(udp, err, ports) : -1;
  const flow = slot < 0 ? null : udp.endpoints[slot];
  const e = flow ?? boundTo(udp);
  if (e === null) {
    if (ip.elsewhere?.pass(ip.rx, false)) return Verdict.DONE;
    return drop(ip, ip.rx, Drop.NO_SOCKET);
  }
  const { isTooBig } = err;
  if (e.reports !== null) keepReport(udp, e);
  if (isTooBig) {
    const path = e.path;
    if (path.epoch === 0 || !isAbout(err, path)) return drop(ip, ip.rx, Drop.NO_SOCKET);
    if (!acceptPmtu(ip, err)) return Verdict.DONE;
  }
  // As on Linux, soft errors and sockets without a peer stay silent.
  if (!e.connected || !(err.hard || isTooBig)) return Verdict.DONE;
  e.error = err.errno;
  if (hasEvents(e)) markReady(udp, e);
  madeWork(udp);
  return Verdict.DONE;
}

function flowOf(udp: UdpLayer, err: IcmpError, ports: number): number {
  const key = udp.key;
  key[0] = err.src0;
  key[1] = err.src1;
  key[2] = err.src2;
  key[3] = err.src3;
  key[4] = err.dst0;
  key[5] = err.dst1;
  key[6] = err.dst2;
  key[7] = err.dst3;
  key[8] = ports;
  return udp.flows.find(key, 0);
}

/** Whether the quoted packet went the endpoint's way. */
function isAbout(err: IcmpError, path: Path): boolean {
  return (
    path.dst3 === err.dst3 &&
    path.dst2 === err.dst2 &&
    path.dst1 === err.dst1 &&
    path.dst0 === err.dst0 &&
    path.src3 === err.src3 &&
    path.src2 === err.src2 &&
    path.src1 === err.src1 &&
    path.src0 === err.src0
  );
}

/** The unconnected endpoint that may have sent what the error quotes. */
function boundTo(udp: UdpLayer): Endpoint | null {
  const err = udp.ip.icmpError;
  udp.ports.link = -1;
  const slot = udp.ports.find(err.srcPort, err.src0, err.src1, err.src2, err.src3);
  return slot < 0 ? null : (udp.endpoints[slot] ?? null);
}
