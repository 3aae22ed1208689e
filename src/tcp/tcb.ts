// The transmission control block (RFC 9293 §3.3.1) and its extensions. One class, every field a
// number from the start, so that V8 keeps one shape. Names are the RFC's; times are µs unless the
// name ends in Ms; windows and queues are octets; cwnd, ssthresh and the *Out counts are wire
// segments, as Linux counts them. An idle connection is small: here is what every segment asks for,
// the rest lies packed in tcb-flags.ts (bits), tcb-numbers.ts (int32) and tcb-times.ts (float64).

import { type ByteRing, NO_RING } from '../base/byte-ring.ts';
import type { RangeList } from '../base/range-list.ts';
import { nextId } from '../ip/ip.ts';
import { Path } from '../ip/output.ts';
import type { CongestionMemory, Controller } from './congestion/controller.ts';
import { newReno } from './congestion/newreno.ts';
import { NO_BOARD, type Scoreboard } from './scoreboard.ts';
import { NO_QUEUE, type SendQueue } from './send-queue.ts';
import { State } from './state.ts';
import { recordOf } from './tcb-chunk.ts';
import { TcbFlags } from './tcb-flags.ts';
import type { TcpLayer } from './tcp.ts';

/** What the socket above gets to hear, in `drain` only. socket/tcp-socket.ts implements it. */
export interface TcpUser {
  opened(): void;
  data(u8: Uint8Array, off: number, len: number): void;
  urgent(): void;
  ended(): void;
  writable(): void;
  written(n: number): void;
  closed(code: number): void;
}

/** What a connection still has to be told or do in the next `drain`. */
export const Ready = {
  OPENED: 1,
  DATA: 2,
  ENDED: 4,
  WRITTEN: 8,
  WRITABLE: 16,
  CLOSED: 32,
  OUTPUT: 64,
  ACCEPT: 128,
  URGENT: 256,
  FREE: 512,
  /** Nothing is told for two rounds: one of the two bits goes with each. */
  HELD: 3072,
  /** It has been held: `opened` is told whatever has come meanwhile. */
  LATE: 4096,
} as const;

/** How much an acknowledgment wants to go out. */
/** PUSHED: it may wait, but only until the program has read what came. */
export const AckWish = { NONE: 0, DELAYED: 1, NOW: 2, PUSHED: 3 } as const;

/**
 * What holds small segments back: MORE (MSG_MORE) for one pass of output, HELD (TCP_CORK), or both.
 * OPEN holds nothing any more, but what is queued last is no end of a write: no PSH.
 */
export const Cork = { NONE: 0, OPEN: 1, MORE: 2, HELD: 3, HELD_MORE: 4 } as const;

/** Congestion states (as Linux's TCP_CA_*): what the sender believes of the path. */
export const Ca = { OPEN: 0, DISORDER: 1, CWR: 2, RECOVERY: 3, LOSS: 4 } as const;

/** What the one retransmission timer stands for. */
export const Rexmit = { NONE: 0, RTO: 1, TLP: 2, REORDER: 3, PROBE: 4, HELD: 5 } as const;

/** Rarely set limits of one connection; 0 = the layer's knob, or none. */
export class Limits {
  /** SYNs sent again (TCP_SYNCNT). */
  synRetries = 0;
  /** Time of an orphan in FIN-WAIT-2 (TCP_LINGER2); below 0: none. */
  finWait2Ms = 0;
  /** Room is told of when less than this is unsent (TCP_NOTSENT_LOWAT). */
  notSentLowWater = 0;
  /** Most octets that are announced as window (TCP_WINDOW_CLAMP). */
  windowClamp = 0;
}

export class Tcb extends TcbFlags {
  readonly layer: TcpLayer;
  readonly slot: number;
  /** A number of its own among all sockets of the stack, also after its slot is another's. */
  readonly id: number;
  user: TcpUser | null = null;
  /** Slot of the listener whose child this is until it is accepted; -1 = none. */
  listener = -1;
  state: State = State.CLOSED;
  /** Ready.* bits and whether the slot stands in the ready list. */
  ready = 0;
  inReady = false;
  /** Errno for `closed`. */
  closeCode = 0;
  /** The program has let go (close, abort): nobody is told of data any more. */
  orphan = false;

  /** src = our address, dst = the peer's. */
  readonly path = new Path();
  localPort = 0;
  remotePort = 0;
  tos = 0;
  /** 0 = the layer's default. */
  ttl = 0;

  // --- sending -------------------------------------------------------------------------------
  //        sndUna        sndNxt          sndUna+sndWnd     sndEnd
  //  ---------|--- flight ---|--- usable ------|------ unsent ---|
  sndUna = 0;
  sndNxt = 0;
  /** Behind the last queued octet; the FIN, when queued, has this number. */
  sndEnd = 0;
  sndWnd = 0;
  sndWl1 = 0;
  sndWl2 = 0;
  maxWnd = 0;
  /** Shift of the peer's windows, and of ours. */
  sndScale = 0;
  rcvScale = 0;
  /** Payload octets of a full wire segment now (MSS less the options each segment carries). */
  mss = 536;
  finQueued = false;
  /** Lent while there is something to send or in flight (outgoing.ts). */
  queue: SendQueue = NO_QUEUE;
  board: Scoreboard = NO_BOARD;
  /** Calls of write() whose memory the program has back, not told yet. */
  written = 0;
  wantsRoom = false;
  /** Buffer sizes and segment size that the program has fixed; 0 = tuned by the stack. */
  wantedSndBuf = 0;
  wantedRcvBuf = 0;
  sndBuf = 0;
  /** Cork.* */
  corked = 0;
  /** End of the last segment smaller than mss, for Minshall's variant of Nagle. */
  sndSml = 0;

  // --- receiving -----------------------------------------------------------------------------
  //     rcvRead       rcvNxt                 rcvWup+rcvWnd
  //  ------|-- unread --|------- window -------|
  rcvNxt = 0;
  rcvRead = 0;
  /** rcvNxt when the window was last announced, and what was announced. */
  rcvWup = 0;
  rcvWnd = 0;
  rcvBuf = 0;
  /** Most that the window may grow to now (slow start of the receiver's window). */
  rcvSsthresh = 0;
  /** Size of the segments that the peer sends. */
  rcvMss = 536;
  paused = false;
  ring: ByteRing = NO_RING;
  /** Octets of in-order data in the ring, not read. */
  ringed = 0;
  /** Out-of-order ranges held in the ring. */
  ofo: RangeList | null = null;
  hasDsack = false;
  /** Pieces of this batch that lie in the slab: head and tail in the layer's columns, octets. */
  pieceHead = -1;
  pieceTail = -1;
  pieced = 0;

  // --- acknowledging -------------------------------------------------------------------------
  ackWish: number = AckWish.NONE;
  /** Wire segments received since the last acknowledgment. */
  unacked = 0;
  quickAcks = 0;
  /** Interactive: data flows both ways, acknowledgments ride on it. */
  pingPong = false;
  atoUs = 0;
  lastDataInUs = 0;
  lastDataOutUs = 0;
  lastAckSent = 0;
  lastAckInUs = 0;
  ecnOk = false;

  /** Octets of the path MTU probe in flight (RFC 4821); 0 = none. */
  probeLen = 0;
  /** What the program has limited beyond the layer's knobs; null = nothing. */
  limits: Limits | null = null;

  // --- options -------------------------------------------------------------------------------
  tsOk = false;
  sackOk = false;
  tsOffset = 0;
  tsRecent = 0;
  tsRecentMs = 0;

  // --- round-trip time -----------------------------------------------------------------------
  srttUs = 0;
  rttSeq = 0;
  rtoUs = 1_000_000;
  backoff = 0;
  minRttUs = Infinity;
  /** Last sample: of the newest data acknowledged, and of the oldest (for SRTT and RTO). */
  sampleRttUs = -1;
  ackRttUs = -1;

  // --- congestion and recovery ---------------------------------------------------------------
  controller: Controller = newReno;
  /** Asked for before the connection opened. */
  wantedController: Controller | null = null;
  congestionMemory: CongestionMemory | null = null;
  ca: number = Ca.OPEN;
  cwnd = 10;
  ssthresh = 0x7fffffff;
  cwndCount = 0;
  /** Segments in flight when cwnd was last full: cwnd validation. */
  cwndUsed = 0;
  cwndLimited = false;
  /** The window was full in the round trip that ends at `cwndUsageSeq`. */
  windowUsed = false;
  cwndUsageSeq = 0;
  maxPacketsOut = 0;
  packetsOut = 0;
  sackedOut = 0;
  lostOut = 0;
  /** All segments that were ever marked lost, retransmissions lost again included. */
  lost = 0;
  retransOut = 0;
  delivered = 0;
  deliveredUs = 0;
  firstSentUs = 0;
  appLimited = 0;
  /** Recovery ends when this is acknowledged. */
  highSeq = 0;
  reordering = 3;
  rackUs = 0;
  rackRttUs = 0;
  rackEndSeq = 0;
  rackAdvanced = false;
  reoSteps = 1;
  /** Highest sequence number delivered by SACK. */
  fackSeq = 0;
  tlpHighSeq = 0;

  // --- pacing and delivery rate ----------------------------------------------------------------
  /** Octets per second; 0 = unpaced. */
  pacingRate = 0;
  headerOctets = 40;

  // --- timers --------------------------------------------------------------------------------
  rexmit: number = Rexmit.NONE;
  retransmits = 0;
  probes = 0;
  /** Time of the last transmission that the RTO counts from. */
  rtoStartUs = 0;
  keepSent = 0;
  /** Receive-buffer auto-tuning: octets read since the round began, and the round. */
  spaceSeq = 0;
  spaceOctets = 0;
  rcvRttSeq = 0;
  rcvRttStartUs = 0;

  constructor(layer: TcpLayer, slot: number) {
    super(layer.chunks.enter(slot), recordOf(slot));
    this.layer = layer;
    this.slot = slot;
    this.id = nextId(layer.ip);
  }
}

/** Places of the totals (octets, segments) in a record: `t.times[t.at + Total.…]`. */
export const Total = {
  BYTES_SENT: 0,
  BYTES_ACKED: 1,
  BYTES_RECEIVED: 2,
  BYTES_RETRANS: 3,
  SEGS_OUT: 4,
  SEGS_IN: 5,
  DATA_SEGS_OUT: 6,
  RETRANS: 7,
} as const;

/** Wire segments that `octets` of payload make (at least one). */
export function segments(t: Tcb, octets: number): number {
  return octets <= t.mss ? 1 : Math.ceil(octets / t.mss);
}

/** What is unsent would not fill half of the window. */
export function runsDry(t: Tcb): boolean {
  return ((t.sndEnd - t.sndNxt) | 0) * 2 < t.cwnd * t.mss;
}

/** RFC 6675's pipe, in segments: what is believed to be in the network. */
export function inFlight(t: Tcb): number {
  return t.packetsOut - t.sackedOut - t.lostOut + t.retransOut;
}
