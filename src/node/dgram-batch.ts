// Datagrams of one turn in one piece: what a `batch` listener gets. Their octets lie in one Buffer,
// what is known of them in one table; objects and texts are made for what is asked for.

import { Buffer } from 'node:buffer';
import type * as dgram from 'node:dgram';
import type { UdpMeta } from '../socket/udp-socket.ts';
import { copyOctets } from '../udp/copy.ts';
import { format, isV4 } from '../wire/address.ts';

/** Fields of a row. */
const OFF = 0;
const LEN = 1;
const SRC = 2;
const DST = 6;
const PORT = 10;
const TTL = 11;
const TOS = 12;
const STRIDE = 13;

const SMALLEST = 2048;

/** A datagram with its sender, as `message` has them. */
export interface BatchMessage {
  data: Buffer;
  rinfo: dgram.RemoteInfo;
}

/** Datagrams in the order in which they came. They are the program's: nothing is used again. */
export class DatagramBatch implements Iterable<BatchMessage> {
  /** How many there are. */
  readonly length: number;
  /** All octets; `offset(i)` and `size(i)` say where the i-th datagram lies. */
  readonly octets: Buffer;
  readonly #rows: Int32Array;
  readonly #family: 4 | 6;
  #named = -1;
  #name = '';

  constructor(octets: Buffer, rows: Int32Array, length: number, family: 4 | 6) {
    this.octets = octets;
    this.#rows = rows;
    this.length = length;
    this.#family = family;
  }

  #at(i: number, field: number): number {
    if (!(i >= 0 && i < this.length)) throw new RangeError(`There is no datagram ${i}`);
    return this.#rows[i * STRIDE + field] as number;
  }

  offset(i: number): number {
    return this.#at(i, OFF);
  }

  size(i: number): number {
    return this.#at(i, LEN);
  }

  /** A view of the datagram. */
  data(i: number): Buffer {
    const off = this.#at(i, OFF);
    return this.octets.subarray(off, off + this.#at(i, LEN));
  }

  port(i: number): number {
    return this.#at(i, PORT);
  }

  /** The sender, as `rinfo.address`. */
  address(i: number): string {
    // Mostly one sender after another is the same: its text is made once.
    if (this.#named < 0 || !this.#isSame(i, this.#named)) this.#name = this.#text(i, SRC);
    this.#named = i;
    return this.#name;
  }

  /** The address of ours, or the group, that was addressed. */
  localAddress(i: number): string {
    return this.#text(i, DST);
  }

  ttl(i: number): number {
    return this.#at(i, TTL);
  }

  /** DSCP and ECN in one octet. */
  tos(i: number): number {
    return this.#at(i, TOS);
  }

  /** RFC 3168: 0 not capable, 1 and 2 capable, 3 congestion experienced. */
  ecn(i: number): number {
    return this.#at(i, TOS) & 3;
  }

  /** The sender as `message` has it. */
  rinfo(i: number): dgram.RemoteInfo {
    const family = this.#family === 6 ? 'IPv6' : 'IPv4';
    return { address: this.address(i), family, port: this.port(i), size: this.size(i) };
  }

  *[Symbol.iterator](): Iterator<BatchMessage> {
    for (let i = 0; i < this.length; i++) yield { data: this.data(i), rinfo: this.rinfo(i) };
  }

  #isSame(i: number, j: number): boolean {
    for (let k = SRC; k < DST; k++) if (this.#at(i, k) !== this.#at(j, k)) return false;
    return true;
  }

  #text(i: number, field: number): string {
    const words = [0, 1, 2, 3].map((k) => this.#at(i, field + k));
    return addressText(words as [number, number, number, number], this.#family);
  }
}

/** An address as a socket of that family shows it: IPv4 on an IPv6 socket is mapped. */
export function addressText(words: [number, number, number, number], family: 4 | 6): string {
  const [a, b, c, d] = words;
  const text = format(a, b, c, d);
  return family === 6 && isV4(a, b, c) ? `::ffff:${text}` : text;
}

/** Gathers the datagrams of a turn. */
export class BatchBuilder {
  #octets: Buffer | null = null;
  #rows = new Int32Array(64 * STRIDE);
  #used = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param ahead octets that are likely to follow in this turn */
  add(u8: Uint8Array, off: number, len: number, from: UdpMeta, ahead: number): void {
    this.#reserve(len, ahead);
    if ((this.#count + 1) * STRIDE > this.#rows.length) {
      const wider = new Int32Array(this.#rows.length * 2);
      wider.set(this.#rows);
      this.#rows = wider;
    }
    const r = this.#rows;
    const at = this.#count * STRIDE;
    r[at + OFF] = this.#used;
    r[at + LEN] = len;
    r[at + SRC] = from.src0;
    r[at + SRC + 1] = from.src1;
    r[at + SRC + 2] = from.src2;
    r[at + SRC + 3] = from.src3;
    r[at + DST] = from.dst0;
    r[at + DST + 1] = from.dst1;
    r[at + DST + 2] = from.dst2;
    r[at + DST + 3] = from.dst3;
    r[at + PORT] = from.port;
    r[at + TTL] = from.ttl;
    r[at + TOS] = from.tos;
    if (this.#octets !== null) copyOctets(this.#octets, this.#used, u8, off, len);
    this.#used += len;
    this.#count++;
  }

  #reserve(len: number, ahead: number): void {
    const old = this.#octets;
    const need = this.#used + len;
    if (old !== null && need <= old.length) return;
    const size = old === null ? Math.max(SMALLEST, need + ahead) : Math.max(need, old.length * 2);
    const wider = Buffer.allocUnsafeSlow(size);
    if (old !== null) wider.set(old.subarray(0, this.#used));
    this.#octets = wider;
  }

  /** What was gathered; the builder is empty again. */
  take(family: 4 | 6): DatagramBatch {
    const octets = this.#octets ?? Buffer.alloc(0);
    const rows = this.#rows.slice(0, this.#count * STRIDE);
    const batch = new DatagramBatch(octets.subarray(0, this.#used), rows, this.#count, family);
    this.#octets = null;
    this.#used = 0;
    this.#count = 0;
    return batch;
  }
}
