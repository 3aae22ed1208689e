// Fragments as a judge sees them arrive: when all octets of a TCP segment have reached a host in
// whatever order, they count as arrived. Generous on purpose: damaged copies are not told apart, so
// that a stack is never accused of having taken what it was given.

import { resum } from './craft.ts';
import { Islands } from './first-sent.ts';

interface Whole {
  islands: Islands;
  /** The first fragment, once it is there: headers and some data. */
  head: Uint8Array | null;
  /** Octets behind the IP header; 0 while the last fragment is missing. */
  total: number;
}

const MOST = 4096;

export class Pieces {
  readonly #open = new Map<string, Whole>();

  /**
   * A fragment has arrived. Answers the headers of the packet when it is whole, sums and
   * length put right, and null while it is not.
   */
  take(octets: Uint8Array, off: number, more: boolean): Uint8Array | null {
    const key = `${octets[4]},${octets[5]},${octets.subarray(12, 20).join()}`;
    let whole = this.#open.get(key);
    if (whole === undefined) {
      if (this.#open.size >= MOST) this.#forgetOldest();
      whole = { islands: new Islands(), head: null, total: 0 };
      this.#open.set(key, whole);
    }
    const header = ((octets[0] as number) & 15) * 4;
    const end = off + octets.length - header;
    whole.islands.add(off, end);
    if (off === 0) whole.head = octets.slice();
    if (!more) whole.total = end;
    if (whole.head === null || whole.total === 0) return null;
    if (!whole.islands.covers(0, whole.total)) return null;
    const len = header + whole.total;
    const packet = new Uint8Array(len);
    packet.set(whole.head.subarray(0, len));
    packet[2] = len >>> 8;
    packet[3] = len & 255;
    packet[6] = 0;
    packet[7] = 0;
    resum(packet);
    return packet;
  }

  #forgetOldest(): void {
    for (const key of this.#open.keys()) {
      this.#open.delete(key);
      return;
    }
  }
}
