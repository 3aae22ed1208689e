// What a link cannot do is done before it: completes transport checksums, and cuts super-segments
// (TCP) and super-datagrams (UDP) into packets of the link's size. Headers are built in a region of
// its own; payload pieces are referred to, not copied.
// @hot

import { GsoType } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { Tx, TxArena, TxFlag } from '../base/tx.ts';
import { finish, fold, swap } from '../wire/checksum.ts';
import type { Mac } from '../wire/ethernet.ts';
import { type Link, LinkCap } from './link.ts';
import { type Sum, storeChecksum } from './packet.ts';

const ALL = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;
const UDP_HEADER = 8;

/** `link` itself when it can do everything, else `link` behind an Offload. */
export function offloaded(link: Link, slab: Slab, sum: Sum): Link {
  if ((link.caps & ALL) === ALL) return link;
  return new Offload(link, slab, sum); // cold: once per link
}

export class Offload implements Link {
  readonly inner: Link;
  readonly caps = ALL;
  readonly #slab: Slab;
  readonly #sum: Sum;
  readonly #arena: TxArena;
  readonly #seg = new Tx();
  /** Where the next segment's payload begins: piece, and octet in it. */
  #piece = 0;
  #pieceAt = 0;
  /** Octets of the payload behind the header (in the slab) that are not sent yet, and where. */
  #copied = 0;
  #copiedAt = 0;
  /** Super-packets cut, packets made of them, checksums completed. */
  readonly stats = new Float64Array(3);

  constructor(inner: Link, slab: Slab, sum: Sum, octets = 1 << 18) {
    this.inner = inner;
    this.#slab = slab;
    this.#sum = sum;
    this.#arena = new TxArena(slab.reserve(octets), octets);
  }

  get name(): string {
    return this.inner.name;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  set mtu(octets: number) {
    this.inner.mtu = octets;
  }
  get loopback(): boolean {
    return this.inner.loopback;
  }
  get multicast(): boolean {
    return this.inner.multicast !== false;
  }
  get mac(): Mac | null {
    return this.inner.mac ?? null;
  }

  transmit(tx: Tx): boolean {
    if (tx.gsoSize > 0 && !this.#innerCuts(tx)) return this.#cut(tx);
    if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0 && (this.inner.caps & LinkCap.TX_CSUM) === 0) {
      const u8 = this.#slab.u8;
      const l4 = tx.headerOff + tx.l4;
      complete(u8, tx, this.#sum(u8, l4, tx.headerLen - tx.l4, 0), this.#sum);
      // Stays cleared: a second attempt with this header must not sum the finished field again.
      tx.flags &= ~TxFlag.NEEDS_CSUM;
      this.#count(2, 1);
    }
    return this.inner.transmit(tx);
  }

  flush(): void {
    this.inner.flush();
    this.#arena.reset();
  }

  #count(i: number, n: number): void {
    this.stats[i] = (this.stats[i] as number) + n;
  }

  /** A link that cuts must sum as well: each segment has a checksum of its own. */
  #innerCuts(tx: Tx): boolean {
    let need: number = LinkCap.TX_CSUM;
    if (tx.gsoType === GsoType.TCPV4) need |= LinkCap.TSO4;
    else if (tx.gsoType === GsoType.TCPV6) need |= LinkCap.TSO6;
    else need |= LinkCap.USO;
    return (this.inner.caps & need) === need;
  }

  #cut(tx: Tx): boolean {
    const u8 = this.#slab.u8;
    const isTcp = tx.gsoType !== GsoType.UDP_L4 && tx.gsoType !== GsoType.UDP;
    const l4 = tx.headerOff + tx.l4;
    const l4Header = isTcp ? ((u8[l4 + 12] as number) >>> 4) * 4 : UDP_HEADER;
    const header = tx.l4 + l4Header;
    this.#piece = 0;
    this.#pieceAt = 0;
    this.#copied = tx.headerLen - header;
    this.#copiedAt = tx.headerOff + header;
    const total = this.#copied + tx.payloadLen;
    let sent = 0;
    this.#count(0, 1);
    // Bounded: a super-segment is at most 65,535 octets and a segment at least one.
    while (sent < total) {
      const len = Math.min(tx.gsoSize, total - sent);
      const last = sent + len >= total;
      const off = this.#segment(tx, header, len);
      if (off < 0) return sent > 0;
      if (isTcp) patchTcp(u8, off + tx.l4, sent, last);
      else store16(u8, off + tx.l4 + 4, UDP_HEADER + len);
      this.#finish(tx, l4Header, len, sent / tx.gsoSize);
      if (!this.inner.transmit(this.#seg)) return sent > 0;
      this.#count(1, 1);
      sent += len;
    }
    return true;
  }

  /** Builds `#seg` with a copy of the header and the next `len` octets; answers its offset. */
  #segment(tx: Tx, header: number, len: number): number {
    const u8 = this.#slab.u8;
    const copied = Math.min(this.#copied, len);
    const room = header + copied;
    // The arena keeps the headroom that a link header lies in.
    let off = this.#arena.take(room);
    if (off < 0) {
      // Early, but harmless: nobody reuses octets before asking for a flush himself.
      this.flush();
      off = this.#arena.take(room);
      if (off < 0) return -1;
    }
    u8.copyWithin(off - tx.lead, tx.headerOff - tx.lead, tx.headerOff + header);
    if (copied > 0) {
      u8.copyWithin(off + header, this.#copiedAt, this.#copiedAt + copied);
      this.#copiedAt += copied;
      this.#copied -= copied;
    }
    const seg = this.#seg;
    seg.reset();
    seg.headerOff = off;
    seg.lead = tx.lead;
    seg.headerLen = room;
    seg.l4 = tx.l4;
    seg.csumOffset = tx.csumOffset;
    seg.flags = tx.flags;
    seg.family = tx.family;
    seg.protocol = tx.protocol;
    seg.tos = tx.tos;
    seg.ttl = tx.ttl;
    let left = len - copied;
    while (left > 0 && this.#piece < tx.pieces) {
      const pieceLen = tx.pieceLen[this.#piece] as number;
      const n = Math.min(left, pieceLen - this.#pieceAt);
      const buf = tx.pieceBuf[this.#piece] as Uint8Array | null;
      if (n > 0) seg.gather(buf, (tx.pieceOff[this.#piece] as number) + this.#pieceAt, n);
      this.#pieceAt += n;
      left -= n;
      if (this.#pieceAt === pieceLen) {
        this.#piece++;
        this.#pieceAt = 0;
      }
    }
    return off;
  }

  /** Lengths, identification and both checksums of the segment in `#seg`. */
  #finish(tx: Tx, l4Header: number, len: number, index: number): void {
    const u8 = this.#slab.u8;
    const seg = this.#seg;
    const off = seg.headerOff;
    if (tx.family === 4) {
      store16(u8, off + 2, tx.l4 + l4Header + len);
      // Each packet has an identification of its own (RFC 6864 §4); atomic ones may have any.
      store16(u8, off + 4, (load16(u8, off + 4) + index) & 0xffff);
      store16(u8, off + 10, 0);
      store16(u8, off + 10, finish(this.#sum(u8, off, tx.l4, 0)));
    } else store16(u8, off + 4, tx.l4 - 40 + l4Header + len);
    // The pseudo-header's sum was made with the super-segment's length: put the segment's there.
    const superLen = tx.headerLen - tx.l4 + tx.payloadLen;
    const l4 = off + tx.l4;
    const field = l4 + tx.csumOffset;
    const pseudo = load16(u8, field) + (~superLen & 0xffff) + l4Header + len;
    store16(u8, field, fold(pseudo));
    if ((this.inner.caps & LinkCap.TX_CSUM) !== 0) return;
    complete(u8, seg, this.#sum(u8, l4, seg.headerLen - seg.l4, 0), this.#sum);
    seg.flags &= ~TxFlag.NEEDS_CSUM;
  }
}

/** Adds the pieces to `headerSum` (transport header, pseudo sum included); stores the result. */
function complete(u8: Uint8Array, tx: Tx, headerSum: number, sum: Sum): void {
  let total = fold(headerSum);
  let odd = (tx.headerLen - tx.l4) & 1;
  for (let i = 0; i < tx.pieces; i++) {
    const buf = tx.pieceBuf[i];
    const len = tx.pieceLen[i] as number;
    const part = sum(
      buf === null || buf === undefined ? u8 : buf,
      tx.pieceOff[i] as number,
      len,
      0,
    );
    total += odd === 0 ? fold(part) : swap(part);
    odd ^= len & 1;
  }
  const value = finish(total);
  storeChecksum(u8, tx.headerOff + tx.l4 + tx.csumOffset, value, tx.csumOffset);
}

/** Sequence number moved on; FIN and PSH only on the last segment, CWR only on the first. */
function patchTcp(u8: Uint8Array, tcp: number, sent: number, last: boolean): void {
  const low = load16(u8, tcp + 6) + (sent & 0xffff);
  store16(u8, tcp + 6, low & 0xffff);
  store16(u8, tcp + 4, (load16(u8, tcp + 4) + (sent >>> 16) + (low >>> 16)) & 0xffff);
  let flags = u8[tcp + 13] as number;
  if (!last) flags &= ~(FIN | PSH);
  if (sent > 0) flags &= ~CWR;
  u8[tcp + 13] = flags;
}

function load16(u8: Uint8Array, at: number): number {
  return ((u8[at] as number) << 8) | (u8[at + 1] as number);
}

function store16(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value >>> 8;
  u8[at + 1] = value & 0xff;
}
