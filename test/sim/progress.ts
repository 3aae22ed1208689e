// What the simulator remembers from one call to the next: the ledger of seeds that ever failed (in
// the repository, replayed first), and how far an interrupted run has come (in build/).

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const LEDGER = fileURLToPath(new URL('./failed-seeds.json', import.meta.url));
const STATE = fileURLToPath(new URL('../../build/sim-state.json', import.meta.url));
const MOST = 200;
const COLUMNS = 100;

/** Seeds that have failed at any time. */
export function ledger(): number[] {
  const list = read(LEDGER);
  return Array.isArray(list) ? list.filter((n): n is number => typeof n === 'number') : [];
}

export function remember(seeds: readonly number[]): void {
  if (seeds.length === 0) return;
  const all = [...new Set([...ledger(), ...seeds])].sort((a, b) => a - b).slice(0, MOST);
  writeFileSync(LEDGER, laidOut(all));
}

/** As the formatter of this repository lays a list of numbers out. */
function laidOut(seeds: readonly number[]): string {
  const flat = `[${seeds.join(', ')}]`;
  if (flat.length <= COLUMNS) return `${flat}\n`;
  const lines: string[] = [];
  let line = ' ';
  for (const [i, seed] of seeds.entries()) {
    const next = ` ${seed}${i + 1 < seeds.length ? ',' : ''}`;
    if (line.length + next.length > COLUMNS) {
      lines.push(line);
      line = ' ';
    }
    line += next;
  }
  return `[\n${[...lines, line].join('\n')}\n]\n`;
}

/** How far a run has come, and what all runs together have done. */
export interface State {
  /** Arguments of the interrupted run; '' when the last one came to its end. */
  args: string;
  next: number;
  seeds: number;
  octets: number;
  failed: number[];
  /** Over all runs in this checkout. */
  everSeeds: number;
  everOctets: number;
}

const FRESH: State = {
  args: '',
  next: 1,
  seeds: 0,
  octets: 0,
  failed: [],
  everSeeds: 0,
  everOctets: 0,
};

export function loadState(): State {
  const found = read(STATE);
  return typeof found === 'object' && found !== null ? { ...FRESH, ...found } : { ...FRESH };
}

export function saveState(state: State): void {
  mkdirSync(dirname(STATE), { recursive: true });
  writeFileSync(STATE, `${JSON.stringify(state)}\n`);
}

export function forgetState(): void {
  rmSync(STATE, { force: true });
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
