// What came on an iperf3 control connection and is not understood yet: states of one octet, and
// JSON texts behind their length (u32, big-endian). Both ends of the protocol read by it.

import { fromAscii } from './ascii.ts';
import { MAX_RESULTS } from './iperf3-protocol.ts';

export class Inbox {
  #box = new Uint8Array(0);

  get length(): number {
    return this.#box.length;
  }

  /** Takes octets in; false: more would wait than any message has. */
  push(u8: Uint8Array, off: number, len: number): boolean {
    if (this.#box.length + len > MAX_RESULTS) return false;
    const joined = new Uint8Array(this.#box.length + len);
    joined.set(this.#box);
    joined.set(u8.subarray(off, off + len), this.#box.length);
    this.#box = joined;
    return true;
  }

  /** The next octet, signed; at least one must be there. */
  state(): number {
    const state = ((this.#box[0] as number) << 24) >> 24;
    this.#box = this.#box.slice(1);
    return state;
  }

  /** The four octets in front as a number, which stay; -1: they are not there yet. */
  number(): number {
    return this.#box.length < 4 ? -1 : new DataView(this.#box.buffer).getUint32(0);
  }

  /** A text behind its length; null: it is not complete yet. */
  text(): string | null {
    const size = this.number();
    if (size < 0 || this.#box.length < 4 + size) return null;
    const text = fromAscii(this.#box, 4, 4 + size);
    this.#box = this.#box.slice(4 + size);
    return text;
  }

  clear(): void {
    this.#box = new Uint8Array(0);
  }
}
