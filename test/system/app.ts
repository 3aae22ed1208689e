// An unmodified program as a process of its own under `node --import portside/register`, with its device
// in the namespace of a lab. The program says its first line when it listens; the end of its standard
// input makes it close its host and tell what was left (apps/ending.mjs).

import type { ChildProcess } from 'node:child_process';
import { CERT, KEY } from '../fixtures/certificate.ts';
import { KERNEL, type Lab, sleep, US } from './netns.ts';

const READY_MS = 120_000;
const END_MS = 60_000;

/** What apps/ending.mjs tells. */
export interface Ending {
  /** Connections that programs that have ended left open, before the host was closed. */
  readonly open: string[];
  /** The same after `host.close()`. */
  readonly left: string[];
  /** What still held the event loop then. */
  readonly resources: string[];
}

export class App {
  readonly #child: ChildProcess;
  #out = '';
  #code: number | null = null;
  #over = false;
  /** What it said on standard error. */
  err = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    child.once('close', (code) => {
      this.#over = true;
      this.#code = code;
    });
  }

  /** Starts `test/system/apps/FILE` and waits until it has said a line. */
  static async start(lab: Lab, file: string, env: NodeJS.ProcessEnv = {}): Promise<App> {
    const ending = new URL('apps/ending.mjs', import.meta.url).href;
    const program = new URL(`apps/${file}`, import.meta.url).pathname;
    const register = ['--import', 'portside/register', '--import', ending];
    const child = lab.spawnOutside([process.execPath, ...register, program], {
      ...{ PORTSIDE: `${US}/24`, PORTSIDE_NETNS: lab.name, PORTSIDE_PEER: KERNEL },
      ...{ PORTSIDE_TUN: 'ps0', TEST_KEY: KEY, TEST_CERT: CERT, TEST_DIR: lab.dir, TEST_US: US },
      ...env,
    });
    const app = new App(child);
    await app.#until(() => app.lines.length > 0, READY_MS);
    return app;
  }

  /** Whole lines of its standard output. */
  get lines(): string[] {
    return this.#out.split('\n').slice(0, -1);
  }

  /** Ends it in order; answers what was left. */
  async end(): Promise<Ending> {
    this.#child.stdin?.end();
    await this.#until(() => this.#over, END_MS, true);
    if (this.#code !== 0) throw new Error(`ended with ${this.#code}:\n${this.#out}${this.err}`);
    return JSON.parse(this.lines.at(-1) as string) as Ending;
  }

  async #until(probe: () => boolean, ms: number, mayEnd = false): Promise<void> {
    const end = Date.now() + ms;
    while (!probe()) {
      if ((this.#over && !mayEnd) || Date.now() > end) {
        this.#child.kill('SIGKILL');
        throw new Error(`the program did not do that:\n${this.#out}${this.err}`);
      }
      await sleep(20);
    }
  }
}

/** A program that left nothing behind. */
export const NOTHING: Ending = { open: [], left: [], resources: [] };
