// `npm run bench -- connections [N]`: N established connections in one process, opened by peers
// that are nothing but headers. Memory is what V8 and its buffers hold after a collection, before
// and after, over N.

import { parseArgs } from 'node:util';
import { Held } from '../src/base/memory.ts';
import { SeededRandom } from '../src/base/random.ts';
import { FlowTable } from '../src/demux/flow-table.ts';
import type { ConfigOverrides } from '../src/stack/config.ts';
import { circumstances, save } from './report.ts';
import { Strangers } from './strangers.ts';

declare const gc: (() => void) | undefined;

const BATCH = 64;
const LOOKUPS = 2_000_000;
/** Lookups between two looks at the clock: the clock itself costs tens of nanoseconds. */
const RUN = 16;

function held(): number {
  if (typeof gc !== 'function') throw new Error('connections needs --expose-gc');
  for (let i = 0; i < 4; i++) gc();
  const { heapUsed, external } = process.memoryUsage(); // external has the ArrayBuffers in it
  return heapUsed + external;
}

interface Lookup {
  readonly flows: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly longestProbe: number;
}

/** Lookups of random flows among `flows`; percentiles are of runs of 16. */
function lookups(flows: number): Lookup {
  const table = new FlowTable(new SeededRandom(3), 64);
  const key = new Int32Array([0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, 0, 0]);
  const name = (n: number): void => {
    key[7] = (0x14000000 + Math.floor(n / 50_000)) | 0;
    key[8] = (80 << 16) | (1024 + (n % 50_000));
  };
  for (let n = 0; n < flows; n++) {
    name(n);
    table.insert(key, 0, n);
  }
  const chance = new SeededRandom(4);
  const times = new Float64Array(LOOKUPS / RUN);
  const wanted = Int32Array.from({ length: RUN }, () => 0);
  let total = 0;
  for (let i = 0; i < times.length; i++) {
    for (let k = 0; k < RUN; k++) wanted[k] = (chance.next() >>> 0) % flows;
    const from = process.hrtime.bigint();
    for (let k = 0; k < RUN; k++) {
      const n = wanted[k] as number;
      const remote = (0x14000000 + Math.floor(n / 50_000)) | 0;
      if (table.find4(0x0a000001, remote, (80 << 16) | (1024 + (n % 50_000))) !== n) {
        throw new Error(`flow ${n} is not found`);
      }
    }
    const ns = Number(process.hrtime.bigint() - from) / RUN;
    times[i] = ns;
    total += ns;
  }
  times.sort();
  return {
    flows,
    meanNs: total / times.length,
    p50Ns: times[times.length >> 1] as number,
    p99Ns: times[Math.floor(times.length * 0.99)] as number,
    longestProbe: table.longestProbe(),
  };
}

function open(strangers: Strangers, n: number): number {
  const from = performance.now();
  for (let i = 0; i < n; i += BATCH) strangers.open(i, Math.min(BATCH, n - i));
  if (strangers.sockets.length !== n) throw new Error(`${strangers.sockets.length} of ${n} opened`);
  return (n * 1000) / (performance.now() - from);
}

/** V8 has seen it all before it counts. In a function: nothing here may keep what it has made. */
function warmUp(config: ConfigOverrides): void {
  open(new Strangers(config), 5000);
}

/** Everything closes: the program first, so that the records stay here. */
function close(strangers: Strangers, n: number): void {
  for (const s of strangers.sockets) s.close();
  strangers.turn(1);
  strangers.sockets.length = 0;
  for (let i = 0; i < n; i += BATCH) strangers.finish(i, Math.min(BATCH, n - i));
}

/** Runs with the words behind `connections`. */
export function connections(args: string[]): void {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      save: { type: 'boolean', default: false },
      out: { type: 'string', default: '' },
    },
  });
  const n = Number(positionals[0] ?? 100_000);
  const where = circumstances();
  const config = {
    tcp: { testIss: 0, synBacklog: 1 << 20, maxTimeWait: 1 << 20 },
    stack: { memoryOctets: 4 * 2 ** 30 },
  };
  warmUp(config);
  const before = held();
  const strangers = new Strangers(config);
  const empty = held();
  const perSecond = open(strangers, n);
  const full = held();
  const probe = strangers.stack.tcp.flows.longestProbe();
  close(strangers, n);
  const records = strangers.stack.tcp.timeWait.size;
  const waiting = held();
  const ledger = strangers.stack.ip.memory.held[Held.TIME_WAIT] as number;
  const result = {
    connections: n,
    opensPerSecond: Math.round(perSecond),
    octetsEach: Math.round((full - empty) / n),
    longestProbe: probe,
    timeWaitRecords: records,
    timeWaitOctetsEach: Math.round(ledger / Math.max(1, records)),
    leftOctetsEach: Math.round((waiting - empty) / n),
    stackOctets: empty - before,
    lookups: [lookups(100_000), lookups(1_000_000)],
  };
  console.log(`${n} connections: ${result.octetsEach} octets each, socket and all`);
  console.log(`opened at ${result.opensPerSecond} a second; longest probe of the table ${probe}`);
  console.log(
    `${records} TIME-WAIT records: ${result.timeWaitOctetsEach} octets each; ` +
      `${result.leftOctetsEach} a connection with the tables, which stay for the next ones`,
  );
  for (const l of result.lookups) {
    console.log(
      `lookup among ${l.flows}: mean ${l.meanNs.toFixed(0)} ns, p50 ${l.p50Ns.toFixed(0)}, ` +
        `p99 ${l.p99Ns.toFixed(0)}, longest probe ${l.longestProbe}`,
    );
  }
  if (values.save || values.out !== '') {
    console.log(`written to ${save('connections', values.out, { ...where, ...result })}`);
  }
}
