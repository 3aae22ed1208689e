// Options of the Berkeley-like sockets, with the names that C gives them.

import type { Controller } from '../tcp/congestion/controller.ts';
import { Limits } from '../tcp/tcb.ts';
import type { TcpOptions, TcpSocket } from './tcp-socket.ts';

export interface StreamOptions {
  /** TCP_NODELAY, TCP_CORK. */
  noDelay: boolean;
  cork: boolean;
  /** SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT. */
  keepAlive: boolean;
  keepAliveIdleMs: number;
  keepAliveIntervalMs: number;
  keepAliveProbes: number;
  /** TCP_USER_TIMEOUT. */
  userTimeoutMs: number;
  /** TCP_QUICKACK. */
  quickAck: boolean;
  /** SO_SNDBUF and SO_RCVBUF in octets of payload; fixed from then on. */
  sendBuffer: number;
  receiveBuffer: number;
  /** SO_RCVLOWAT: octets that must wait before poll says IN. */
  receiveLowWater: number;
  /** TCP_MAXSEG. */
  maxSegment: number;
  /** IP_TTL, IP_TOS. */
  ttl: number;
  tos: number;
  /** TCP_CONGESTION. */
  controller: Controller;
  /** SO_MAX_PACING_RATE, octets per second. */
  maxPacingRate: number;
  /** TCP_FASTOPEN (listen: most unproven at once) and TCP_FASTOPEN_CONNECT. */
  fastOpen: number;
  /** SO_REUSEPORT, IPV6_V6ONLY. */
  reusePort: boolean;
  ipv6Only: boolean;
  /** SO_LINGER in ms: 0 = close sends RST; undefined = close in the background. */
  lingerMs: number | undefined;
  /** TCP_SYNCNT. */
  synRetries: number;
  /** TCP_LINGER2; below 0: an orphan does not wait in FIN-WAIT-2. */
  finWait2Ms: number;
  /** TCP_NOTSENT_LOWAT: poll says OUT when less than this is unsent. */
  notSentLowWater: number;
  /** TCP_WINDOW_CLAMP. */
  windowClamp: number;
}

/** What the handle takes when it is made. */
export function openOptions(o: Partial<StreamOptions>): TcpOptions {
  const { lingerMs: _l, quickAck: _q, cork: _c, fastOpen: _f, ...rest } = o;
  return rest;
}

/** What can only be set on a handle that exists: all of `o` that is left. */
export function applyLate(s: TcpSocket, o: Partial<StreamOptions>): void {
  if (o.cork === true) s.cork();
  if (o.cork === false) s.uncork();
  if (o.quickAck !== undefined) s.setQuickAck(o.quickAck);
  if (o.maxPacingRate !== undefined) s.setMaxPacingRate(o.maxPacingRate);
  applyLimits(s, o);
}

function applyLimits(s: TcpSocket, o: Partial<StreamOptions>): void {
  const { synRetries, finWait2Ms, notSentLowWater, windowClamp } = o;
  if ((synRetries ?? finWait2Ms ?? notSentLowWater ?? windowClamp) === undefined) return;
  s.tcb.limits ??= new Limits();
  const limits = s.tcb.limits;
  if (synRetries !== undefined) limits.synRetries = synRetries;
  if (finWait2Ms !== undefined) limits.finWait2Ms = finWait2Ms;
  if (notSentLowWater !== undefined) limits.notSentLowWater = notSentLowWater;
  if (windowClamp !== undefined) limits.windowClamp = windowClamp;
}

function applyBuffers(s: TcpSocket, o: Partial<StreamOptions>): void {
  const t = s.tcb;
  if (o.sendBuffer !== undefined) {
    t.wantedSndBuf = o.sendBuffer;
    t.sndBuf = o.sendBuffer;
  }
  if (o.receiveBuffer !== undefined) {
    t.wantedRcvBuf = Math.min(o.receiveBuffer, 1 << 30);
    t.rcvBuf = t.wantedRcvBuf;
  }
}

/** Options on a connection that runs; `all` are those set before, too. */
export function applyNow(
  s: TcpSocket,
  o: Partial<StreamOptions>,
  all: Partial<StreamOptions>,
): void {
  if (o.noDelay !== undefined) s.setNoDelay(o.noDelay);
  if (o.userTimeoutMs !== undefined) s.setUserTimeout(o.userTimeoutMs);
  if (o.tos !== undefined) s.setTos(o.tos);
  if (o.ttl !== undefined) s.setTtl(o.ttl);
  if (o.controller !== undefined) s.setController(o.controller);
  applyBuffers(s, o);
  applyLate(s, o);
  const keep = o.keepAlive ?? o.keepAliveIdleMs ?? o.keepAliveIntervalMs ?? o.keepAliveProbes;
  if (keep === undefined) return;
  s.setKeepAlive(
    all.keepAlive === true,
    all.keepAliveIdleMs,
    all.keepAliveIntervalMs,
    all.keepAliveProbes,
  );
}
