// Node's clock and timers for the services of the core.

import type { Timers } from '../services/service.ts';

export const nodeTimers: Timers = {
  nowUs(): number {
    return performance.now() * 1000;
  },
  after(us: number, fn: () => void): () => void {
    if (us <= 0) {
      // setTimeout rounds up to a millisecond, which an unpaced sender would feel.
      const soon = setImmediate(fn);
      return () => clearImmediate(soon);
    }
    const timer = setTimeout(fn, us / 1000);
    return () => clearTimeout(timer);
  },
};

export function cpuTime(): { userUs: number; systemUs: number } {
  const used = process.cpuUsage();
  return { userUs: used.user, systemUs: used.system };
}
