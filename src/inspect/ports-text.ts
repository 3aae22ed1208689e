// The port table and the flow tables as text: who holds which port, what connections it has, who
// was refused, and in which order a packet's 4-tuple is looked up.

import type { FlowRow } from '../stack/snapshot.ts';
import type { FlowEntryRow, HolderRow, PortRow } from '../stack/tables.ts';
import { columns } from './columns.ts';
import { endText } from './ss-text.ts';

/** `41 ESTAB, 12 TIME-WAIT`. */
function statesText(states: Readonly<Record<string, number>>): string {
  return Object.entries(states)
    .sort(([, x], [, y]) => y - x)
    .map(([state, n]) => `${n} ${state}`)
    .join(', ');
}

function placeText(row: PortRow, holder: HolderRow): string {
  if (row.port === 0) return `${holder.address} every port`;
  return endText(holder.address, row.port);
}

/** `3/128`, and `+2` handshakes under way. */
function queueText(holder: HolderRow): string {
  if (holder.state !== 'LISTEN') return holder.queue > 0 ? String(holder.queue) : '-';
  const more = holder.handshakes > 0 ? `+${holder.handshakes}` : '';
  return `${holder.queue}/${holder.backlog}${more}`;
}

export function portsText(rows: readonly PortRow[], header: boolean): string[] {
  const table: string[][] = [];
  if (header) table.push(['Proto', 'Port', 'Holder', 'State', 'Queue', 'Sockets', 'Refused']);
  for (const row of rows) {
    const refused = row.refused > 0 ? `EADDRINUSE x${row.refused}` : '-';
    const sockets = statesText(row.states) || '-';
    const port = row.port === 0 ? '*' : String(row.port);
    const [first, ...others] = row.holders;
    const cells =
      first === undefined
        ? ['-', '-', '-']
        : [placeText(row, first), stateText(first), queueText(first)];
    table.push([row.netid, port, ...cells, sockets, refused]);
    for (const holder of others) {
      table.push(['', '', placeText(row, holder), stateText(holder), queueText(holder)]);
    }
  }
  return columns(table);
}

function stateText(holder: HolderRow): string {
  return holder.shared ? `${holder.state} shared` : holder.state;
}

export interface FlowsShown {
  readonly tables: readonly FlowRow[];
  readonly entries: readonly FlowEntryRow[];
  readonly ports: readonly PortRow[];
  /** Packets looked up since the start, by protocol. */
  readonly lookups: Readonly<Record<'tcp' | 'udp', number>>;
}

export function flowsText(o: FlowsShown): string[] {
  const lines: string[] = [];
  for (const table of o.tables) {
    if (lines.length > 0) lines.push('');
    lines.push(summary(table, o.lookups[table.netid]));
    const entries = o.entries.filter((entry) => entry.netid === table.netid);
    const cells = [['Bucket', 'Hash', 'Probe', 'Entry (in match order)']];
    for (const entry of entries) cells.push(entryCells(entry));
    for (const row of o.ports) {
      if (row.netid !== table.netid) continue;
      for (const holder of row.holders) {
        if (holder.state === 'ESTAB') continue;
        cells.push(['-', '-', '-', `${holder.state} ${placeText(row, holder)}`]);
      }
    }
    lines.push(...columns(cells));
  }
  return lines;
}

function summary(table: FlowRow, lookups: number): string {
  const load = (table.flows / table.cells).toFixed(2);
  const reads = table.probes.reduce((sum, n, i) => sum + n * i, 0);
  const average = table.flows === 0 ? '-' : (reads / table.flows).toFixed(2);
  return (
    `${table.netid}: ${table.flows} flows in ${table.cells} cells (load ${load}), ` +
    `probes ${average} on average, ${table.longestProbe} at most, ${lookups} packets looked up`
  );
}

function entryCells(entry: FlowEntryRow): string[] {
  const local = endText(entry.localAddress, entry.localPort);
  const remote = endText(entry.remoteAddress, entry.remotePort);
  const hash = entry.hash.toString(16).padStart(8, '0');
  return [`0x${entry.home.toString(16)}`, hash, String(entry.probe), `${remote} -> ${local}`];
}
