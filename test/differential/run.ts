// Differential runs: scripts at random on the kernel and on our stack; every divergence must be on
// the list of those that have been looked at (allowed.ts).

import { SeededRandom } from '../../src/base/random.ts';
import { reasonFor } from './allowed.ts';
import { compare, report } from './compare.ts';
import { Kernel } from './kernel.ts';
import { randomScript } from './steps.ts';

/** Divergences that are told in full; the others are counted. */
const MOST_TOLD = 40;

export interface Tally {
  same: number;
  /** The machine was too busy. */
  unjudged: number;
  readonly listed: Map<string, number>;
  readonly unlisted: string[];
}

export async function differentialTally(n: number, seed: number): Promise<Tally> {
  const tally: Tally = { same: 0, unjudged: 0, listed: new Map(), unlisted: [] };
  const kernel = await Kernel.open();
  try {
    for (let i = 0; i < n; i++) {
      const id = seed * 100_003 + i;
      const script = randomScript(new SeededRandom(id), i);
      const { divergence, judged } = await compare(kernel, script, id);
      if (!judged) tally.unjudged++;
      else if (divergence === null) tally.same++;
      else {
        const reason = reasonFor(divergence);
        if (reason !== null) tally.listed.set(reason, (tally.listed.get(reason) ?? 0) + 1);
        else tally.unlisted.push(`script ${i} of seed ${seed}:\n${report(divergence)}`);
      }
    }
  } finally {
    kernel.close();
  }
  return tally;
}

/** Tells what was found; answers the number of divergences that nobody has looked at. */
export async function differential(
  n: number,
  seed: number,
  say: (line: string) => void,
): Promise<number> {
  const tally = await differentialTally(n, seed);
  for (const text of tally.unlisted.slice(0, MOST_TOLD)) say(text);
  for (const [reason, count] of [...tally.listed].sort((a, b) => b[1] - a[1])) {
    say(`${count} × ${reason}`);
  }
  say(
    `${n} scripts: ${tally.same} alike, ${n - tally.same - tally.unjudged - tally.unlisted.length} ` +
      `differ as listed, ${tally.unlisted.length} differ otherwise, ${tally.unjudged} not judged`,
  );
  return tally.unlisted.length;
}
