// Token buckets for ICMP errors, one for each destination (RFC 1812 §4.3.2.8). No bucket is shared
// between destinations and each answer's threshold is jittered, so that nobody can count from afar
// what others have triggered (the side channel of SAD DNS, CVE-2020-25705). The table is bounded:
// sets of four under a keyed hash, least recently used first out.

import { FlowHash, mix } from '../base/hash.ts';
import { below, type Random } from '../base/random.ts';

export interface LimiterConfig {
  icmpRatePerSecond: number;
  icmpBurst: number;
}

const WAYS = 4;
const SETS = 256;
/** Tokens by which the threshold of one answer moves at most. */
const JITTER = 8;

export class IcmpLimiter {
  readonly #config: LimiterConfig;
  readonly #random: Random;
  readonly #key: FlowHash;
  readonly #words = new Int32Array(SETS * WAYS * 4);
  readonly #tokens = new Float64Array(SETS * WAYS);
  /** When the bucket was last filled, µs; -1 = free. */
  readonly #filled = new Float64Array(SETS * WAYS).fill(-1);

  constructor(config: LimiterConfig, random: Random) {
    this.#config = config;
    this.#random = random;
    this.#key = new FlowHash(random);
  }

  /** Destinations that have a bucket. */
  get size(): number {
    let n = 0;
    for (const at of this.#filled) if (at >= 0) n++;
    return n;
  }

  /** Takes a token of the destination in `words`; false when the error must not be sent. */
  allow(words: Int32Array, nowUs: number): boolean {
    const { icmpRatePerSecond, icmpBurst } = this.#config;
    if (icmpBurst <= 0) return false;
    const i = this.#bucket(words, nowUs);
    const elapsed = Math.max(0, nowUs - (this.#filled[i] as number));
    const full = (this.#tokens[i] as number) + (elapsed * icmpRatePerSecond) / 1e6;
    const tokens = Math.min(icmpBurst, full);
    this.#filled[i] = nowUs;
    this.#tokens[i] = tokens;
    const jitter = below(this.#random, Math.min(JITTER, icmpBurst));
    if (tokens < 1 + jitter) return false;
    this.#tokens[i] = tokens - 1;
    return true;
  }

  #bucket(words: Int32Array, nowUs: number): number {
    const k = this.#key;
    let h = mix(k.k0, words[0] as number, k.k1);
    h = mix(h, words[1] as number, k.k2);
    h = mix(h, words[2] as number, k.k1);
    const set = (mix(h, words[3] as number, k.k2) & (SETS - 1)) * WAYS;
    let oldest = set;
    for (let i = set; i < set + WAYS; i++) {
      if ((this.#filled[i] as number) >= 0 && this.#same(i, words)) return i;
      if ((this.#filled[i] as number) < (this.#filled[oldest] as number)) oldest = i;
    }
    for (let w = 0; w < 4; w++) this.#words[oldest * 4 + w] = words[w] as number;
    this.#tokens[oldest] = this.#config.icmpBurst;
    this.#filled[oldest] = nowUs;
    return oldest;
  }

  #same(i: number, words: Int32Array): boolean {
    for (let w = 0; w < 4; w++) if (this.#words[i * 4 + w] !== words[w]) return false;
    return true;
  }
}
