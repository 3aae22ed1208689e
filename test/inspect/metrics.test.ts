// Counters as Prometheus reads them: names, help and types, and no name twice.

import { expect, test } from 'vitest';
import { metricsText, snakeCase } from '../../src/inspect/metrics.ts';
import { World } from '../../src/sim/world.ts';

// biome-ignore format: a table
const names: [string, string][] = [
  ['TcpRetransSegs', 'tcp_retrans_segs'],
  ['IpReasmOKs', 'ip_reasm_oks'],
  ['TcpExtTCPSpuriousRTOs', 'tcp_ext_tcp_spurious_rtos'],
  ['TcpExtDelayedACKs', 'tcp_ext_delayed_acks'],
  ['TcpExtTCPPureAcks', 'tcp_ext_tcp_pure_acks'],
  ['Icmp6OutMLDv2Reports', 'icmp6_out_mldv2_reports'],
  ['IpExtInECT1Pkts', 'ip_ext_in_ect1_pkts'],
];
test.each(names)('%s is %s', (name, snake) => {
  expect(snakeCase(name)).toBe(snake);
});

function page(): string {
  const w = new World({ seed: 1 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  w.link(a, w.host('b', { addresses: ['10.0.0.2/24'] }), {});
  a.stack.listen({
    port: 80,
    handler: { accept: () => null as never },
  });
  return metricsText(a.stack);
}

test('each family has one HELP and one TYPE before its samples (exposition format 0.0.4)', () => {
  const seen = new Set<string>();
  let family = '';
  for (const line of page().trimEnd().split('\n')) {
    const [, what, name] = /^# (HELP|TYPE) ([a-z_][a-z0-9_]*) ./.exec(line) ?? [];
    if (what === 'HELP') {
      family = name as string;
      expect(seen).not.toContain(family);
      seen.add(family);
    } else if (what === 'TYPE') {
      expect(line).toMatch(/^# TYPE [a-z0-9_]+ (counter|gauge)$/);
      expect(name).toBe(family);
      if (line.endsWith('counter')) expect(family).toMatch(/_total$/);
    } else {
      expect(line).toMatch(/^[a-z0-9_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+]+$/);
      expect(line.startsWith(family)).toBe(true);
    }
  }
  expect(seen.size).toBeGreaterThan(200);
});

test('samples that are asked for by name', () => {
  const text = page();
  expect(text).toContain('\nportside_tcp_retrans_segs_total 0\n');
  expect(text).toContain('# TYPE portside_tcp_curr_estab gauge\nportside_tcp_curr_estab 0\n');
  expect(text).toContain('\nportside_drops_total{reason="TCP_CSUM"} 0\n');
  expect(text).toContain('\nportside_sockets{netid="tcp",state="LISTEN"} 1\n');
  expect(text).toContain('\nportside_rx_packets_total 0\n');
  expect(text.endsWith('\n')).toBe(true);
});
