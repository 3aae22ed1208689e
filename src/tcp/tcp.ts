// The TCP layer's state: connections by slot, listeners, ports, the flow table, timers, and the
// list of connections that have something to tell or to send in the next drain.

import { Deadlines } from '../base/deadlines.ts';
import { SipKey } from '../base/hash.ts';
import { IntRing } from '../base/int-ring.ts';
import { Held } from '../base/memory.ts';
import type { Random } from '../base/random.ts';
import { Seen } from '../base/watch.ts';
import { FlowTable } from '../demux/flow-table.ts';
import { Ports } from '../demux/ports.ts';
import type { IpLayer } from '../ip/ip.ts';
import { Path } from '../ip/output.ts';
import { TcpOptions } from '../wire/tcp-options.ts';
import { AckPass } from './ack-pass.ts';
import { BlockPool } from './block-pool.ts';
import type { Controller } from './congestion/controller.ts';
import { FastOpen } from './fast-open.ts';
import type { Listener } from './listen.ts';
import { Lender } from './outgoing.ts';
import { ProvenPeers } from './proven-peers.ts';
import { RECORD_OCTETS, SegPool } from './scoreboard.ts';
import { SynCookies } from './syn-cookies.ts';
import { Tcb } from './tcb.ts';
import { Chunks } from './tcb-chunk.ts';
import { TimeWaitTable } from './time-wait-table.ts';
import { noteTimer } from './watch.ts';

/** Knobs of this layer; values, units and sources in stack/config.ts. */
export interface TcpConfig {
  initialCwnd: number;
  rtoInitialMs: number;
  rtoMinMs: number;
  rtoMaxMs: number;
  synRetries: number;
  gateTimeoutMs: number;
  synAckRetries: number;
  /** Repetitions of a SYN-ACK to an address that has not completed a handshake lately. */
  synAckUnproven: number;
  retries: number;
  orphanRetries: number;
  delayedAckMinMs: number;
  delayedAckMaxMs: number;
  timeWaitMs: number;
  finWait2Ms: number;
  rcvBufInitial: number;
  rcvBufMax: number;
  sndBufInitial: number;
  sndBufMax: number;
  rcvBufMemory: number;
  windowScale: boolean;
  timestamps: boolean;
  sack: boolean;
  minSendMss: number;
  backlogDefault: number;
  synBacklog: number;
  synCookies: boolean;
  maxConnections: number;
  maxTimeWait: number;
  ephemeralLow: number;
  ephemeralHigh: number;
  challengeAcksPerSecond: number;
  /** Least time between two challenges, or two answers to segments out of the window. */
  challengeGapMs: number;
  /** RST does not end TIME-WAIT. */
  rfc1337: boolean;
  /** A part of a segment may fill the window when Nagle allows it. */
  fillWindow: boolean;
  /** A FIN is acknowledged at once, and duplicates in front of it are told. */
  finAckAtOnce: boolean;
  /** One that waits for more than a segment's octets goes, and one that the program's read ends. */
  hurriedAcks: boolean;
  /** A segment beyond the window counts whole when nothing is unread, else not at all. */
  wholeSegments: boolean;
  /** A SYN-RECEIVED connection answers a wrong ACK with RST before all else, and a SYN ends it. */
  strictEmbryos: boolean;
  /** The SYN-ACK of SYNs that cross offers what our SYN offered, whatever the peer's said. */
  crossedOffers: boolean;
  /** So many SYNs are repeated after the initial timeout each, and the timeout doubles behind. */
  synLinear: number;
  /** No SYN asks for Fast Open for so long after a black hole; 0 = no suspicion. */
  fastOpenBlackholeMs: number;
  rstPerSecond: number;
  ofoMaxRanges: number;
  gsoMaxOctets: number;
  controller: Controller;
  idleRestart: boolean;
  lossProbe: boolean;
  /** Unreachable host or network ends a connection that is not open yet, at once. */
  softErrorsEndOpen: boolean;
  /** What a tail loss probe waits beyond two round trips, at least: the clock's granularity. */
  probeMinMs: number;
  /** MtuProbing of mtu-probe.ts, and the rest between two searches. */
  mtuProbing: number;
  mtuProbeIntervalMs: number;
  /** EcnMode of ecn.ts. */
  ecn: number;
  /** How much older than TS.Recent a timestamp may be: neighbours that changed places. */
  pawsSlack: number;
  /** A paced segment costs its headers too, not its payload alone. */
  paceHeaders: boolean;
  /** HystartMode of congestion/hystart.ts. */
  hystart: number;
  testIss: number;
  testTsOffset: number;
}

/** What the budget counts for a connection that holds nothing: its block, flow and timers. */
export const CONNECTION_OCTETS = 2048;

/** Timers of one connection: id = slot * TIMERS + kind. */
export const Timer = { REXMIT: 0, DELACK: 1, KEEP: 2, LINGER: 3, PACE: 4 } as const;
export const TIMERS = 5;

/** A segment that no control block sends: RST, TIME-WAIT's ACK, a SYN-ACK with a cookie. */
export class Reply {
  seq = 0;
  ack = 0;
  flags = 0;
  window = 0;
  hasTs = false;
  tsVal = 0;
  tsEcr = 0;
  /** Options of a SYN-ACK. */
  mss = 0;
  sackOk = false;
  wscale = -1;
}

export class TcpLayer {
  readonly ip: IpLayer;
  readonly config: TcpConfig;
  readonly random: Random;
  readonly connections: (Tcb | null)[] = [];
  readonly freeSlots = new IntRing(64);
  live = 0;
  readonly listeners: (Listener | null)[] = [];
  /** Slots of those for every port of a prefix. */
  readonly prefixListeners: number[] = [];
  readonly ports = new Ports();
  readonly flows: FlowTable;
  readonly deadlines = new Deadlines(256);
  readonly ready = new IntRing(64);
  readonly segs: SegPool;
  readonly blocks: BlockPool;
  readonly lender = new Lender();
  readonly chunks = new Chunks();
  readonly pass = new AckPass();
  readonly timeWait: TimeWaitTable;
  readonly cookies: SynCookies;
  readonly proven: ProvenPeers;
  readonly fastOpen: FastOpen;
  readonly reply = new Reply();
  readonly options = new TcpOptions();
  /** Nine words of a flow key under construction; four more for hashes. */
  readonly key = new Int32Array(9);
  readonly words = new Int32Array(10);
  /** Pieces of in-order data in the slab, valid until the drain of this batch. */
  pieceOff = new Int32Array(256);
  pieceLen = new Int32Array(256);
  pieceNext = new Int32Array(256);
  pieces = 0;
  /** A SYN reopens a TIME-WAIT's 4-tuple: the ISN lies beyond the old numbers. */
  reopens = false;
  reopenIss = 0;
  readonly issKey: SipKey;
  readonly tsKey: SipKey;
  readonly portKey: SipKey;
  /** Source of answers to packets without a connection. */
  readonly replyPath = new Path();
  /** Resets that may still go in the second since `rstRefillUs`. */
  rstTokens = 0;
  rstRefillUs = -Infinity;
  /** Set by the stack: a call outside of drain has made work. */
  onWork: () => void = noWork;
  draining = false;
  /** Bits of the connection being served that are still to be done. */
  pending = 0;
  /** What handlers threw in this drain. */
  readonly errors: unknown[] = [];
  /** Octets of receive memory held by all connections (rings). */
  rcvMemory = 0;
  /** Octets that the pieces of this batch may come to hold. */
  parkable = 0;
  /** Connections that were refused memory for sending. */
  readonly starved = new IntRing(16);

  constructor(ip: IpLayer, config: TcpConfig, random: Random) {
    this.ip = ip;
    this.config = config;
    this.random = random;
    this.segs = new SegPool(256, ip.memory);
    this.blocks = new BlockPool(ip.memory);
    this.timeWait = new TimeWaitTable(ip.memory);
    this.flows = new FlowTable(random, 64);
    this.issKey = new SipKey(random);
    this.tsKey = new SipKey(random);
    this.portKey = new SipKey(random);
    this.cookies = new SynCookies(random);
    this.proven = new ProvenPeers(random);
    this.fastOpen = new FastOpen(random);
  }
}

function noWork(): void {}

/** A control block in a slot of its own; null when the table is full. */
export function allocate(tcp: TcpLayer): Tcb | null {
  if (tcp.live >= tcp.config.maxConnections) return null;
  const { memory } = tcp.ip;
  // a SYN, or one segment in flight, is never refused its record
  if (!memory.fits(CONNECTION_OCTETS + RECORD_OCTETS)) return null;
  const slot = tcp.freeSlots.size > 0 ? tcp.freeSlots.shift() : tcp.connections.length;
  const t = new Tcb(tcp, slot);
  tcp.connections[slot] = t;
  tcp.live++;
  memory.take(Held.CONNECTIONS, CONNECTION_OCTETS);
  memory.reserved += RECORD_OCTETS;
  return t;
}

/** The slot is free again; the control block stays readable for whoever still holds it. */
export function vacate(t: Tcb): void {
  const tcp = t.layer;
  t.detach(tcp.chunks.bury());
  tcp.chunks.leave(t.slot);
  tcp.connections[t.slot] = null;
  tcp.freeSlots.push(t.slot);
  tcp.live--;
  tcp.ip.memory.give(Held.CONNECTIONS, CONNECTION_OCTETS);
  tcp.ip.memory.reserved -= RECORD_OCTETS;
}

/** Puts the connection on the ready list with these bits of `Ready`. */
export function wake(t: Tcb, bits: number): void {
  t.ready |= bits;
  if (t.inReady) return;
  t.inReady = true;
  const tcp = t.layer;
  tcp.ready.push(t.slot);
  if (!tcp.draining) tcp.onWork();
}

/** Writes the flow key of a connection into `tcp.key`. */
export function flowKey(tcp: TcpLayer, t: Tcb): Int32Array {
  const key = tcp.key;
  const path = t.path;
  key[0] = path.src0;
  key[1] = path.src1;
  key[2] = path.src2;
  key[3] = path.src3;
  key[4] = path.dst0;
  key[5] = path.dst1;
  key[6] = path.dst2;
  key[7] = path.dst3;
  key[8] = (t.localPort << 16) | t.remotePort;
  return key;
}

export function timerId(t: Tcb, kind: number): number {
  return t.slot * TIMERS + kind;
}

export function armTimer(t: Tcb, kind: number, delayUs: number): void {
  t.layer.deadlines.after(t.slot * TIMERS + kind, delayUs);
  noteTimer(t, Seen.TIMER_SET, kind, delayUs);
}

export function clearTimer(t: Tcb, kind: number): void {
  t.layer.deadlines.clear(t.slot * TIMERS + kind);
}

export function timerArmed(t: Tcb, kind: number): boolean {
  return t.layer.deadlines.isArmed(t.slot * TIMERS + kind);
}
