// What a filter sees of a packet, and what it may answer. One view per stack, reused: it shows the
// octets where they lie and is valid during the call only.

import type { Rx } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import type { Tx } from '../base/tx.ts';
import { Address } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';

/** Where a filter is asked: packets for this stack, through it, and from it. */
export const HOOK_INPUT = 0;
export const HOOK_FORWARD = 1;
export const HOOK_OUTPUT = 2;
const HOOKS = ['input', 'forward', 'output'] as const;

/** A filter's answer. REJECT tells the sender by ICMP, RESET by a TCP reset. */
export const Ruling = { ACCEPT: 0, DROP: 1, REJECT: 2, RESET: 3 } as const;
export type Ruling = (typeof Ruling)[keyof typeof Ruling];

export interface Filter {
  /** Asked for every packet. One that throws has answered DROP; the error leaves by `drain`. */
  packet?(view: PacketView): Ruling;
  /** Asked once for each connection through a stack that tracks them (`stack.setNat`). */
  flow?(view: PacketView): Ruling;
}

export class PacketView {
  /** The packet: `len` octets from `off` on. On output only the headers lie here (`headerLen`). */
  readonly u8: Uint8Array;
  readonly #view: DataView;
  off = 0;
  len = 0;
  headerLen = 0;
  /** First octet of the transport header. */
  transportOff = 0;
  family: 4 | 6 = 4;
  protocol = 0;
  /** Link ids; -1: none, or not known yet. */
  inLink = -1;
  outLink = -1;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  /** Of TCP and UDP, else 0; in a fragment that is not the first 0, too. */
  srcPort = 0;
  dstPort = 0;
  /** TCP's flags, else 0. */
  tcpFlags = 0;
  #hook = 0;

  constructor(slab: Slab) {
    this.u8 = slab.u8;
    this.#view = slab.view;
  }

  get hook(): 'input' | 'forward' | 'output' {
    return HOOKS[this.#hook] as 'input' | 'forward' | 'output';
  }

  /** The addresses as objects: made anew at each call. */
  source(): Address {
    return new Address(this.src0, this.src1, this.src2, this.src3);
  }

  destination(): Address {
    return new Address(this.dst0, this.dst1, this.dst2, this.dst3);
  }

  show(rx: Rx, hook: number, out: number): void {
    this.#hook = hook;
    this.inLink = rx.linkId;
    this.outLink = out;
    this.off = rx.off;
    this.len = rx.len;
    this.headerLen = rx.len;
    this.transportOff = rx.l4Off;
    this.family = rx.family === 6 ? 6 : 4;
    this.protocol = rx.protocol;
    this.#addresses(rx);
    const later = rx.family === 4 && ipv4.fragmentOffset(rx.u8, rx.off) !== 0;
    this.#ports(later ? 0 : rx.l4Len);
  }

  showOut(tx: Tx, link: number): void {
    this.#hook = HOOK_OUTPUT;
    this.inLink = -1;
    this.outLink = link;
    this.off = tx.headerOff;
    this.len = tx.headerLen + tx.payloadLen;
    this.headerLen = tx.headerLen;
    this.transportOff = tx.headerOff + tx.l4;
    this.family = tx.family === 6 ? 6 : 4;
    this.protocol = tx.protocol;
    this.#addresses(tx);
    this.#ports(tx.headerLen - tx.l4);
  }

  #addresses(from: Rx | Tx): void {
    this.src0 = from.src0;
    this.src1 = from.src1;
    this.src2 = from.src2;
    this.src3 = from.src3;
    this.dst0 = from.dst0;
    this.dst1 = from.dst1;
    this.dst2 = from.dst2;
    this.dst3 = from.dst3;
  }

  #ports(l4Len: number): void {
    const tcp = this.protocol === ipv4.Proto.TCP;
    const known = l4Len >= 4 && (tcp || this.protocol === ipv4.Proto.UDP);
    this.srcPort = known ? this.#view.getUint16(this.transportOff) : 0;
    this.dstPort = known ? this.#view.getUint16(this.transportOff + 2) : 0;
    this.tcpFlags = tcp && l4Len >= 14 ? (this.u8[this.transportOff + 13] as number) : 0;
  }
}
