// `portside capture`: the packets of a running host, as tcpdump shows the kernel's; pcapng for
// Wireshark.

import { createReadStream } from 'node:fs';
import { Command } from 'commander';
import { parsePacketFilter } from '../inspect/packet-filter.ts';
import { packetText } from '../inspect/packet-text.ts';
import { viewPacket } from '../inspect/packet-view.ts';
import { PcapngReader, type ReadBlock } from '../inspect/pcapng-read.ts';
import type { ControlClient } from '../node/control-client.ts';
import { CaptureFiles, KeyLog } from './capture-files.ts';
import { examples, type LookOptions, look, lookOption } from './look.ts';
import { failWith, UsageError } from './report.ts';

interface Options extends LookOptions {
  interface?: string;
  write?: string;
  read?: string;
  count?: string;
  snap?: string;
  size?: string;
  files?: string;
  comments?: boolean;
  tlsKeys?: string;
}

export function captureCommand(): Command {
  const command = new Command('capture')
    .summary('its packets: as lines, or as pcapng for Wireshark')
    .description('the packets of a running host: as lines, or as pcapng for Wireshark')
    .argument('[FILTER...]', "'tcp port 80 and host 10.0.0.1', 'syn and not src net 10.0.0.0/8'")
    .option('-i, --interface <LINK>', 'one link only (default: all)')
    .option('-w, --write <FILE>', 'pcapng into FILE; -: to standard output')
    .option('-r, --read <FILE>', 'from FILE, not from a host; -: from standard input')
    .option('-c, --count <N>', 'end after N packets')
    .option('-s, --snap <N>', 'keep N octets of each packet (default: all)')
    .option('-C, --size <MB>', 'with -w: a new file after so many million octets')
    .option('-W, --files <N>', 'with -C: so many files, then over the first again')
    .option('--comments', 'with each packet the state of its connection')
    .option('--tls-keys <FILE>', 'put the keys of this TLS key log into the capture (-w)');
  examples(command, [
    'portside capture -w - | wireshark -k -i -',
    'portside capture tcp port 443 -w x.pcapng',
    "portside capture 'drop or rst'",
    'portside capture -w ring.pcapng -C 10 -W 5',
  ]);
  return lookOption(command).action(async (words: string[], options: Options) => {
    // the reader of our pipe has seen enough: `portside capture | head`
    process.stdout.on('error', () => process.exit(0));
    try {
      const plan = planOf(words, options);
      if (options.read !== undefined) await readFrom(options.read, plan);
      else await look(options, (client) => captureFrom(client, plan));
    } catch (reason) {
      failWith(reason);
    }
  });
}

interface Plan {
  readonly filter: string;
  readonly link: string | undefined;
  readonly count: number;
  readonly snap: number;
  readonly comments: boolean;
  readonly files: CaptureFiles | null;
  readonly keys: KeyLog | null;
}

function whole(text: string | undefined, name: string, low: number, high: number): number {
  if (text === undefined) return 0;
  const n = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (n < low || n > high) {
    throw new UsageError(`${name}: '${text}' is not a number from ${low} to ${high}`);
  }
  return n;
}

function planOf(words: readonly string[], o: Options): Plan {
  const filter = words.join(' ');
  parsePacketFilter(filter); // what makes no sense is told before a file is opened
  const size = whole(o.size, '--size', 1, 100_000) * 1_000_000;
  const files = whole(o.files, '--files', 1, 10_000);
  if ((size > 0 && o.write === undefined) || (files > 0 && size === 0)) {
    throw new UsageError('-C belongs to -w FILE, and -W to -C');
  }
  if (o.tlsKeys !== undefined) {
    if (o.write === undefined) throw new UsageError('--tls-keys belongs to -w FILE');
    process.stderr.write(
      'portside: the capture holds TLS keys: whoever has it can read what was encrypted\n',
    );
  }
  return {
    filter,
    link: o.interface,
    count: whole(o.count, '--count', 1, 999_999_999),
    snap: whole(o.snap, '--snap', 1, 262_144),
    comments: o.comments === true,
    files: o.write === undefined ? null : new CaptureFiles(o.write, { size, files }),
    keys: o.tlsKeys === undefined ? null : new KeyLog(o.tlsKeys),
  };
}

/** Writes blocks where they belong; answers how many packets there have been. */
class Outlet {
  readonly #plan: Plan;
  readonly #reader = new PcapngReader();
  readonly #takes: (block: ReadBlock) => boolean;
  packets = 0;

  constructor(plan: Plan, filters: boolean) {
    this.#plan = plan;
    const filter = parsePacketFilter(plan.filter);
    this.#takes = (block) => {
      if (!filters || block.packet === null) return true;
      const { octets, direction, comment } = block.packet;
      const reason = /\bDROP ([A-Z0-9_]+)/.exec(comment)?.[1] ?? '';
      return filter(viewPacket(octets, direction === 1, reason));
    };
  }

  /** False: there have been as many as were wanted. */
  take(chunk: Uint8Array): boolean {
    const { files, keys, count } = this.#plan;
    for (const block of this.#reader.push(chunk)) {
      if (!this.#takes(block)) continue;
      if (block.packet !== null && count > 0 && this.packets >= count) return false;
      if (block.packet !== null) {
        this.packets++;
        const secrets = keys?.news() ?? null;
        if (secrets !== null) files?.write(secrets, false);
      }
      if (files !== null) files.write(block.raw.slice(), block.head);
      else if (block.packet !== null) process.stdout.write(`${packetText(block.packet)}\n`);
    }
    return count === 0 || this.packets < count;
  }
}

async function readFrom(path: string, plan: Plan): Promise<void> {
  const outlet = new Outlet(plan, true);
  const input = path === '-' ? process.stdin : createReadStream(path);
  for await (const chunk of input) if (!outlet.take(chunk as Buffer)) break;
  plan.files?.close();
}

async function captureFrom(client: ControlClient, plan: Plan): Promise<void> {
  const { filter, link, count, snap, comments } = plan;
  const { socket } = await client.switchTo('capture', {
    filter,
    count,
    comments,
    ...(link === undefined ? {} : { link }),
    ...(snap === 0 ? {} : { snap }),
  });
  const outlet = new Outlet(plan, false);
  // the host answers the end of our side with what is left and the counts
  const stop = (): void => void socket.end();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  process.stderr.write('portside: capturing\n');
  try {
    for await (const chunk of socket) outlet.take(chunk as Buffer);
  } catch (error) {
    // the reader of our pipe has seen enough
    if ((error as { code?: string }).code !== 'EPIPE') throw error;
  } finally {
    plan.files?.close();
  }
  process.stderr.write(`portside: ${outlet.packets} packets\n`);
}
