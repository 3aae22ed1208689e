// Chunks of one write that found no room in the send buffer, in order. Their memory is the
// program's, who leaves it alone until the write is done.

import type { TcpSocket } from '../socket/tcp-socket.ts';

export class Backlog {
  readonly #chunks: Uint8Array[] = [];
  /** Octets of the first chunk that lie in the send buffer. */
  #off = 0;

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Into the send buffer as far as there is room, behind what waits. */
  put(handle: TcpSocket, chunk: Uint8Array): void {
    const len = chunk.byteLength;
    const taken = this.empty ? handle.send(chunk, 0, len) : 0;
    if (taken === len) return;
    if (this.empty) this.#off = taken;
    this.#chunks.push(chunk);
  }

  /** There is room again. True: nothing waits any more. Bounded by what one _writev has brought. */
  flush(handle: TcpSocket): boolean {
    let i = 0;
    for (; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] as Uint8Array;
      const left = chunk.byteLength - this.#off;
      const taken = handle.send(chunk, this.#off, left);
      if (taken < left) {
        this.#off += taken;
        break;
      }
      this.#off = 0;
    }
    this.#chunks.splice(0, i);
    return this.empty;
  }

  clear(): void {
    this.#chunks.length = 0;
  }
}

export type WriteCallback = (error?: Error | null) => void;

/** A native half and the socket's own stream may each have a write under way. */
export function both(first: WriteCallback | null, second: WriteCallback): WriteCallback {
  if (first === null) return second;
  return (error) => {
    first(error);
    second(error);
  };
}
