// `portside ping`: echo requests through a stack, with iputils' words and exit codes: 0 somebody
// answered, 1 nobody did, 2 it could not be asked.

import { Command } from 'commander';
import {
  errorWords,
  type IcmpError,
  PingStatistics,
  pingHead,
  pingSummary,
  replyText,
} from '../inspect/ping-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import { type Frame, frameOf, readFrames } from '../node/frames.ts';
import { examples } from './look.ts';
import {
  addressesOf,
  numberOption,
  type ThroughOptions,
  through,
  throughOptions,
} from './through.ts';

interface Options extends ThroughOptions {
  count?: string;
  interval?: string;
  size?: string;
  wait?: string;
  deadline?: string;
  ttl?: string;
  tos?: string;
  pmtudisc?: string;
  source?: string;
  quiet?: boolean;
  timestamp?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
  json?: boolean;
}

/** Largest payload that fits an IPv4 packet: 65,535 − 20 − 8. */
const MOST_PAYLOAD = 65_507;
const FOREVER_S = 1_000_000;
/** As iputils: how long the last replies are waited for. */
const WAIT_S = 10;

export function pingCommand(): Command {
  const command = new Command('ping')
    .summary("echo requests through a host's stack, as ping")
    .description("echo requests through a host's stack, with ping's text and exit codes")
    .argument('<DESTINATION>', 'name or address')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-c, --count <N>', 'stop after so many requests')
    .option('-i, --interval <S>', 'seconds between two requests (default: 1)')
    .option('-s, --size <N>', 'octets of payload (default: 56)')
    .option('-W, --wait <S>', 'seconds to wait for a reply (default: 10)')
    .option('-w, --deadline <S>', 'stop after so many seconds')
    .option('-t, --ttl <N>', 'time to live')
    .option('-Q, --tos <N>', 'DSCP and ECN in one octet')
    .option('-M, --pmtudisc <do|dont>', 'do: never fragment (default: dont)')
    .option('-I, --source <ADDR>', 'from this address of the host')
    .option('-q, --quiet', 'the summary only')
    .option('-D, --timestamp', 'the time before each line')
    .option('-n, --numeric', 'addresses stay numbers, as they do anyway')
    .option('--json', 'one JSON object a line');
  examples(command, [
    'portside ping -c 3 10.77.0.1',
    'portside ping -c 1 -s 65507 10.77.0.1',
    'portside ping -M do -s 1472 -c 1 10.77.0.1',
    'portside ping --netns lab --address 10.78.0.2/24 10.78.0.1',
  ]);
  return throughOptions(command).action((name: string, o: Options) =>
    through(o, ['ping', 2], (client) => new Ping(client, name, o).run()),
  );
}

class Ping {
  readonly #client: ControlClient;
  readonly #name: string;
  readonly #o: Options;
  readonly #stats = new PingStatistics();
  readonly #seen = new Set<number>();
  #from = 0;
  #finish: () => void = () => {};
  #last: NodeJS.Timeout | null = null;

  constructor(client: ControlClient, name: string, o: Options) {
    this.#client = client;
    this.#name = name;
    this.#o = o;
  }

  async run(): Promise<number> {
    const o = this.#o;
    const count = numberOption(o.count, '-c', [1, 2 ** 31], Infinity);
    const intervalMs = numberOption(o.interval, '-i', [0, FOREVER_S], 1) * 1000;
    const size = numberOption(o.size, '-s', [0, MOST_PAYLOAD], 56);
    const waitMs = numberOption(o.wait, '-W', [0, FOREVER_S], WAIT_S) * 1000;
    const deadlineMs = numberOption(o.deadline, '-w', [0, FOREVER_S], Infinity) * 1000;
    const family = o.ipv4 === o.ipv6 ? 0 : o.ipv4 === true ? 4 : 6;
    const [target] = await addressesOf(this.#client, this.#name, family);
    if (target === undefined) throw new Error(`${this.#name}: no address`);
    const six = target.address.includes(':');
    const { socket } = await this.#client.open('ping', { family: six ? 6 : 4 });
    this.#print(pingHead({ name: this.#name, address: target.address, size }));
    this.#from = performance.now();
    const over = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    readFrames(socket, (frame) => this.#take(frame, count));
    socket.on('end', this.#finish).on('error', this.#finish);
    process.once('SIGINT', this.#finish);
    const data = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i & 0xff));
    const meta = { to: target.address, ...this.#requestOptions() };
    const next = (): void => {
      const stats = this.#stats;
      if (stats.sent >= count) return;
      stats.sent++;
      socket.write(frameOf({ ...meta, seq: stats.sent & 0xffff }, data));
      if (stats.sent < count) setTimeout(next, intervalMs);
      else this.#last = setTimeout(this.#finish, waitMs);
    };
    if (deadlineMs !== Infinity) setTimeout(this.#finish, deadlineMs).unref();
    next();
    await over;
    if (this.#last !== null) clearTimeout(this.#last);
    socket.destroy();
    return this.#end();
  }

  #requestOptions(): object {
    const o = this.#o;
    return {
      ttl: numberOption(o.ttl, '-t', [1, 255], 0),
      tos: numberOption(o.tos, '-Q', [0, 255], 0),
      dontFragment: o.pmtudisc === 'do',
      ...(o.source === undefined ? {} : { source: o.source }),
    };
  }

  #take({ meta, data }: Frame, count: number): void {
    const stats = this.#stats;
    if (meta.error !== undefined) this.#takeError(meta);
    else {
      const seq = meta.seq as number;
      const duplicate = this.#seen.has(seq);
      this.#seen.add(seq);
      if (this.#seen.size > 32_768) this.#seen.delete(this.#seen.values().next().value as number);
      if (duplicate) stats.duplicates++;
      else stats.received++;
      stats.add(meta.rttUs as number);
      const { from, ttl, rttUs } = meta as { from: string; ttl: number; rttUs: number };
      const reply = { from, seq, ttl, rttUs, octets: data.length + 8, duplicate };
      if (this.#o.quiet !== true) this.#say(replyText(reply), { event: 'reply', ...reply });
    }
    if (stats.received + stats.errors >= count) this.#finish();
  }

  #takeError(meta: Frame['meta']): void {
    const stats = this.#stats;
    stats.errors++;
    if (this.#o.quiet === true) return;
    if (meta.failed === true) {
      const local = `local error: ${meta.error === 'EMSGSIZE' ? 'message too long' : meta.error}`;
      const mtu = meta.error === 'EMSGSIZE' ? `, mtu=${meta.mtu}` : '';
      this.#say(`ping: ${local}${mtu}`, { event: 'error', ...meta });
      return;
    }
    const words = errorWords(meta as unknown as IcmpError);
    this.#say(`From ${meta.from} icmp_seq=${meta.seq} ${words}`, {
      event: 'error',
      ...meta,
      words,
    });
  }

  #say(text: string, fields: object): void {
    if (this.#o.json === true) {
      process.stdout.write(`${JSON.stringify(fields)}\n`);
      return;
    }
    const at = this.#o.timestamp === true ? `[${(Date.now() / 1000).toFixed(6)}] ` : '';
    process.stdout.write(`${at}${text}\n`);
  }

  #print(text: string): void {
    if (this.#o.json !== true) process.stdout.write(`${text}\n`);
  }

  #end(): number {
    const stats = this.#stats;
    const elapsedMs = performance.now() - this.#from;
    if (this.#o.json === true) {
      const { sent, received, duplicates, errors, minUs, maxUs, averageUs, deviationUs } = stats;
      const times = received > 0 ? { minUs, averageUs, maxUs, deviationUs } : {};
      const all = { event: 'summary', sent, received, duplicates, errors, ...times };
      process.stdout.write(`${JSON.stringify(all)}\n`);
    } else {
      process.stdout.write(`${pingSummary(this.#name, stats, elapsedMs).join('\n')}\n`);
    }
    return stats.received > 0 ? 0 : 1;
  }
}
