// A read-only view of what a stack finds its way by: addresses, routes, links, ports with their
// holders, and the cells of the flow tables. Cold code: it allocates.

import type { FlowTable } from '../demux/flow-table.ts';
import type { Binding, Ports } from '../demux/ports.ts';
import type { AddressEntry } from '../ip/addresses.ts';
import type { Route } from '../ip/routes.ts';
import { LinkCap } from '../link/link.ts';
import { format, isLinkLocal, isLoopback } from '../wire/address.ts';
import { type SocketRow, sockets } from './snapshot.ts';
import type { Stack } from './stack.ts';

export interface AddressRow {
  link: number;
  device: string;
  family: 4 | 6;
  address: string;
  length: number;
  scope: 'host' | 'link' | 'global';
  /** Every address of the prefix is ours. */
  all: boolean;
}

export interface RouteRow {
  /** `default` for the prefix of length 0. */
  destination: string;
  family: 4 | 6;
  link: number;
  device: string;
  gateway: string | null;
  source: string | null;
  metric: number;
  /** 0: the link's. */
  mtu: number;
  /** False: its link is down or its gateway is dead. */
  usable: boolean;
}

export interface LinkRow {
  link: number;
  device: string;
  mtu: number;
  loopback: boolean;
  /** What the link does itself: `tx-csum`, `tso4`, `tso6`, `uso`. */
  offloads: string[];
  addresses: string[];
}

const nameOf = (stack: Stack, link: number): string =>
  link === 0 ? 'lo' : (stack.ip.links[link]?.name ?? `link${link}`);

export function addressRows(stack: Stack): AddressRow[] {
  return stack.ip.addresses.list.map((entry) => addressRow(stack, entry));
}

function addressRow(stack: Stack, entry: AddressEntry): AddressRow {
  const { a, b, c, d, family } = entry.address;
  const isLocal = isLinkLocal(a, b, c, d);
  return {
    link: entry.linkId,
    device: nameOf(stack, entry.linkId),
    family,
    address: format(a, b, c, d),
    length: entry.length,
    scope: isLoopback(a, b, c, d) ? 'host' : isLocal ? 'link' : 'global',
    all: entry.all,
  };
}

/** In the order of `ip route`: defaults first, IPv4 before IPv6. */
export function routeRows(stack: Stack): RouteRow[] {
  const key = (row: RouteRow): string =>
    `${row.family}${row.destination === 'default' ? 0 : 1}${row.destination}`;
  return stack.ip.routes
    .list()
    .map((route) => routeRow(stack, route))
    .sort((x, y) => (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : x.metric - y.metric));
}

function routeRow(stack: Stack, route: Route): RouteRow {
  const { address, length } = route.prefix;
  const whole = address.family === 4 ? 32 : 128;
  const text = length === whole ? address.toString() : `${address.toString()}/${length}`;
  return {
    destination: length === 0 ? 'default' : text,
    family: address.family,
    link: route.linkId,
    device: nameOf(stack, route.linkId),
    gateway: route.gateway?.toString() ?? null,
    source: route.source?.toString() ?? null,
    metric: route.metric,
    mtu: route.mtu,
    usable: route.usable,
  };
}

const CAP_NAMES = [
  [LinkCap.TX_CSUM, 'tx-csum'],
  [LinkCap.TSO4, 'tso4'],
  [LinkCap.TSO6, 'tso6'],
  [LinkCap.USO, 'uso'],
] as const;

export function linkRows(stack: Stack): LinkRow[] {
  const rows: LinkRow[] = [];
  for (const [id, link] of stack.ip.links.entries()) {
    if (link === null) continue;
    const own = stack.ip.addresses.list.filter((entry) => entry.linkId === id);
    rows.push({
      link: id,
      device: nameOf(stack, id),
      mtu: link.mtu,
      loopback: link.loopback,
      offloads: CAP_NAMES.filter(([bit]) => (link.caps & bit) !== 0).map(([, name]) => name),
      addresses: own.map((entry) => `${entry.address.toString()}/${entry.length}`),
    });
  }
  return rows;
}

/** One that holds a port, or listens on every port of a prefix. */
export interface HolderRow {
  address: string;
  /** LISTEN, UNCONN, or ESTAB of a connected UDP socket. */
  state: string;
  /** LISTEN: connections that wait to be accepted, the backlog, and handshakes under way. */
  queue: number;
  backlog: number;
  handshakes: number;
  /** Shares the port with others that say the same. */
  shared: boolean;
}

export interface PortRow {
  netid: 'tcp' | 'udp';
  /** 0: every port of a prefix. */
  port: number;
  /** In the order in which they are asked: specific addresses first. */
  holders: HolderRow[];
  /** How many sockets of each state have this local port, listeners left out. */
  states: Record<string, number>;
  /** Who else tried: bindings refused with EADDRINUSE. */
  refused: number;
}

/** Every port that is held, has connections, or was refused, by protocol and number. */
export function portRows(stack: Stack): PortRow[] {
  const rows = new Map<string, PortRow>();
  const row = (netid: 'tcp' | 'udp', port: number): PortRow => {
    const key = `${netid} ${port}`;
    const known = rows.get(key) ?? { netid, port, holders: [], states: {}, refused: 0 };
    rows.set(key, known);
    return known;
  };
  for (const l of stack.tcp.listeners) {
    if (l === null) continue;
    const wide = l.prefix ?? null;
    const { a, b, c, d, port, share } = l.binding;
    row('tcp', wide === null ? port : 0).holders.push({
      address: wide === null ? format(a, b, c, d) : `${wide.address.toString()}/${wide.length}`,
      state: 'LISTEN',
      queue: l.waiting.length,
      backlog: l.backlog,
      handshakes: l.embryonic,
      shared: share,
    });
  }
  for (const socket of sockets(stack)) {
    if (socket.state === 'LISTEN') continue;
    const of = row(socket.netid, socket.localPort);
    of.states[socket.state] = (of.states[socket.state] ?? 0) + 1;
    if (socket.netid === 'udp') of.holders.push(udpHolder(stack, socket));
  }
  refusals('tcp', stack.tcp.ports, row);
  refusals('udp', stack.udpLayer.ports, row);
  for (const one of rows.values()) one.holders.sort((x, y) => rank(x) - rank(y));
  return [...rows.values()].sort((x, y) =>
    x.netid === y.netid ? x.port - y.port : x.netid < y.netid ? -1 : 1,
  );
}

function udpHolder(stack: Stack, socket: SocketRow): HolderRow {
  const bindings: readonly Binding[] = stack.udpLayer.ports.bindings(socket.localPort);
  return {
    address: socket.localAddress,
    state: socket.state,
    queue: socket.recvQ,
    backlog: 0,
    handshakes: 0,
    shared: bindings.some((x) => x.share && format(x.a, x.b, x.c, x.d) === socket.localAddress),
  };
}

function refusals(
  netid: 'tcp' | 'udp',
  ports: Ports,
  row: (netid: 'tcp' | 'udp', port: number) => PortRow,
): void {
  for (const [port, times] of ports.refusals()) row(netid, port).refused = times;
}

/** A connected socket first, then a specific address, 0.0.0.0, and `::` last. */
function rank(holder: HolderRow): number {
  if (holder.state === 'ESTAB') return 0;
  if (holder.address === '::') return 3;
  return holder.address === '0.0.0.0' ? 2 : 1;
}

/** One flow in its cell: `probe` cells are read to find it. */
export interface FlowEntryRow {
  netid: 'tcp' | 'udp';
  cell: number;
  home: number;
  hash: number;
  probe: number;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** Every exact flow, cell by cell: what a packet's 4-tuple is looked up in first. */
export function flowEntries(stack: Stack): FlowEntryRow[] {
  const rows: FlowEntryRow[] = [];
  entriesOf('tcp', stack.tcp.flows, rows);
  entriesOf('udp', stack.udpLayer.flows, rows);
  return rows;
}

function entriesOf(netid: 'tcp' | 'udp', table: FlowTable, rows: FlowEntryRow[]): void {
  const cells = table.capacity;
  table.entries((cell, home, hash, key) => {
    const word = (n: number): number => key[n] as number;
    rows.push({
      netid,
      cell,
      home,
      hash: hash >>> 0,
      probe: ((cell - home + cells) % cells) + 1,
      localAddress: format(word(0), word(1), word(2), word(3)),
      localPort: word(8) >>> 16,
      remoteAddress: format(word(4), word(5), word(6), word(7)),
      remotePort: word(8) & 0xffff,
    });
  });
}
