// `portside ports`: who holds which port of a running host and who was refused; with --flows how a
// packet finds its socket.

import { Command } from 'commander';
import { flowsText, portsText } from '../inspect/ports-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { FlowRow } from '../stack/snapshot.ts';
import type { FlowEntryRow, PortRow } from '../stack/tables.ts';
import { parsePort } from './addresses.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';

interface Options extends LookOptions {
  flows?: boolean;
  tcp?: boolean;
  udp?: boolean;
  // commander's name for --no-header
  header: boolean;
  json?: boolean;
}

export function portsCommand(): Command {
  const command = new Command('ports')
    .summary('who holds which port, who was refused, the flow tables')
    .description('who holds which port of a running host, who was refused, how packets find them')
    .argument('[PORT...]', 'only these')
    .option('--flows', 'the flow tables: buckets, hashes, probes, entries in match order')
    .option('-t, --tcp', 'TCP only')
    .option('-u, --udp', 'UDP only')
    .option('-H, --no-header', 'no header')
    .option('--json', 'one JSON object a line');
  examples(command, ['portside ports', 'portside ports 80 443', 'portside ports --flows --tcp']);
  return lookOption(command).action((ports: string[], o: Options) =>
    look(o, (client) => show(client, ports, o)),
  );
}

async function show(client: ControlClient, words: string[], o: Options): Promise<void> {
  const wanted = words.map((word) => parsePort(word, 'PORT'));
  const isKind = (netid: 'tcp' | 'udp'): boolean =>
    o.tcp === o.udp || (netid === 'tcp' ? o.tcp === true : o.udp === true);
  const isWanted = (port: number): boolean => wanted.length === 0 || wanted.includes(port);
  const all = await client.ask<PortRow[]>('ports');
  const ports = all.filter((row) => isKind(row.netid) && isWanted(row.port));
  if (o.flows !== true) {
    print(o.json === true ? ports.map((row) => JSON.stringify(row)) : portsText(ports, o.header));
    return;
  }
  const tables = (await client.ask<FlowRow[]>('flows')).filter((row) => isKind(row.netid));
  const entries = (await client.ask<FlowEntryRow[]>('flow-entries')).filter(
    (row) => isKind(row.netid) && isWanted(row.localPort),
  );
  if (o.json === true) {
    print([...tables, ...entries].map((row) => JSON.stringify(row)));
    return;
  }
  // Each segment is looked up once, and each datagram that is delivered.
  const { counters } = await client.ask<{ counters: Record<string, number> }>('counters');
  const lookups = { tcp: counters.TcpInSegs ?? 0, udp: counters.UdpInDatagrams ?? 0 };
  print(flowsText({ tables, entries, ports, lookups }));
}
