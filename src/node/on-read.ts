// `onread` of net.Socket: received octets go into memory of the program's own, which a callback
// hears of, instead of 'data' events. What does not fit before the callback says stop waits here.

import type { Edge } from './edge.ts';
import { rethrow } from './rethrow.ts';

/** The option as the program gives it. */
export interface OnReadOptions {
  buffer: Uint8Array | (() => Uint8Array);
  callback: (octets: number, buffer: Uint8Array) => boolean | undefined;
}

/** The option when it is one that Node would use; everything else is ignored, as Node does. */
export function usableOnRead(value: unknown): OnReadOptions | null {
  if (value === null || typeof value !== 'object') return null;
  const { buffer, callback } = value as Partial<OnReadOptions>;
  const usable = buffer instanceof Uint8Array || typeof buffer === 'function';
  return usable && typeof callback === 'function' ? (value as OnReadOptions) : null;
}

export class OnRead {
  readonly #edge: Edge;
  readonly #options: OnReadOptions;
  #buffer: Uint8Array | null = null;
  /** Octets that came after the callback had said stop: at most one delivery. */
  #waiting: Uint8Array | null = null;
  #soon = false;

  constructor(edge: Edge, options: OnReadOptions) {
    this.#edge = edge;
    this.#options = options;
  }

  get waiting(): boolean {
    return this.#waiting !== null;
  }

  clear(): void {
    this.#waiting = null;
  }

  deliver(u8: Uint8Array, off: number, len: number): void {
    const edge = this.#edge;
    const end = off + len;
    let at = off;
    while (at < end && edge.reading && !edge.socket.destroyed) {
      const n = this.#fill(u8, at, end - at);
      if (n === 0) return; // a buffer of no octets takes none, ever
      at += n;
    }
    if (at < end && !edge.socket.destroyed) this.#waiting = u8.slice(at, end);
  }

  /** Reading goes on: first what waits, then what the handle has. */
  deliverSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      const piece = this.#waiting;
      if (piece === null || !this.#edge.reading) return;
      this.#waiting = null;
      this.deliver(piece, 0, piece.length);
      if (this.#edge.reading) this.#edge.resumeHandle();
    });
  }

  /** Copies what fits into the program's buffer and calls it; answers how much that was. */
  #fill(u8: Uint8Array, off: number, len: number): number {
    const { callback, buffer: source } = this.#options;
    const buffer = this.#buffer ?? this.#next();
    const n = Math.min(len, buffer.length);
    buffer.set(u8.subarray(off, off + n));
    let more = true;
    try {
      more = this.#edge.resource.runInAsyncScope(callback, this.#edge.socket, n, buffer) !== false;
    } catch (error) {
      rethrow(error);
    }
    if (typeof source === 'function') this.#next();
    if (!more) this.#edge.stopReading();
    return n;
  }

  /** The next buffer; one that is none leaves the last in use. */
  #next(): Uint8Array {
    const { buffer } = this.#options;
    const next = typeof buffer === 'function' ? buffer() : buffer;
    if (next instanceof Uint8Array) this.#buffer = next;
    return this.#buffer ?? new Uint8Array(0);
  }
}
