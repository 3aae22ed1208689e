// Sockets as the text that ss prints: its columns, and behind them what -o, -e, -m and -i add
// (ss(8); iproute2's misc/ss.c names the fields of tcp_info).

import type { TcpInfo } from '../socket/tcp-info.ts';
import type { SocketRow, TimerRow } from '../stack/snapshot.ts';

export interface SsShown {
  /** -t and -u together: a column says which. */
  readonly netid: boolean;
  readonly timers: boolean;
  readonly extended: boolean;
  readonly memory: boolean;
  readonly info: boolean;
  readonly header: boolean;
  /** Rates as plain numbers (-n), else with K, M and G. */
  readonly numeric: boolean;
  /** Whose process it is: `users:(("node",pid=1))`, '' = not shown. */
  readonly process: string;
}

/** `10.0.0.1:80`, `[::1]:80`, `*:*`. */
export function endText(address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${port === 0 ? '*' : port}`;
}

/** The whole output, a line each; columns as wide as their widest cell. */
export function ssText(rows: readonly SocketRow[], o: SsShown): string[] {
  const head = ['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port'];
  const cells = rows.map((row) => [
    row.netid,
    row.state,
    String(row.recvQ),
    String(row.sendQ),
    endText(row.localAddress, row.localPort),
    endText(row.remoteAddress, row.remotePort),
  ]);
  const tails = rows.map((row) => tail(row, o));
  const table = o.header ? [head, ...cells] : cells;
  const from = o.netid ? 0 : 1;
  const widths = head.map((_, i) => Math.max(0, ...table.map((line) => line[i]?.length ?? 0)));
  const lines: string[] = [];
  for (const [n, line] of table.entries()) {
    const isHead = o.header && n === 0;
    const row = o.header ? n - 1 : n;
    const more = isHead ? (o.process === '' ? '' : 'Process') : (tails[row] ?? '');
    const text = line.slice(from).map((cell, i) => cell.padEnd(widths[i + from] as number));
    lines.push(`${text.join(' ')} ${more}`.trimEnd());
    const info = isHead ? undefined : rows[row]?.info;
    if (info !== undefined && o.info) lines.push(`\t ${infoText(info, o.numeric)}`);
  }
  return lines;
}

function tail(row: SocketRow, o: SsShown): string {
  const parts: string[] = [];
  if (o.process !== '' && row.orphan !== true && row.state !== 'TIME-WAIT') parts.push(o.process);
  if (o.timers && row.timer !== undefined) parts.push(timerText(row.timer));
  if (o.extended && row.orphan === true) parts.push('orphan');
  if (o.extended) parts.push(`sk:${row.sk}`);
  if (o.memory && row.buffers !== undefined) parts.push(memoryText(row));
  return parts.join(' ');
}

/** `timer:(on,204ms,0)`. */
export function timerText(timer: TimerRow): string {
  return `timer:(${timer.name},${timeText(timer.leftUs)},${timer.tries})`;
}

function timeText(us: number): string {
  const ms = Math.floor(us / 1000);
  const minutes = Math.floor(ms / 60_000);
  if (minutes > 0) {
    const seconds = Math.floor(ms / 1000) % 60;
    return `${minutes}min${seconds > 0 ? `${seconds}sec` : ''}`;
  }
  if (ms >= 10_000) return `${Math.floor(ms / 1000)}sec`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(3).replace(/\.?0+$/, '')}sec`;
  return `${ms}ms`;
}

/** What is queued counts as its octets: there is no overhead of buffers to tell. */
function memoryText(row: SocketRow): string {
  const { receive, send } = row.buffers as { receive: number; send: number };
  return `skmem:(r${row.recvQ},rb${receive},t0,tb${send},f0,w${row.sendQ},o0,bl0,d0)`;
}

/** Bits per second. */
function rateText(octetsPerSecond: number, numeric: boolean): string {
  const bits = octetsPerSecond * 8;
  if (numeric) return `${bits.toFixed(0)}bps`;
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'K'],
  ] as const;
  for (const [unit, letter] of units) {
    if (bits >= unit) return `${(bits / unit).toFixed(1)}${letter}bps`;
  }
  return `${bits.toFixed(0)}bps`;
}

/** Milliseconds of µs, as ss prints them: at most three places, none for nothing. */
function ms(us: number): string {
  return String(Math.round(us) / 1000);
}

/** Named values, those that are 0 left out where ss leaves them out. */
function some(pairs: readonly (readonly [string, number])[]): string[] {
  return pairs.filter(([, n]) => n > 0).map(([name, n]) => `${name}:${n}`);
}

const NEVER_SSTHRESH = 0x7fffffff;
const USUAL_REORDERING = 3;

function optionsText(i: TcpInfo): string[] {
  const parts: string[] = [];
  if (i.options.timestamps) parts.push('ts');
  if (i.options.sack) parts.push('sack');
  if (i.options.ecn) parts.push('ecn');
  if (i.options.syn_data) parts.push('fastopen');
  parts.push(i.congestion);
  if (i.options.wscale) parts.push(`wscale:${i.snd_wscale},${i.rcv_wscale}`);
  return parts;
}

function timesText(i: TcpInfo): string[] {
  const parts = [`rto:${ms(i.rto)}`];
  if (i.backoff > 0) parts.push(`backoff:${i.backoff}`);
  if (i.rtt > 0) parts.push(`rtt:${ms(i.rtt)}/${ms(i.rttvar)}`);
  if (i.ato > 0) parts.push(`ato:${ms(i.ato)}`);
  return parts;
}

function ratesText(i: TcpInfo, numeric: boolean): string[] {
  const parts: string[] = [];
  if (i.rtt > 0 && i.snd_mss > 0 && i.snd_cwnd > 0) {
    parts.push(`send ${rateText((i.snd_cwnd * i.snd_mss * 1e6) / i.rtt, numeric)}`);
  }
  const idle = [
    ['lastsnd', i.last_data_sent],
    ['lastrcv', i.last_data_recv],
    ['lastack', i.last_ack_recv],
  ] as const;
  parts.push(...some(idle));
  if (i.pacing_rate > 0) {
    const most = i.max_pacing_rate > 0 ? `/${rateText(i.max_pacing_rate, numeric)}` : '';
    parts.push(`pacing_rate ${rateText(i.pacing_rate, numeric)}${most}`);
  }
  if (i.delivery_rate > 0) parts.push(`delivery_rate ${rateText(i.delivery_rate, numeric)}`);
  return parts;
}

/** The line of -i. */
export function infoText(i: TcpInfo, numeric: boolean): string {
  const retrans = i.retrans > 0 || i.total_retrans > 0;
  return [
    ...optionsText(i),
    ...timesText(i),
    `mss:${i.snd_mss}`,
    `pmtu:${i.pmtu}`,
    ...some([
      ['rcvmss', i.rcv_mss],
      ['advmss', i.advmss],
      ['cwnd', i.snd_cwnd],
    ]),
    ...(i.snd_ssthresh < NEVER_SSTHRESH ? [`ssthresh:${i.snd_ssthresh}`] : []),
    ...some([
      ['bytes_sent', i.bytes_sent],
      ['bytes_retrans', i.bytes_retrans],
      ['bytes_acked', i.bytes_acked],
      ['bytes_received', i.bytes_received],
      ['segs_out', i.segs_out],
      ['segs_in', i.segs_in],
      ['data_segs_out', i.data_segs_out],
    ]),
    ...ratesText(i, numeric),
    ...some([
      ['delivered', i.delivered],
      ['delivered_ce', i.delivered_ce],
      ['unacked', i.unacked],
    ]),
    ...(retrans ? [`retrans:${i.retrans}/${i.total_retrans}`] : []),
    ...some([
      ['lost', i.lost],
      ['sacked', i.sacked],
      ['dsack_dups', i.dsack_dups],
    ]),
    ...(i.reordering === USUAL_REORDERING ? [] : [`reordering:${i.reordering}`]),
    ...some([['reord_seen', i.reord_seen]]),
    ...(i.rcv_rtt > 0 ? [`rcv_rtt:${ms(i.rcv_rtt)}`] : []),
    ...some([
      ['rcv_space', i.rcv_space],
      ['rcv_ssthresh', i.rcv_ssthresh],
      ['notsent', i.notsent_bytes],
    ]),
    ...(i.min_rtt > 0 ? [`minrtt:${ms(i.min_rtt)}`] : []),
    ...some([
      ['snd_wnd', i.snd_wnd],
      ['rcv_wnd', i.rcv_wnd],
    ]),
  ].join(' ');
}

/** The summary of -s. */
export function summaryText(rows: readonly SocketRow[]): string[] {
  const of = (test: (row: SocketRow) => boolean): number => rows.filter(test).length;
  const tcp = of((row) => row.netid === 'tcp');
  const state = (name: string): number => of((r) => r.netid === 'tcp' && r.state === name);
  const orphaned = of((row) => row.orphan === true);
  const waiting = state('TIME-WAIT');
  const line = (name: string, wanted: (row: SocketRow) => boolean): string => {
    const v6 = of((row) => wanted(row) && row.localAddress.includes(':'));
    const all = of(wanted);
    return [name, String(all), String(all - v6), String(v6)]
      .map((c) => c.padEnd(9))
      .join(' ')
      .trim();
  };
  return [
    `Total: ${rows.length}`,
    `TCP:   ${tcp} (estab ${state('ESTAB')}, closed ${waiting}, ` +
      `orphaned ${orphaned}, timewait ${waiting})`,
    '',
    'Transport Total     IP        IPv6',
    line('UDP', (row) => row.netid === 'udp'),
    line('TCP', (row) => row.netid === 'tcp' && row.state !== 'TIME-WAIT'),
    line('INET', (row) => row.state !== 'TIME-WAIT'),
  ];
}
