// `portside iperf3 -c HOST` and `portside bench iperf3 HOST`: a client of iperf3's own protocol on
// a device of ours, with iperf3's flags, lines and JSON.

import { Command } from 'commander';
import type { Host } from '../node/host.ts';
import { SystemRandom } from '../node/random.ts';
import { IPERF3_PORT } from '../services/iperf3.ts';
import { runIperf3 } from '../services/iperf3-client.ts';
import type { ClientOptions, Interval } from '../services/iperf3-outcome.ts';
import { parsePort } from './addresses.ts';
import {
  headLines,
  intervalJson,
  intervalLines,
  outcomeJson,
  outcomeLines,
} from './iperf3-text.ts';
import { failWith, UsageError } from './report.ts';
import { cpuTime, nodeTimers } from './timers.ts';
import { openHost, plan } from './up.ts';

interface Options {
  client?: string;
  port: string;
  name?: string;
  addr: string;
  peer?: string;
  mtu?: string;
  netns?: string;
  udp?: boolean;
  parallel: string;
  reverse?: boolean;
  bidir?: boolean;
  bitrate?: string;
  time: string;
  omit: string;
  bytes?: string;
  length?: string;
  interval: string;
  json?: boolean;
}

export function iperf3Command(): Command {
  return new Command('iperf3')
    .summary('measure against an iperf3 server, with its flags')
    .description("measure against an iperf3 server, with iperf3's flags, through a device of ours")
    .argument('[HOST]', 'the server: an address')
    .option('-c, --client <HOST>', 'the same, as iperf3 says it')
    .option('-p, --port <N>', "the server's port", String(IPERF3_PORT))
    .requiredOption('--addr <ADDR/PREFIX>', 'our address, such as 10.77.0.2/24')
    .option('--name <NAME>', 'device (portside0)')
    .option('--netns <NAME>', 'make or enter this network namespace for the device')
    .option('--peer <ADDR>', "the kernel's address (default: the prefix's first other host)")
    .option('--mtu <N>', "largest IP packet in octets (default: the device's, 1500)")
    .option('-u, --udp', 'datagrams instead of TCP')
    .option('-P, --parallel <N>', 'streams', '1')
    .option('-R, --reverse', 'the server sends')
    .option('--bidir', 'both send')
    .option('-b, --bitrate <N[KMG]>', 'bit/s of a stream, 0: no limit (0; UDP: 1M)')
    .option('-t, --time <S>', 'seconds', '10')
    .option('-O, --omit <S>', 'seconds at the start that do not count', '0')
    .option('-n, --bytes <N[KMG]>', 'end after so many octets, not after a time')
    .option('-l, --length <N[KMG]>', 'octets of a write (128K) or a datagram (1460)')
    .option('-i, --interval <S>', 'seconds between two lines, 0: none', '1')
    .option('-J, --json', "one JSON text as iperf3's")
    .action(async (host: string | undefined, options: Options) => {
      try {
        await run(host ?? options.client, options);
      } catch (reason) {
        failWith(reason);
      }
    });
}

/** `10M`; K, M, G and T are powers of `step`. */
export function amount(text: string, name: string, step: number, most: number): number {
  const found = /^(\d+(?:\.\d+)?)([kmgt]?)$/i.exec(text);
  const power = 'kmgt'.indexOf((found?.[2] ?? '').toLowerCase() || ' ') + 1;
  const value = found === null ? -1 : Math.floor(Number(found[1]) * step ** power);
  if (value < 0 || value > most) {
    throw new UsageError(`${name}: '${text}' is not a number up to ${most}, with K, M, G or T`);
  }
  return value;
}

function seconds(text: string, name: string, most: number): number {
  const value = Number(text);
  if (text !== '' && value >= 0 && value <= most) return value;
  throw new UsageError(`${name}: '${text}' is not a number of seconds up to ${most}`);
}

/** What the words ask for; UsageError where they make no sense. */
export function testOf(o: Options): Omit<ClientOptions, 'stack' | 'timers' | 'random' | 'address'> {
  if (o.reverse === true && o.bidir === true) {
    throw new UsageError('-R and --bidir: the server sends anyway');
  }
  const streams = amount(o.parallel, '-P', 1000, 128);
  if (streams === 0) throw new UsageError('-P: one stream at least');
  const length = o.length === undefined ? undefined : amount(o.length, '-l', 1024, 1 << 20);
  // A datagram's header is 16 octets (seconds, µs, a number of 64 bits), its payload 65507 at most.
  if (o.udp === true && length !== undefined && (length < 16 || length > 65_507)) {
    throw new UsageError(`-l: a datagram has 16 to 65507 octets, not ${length}`);
  }
  if (length === 0) throw new UsageError('-l: one octet at least');
  const whole = seconds(o.time, '-t', 86_400);
  if (whole % 1 !== 0 || (whole === 0 && o.bytes === undefined)) {
    throw new UsageError('-t: whole seconds, one at least');
  }
  return {
    port: parsePort(o.port, '-p'),
    udp: o.udp === true,
    streams,
    reverse: o.reverse === true,
    bidirectional: o.bidir === true,
    bitrate: o.bitrate === undefined ? undefined : amount(o.bitrate, '-b', 1000, 1e12),
    seconds: whole,
    omitSeconds: Math.floor(seconds(o.omit, '-O', 60)),
    octets: o.bytes === undefined ? 0 : amount(o.bytes, '-n', 1024, 2 ** 50),
    block: length,
    intervalSeconds: seconds(o.interval, '-i', 60),
  };
}

async function run(address: string | undefined, o: Options): Promise<void> {
  if (address === undefined) throw new UsageError('HOST is missing: portside iperf3 -c 10.77.0.1');
  const test = testOf(o);
  const host = await openHost(
    plan(o.name ?? 'portside0', o.addr, {
      ...(o.peer === undefined ? {} : { peer: o.peer }),
      ...(o.mtu === undefined ? {} : { mtu: o.mtu }),
      ...(o.netns === undefined ? {} : { netns: o.netns }),
    }),
  );
  host.ref();
  const stop = (): void => void host.close({ deadlineMs: 200 }).then(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await measure(host, address, test, o.json === true);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await host.close();
  }
}

async function measure(
  host: Host,
  address: string,
  test: ReturnType<typeof testOf>,
  json: boolean,
): Promise<void> {
  const intervals: Interval[] = [];
  const say = (lines: readonly string[]): void => {
    if (!json) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  };
  say(headLines(address, test.port));
  const started = new Date();
  try {
    const outcome = await runIperf3({
      ...test,
      stack: host.stack,
      timers: nodeTimers,
      random: new SystemRandom(),
      cpu: cpuTime,
      address,
      onInterval: (row) => {
        intervals.push(row);
        say(intervalLines(row));
      },
    });
    say(outcomeLines(outcome));
    if (!json) return;
    const text = outcomeJson({ address, port: test.port, started }, intervals, outcome);
    process.stdout.write(`${JSON.stringify(text, null, 2)}\n`);
  } catch (reason) {
    if (!json) throw reason;
    const text = { start: {}, intervals: intervals.map(intervalJson), end: {} };
    const error = (reason as Error).message;
    process.stdout.write(`${JSON.stringify({ ...text, error }, null, 2)}\n`);
    process.exitCode = 1;
  }
}
