// Where figures were measured, and the file that they are written to.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** What a figure means nothing without. */
export function circumstances(): Record<string, unknown> {
  const dirty = git('status', '--porcelain', '--', 'src', 'native', 'bench') !== '';
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD') + (dirty ? ' with changes' : ''),
    node: process.versions.node,
    v8: process.versions.v8,
    kernel: release(),
    cpu: cpus()[0]?.model ?? arch(),
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    /** Others at work make every figure worse: above the number of CPUs, do not quote them. */
    loadBefore: loadavg()[0],
  };
}

/** Writes `bench/results/<name>.json`, or the file that the option names; answers its path. */
export function save(name: string, file: string, content: Record<string, unknown>): string {
  const target = file === '' ? join(ROOT, 'bench', 'results', `${name}.json`) : file;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${JSON.stringify(content, null, 2)}\n`);
  return relative(process.cwd(), target);
}

/** Writes a text beside the figures, under bench/results/; answers its path. */
export function saveText(name: string, text: string): string {
  const target = join(ROOT, 'bench', 'results', name);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  return relative(process.cwd(), target);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2;
}
