// timers/promises, and what util.promisify makes of a timer, over given timers.

import { promisify } from 'node:util';

type Done = (value: unknown) => void;
/** Starts a wait of `ms` that ends with `done(value)`; answers what a `clear` function takes. */
type Start = (ms: number, value: unknown, done: Done) => unknown;
interface WaitOptions {
  signal?: AbortSignal;
  ref?: boolean;
}
type Wait = (ms: number, value?: unknown, options?: WaitOptions) => Promise<unknown>;

/** As Node words it. */
function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

function waitOf(start: Start, clear: (timer: never) => void): Wait {
  return (ms, value, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal));
        return;
      }
      const onAbort = (): void => {
        clear(timer as never);
        reject(abortError(signal as AbortSignal));
      };
      const timer = start(ms, value, (result) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
}

/** `timer` with its promise form where util.promisify looks for it. */
export function withPromise<T extends (...args: never[]) => unknown>(timer: T, start: Start): T {
  const wait = waitOf(start, (made) => (made as { close?(): void }).close?.());
  const isImmediate = timer.length < 2;
  const promised = isImmediate
    ? (value?: unknown, options?: WaitOptions) => wait(0, value, options)
    : wait;
  Object.defineProperty(timer, promisify.custom, { value: promised, configurable: true });
  return timer;
}

/** The functions of timers/promises over the timers of `set`. */
export function promisedTimers(set: Record<string, unknown>): Record<string, unknown> {
  const setTimeout = promisify(set['setTimeout'] as typeof globalThis.setTimeout) as Wait;
  const setImmediate = promisify(set['setImmediate'] as typeof globalThis.setImmediate);
  const every = async function* (ms: number, value?: unknown, options?: WaitOptions) {
    for (;;) yield await setTimeout(ms, value, options);
  };
  return {
    setTimeout,
    setImmediate,
    setInterval: every,
    scheduler: {
      wait: (ms: number, options?: WaitOptions) => setTimeout(ms, undefined, options),
      yield: () => setImmediate(),
    },
  };
}
