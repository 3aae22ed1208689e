// What the program has written and the peer has not acknowledged: chunks in sequence order. A chunk
// is either the program's own memory (gathered by the link, given back when acknowledged) or a
// block of ours that small writes were copied into. Columns in a power-of-two ring; bisection finds
// the chunk of a sequence number.
//
//      head                                      tail
//   |--chunk--|--chunk--|--chunk--|--chunk--|
//   ^ sndUna within the head chunk           ^ end
// @hot

import type { Tx } from '../base/tx.ts';
import type { BlockPool } from './block-pool.ts';

const OWN = 1;
const TOKEN = 2;

export class SendQueue {
  #bufs: (Uint8Array | null)[] = [];
  #start: Int32Array = EMPTY;
  #off: Int32Array = EMPTY;
  #len: Int32Array = EMPTY;
  #kind: Int32Array = EMPTY;
  #mask = -1;
  #head = 0;
  #count = 0;
  /** Chunk index (from head) of the last lookup, and where it was: new data goes out in order. */
  #hint = 0;

  get chunks(): number {
    return this.#count;
  }

  /** Chunks that the columns hold without growing. */
  get width(): number {
    return this.#mask + 1;
  }

  /** Adds the program's memory; it stays ours until `release` has counted it. */
  gather(u8: Uint8Array, off: number, len: number, seq: number): void {
    this.#add(u8, off, len, seq, TOKEN);
  }

  /** Copies octets in, filling the last block first. */
  copy(pool: BlockPool, u8: Uint8Array, off: number, len: number, seq: number): void {
    let from = off;
    let left = len;
    let s = seq;
    if (this.#count > 0) {
      const i = (this.#head + this.#count - 1) & this.#mask;
      const block = this.#bufs[i] as Uint8Array;
      if ((this.#kind[i] as number) === OWN) {
        const used = (this.#off[i] as number) + (this.#len[i] as number);
        const n = Math.min(left, block.length - used);
        if (n > 0) {
          fill(block, used, u8, from, n);
          this.#len[i] = (this.#len[i] as number) + n;
          from += n;
          left -= n;
          s = (s + n) | 0;
        }
      }
    }
    while (left > 0) {
      const block = pool.take(left > 1024 || this.#count > 0);
      const n = Math.min(left, block.length);
      fill(block, 0, u8, from, n);
      this.#add(block, 0, n, s, OWN);
      from += n;
      left -= n;
      s = (s + n) | 0;
    }
  }

  /** Forgets everything before `seq`; answers how many gathered writes are the program's again. */
  release(pool: BlockPool, seq: number): number {
    let tokens = 0;
    while (this.#count > 0) {
      const i = this.#head;
      const start = this.#start[i] as number;
      const len = this.#len[i] as number;
      const acked = (seq - start) | 0;
      if (acked < len) {
        if (acked > 0) {
          this.#start[i] = seq;
          this.#off[i] = (this.#off[i] as number) + acked;
          this.#len[i] = len - acked;
        }
        break;
      }
      tokens += this.#drop(pool, i);
    }
    return tokens;
  }

  /** Forgets everything; answers how many gathered writes are the program's again. */
  clear(pool: BlockPool): number {
    let tokens = 0;
    while (this.#count > 0) tokens += this.#drop(pool, this.#head);
    return tokens;
  }

  /** Adds the pieces for [seq, seq + len) to `tx`; answers the octets that found a place. */
  pieces(tx: Tx, seq: number, len: number): number {
    let i = this.#find(seq);
    let skip = (seq - (this.#start[(this.#head + i) & this.#mask] as number)) | 0;
    let left = len;
    while (left > 0 && i < this.#count) {
      const at = (this.#head + i) & this.#mask;
      const n = Math.min(left, (this.#len[at] as number) - skip);
      if (!tx.gather(this.#bufs[at] as Uint8Array, (this.#off[at] as number) + skip, n)) break;
      left -= n;
      skip = 0;
      i++;
    }
    return len - left;
  }

  /** Copies [seq, seq + len) to `to[at…]`. */
  read(to: Uint8Array, at: number, seq: number, len: number): void {
    let i = this.#find(seq);
    let skip = (seq - (this.#start[(this.#head + i) & this.#mask] as number)) | 0;
    let left = len;
    let target = at;
    while (left > 0 && i < this.#count) {
      const c = (this.#head + i) & this.#mask;
      const n = Math.min(left, (this.#len[c] as number) - skip);
      fill(to, target, this.#bufs[c] as Uint8Array, (this.#off[c] as number) + skip, n);
      target += n;
      left -= n;
      skip = 0;
      i++;
    }
  }

  /** Index from the head of the chunk that holds `seq`. */
  #find(seq: number): number {
    let i = this.#hint;
    if (i < this.#count) {
      const at = (this.#head + i) & this.#mask;
      const away = (seq - (this.#start[at] as number)) | 0;
      if (away >= 0) {
        if (away < (this.#len[at] as number)) return i;
        if (i + 1 < this.#count) {
          const next = (at + 1) & this.#mask;
          const further = (seq - (this.#start[next] as number)) | 0;
          if (further >= 0 && further < (this.#len[next] as number)) {
            this.#hint = i + 1;
            return i + 1;
          }
        }
      }
    }
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const mid = (low + high + 1) >>> 1;
      if (((seq - (this.#start[(this.#head + mid) & this.#mask] as number)) | 0) >= 0) low = mid;
      else high = mid - 1;
    }
    i = low;
    this.#hint = i;
    return i;
  }

  #add(buf: Uint8Array, off: number, len: number, seq: number, kind: number): void {
    if (this.#count > this.#mask) this.#grow();
    const i = (this.#head + this.#count) & this.#mask;
    this.#bufs[i] = buf;
    this.#off[i] = off;
    this.#len[i] = len;
    this.#start[i] = seq;
    this.#kind[i] = kind;
    this.#count++;
  }

  #drop(pool: BlockPool, i: number): number {
    const kind = this.#kind[i] as number;
    if (kind === OWN) pool.give(this.#bufs[i] as Uint8Array);
    this.#bufs[i] = null;
    this.#head = (i + 1) & this.#mask;
    this.#count--;
    if (this.#hint > 0) this.#hint--;
    return kind >> 1;
  }

  #grow(): void {
    const n = this.#mask < 0 ? 4 : (this.#mask + 1) * 2;
    const bufs = widenedBufs(n);
    for (let i = 0; i < this.#count; i++) {
      bufs[i] = this.#bufs[(this.#head + i) & this.#mask] as Uint8Array;
    }
    this.#start = this.#widened(this.#start, n);
    this.#off = this.#widened(this.#off, n);
    this.#len = this.#widened(this.#len, n);
    this.#kind = this.#widened(this.#kind, n);
    this.#bufs = bufs;
    this.#head = 0;
    this.#mask = n - 1;
  }

  #widened(old: Int32Array, n: number): Int32Array {
    const wider = new Int32Array(n);
    for (let i = 0; i < this.#count; i++) {
      wider[i] = old[(this.#head + i) & (old.length - 1)] as number;
    }
    return wider;
  }
}

const EMPTY = new Int32Array(0);

/** What a connection has while nothing is queued. Never added to. */
export const NO_QUEUE = new SendQueue();

function widenedBufs(n: number): (Uint8Array | null)[] {
  return new Array<Uint8Array | null>(n).fill(null);
}

/** A short copy is quicker octet by octet than through a view object. */
function fill(to: Uint8Array, at: number, from: Uint8Array, off: number, len: number): void {
  if (len <= 192) {
    for (let i = 0; i < len; i++) to[at + i] = from[off + i] as number;
  } else if (to === from) {
    to.copyWithin(at, off, off + len);
  } else if (off === 0 && len === from.length) {
    to.set(from, at);
  } else {
    to.set(from.subarray(off, off + len), at);
  }
}
