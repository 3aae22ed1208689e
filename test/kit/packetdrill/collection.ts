// Runs scripts that are not this repository's: whole directories of packetdrill files. Every file is
// passed, failed, or does not apply, and then with the reason: what it needs and portside has not.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { PdError } from './cursor.ts';
import { type PdRig, runPd } from './run.ts';

export type Fate = 'passed' | 'failed' | 'not applicable';

export interface Verdict {
  readonly file: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly fate: Fate;
  /** '' when it passed. */
  readonly reason: string;
}

export interface CollectionOptions {
  readonly profile: string;
  /** Written for another stack: its choice of options and windows does not count. */
  readonly loose: boolean;
  readonly families: readonly ('ipv4' | 'ipv6')[];
}

/** The packet scripts under `path`, or `path` itself. */
export function scriptFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.pkt'))
    .sort()
    .map((name) => join(path, name));
}

const WRITTEN_FAMILY = /^\s*--ip_version=(\S+)/m;

/** One verdict for each family that the script can be run under. */
export function playFile(file: string, o: CollectionOptions): Verdict[] {
  const source = readFileSync(file, 'utf8');
  const written = WRITTEN_FAMILY.exec(source)?.[1];
  if (written === 'ipv4' || written === 'ipv6') return [play(file, source, written, o, true)];
  return o.families.map((family) => play(file, source, family, o, false));
}

function play(
  file: string,
  source: string,
  family: 'ipv4' | 'ipv6',
  o: CollectionOptions,
  written: boolean,
): Verdict {
  const beside = (name: string): string | null => {
    const path = resolve(dirname(file), name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  };
  const options = new Map([
    ['profile', o.profile],
    ['loose', String(o.loose)],
    ['ip_version', family],
  ]);
  // a script that was written for IPv4 knows the MSS of its MTU
  if (family === 'ipv6' && !written) options.set('mtu', '1520');
  const rig: PdRig = { options, beside, leftovers: true };
  try {
    runPd(source, rig);
    return { file, family, fate: 'passed', reason: '' };
  } catch (error) {
    if (!(error instanceof PdError)) throw error;
    if (error.notHere === '') return { file, family, fate: 'failed', reason: error.message };
    return { file, family, fate: 'not applicable', reason: error.notHere };
  }
}

export interface Tally {
  readonly files: number;
  readonly runs: number;
  readonly applicable: number;
  readonly passed: number;
  readonly failed: number;
  /** What scripts needed that is not here, and how often, the commonest first. */
  readonly notHere: readonly (readonly [string, number])[];
}

export function tally(verdicts: readonly Verdict[]): Tally {
  const count = (fate: Fate): number => verdicts.filter((v) => v.fate === fate).length;
  const reasons = new Map<string, number>();
  for (const v of verdicts) {
    if (v.fate === 'not applicable') reasons.set(v.reason, (reasons.get(v.reason) ?? 0) + 1);
  }
  return {
    files: new Set(verdicts.map((v) => v.file)).size,
    runs: verdicts.length,
    applicable: count('passed') + count('failed'),
    passed: count('passed'),
    failed: count('failed'),
    notHere: [...reasons].sort((a, b) => b[1] - a[1]),
  };
}
