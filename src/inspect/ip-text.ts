// Addresses, routes, links and neighbours as iproute2 prints them: `ip -br addr`, `ip route`,
// `ip neigh`, `ip -br link`, and the objects of `ip -j` (ip(8)).

import type { AddressRow, LinkRow, RouteRow } from '../stack/tables.ts';

/** One neighbour, whatever found it (RFC 826, RFC 4861). */
export interface NeighbourRow {
  address: string;
  device: string;
  /** Link-layer address; null while it is not known. */
  lladdr: string | null;
  /** REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, PERMANENT. */
  state: string;
  router?: boolean;
}

const NAME_WIDTH = 16;
const STATE_WIDTH = 14;

/** lo's is UNKNOWN as Linux says; a link that we have is up. */
const stateOf = (isLoopback: boolean): string => (isLoopback ? 'UNKNOWN' : 'UP');

/** `portside0        UP             10.77.0.2/24 10.9.0.0/16(all)`. */
export function addressText(rows: readonly AddressRow[]): string[] {
  return [...byDevice(rows)].map(([device, own]) => {
    const list = own.map((row) => `${row.address}/${row.length}${isWhole(row) ? '(all)' : ''}`);
    const state = stateOf(own[0]?.link === 0);
    return `${device.padEnd(NAME_WIDTH)} ${state.padEnd(STATE_WIDTH)} ${list.join(' ')}`;
  });
}

/** 127/8 is ours whole everywhere: nobody says so. */
function isWhole(row: AddressRow): boolean {
  return row.all && row.link !== 0;
}

export function addressJson(rows: readonly AddressRow[]): object[] {
  return [...byDevice(rows)].map(([device, own]) => ({
    ifindex: (own[0]?.link ?? 0) + 1,
    ifname: device,
    operstate: stateOf(own[0]?.link === 0),
    addr_info: own.map((row) => ({
      family: row.family === 4 ? 'inet' : 'inet6',
      local: row.address,
      prefixlen: row.length,
      scope: row.scope,
      ...(isWhole(row) ? { all: true } : {}),
    })),
  }));
}

function byDevice(rows: readonly AddressRow[]): Map<string, AddressRow[]> {
  const found = new Map<string, AddressRow[]>();
  for (const row of rows) {
    const own = found.get(row.device);
    if (own === undefined) found.set(row.device, [row]);
    else own.push(row);
  }
  return found;
}

/** `10.77.0.0/24 dev portside0 scope link src 10.77.0.2`. */
export function routeText(rows: readonly RouteRow[]): string[] {
  return rows.map((row) => {
    const parts = [row.destination];
    if (row.gateway !== null) parts.push('via', row.gateway);
    parts.push('dev', row.device);
    if (row.gateway === null && row.family === 4) parts.push('scope', 'link');
    if (row.source !== null) parts.push('src', row.source);
    if (row.metric > 0) parts.push('metric', String(row.metric));
    if (row.mtu > 0) parts.push('mtu', String(row.mtu));
    if (!row.usable) parts.push('dead');
    return parts.join(' ');
  });
}

export function routeJson(rows: readonly RouteRow[]): object[] {
  return rows.map((row) => ({
    dst: row.destination,
    ...(row.gateway === null ? {} : { gateway: row.gateway }),
    dev: row.device,
    ...(row.gateway === null && row.family === 4 ? { scope: 'link' } : {}),
    ...(row.source === null ? {} : { prefsrc: row.source }),
    ...(row.metric > 0 ? { metric: row.metric } : {}),
    ...(row.mtu > 0 ? { mtu: row.mtu } : {}),
    flags: row.usable ? [] : ['dead'],
  }));
}

/** `portside0        UP             mtu 1500 tx-csum tso4 tso6`. */
export function linkText(rows: readonly LinkRow[]): string[] {
  return rows.map((row) => {
    const name = row.device.padEnd(NAME_WIDTH);
    const state = stateOf(row.loopback).padEnd(STATE_WIDTH);
    return `${name} ${state} mtu ${row.mtu} ${row.offloads.join(' ')}`.trimEnd();
  });
}

export function linkJson(rows: readonly LinkRow[]): object[] {
  return rows.map((row) => ({
    ifindex: row.link + 1,
    ifname: row.device,
    flags: row.loopback ? ['LOOPBACK', 'UP', 'LOWER_UP'] : ['UP', 'LOWER_UP'],
    mtu: row.mtu,
    operstate: stateOf(row.loopback),
    offloads: row.offloads,
  }));
}

/** `10.77.0.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE`. */
export function neighbourText(rows: readonly NeighbourRow[]): string[] {
  return rows.map((row) => {
    const lladdr = row.lladdr === null ? [] : ['lladdr', row.lladdr];
    const router = row.router === true ? ['router'] : [];
    return [row.address, 'dev', row.device, ...lladdr, ...router, row.state].join(' ');
  });
}

export function neighbourJson(rows: readonly NeighbourRow[]): object[] {
  return rows.map((row) => ({
    dst: row.address,
    dev: row.device,
    ...(row.lladdr === null ? {} : { lladdr: row.lladdr }),
    ...(row.router === true ? { router: null } : {}),
    state: [row.state],
  }));
}
