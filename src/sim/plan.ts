// How the programs at the two ends of a connection behave.

import { below, type Random } from '../base/random.ts';
import { chance, logUniform, pick } from './faults.ts';

/** How one end of a connection behaves. */
export interface Plan {
  /** Octets to send; an echo sends back what it gets. */
  octets: number;
  echo: boolean;
  /** Size of a write: fixed, or drawn up to this. */
  chunk: number;
  chunkDrawn: boolean;
  /** Uses `send` (copies) and not `write`. */
  copies: boolean;
  /** Goes on writing this many chunks after "full". */
  ignoresFull: number;
  /** Waits between writes, µs; 0 = none. */
  writePauseUs: number;
  /** Chance per delivery to pause reading, and for how long. */
  pauseChance: number;
  pauseUs: number;
  /** Sends its FIN only after the peer's. */
  endsLast: boolean;
  /** Calls `close` when everything is done, else leaves it to the two shutdowns. */
  closes: boolean;
  noDelay: boolean;
  corks: boolean;
  /** Aborts after that many octets received or sent; -1: never. */
  abortAt: number;
  /** By `close` in the middle of it, which resets the peer when something is unread. */
  abortsByClose: boolean;
  /** Keep-alive after so much silence; 0: none. */
  keepAliveMs: number;
}

export function drawPlan(random: Random, octets: number): Plan {
  return {
    octets,
    echo: false,
    chunk: Math.max(1, Math.floor(pick(random, [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]))),
    chunkDrawn: chance(random, 0.5),
    copies: chance(random, 0.5),
    ignoresFull: chance(random, 0.2) ? below(random, 4) : 0,
    writePauseUs: chance(random, 0.3) ? Math.floor(logUniform(random, 10, 300_000)) : 0,
    pauseChance: chance(random, 0.4) ? 0.3 : 0,
    pauseUs: Math.floor(logUniform(random, 100, 2_000_000)),
    endsLast: false,
    closes: chance(random, 0.5),
    noDelay: chance(random, 0.5),
    corks: chance(random, 0.1),
    abortAt: -1,
    abortsByClose: chance(random, 0.5),
    keepAliveMs: chance(random, 0.2) ? Math.floor(logUniform(random, 5_000, 60_000)) : 0,
  };
}

/** A program that moves octets and does nothing else. */
export function bulkPlan(octets: number): Plan {
  return {
    octets,
    echo: false,
    chunk: 1 << 20,
    chunkDrawn: false,
    copies: false,
    ignoresFull: 0,
    writePauseUs: 0,
    pauseChance: 0,
    pauseUs: 0,
    endsLast: false,
    closes: true,
    noDelay: false,
    corks: false,
    abortAt: -1,
    abortsByClose: false,
    keepAliveMs: 0,
  };
}
