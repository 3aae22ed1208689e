// How late the event loop of this process is, while somebody asks for it.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
/** Nobody has asked for so long: nothing is measured any more. */
const QUIET_MS = 15_000;

export class LoopDelay {
  #histogram: IntervalHistogram | null = null;
  #quiet: NodeJS.Timeout | null = null;

  /** Since the last call, µs; the first one only begins. */
  read(): { meanUs: number; p99Us: number; maxUs: number } {
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#stop(), QUIET_MS);
    this.#quiet.unref();
    const histogram = this.#histogram;
    if (histogram === null || histogram.count === 0) {
      this.#histogram ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#histogram.enable();
      return { meanUs: 0, p99Us: 0, maxUs: 0 };
    }
    // what is measured is the timer's own interval with its delay
    const delay = (ns: number): number => Math.max(0, ns / 1000 - RESOLUTION_MS * 1000);
    const { mean, max } = histogram;
    const answer = {
      meanUs: delay(mean),
      p99Us: delay(histogram.percentile(99)),
      maxUs: delay(max),
    };
    histogram.reset();
    return answer;
  }

  #stop(): void {
    this.#histogram?.disable();
    this.#histogram = null;
  }
}
