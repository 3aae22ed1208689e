// `portside ss`: the sockets of a running host, as ss shows the kernel's.

import { Command } from 'commander';
import type { EventRow } from '../inspect/event-rows.ts';
import { parseFilter, type RowFilter, statesOf, USUAL_STATES } from '../inspect/ss-filter.ts';
import { endText, ssText, summaryText } from '../inspect/ss-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { SocketRow } from '../stack/snapshot.ts';
import { type LookOptions, look, lookOption, print } from './look.ts';
import { watching } from './watching.ts';

interface Options extends LookOptions {
  tcp?: boolean;
  udp?: boolean;
  listening?: boolean;
  all?: boolean;
  numeric?: boolean;
  info?: boolean;
  extended?: boolean;
  memory?: boolean;
  options?: boolean;
  processes?: boolean;
  summary?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
  // commander's name for --no-header
  header: boolean;
  kill?: boolean;
  events?: boolean;
  json?: boolean;
}

export function ssCommand(): Command {
  const command = new Command('ss')
    .summary('the sockets of a running host, as ss')
    .description('the sockets of a running host: columns, flags and filters of ss')
    .argument(
      '[FILTER...]',
      "'state established', 'dst 10.0.0.0/8', '( sport = :80 or dport = :80 )'",
    )
    .option('-t, --tcp', 'TCP only')
    .option('-u, --udp', 'UDP only')
    .option('-l, --listening', 'listening sockets only')
    .option('-a, --all', 'sockets in every state')
    .option('-n, --numeric', 'rates as plain numbers (names are never resolved)')
    .option('-i, --info', 'what TCP knows: windows, times, counts')
    .option('-e, --extended', 'numbers of sockets (sk:), orphans')
    .option('-m, --memory', 'buffers')
    .option('-o, --options', 'timers')
    .option('-p, --processes', 'the process')
    .option('-s, --summary', 'counts of sockets by kind')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-H, --no-header', 'no header')
    .option('-E, --events', 'follow: connections as they change their state and end')
    .option('-K, --kill', 'reset the connections that are shown')
    .option('--json', 'one JSON object a line');
  return lookOption(command).action((words: string[], options: Options) =>
    look(options, (client) => ss(client, words, options)),
  );
}

function usualStates(o: Options): readonly string[] {
  if (o.all === true) return statesOf('all');
  return o.listening === true ? statesOf('listening') : USUAL_STATES;
}

function kinds(o: Options): RowFilter {
  const tcp = o.tcp === true || o.udp !== true;
  const udp = o.udp === true || o.tcp !== true;
  const v4 = o.ipv4 === true || o.ipv6 !== true;
  const v6 = o.ipv6 === true || o.ipv4 !== true;
  return (row) => (row.netid === 'tcp' ? tcp : udp) && (row.localAddress.includes(':') ? v6 : v4);
}

async function ss(client: ControlClient, words: string[], o: Options): Promise<void> {
  // a filter that makes no sense is told before the host is asked
  const matches = parseFilter(words, usualStates(o));
  const isKind = kinds(o);
  if (o.events === true) {
    const fits = parseFilter(words, statesOf('all'));
    await follow(client, (row) => isKind(row) && fits(row), o);
    return;
  }
  const all = await client.ask<SocketRow[]>('sockets');
  if (o.summary === true) {
    print(summaryText(all));
    return;
  }
  let rows = all.filter((row) => isKind(row) && matches(row));
  if (o.kill === true) rows = await killed(client, rows);
  if (o.json === true) {
    print(rows.map((row) => JSON.stringify(row)));
    return;
  }
  const { pid } = client.words;
  print(
    ssText(rows, {
      netid: (o.tcp === true) === (o.udp === true),
      timers: o.options === true,
      extended: o.extended === true,
      memory: o.memory === true,
      info: o.info === true,
      header: o.header,
      numeric: o.numeric === true,
      process: o.processes === true ? `users:(("node",pid=${pid}))` : '',
    }),
  );
}

/** A connection that has moved, as a row; what it held then is not told. */
function moved(e: Extract<EventRow, { kind: 'state' }>): SocketRow {
  return {
    sk: e.sk,
    netid: 'tcp',
    state: e.to,
    recvQ: 0,
    sendQ: 0,
    localAddress: e.local.address,
    localPort: e.local.port,
    remoteAddress: e.remote.address,
    remotePort: e.remote.port,
  };
}

/** `ss -E`: each state that a connection comes to, UNCONN at its end, and what has caused it. */
async function follow(client: ControlClient, fits: RowFilter, o: Options): Promise<void> {
  process.stdout.on('error', () => process.exit(0));
  const wide = (cells: readonly string[]): string => {
    return cells
      .map((cell, i) => cell.padEnd([10, 22, 22][i] ?? 0))
      .join(' ')
      .trimEnd();
  };
  if (o.header && o.json !== true) {
    print([wide(['State', 'Local Address:Port', 'Peer Address:Port', 'Cause'])]);
  }
  await watching(client, { kinds: ['state'] }, 0, (events) => {
    for (const e of events) {
      if (e.kind !== 'state' || !fits(moved(e))) continue;
      const local = endText(e.local.address, e.local.port);
      const remote = endText(e.remote.address, e.remote.port);
      const sk = o.extended === true ? ` sk:${e.sk}` : '';
      print([o.json === true ? JSON.stringify(e) : wide([e.to, local, remote, e.cause + sk])]);
    }
    return true;
  });
}

/** Resets what can be reset; what is left of the rows are those. */
async function killed(client: ControlClient, rows: readonly SocketRow[]): Promise<SocketRow[]> {
  const gone: SocketRow[] = [];
  for (const row of rows) {
    if (row.info === undefined) continue;
    const local = { address: row.localAddress, port: row.localPort };
    const remote = { address: row.remoteAddress, port: row.remotePort };
    const answer = await client.ask<{ killed: boolean }>('kill', { local, remote });
    if (answer.killed) gone.push(row);
  }
  return gone;
}
