// A socket in one short row: what a table of ten thousand shows, without the forty numbers of
// `tcp_info` that only the page of one connection needs.

import type { SocketRow } from '../stack/snapshot.ts';

export interface BriefRow {
  /** Names the socket among those of its host. */
  key: string;
  /** The number that events name it by. */
  sk: number;
  /** In a simulated network: whose it is. */
  host?: string;
  netid: string;
  state: string;
  recvQ: number;
  sendQ: number;
  local: string;
  localPort: number;
  remote: string;
  remotePort: number;
  /** Smoothed round trip in µs, congestion window in segments; 0 where there is none. */
  rtt: number;
  cwnd: number;
  /** Segments sent again since the connection began. */
  retrans: number;
  /** Payload octets that were acknowledged, and that have arrived. */
  sent: number;
  received: number;
  /** The timer that is due next, as ss writes it: `on 0.2 s`. */
  timer: string;
}

/** `10.0.0.1:80`, `[::1]:80`, `*`. */
export function endText(address: string, port: number): string {
  if (address === '*') return '*';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function keyOf(row: SocketRow): string {
  const local = endText(row.localAddress, row.localPort);
  return `${row.netid} ${local} ${endText(row.remoteAddress, row.remotePort)}`;
}

export function brief(row: SocketRow): BriefRow {
  const { info, timer } = row;
  return {
    key: keyOf(row),
    sk: row.sk,
    netid: row.netid,
    state: row.state,
    recvQ: row.recvQ,
    sendQ: row.sendQ,
    local: row.localAddress,
    localPort: row.localPort,
    remote: row.remoteAddress,
    remotePort: row.remotePort,
    rtt: info?.rtt ?? 0,
    cwnd: info?.snd_cwnd ?? 0,
    retrans: info?.total_retrans ?? 0,
    sent: info?.bytes_acked ?? 0,
    received: info?.bytes_received ?? 0,
    timer: timer === undefined ? '' : `${timer.name} ${seconds(timer.leftUs)} s`,
  };
}

/** Brief rows with keys that are unique: listeners may share an address and a port. */
export function briefRows(rows: readonly SocketRow[]): BriefRow[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const short = brief(row);
    const n = seen.get(short.key) ?? 0;
    seen.set(short.key, n + 1);
    if (n > 0) short.key = `${short.key} #${n}`;
    return short;
  });
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(us < 10e6 ? 1 : 0);
}
