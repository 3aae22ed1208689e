// The faults of a seed, drawn swarm-style (Groce et al. 2012): about half of them are off in any
// one run, so that rare combinations come up and one fault does not hide another.

import { below, fraction, type Random } from '../base/random.ts';
import type { Impairment } from '../link/impair.ts';

export interface Draw {
  random: Random;
  /** Largest chance of loss; default 0.2. */
  maxLoss?: number;
}

/** A number in [low, high), evenly spread over orders of magnitude. */
export function logUniform(random: Random, low: number, high: number): number {
  return low * (high / low) ** fraction(random);
}

export function chance(random: Random, p: number): boolean {
  return fraction(random) < p;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

/** As long as TIME-WAIT lasts: 2 MSL. */
const REPLAY_UP_TO_US = 60_000_000;

/** One direction of a bad network. */
export function drawImpairment(draw: Draw): Impairment {
  const { random } = draw;
  const maxLoss = draw.maxLoss ?? 0.2;
  const on = (): boolean => chance(random, 0.5);
  const o: Impairment = { delayUs: Math.floor(logUniform(random, 10, 200_000)) };
  // up to half of all packets, now and then
  const heavy = chance(random, 0.1) ? 2.5 : 1;
  if (on()) o.loss = Math.min(0.5, fraction(random) * maxLoss * heavy);
  if (on()) o.jitterUs = Math.floor(logUniform(random, 10, 50_000));
  if (on()) o.keepOrder = true;
  if (on()) {
    o.reorder = fraction(random) * 0.2;
    o.reorderUs = Math.floor(logUniform(random, 100, 100_000));
  }
  if (on()) o.duplicate = fraction(random) * 0.2;
  if (on()) o.corrupt = fraction(random) * 0.05;
  if (chance(random, 0.25)) o.truncate = fraction(random) * 0.03;
  if (chance(random, 0.25)) o.trail = fraction(random) * 0.05;
  if (chance(random, 0.25)) {
    o.burst = {
      toBad: 0.01,
      toGood: 0.2 + fraction(random) * 0.5,
      loss: 0.5 + fraction(random) / 2,
    };
  }
  if (chance(random, 0.25)) o.ackLoss = fraction(random) * 0.5;
  if (chance(random, 0.2)) o.synFinLoss = fraction(random) * 0.4;
  if (chance(random, 0.15)) o.everyNth = 3 + below(random, 60);
  if (chance(random, 0.3)) {
    o.replay = fraction(random) * 0.05;
    o.replayUs = Math.floor(logUniform(random, 1000, REPLAY_UP_TO_US));
  }
  if (chance(random, 0.4)) {
    o.rate = logUniform(random, 20_000, 100_000_000);
    o.queue = Math.floor(logUniform(random, 3_000, 500_000));
    if (chance(random, 0.4)) o.codel = { targetUs: Math.floor(logUniform(random, 500, 20_000)) };
  }
  if (chance(random, 0.2)) o.mark = fraction(random) * 0.3;
  return o;
}

/** Up to three spans of up to 30 s in which nothing passes; often none. */
export function drawPartitions(random: Random, startUs: number): (readonly [number, number])[] {
  if (chance(random, 0.7)) return [];
  const spans: (readonly [number, number])[] = [];
  let at = startUs;
  for (let n = 1 + below(random, 3); n > 0; n--) {
    at += logUniform(random, 10_000, 20_000_000);
    const end = at + logUniform(random, 10_000, 30_000_000);
    spans.push([Math.floor(at), Math.floor(end)]);
    at = end;
  }
  return spans;
}
