// The handshake without a SYN queue: a SYN-ACK whose ISN is a cookie, and the ACK that proves it
// (RFC 4987 §3.6). Used only under overflow.

import { Drop } from '../base/drop.ts';
import type { Rx } from '../base/rx.ts';
import { Queue } from '../base/watch.ts';
import { Ctr, count, drop, Verdict } from '../ip/ip.ts';
import { Flag } from '../wire/tcp.ts';
import { EcnMode } from './ecn.ts';
import { establishFromCookie } from './input.ts';
import { timestampOffsetOf } from './isn.ts';
import { embryo, type Listener } from './listen.ts';
import { answerSegment, refuse } from './refuse.ts';
import { TS_MASK } from './syn-cookies.ts';
import type { TcpLayer } from './tcp.ts';
import { noteOverflow } from './watch.ts';

/** The shift that the connection will have: initialWindow of window.ts comes to the same. */
function ownScale(layer: TcpLayer, listener: Listener): number {
  const { rcvBufMax, rcvBufInitial } = layer.config;
  const fixed = listener.receiveBuffer;
  const limit = fixed > 0 ? fixed : Math.max(rcvBufMax, rcvBufInitial);
  let scale = 0;
  while (scale < 14 && limit >> scale > 0xffff) scale++;
  return scale;
}

function ownMss(layer: TcpLayer, listener: Listener, rx: Rx): number {
  const link = layer.ip.links[rx.linkId];
  const mtu = link === null || link === undefined ? 576 : link.mtu;
  const most = mtu - (rx.family === 4 ? 40 : 60);
  return listener.maxSegment > 0 ? Math.min(most, listener.maxSegment) : most;
}

/** The window of a SYN-ACK that nobody remembers: the same when the cookie comes home. */
function ownWindow(layer: TcpLayer, listener: Listener): number {
  const fixed = listener.receiveBuffer;
  return Math.min(fixed > 0 ? fixed : layer.config.rcvBufInitial, 0xffff);
}

function keyOf(layer: TcpLayer, rx: Rx): Int32Array {
  const key = layer.key;
  key[0] = rx.dst0;
  key[1] = rx.dst1;
  key[2] = rx.dst2;
  key[3] = rx.dst3;
  key[4] = rx.src0;
  key[5] = rx.src1;
  key[6] = rx.src2;
  key[7] = rx.src3;
  key[8] = (rx.dstPort << 16) | rx.srcPort;
  return key;
}

/** Answers a SYN without keeping anything. */
export function sendCookie(layer: TcpLayer, listener: Listener, rx: Rx): Verdict {
  const o = layer.options;
  const c = layer.config;
  const now = layer.ip.nowUs;
  const reply = layer.reply;
  const setup = (rx.segFlags & (Flag.ECE | Flag.CWR)) === (Flag.ECE | Flag.CWR);
  const mode = listener.ecn >= 0 ? listener.ecn : c.ecn;
  const ecn = setup && mode !== EcnMode.OFF && o.hasTs && c.timestamps;
  reply.seq = layer.cookies.make(keyOf(layer, rx), rx.segSeq, o.mss > 0 ? o.mss : 536, now);
  reply.ack = (rx.segSeq + 1) | 0;
  reply.flags = Flag.SYN | Flag.ACK | (ecn ? Flag.ECE : 0);
  reply.window = ownWindow(layer, listener);
  reply.mss = ownMss(layer, listener, rx);
  reply.hasTs = o.hasTs && c.timestamps;
  // without timestamps there is no place for the rest: neither scale nor SACK
  reply.sackOk = reply.hasTs && o.sackOk && c.sack;
  reply.wscale = reply.hasTs && o.wscale >= 0 && c.windowScale ? ownScale(layer, listener) : -1;
  reply.tsEcr = o.tsVal;
  // the connection's own keyed offset, without the bits that carry the options
  const offset = timestampOffsetOf(layer, keyOf(layer, rx)) & ~TS_MASK;
  reply.tsVal = layer.cookies.stamp((Math.floor(now / 1000) + offset) | 0, o, ecn);
  count(layer.ip, Ctr.TcpExtTCPReqQFullDoCookies);
  noteOverflow(layer.ip, listener.id, Queue.COOKIE, listener.embryonic);
  count(layer.ip, Ctr.TcpExtSyncookiesSent);
  answerSegment(layer, rx);
  return Verdict.DONE;
}

/** An ACK for a listener: a cookie coming home, or nobody's. */
export function cookieAck(layer: TcpLayer, listener: Listener, rx: Rx): Verdict {
  const o = layer.options;
  const irs = (rx.segSeq - 1) | 0;
  const cookie = (rx.segAck - 1) | 0;
  const mss =
    (rx.segFlags & (Flag.SYN | Flag.RST)) !== 0
      ? 0
      : layer.cookies.check(keyOf(layer, rx), irs, cookie, layer.ip.nowUs);
  if (mss === 0) {
    if (layer.cookies.active(layer.ip.nowUs)) count(layer.ip, Ctr.TcpExtSyncookiesFailed);
    return refuse(layer, rx, Drop.TCP_FLAGS);
  }
  count(layer.ip, Ctr.TcpExtSyncookiesRecv);
  if (listener.waiting.length > listener.backlog) {
    count(layer.ip, Ctr.TcpExtListenOverflows);
    noteOverflow(layer.ip, listener.id, Queue.ACCEPT, listener.waiting.length);
    return drop(layer.ip, rx, Drop.TCP_LISTEN_OVERFLOW);
  }
  const ecn = o.hasTs ? layer.cookies.unstamp(o.tsEcr, o) : false;
  if (!o.hasTs) {
    o.wscale = -1;
    o.sackOk = false;
  }
  o.mss = mss;
  rx.segSeq = irs;
  const t = embryo(layer, listener, rx);
  rx.segSeq = (irs + 1) | 0;
  if (t === null) return drop(layer.ip, rx, Drop.PROTO_MEM);
  t.iss = cookie;
  t.sndUna = (cookie + 1) | 0;
  t.sndNxt = t.sndUna;
  t.sndEnd = t.sndUna;
  t.fackSeq = t.sndUna;
  t.tsOffset &= ~TS_MASK;
  t.ecnOk = ecn;
  // What the SYN-ACK has promised holds, to the octet (SHLD-14).
  t.rcvWnd = ownWindow(layer, listener);
  t.rcvScale = t.wsOk ? ownScale(layer, listener) : 0;
  return establishFromCookie(t, rx);
}
