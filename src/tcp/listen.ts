// Passive open: LISTEN, SYN-RECEIVED, the SYN queue and the accept queue (RFC 9293 §3.10.7.2,
// RFC 4987 §2 for the limits).

import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import { Queue } from '../base/watch.ts';
import type { Binding } from '../demux/ports.ts';
import { Ctr, count, drop, Verdict } from '../ip/ip.ts';
import { selectPath } from '../ip/output.ts';
import { turnBack } from '../ip/path.ts';
import type { Prefix } from '../wire/address.ts';
import { Flag } from '../wire/tcp.ts';
import { setState } from './close.ts';
import { useController } from './congestion/controller.ts';
import { cookieAck, sendCookie } from './cookie-handshake.ts';
import { acceptSyn } from './ecn.ts';
import { Admit, admit } from './fast-open.ts';
import { hold } from './gate.ts';
import { initialSequence, timestampOffset } from './isn.ts';
import { advertiseMss, DEFAULT_MSS4, DEFAULT_MSS6, updateMss } from './mss.ts';
import { sendSyn } from './output.ts';
import { takeSynData } from './receive.ts';
import { State } from './state.ts';
import { Ready, type Tcb, Total } from './tcb.ts';
import { allocate, flowKey, type TcpLayer, vacate, wake } from './tcp.ts';
import { armRto } from './timers.ts';
import { noteOverflow } from './watch.ts';
import { initialWindow } from './window.ts';

/** What the server above gets to hear, in `drain` only: it sets `t.user`, or leaves it null. */
export interface ListenerUser {
  accepted(t: Tcb): void;
  /** A gated listener: a SYN is held until `admitHeld` or `refuseHeld` (gate.ts). */
  knocked?(t: Tcb): void;
}

/** Whose the peer's connections are among `members` sharers of a port; a pure function. */
export type Balance = (remoteAddress: string, remotePort: number, members: number) => number;

export class Listener {
  readonly slot: number;
  /** As Tcb.id; set by who opens it. */
  id = 0;
  readonly binding: Binding;
  readonly backlog: number;
  readonly user: ListenerUser;
  /** Sets what children inherit, before their SYN is answered. */
  readonly inherit: (t: Tcb) => void;
  /**
   * Most connections that may have begun with Fast Open and not be proven; 0 = off (RFC 7413 §5.1).
   */
  fastOpenLimit = 0;
  /** What children inherit, for a SYN-ACK that goes before there is one: 0 = the stack's own. */
  receiveBuffer = 0;
  maxSegment = 0;
  /** EcnMode, -1 = the stack's. */
  ecn = -1;
  fastOpenPending = 0;
  /** SYNs are held until the program has admitted them. */
  gated = false;
  /** Chooses among the sharers of a port: 0 … members − 1. */
  balance: Balance | null = null;
  /** Every port of this prefix, where nobody else listens; null: the binding's port. */
  prefix: Prefix | null = null;
  /** Connections in SYN-RECEIVED. */
  embryonic = 0;
  paused = false;
  /** Slots of established connections that wait to be accepted. */
  readonly waiting: number[] = [];

  constructor(
    slot: number,
    binding: Binding,
    backlog: number,
    user: ListenerUser,
    inherit: (t: Tcb) => void,
  ) {
    this.slot = slot;
    this.binding = binding;
    this.backlog = backlog;
    this.user = user;
    this.inherit = inherit;
  }

  unqueue(slot: number): void {
    const i = this.waiting.indexOf(slot);
    if (i >= 0) this.waiting.splice(i, 1);
  }
}

/** A segment for a listener, from somebody without a connection. */
export function segmentToListener(tcp: TcpLayer, listener: Listener, rx: Rx): Verdict {
  const flags = rx.segFlags;
  // first RST, second ACK, third SYN (RFC 9293 §3.10.7.2); SYN with FIN is nobody's honest segment
  if ((flags & Flag.RST) !== 0) return drop(tcp.ip, rx, Drop.TCP_RESET);
  if ((flags & Flag.ACK) !== 0) return cookieAck(tcp, listener, rx);
  if ((flags & Flag.SYN) === 0 || (flags & Flag.FIN) !== 0) return drop(tcp.ip, rx, Drop.TCP_FLAGS);
  if (listener.waiting.length > listener.backlog) {
    count(tcp.ip, Ctr.TcpExtListenOverflows);
    noteOverflow(tcp.ip, listener.id, Queue.ACCEPT, listener.waiting.length);
    count(tcp.ip, Ctr.TcpExtListenDrops);
    return drop(tcp.ip, rx, Drop.TCP_LISTEN_OVERFLOW);
  }
  if (!queueHasRoom(tcp, listener, rx)) {
    if (tcp.config.synCookies && !listener.gated) return sendCookie(tcp, listener, rx);
    count(tcp.ip, Ctr.TcpExtTCPReqQFullDrop);
    noteOverflow(tcp.ip, listener.id, Queue.SYN, listener.embryonic);
    count(tcp.ip, Ctr.TcpExtListenDrops);
    return drop(tcp.ip, rx, Drop.TCP_LISTEN_OVERFLOW);
  }
  return open(tcp, listener, rx);
}

/** The last quarter of the SYN queue is for peers that have shown that they exist. */
function queueHasRoom(tcp: TcpLayer, listener: Listener, rx: Rx): boolean {
  const limit = tcp.config.synBacklog;
  if (listener.embryonic < limit - (limit >> 2)) return true;
  if (listener.embryonic >= limit) return false;
  return tcp.proven.has(rx.src0, rx.src1, rx.src2, rx.src3);
}

function open(tcp: TcpLayer, listener: Listener, rx: Rx): Verdict {
  const t = embryo(tcp, listener, rx);
  if (t === null) return drop(tcp.ip, rx, Drop.PROTO_MEM);
  t.sndWnd = rx.segWnd;
  t.maxWnd = rx.segWnd;
  acceptSyn(t, rx.segFlags);
  setState(t, State.SYN_RCVD);
  if (listener.gated) {
    hold(t);
    return Verdict.DONE;
  }
  const verdict = admit(tcp, rx, listener.fastOpenPending, listener.fastOpenLimit);
  t.fastOpenReply = verdict === Admit.REPLY_COOKIE;
  if (verdict === Admit.DATA) {
    openWithData(t, listener, rx);
    return Verdict.DONE;
  }
  sendSyn(t, true, false);
  armRto(t);
  return Verdict.DONE;
}

/** RFC 7413 §4.2.1: the cookie is good: the program gets the connection and the SYN's data now. */
function openWithData(t: Tcb, listener: Listener, rx: Rx): void {
  t.fastOpened = true;
  t.fastOpenListener = listener.slot;
  listener.embryonic--;
  listener.fastOpenPending++;
  listener.waiting.push(t.slot);
  count(t.layer.ip, Ctr.TcpExtTCPFastOpenPassive);
  count(t.layer.ip, Ctr.TcpPassiveOpens);
  if (rx.dataLen > 0) takeSynData(t, rx);
  sendSyn(t, true, false);
  armRto(t);
  wake(t, Ready.ACCEPT);
}

/** A control block for the peer whose SYN (or cookie's ACK) is in `rx`, options agreed. */
export function embryo(tcp: TcpLayer, listener: Listener, rx: Rx): Tcb | null {
  const t = allocate(tcp);
  if (t === null) return null;
  const path = t.path;
  turnBack(path, rx);
  path.wantLink = listener.binding.link ?? -1;
  t.localPort = rx.dstPort;
  t.remotePort = rx.srcPort;
  if (selectPath(tcp.ip, path) !== 0 || !tcp.flows.insert(flowKey(tcp, t), 0, t.slot)) {
    vacate(t);
    return null;
  }
  t.inFlows = true;
  t.listener = listener.slot;
  listener.embryonic++;
  listener.inherit(t);
  prepare(t);
  t.irs = rx.segSeq;
  t.rcvNxt = (rx.segSeq + 1) | 0;
  t.rcvRead = t.rcvNxt;
  t.rcvWup = t.rcvNxt;
  t.spaceSeq = t.rcvNxt;
  t.sndWl1 = rx.segSeq;
  agree(t);
  t.sndUna = t.iss;
  t.sndNxt = (t.iss + 1) | 0;
  t.sndEnd = t.sndNxt;
  t.times[t.at + Total.SEGS_IN] = 1;
  return t;
}

/** Numbers, windows and timers of a connection whose path and ports are known. */
export function prepare(t: Tcb): void {
  const c = t.layer.config;
  if (t.ttl === 0) t.ttl = t.layer.ip.config.defaultTtl;
  t.sndBuf = t.wantedSndBuf > 0 ? t.wantedSndBuf : c.sndBufInitial;
  t.cwnd = c.initialCwnd;
  useController(t, t.wantedController ?? c.controller);
  t.rtoUs = c.rtoInitialMs * 1000;
  t.rttvarUs = c.rtoInitialMs * 1000;
  advertiseMss(t);
  initialWindow(t);
  t.tsOffset = timestampOffset(t);
  t.iss = initialSequence(t);
  t.fackSeq = t.iss;
  t.spaceUs = t.layer.ip.nowUs;
  t.lastAckInUs = t.layer.ip.nowUs;
}

/** Linux's TCP_MIN_MSS: what 40 octets of options leave of the least IPv4 packet with data. */
const LEAST_MSS = 88;

/** What both sides' SYNs offered, from the options just parsed. */
export function agree(t: Tcb): void {
  const o = t.layer.options;
  const c = t.layer.config;
  const fallback = t.path.family === 4 ? DEFAULT_MSS4 : DEFAULT_MSS6;
  t.peerMss = o.mss > 0 ? o.mss : fallback;
  t.wsOk = c.windowScale && o.wscale >= 0;
  t.sndScale = t.wsOk ? o.wscale : 0;
  if (!t.wsOk) t.rcvScale = 0;
  t.tsOk = c.timestamps && o.hasTs;
  if (t.tsOk) {
    t.tsRecent = o.tsVal;
    t.tsRecentMs = Math.floor(t.layer.ip.nowUs / 1000);
  }
  t.sackOk = c.sack && o.sackOk;
  updateMss(t);
  // a guess from below until data comes: options take their part of each segment of the peer's, too
  t.rcvMss = Math.max(LEAST_MSS, Math.min(t.mss, t.advMss, DEFAULT_MSS4));
}
