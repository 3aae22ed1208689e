// The program's own time, on the simulated clock: timers, Date, performance.now, process.hrtime,
// AbortSignal.timeout, the modules timers and timers/promises. Node's inner timers are not reached;
// sockets of a host on this clock have theirs on it (node/idle-timer.ts).

import { AsyncResource } from 'node:async_hooks';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Clock } from '../../sim/clock.ts';
import { Patches } from '../patches.ts';
import { promisedTimers, withPromise } from './promised-timers.ts';

type Callback = (...args: unknown[]) => void;

const LONGEST_MS = 0x7fffffff;
const MOST_IMMEDIATES = 100_000;

function msOf(delay: unknown): number {
  const ms = Number(delay);
  return ms >= 1 && ms <= LONGEST_MS ? ms : 1;
}

// Node's own modules take timers from node:timers when they are loaded. None may be loaded first
// during a run and keep the simulated ones for good: fetch loads undici, and that http2.
const NODES = ['http', 'http2', 'https', 'tls', 'dgram', 'dns', 'zlib', 'readline', 'fs/promises'];
const MORE = ['child_process', 'worker_threads', 'crypto', 'stream/web', 'timers/promises'];

function loadNodesModules(require: NodeRequire): void {
  for (const name of [...NODES, ...MORE]) require(`node:${name}`);
  void globalThis.Response;
}

/** As much of a Timeout as programs use; `ref` and `unref` are noted and change nothing. */
class Timer {
  readonly id: number;
  readonly #time: ProgramTime;
  readonly #ms: number;
  readonly #isRepeated: boolean;
  readonly #fire: () => void;
  #cancel: (() => void) | null = null;
  #isRef = true;

  constructor(time: ProgramTime, id: number, ms: number, isRepeated: boolean, fire: () => void) {
    this.id = id;
    this.#time = time;
    this.#ms = ms;
    this.#isRepeated = isRepeated;
    // The context in which the timer was made is that of its callback.
    const resource = new AsyncResource('Timeout');
    this.#fire = () => resource.runInAsyncScope(fire);
    this.refresh();
  }

  refresh(): this {
    this.#cancel?.();
    this.#cancel = this.#time.clock.after(this.#ms * 1000, () => {
      this.#cancel = null;
      if (this.#isRepeated) this.refresh();
      else this.#time.timers.delete(this.id);
      this.#fire();
    });
    this.#time.timers.set(this.id, this);
    return this;
  }

  close(): this {
    this.#cancel?.();
    this.#cancel = null;
    this.#time.timers.delete(this.id);
    return this;
  }

  ref(): this {
    this.#isRef = true;
    return this;
  }

  unref(): this {
    this.#isRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#isRef;
  }

  [Symbol.toPrimitive](): number {
    return this.id;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class Immediate {
  /** Node's clearImmediate, should it ever get one, takes its hands off. */
  readonly _destroyed = true;
  run: (() => void) | null;

  constructor(run: () => void) {
    this.run = run;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.run = null;
  }
}

/** Node's own must not see ours: it would count one of its own less. */
function clearImmediateOf(real: typeof clearImmediate): (immediate: unknown) => void {
  return (immediate) => {
    if (immediate instanceof Immediate) immediate.run = null;
    else real(immediate as NodeJS.Immediate);
  };
}

export class ProgramTime {
  readonly clock: Clock;
  readonly timers = new Map<number, Timer>();
  readonly #epochMs: number;
  readonly #startUs: number;
  readonly #patches = new Patches();
  #immediates: Immediate[] = [];
  #id = 0;

  /** @param epochMs what Date.now() says at the clock's present time */
  constructor(clock: Clock, epochMs: number) {
    this.clock = clock;
    this.#epochMs = epochMs;
    this.#startUs = clock.nowUs();
  }

  /** ms since `install`. */
  get #elapsedMs(): number {
    return (this.clock.nowUs() - this.#startUs) / 1000;
  }

  install(): void {
    const require = createRequire(import.meta.url);
    loadNodesModules(require);
    const timers = this.#timers();
    const patches = this.#patches;
    const promised = promisedTimers(timers);
    for (const [name, value] of Object.entries(timers)) {
      patches.replace(globalThis, name, () => value as never);
      patches.replace(require('node:timers') as object, name, () => value as never);
    }
    for (const [name, value] of Object.entries(promised)) {
      patches.replace(require('node:timers/promises') as object, name, () => value as never);
    }
    this.#installDate();
    syncBuiltinESMExports();
  }

  /** Puts everything back. Timers that still wait never fire; immediates do, in real time. */
  uninstall(): void {
    this.#patches.undo();
    for (const timer of [...this.timers.values()]) timer.close();
    const left = this.#immediates;
    this.#immediates = [];
    for (const { run } of left) if (run !== null) setImmediate(run);
  }

  /** Runs what the program wanted run in the next turn. False: nothing. */
  turn(): boolean {
    const due = this.#immediates;
    if (due.length === 0) return false;
    this.#immediates = [];
    for (const { run } of due) run?.();
    return true;
  }

  #timers(): Record<string, unknown> {
    const make =
      (isRepeated: boolean) =>
      (callback: Callback, delay?: unknown, ...args: unknown[]): Timer => {
        if (typeof callback !== 'function') {
          throw new TypeError('The "callback" argument must be of type function.');
        }
        return new Timer(this, ++this.#id, msOf(delay), isRepeated, () => callback(...args));
      };
    const clear =
      (real: (timer: unknown) => void) =>
      (timer: unknown): void => {
        const isId = typeof timer === 'number' || typeof timer === 'string';
        const found = isId ? this.timers.get(Number(timer)) : timer instanceof Timer ? timer : null;
        if (found) found.close();
        else real(timer);
      };
    return {
      setTimeout: withPromise(make(false), (ms, value, done) => make(false)(done, ms, value)),
      setInterval: make(true),
      setImmediate: withPromise(
        (callback: Callback, ...args: unknown[]) => this.#later(callback, args),
        (_ms, value, done) => this.#later(done, [value]),
      ),
      clearTimeout: clear(globalThis.clearTimeout as never),
      clearInterval: clear(globalThis.clearInterval as never),
      clearImmediate: clearImmediateOf(globalThis.clearImmediate),
    };
  }

  #later(callback: Callback, args: unknown[]): Immediate {
    if (this.#immediates.length >= MOST_IMMEDIATES) throw new Error('immediates without end');
    const resource = new AsyncResource('Immediate');
    const entry = new Immediate(() =>
      resource.runInAsyncScope(callback as never, undefined, ...(args as never[])),
    );
    this.#immediates.push(entry);
    return entry;
  }

  #installDate(): void {
    const nowMs = (): number => Math.floor(this.#epochMs + this.#elapsedMs);
    const RealDate = Date;
    const FakeDate = new Proxy(RealDate, {
      construct: (target, args, newTarget: NewableFunction) =>
        Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
      apply: () => new RealDate(nowMs()).toString(),
      get: (target, key, receiver) => (key === 'now' ? nowMs : Reflect.get(target, key, receiver)),
    });
    const patches = this.#patches;
    patches.replace(globalThis, 'Date', () => FakeDate as never);
    const began = performance.now();
    patches.add(performance, 'now', { value: () => began + this.#elapsedMs });
    const [seconds, nanoseconds] = process.hrtime();
    const beganNs = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    const bigint = (): bigint => beganNs + BigInt(Math.round(this.#elapsedMs * 1e6));
    const hrtime = (before?: [number, number]): [number, number] => {
      const ns = bigint() - BigInt(before?.[0] ?? 0) * 1_000_000_000n - BigInt(before?.[1] ?? 0);
      return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
    };
    patches.replace(process, 'hrtime', () => Object.assign(hrtime, { bigint }) as never);
    patches.replace(AbortSignal, 'timeout', () => ((ms: number) => this.#abortAfter(ms)) as never);
  }

  #abortAfter(ms: number): AbortSignal {
    const controller = new AbortController();
    const text = 'The operation was aborted due to timeout';
    this.clock.after(ms * 1000, () => controller.abort(new DOMException(text, 'TimeoutError')));
    return controller.signal;
  }
}
