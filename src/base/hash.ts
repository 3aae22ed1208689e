// Keyed hashes. Two kinds, for two needs:
//  - FlowHash: multiply-xor with a random key, about 5 ns for a 4-tuple. An attacker who cannot
//    see the key cannot aim at a bucket; the flow table also bounds its probes and re-keys when it
//    must.
//  - sipHash: HalfSipHash-2-4 (Aumasson, Bernstein), for what is visible on the wire: ISNs
//    (RFC 6528), timestamp offsets, IP identifications, port offsets. About 70 ns.
// @hot

import type { Random } from './random.ts';

export class FlowHash {
  readonly k0: number;
  readonly k1: number;
  readonly k2: number;
  readonly k3: number;
  constructor(random: Random) {
    this.k0 = random.next() | 0;
    this.k1 = random.next() | 1;
    this.k2 = random.next() | 1;
    this.k3 = random.next() | 0;
  }
}

/** One round of mixing: `h` absorbs `word`. */
export function mix(h: number, word: number, odd: number): number {
  let x = Math.imul(h ^ word, odd);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return x ^ (x >>> 13);
}

/** Secret key of the HalfSipHash family. */
export class SipKey {
  readonly k0: number;
  readonly k1: number;
  /** Words of a shorter message, and of what is appended to it. */
  readonly words = new Int32Array(11);
  constructor(random: Random) {
    this.k0 = random.next() | 0;
    this.k1 = random.next() | 0;
  }
}

/** HalfSipHash-2-4 over `n` int32 words of `words`; the answer is an int32. */
export function sipHash(key: SipKey, words: Int32Array, n: number): number {
  let v0 = key.k0;
  let v1 = key.k1;
  let v2 = 0x6c796765 ^ key.k0;
  let v3 = 0x74656462 ^ key.k1;
  const rounds = n + 1;
  for (let i = 0; i < rounds + 2; i++) {
    // n message words, one word of length, then the finalisation as two double rounds
    let m = 0;
    if (i < n) m = words[i] as number;
    else if (i === n) m = (n << 26) | 0;
    else if (i === rounds) v2 ^= 0xff;
    v3 ^= m;
    for (let r = 0; r < 2; r++) {
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5) | (v1 >>> 27);
      v1 ^= v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8) | (v3 >>> 24);
      v3 ^= v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7) | (v3 >>> 25);
      v3 ^= v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13) | (v1 >>> 19);
      v1 ^= v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= m;
  }
  return v1 ^ v3;
}

const V4_MAPPED = 0x0000ffff;

/** sipHash over the nine words of a flow key; a flow of IPv4 has three that say anything. */
export function sipFlow(key: SipKey, flow: Int32Array): number {
  return sipHash(key, key.words, packFlow(key, flow));
}

/** The same with two words more. */
export function sipFlowWith(key: SipKey, flow: Int32Array, a: number, b: number): number {
  const n = packFlow(key, flow);
  key.words[n] = a;
  key.words[n + 1] = b;
  return sipHash(key, key.words, n + 2);
}

/** The length is part of the hash: a short message is never another one's front. */
function packFlow(key: SipKey, flow: Int32Array): number {
  const words = key.words;
  const zeros =
    (flow[0] as number) | (flow[1] as number) | (flow[4] as number) | (flow[5] as number);
  if (zeros === 0 && flow[2] === V4_MAPPED && flow[6] === V4_MAPPED) {
    words[0] = flow[3] as number;
    words[1] = flow[7] as number;
    words[2] = flow[8] as number;
    return 3;
  }
  for (let i = 0; i < 9; i++) words[i] = flow[i] as number;
  return 9;
}
