// Packets made and changed by hand, for what stands in the way of a connection: middleboxes,
// routers, attackers. Own offsets and sums throughout: nothing of wire/ is used in sim/'s judges.

import { RxFlag } from '../base/rx.ts';
import { isFragment, seal } from '../link/damage.ts';
import { Bit, onesSum, Proto, pseudoSum } from './decode.ts';

/** A packet on its way: arguments of `Stack.receive` in a box of its own. */
export interface Passing {
  octets: Uint8Array;
  flags: number;
  gso: number;
}

const IP_HEADER = 20;
const TCP_HEADER = 20;
const ICMP_HEADER = 8;
/** RFC 1812 §4.3.2.3: as much of the original as fits 576 octets. */
const QUOTED = 576 - IP_HEADER - ICMP_HEADER;

export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = (value >>> 8) & 0xff;
  b[at + 1] = value & 0xff;
}

export function put32(b: Uint8Array, at: number, value: number): void {
  put16(b, at, value >>> 16);
  put16(b, at + 2, value & 0xffff);
}

export function get16(b: Uint8Array, at: number): number {
  return ((b[at] as number) << 8) | (b[at + 1] as number);
}

export function get32(b: Uint8Array, at: number): number {
  return (get16(b, at) << 16) | get16(b, at + 2) | 0;
}

/** Offset of the TCP header of a whole IPv4 packet; -1 when it is none. */
export function tcpAt(b: Uint8Array): number {
  if (b.length < IP_HEADER + TCP_HEADER || (b[0] as number) >> 4 !== 4) return -1;
  if (b[9] !== Proto.TCP || isFragment(b)) return -1;
  const at = ((b[0] as number) & 15) * 4;
  return b.length < at + TCP_HEADER ? -1 : at;
}

/** Offset of the payload. */
export function dataAt(b: Uint8Array, tcp: number): number {
  return tcp + ((b[tcp + 12] as number) >> 4) * 4;
}

/** Both checksums of a whole IPv4 packet with TCP or ICMP in it, made anew. */
export function resum(b: Uint8Array): void {
  sumHeader(b);
  const l4 = ((b[0] as number) & 15) * 4;
  const field = b[9] === Proto.TCP ? l4 + 16 : l4 + 2;
  put16(b, field, 0);
  const initial = b[9] === Proto.TCP ? pseudoSum(b, 0, Proto.TCP, b.length - l4) : 0;
  put16(b, field, ~onesSum(b, l4, b.length, initial));
}

function sumHeader(b: Uint8Array): void {
  put16(b, 10, 0);
  put16(b, 10, ~onesSum(b, 0, ((b[0] as number) & 15) * 4, 0));
}

/** The checksum is completed: from now on the packet may be changed and summed anew. */
export function sealed(p: Passing): void {
  if ((p.flags & RxFlag.NEEDS_CSUM) === 0) return;
  seal(p.octets);
  p.flags &= ~RxFlag.NEEDS_CSUM;
}

export interface Forged {
  src: number;
  dst: number;
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  data: number;
}

function header(len: number, protocol: number, src: number, dst: number): Uint8Array {
  const b = new Uint8Array(len);
  b[0] = 0x45;
  put16(b, 2, len);
  put16(b, 6, 0x4000);
  b[8] = 64;
  b[9] = protocol;
  put32(b, 12, src);
  put32(b, 16, dst);
  return b;
}

/** A TCP segment without options; its payload is 0x58 throughout. */
export function segment(f: Forged): Uint8Array {
  const b = header(IP_HEADER + TCP_HEADER + f.data, Proto.TCP, f.src, f.dst);
  put16(b, 20, f.srcPort);
  put16(b, 22, f.dstPort);
  put32(b, 24, f.seq);
  put32(b, 28, (f.flags & Bit.ACK) === 0 ? 0 : f.ack);
  b[32] = 0x50;
  b[33] = f.flags;
  put16(b, 34, f.window);
  b.fill(0x58, IP_HEADER + TCP_HEADER);
  resum(b);
  return b;
}

/** An ICMP error about `about`, sent to its source by `from`. */
export function icmpError(about: Uint8Array, from: number, kind: readonly number[]): Uint8Array {
  const [type = 3, code = 0, rest = 0] = kind;
  const quoted = about.subarray(0, Math.min(about.length, QUOTED));
  const len = IP_HEADER + ICMP_HEADER + quoted.length;
  const b = header(len, Proto.ICMP, from, get32(about, 12));
  b[20] = type;
  b[21] = code;
  put32(b, 24, rest);
  b.set(quoted, IP_HEADER + ICMP_HEADER);
  resum(b);
  return b;
}

/** IPv4 fragments of a packet, none over `mtu` octets (RFC 791 §3.2). */
export function fragments(b: Uint8Array, mtu: number): Uint8Array[] {
  const head = ((b[0] as number) & 15) * 4;
  const step = (mtu - head) & ~7;
  const word = get16(b, 6);
  const pieces: Uint8Array[] = [];
  for (let at = head; at < b.length; at += step) {
    const n = Math.min(step, b.length - at);
    const piece = new Uint8Array(head + n);
    piece.set(b.subarray(0, head));
    piece.set(b.subarray(at, at + n), head);
    const more = at + n < b.length ? 0x2000 : word & 0x2000;
    put16(piece, 2, head + n);
    put16(piece, 6, more | ((word & 0x1fff) + (at - head) / 8));
    sumHeader(piece);
    pieces.push(piece);
  }
  return pieces;
}

/** Cuts a segment (or a super-segment) into segments of at most `most` octets of data. */
export function cut(b: Uint8Array, tcp: number, most: number): Uint8Array[] {
  const data = dataAt(b, tcp);
  const pieces: Uint8Array[] = [];
  const last = Bit.FIN | Bit.PSH;
  for (let at = data; at < b.length; at += most) {
    const n = Math.min(most, b.length - at);
    const piece = new Uint8Array(data + n);
    piece.set(b.subarray(0, data));
    piece.set(b.subarray(at, at + n), data);
    put16(piece, 2, data + n);
    put32(piece, tcp + 4, (get32(b, tcp + 4) + at - data) | 0);
    if (at + n < b.length) piece[tcp + 13] = (b[tcp + 13] as number) & ~last;
    if (at > data) piece[tcp + 13] = (piece[tcp + 13] as number) & ~Bit.CWR;
    resum(piece);
    pieces.push(piece);
  }
  return pieces;
}
