// `portside bench`: what a stack of ours does beside Node on the kernel, on this machine, in rounds
// in which all take their turn. A figure by itself says little on a machine that others use; what
// counts is the ratio to `node` within a round, and its median.

import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { type LoadOptions, loadAddon } from '../../node/addon.ts';
import { iperf3Command } from '../iperf3.ts';
import { failWith, UsageError } from '../report.ts';
import { CELLS, type Cell } from './cells.ts';
import { chart } from './chart.ts';
import { circumstances } from './circumstances.ts';
import { BenchLinks, type Contestant, type Sample } from './links.ts';
import type { Via } from './serve.ts';
import { type Row, rowsOf, table } from './table.ts';

/** One measurement of one cell. */
export interface Measured {
  readonly round: number;
  readonly cell: string;
  readonly via: Via;
  readonly rate: number;
  readonly sample: Sample;
}

interface Options {
  rounds: string;
  seconds: string;
  warm: string;
  mtu: string;
  size: string;
  via: string;
  busyPoll?: string;
  cpuProf?: string;
  json?: boolean;
  out?: string;
  chart?: string;
}

interface Plan {
  readonly cells: readonly Cell[];
  readonly vias: readonly Via[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warm: number;
  readonly size: number;
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .summary('throughput, requests, connections beside node:net')
    .description('measure throughput, requests and connections beside node:net on the kernel')
    .argument('[CELL...]', `${CELLS.map((c) => c.name).join(', ')}; default: all`)
    .option('--rounds <N>', 'rounds in which all take their turn', '5')
    .option('--seconds <S>', 'seconds of one measurement', '2')
    .option('--warm <S>', 'seconds before it that do not count', '0.7')
    .option('--mtu <N>', 'largest IP packet in octets', '1500')
    .option('--size <N>', 'octets of a request and of a datagram', '64')
    .option('--via <LIST>', 'who serves: node (kernel sockets), net, core', 'node,net,core')
    .option('--busy-poll <US>', 'ask on for so many µs before sleeping; 0: never (default: 50)')
    .option('--cpu-prof <DIR>', 'a V8 profile of each far end')
    .option('--json', 'every measurement and the medians as JSON lines')
    .option('--out <FILE>', 'raw samples and medians as one JSON file')
    .option('--chart <FILE>', 'a chart of the ratios, .svg or .html')
    .action(async (names: string[], options: Options) => {
      try {
        await run(names, options);
      } catch (reason) {
        failWith(reason);
      }
    });
  return command.addCommand(iperf3Command());
}

/** The client of one measurement: blocks, prints its figures and ends. */
export function benchLoadCommand(): Command {
  return new Command('bench-load').argument('<JSON>').action((text: string) => {
    try {
      const figures = loadAddon().load(JSON.parse(text) as LoadOptions);
      process.stdout.write(`${JSON.stringify(figures)}\n`);
    } catch (reason) {
      failWith(reason);
    }
  });
}

function numberIn(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== '' && value >= least && value <= most) return value;
  throw new UsageError(`--${name}: '${text}' is not a number from ${least} to ${most}`);
}

function planOf(names: readonly string[], o: Options): Plan {
  const cells = names.map((name) => {
    const cell = CELLS.find((c) => c.name === name);
    if (cell !== undefined) return cell;
    throw new UsageError(`there is no cell '${name}': ${CELLS.map((c) => c.name).join(', ')}`);
  });
  const vias = o.via.split(',').map((via) => {
    if (via === 'node' || via === 'net' || via === 'core') return via;
    throw new UsageError(`--via: '${via}' is none of node, net, core`);
  });
  return {
    cells: cells.length === 0 ? CELLS : cells,
    vias,
    rounds: Math.floor(numberIn(o.rounds, 'rounds', 1, 1000)),
    seconds: numberIn(o.seconds, 'seconds', 0.05, 600),
    warm: numberIn(o.warm, 'warm', 0, 60),
    size: Math.floor(numberIn(o.size, 'size', 8, 1400)),
  };
}

async function run(names: string[], o: Options): Promise<void> {
  const plan = planOf(names, o);
  if (process.getuid?.() !== 0) {
    throw new UsageError('bench makes network namespaces and needs root');
  }
  const where = circumstances();
  const profile = o.cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${o.cpuProf}`];
  const links = new BenchLinks({
    mtu: Math.floor(numberIn(o.mtu, 'mtu', 576, 65_535)),
    size: plan.size,
    busyPoll: o.busyPoll === undefined ? undefined : numberIn(o.busyPoll, 'busy-poll', 0, 10_000),
    nodeArgs: profile,
  });
  const stop = (): void => void links.close().then(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const samples = await measure(links, plan, o.json === true);
    const rows = rowsOf(samples, plan.cells, plan.vias);
    show(rows, o.json === true);
    if (o.out !== undefined) {
      writeFileSync(o.out, `${JSON.stringify({ ...where, rows, samples }, null, 1)}\n`);
    }
    if (o.chart !== undefined) writeFileSync(o.chart, chart(rows, where, o.chart));
  } finally {
    await links.close();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function show(rows: readonly Row[], json: boolean): void {
  if (json) for (const row of rows) process.stdout.write(`${JSON.stringify({ median: row })}\n`);
  else process.stdout.write(table(rows));
}

async function measure(links: BenchLinks, plan: Plan, json: boolean): Promise<Measured[]> {
  const contestants: Contestant[] = [];
  for (const via of plan.vias) contestants.push(await links.open(via));
  const samples: Measured[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const cell of plan.cells) {
      const wanted = contestants.filter((c) => c.via === 'node' || cell.vias.includes(c.via));
      for (let i = 0; i < wanted.length; i++) {
        // Who goes first changes: nobody has the warmer machine.
        const c = wanted[(i + round) % wanted.length] as Contestant;
        const measured = await one(links, plan, cell, c, round);
        samples.push(measured);
        progress(measured, cell, json);
      }
    }
  }
  return samples;
}

async function one(
  links: BenchLinks,
  plan: Plan,
  cell: Cell,
  c: Contestant,
  round: number,
): Promise<Measured> {
  const { mode, port, connections, unit } = cell;
  const { size, seconds, warm } = plan;
  const sample = await links.load(c, { mode, port, connections, size, seconds, warm });
  const amount = unit === 'k/s' ? sample.operations / 1e3 : (sample.octets * 8) / 1e9;
  return { round, cell: cell.name, via: c.via, rate: amount / sample.seconds, sample };
}

function progress(m: Measured, cell: Cell, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(m)}\n`);
    return;
  }
  const figures = `${m.rate.toFixed(2).padStart(10)} ${cell.unit.padEnd(7)}`;
  const cpu = `far end ${m.sample.farCpu.toFixed(2)} CPU`;
  process.stderr.write(
    `${String(m.round + 1).padStart(3)} ${m.cell.padEnd(8)}${m.via.padEnd(5)}${figures} ${cpu}\n`,
  );
}
