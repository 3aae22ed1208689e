// The lines and the JSON of an iperf3 client, with iperf3's words and names.

import type { BothEnds, Interval, Outcome } from '../services/iperf3-outcome.ts';
import { amountText, rateText, type StreamResult } from '../services/iperf3-protocol.ts';

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';

export function headLines(address: string, port: number): string[] {
  return [
    `Connecting to host ${address}, port ${port}`,
    '[ ID][Role] Interval           Transfer     Bitrate',
  ];
}

function line(id: string, role: string, from: number, to: number, octets: number): string {
  const span = `${from.toFixed(2)}-${to.toFixed(2)}`.padStart(12);
  const rate = rateText((octets * 8) / Math.max(1e-9, to - from));
  const transfer = amountText(octets).padStart(12);
  return `[${id.padStart(3)}][${role}] ${span} sec ${transfer} ${rate.padStart(15)}`;
}

function roleOf(sends: boolean): string {
  return sends ? 'TX' : 'RX';
}

export function intervalLines(row: Interval): string[] {
  const mark = row.omitted ? '  (omitted)' : '';
  const { startSeconds: from, endSeconds: to } = row;
  const lines = row.streams.map(
    (s) => line(String(s.id), roleOf(s.sends), from, to, s.octets) + mark,
  );
  for (const sends of [true, false]) {
    const some = row.streams.filter((s) => s.sends === sends);
    const sum = some.reduce((n, s) => n + s.octets, 0);
    if (some.length > 1) lines.push(line('SUM', roleOf(sends), from, to, sum) + mark);
  }
  return lines;
}

function tail(r: StreamResult, udp: boolean, sends: boolean): string {
  if (!udp) return sends ? `  ${r.retransmits} retr` : '';
  const lost = r.errors - r.omitted_errors;
  const total = r.packets - r.omitted_packets;
  if (sends) return `  0/${total}`;
  const share = total > 0 ? ` (${((100 * lost) / total).toPrecision(2)}%)` : '';
  return `  ${(r.jitter * 1000).toFixed(3)} ms  ${lost}/${total}${share}`;
}

export function outcomeLines(o: Outcome): string[] {
  const lines = [RULE];
  for (const sends of [true, false]) {
    const some = o.streams.filter((s) => s.sends === sends);
    for (const end of ['sent', 'received'] as const) {
      const word = end === 'sent' ? 'sender' : 'receiver';
      for (const s of some) {
        const r = s[end];
        const to = r.end_time > 0 ? r.end_time : o.seconds;
        const more = tail(r, o.params.udp, end === 'sent');
        lines.push(`${line(String(s.id), roleOf(sends), 0, to, r.bytes)}${more}  ${word}`);
      }
      const sum = some.reduce((n, s) => n + s[end].bytes, 0);
      if (some.length > 1) {
        lines.push(`${line('SUM', roleOf(sends), 0, o.seconds, sum)}  ${word}`);
      }
    }
  }
  const { local, remote } = o.cpu;
  const percent = (n: number): string => `${n.toFixed(1)}%`;
  lines.push('', `CPU: here ${percent(local.total)}, there ${percent(remote.total)} of one core`);
  return lines;
}

interface Head {
  readonly address: string;
  readonly port: number;
  readonly started: Date;
}

export function intervalJson(row: Interval): Record<string, unknown> {
  const { startSeconds: start, endSeconds: end, omitted } = row;
  const seconds = Math.max(1e-9, end - start);
  const one = (octets: number, sender: boolean): Record<string, unknown> => {
    const bits_per_second = (octets * 8) / seconds;
    return { start, end, seconds, bytes: octets, bits_per_second, omitted, sender };
  };
  const sum = (sends: boolean): Record<string, unknown> => {
    const some = row.streams.filter((s) => s.sends === sends);
    return one(
      some.reduce((n, s) => n + s.octets, 0),
      sends,
    );
  };
  const first = row.streams[0]?.sends ?? true;
  const both = row.streams.some((s) => s.sends !== first);
  return {
    streams: row.streams.map((s) => ({ socket: s.id, ...one(s.octets, s.sends) })),
    sum: sum(first),
    ...(both ? { sum_bidir_reverse: sum(!first) } : {}),
  };
}

export function outcomeJson(head: Head, rows: readonly Interval[], o: Outcome): object {
  const { params: p } = o;
  return {
    start: {
      connected: o.streams.map((s) => ({ socket: s.id, remote_host: head.address })),
      version: 'portside',
      timestamp: { time: head.started.toUTCString(), timesecs: head.started.getTime() / 1000 },
      connecting_to: { host: head.address, port: head.port },
      test_start: {
        protocol: p.udp ? 'UDP' : 'TCP',
        num_streams: p.streams,
        blksize: p.block,
        omit: p.omitUs / 1e6,
        duration: p.timeUs / 1e6,
        reverse: p.reverse ? 1 : 0,
        bidir: p.bidirectional ? 1 : 0,
        target_bitrate: p.bitrate,
      },
    },
    intervals: rows.map(intervalJson),
    end: endJson(o),
  };
}

function endJson(o: Outcome): Record<string, unknown> {
  const first = o.streams[0]?.sends ?? true;
  const ours = o.streams.filter((s) => s.sends === first);
  const others = o.streams.filter((s) => s.sends !== first);
  const { udp } = o.params;
  const { local, remote } = o.cpu;
  return {
    streams: o.streams.map((s) => streamJson(s, o.seconds, udp)),
    ...(udp ? { sum: sumJson(ours, 'received', o) } : {}),
    sum_sent: sumJson(ours, 'sent', o),
    sum_received: sumJson(ours, 'received', o),
    ...(others.length === 0
      ? {}
      : {
          ...(udp ? { sum_bidir_reverse: sumJson(others, 'received', o) } : {}),
          sum_sent_bidir_reverse: sumJson(others, 'sent', o),
          sum_received_bidir_reverse: sumJson(others, 'received', o),
        }),
    cpu_utilization_percent: {
      host_total: local.total,
      host_user: local.user,
      host_system: local.system,
      remote_total: remote.total,
      remote_user: remote.user,
      remote_system: remote.system,
    },
  };
}

function endOf(r: StreamResult, seconds: number): Record<string, unknown> {
  const end = r.end_time > 0 ? r.end_time : seconds;
  return { start: 0, end, seconds: end, bytes: r.bytes, bits_per_second: (r.bytes * 8) / end };
}

function udpOf(r: StreamResult): Record<string, number> {
  const lost_packets = r.errors - r.omitted_errors;
  const packets = r.packets - r.omitted_packets;
  const lost_percent = packets > 0 ? (100 * lost_packets) / packets : 0;
  return { jitter_ms: r.jitter * 1000, lost_packets, packets, lost_percent };
}

function streamJson(s: BothEnds, seconds: number, udp: boolean): Record<string, unknown> {
  const base = { socket: s.id };
  if (udp) return { udp: { ...base, ...endOf(s.received, seconds), ...udpOf(s.received) } };
  return {
    sender: {
      ...base,
      ...endOf(s.sent, seconds),
      retransmits: s.sent.retransmits,
      sender: s.sends,
    },
    receiver: { ...base, ...endOf(s.received, seconds), sender: s.sends },
  };
}

function sumJson(some: readonly BothEnds[], end: 'sent' | 'received', o: Outcome): object {
  const results = some.map((s) => s[end]);
  const add = (of: (r: StreamResult) => number): number => results.reduce((n, r) => n + of(r), 0);
  const bytes = add((r) => r.bytes);
  const sender = some[0]?.sends ?? true;
  const base = {
    start: 0,
    end: o.seconds,
    seconds: o.seconds,
    bytes,
    bits_per_second: (bytes * 8) / o.seconds,
    sender,
  };
  if (!o.params.udp)
    return end === 'sent' ? { ...base, retransmits: add((r) => r.retransmits) } : base;
  const lost_packets = add((r) => r.errors - r.omitted_errors);
  const packets = add((r) => r.packets - r.omitted_packets);
  const lost_percent = packets > 0 ? (100 * lost_packets) / packets : 0;
  const jitter_ms = (1000 * add((r) => r.jitter)) / Math.max(1, results.length);
  return { ...base, jitter_ms, lost_packets, packets, lost_percent };
}
