// The two links of `bulk`, each in namespaces of its own: a veth between two kernels, and a TUN
// between the kernel and `portside up`. Everything is removed again, whatever happens.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './report.ts';

const START_MS = 15_000;
const END_MS = 3000;
export const NEAR = '10.77.0.1';
export const FAR = '10.77.0.2';

/** What both links get: room for a window of megabytes, and no memory of earlier connections. */
const SETTINGS = [
  'net.ipv4.tcp_rmem=4096 131072 6291456',
  'net.ipv4.tcp_wmem=4096 16384 4194304',
  'net.ipv4.tcp_no_metrics_save=1',
  'net.ipv6.conf.all.disable_ipv6=1',
];

/** What `portside up` serves, and variables of its environment. */
export interface Served {
  readonly services?: readonly string[];
  readonly env?: Record<string, string>;
}

export interface Ends {
  /** The namespace that the client runs in. */
  readonly client: string;
  /** The process whose CPU time is the far end's. */
  readonly pid: number;
}

export function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

export class Links {
  readonly #made: string[] = [];
  readonly #running: ChildProcess[] = [];
  #number = 0;

  /** A namespace `ps-<pid>-<n>`: what a killed run leaves behind is swept by the tests' set-up. */
  namespace(): string {
    const name = `ps-${process.pid}-${900 + this.#number++}`;
    ip('netns', 'add', name);
    this.#made.push(name);
    for (const setting of SETTINGS) {
      const command = ['netns', 'exec', name, 'sysctl', '-qw', setting];
      execFileSync('ip', command, { stdio: 'ignore' });
    }
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }

  /** Starts a program and waits for the word `ready` in a line of its output. */
  async start(
    command: string,
    args: string[],
    env: Record<string, string> = {},
  ): Promise<ChildProcess> {
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
    const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
    this.#running.push(child);
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${args.join(' ')}: not ready`)), START_MS);
      child.on('exit', (code) => reject(new Error(`${args.join(' ')}: ended with ${code}`)));
      child.on('error', reject);
      lines.on('line', (line) => {
        if (!/\bready\b/.test(line)) return;
        clearTimeout(late);
        resolve();
      });
    });
    return child;
  }

  /** Kernel to kernel: what the device can do at most without a stack of our own. */
  async veth(client: string, mtu: number): Promise<Ends> {
    const near = this.namespace();
    const far = this.namespace();
    ip('-n', near, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1', 'netns', far);
    for (const [name, device, address] of [
      [near, 'v0', NEAR],
      [far, 'v1', FAR],
    ] as const) {
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', device);
      ip('-n', name, 'link', 'set', device, 'mtu', `${mtu}`, 'up');
      const prefix = address.replace(/\d+$/, '0/24');
      // A namespace may not choose cubic for itself everywhere, but for a route it may.
      ip('-n', name, 'route', 'replace', prefix, 'dev', device, 'src', address, 'congctl', 'cubic');
    }
    const server = await this.start('ip', ['netns', 'exec', far, client, 'serve']);
    return { client: near, pid: server.pid as number };
  }

  /** Kernel to portside, as anybody starts it. */
  async tun(mtu: number, nodeArgs: readonly string[], o: Served = {}): Promise<Ends> {
    const near = this.namespace();
    const main = join(ROOT, 'dist', 'cli', 'main.js');
    const up = ['up', 'bench0', `${FAR}/24`, '--peer', NEAR, '--netns', near, '--mtu', `${mtu}`];
    const services = o.services ?? ['--discard', '--chargen'];
    const all = [...nodeArgs, main, ...up, ...services];
    const stack = await this.start(process.execPath, all, o.env);
    const route = ['route', 'replace', '10.77.0.0/24', 'dev', 'bench0', 'src', NEAR];
    ip('-n', near, ...route, 'congctl', 'cubic');
    return { client: near, pid: stack.pid as number };
  }

  /** A process that ends with the others. */
  adopt(child: ChildProcess): ChildProcess {
    this.#running.push(child);
    return child;
  }

  /** Ends what was started, by its process id, and removes the namespaces. Idempotent. */
  async close(): Promise<void> {
    for (const child of this.#running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
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
