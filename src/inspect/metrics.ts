// A stack's counters and gauges as text for Prometheus (exposition format 0.0.4): nstat's names in
// its spelling, `TcpRetransSegs` → `portside_tcp_retrans_segs_total`.

import { memory, sockets } from '../stack/snapshot.ts';
import type { Stack } from '../stack/stack.ts';
import { linkRows } from '../stack/tables.ts';
import { MEANINGS } from './meanings.ts';

/** Goes up and down, unlike all others. */
const GAUGES = new Set(['TcpCurrEstab']);

/** `TcpExtTCPSpuriousRTOs` → `tcp_ext_tcp_spurious_rtos`. */
export function snakeCase(name: string): string {
  return name
    .replace('MLDv', 'Mldv')
    .replace(/([A-Z]{2,})s(?![a-z])/g, (_, letters: string) => {
      return `${letters.charAt(0)}${letters.slice(1).toLowerCase()}s`;
    })
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

function escaped(text: string, quotes: boolean): string {
  const plain = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return quotes ? plain.replaceAll('"', '\\"') : plain;
}

type Labels = Readonly<Record<string, string>>;

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text, true)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

class Exposition {
  readonly lines: string[] = [];

  family(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    rows: readonly (readonly [Labels, number])[],
  ): void {
    this.lines.push(`# HELP ${name} ${escaped(help, false)}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of rows) this.lines.push(sample(name, labels, value));
  }
}

/** The whole page; ends with a newline, as the format wants. */
export function metricsText(stack: Stack): string {
  const out = new Exposition();
  const { counters, drops } = stack.counters.snapshot();
  for (const [name, value] of Object.entries(counters)) {
    const isGauge = GAUGES.has(name);
    const full = `portside_${snakeCase(name).replace(/^portside_/, '')}${isGauge ? '' : '_total'}`;
    out.family(full, isGauge ? 'gauge' : 'counter', MEANINGS[name] ?? name, [[{}, value]]);
  }
  const reasons = Object.entries(drops).map(([reason, n]) => [{ reason }, n] as const);
  out.family('portside_drops_total', 'counter', 'packets discarded, by reason', reasons);
  out.family('portside_sockets', 'gauge', 'sockets by protocol and state', socketCounts(stack));
  const { used, cap, ...kinds } = memory(stack);
  const held = Object.entries(kinds).map(([kind, n]) => [{ kind }, n] as const);
  out.family('portside_memory_octets', 'gauge', 'octets held for peers and programs', held);
  out.family('portside_memory_used_octets', 'gauge', 'the sum of those', [[{}, used]]);
  out.family('portside_memory_cap_octets', 'gauge', 'the most that may be held', [[{}, cap]]);
  const mtus = linkRows(stack).map((row) => [{ link: row.device }, row.mtu] as const);
  out.family('portside_link_mtu_octets', 'gauge', 'largest packet of a link', mtus);
  return `${out.lines.join('\n')}\n`;
}

function socketCounts(stack: Stack): [Labels, number][] {
  const counts = new Map<string, number>();
  for (const row of sockets(stack)) {
    const key = `${row.netid} ${row.state}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort().map(([key, n]) => {
    const [netid = '', state = ''] = key.split(' ');
    return [{ netid, state }, n];
  });
}
