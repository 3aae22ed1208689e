// One connection's timers (RFC 9293 §3.8, RFC 6298 §5, RFC 8985 §7, RFC 1122 §4.2.3.6). One
// deadline serves retransmission, tail loss probe, reordering and window probe in turn, as they
// exclude each other; delayed ACK, keep-alive and the end of a closed connection have their own.

import { Code } from '../base/code.ts';
import * as seq from '../base/seq.ts';
import { Seen } from '../base/watch.ts';
import { Ctr, count } from '../ip/ip.ts';

import { destroy, fail } from './close.ts';
import { suspectEcn } from './ecn.ts';
import { suspectBlackhole } from './fast-open.ts';
import { mustYield } from './memory.ts';
import { DEFAULT_MSS4, reduceMssOnBlackHole, refreshPath } from './mss.ts';
import { outputNew, sendAck, sendProbe, sendReset, sendSyn } from './output.ts';
import { scan } from './rack.ts';
import { splitRecord } from './records.ts';
import { enterLoss, enterRecoveryByTimer } from './recovery.ts';
import { retransmit, retransmitLost } from './retransmit.ts';
import { backedOff } from './rtt.ts';
import { NIL, Seg } from './scoreboard.ts';
import { State } from './state.ts';
import { AckWish, Ca, Cork, Ready, Rexmit, type Tcb } from './tcb.ts';
import { armTimer, clearTimer, type TcpLayer, TIMERS, Timer, timerArmed, wake } from './tcp.ts';
import { expireTimeWaits } from './time-wait.ts';
import { noteTimer } from './watch.ts';

/** A segment that comes with the last microsecond of the reordering window is in time (Linux). */
const REORDER_SLACK_US = 2000;

/** RFC 6298 §5.1: the retransmission timer, from now. */
export function armRto(t: Tcb): void {
  t.rexmit = Rexmit.RTO;
  t.rtoStartUs = t.layer.ip.nowUs;
  armTimer(t, Timer.REXMIT, backedOff(t));
}

/** RFC 2018 §8: a peer that has dropped SACKed data is given half a round trip to take it back. */
export function armReneging(t: Tcb): void {
  t.rexmit = Rexmit.RTO;
  t.rtoStartUs = t.layer.ip.nowUs;
  armTimer(t, Timer.REXMIT, Math.max(Math.round(t.srttUs / 2), 10_000));
}

export function clearRexmit(t: Tcb): void {
  t.rexmit = Rexmit.NONE;
  clearTimer(t, Timer.REXMIT);
}

export function armReorder(t: Tcb, delayUs: number): void {
  t.rexmit = Rexmit.REORDER;
  armTimer(t, Timer.REXMIT, Math.max(delayUs, 1) + REORDER_SLACK_US);
}

/** RFC 8985 §7.2: a probe of the tail before the RTO would fire. */
export function scheduleLossProbe(t: Tcb, advancing: boolean): void {
  if (!t.layer.config.lossProbe || !t.sackOk || t.state < State.ESTABLISHED) return;
  if (t.ca !== Ca.OPEN && t.ca !== Ca.CWR) return;
  if (t.sackedOut > 0 || t.packetsOut === 0 || t.srttUs === 0) return;
  let pto = 2 * t.srttUs;
  // one segment alone may wait for the peer's delayed acknowledgment
  pto += t.packetsOut === 1 ? t.layer.config.rtoMinMs * 1000 : t.layer.config.probeMinMs * 1000;
  const now = t.layer.ip.nowUs;
  const rtoLeft = (advancing ? now : t.rtoStartUs) + backedOff(t) - now;
  // at the RTO's time a probe still goes first: it repairs a lone loss without slow start
  if (pto > rtoLeft) pto = rtoLeft;
  t.rexmit = Rexmit.TLP;
  armTimer(t, Timer.REXMIT, Math.max(1, Math.round(pto)));
}

/** The window is shut and nothing is in flight: probe it (RFC 9293 §3.8.6.1). */
export function armProbe(t: Tcb): void {
  if (t.rexmit === Rexmit.PROBE || t.packetsOut > 0) return;
  if (seq.diff(t.sndEnd, t.sndNxt) <= 0 && !(t.finQueued && !t.finSent)) return;
  if (seq.diff(t.sndUna + t.sndWnd, t.sndNxt) >= seq.diff(t.sndEnd, t.sndNxt) && t.sndWnd > 0) {
    // held by Nagle or cork, not by the window: a cork holds for one timeout at most, as on Linux
    if (t.corked < Cork.MORE) return;
  }
  t.rexmit = Rexmit.PROBE;
  t.rtoStartUs = t.layer.ip.nowUs;
  armTimer(t, Timer.REXMIT, backedOff(t));
}

/** An acknowledgment came while probing. */
export function probeAnswered(t: Tcb): void {
  t.probes = 0;
  if (t.rexmit !== Rexmit.PROBE) return;
  if (t.sndWnd > 0) {
    t.backoff = 0;
    clearRexmit(t);
  } else armTimer(t, Timer.REXMIT, backedOff(t));
}

/** A time not after the layer's earliest deadline, absolute µs; Infinity when there is none. */
export function nextDeadline(tcp: TcpLayer): number {
  return Math.min(tcp.deadlines.next(), tcp.timeWait.deadlines.next());
}

/** Acts on what is due at `ip.nowUs`. */
export function advance(tcp: TcpLayer): void {
  if (tcp.deadlines.expire(tcp.ip.nowUs) > 0) onDeadlines(tcp);
  expireTimeWaits(tcp);
}

function onDeadlines(tcp: TcpLayer): void {
  const n = tcp.deadlines.dueSize;
  for (let i = 0; i < n; i++) {
    const id = tcp.deadlines.due(i);
    const t = tcp.connections[Math.floor(id / TIMERS)];
    if (t === null || t === undefined || t.state === State.CLOSED) continue;
    onTimer(t, id % TIMERS);
  }
}

function onTimer(t: Tcb, kind: number): void {
  noteTimer(t, Seen.TIMER_FIRED, kind, 0);
  if (kind === Timer.REXMIT) onRexmit(t);
  else if (kind === Timer.DELACK) onDelayedAck(t);
  else if (kind === Timer.KEEP) onKeepAlive(t);
  else if (kind === Timer.PACE) wake(t, Ready.OUTPUT);
  else destroy(t, t.closeCode);
}

function onRexmit(t: Tcb): void {
  const what = t.rexmit;
  t.rexmit = Rexmit.NONE;
  refreshPath(t); // the link or the route may carry less by now
  if (what === Rexmit.RTO) onRto(t);
  else if (what === Rexmit.TLP) onLossProbe(t);
  else if (what === Rexmit.REORDER) onReorder(t);
  else if (what === Rexmit.PROBE) onWindowProbe(t);
  else if (what === Rexmit.HELD) destroy(t, Code.ETIMEDOUT);
}

/** RFC 8985 §6.3: what was waiting for reordering is lost now. */
function onReorder(t: Tcb): void {
  if (t.packetsOut === 0) return;
  const before = t.lostOut;
  const wait = scan(t);
  if (t.lostOut > before && t.ca < Ca.RECOVERY) {
    enterRecoveryByTimer(t);
  }
  wake(t, Ready.OUTPUT);
  if (wait > 0) armReorder(t, wait);
  else armRto(t);
}

function onLossProbe(t: Tcb): void {
  if (t.packetsOut === 0) return;
  if (t.tlpHighSeq !== 0) {
    armRto(t); // §7.3: one probe at a time
    return;
  }
  t.tlpRetrans = false;
  t.tlpHighSeq = t.sndNxt;
  count(t.layer.ip, Ctr.TcpExtTCPLossProbes);
  const before = t.sndNxt;
  const cwnd = t.cwnd;
  // new data is the better probe, when there is some and the window lets it go
  t.cwnd = t.packetsOut + 1;
  outputNew(t, 1);
  t.cwnd = cwnd;
  if (t.sndNxt === before) {
    const tail = t.board.tail;
    if (tail !== NIL && ((t.layer.segs.flags[tail] as number) & (Seg.SACKED | Seg.SYN)) === 0) {
      t.tlpRetrans = true;
      probeTail(t, tail);
    }
  }
  t.tlpHighSeq = t.sndNxt;
  armRto(t);
}

/** The last segment of the tail, not a whole super-segment. */
function probeTail(t: Tcb, tail: number): void {
  const p = t.layer.segs;
  const len = seq.diff(p.end[tail] as number, p.start[tail] as number);
  let i = tail;
  if (len > t.mss) {
    const rest = len % t.mss === 0 ? t.mss : len % t.mss;
    i = splitRecord(t, tail, ((p.end[tail] as number) - rest) | 0);
  }
  retransmit(t, i, 1, true);
}

function onRto(t: Tcb): void {
  const c = t.layer.config;
  if (t.packetsOut === 0) return;
  if (t.state === State.SYN_SENT || t.state === State.SYN_RCVD) {
    onSynTimeout(t);
    return;
  }
  const limit = t.orphan ? c.orphanRetries : c.retries;
  if (mustYield(t)) {
    yieldMemory(t);
    return;
  }
  const isOver = expired(t, limit);
  suspectBlackhole(t, isOver);
  if (isOver) {
    fail(t, t.softError !== 0 ? t.softError : Code.ETIMEDOUT);
    count(t.layer.ip, Ctr.TcpExtTCPAbortOnTimeout);
    return;
  }
  count(t.layer.ip, Ctr.TcpExtTCPTimeouts);
  t.tlpHighSeq = 0;
  enterLoss(t);
  t.backoff = Math.min(t.backoff + 1, 20);
  if (!tookWindowBack(t)) {
    t.retransmits++;
    suspectEcn(t);
    reduceMssOnBlackHole(t);
  }
  retransmitLost(t, 1);
  armRto(t);
  const left = t.userTimeoutMs * 1000 - unansweredUs(t);
  if (t.userTimeoutMs > 0 && left < backedOff(t))
    armTimer(t, Timer.REXMIT, Math.max(1, Math.ceil(left)));
}

/** Linux's tcp_out_of_resources: what nobody waits for makes room. */
function yieldMemory(t: Tcb): void {
  count(t.layer.ip, Ctr.TcpExtTCPAbortOnMemory);
  sendReset(t);
  fail(t, Code.ENOMEM);
}

/** Octets beyond the edge of a window taken back are no reason to give up (SHLD-17, MUST-35). */
function tookWindowBack(t: Tcb): boolean {
  const silent = t.layer.ip.nowUs - t.lastAckInUs;
  return t.sndWnd === 0 && !t.orphan && silent < 2000 * t.layer.config.rtoMaxMs;
}

/** R2 (RFC 9293 §3.8.3): so many timeouts, or the program's own limit in time (RFC 5482). */
function expired(t: Tcb, limit: number): boolean {
  if (t.userTimeoutMs > 0) return unansweredUs(t) >= t.userTimeoutMs * 1000;
  return t.retransmits >= limit;
}

/** How long what is out has waited for an answer. */
function unansweredUs(t: Tcb): number {
  const p = t.layer.segs;
  const head = t.board.head;
  const since =
    head === NIL ? t.lastAckInUs : Math.max(t.lastAckInUs, p.firstSentUs[head] as number);
  return t.layer.ip.nowUs - since;
}

function onSynTimeout(t: Tcb): void {
  const c = t.layer.config;
  const passive = t.state === State.SYN_RCVD;
  const own = t.limits === null ? 0 : t.limits.synRetries;
  const most = passive ? own || c.synAckRetries : (own || c.synRetries) + c.synLinear;
  if (!passive) suspectBlackhole(t, t.retransmits >= most);
  if (t.retransmits >= most) {
    if (!passive) count(t.layer.ip, Ctr.TcpAttemptFails);
    fail(t, t.softError !== 0 ? t.softError : Code.ETIMEDOUT);
    return;
  }
  t.retransmits++;
  if (passive || t.retransmits > c.synLinear) t.backoff++;
  count(t.layer.ip, Ctr.TcpExtTCPTimeouts);
  count(t.layer.ip, Ctr.TcpExtTCPSynRetrans);
  t.synRetransmits++;
  if (!passive || mayRepeat(t)) sendSyn(t, passive, true);
  armRto(t);
}

/**
 * A SYN's source may be forged: what it sets off stays below three times its octets (RFC 9000 §8.1
 * has the same bound). A SYN-ACK is no longer than its SYN, but for an MSS option that the SYN may
 * have been without. The peer's own repetition of the SYN is answered besides.
 */
function mayRepeat(t: Tcb): boolean {
  const { config, proven } = t.layer;
  const p = t.path;
  const most = config.synAckUnproven;
  const bare = t.peerMss <= DEFAULT_MSS4 ? 1 : 0;
  if (t.retransmits <= most - bare || t.listener < 0) return true;
  return proven.has(p.dst0, p.dst1, p.dst2, p.dst3);
}

/** RFC 9293 §3.8.6.1 (MUST-36, SHLD-29, SHLD-30); for ever while the peer answers (MUST-37). */
function onWindowProbe(t: Tcb): void {
  if (t.packetsOut > 0) return;
  const c = t.layer.config;
  if (sentOverride(t)) return;
  const limit = t.orphan ? c.orphanRetries : c.retries;
  const silent = t.layer.ip.nowUs - t.lastAckInUs;
  if (mustYield(t)) {
    yieldMemory(t);
    return;
  }
  if (
    t.probes >= limit ||
    (t.userTimeoutMs > 0 && silent >= t.userTimeoutMs * 1000 && t.probes > 0)
  ) {
    fail(t, Code.ETIMEDOUT);
    count(t.layer.ip, Ctr.TcpExtTCPAbortOnTimeout);
    return;
  }
  count(t.layer.ip, Ctr.TcpExtTCPWinProbe);
  sendProbe(t);
  t.probes++;
  t.backoff = Math.min(t.backoff + 1, 20);
  t.rexmit = Rexmit.PROBE;
  armTimer(t, Timer.REXMIT, backedOff(t));
}

/** After the timeout what fits goes: neither a small window (§3.8.6.2.1) nor a cork holds it. */
function sentOverride(t: Tcb): boolean {
  if (seq.diff(t.sndUna + t.sndWnd, t.sndNxt) <= 0) return false;
  const before = t.sndNxt;
  const { corked, noDelay, maxWnd } = t;
  t.corked = Cork.NONE;
  t.noDelay = true;
  t.maxWnd = 1;
  outputNew(t, 1);
  t.corked = corked;
  t.noDelay = noDelay;
  t.maxWnd = maxWnd;
  return t.sndNxt !== before;
}

function onDelayedAck(t: Tcb): void {
  if (t.ackWish === AckWish.NONE) return;
  count(t.layer.ip, Ctr.TcpExtDelayedACKs);
  // the peer did wait for it: not as interactive as thought
  if (t.pingPong) {
    t.pingPong = false;
    t.atoUs = t.layer.config.delayedAckMinMs * 1000;
  } else t.atoUs = Math.min(t.atoUs * 2, t.layer.config.delayedAckMaxMs * 1000);
  sendAck(t);
}

/** RFC 9293 §3.8.4: only when idle; a probe without data; one lost probe is not death. */
function onKeepAlive(t: Tcb): void {
  if (!t.keepAlive || t.state < State.ESTABLISHED || t.state === State.TIME_WAIT) return;
  const now = t.layer.ip.nowUs;
  const heard = Math.max(t.lastAckInUs, t.lastDataInUs);
  const idle = now - heard;
  const due = t.keepIdleMs * 1000;
  // MUST-26: while something is outstanding its own timer asks; the wait begins anew (as in Linux)
  const outstanding = t.packetsOut > 0 || seq.diff(t.sndEnd, t.sndNxt) > 0;
  if (outstanding || idle < due) {
    armTimer(t, Timer.KEEP, clip(outstanding ? due : Math.max(due - idle, 1000)));
    return;
  }
  const gaveUp =
    t.userTimeoutMs > 0
      ? idle >= t.userTimeoutMs * 1000 && t.keepSent > 0
      : t.keepSent >= t.keepProbes;
  if (gaveUp) {
    sendReset(t);
    fail(t, t.softError !== 0 ? t.softError : Code.ETIMEDOUT);
    return;
  }
  sendProbe(t);
  t.keepSent++;
  count(t.layer.ip, Ctr.TcpExtTCPKeepAlive);
  armTimer(t, Timer.KEEP, clip(t.keepIntervalMs * 1000));
}

/** Delays fit int32 microseconds: 35 minutes; a longer wait is taken in steps. */
function clip(us: number): number {
  return Math.min(us, 2_000_000_000);
}

/** Starts (or restarts) the keep-alive's wait. */
export function startKeepAlive(t: Tcb): void {
  if (t.state === State.CLOSED) return; // reset, and the program has not been told yet
  t.keepSent = 0;
  if (t.keepAlive) armTimer(t, Timer.KEEP, clip(t.keepIdleMs * 1000));
  else clearTimer(t, Timer.KEEP);
}

/** A delayed acknowledgment is wanted: its deadline, unless one runs. */
export function armDelayedAck(t: Tcb): void {
  if (timerArmed(t, Timer.DELACK)) return;
  const c = t.layer.config;
  let wait = Math.max(t.atoUs, c.delayedAckMinMs * 1000);
  if (wait > c.delayedAckMinMs * 1000 && t.srttUs > 0) {
    wait = Math.max(Math.min(wait, t.srttUs), c.delayedAckMinMs * 1000);
  }
  armTimer(t, Timer.DELACK, Math.min(wait, c.delayedAckMaxMs * 1000) | 0);
}

/** After an acknowledgment has left there is nothing to wait for. */
export function clearDelayedAck(t: Tcb): void {
  clearTimer(t, Timer.DELACK);
}
