// The kernel's side of a differential run: kernel.c as a process in a network namespace of its own.

import { type ChildProcess, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Lab, ROOT } from '../system/netns.ts';
import type { Outcome } from './ours.ts';
import { described, octetsOf, type Script } from './steps.ts';

const DEVICE = 'psdiff0';
const LOCAL = '10.88.0.1';
/** What makes the kernel's answers a function of the script alone. */
const SETTINGS = [
  'net.ipv4.tcp_no_metrics_save=1',
  'net.ipv4.icmp_ratelimit=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv6.conf.all.disable_ipv6=1',
];

export class Kernel {
  readonly #lab = new Lab();
  #child: ChildProcess | null = null;
  #line: (line: string) => void = () => {};

  /** Answers when the device is there. Close it whatever happens. */
  static async open(): Promise<Kernel> {
    const kernel = new Kernel();
    try {
      await kernel.#open();
      return kernel;
    } catch (error) {
      kernel.close();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const program = join(this.#lab.dir, 'kernel');
    const source = join(ROOT, 'test/differential/kernel.c');
    execFileSync('cc', ['-O1', '-o', program, source]);
    for (const setting of SETTINGS) {
      execFileSync('ip', ['netns', 'exec', this.#lab.name, 'sysctl', '-qw', setting]);
    }
    const child = this.#lab.spawn([program, DEVICE]);
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => this.#line(line));
    await new Promise<void>((resolve, reject) => {
      this.#line = (line) => {
        if (line === 'ready') resolve();
      };
      child.once('close', () => reject(new Error('kernel.c has ended')));
    });
    this.#lab.ip('addr', 'add', `${LOCAL}/16`, 'dev', DEVICE);
    this.#lab.ip('link', 'set', DEVICE, 'up');
  }

  /** What each step led to, and how long all of them took together, µs. */
  async run(script: Script): Promise<{ outcomes: Outcome[]; us: number }> {
    const commands = script.steps.map((step) => {
      if (!('verb' in step)) {
        return `in ${Buffer.from(octetsOf(script, step, LOCAL)).toString('hex')}`;
      }
      return `${step.verb} ${step.socket} ${step.arg} ${step.host ?? '0.0.0.0'}`;
    });
    const done = new Promise<string[]>((resolve) => {
      const got: string[] = [];
      this.#line = (line) => {
        got.push(line);
        if (line.startsWith('t ')) resolve(got);
      };
    });
    this.#child?.stdin?.write(`${commands.join('\n')}\nrun\n`);
    return this.#read(await done, script.port);
  }

  #read(lines: readonly string[], port: number): { outcomes: Outcome[]; us: number } {
    const outcomes: Outcome[] = [];
    let answer: number | null = null;
    let packets: string[] = [];
    let isn = 0;
    let us = 0;
    for (const line of lines) {
      if (line.startsWith('r ')) answer = Number(line.slice(2));
      else if (line.startsWith('t ')) us = Number(line.slice(2));
      else if (line.startsWith('p ')) {
        const octets = new Uint8Array(Buffer.from(line.slice(2), 'hex'));
        // a timer of a connection from an earlier script
        if (octets[9] === 6 && new DataView(octets.buffer).getUint16(22) !== port) continue;
        if (octets[9] === 6 && ((octets[33] as number) & 2) !== 0) {
          isn = new DataView(octets.buffer).getInt32(24);
        }
        packets.push(described(octets, isn));
      } else {
        outcomes.push({ answer, packets });
        answer = null;
        packets = [];
      }
    }
    return { outcomes, us };
  }

  close(): void {
    this.#lab.close();
  }
}
