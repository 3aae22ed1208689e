// The content behind `/bytes/N`: one block of pseudo-random octets, repeated. Its length is a
// prime, so no power-of-two shift, loss or duplication of octets gives the same digest. The block
// is written again and again without a copy.

import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { SeededRandom } from '../base/random.ts';

const BLOCK_OCTETS = 1_048_573;
/** Octets handed to the socket and not yet given back: hides the turn between two callbacks. */
const AHEAD = 8 * BLOCK_OCTETS;

let shared: Buffer | null = null;

function block(): Buffer {
  if (shared !== null) return shared;
  const random = new SeededRandom(5201);
  shared = Buffer.alloc(BLOCK_OCTETS);
  for (let i = 0; i + 4 <= BLOCK_OCTETS; i += 4) shared.writeInt32LE(random.next(), i);
  shared[BLOCK_OCTETS - 1] = 0x2a;
  return shared;
}

export interface Bytes {
  readonly length: number;
}

export function bytesOf(length: number): Bytes {
  return { length };
}

/** SHA-256 in hex of the octets [0, n): what a client of `/bytes/n` must have received. */
export function bytesDigest(n: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < n; at += BLOCK_OCTETS) {
    hash.update(block().subarray(0, Math.min(BLOCK_OCTETS, n - at)));
  }
  return hash.digest('hex');
}

/** Writes the octets [from, to) to `out` and ends it; stops when `out` goes away. */
export function streamBytes(out: Writable, from: number, to: number): void {
  let at = from;
  let ahead = 0;
  let ended = false;
  const pump = (): void => {
    while (at < to && ahead < AHEAD && !out.destroyed) {
      const start = at % BLOCK_OCTETS;
      const n = Math.min(BLOCK_OCTETS - start, to - at);
      at += n;
      ahead += n;
      out.write(block().subarray(start, start + n), () => {
        ahead -= n;
        pump();
      });
    }
    if (at === to && !ended && !out.destroyed) {
      ended = true;
      out.end();
    }
  };
  pump();
}
