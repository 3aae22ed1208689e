// The receive window: what we announce (RFC 9293 §3.8.6, silly-window avoidance of §3.8.6.2.2,
// right edge never retreats: SHLD-14) and how the receive buffer grows with what the program reads
// in a round trip (dynamic right-sizing, as Linux does).
// @hot

import * as seq from '../base/seq.ts';
import { Ctr, count } from '../ip/ip.ts';
import { AckWish, type Tcb } from './tcb.ts';
import type { TcpLayer } from './tcp.ts';

/** In-order octets that the program has not taken. */
export function unread(t: Tcb): number {
  return t.ringed + t.pieced;
}

/** The window for the header being written; remembers what has been announced. */
export function announceWindow(t: Tcb, syn: boolean): number {
  const before = t.rcvWnd;
  const wnd = selectWindow(t);
  t.rcvWnd = wnd;
  t.rcvWup = t.rcvNxt;
  if (syn) {
    t.rcvWnd = Math.min(t.rcvSsthresh, 0xffff);
    return t.rcvWnd;
  }
  const field = Math.min(wnd >>> t.rcvScale, 0xffff);
  t.rcvWnd = field << t.rcvScale;
  if (field === 0) {
    if (before > 0) count(t.layer.ip, Ctr.TcpExtTCPToZeroWindowAdv);
  } else if (before === 0) count(t.layer.ip, Ctr.TcpExtTCPFromZeroWindowAdv);
  return field;
}

/** Octets from rcvNxt that may be announced now. */
export function selectWindow(t: Tcb): number {
  const left = Math.max(0, seq.diff(t.rcvWup + t.rcvWnd, t.rcvNxt));
  const space = t.rcvBuf - unread(t);
  let free = Math.min(space, t.rcvSsthresh);
  if (t.limits !== null && t.limits.windowClamp > 0) free = Math.min(free, t.limits.windowClamp);
  const mss = Math.min(t.rcvMss, t.rcvBuf);
  // §3.8.6.2.2: the edge moves by at least a segment or half of the buffer, else stays
  if (space < t.rcvBuf >> 1 && (space < t.rcvBuf >> 4 || space < mss)) free = 0;
  if (t.rcvScale > 0) free -= free & ((1 << t.rcvScale) - 1);
  else if (free - left < mss && free - left < t.rcvBuf >> 1) free = left;
  const max = t.wsOk || t.state < 4 ? 0xffff << t.rcvScale : 0xffff;
  if (free > max) free = max;
  if (free >= left) return free;
  // never announce less than what is promised: round up to the unit of the scale
  const unit = 1 << t.rcvScale;
  return Math.min((left + unit - 1) & ~(unit - 1), max);
}

/**
 * The program has read: an ACK goes when the window has opened by enough to matter, and with
 * `hurriedAcks` when one waits for more than a segment, or for the end of what a peer has pushed.
 */
export function windowOpened(t: Tcb): void {
  if (t.layer.config.hurriedAcks && t.ackWish !== AckWish.NONE) {
    const pushed = t.ackWish === AckWish.PUSHED && !t.pingPong && unread(t) === 0;
    if (pushed || seq.diff(t.rcvNxt, t.rcvWup) > t.rcvMss) {
      t.ackWish = AckWish.NOW;
      return;
    }
  }
  const left = Math.max(0, seq.diff(t.rcvWup + t.rcvWnd, t.rcvNxt));
  if (left * 2 > t.rcvBuf) return;
  const now = selectWindow(t);
  if (now >= left * 2 && now - left >= Math.min(t.rcvMss, t.rcvBuf >> 1)) t.ackWish = AckWish.NOW;
}

/** Initial buffers and the window scale that their maximum needs (RFC 7323 §2.3). */
export function initialWindow(t: Tcb): void {
  const c = t.layer.config;
  t.rcvBuf = t.wantedRcvBuf > 0 ? t.wantedRcvBuf : c.rcvBufInitial;
  const space = Math.min(t.rcvBuf, 0xffff);
  t.rcvSsthresh = space > t.advMss ? space - (space % t.advMss) : space;
  t.rcvWnd = t.rcvSsthresh;
  t.rcvScale = offeredScale(t);
}

/** The scale on our SYN. */
export function offeredScale(t: Tcb): number {
  const c = t.layer.config;
  if (!c.windowScale) return 0;
  const limit = t.wantedRcvBuf > 0 ? t.wantedRcvBuf : Math.max(c.rcvBufMax, c.rcvBufInitial);
  let scale = 0;
  while (scale < 14 && limit >> scale > 0xffff) scale++;
  return scale;
}

/**
 * Called when data has been read: once per round trip the buffer grows to twice what the program
 * took in it, so that a reader that keeps up is never limited by the window.
 */
export function adjustSpace(t: Tcb, layer: TcpLayer): void {
  if (t.wantedRcvBuf > 0) return;
  const now = layer.ip.nowUs;
  const rtt = t.rcvRttUs > 0 ? t.rcvRttUs : t.srttUs;
  if (rtt === 0 || now - t.spaceUs < rtt) return;
  const taken = seq.diff(t.rcvRead, t.spaceSeq);
  if (taken > t.spaceOctets) {
    const wanted = taken * 2 + 16 * t.rcvMss;
    const grown = t.spaceOctets > 0 ? (wanted * (taken - t.spaceOctets)) / t.spaceOctets : 0;
    raiseBuffer(t, layer, wanted + Math.min(grown * 2, 1 << 28) + ahead(t));
    t.spaceOctets = taken;
  }
  t.spaceSeq = t.rcvRead;
  t.spaceUs = now;
}

/**
 * Data has come behind a hole: it needs room beside the window that the sender had until then, else
 * the window closes on a sender that can repair losses without slowing down.
 */
export function widenBehindHole(t: Tcb, layer: TcpLayer): void {
  if (t.wantedRcvBuf === 0 && t.spaceOctets > 0) {
    raiseBuffer(t, layer, t.spaceOctets * 2 + 16 * t.rcvMss + ahead(t));
  }
}

/** Octets from the first hole to the end of what is held. */
function ahead(t: Tcb): number {
  const ofo = t.ofo;
  return ofo === null || ofo.size === 0 ? 0 : seq.diff(ofo.end(ofo.size - 1), t.rcvNxt);
}

function raiseBuffer(t: Tcb, layer: TcpLayer, octets: number): void {
  const c = layer.config;
  const wanted = octets < c.rcvBufMax ? octets : c.rcvBufMax;
  if (layer.ip.memory.pressed || wanted <= t.rcvBuf) return;
  if (layer.rcvMemory + wanted < c.rcvBufMemory) t.rcvBuf = wanted | 0;
}

/** Each full segment that arrives lets the announced window grow towards the buffer. */
export function growWindow(t: Tcb, octets: number): void {
  if (t.layer.ip.memory.pressed) {
    t.rcvSsthresh = Math.min(t.rcvSsthresh, 4 * t.advMss);
    return;
  }
  if (t.rcvSsthresh >= t.rcvBuf) return;
  t.rcvSsthresh = Math.min(t.rcvBuf, t.rcvSsthresh + 2 * Math.max(octets, 0));
}

/** Receiver's RTT without timestamps: the time that one window takes to pass. */
export function measureReceiverRtt(t: Tcb): void {
  const now = t.layer.ip.nowUs;
  if (t.rcvRttStartUs === 0) {
    t.rcvRttStartUs = now;
    t.rcvRttSeq = (t.rcvNxt + t.rcvWnd) | 0;
    return;
  }
  if (seq.lt(t.rcvNxt, t.rcvRttSeq)) return;
  const took = Math.max(1, now - t.rcvRttStartUs);
  t.rcvRttUs = t.rcvRttUs === 0 || took < t.rcvRttUs ? took : t.rcvRttUs + (took - t.rcvRttUs) / 8;
  t.rcvRttStartUs = now;
  t.rcvRttSeq = (t.rcvNxt + t.rcvWnd) | 0;
}
