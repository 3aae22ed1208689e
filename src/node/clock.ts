// Where a host gets its time and its one timer from. The system's by default; a simulation brings a
// virtual one (sim/clock.ts), and then no turn of the driver waits for anything real.

export interface Clock {
  /** Monotonic microseconds. */
  nowUs(): number;
  /** Calls `run` once, `delayUs` from now; answers how to cancel it. */
  after(delayUs: number, run: () => void): () => void;
}

const LONGEST_MS = 0x7fffffff;

/**
 * CLOCK_MONOTONIC, which the addon stamps batches with, and `setTimeout`. The timer never holds the
 * event loop: the driver's own handle does that while sockets want it.
 */
export class SystemClock implements Clock {
  /** `performance.now()` counts from the process's start, process.hrtime from the machine's. */
  readonly #originUs: number;

  constructor() {
    const [seconds, nanoseconds] = process.hrtime();
    this.#originUs = seconds * 1e6 + nanoseconds / 1e3 - performance.now() * 1e3;
  }

  nowUs(): number {
    return this.#originUs + performance.now() * 1e3;
  }

  after(delayUs: number, run: () => void): () => void {
    // Rounded up: a timer that fires before its deadline would only be set again.
    const ms = Math.min(Math.max(1, Math.ceil(delayUs / 1000)), LONGEST_MS);
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  }
}
