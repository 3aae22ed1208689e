// Addresses, routes, links and neighbours as iproute2 prints them.

import { expect, test } from 'vitest';
import {
  addressJson,
  addressText,
  linkText,
  neighbourJson,
  neighbourText,
  routeJson,
  routeText,
} from '../../src/inspect/ip-text.ts';
import type { AddressRow, RouteRow } from '../../src/stack/tables.ts';

const ADDRESS: AddressRow = {
  link: 1,
  device: 'portside0',
  family: 4,
  address: '10.77.0.2',
  length: 24,
  scope: 'global',
  all: false,
};
const ROUTE: RouteRow = {
  destination: 'default',
  family: 4,
  link: 1,
  device: 'portside0',
  gateway: '10.77.0.1',
  source: null,
  metric: 0,
  mtu: 0,
  usable: true,
};

test('a device and its addresses are one line (ip -br addr)', () => {
  const six = { ...ADDRESS, family: 6 as const, address: 'fd00::2', length: 64, all: true };
  expect(addressText([ADDRESS, six])).toEqual([
    'portside0        UP             10.77.0.2/24 fd00::2/64(all)',
  ]);
  expect(addressJson([ADDRESS])).toEqual([
    {
      ifindex: 2,
      ifname: 'portside0',
      operstate: 'UP',
      addr_info: [{ family: 'inet', local: '10.77.0.2', prefixlen: 24, scope: 'global' }],
    },
  ]);
});

test('a route names gateway or scope, source, metric and MTU (ip route)', () => {
  const direct = { ...ROUTE, destination: '10.77.0.0/24', gateway: null, source: '10.77.0.2' };
  expect(routeText([ROUTE, direct, { ...ROUTE, metric: 5, mtu: 1400, usable: false }])).toEqual([
    'default via 10.77.0.1 dev portside0',
    '10.77.0.0/24 dev portside0 scope link src 10.77.0.2',
    'default via 10.77.0.1 dev portside0 metric 5 mtu 1400 dead',
  ]);
  expect(routeJson([ROUTE])).toEqual([
    { dst: 'default', gateway: '10.77.0.1', dev: 'portside0', flags: [] },
  ]);
});

test('a link tells its MTU and what it does itself (ip -br link)', () => {
  const offloads = ['tx-csum', 'tso4'];
  const row = { link: 1, device: 'portside0', mtu: 1500, loopback: false, offloads, addresses: [] };
  expect(linkText([row])).toEqual(['portside0        UP             mtu 1500 tx-csum tso4']);
});

test('a neighbour has its link-layer address and state (ip neigh)', () => {
  const row = { address: '10.0.0.9', device: 'eth0', lladdr: '02:00:00:00:00:01', state: 'STALE' };
  const asked = { address: 'fe80::1', device: 'eth0', lladdr: null, state: 'INCOMPLETE' };
  expect(neighbourText([row, asked])).toEqual([
    '10.0.0.9 dev eth0 lladdr 02:00:00:00:00:01 STALE',
    'fe80::1 dev eth0 INCOMPLETE',
  ]);
  expect(neighbourJson([row])).toEqual([
    { dst: '10.0.0.9', dev: 'eth0', lladdr: '02:00:00:00:00:01', state: ['STALE'] },
  ]);
});
