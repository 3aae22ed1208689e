// `npm run bench -- bulk`: bulk TCP, kernel → portside and portside → kernel through a TUN, each
// round beside kernel → kernel over veth, with the same client. The figure that counts is the ratio
// within a round: the machine's speed changes, and everybody's with it.

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { cpuSeconds } from '../src/cli/bench/links.ts';
import { built } from './floods.ts';
import { type Ends, FAR, Links } from './links.ts';
import { circumstances, median, save } from './report.ts';

const PORTS = { send: 9, recv: 19 } as const;
type Direction = keyof typeof PORTS;
/** As the README and the issue call them, seen from portside. */
const WORDS = { send: 'in  (kernel → portside)', recv: 'out (portside → kernel)' } as const;

interface Sample {
  readonly gbps: number;
  readonly retrans: number;
  /** CPUs that the far end's process used. */
  readonly cpu: number;
}

interface Round {
  readonly direction: Direction;
  readonly kernel: Sample;
  readonly ours: Sample;
  readonly ratio: number;
}

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly warm: number;
  readonly mtu: number;
}

function run(command: string, args: string[], limitMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(late);
      if (code === 0) resolve(output);
      else reject(new Error(`${args.join(' ')} ended with ${code}`));
    });
  });
}

async function sample(ends: Ends, direction: Direction, plan: Plan): Promise<Sample> {
  const args = [
    'netns',
    'exec',
    ends.client,
    built('client'),
    direction,
    FAR,
    `${PORTS[direction]}`,
  ];
  const span = [`${plan.seconds}`, `${plan.warm}`];
  const limitMs = (plan.seconds + plan.warm + 15) * 1000;
  const cpuBefore = cpuSeconds(ends.pid);
  const output = await run('ip', [...args, ...span], limitMs);
  const cpu = (cpuSeconds(ends.pid) - cpuBefore) / (plan.seconds + plan.warm);
  const { octets, seconds, retrans } = JSON.parse(output) as Record<string, number>;
  const gbps = ((octets as number) * 8) / (seconds as number) / 1e9;
  return { gbps, retrans: retrans as number, cpu };
}

function row(round: number, r: Round): string {
  const { kernel, ours } = r;
  return (
    `${String(round).padStart(3)}  ${WORDS[r.direction]}` +
    `${kernel.gbps.toFixed(2).padStart(9)}${ours.gbps.toFixed(2).padStart(9)}` +
    `${r.ratio.toFixed(3).padStart(8)}${ours.cpu.toFixed(2).padStart(7)}` +
    `${String(ours.retrans).padStart(9)}`
  );
}

async function measure(links: Links, plan: Plan, nodeArgs: readonly string[]): Promise<Round[]> {
  const kernel = await links.veth(built('client'), plan.mtu);
  const tun = await links.tun(plan.mtu, nodeArgs);
  console.log(`MTU ${plan.mtu}, ${plan.seconds} s a sample after ${plan.warm} s; Gbit/s`);
  console.log('  #  direction                 kernel     ours   ratio    cpu  retrans');
  const rounds: Round[] = [];
  for (let i = 0; i < plan.rounds; i++) {
    for (const direction of ['send', 'recv'] as const) {
      // Who goes first alternates: neither has the warmer machine.
      const oursFirst = i % 2 === 1;
      const early = oursFirst ? await sample(tun, direction, plan) : null;
      const base = await sample(kernel, direction, plan);
      const ours = early ?? (await sample(tun, direction, plan));
      const round = { direction, kernel: base, ours, ratio: ours.gbps / base.gbps };
      rounds.push(round);
      console.log(row(i + 1, round));
    }
  }
  return rounds;
}

function medians(rounds: readonly Round[]): Record<Direction, Record<string, number>> {
  const of = (direction: Direction): Record<string, number> => {
    const mine = rounds.filter((r) => r.direction === direction);
    return {
      kernelGbps: median(mine.map((r) => r.kernel.gbps)),
      gbps: median(mine.map((r) => r.ours.gbps)),
      ratio: median(mine.map((r) => r.ratio)),
      cpu: median(mine.map((r) => r.ours.cpu)),
    };
  };
  return { send: of('send'), recv: of('recv') };
}

function planOf(values: Record<string, string | boolean | undefined>): Plan {
  const number = (name: string, most: number): number => {
    const value = Number(values[name]);
    if (!(value > 0 && value <= most)) throw new Error(`--${name} is a number up to ${most}`);
    return value;
  };
  return {
    rounds: Math.floor(number('rounds', 1000)),
    seconds: number('seconds', 600),
    warm: number('warm', 60),
    mtu: Math.floor(number('mtu', 65_535)),
  };
}

/** Runs with the words behind `bulk`; sets the exit code. */
export async function bulk(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      warm: { type: 'string', default: '0.7' },
      mtu: { type: 'string', default: '1500' },
      'cpu-prof': { type: 'string', default: '' },
      save: { type: 'boolean', default: false },
      out: { type: 'string', default: '' },
    },
  });
  if (process.getuid?.() !== 0) {
    process.stderr.write('bench: bulk makes network namespaces and needs root\n');
    process.exitCode = 1;
    return;
  }
  const profile = values['cpu-prof'];
  const nodeArgs = profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const where = circumstances();
  const plan = planOf(values);
  const links = new Links();
  const stop = (): void => {
    void links.close().then(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const rounds = await measure(links, plan, nodeArgs);
    const result = medians(rounds);
    for (const direction of ['send', 'recv'] as const) {
      const { kernelGbps, gbps, ratio } = result[direction] as { [name: string]: number };
      const figures = `${gbps?.toFixed(2)} of ${kernelGbps?.toFixed(2)} Gbit/s`;
      console.log(`median ${WORDS[direction]}: ${figures}, ratio ${ratio?.toFixed(3)}`);
    }
    if (values.save || values.out !== '') {
      const content = { ...where, ...plan, medians: result, rounds };
      console.log(`written to ${save('bulk', values.out, content)}`);
    }
  } finally {
    await links.close();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
