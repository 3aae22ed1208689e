// What a program asks of one TCP connection, before it is opened or for all of a listener.

import type { Controller } from '../tcp/congestion/controller.ts';
import { EcnMode } from '../tcp/ecn.ts';
import type { Tcb } from '../tcp/tcb.ts';
import type { LinkName } from './bound-link.ts';

/** `off`: neither asks nor agrees; `ask`: on our SYNs too; `accept`: when the peer asks. */
export const ECN_MODES = { off: EcnMode.OFF, ask: EcnMode.ASK, accept: EcnMode.ACCEPT } as const;

export interface TcpOptions {
  noDelay?: boolean | undefined;
  keepAlive?: boolean | undefined;
  /** Idle time before the first keep-alive probe, ms. */
  keepAliveIdleMs?: number | undefined;
  /** Time between keep-alive probes, ms, and how many may go unanswered. */
  keepAliveIntervalMs?: number | undefined;
  keepAliveProbes?: number | undefined;
  /** RFC 5482: give up when nothing is acknowledged for so long, ms. */
  userTimeoutMs?: number | undefined;
  /** Fixed buffer sizes, octets; otherwise the stack tunes them. */
  sendBuffer?: number | undefined;
  receiveBuffer?: number | undefined;
  /** Largest segment, octets (TCP_MAXSEG). */
  maxSegment?: number | undefined;
  /** DSCP << 2, and the time to live of our packets. */
  tos?: number | undefined;
  ttl?: number | undefined;
  /** Congestion controller; the stack's default otherwise. */
  controller?: Controller | undefined;
  /** Explicit congestion notification (RFC 3168); the stack's knob otherwise. */
  ecn?: keyof typeof ECN_MODES | undefined;
  /** Bound to this link alone, by name or id (SO_BINDTODEVICE). */
  link?: LinkName | undefined;
}

export function applyOptions(t: Tcb, o: TcpOptions): void {
  if (o.controller !== undefined) t.wantedController = o.controller;
  if (o.noDelay !== undefined) t.noDelay = o.noDelay;
  if (o.keepAlive !== undefined) t.keepAlive = o.keepAlive;
  if (positive(o.keepAliveIdleMs)) t.keepIdleMs = o.keepAliveIdleMs;
  if (positive(o.keepAliveIntervalMs)) t.keepIntervalMs = o.keepAliveIntervalMs;
  if (positive(o.keepAliveProbes)) t.keepProbes = o.keepAliveProbes;
  if (positive(o.userTimeoutMs)) t.userTimeoutMs = o.userTimeoutMs;
  if (positive(o.sendBuffer)) t.wantedSndBuf = o.sendBuffer;
  if (positive(o.receiveBuffer)) t.wantedRcvBuf = Math.min(o.receiveBuffer, 1 << 30);
  if (positive(o.maxSegment)) t.wantedMss = o.maxSegment;
  if (o.tos !== undefined) t.tos = o.tos & 0xfc;
  if (positive(o.ttl)) t.ttl = o.ttl & 255;
  if (o.ecn !== undefined) t.ecnMode = ECN_MODES[o.ecn];
}

function positive(n: number | undefined): n is number {
  return n !== undefined && n > 0;
}
