// The links of `portside bench`, each in namespaces of its own: a veth between two kernels for
// Node's own sockets, a TUN between the kernel and a stack of ours. Removed again at the end.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LoadFigures, LoadOptions } from '../../node/addon.ts';
import type { ServeOptions, Via } from './serve.ts';

const NEAR = '10.77.0.1';
export const FAR = '10.77.0.2';
const START_MS = 20_000;
const END_MS = 3000;
/** What a load may take beyond its own time. */
const GRACE_MS = 20_000;
/** Both ends get the same: windows of megabytes, ports for connections without end. */
const SETTINGS = [
  'net.ipv4.tcp_rmem=4096 131072 6291456',
  'net.ipv4.tcp_wmem=4096 16384 4194304',
  'net.ipv4.ip_local_port_range=1024 65535',
  'net.ipv4.tcp_no_metrics_save=1',
  'net.ipv4.tcp_tw_reuse=1',
  'net.ipv4.tcp_max_syn_backlog=8192',
  'net.core.somaxconn=8192',
];

export interface LinkPlan {
  readonly mtu: number;
  readonly size: number;
  readonly busyPoll: number | undefined;
  readonly nodeArgs: readonly string[];
}

/** One contestant at work: who serves, and where the client runs. */
export interface Contestant {
  readonly via: Via;
  readonly client: string;
  readonly pid: number;
}

export interface Sample extends LoadFigures {
  /** CPUs that the far end used, all of its time counted. */
  readonly farCpu: number;
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function main(): string {
  return process.argv[1] as string;
}

export class BenchLinks {
  readonly #plan: LinkPlan;
  readonly #made: string[] = [];
  readonly #running = new Set<ChildProcess>();
  #number = 0;

  constructor(plan: LinkPlan) {
    this.#plan = plan;
  }

  #namespace(): string {
    const name = `portside-bench-${process.pid}-${this.#number++}`;
    ip('netns', 'add', name);
    this.#made.push(name);
    for (const setting of SETTINGS) {
      try {
        execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', setting], { stdio: 'ignore' });
      } catch {
        // A kernel that does not know it gives both ends its default.
      }
    }
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }

  async open(via: Via): Promise<Contestant> {
    const { mtu, size, busyPoll } = this.#plan;
    const near = this.#namespace();
    const base = { via, device: 'bench0', netns: near, address: FAR, peer: NEAR, mtu, size };
    const options: ServeOptions = busyPoll === undefined ? base : { ...base, busyPoll };
    let inside: string[] = [];
    if (via === 'node') {
      const far = this.#namespace();
      this.#veth(near, far);
      inside = ['ip', 'netns', 'exec', far];
    }
    const serve = [...this.#plan.nodeArgs, main(), 'bench-serve', JSON.stringify(options)];
    const [command, ...args] = [...inside, process.execPath, ...serve];
    const pid = await this.#start(command as string, args);
    if (via !== 'node') this.#cubic(near, 'bench0', NEAR);
    return { via, client: near, pid };
  }

  #veth(near: string, far: string): void {
    ip('-n', near, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1', 'netns', far);
    for (const [name, device, address] of [
      [near, 'v0', NEAR],
      [far, 'v1', FAR],
    ] as const) {
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', device);
      ip('-n', name, 'link', 'set', device, 'mtu', `${this.#plan.mtu}`, 'up');
      this.#cubic(name, device, address);
    }
  }

  /** The machine's default may pace (BBR), which measures its scheduler; a route has its own. */
  #cubic(name: string, device: string, address: string): void {
    const route = ['route', 'replace', '10.77.0.0/24', 'dev', device, 'src', address];
    ip('-n', name, ...route, 'congctl', 'cubic');
  }

  /** Starts a server and waits until it says `ready`; answers its process id. */
  async #start(command: string, args: string[]): Promise<number> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#running.add(child);
    child.on('exit', () => this.#running.delete(child));
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the far end is not ready')), START_MS);
      child.on('exit', (code) => reject(new Error(`the far end has ended with ${code}`)));
      child.on('error', reject);
      lines.on('line', (text) => {
        if (text !== 'ready') return;
        clearTimeout(late);
        resolve();
      });
    });
    return child.pid as number;
  }

  /** One load from the client's namespace, in a process of its own. */
  async load(c: Contestant, o: Omit<LoadOptions, 'host'>): Promise<Sample> {
    const options: LoadOptions = { ...o, host: FAR };
    const before = cpuSeconds(c.pid);
    const inside = ['netns', 'exec', c.client, process.execPath, main(), 'bench-load'];
    const child = spawn('ip', [...inside, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    let output = '';
    let problem = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      problem += chunk.toString();
    });
    const spanMs = ((o.seconds ?? 2) + (o.warm ?? 0.5)) * 1000;
    const late = setTimeout(() => child.kill('SIGKILL'), spanMs + GRACE_MS);
    const code = await new Promise((resolve) => child.on('close', resolve));
    clearTimeout(late);
    this.#running.delete(child);
    if (code !== 0) throw new Error(problem.trim() || `the load ended with ${String(code)}`);
    const farCpu = (cpuSeconds(c.pid) - before) / (spanMs / 1000);
    return { ...(JSON.parse(output) as LoadFigures), farCpu };
  }

  /** Ends what was started, by its process id, and removes the namespaces. Idempotent. */
  async close(): Promise<void> {
    for (const child of [...this.#running]) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await gone;
      clearTimeout(kill);
    }
    for (const name of this.#made.splice(0)) {
      try {
        ip('netns', 'del', name);
      } catch {
        // removed by somebody else in the meantime
      }
    }
  }
}

/** CPU seconds of a process so far; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
