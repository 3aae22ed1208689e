// What a figure means nothing without.

import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Circumstances {
  readonly date: string;
  readonly node: string;
  readonly v8: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  /** Above the number of CPUs others had the machine. */
  readonly loadBefore: number;
}

export function circumstances(): Circumstances {
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    v8: process.versions.v8,
    kernel: release(),
    cpu: cpus()[0]?.model ?? process.arch,
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0] as number,
  };
}
