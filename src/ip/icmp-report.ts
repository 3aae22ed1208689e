// An ICMP error about a packet of ours, kept for a program that has asked for such news: what ping
// and traceroute show (Linux: IP_RECVERR, struct sock_extended_err).

import { Address } from '../wire/address.ts';
import type { IpLayer } from './ip.ts';

export interface IcmpReport {
  readonly family: 4 | 6;
  readonly type: number;
  readonly code: number;
  /** A negative errno, as a connected socket would be told. */
  readonly errno: number;
  /** Who says so. */
  readonly from: Address;
  /** Hop limit of the message, for how far away that is. */
  readonly ttl: number;
  /** Where the packet was to go, and from which of our ports (UDP). */
  readonly to: Address;
  readonly localPort: number;
  readonly port: number;
  /** Next-hop MTU of what was too big; 0 otherwise. */
  readonly mtu: number;
  /** Of an echo request of ours, else -1. */
  readonly seq: number;
}

/** The error in `ip.icmpError`, which came with the packet in `ip.rx`. */
export function reportOf(ip: IpLayer, seq = -1): IcmpReport {
  const { icmpError: e, rx } = ip;
  return {
    family: e.family,
    type: e.type,
    code: e.code,
    errno: e.errno,
    from: new Address(rx.src0, rx.src1, rx.src2, rx.src3),
    ttl: rx.ttl,
    to: new Address(e.dst0, e.dst1, e.dst2, e.dst3),
    localPort: e.srcPort,
    port: e.dstPort,
    mtu: e.mtu,
    seq,
  };
}
