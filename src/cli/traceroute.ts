// `portside traceroute`: which routers lie on the way, by datagrams or echo requests whose hop
// limit runs out; and `portside tracepath`: the same with the path MTU.

import type { Socket } from 'node:net';
import { Command } from 'commander';
import type { IcmpError } from '../inspect/ping-text.ts';
import {
  hopText,
  isLastError,
  markOf,
  type ProbeAnswer,
  pathText,
} from '../inspect/traceroute-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import { type Frame, frameOf, readFrames } from '../node/frames.ts';
import { examples } from './look.ts';
import { UsageError } from './report.ts';
import {
  addressesOf,
  numberOption,
  type ThroughOptions,
  through,
  throughOptions,
} from './through.ts';

interface Options extends ThroughOptions {
  icmp?: boolean;
  maxHops?: string;
  queries?: string;
  wait?: string;
  port?: string;
  first?: string;
  source?: string;
  ipv4?: boolean;
  ipv6?: boolean;
  json?: boolean;
}

/** As traceroute: ports that nobody is thought to listen on, one a probe. */
const FIRST_PORT = 33_434;
const LAST_PORT = 65_535;
/** Octets behind the transport header: 60 in all over IPv4. */
const PAYLOAD = 32;

function common(command: Command): Command {
  return throughOptions(
    command
      .argument('<DESTINATION>', 'name or address')
      .option('-4, --ipv4', 'IPv4 only')
      .option('-6, --ipv6', 'IPv6 only')
      .option('-I, --icmp', 'echo requests instead of datagrams')
      .option('-m, --max-hops <N>', 'farthest hop (default: 30)')
      .option('-w, --wait <S>', 'seconds to wait for an answer (default: 5)')
      .option('-p, --port <N>', `first port of the destination (default: ${FIRST_PORT})`)
      .option('-s, --source <ADDR>', 'from this address of the host')
      .option('-n, --numeric', 'addresses stay numbers, as they do anyway')
      .option('--json', 'one JSON object a line'),
  );
}

export function tracerouteCommand(): Command {
  const command = new Command('traceroute')
    .summary('the routers on the way to a destination')
    .description("the routers on the way from a host's stack to a destination")
    .option('-q, --queries <N>', 'probes a hop (default: 3)')
    .option('-f, --first <N>', 'first hop (default: 1)');
  examples(command, ['portside traceroute 192.0.2.1', 'portside traceroute -I -q 1 -m 5 10.9.0.1']);
  return common(command).action((name: string, o: Options) =>
    through(o, ['traceroute', 1], async (client) => {
      const target = await targetOf(client, name, o);
      const hops = numberOption(o.maxHops, '-m', [1, 255], 30);
      if (o.json !== true) {
        const octets = target.includes(':') ? 80 : 60;
        say(`traceroute to ${name} (${target}), ${hops} hops max, ${octets} byte packets`);
      }
      const prober = await Prober.open(client, target, o);
      const queries = numberOption(o.queries, '-q', [1, 10], 3);
      for (let ttl = numberOption(o.first, '-f', [1, 255], 1); ttl <= hops; ttl++) {
        const answers: (ProbeAnswer | null)[] = [];
        for (let i = 0; i < queries; i++) answers.push(await prober.probe(ttl, PAYLOAD));
        say(o.json === true ? JSON.stringify({ ttl, answers }) : hopText(ttl, answers));
        if (answers.some((answer) => answer?.isLast === true)) break;
      }
      prober.close();
      return 0;
    }),
  );
}

/** What a link carries at least, and at most where nobody has said anything. */
const MOST_MTU = 65_535;

export function tracepathCommand(): Command {
  const command = new Command('tracepath')
    .summary('the same, and the path MTU')
    .description('the routers on the way and the largest packet that makes it (path MTU)');
  examples(command, ['portside tracepath 192.0.2.1']);
  return common(command).action((name: string, o: Options) =>
    through(o, ['tracepath', 1], async (client) => {
      const target = await targetOf(client, name, o);
      const prober = await Prober.open(client, target, o);
      const code = await tracepath(prober, target, o);
      prober.close();
      return code;
    }),
  );
}

async function tracepath(prober: Prober, target: string, o: Options): Promise<number> {
  const hops = numberOption(o.maxHops, '-m', [1, 255], 30);
  const headers = target.includes(':') ? 48 : 28;
  let mtu = MOST_MTU;
  let isReached = false;
  let ttl = 1;
  const tell = (answer: ProbeAnswer | null, more: string): void =>
    say(o.json === true ? JSON.stringify({ ttl, answer, mtu }) : pathText(ttl, answer, more));
  // each round ends in a hop further on or in a smaller MTU: both are bounded
  while (ttl <= hops && !isReached) {
    const answer = await prober.probe(ttl, mtu - headers);
    const told = prober.mtu;
    if (told >= 68 && told < mtu) {
      mtu = told;
      if (answer !== null && answer.mark !== '') tell(answer, `pmtu ${mtu}`);
      else if (o.json !== true) say(`${String(ttl).padStart(2)}?: [LOCALHOST] pmtu ${mtu}`);
      continue;
    }
    isReached = answer?.isLast === true;
    tell(answer, isReached ? `reached ${answer?.mark ?? ''}` : '');
    ttl++;
  }
  const back = isReached ? ` hops ${ttl - 1}` : '';
  if (o.json === true) say(JSON.stringify({ pmtu: mtu, reached: isReached }));
  else say(`     ${isReached ? 'Resume:' : 'Too many hops:'} pmtu ${mtu}${back}`);
  return isReached ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function targetOf(client: ControlClient, name: string, o: Options): Promise<string> {
  const family = o.ipv4 === o.ipv6 ? 0 : o.ipv4 === true ? 4 : 6;
  const [found] = await addressesOf(client, name, family);
  if (found === undefined) throw new UsageError(`${name}: no address`);
  return found.address;
}

/** One probe at a time, and whoever answers it. */
class Prober {
  /** What the last probe has taught of the path; 0: nothing. */
  mtu = 0;
  readonly #socket: Socket;
  readonly #target: string;
  readonly #o: Options;
  readonly #waitMs: number;
  readonly #firstPort: number;
  #seq = 0;
  #sentUs = 0;
  #answer: ((answer: ProbeAnswer | null) => void) | null = null;

  private constructor(socket: Socket, target: string, o: Options) {
    this.#socket = socket;
    this.#target = target;
    this.#o = o;
    this.#waitMs = numberOption(o.wait, '-w', [0, 1e5], 5) * 1000;
    this.#firstPort = numberOption(o.port, '-p', [1, LAST_PORT], FIRST_PORT);
    readFrames(socket, (frame) => this.#take(frame));
  }

  static async open(client: ControlClient, target: string, o: Options): Promise<Prober> {
    const six = target.includes(':');
    const { socket } =
      o.icmp === true
        ? await client.open('ping', { family: six ? 6 : 4 })
        : await client.open('udp', {
            address: o.source ?? (six ? '::' : '0.0.0.0'),
            dontFragment: true,
          });
    return new Prober(socket, target, o);
  }

  close(): void {
    this.#socket.destroy();
  }

  get #port(): number {
    const span = LAST_PORT - this.#firstPort + 1;
    return this.#firstPort + (this.#seq % span);
  }

  /** The answer, or null after the time for one. */
  probe(ttl: number, octets: number): Promise<ProbeAnswer | null> {
    this.#seq = (this.#seq + 1) & 0xffff;
    this.mtu = 0;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer?.(null), this.#waitMs);
      this.#answer = (answer) => {
        clearTimeout(timer);
        this.#answer = null;
        resolve(answer);
      };
      const { source } = this.#o;
      const meta =
        this.#o.icmp === true
          ? {
              to: this.#target,
              seq: this.#seq,
              ttl,
              dontFragment: true,
              ...(source ? { source } : {}),
            }
          : { address: this.#target, port: this.#port, ttl };
      this.#sentUs = performance.now() * 1000;
      this.#socket.write(frameOf(meta, Buffer.alloc(octets, 0x40)));
    });
  }

  #take({ meta }: Frame): void {
    const rttUs = performance.now() * 1000 - this.#sentUs;
    if (meta.failed === true) {
      if (meta.error === 'EMSGSIZE') this.mtu = meta.mtu as number;
      this.#answer?.(null);
      return;
    }
    if (meta.error === undefined) {
      // an echo reply, or somebody who listens there: the end of the way
      const from = (meta.from ?? meta.address) as string;
      const isOurs = this.#o.icmp === true ? meta.seq === this.#seq : meta.port === this.#port;
      const us = typeof meta.rttUs === 'number' ? meta.rttUs : rttUs;
      if (isOurs) this.#answer?.({ from, rttUs: us, mark: '', isLast: true });
      return;
    }
    const about = this.#o.icmp === true ? meta.seq === this.#seq : meta.port === this.#port;
    if (!about || meta.from === undefined) return;
    const error = meta as unknown as IcmpError;
    if (error.mtu > 0) this.mtu = error.mtu;
    const mark = markOf(error);
    const isLast = isLastError(error) && !mark.startsWith('!F');
    this.#answer?.({ from: meta.from as string, rttUs, mark, isLast });
  }
}
