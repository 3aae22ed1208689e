// Neighbour unreachability detection (RFC 4861 §7.3) and address resolution (§7.2), for IPv4 and
// IPv6 alike: what happens to a neighbour when a packet goes there, when something is heard from
// it, and when time passes.
//
//   NONE ─packet→ INCOMPLETE ─answer→ REACHABLE ─time→ STALE ─packet→ DELAY ─5 s→ PROBE
//                     │ 3 in vain          ↑────── answer, or TCP's progress ──────┘ │ 3 in vain
//                     └→ FAILED, waiting packets answered with an ICMP error ←───────┘

import { Ctr } from '../base/counters.ts';
import { Drop } from '../base/drop.ts';
import { fraction } from '../base/random.ts';
import { Seen } from '../base/watch.ts';
import { type EtherPort, putHeader } from './ether.ts';
import { handOver } from './ether-output.ts';
import { count, flushLinks, type IpLayer } from './ip.ts';
import { type Neighbor, Nud, type Waiting } from './neighbor.ts';
import { Ring } from './neighbors.ts';
import type { Path } from './path.ts';
import { solicit } from './solicit.ts';
import { unreachable } from './unreachable.ts';

/** RFC 4861 §10. */
const DELAY_FIRST_PROBE_US = 5_000_000;
const MAX_PROBES = 3;
/** A neighbour that nobody sends to is forgotten after this time (RFC 1122 §2.3.2.1: flushed). */
const FORGET_US = 600_000_000;
/** Deadlines are looked at together, at most this often. */
const GRAIN_US = 10_000;

const words = new Int32Array(4);

/** The neighbour that a path's packets go to, made when it is new. */
export function lookFor(_ip: IpLayer, port: EtherPort, path: Path): Neighbor {
  const { gateway } = path;
  words[0] = gateway === null ? path.dst0 : gateway.a;
  words[1] = gateway === null ? path.dst1 : gateway.b;
  words[2] = gateway === null ? path.dst2 : gateway.c;
  words[3] = gateway === null ? path.dst3 : gateway.d;
  const { neighbors } = port;
  const [a, b, c, d] = words as unknown as [number, number, number, number];
  const n = neighbors.find(a, b, c, d);
  if (n === null) return neighbors.add(words, Ring.ASKED);
  if (n.state !== Nud.NONE && n.state !== Nud.INCOMPLETE) neighbors.move(n, Ring.USED);
  return n;
}

/** A packet is to go to a neighbour that is not known to be reachable: whether it may go now. */
export function isUsable(ip: IpLayer, port: EtherPort, n: Neighbor): boolean {
  switch (n.state) {
    case Nud.REACHABLE:
    case Nud.STALE:
      // RFC 4861 §7.3.3: it goes, and unless something is heard we ask in a while.
      become(ip, n, Nud.DELAY);
      n.reachableUs = -1;
      n.probes = 0;
      port.want(n, ip.nowUs + DELAY_FIRST_PROBE_US);
      return true;
    case Nud.DELAY:
    case Nud.PROBE:
      return true;
    case Nud.INCOMPLETE:
      return false;
    default:
      become(ip, n, Nud.INCOMPLETE);
      n.probes = 0;
      ask(ip, port, n);
      return false;
  }
}

function become(ip: IpLayer, n: Neighbor, state: number): void {
  if (n.state !== state) tell(ip, n, state);
  n.state = state;
}

/** An onlooker hears of it. */
function tell(ip: IpLayer, n: Neighbor, state: number): void {
  const w = ip.watch;
  if (w === null) return;
  w.note(Seen.FROM, 0, n.a, n.b, n.c);
  w.more(n.d);
  w.note(Seen.NEIGHBOUR, 0, n.linkId, n.state, state);
}

/** It is forgotten: what points at it finds it FAILED. */
function forget(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  tell(ip, n, Nud.FAILED);
  port.neighbors.remove(n);
}

function ask(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  n.probes++;
  solicit(ip, port, n, n.state === Nud.PROBE);
  port.want(n, ip.nowUs + port.retransMs * 1000);
}

/** Keeps `ip.tx` until the neighbour is found; the oldest of too many goes (RFC 1122 §2.3.2.2). */
export function hold(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  const { config } = ip;
  const packet = copyOut(ip);
  while (n.waiting.length >= Math.max(1, config.neighborQueuePackets)) lose(ip, port, n);
  const room = config.neighborQueueOctets - packet.octets.length;
  while (n.waiting.length > 0 && port.waitingOctets > room) lose(ip, port, n);
  if (port.waitingOctets > room) {
    dropped(ip, Drop.NEIGH_QUEUEFULL);
    return;
  }
  n.waiting.push(packet);
  port.waitingOctets += packet.octets.length;
}

function lose(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  const oldest = n.waiting.shift();
  if (oldest === undefined) return;
  port.waitingOctets -= oldest.octets.length;
  dropped(ip, Drop.NEIGH_QUEUEFULL);
}

function dropped(ip: IpLayer, reason: Drop): void {
  const { drops } = ip.counters;
  drops[reason] = (drops[reason] as number) + 1;
}

function copyOut(ip: IpLayer): Waiting {
  const { tx } = ip;
  const { u8 } = ip.slab;
  const octets = new Uint8Array(tx.headerLen + tx.payloadLen);
  octets.set(u8.subarray(tx.headerOff, tx.headerOff + tx.headerLen));
  let at = tx.headerLen;
  for (let i = 0; i < tx.pieces; i++) {
    const off = tx.pieceOff[i] as number;
    const len = tx.pieceLen[i] as number;
    octets.set((tx.pieceBuf[i] ?? u8).subarray(off, off + len), at);
    at += len;
  }
  const { headerLen, l4, csumOffset, flags, gsoType, gsoSize, family } = tx;
  return { octets, headerLen, l4, csumOffset, flags, gsoType, gsoSize, family };
}

/** What waits for a neighbour leaves in the order of its coming. */
function release(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  const packets = n.waiting;
  n.waiting = [];
  for (const packet of packets) {
    port.waitingOctets -= packet.octets.length;
    const link = ip.links[port.linkId];
    if (link === null || link === undefined) continue;
    let off = ip.arena.take(packet.headerLen);
    if (off < 0) {
      flushLinks(ip);
      off = ip.arena.take(packet.headerLen);
      if (off < 0) continue;
    }
    const { tx } = ip;
    ip.slab.u8.set(packet.octets.subarray(0, packet.headerLen), off);
    tx.reset();
    tx.headerOff = off;
    tx.headerLen = packet.headerLen;
    tx.l4 = packet.l4;
    tx.csumOffset = packet.csumOffset;
    tx.flags = packet.flags;
    tx.gsoType = packet.gsoType;
    tx.gsoSize = packet.gsoSize;
    tx.family = packet.family;
    const rest = packet.octets.length - packet.headerLen;
    if (rest > 0) tx.gather(packet.octets, packet.headerLen, rest);
    putHeader(ip, port, tx, n.high, n.low);
    handOver(ip, link);
    tx.reset();
    tx.lead = 0;
  }
}

// --- what is heard ------------------------------------------------------------------------------

/** An answer (RFC 4861 §7.2.5), or an ARP reply. */
export interface Answer {
  /** False: the answer names no link-layer address. */
  readonly hasMac: boolean;
  readonly high: number;
  readonly low: number;
  /** It answers a question of ours: the neighbour hears us. */
  readonly isSolicited: boolean;
  /** It may replace what is known. */
  readonly overrides: boolean;
}

/** False: the answer changed nothing and told nothing. */
export function answered(ip: IpLayer, port: EtherPort, n: Neighbor, x: Answer): boolean {
  if (n.state === Nud.INCOMPLETE || n.state === Nud.NONE) {
    if (!x.hasMac) return false;
    setMac(ip, n, x.high, x.low);
    settle(ip, port, n, x.isSolicited);
    return true;
  }
  const differs = x.hasMac && (x.high !== n.high || x.low !== n.low);
  if (differs && !x.overrides) {
    // RFC 4861 §7.2.5 (I): another one says that it is there. What is known stays, but is doubted.
    if (n.state === Nud.REACHABLE) doubt(ip, port, n);
    return false;
  }
  if (differs) setMac(ip, n, x.high, x.low);
  if (x.isSolicited) settle(ip, port, n, true);
  else if (differs) settle(ip, port, n, false);
  return true;
}

/** Somebody asked for us and said where he is (RFC 4861 §7.2.3, RFC 826): believed, not sure. */
export function heard(ip: IpLayer, port: EtherPort, at: Int32Array, high: number, low: number) {
  const [a, b, c, d] = at as unknown as [number, number, number, number];
  let n = port.neighbors.find(a, b, c, d);
  if (n === null) n = port.neighbors.add(at, Ring.HEARD);
  else if (n.hasMac && n.high === high && n.low === low) return;
  setMac(ip, n, high, low);
  settle(ip, port, n, false);
}

function setMac(ip: IpLayer, n: Neighbor, high: number, low: number): void {
  n.high = high;
  n.low = low;
  n.setUs = ip.nowUs;
}

function settle(ip: IpLayer, port: EtherPort, n: Neighbor, isSure: boolean): void {
  const wasUnknown = n.state === Nud.INCOMPLETE || n.state === Nud.NONE;
  if (isSure) reach(ip, port, n);
  else doubt(ip, port, n);
  if (!wasUnknown) return;
  if (n.ring === Ring.ASKED) port.neighbors.move(n, Ring.USED);
  if (n.waiting.length === 0) return;
  release(ip, port, n);
  if (n.state === Nud.STALE) isUsable(ip, port, n);
}

function reach(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  // RFC 4861 §6.3.2: spread between half and one and a half, so that nobody's clocks agree.
  const us = port.reachableMs * 1000 * (0.5 + fraction(ip.random));
  become(ip, n, Nud.REACHABLE);
  n.probes = 0;
  n.reachableUs = ip.nowUs + us;
  port.want(n, n.reachableUs);
}

function doubt(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  become(ip, n, Nud.STALE);
  n.reachableUs = -1;
  n.probes = 0;
  port.want(n, ip.nowUs + FORGET_US);
}

/** TCP has got something new acknowledged by it: it hears us (RFC 4861 §7.3.1). */
export function confirm(ip: IpLayer, n: Neighbor): void {
  const port = ip.ethers[n.linkId];
  if (port === null || port === undefined || !n.hasMac) return;
  // A sure neighbour is confirmed again in the second half of its time only.
  if (n.reachableUs - ip.nowUs > port.reachableMs * 500) return;
  reach(ip, port, n);
}

// --- time ---------------------------------------------------------------------------------------

/** Acts on what is due among a link's neighbours. */
export function advanceNeighbors(ip: IpLayer, port: EtherPort): void {
  let next = Infinity;
  for (const n of port.neighbors.list()) {
    if (n.dueUs <= ip.nowUs) due(ip, port, n);
    if (n.dueUs < next) next = n.dueUs;
  }
  port.wantAt(Math.max(next, ip.nowUs + GRAIN_US));
}

function due(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  switch (n.state) {
    case Nud.REACHABLE:
      doubt(ip, port, n);
      return;
    case Nud.DELAY:
      become(ip, n, Nud.PROBE);
      n.probes = 0;
      ask(ip, port, n);
      return;
    case Nud.INCOMPLETE:
    case Nud.PROBE:
      if (n.probes < MAX_PROBES) ask(ip, port, n);
      else lost(ip, port, n);
      return;
    default:
      forget(ip, port, n);
  }
}

/** RFC 4861 §7.2.2: every packet that waits is answered with "unreachable", to ourselves. */
function lost(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  const packets = n.waiting;
  n.waiting = [];
  forget(ip, port, n);
  count(ip, Ctr.PortsideNeighUnresolved);
  for (const packet of packets) {
    port.waitingOctets -= packet.octets.length;
    dropped(ip, Drop.NEIGH_FAILED);
    unreachable(ip, packet);
  }
}

/** A neighbour had to make room: nothing is said to anybody, its packets count as lost. */
export function evicted(ip: IpLayer, port: EtherPort, n: Neighbor): void {
  count(ip, Ctr.PortsideNeighEvicted);
  while (n.waiting.length > 0) lose(ip, port, n);
}
