// One path of `bench -- goodput`: two namespaces, the forwarder between them, the kernel at both
// ends and portside beside the kernel in the first.
//
//   [kernel 10.78.0.1] ─ fa ┐                      ┌ fb ─ [kernel 10.78.0.2: the meter]
//   [portside 10.79.0.2] ─ ps0 ─ (A routes) ─ fa ──┴─ forwarder ─┘

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { ip, type Links } from '../links.ts';
import { ROOT } from '../report.ts';
import type { Algorithm, Cell } from './cells.ts';
import type { Order, Report } from './forwarder.ts';
import type { Metered, Sent, Task } from './sender.ts';

const PORT = 5001;
const KERNEL_FAR = '10.78.0.2';
const OURS = '10.79.0.2';
const ANSWER_MS = 60_000;

export type Contestant = 'kernel' | 'ours';
/** `out`: the contestant sends; `in`: it receives, and a kernel sends. */
export type Direction = 'out' | 'in';

export interface Run {
  readonly contestant: Contestant;
  readonly mbps: readonly number[];
  readonly retrans: number;
  readonly segments: number;
  readonly report: Report;
  readonly sent: Partial<Sent>;
}

export interface Wish {
  readonly cell: Cell;
  readonly algorithm: Algorithm;
  readonly direction: Direction;
  readonly seed: number;
  readonly seconds: number;
}

/** Builds flows.c where it is missing or old; answers the program. */
export function flowsProgram(): string {
  const source = join(ROOT, 'bench', 'goodput', 'flows.c');
  const folder = join(ROOT, 'build', 'bench');
  const program = join(folder, 'flows');
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  mkdirSync(folder, { recursive: true });
  execFileSync('gcc', ['-O2', '-Wall', source, '-o', program, '-pthread'], { stdio: 'inherit' });
  return program;
}

function ask<T>(child: ChildProcess, message: Order | Task): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer to ${message.do}`)), ANSWER_MS);
    const ended = (code: number | null): void => reject(new Error(`a process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (answer) => {
      clearTimeout(late);
      child.off('exit', ended);
      resolve(answer as T);
    });
    child.send(message);
  });
}

/** A program whose output is one line of JSON; `ready` is fulfilled at that word. */
class Program {
  readonly ready: Promise<void>;
  readonly result: Promise<Record<string, unknown>>;

  constructor(netns: string, args: readonly string[], limitMs: number) {
    const child = spawn('ip', ['netns', 'exec', netns, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.pid !== undefined) setPriority(child.pid, -19);
    const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const lines = createInterface({ input: child.stdout });
    let json = '';
    this.ready = new Promise((resolve) => {
      lines.on('line', (line) => {
        if (line === 'ready') resolve();
        else json = line;
      });
      child.once('close', () => resolve());
    });
    this.result = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(late);
        if (code === 0 && json !== '') resolve(JSON.parse(json));
        else reject(new Error(`${args.join(' ')} ended with ${code}`));
      });
    });
    this.result.catch(() => {});
  }
}

export class Path {
  readonly #near: string;
  readonly #far: string;
  readonly #forwarder: ChildProcess;
  readonly #portside: ChildProcess;
  readonly #flows: string;

  private constructor(links: Links, flows: string) {
    this.#near = links.namespace();
    this.#far = links.namespace();
    const here = join(ROOT, 'bench', 'goodput');
    this.#forwarder = links.adopt(fork(join(here, 'forwarder.ts')));
    this.#portside = links.adopt(fork(join(here, 'sender.ts')));
    this.#flows = flows;
  }

  static async open(links: Links, flows: string, config: ConfigOverrides): Promise<Path> {
    const path = new Path(links, flows);
    await path.#open(config);
    return path;
  }

  async #open(config: ConfigOverrides): Promise<void> {
    const near = this.#near;
    const far = this.#far;
    execFileSync('ip', ['netns', 'exec', near, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await ask(this.#forwarder, {
      do: 'open',
      ends: [
        { netns: near, device: 'fa', address: '10.78.0.1' },
        { netns: far, device: 'fb', address: KERNEL_FAR },
      ],
      mtu: 1500,
    });
    await ask(this.#portside, {
      do: 'open',
      netns: near,
      device: 'ps0',
      prefix: `${OURS}/24`,
      peer: '10.79.0.1',
      config,
    });
    ip('-n', far, 'route', 'add', '10.79.0.0/24', 'dev', 'fb');
  }

  async run(contestant: Contestant, wish: Wish): Promise<Run> {
    const { cell, direction, seed } = wish;
    const { there, back } = cell;
    const ways = direction === 'out' ? ([there, back] as const) : ([back, there] as const);
    await ask(this.#forwarder, { do: 'reset', seed, ways });
    const seconds = wish.seconds * cell.longer;
    const { metered, sent } = await this.#transfer(contestant, wish, seconds);
    const report = await ask<Report>(this.#forwarder, { do: 'report' });
    const mbps = metered.octets.map((n) => (n * 8) / metered.seconds / 1e6);
    const { retrans = 0, segments = 0 } = sent;
    return { contestant, mbps, retrans, segments, report, sent };
  }

  async #transfer(
    contestant: Contestant,
    wish: Wish,
    seconds: number,
  ): Promise<{ metered: Metered; sent: Partial<Sent> }> {
    const { cell, algorithm, direction } = wish;
    const limitMs = (seconds + cell.warm) * 1000 + ANSWER_MS;
    const span = [`${seconds}`, `${cell.warm}`];
    const meter = [this.#flows, 'meter', `${PORT}`, `${cell.flows}`, ...span];
    const blast = (to: string): string[] => [
      ...[this.#flows, 'blast', to, `${PORT}`, `${cell.flows}`, algorithm],
    ];
    if (direction === 'in' && contestant === 'ours') {
      const task = { do: 'meter', port: PORT, seconds, warm: cell.warm } as const;
      await ask(this.#portside, task);
      const metered = new Promise<Metered>((resolve) => {
        this.#portside.once('message', (m) => resolve(m as Metered));
      });
      const kernel = new Program(this.#far, blast(OURS), limitMs);
      return { metered: await metered, sent: (await kernel.result) as Partial<Sent> };
    }
    const at = direction === 'out' ? this.#far : this.#near;
    const reader = new Program(at, meter, limitMs);
    await reader.ready;
    if (direction === 'out' && contestant === 'ours') {
      const { flows } = cell;
      const task = { do: 'blast', address: KERNEL_FAR, port: PORT, flows, algorithm } as const;
      const sent = ask<Sent>(this.#portside, task);
      sent.catch(() => {});
      return { metered: (await reader.result) as unknown as Metered, sent: await sent };
    }
    const from = direction === 'out' ? this.#near : this.#far;
    const kernel = new Program(
      from,
      blast(direction === 'out' ? KERNEL_FAR : '10.78.0.1'),
      limitMs,
    );
    const metered = (await reader.result) as unknown as Metered;
    return { metered, sent: (await kernel.result) as Partial<Sent> };
  }
}
