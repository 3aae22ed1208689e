// What the rounds of `bench -- goodput` say: medians, the ratio to the kernel, Jain's index; as
// JSON, as a table in Markdown, and as a picture in SVG.

import { median } from '../report.ts';
import type { Algorithm } from './cells.ts';
import type { Direction, Run } from './path.ts';

export interface Round {
  readonly cell: string;
  readonly words: string;
  readonly algorithm: Algorithm;
  readonly direction: Direction;
  readonly seed: number;
  readonly kernel: Run;
  readonly ours: Run;
  /** How often it was measured until nobody disturbed it, at most three times. */
  readonly tried: number;
}

export interface Row {
  readonly cell: string;
  readonly words: string;
  readonly algorithm: Algorithm;
  readonly direction: Direction;
  readonly rounds: number;
  /** Medians, Mbit/s of all flows together. */
  readonly kernelMbps: number;
  readonly oursMbps: number;
  /** Ratio of the medians, and the median of the ratios of the rounds. */
  readonly ratio: number;
  readonly ratioOfRounds: number;
  readonly kernelRetrans: number;
  readonly oursRetrans: number;
  /** Jain's index of the flows' shares, where there are several. */
  readonly kernelJain?: number;
  readonly oursJain?: number;
}

export const BAR = 0.95;

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Jain, Chiu, Hawe 1984: 1 = equal shares, 1/n = one has everything. */
export function jain(shares: readonly number[]): number {
  const squares = sum(shares.map((x) => x * x));
  return squares === 0 ? 0 : sum(shares) ** 2 / (shares.length * squares);
}

export function rowOf(rounds: readonly Round[]): Row {
  const { cell, words, algorithm, direction } = rounds[0] as Round;
  const of = (pick: (r: Round) => number): number => median(rounds.map(pick));
  const kernelMbps = of((r) => sum(r.kernel.mbps));
  const oursMbps = of((r) => sum(r.ours.mbps));
  const shares = (rounds[0] as Round).kernel.mbps.length > 1;
  const indices = shares
    ? { kernelJain: of((r) => jain(r.kernel.mbps)), oursJain: of((r) => jain(r.ours.mbps)) }
    : {};
  return {
    ...{ cell, words, algorithm, direction, rounds: rounds.length, kernelMbps, oursMbps },
    ratio: oursMbps / kernelMbps,
    ratioOfRounds: of((r) => sum(r.ours.mbps) / sum(r.kernel.mbps)),
    kernelRetrans: of((r) => r.kernel.retrans / Math.max(1, r.kernel.segments)),
    oursRetrans: of((r) => r.ours.retrans / Math.max(1, r.ours.segments)),
    ...indices,
  };
}

/** Whether a row holds what the issue asks for. */
export function holds(row: Row): boolean {
  return row.ratio >= BAR && (row.oursJain ?? 1) >= BAR;
}

const HEAD = [
  '| network | algorithm | kernel Mbit/s | portside Mbit/s | ratio | resent: kernel | portside |',
  '|---|---|--:|--:|--:|--:|--:|',
];

function line(row: Row): string {
  const percent = (x: number): string => `${(x * 100).toFixed(2)} %`;
  const fair =
    row.oursJain === undefined
      ? ''
      : `; Jain ${row.oursJain.toFixed(3)} (kernel ${row.kernelJain?.toFixed(3)})`;
  const way = row.direction === 'in' ? ' (portside receives)' : '';
  const cells = [
    `${row.words}${way}`,
    row.algorithm,
    row.kernelMbps.toFixed(2),
    row.oursMbps.toFixed(2),
    `${holds(row) ? '' : '**'}${row.ratio.toFixed(3)}${holds(row) ? '' : '**'}${fair}`,
    percent(row.kernelRetrans),
    percent(row.oursRetrans),
  ];
  return `| ${cells.join(' | ')} |`;
}

export function markdown(rows: readonly Row[], circumstances: Record<string, unknown>): string {
  const { date, commit, kernel, cpu, cpus, loadBefore, profile } = circumstances;
  const below = rows.filter((row) => !holds(row));
  const verdict =
    below.length === 0
      ? `Every cell is at least ${BAR} of the kernel.`
      : `Below ${BAR}, in bold: ${below.map((r) => `${r.cell} (${r.algorithm})`).join(', ')}.`;
  return [
    '# Goodput against the kernel',
    '',
    'Written by `npm run bench -- goodput --save`; how to read it stands in `bench/README.md`.',
    '',
    ...HEAD,
    ...rows.map(line),
    '',
    verdict,
    '',
    `portside with profile \`${profile}\`. Medians of ` +
      `${Math.min(...rows.map((r) => r.rounds))} or more rounds. ${date}, commit ` +
      `${commit}, Linux ${kernel}, ${cpus} × ${cpu}, load at the start ` +
      `${Number(loadBefore).toFixed(2)}.`,
    '',
  ].join('\n');
}

const WIDTH = 900;
const LEFT = 330;
const ROW = 34;
const BAR_HEIGHT = 12;

/** Two bars for each row: the kernel's goodput and ours, each row on its own scale. */
export function svg(rows: readonly Row[], title: string): string {
  const height = 60 + rows.length * ROW;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      'font-family="sans-serif" font-size="12">',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="22" font-size="15">${title}</text>`,
    '<text x="10" y="42" fill="#555">Mbit/s of payload; grey: the kernel, blue: portside ' +
      '(red: below 0.95 of the kernel); each row has its own scale</text>',
  ];
  rows.forEach((row, i) => {
    const y = 56 + i * ROW;
    const scale = (WIDTH - LEFT - 130) / Math.max(row.kernelMbps, row.oursMbps, 0.001);
    const bar = (mbps: number, at: number, fill: string): string =>
      `<rect x="${LEFT}" y="${at}" width="${(mbps * scale).toFixed(1)}" height="${BAR_HEIGHT}" ` +
      `fill="${fill}"/><text x="${(LEFT + mbps * scale + 5).toFixed(1)}" y="${at + 10}">` +
      `${mbps.toFixed(2)}</text>`;
    const way = row.direction === 'in' ? ' (receives)' : '';
    parts.push(
      `<text x="10" y="${y + 16}">${row.words}${way}</text>`,
      bar(row.kernelMbps, y, '#999'),
      bar(row.oursMbps, y + BAR_HEIGHT + 1, holds(row) ? '#2a6fbb' : '#c0392b'),
      `<text x="${WIDTH - 52}" y="${y + 18}">${row.ratio.toFixed(3)}</text>`,
    );
  });
  parts.push('</svg>', '');
  return parts.join('\n');
}
