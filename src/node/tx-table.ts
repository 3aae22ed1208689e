// Packets on their way into the addon: one row of 56 ints per packet, filled by `put`, written by
// one native flush. Columns as in native/pump.h. Payload pieces stay where the program put them.
// @hot

import type { Tx } from '../base/tx.ts';
import { MAX_PIECES, TxFlag } from '../base/tx.ts';
import type { NativeDevice } from './addon.ts';
import type { DatagramMerge } from './datagram-merge.ts';

const FIRST_PIECE = 8;
const STRIDE = FIRST_PIECE + 3 * MAX_PIECES;
/** Packets of one native call. A full table is flushed by itself. */
export const TX_ROWS = 256;

export class TxTable {
  readonly rows = new Int32Array(TX_ROWS * STRIDE);
  readonly buffers: (Uint8Array | null)[] = new Array<Uint8Array | null>(TX_ROWS * MAX_PIECES).fill(
    null,
  );
  count = 0;
  /** Joins datagrams where the device cuts them again; null: it does not. */
  merge: DatagramMerge | null = null;
  /** Buffers in use; a run of pieces of one buffer takes one place. */
  bufferCount = 0;

  put(tx: Tx): void {
    const rows = this.rows;
    const at = this.count * STRIDE;
    const { merge } = this;
    if (merge !== null) {
      if (merge.join(tx, rows, at - STRIDE)) return;
      merge.begin(tx);
    }
    const lead = tx.lead;
    rows[at] = tx.headerOff - lead;
    rows[at + 1] = tx.headerLen + lead;
    rows[at + 2] = tx.flags & TxFlag.NEEDS_CSUM;
    rows[at + 3] = tx.gsoType;
    rows[at + 4] = tx.gsoSize;
    rows[at + 5] = tx.l4 + lead;
    rows[at + 6] = tx.csumOffset;
    rows[at + 7] = tx.pieces;
    for (let i = 0, to = at + FIRST_PIECE; i < tx.pieces; i++, to += 3) {
      rows[to] = this.#place(tx.pieceBuf[i] as Uint8Array | null);
      rows[to + 1] = tx.pieceOff[i] as number;
      rows[to + 2] = tx.pieceLen[i] as number;
    }
    this.count++;
  }

  /** Hands everything to the kernel; how many packets it took. */
  flush(device: NativeDevice): number {
    const written = device.flush(this.rows, this.count, this.buffers, this.bufferCount);
    this.clear();
    return written;
  }

  clear(): void {
    if (this.merge !== null) this.merge.clear();
    for (let i = 0; i < this.bufferCount; i++) this.buffers[i] = null;
    this.count = 0;
    this.bufferCount = 0;
  }

  #place(buffer: Uint8Array | null): number {
    if (buffer === null) return -1;
    const last = this.bufferCount - 1;
    if (last >= 0 && this.buffers[last] === buffer) return last;
    this.buffers[this.bufferCount] = buffer;
    return this.bufferCount++;
  }
}
