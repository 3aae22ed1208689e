// Datagrams that go to the same place one behind the other leave as one super-datagram (UDP
// segmentation offload): the kernel takes a packet for up to 17 of them and cuts it where they are
// received. Only neighbours in the order of sending are joined, so nothing overtakes anything. A
// shorter one ends the row, as the last segment may be shorter (Linux, udp(7) UDP_SEGMENT).
// @hot

import { GsoType } from '../base/rx.ts';
import type { Slab } from '../base/slab.ts';
import { MAX_PIECES, type Tx, TxFlag } from '../base/tx.ts';
import * as checksum from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';

/** IPv4 without options, then UDP. */
const IP = 20;
const HEADERS = 28;
const MOST_OCTETS = 65_535;
/** Where groups and broadcasts begin: those are not joined. */
const FIRST_GROUP = 224;

/** Columns of a row of the table, as in tx-table.ts. */
const HEADER_OFF = 0;
const GSO_TYPE = 3;
const GSO_SIZE = 4;
const PIECES = 7;
const FIRST_PIECE = 8;

export class DatagramMerge {
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  /** Payload of the first datagram of the row under way; 0: none can join. */
  #size = 0;

  constructor(slab: Slab) {
    this.#u8 = slab.u8;
    this.#view = slab.view;
  }

  /** What comes next begins anew. */
  clear(): void {
    this.#size = 0;
  }

  /** `tx` has got a row of its own. */
  begin(tx: Tx): void {
    this.#size = this.#fits(tx) ? tx.headerLen - HEADERS : 0;
  }

  /** Adds the datagram in `tx` to the row at `at`, the last one; false: it wants its own. */
  join(tx: Tx, rows: Int32Array, at: number): boolean {
    const size = this.#size;
    const len = tx.headerLen - HEADERS;
    if (size === 0 || len > size || !this.#fits(tx)) return false;
    const first = rows[at + HEADER_OFF] as number;
    const pieces = rows[at + PIECES] as number;
    const total = this.#view.getUint16(first + 2) + len;
    if (pieces === MAX_PIECES || total > MOST_OCTETS || !this.#alike(first, tx.headerOff)) {
      return false;
    }
    const to = at + FIRST_PIECE + 3 * pieces;
    rows[to] = -1;
    rows[to + 1] = tx.headerOff + HEADERS;
    rows[to + 2] = len;
    rows[at + PIECES] = pieces + 1;
    rows[at + GSO_TYPE] = GsoType.UDP_L4;
    rows[at + GSO_SIZE] = size;
    this.#lengthen(first, total, len);
    if (len < size) this.#size = 0;
    return true;
  }

  #fits(tx: Tx): boolean {
    return (
      tx.protocol === ipv4.Proto.UDP &&
      tx.family === 4 &&
      tx.l4 === IP &&
      tx.lead === 0 &&
      tx.pieces === 0 &&
      tx.gsoType === 0 &&
      (tx.flags & TxFlag.NEEDS_CSUM) !== 0 &&
      tx.headerLen > HEADERS &&
      tx.dst3 >>> 24 < FIRST_GROUP
    );
  }

  /** The same in all but lengths, identification and sums. */
  #alike(a: number, b: number): boolean {
    const view = this.#view;
    return (
      view.getUint16(a) === view.getUint16(b) &&
      view.getUint32(a + 12) === view.getUint32(b + 12) &&
      view.getUint32(a + 16) === view.getUint32(b + 16) &&
      view.getUint32(a + 20) === view.getUint32(b + 20) &&
      view.getUint16(a + 6) === view.getUint16(b + 6) &&
      view.getUint16(a + 8) === view.getUint16(b + 8)
    );
  }

  /** The headers of the first one speak for all: lengths, the header's sum, the pseudo-header's. */
  #lengthen(at: number, total: number, added: number): void {
    const view = this.#view;
    view.setUint16(at + 2, total);
    ipv4.seal(this.#u8, at, IP);
    view.setUint16(at + IP + 4, total - IP);
    const sum = view.getUint16(at + IP + 6);
    view.setUint16(at + IP + 6, checksum.fold(sum + added));
  }
}
