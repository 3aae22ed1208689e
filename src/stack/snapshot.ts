// A read-only view of every socket: rows as `ss` shows them. Cold code: it allocates.

import { Code } from '../base/code.ts';
import { HELD_NAMES } from '../base/memory.ts';
import { type NeighborRow, neighborRow } from '../ip/neighbor.ts';
import { type TcpInfo, tcpInfo } from '../socket/tcp-info.ts';
import { State, stateName } from '../tcp/state.ts';
import { Rexmit, type Tcb } from '../tcp/tcb.ts';
import { Timer, timerArmed, timerId } from '../tcp/tcp.ts';
import { Field } from '../tcp/time-wait-table.ts';
import { abort } from '../tcp/user.ts';
import { format } from '../wire/address.ts';
import type { Stack } from './stack.ts';

export interface SocketRow {
  /** A number that no other socket of the stack has had; events name sockets by it. */
  sk: number;
  netid: 'tcp' | 'udp';
  /** As ss names it: LISTEN, ESTAB, TIME-WAIT, UNCONN… */
  state: string;
  /** LISTEN: connections that wait; else octets that the program has not read. */
  recvQ: number;
  /** LISTEN: backlog; else octets not acknowledged. */
  sendQ: number;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
  info?: TcpInfo;
  timer?: TimerRow;
  /** Octets that the buffers may hold. */
  buffers?: { receive: number; send: number };
  /** No program holds it any more. */
  orphan?: boolean;
}

/** The timer that is due next, under ss's names. */
export interface TimerRow {
  name: 'on' | 'keepalive' | 'timewait' | 'persist';
  leftUs: number;
  /** Timeouts or probes so far without an answer. */
  tries: number;
}

/** Octets held for peers and programs, the cap, and what they are for. */
export function memory(stack: Stack): { used: number; cap: number } & Record<string, number> {
  const { held, used, cap } = stack.ip.memory;
  const kinds = HELD_NAMES.map((name, i) => [name, held[i] as number] as const);
  return { used, cap, ...Object.fromEntries(kinds) };
}

/** Neighbours of every Ethernet link. */
export function neighbors(stack: Stack): NeighborRow[] {
  const { ethers, links } = stack.ip;
  return ethers.flatMap((port, i) => {
    const link = links[i]?.name ?? '';
    return port === null ? [] : port.neighbors.list().map((n) => neighborRow(n, link));
  });
}

/** How full a flow table is, and how many of its cells a lookup reads. */
export interface FlowRow {
  netid: 'tcp' | 'udp';
  flows: number;
  cells: number;
  /** Element n: flows that are found in the n-th cell; element 0 is 0. */
  probes: number[];
  longestProbe: number;
}

/** The flow tables of TCP and of connected UDP sockets. Walks both. */
export function flowTables(stack: Stack): FlowRow[] {
  const tables = [
    ['tcp', stack.tcp.flows],
    ['udp', stack.udpLayer.flows],
  ] as const;
  return tables.map(([netid, table]) => {
    const longestProbe = table.longestProbe();
    const probes = Array.from(table.probes().subarray(0, longestProbe + 1));
    return { netid, flows: table.size, cells: table.capacity, probes, longestProbe };
  });
}

/** Every socket, listeners first; `state` (an ss name) filters. */
export function sockets(stack: Stack, state?: string): SocketRow[] {
  const rows = [...listeners(stack), ...connections(stack), ...timeWaits(stack), ...udp(stack)];
  return state === undefined ? rows : rows.filter((row) => row.state === state);
}

function listeners(stack: Stack): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const l of stack.tcp.listeners) {
    if (l === null) continue;
    const { a, b, c, d, port } = l.binding;
    rows.push({
      sk: l.id,
      netid: 'tcp',
      state: 'LISTEN',
      recvQ: l.waiting.length,
      sendQ: l.backlog,
      localAddress: format(a, b, c, d),
      localPort: port,
      remoteAddress: '*',
      remotePort: 0,
    });
  }
  return rows;
}

function connections(stack: Stack): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const t of stack.tcp.connections) {
    if (t !== null && t.state !== State.CLOSED) rows.push(connectionRow(t));
  }
  return rows;
}

export function connectionRow(t: Tcb): SocketRow {
  const p = t.path;
  const info = tcpInfo(t);
  return {
    sk: t.id,
    netid: 'tcp',
    state: stateName(t.state),
    recvQ: info.recv_q,
    sendQ: info.send_q,
    localAddress: format(p.src0, p.src1, p.src2, p.src3),
    localPort: t.localPort,
    remoteAddress: format(p.dst0, p.dst1, p.dst2, p.dst3),
    remotePort: t.remotePort,
    info,
    ...timerOf(t),
    buffers: { receive: t.rcvBuf, send: t.sndBuf },
    orphan: t.orphan,
  };
}

function timerOf(t: Tcb): { timer?: TimerRow } {
  const left = (kind: number): number =>
    t.layer.deadlines.deadline(timerId(t, kind)) - t.layer.ip.nowUs;
  const row = (name: TimerRow['name'], kind: number, tries: number): { timer: TimerRow } => ({
    timer: { name, leftUs: Math.max(0, Math.round(left(kind))), tries },
  });
  if (t.rexmit !== Rexmit.NONE && timerArmed(t, Timer.REXMIT)) {
    if (t.rexmit === Rexmit.PROBE) return row('persist', Timer.REXMIT, t.probes);
    return row('on', Timer.REXMIT, t.retransmits);
  }
  if (timerArmed(t, Timer.LINGER)) return row('timewait', Timer.LINGER, 0);
  if (timerArmed(t, Timer.KEEP)) return row('keepalive', Timer.KEEP, t.keepSent);
  return {};
}

/** Resets the connection between two ends, as `ss -K`. Whether there was one. */
export function kill(stack: Stack, local: End, remote: End): boolean {
  const is = (e: End, a: string, port: number): boolean => e.address === a && e.port === port;
  for (const t of stack.tcp.connections) {
    if (t === null || t.state === State.CLOSED) continue;
    const p = t.path;
    if (!is(local, format(p.src0, p.src1, p.src2, p.src3), t.localPort)) continue;
    if (!is(remote, format(p.dst0, p.dst1, p.dst2, p.dst3), t.remotePort)) continue;
    abort(t, Code.ECONNABORTED);
    return true;
  }
  return false;
}

export interface End {
  readonly address: string;
  readonly port: number;
}

function timeWaits(stack: Stack): SocketRow[] {
  const table = stack.tcp.timeWait;
  const rows: SocketRow[] = [];
  const left = (i: number): number =>
    Math.max(0, Math.round(table.deadlines.deadline(i) - stack.ip.nowUs));
  for (const i of table.indices()) {
    const word = (n: number): number => table.get(i, n);
    const ports = word(Field.PORTS);
    rows.push({
      sk: word(Field.ID),
      netid: 'tcp',
      state: 'TIME-WAIT',
      recvQ: 0,
      sendQ: 0,
      localAddress: format(word(0), word(1), word(2), word(3)),
      localPort: ports >>> 16,
      remoteAddress: format(word(4), word(5), word(6), word(7)),
      remotePort: ports & 0xffff,
      timer: { name: 'timewait', leftUs: left(i), tries: 0 },
    });
  }
  return rows;
}

function udp(stack: Stack): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const e of stack.udpLayer.endpoints) {
    if (e === null) continue;
    const p = e.path;
    const { a, b, c, d } = e.binding;
    rows.push({
      sk: e.id,
      netid: 'udp',
      state: e.connected ? 'ESTAB' : 'UNCONN',
      recvQ: e.queue.cost,
      sendQ: 0,
      localAddress: e.connected ? format(p.src0, p.src1, p.src2, p.src3) : format(a, b, c, d),
      localPort: e.port,
      remoteAddress: e.connected ? format(p.dst0, p.dst1, p.dst2, p.dst3) : '*',
      remotePort: e.connected ? (e.flow[8] as number) & 0xffff : 0,
    });
  }
  return rows;
}
