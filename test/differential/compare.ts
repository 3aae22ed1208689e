// Runs a script on both sides and finds the first step at which they differ. From there on the two
// connections may be in different states: the rest is not compared.

import type { Kernel } from './kernel.ts';
import { type Outcome, runOurs } from './ours.ts';
import { type Script, shown } from './steps.ts';

/** Above this the kernel may have acted on a timer (its shortest, a tail loss probe, is 8 ms). */
const MOST_US = 4000;
const ATTEMPTS = 5;

export interface Divergence {
  readonly script: Script;
  /** Number of the step, and the two outcomes. */
  readonly at: number;
  readonly kernel: Outcome;
  readonly ours: Outcome;
}

export interface Compared {
  readonly divergence: Divergence | null;
  /** False: the machine was too busy for the kernel's side to be judged. */
  readonly judged: boolean;
}

/**
 * A difference counts when it is there twice at the same step: on a busy machine the kernel may take
 * a packet later than the call that follows it.
 */
export async function compare(kernel: Kernel, script: Script, seed: number): Promise<Compared> {
  let suspected = -1;
  for (let i = 0; i < ATTEMPTS; i++) {
    const fresh = i === 0 ? script : moved(script, i);
    const { outcomes, us } = await kernel.run(fresh);
    if (us > MOST_US) continue;
    const divergence = difference(fresh, outcomes, runOurs(fresh, seed));
    if (divergence === null || divergence.at === suspected) return { divergence, judged: true };
    suspected = divergence.at;
  }
  return { divergence: null, judged: false };
}

/** The same from another port: what the kernel remembers of the first attempt does not matter. */
function moved(script: Script, attempt: number): Script {
  const port = script.port - 300 * attempt;
  const steps = script.steps.map((s) =>
    'verb' in s && s.arg === script.port ? { ...s, arg: port } : s,
  );
  return { ...script, port, steps };
}

function difference(script: Script, kernel: Outcome[], ours: Outcome[]): Divergence | null {
  for (let at = 0; at < script.steps.length; at++) {
    const k = kernel[at] as Outcome;
    const o = ours[at] as Outcome;
    if (k.answer === o.answer && k.packets.join('\n') === o.packets.join('\n')) continue;
    return { script, at, kernel: k, ours: o };
  }
  return null;
}

export function report(d: Divergence): string {
  const lines = d.script.steps.slice(0, d.at + 1).map((s) => `  ${shown(s)}`);
  const side = (name: string, o: Outcome): string =>
    `  ${name}: ${o.answer === null ? '' : `${o.answer} `}${o.packets.join(' | ')}`;
  return [...lines, side('kernel', d.kernel), side('ours  ', d.ours)].join('\n');
}
