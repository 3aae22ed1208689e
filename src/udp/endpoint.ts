// One UDP socket's state: where it is bound, whom it is connected to, what waits for it.

import type { Binding } from '../demux/ports.ts';
import type { IcmpReport } from '../ip/icmp-report.ts';
import { Path } from '../ip/path.ts';
import { type Address, isMulticast, isUnspecified } from '../wire/address.ts';
import type { Membership } from './membership.ts';
import type { UdpMeta } from './meta.ts';
import { DatagramQueue } from './queue.ts';

/** Who gets an endpoint's events; called from `drainReady` only. */
export interface EndpointSink {
  /** A datagram; its octets are valid during the call only. */
  datagram(u8: Uint8Array, off: number, len: number, from: UdpMeta): void;
  error(code: number): void;
  writable(): void;
  /** An ICMP error about what it has sent, with its source; asked for by `reports`. */
  report?(report: IcmpReport): void;
  /** What was ready for it has been told. */
  delivered?(): void;
}

/** What a new endpoint's buffers may hold, and whether its address is a broadcast. */
export interface BufferLimits {
  readonly udpReceiveOctets: number;
  readonly udpSendOctets: number;
  readonly isBroadcast: boolean;
}

export class Endpoint {
  readonly slot: number;
  /** As Tcb.id; set by who opens it. */
  id = 0;
  readonly sink: EndpointSink;
  /** The binding as asked for: what `disconnect` goes back to. */
  readonly binding: Binding;
  /** Bound to no address that it could send from; bound to a group. */
  readonly bindsAny: boolean;
  readonly bindsGroup: boolean;
  readonly queue = new DatagramQueue();
  /** The path of the last datagram sent. */
  readonly path = new Path();
  /** Key in the flow table while connected. */
  readonly flow = new Int32Array(9);
  connected = false;
  closed = false;
  paused = false;
  /** On the ready list. */
  ready = false;
  broadcast = false;
  /** Never fragment: too large is EMSGSIZE. */
  dontFragment = false;
  /** 0 = the stack's default. */
  ttl = 0;
  multicastTtl = 1;
  /** Where groups are sent to, -1 = as the routes say, and from which of our addresses. */
  multicastLink = -1;
  multicastSource: Address | null = null;
  /** What is sent to a group comes back to members here (IP_MULTICAST_LOOP). */
  multicastLoop = true;
  /** Hears what comes to its port for groups that others have joined (IP_MULTICAST_ALL). */
  multicastAll = true;
  readonly memberships: Membership[] = [];
  tos = 0;
  /** Most that the receive queue may cost, octets. */
  receiveLimit: number;
  /** Most that is sent in one turn, octets. */
  sendLimit: number;
  /** A negative errno that the program has not heard of. */
  error = 0;
  /** ICMP errors that the program has not heard of; null: it has not asked for them. */
  reports: IcmpReport[] | null = null;
  /** `send` was refused: tell the program when there may be room. */
  blocked = false;
  writable = false;
  /** Octets sent in the turn that `ip.nowUs` names. */
  sent = 0;
  turnUs = -1;
  /** Datagrams received, sent, and lost for want of room, since the start. */
  received = 0;
  transmitted = 0;
  lost = 0;

  constructor(slot: number, sink: EndpointSink, binding: Binding, limits: BufferLimits) {
    this.slot = slot;
    this.sink = sink;
    this.binding = binding;
    this.receiveLimit = limits.udpReceiveOctets;
    this.sendLimit = limits.udpSendOctets;
    const { a, b, c, d } = binding;
    this.bindsGroup = isMulticast(a, b, c, d);
    this.bindsAny = isUnspecified(a, b, c, d) || this.bindsGroup || limits.isBroadcast;
  }

  get port(): number {
    return this.binding.port;
  }
}
