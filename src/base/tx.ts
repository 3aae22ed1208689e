// The packet walking down. One per stack, reused. The header (and a small payload copied behind it)
// lies in the slab; larger payload stays where the program put it and is gathered by the link.

/** Most pieces of payload behind one header. */
export const MAX_PIECES = 16;

export const TxFlag = {
  /**
   * Transport checksum field holds the folded pseudo-header sum; the link or the peer completes it.
   */
  NEEDS_CSUM: 1,
  /** Do not fragment. */
  DF: 2,
  /** A retransmission (for captures and simulators; the wire does not show it). */
  RETRANSMIT: 4,
} as const;

export class Tx {
  /** First octet of the IP header in the slab. Octets before it down to HEADROOM are the link's. */
  headerOff = 0;
  /** IP header + transport header + payload that was copied behind them. */
  headerLen = 0;
  /** Octets of a link header right before headerOff; 0 where packets begin with IP. */
  lead = 0;
  /** Where the transport header starts, counted from headerOff. */
  l4 = 0;
  /** Checksum field, counted from the transport header. */
  csumOffset = 0;
  flags = 0;
  gsoType = 0;
  gsoSize = 0;
  pieces = 0;
  /** Octets in all pieces together. */
  payloadLen = 0;
  /** A null piece lies in the slab itself. */
  readonly pieceBuf: (Uint8Array | null)[] = new Array<Uint8Array | null>(MAX_PIECES).fill(null);
  readonly pieceOff = new Int32Array(MAX_PIECES);
  readonly pieceLen = new Int32Array(MAX_PIECES);

  /** Over the stack's own loopback: the link that it is to have arrived on. */
  asLink = 0;

  family = 4;
  protocol = 0;
  tos = 0;
  ttl = 0;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;

  /** Ready for a new packet without payload pieces. */
  reset(): void {
    for (let i = 0; i < this.pieces; i++) this.pieceBuf[i] = null;
    this.pieces = 0;
    this.payloadLen = 0;
    this.flags = 0;
    this.gsoType = 0;
    this.gsoSize = 0;
    this.csumOffset = 0;
    this.asLink = 0;
  }

  /** Adds a piece; false when the table is full. */
  gather(buf: Uint8Array | null, off: number, len: number): boolean {
    if (this.pieces === MAX_PIECES) return false;
    this.pieceBuf[this.pieces] = buf;
    this.pieceOff[this.pieces] = off;
    this.pieceLen[this.pieces] = len;
    this.pieces++;
    this.payloadLen += len;
    return true;
  }
}

/** Octets kept free before every IP header for a link header (Ethernet, virtio-net). */
export const HEADROOM = 64;

/** Bump allocator over a region of the slab for headers and small payloads of one flush. */
export class TxArena {
  readonly base: number;
  readonly size: number;
  #used = 0;
  constructor(base: number, size: number) {
    this.base = base;
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  /** Offset behind HEADROOM with `len` octets of room; -1 when the region is full: flush, reset. */
  take(len: number): number {
    const need = (HEADROOM + len + 63) & ~63;
    if (this.#used + need > this.size) return -1;
    const off = this.base + this.#used + HEADROOM;
    this.#used += need;
    return off;
  }

  reset(): void {
    this.#used = 0;
  }
}
