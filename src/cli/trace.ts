// `portside trace`: the time line of one connection of a running host, as text or as a picture.

import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { EventRow } from '../inspect/event-rows.ts';
import { parseFilter, statesOf } from '../inspect/ss-filter.ts';
import { endText } from '../inspect/ss-text.ts';
import { traceSvg } from '../inspect/trace-svg.ts';
import { TraceText } from '../inspect/trace-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { SocketRow } from '../stack/snapshot.ts';
import { examples, type LookOptions, look, lookOption } from './look.ts';
import { UsageError } from './report.ts';
import { watching } from './watching.ts';

interface Options extends LookOptions {
  svg?: string;
  seconds?: string;
  json?: boolean;
}

/** What a time line shows; timers that are set and set again would bury the rest. */
const KINDS = [
  ...['state', 'sent', 'received', 'acked', 'sacked', 'cwnd', 'rtt', 'lost', 'undone', 'fired'],
  'delivered',
];
/** Events that a picture is drawn of. */
const MOST_ROWS = 500_000;

export function traceCommand(): Command {
  const command = new Command('trace')
    .summary('the time line of one connection, as text or a picture')
    .description('the time line of one connection: segments, acknowledgments, losses, windows')
    .argument(
      '<SOCKET...>',
      'its number (`sk:` of `portside ss -e`), or a filter of ss that fits one',
    )
    .option('--svg <FILE>', 'a time-sequence plot and the congestion window, as a picture')
    .option('--seconds <N>', 'for so long (default: until the connection ends, or ctrl-C)')
    .option('--json', 'one JSON object a line');
  examples(command, [
    'portside trace 12',
    'portside trace dst 10.77.0.1 and sport = :80',
    'portside trace 12 --svg plot.svg --seconds 5',
  ]);
  return lookOption(command).action((words: string[], options: Options) =>
    look(options, (client) => trace(client, words, options)),
  );
}

async function socketOf(client: ControlClient, words: readonly string[]): Promise<SocketRow> {
  const rows = (await client.ask<SocketRow[]>('sockets')).filter((row) => row.info !== undefined);
  const text = words.join(' ');
  const fits = /^\d+$/.test(text)
    ? (row: SocketRow) => row.sk === Number(text)
    : parseFilter([...words], statesOf('all'));
  const [only, ...more] = rows.filter(fits);
  if (only === undefined) throw new UsageError(`no connection is '${text}'`);
  if (more.length > 0) {
    const numbers = [only, ...more].map((row) => row.sk).join(', ');
    throw new UsageError(`'${text}' fits several connections: ${numbers}`);
  }
  return only;
}

/** What comes behind TIME-WAIT is a minute of silence. */
function isEnd(e: EventRow): boolean {
  return e.kind === 'state' && (e.to === 'UNCONN' || e.to === 'TIME-WAIT');
}

async function trace(client: ControlClient, words: string[], o: Options): Promise<void> {
  const seconds = o.seconds === undefined ? 0 : Number(o.seconds);
  if (!(seconds >= 0 && seconds <= 86_400)) {
    throw new UsageError(`--seconds: '${o.seconds}' is not a number of seconds`);
  }
  const { sk, ...row } = await socketOf(client, words);
  const rows: EventRow[] = [];
  const text = new TraceText();
  process.stdout.on('error', () => process.exit(0));
  const take = (events: readonly EventRow[]): boolean => {
    for (const event of events) {
      if (event.sk !== sk) continue;
      if (o.svg !== undefined) rows.push(event);
      const line = o.json === true ? JSON.stringify(event) : text.line(event);
      if (line !== null && (o.svg === undefined || o.json === true)) {
        process.stdout.write(`${line}\n`);
      }
    }
    return !events.some((e) => e.sk === sk && isEnd(e)) && rows.length < MOST_ROWS;
  };
  const begun = (): void => void process.stderr.write(`portside: tracing ${sk}\n`);
  await watching(client, { kinds: KINDS, sk, capacity: 1 << 18 }, seconds, take, begun);
  if (o.svg === undefined) return;
  const local = endText(row.localAddress, row.localPort);
  const remote = endText(row.remoteAddress, row.remotePort);
  writeFileSync(o.svg, traceSvg(rows, `${local} to ${remote}`));
}
