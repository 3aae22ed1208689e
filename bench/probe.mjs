// Preloaded into `portside up` by `npm run bench -- floods`: on SIGUSR2 it writes one JSON line
// (event loop delay and memory since the last one) to the file that PORTSIDE_PROBE names, and
// begins anew.

import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const file = process.env.PORTSIDE_PROBE;

if (file !== undefined && file !== '') {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 100);
  watch.unref();
  process.on('SIGUSR2', () => {
    const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    const row = {
      delayP50Ms: ms(delay.percentile(50)),
      delayP99Ms: ms(delay.percentile(99)),
      delayMaxMs: ms(delay.max),
      rss: process.memoryUsage.rss(),
      rssMost: Math.max(most, process.memoryUsage.rss()),
    };
    appendFileSync(file, `${JSON.stringify(row)}\n`);
    most = 0;
    delay.reset();
  });
}
