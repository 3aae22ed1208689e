// Identification of datagrams in fragments, and flow labels. IPv6's identifications are random (RFC
// 7739 §5.1: 32 bits leave room for that), its flow labels a keyed hash of the flow (RFC 6437 §3).
// Identification of IPv4 datagrams that may be fragmented (RFC 6864 §4.3): not repeated for a
// (source, destination, protocol) before 65,536 others, and no counter that somebody else can
// watch. Each flow has a counter of its own in a bounded cache and a keyed offset of its own; a
// flow that comes back after eviction goes on above every count that its set has seen.
// @hot

import { FlowHash, mix, SipKey, sipHash } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import type { AddressPair } from '../wire/checksum.ts';

const WAYS = 4;
const SETS = 512;
/** source, destination, protocol, offset, count, stamp of last use. */
const STRIDE = 6;

export class Idents {
  readonly #key: FlowHash;
  readonly #label: FlowHash;
  readonly #random: Random;
  readonly #secret: SipKey;
  readonly #cells = new Int32Array(SETS * WAYS * STRIDE);
  readonly #highest = new Int32Array(SETS);
  readonly #words = new Int32Array(3);
  #stamp = 0;

  constructor(random: Random) {
    this.#key = new FlowHash(random);
    this.#secret = new SipKey(random);
    this.#label = new FlowHash(random);
    this.#random = random;
  }

  /** 32 bits for the next IPv6 datagram that is cut. */
  next6(): number {
    return this.#random.next() | 0;
  }

  /** 20 bits, the same for every packet of a flow. @param ports of the transport, 0 without */
  label(pair: AddressPair, protocol: number, ports: number): number {
    const k = this.#label;
    let h = mix(k.k0, pair.src2, k.k1);
    h = mix(h, pair.src3, k.k2);
    h = mix(h, pair.dst0, k.k1);
    h = mix(h, pair.dst1, k.k2);
    h = mix(h, pair.dst2, k.k1);
    h = mix(h, pair.dst3, k.k2);
    h = mix(h, ports, k.k1);
    return mix(h, protocol, k.k2) >>> 12;
  }

  /** 16 bits for the next datagram of a flow. Addresses are IPv4's 32 bits. */
  next(src: number, dst: number, protocol: number): number {
    const k = this.#key;
    const set = mix(mix(mix(k.k0, src, k.k1), dst, k.k2), protocol, k.k1) & (SETS - 1);
    const cells = this.#cells;
    this.#stamp = (this.#stamp + 1) | 0;
    let at = -1;
    let oldest = set * WAYS * STRIDE;
    for (let i = 0; i < WAYS; i++) {
      const cell = (set * WAYS + i) * STRIDE;
      if (cells[cell] === src && cells[cell + 1] === dst && cells[cell + 2] === protocol) {
        at = cell;
        break;
      }
      const age = (this.#stamp - (cells[cell + 5] as number)) | 0;
      if (age > ((this.#stamp - (cells[oldest + 5] as number)) | 0)) oldest = cell;
    }
    if (at < 0) {
      at = oldest;
      cells[at] = src;
      cells[at + 1] = dst;
      cells[at + 2] = protocol;
      cells[at + 3] = this.#offset(src, dst, protocol);
      cells[at + 4] = this.#highest[set] as number;
    }
    const count = ((cells[at + 4] as number) + 1) | 0;
    cells[at + 4] = count;
    cells[at + 5] = this.#stamp;
    if (((count - (this.#highest[set] as number)) | 0) > 0) this.#highest[set] = count;
    return ((cells[at + 3] as number) + count) & 0xffff;
  }

  #offset(src: number, dst: number, protocol: number): number {
    this.#words[0] = src;
    this.#words[1] = dst;
    this.#words[2] = protocol;
    return sipHash(this.#secret, this.#words, 3);
  }
}
