// The host's source of randomness: the system's CSPRNG, drawn a pool at a time (RFC 6528 and RFC
// 6056 want sequence numbers and ports that nobody can guess; a call per number costs 1.5 µs).

import { randomFillSync } from 'node:crypto';
import type { Random } from '../base/random.ts';

const POOL_WORDS = 1024;

export class SystemRandom implements Random {
  readonly #pool = new Int32Array(POOL_WORDS);
  #left = 0;

  /** 32 random bits as int32; each is given out once and wiped. */
  next(): number {
    if (this.#left === 0) {
      randomFillSync(this.#pool);
      this.#left = POOL_WORDS;
    }
    this.#left--;
    const word = this.#pool[this.#left] as number;
    this.#pool[this.#left] = 0;
    return word;
  }
}
