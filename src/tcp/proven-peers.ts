// Peers that have completed a handshake lately: under a SYN flood the last quarter of the SYN queue
// is theirs (RFC 4987 §3.3, Linux's tcp_peer_is_proven). A direct-mapped table with a keyed hash:
// constant memory, a newcomer takes the place of whoever hashes there.

import { FlowHash, mix } from '../base/hash.ts';
import type { Random } from '../base/random.ts';

const PLACES = 1024;

export class ProvenPeers {
  readonly #hash: FlowHash;
  readonly #words = new Int32Array(PLACES * 4);

  constructor(random: Random) {
    this.#hash = new FlowHash(random);
  }

  add(a: number, b: number, c: number, d: number): void {
    const at = this.#place(a, b, c, d);
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
  }

  has(a: number, b: number, c: number, d: number): boolean {
    const at = this.#place(a, b, c, d);
    const w = this.#words;
    return w[at] === a && w[at + 1] === b && w[at + 2] === c && w[at + 3] === d;
  }

  #place(a: number, b: number, c: number, d: number): number {
    const k = this.#hash;
    let h = mix(k.k0, a, k.k1);
    h = mix(h, b, k.k2);
    h = mix(h, c, k.k1);
    h = mix(h, d, k.k2);
    return (h & (PLACES - 1)) * 4;
  }
}
