// Randomness is an argument. The host passes a cryptographic source; simulations pass a seed.

export interface Random {
  /** 32 random bits as int32. */
  next(): number;
}

/** Uniform integer in [0, n), n at most 2^31, without modulo bias. */
export function below(random: Random, n: number): number {
  if (n <= 1) return 0;
  const limit = 0x1_0000_0000 - (0x1_0000_0000 % n);
  for (let i = 0; i < 64; i++) {
    const r = random.next() >>> 0;
    if (r < limit) return r % n;
  }
  return 0; // 64 rejections in a row: at most 2^-64, and still a legal value
}

/** Uniform in [0, 1) with 32 bits of resolution. */
export function fraction(random: Random): number {
  return (random.next() >>> 0) / 0x1_0000_0000;
}

/** xoshiro128** (Blackman, Vigna 2018): fast and reproducible; not for secrets. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  constructor(seed: number) {
    let x = seed | 0;
    const split = (): number => {
      // splitmix32 spreads a small seed over the whole state
      x = (x + 0x9e3779b9) | 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = split();
    this.#b = split();
    this.#c = split();
    this.#d = split() | 1;
  }

  next(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result | 0;
  }
}
