// A packet outside the walk: how the pieces of a Tx become one run of octets, and the checksum
// arithmetic that links need to complete what the stack has left open (TxFlag.NEEDS_CSUM).
// @hot

import type { Tx } from '../base/tx.ts';
import { finish } from '../wire/checksum.ts';

/** Unfolded sum of big-endian 16-bit words, an odd last octet padded (wire/checksum.ts). */
export type Sum = (u8: Uint8Array, off: number, len: number, initial: number) => number;

/** Octets of the whole IP packet that `tx` describes, without a link header. */
export function packetLen(tx: Tx): number {
  return tx.headerLen + tx.payloadLen;
}

/** Octets of what goes over the link: the packet, and the link header before it. */
export function frameLen(tx: Tx): number {
  return tx.lead + tx.headerLen + tx.payloadLen;
}

/**
 * Writes link header, header and pieces one after the other to `to[at…]` and answers their length.
 */
export function copyPacket(tx: Tx, slab: Uint8Array, to: Uint8Array, at: number): number {
  const from = tx.headerOff - tx.lead;
  const behind = tx.headerOff + tx.headerLen;
  if (to === slab) to.copyWithin(at, from, behind);
  else to.set(slab.subarray(from, behind), at);
  let end = at + behind - from;
  for (let i = 0; i < tx.pieces; i++) {
    const piece = tx.pieceBuf[i];
    const off = tx.pieceOff[i] as number;
    const len = tx.pieceLen[i] as number;
    if (piece === null || piece === undefined) {
      if (to === slab) to.copyWithin(end, off, off + len);
      else to.set(slab.subarray(off, off + len), end);
    } else to.set(piece.subarray(off, off + len), end);
    end += len;
  }
  return end - at;
}

/**
 * Completes a partial checksum in a contiguous packet.
 * @param start first octet of the transport header; the field at `start + csumOffset` holds the
 *   folded sum of the pseudo-header
 * @param end octet after the last
 */
export function completeChecksum(
  u8: Uint8Array,
  start: number,
  end: number,
  csumOffset: number,
  sum: Sum,
): void {
  const value = finish(sum(u8, start, end - start, 0));
  storeChecksum(u8, start + csumOffset, value, csumOffset);
}

/** RFC 768: a UDP checksum of zero is sent as 0xffff; the field's place tells UDP (6) from TCP. */
export function storeChecksum(u8: Uint8Array, at: number, value: number, csumOffset: number): void {
  const sent = value === 0 && csumOffset === 6 ? 0xffff : value;
  u8[at] = sent >>> 8;
  u8[at + 1] = sent & 0xff;
}
