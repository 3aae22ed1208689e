// `npm run bench -- floods [KIND…]`: packets with forged sources at a steady rate through the TUN
// of `portside up`, beside somebody honest: with `syn` a client that connects 200 times a second,
// with the others one bulk flow. What counts is what the honest one notices. See bench/README.md.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds } from '../src/cli/bench/links.ts';
import { type Ends, FAR, Links } from './links.ts';
import { circumstances, ROOT, save } from './report.ts';

/** The port that each kind knocks at; bulk goes to discard (9), connects to http (80). */
const PORTS: Record<string, number> = {
  syn: 80,
  rst: 9,
  ack: 9,
  fin: 9,
  frag: 9,
  echo: 0,
  unreach: 9,
  udp: 9999,
};
const DEVICE = 'bench0';
const CONNECTS_PER_SECOND = 200;

interface Plan {
  readonly rate: number;
  readonly seconds: number;
  readonly nodeArgs: readonly string[];
  readonly probe: string;
}

/** One line of bench/probe.mjs. */
interface Probe {
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly rss: number;
  readonly rssMost: number;
}

type Row = Record<string, number | string>;

/** Builds a program of bench/ where it is missing or old; answers its path. */
export function built(name: 'client' | 'flood'): string {
  const source = join(ROOT, 'bench', `${name}.c`);
  const folder = join(ROOT, 'build', 'bench');
  const program = join(folder, name);
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  mkdirSync(folder, { recursive: true });
  const args = ['-O2', '-Wall', '-x', 'c', source, '-o', program, '-pthread'];
  execFileSync('gcc', args, { stdio: 'inherit' });
  return program;
}

/** Runs a program in the namespace; the object that it prints. */
function inside(ends: Ends, limitMs: number, command: string[]): Promise<Record<string, number>> {
  const child = spawn('ip', ['netns', 'exec', ends.client, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(late);
      if (code === 0) resolve(JSON.parse(output) as Record<string, number>);
      else reject(new Error(`${command.join(' ')} ended with ${code}`));
    });
  });
}

/** Has the process write down what it noticed since the last time. */
async function look(ends: Ends, plan: Plan): Promise<Probe> {
  const lines = (): string[] =>
    existsSync(plan.probe) ? readFileSync(plan.probe, 'utf8').split('\n').filter(Boolean) : [];
  const before = lines().length;
  process.kill(ends.pid, 'SIGUSR2');
  for (let i = 0; i < 100; i++) {
    await sleep(50);
    const now = lines();
    if (now.length > before) return JSON.parse(now.at(-1) as string) as Probe;
  }
  throw new Error('the process does not answer SIGUSR2');
}

/** Packets that the device's queue had no room for. */
function queueDrops(ends: Ends): number {
  const args = ['-n', ends.client, '-s', '-j', 'link', 'show', DEVICE];
  const [link] = JSON.parse(execFileSync('ip', args, { encoding: 'utf8' })) as {
    stats64: { tx: { dropped: number } };
  }[];
  return link?.stats64.tx.dropped ?? 0;
}

function flood(ends: Ends, kind: string, plan: Plan): Promise<Record<string, number>> {
  const { rate, seconds } = plan;
  const numbers = [`${PORTS[kind]}`, `${rate}`, `${seconds}`];
  const command = [built('flood'), kind, DEVICE, FAR, ...numbers];
  return inside(ends, (seconds + 10) * 1000, command);
}

function connects(ends: Ends, seconds: number): Promise<Record<string, number>> {
  const command = [built('flood'), 'connect', FAR, '80', `${CONNECTS_PER_SECOND}`, `${seconds}`];
  return inside(ends, (seconds + 30) * 1000, command);
}

async function goodput(ends: Ends, seconds: number): Promise<number> {
  const command = [built('client'), 'send', FAR, '9', `${seconds}`, '0.5'];
  const { octets, seconds: took } = await inside(ends, (seconds + 20) * 1000, command);
  return ((octets as number) * 8) / (took as number) / 1e9;
}

async function synFlood(ends: Ends, plan: Plan): Promise<Row> {
  // compiled code, a heap of the size that the clients alone want, a peer that has shown itself
  await connects(ends, 8);
  const calm = await look(ends, plan);
  const dropped = queueDrops(ends);
  const cpu = cpuSeconds(ends.pid);
  const honest = connects(ends, plan.seconds + 1);
  await sleep(500);
  const sent = await flood(ends, 'syn', plan);
  const probe = await look(ends, plan);
  const used = cpuSeconds(ends.pid) - cpu;
  const c = await honest;
  const offered = (sent['sent'] as number) + (sent['refused'] as number);
  return {
    kind: 'syn',
    kpps: Math.round(offered / (sent['seconds'] as number) / 100) / 10,
    queueDropsPercent: percent(queueDrops(ends) - dropped, offered),
    connects: c['opened'] as number,
    failed: c['failed'] as number,
    withinSecondPercent: percent(c['withinSecond'] as number, c['opened'] as number),
    p50Ms: (c['p50Us'] as number) / 1000,
    p99Ms: (c['p99Us'] as number) / 1000,
    loopDelayP99Ms: round(probe.delayP99Ms),
    loopDelayMaxMs: round(probe.delayMaxMs),
    rssGrowthMiB: round((probe.rssMost - calm.rss) / 2 ** 20),
    cpuSeconds: round(used),
  };
}

async function otherFlood(ends: Ends, kind: string, plan: Plan): Promise<Row> {
  await goodput(ends, 1);
  const calm = await goodput(ends, 2);
  const before = await look(ends, plan);
  const dropped = queueDrops(ends);
  const flow = goodput(ends, plan.seconds - 1);
  await sleep(200);
  const sent = await flood(ends, kind, plan);
  const under = await flow;
  const probe = await look(ends, plan);
  const offered = (sent['sent'] as number) + (sent['refused'] as number);
  return {
    kind,
    kpps: Math.round(offered / (sent['seconds'] as number) / 100) / 10,
    queueDropsPercent: percent(queueDrops(ends) - dropped, offered),
    calmGbps: round(calm),
    floodGbps: round(under),
    keptPercent: percent(under, calm),
    loopDelayP99Ms: round(probe.delayP99Ms),
    rssGrowthMiB: round((probe.rssMost - before.rss) / 2 ** 20),
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}

function round(x: number): number {
  return Math.round(x * 100) / 100;
}

function text(row: Row): string {
  const { kind, ...rest } = row;
  const parts = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return `${String(kind).padEnd(8)} ${parts.join('  ')}`;
}

async function measure(links: Links, kinds: readonly string[], plan: Plan): Promise<Row[]> {
  const ends = await links.tun(1500, plan.nodeArgs, {
    services: ['--http', '--discard'],
    env: { PORTSIDE_PROBE: plan.probe },
  });
  const rows: Row[] = [];
  for (const kind of kinds) {
    const row = await (kind === 'syn' ? synFlood(ends, plan) : otherFlood(ends, kind, plan));
    console.log(text(row));
    rows.push(row);
    await sleep(1000);
  }
  return rows;
}

function kindsOf(words: readonly string[]): readonly string[] {
  for (const word of words) {
    if (PORTS[word] === undefined) {
      throw new Error(`there is no flood '${word}': ${Object.keys(PORTS).join(', ')}`);
    }
  }
  return words.length === 0 ? Object.keys(PORTS) : words;
}

/** Runs with the words behind `floods`; sets the exit code. */
export async function floods(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rate: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '10' },
      'cpu-prof': { type: 'string', default: '' },
      save: { type: 'boolean', default: false },
      out: { type: 'string', default: '' },
    },
  });
  if (process.getuid?.() !== 0) {
    process.stderr.write('bench: floods makes network namespaces and needs root\n');
    process.exitCode = 1;
    return;
  }
  const profile = values['cpu-prof'];
  const probe = join(ROOT, 'build', 'bench', `probe-${process.pid}`);
  const preload = ['--import', join(ROOT, 'bench', 'probe.mjs')];
  const profiled = profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const plan: Plan = {
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    nodeArgs: [...preload, ...profiled],
    probe,
  };
  const where = circumstances();
  const links = new Links();
  const stop = (): void => {
    void links.close().then(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    built('client');
    built('flood');
    const { rate, seconds } = plan;
    console.log(`${rate} packets a second for ${seconds} s, forged sources, TUN of 1500 octets`);
    const rows = await measure(links, kindsOf(positionals), plan);
    if (values.save || values.out !== '') {
      console.log(`written to ${save('floods', values.out, { ...where, rate, seconds, rows })}`);
    }
  } finally {
    await links.close();
    rmSync(probe, { force: true });
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
