// The rig of the system tests: one network namespace a test file, named ps-<pid>-<n>, with the real
// programs in it and `portside up` as a process of its own. Everything is removed in `close`; what a
// killed run left behind is swept at the start, by the pid in its name.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `npm run test:interop` runs the sizes of the issue, `npm test` smaller ones. */
export const FULL = process.env['PORTSIDE_FULL'] === '1';

export const US = '10.77.0.2';
export const KERNEL = '10.77.0.1';

// Limits against hangs: a busy machine must not come near them.
const READY_MS = 120_000;
const RUN_MS = 300_000;
const UNTIL_MS = 120_000;
/** Output that a program may leave; more is cut off at the front. */
const MOST_OUTPUT = 4 << 20;

export interface Outcome {
  /** Exit code; -1 when a signal or the time limit ended it. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
}

/** Command and arguments that run the command line: the sources of now, in one file. */
export const PORTSIDE: readonly string[] = [process.execPath, '--enable-source-maps', bundle()];

/** A bundle starts in a fraction of the time that a loader of 100 modules takes. */
function bundle(): string {
  // As deep below the package's root as src/cli/ is: it finds package.json and the addon from there.
  const file = join(ROOT, 'build/system', `portside-${process.pid}.mjs`);
  buildSync({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'error',
  });
  process.once('exit', () => rmSync(file, { force: true }));
  return file;
}

let made = 0;

export class Lab {
  readonly name: string;
  /** A directory for files, removed with the namespace. */
  readonly dir: string;
  readonly #children = new Set<ChildProcess>();

  constructor() {
    sweep();
    made++;
    this.name = `ps-${process.pid}-${made}`;
    execFileSync('ip', ['netns', 'add', this.name]);
    execFileSync('ip', ['-n', this.name, 'link', 'set', 'lo', 'up']);
    this.dir = mkdtempSync(join(tmpdir(), `${this.name}-`));
  }

  /** `ip -n NAME …`, its output. */
  ip(...args: string[]): string {
    return execFileSync('ip', ['-n', this.name, ...args], { encoding: 'utf8' });
  }

  /** Starts a program inside; `close` kills it if it still runs. */
  spawn(command: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.spawnOutside(['ip', 'netns', 'exec', this.name, ...command], env);
  }

  /** Starts a program in the namespace of the test itself. */
  spawnOutside(command: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const [file, ...args] = command as [string, ...string[]];
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', PORTSIDE_RUNTIME: join(this.dir, 'run'), ...env },
    });
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /** Runs a program inside to its end. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return outcome(this.spawn(command, options.env), options);
  }

  runOutside(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return outcome(this.spawnOutside(command, options.env), options);
  }

  /** `sh -c SCRIPT` inside. */
  sh(script: string, options: RunOptions = {}): Promise<Outcome> {
    return this.run(['sh', '-c', script], options);
  }

  /** `portside up …` with its device in this namespace, once it has said `ready`. */
  async up(...args: string[]): Promise<Portside> {
    const child = this.spawnOutside([...PORTSIDE, 'up', ...args, '--netns', this.name]);
    return Portside.ready(child);
  }

  /** The same, started inside the namespace as a user's shell or another rig would. */
  async upInside(...args: string[]): Promise<Portside> {
    return Portside.ready(this.spawn([...PORTSIDE, 'up', ...args]));
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    // A program may have left children of its own behind in there.
    for (const pid of pidsIn(this.name)) kill(pid);
    if (existsSync(`/run/netns/${this.name}`)) execFileSync('ip', ['netns', 'del', this.name]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A running `portside up`. */
export class Portside {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out = (this.out + text).slice(-MOST_OUTPUT);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err = (this.err + text).slice(-MOST_OUTPUT);
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  static async ready(child: ChildProcess): Promise<Portside> {
    const p = new Portside(child);
    const until = Date.now() + READY_MS;
    let over = false;
    void p.ended.then(() => {
      over = true;
    });
    while (!/^(ready|\{"event":"ready".*\})$/m.test(p.out)) {
      if (over || Date.now() > until) {
        child.kill('SIGKILL');
        throw new Error(`portside did not become ready:\n${p.out}${p.err}`);
      }
      await sleep(20);
    }
    return p;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Sends the signal and waits for the end; answers how long that took. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; ms: number }> {
    const from = performance.now();
    this.child.kill(signal);
    const { code } = await this.ended;
    return { code, ms: performance.now() - from };
  }
}

function outcome(child: ChildProcess, options: RunOptions): Promise<Outcome> {
  const from = performance.now();
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out = (out + text).slice(-MOST_OUTPUT);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err = (err + text).slice(-MOST_OUTPUT);
  });
  child.stdin?.end(options.input);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? RUN_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, signal, out, err, ms: performance.now() - from });
    });
  });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks until `probe` says yes; an error with `what` after `ms`. */
export async function until(
  what: string,
  probe: () => boolean | Promise<boolean>,
  ms = UNTIL_MS,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(20);
  }
}

/** A value of the namespace's /proc/net/snmp or /proc/net/netstat. */
export function kernelCounter(lab: Lab, group: string, name: string): number {
  const read = ['netns', 'exec', lab.name, 'cat', '/proc/net/snmp', '/proc/net/netstat'];
  const lines = execFileSync('ip', read, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith(`${group}:`))
    .map((line) => line.split(' '));
  const at = lines[0]?.indexOf(name) ?? -1;
  if (at < 1) throw new Error(`the kernel has no counter ${group} ${name}`);
  return Number(lines[1]?.[at]);
}

/**
 * Every echo request of the kernel has been answered. What `ping` itself says of loss is not: it
 * waits for two round trips after its last request, and a busy machine is slower than that.
 */
export async function expectEchoed(lab: Lab, ping: Outcome, count: number): Promise<void> {
  if (!ping.out.includes(`${count} packets transmitted`)) throw new Error(ping.out + ping.err);
  await until(
    `every echo is back:\n${ping.out}`,
    () => kernelCounter(lab, 'Icmp', 'InEchoReps') === kernelCounter(lab, 'Icmp', 'OutEchos'),
  );
}

function pidsIn(namespace: string): number[] {
  try {
    const text = execFileSync('ip', ['netns', 'pids', namespace], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // the namespace is gone
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

/** Removes the namespaces of test processes that are dead. */
export function sweep(): void {
  if (!existsSync('/run/netns')) return;
  for (const name of readdirSync('/run/netns')) {
    const pid = /^ps-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    for (const left of pidsIn(name)) kill(left);
    execFileSync('ip', ['netns', 'del', name]);
  }
}
