// The medians of `portside bench`, as rows and as a table for people.

import { CELLS, type Cell } from './cells.ts';
import type { Measured } from './command.ts';
import type { Via } from './serve.ts';

export interface Row {
  readonly cell: string;
  readonly what: string;
  readonly unit: string;
  readonly via: Via;
  /** Medians over the rounds. */
  readonly rate: number;
  /** To Node on the kernel within a round; null without it. */
  readonly ratio: number | null;
  readonly p50Us: number;
  readonly p99Us: number;
  /** µs of the far end's CPU time for one operation; per 64 KB where octets count. */
  readonly cpuUs: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2;
}

function rowOf(samples: readonly Measured[], cell: Cell, via: Via): Row | null {
  const mine = samples.filter((m) => m.cell === cell.name && m.via === via);
  if (mine.length === 0) return null;
  const base = new Map<number, number>();
  for (const m of samples) if (m.cell === cell.name && m.via === 'node') base.set(m.round, m.rate);
  const ratios: number[] = [];
  for (const m of mine) {
    const kernel = base.get(m.round);
    if (kernel !== undefined && kernel > 0) ratios.push(m.rate / kernel);
  }
  const each = cell.unit === 'k/s' ? 1e3 : 1e9 / 8 / 65_536;
  return {
    cell: cell.name,
    what: cell.what,
    unit: cell.unit,
    via,
    rate: median(mine.map((m) => m.rate)),
    ratio: ratios.length === 0 ? null : median(ratios),
    p50Us: median(mine.map((m) => m.sample.p50Us)),
    p99Us: median(mine.map((m) => m.sample.p99Us)),
    cpuUs: median(mine.map((m) => (m.sample.farCpu * 1e6) / (m.rate * each))),
  };
}

export function rowsOf(
  samples: readonly Measured[],
  cells: readonly Cell[],
  vias: readonly Via[],
): Row[] {
  const rows: Row[] = [];
  for (const cell of cells) {
    for (const via of vias) {
      const row = rowOf(samples, cell, via);
      if (row !== null) rows.push(row);
    }
  }
  return rows;
}

function latency(us: number): string {
  return us > 0 ? us.toFixed(0) : '-';
}

const HEAD = ['cell', 'via', 'rate', '', 'x node', 'p50 µs', 'p99 µs', 'CPU µs'];

export function table(rows: readonly Row[]): string {
  const lines = rows.map((r) => [
    r.cell,
    r.via,
    r.rate.toFixed(2),
    r.unit,
    r.ratio === null ? '-' : r.ratio.toFixed(2),
    latency(r.p50Us),
    latency(r.p99Us),
    r.cpuUs.toFixed(1),
  ]);
  const all = [HEAD, ...lines];
  const width = HEAD.map((_, i) => Math.max(...all.map((line) => (line[i] as string).length)));
  const isText = (i: number): boolean => i === 0 || i === 1 || i === 3;
  const text = all.map((line) =>
    line
      .map((c, i) => (isText(i) ? c.padEnd(width[i] ?? 0) : c.padStart(width[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const names = new Set(rows.map((r) => r.cell));
  const legend = CELLS.filter((c) => names.has(c.name)).map((c) => `${c.name}: ${c.what}`);
  const notes = [
    'via: node = node:net, dgram and http on the kernel over veth; net = the same on portside;',
    "core = portside's handles. x node: median of the ratios within a round. CPU µs: CPU time",
    'of the far end for one operation, for 64 KB where Gbit/s are counted.',
  ];
  return `${[...text, '', ...legend, '', ...notes].join('\n')}\n`;
}
