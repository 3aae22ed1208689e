// What a stack finds its way by, as rows: addresses, routes, links, ports with their holders, flows.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import { addressRows, flowEntries, linkRows, portRows, routeRows } from '../../src/stack/tables.ts';

const UDP = { datagram: () => {}, error: () => {}, writable: () => {} };
const QUIET = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};

describe('a stack with a link, an address and a connection', () => {
  const w = new World({ seed: 3 });
  const left = w.host('a', { addresses: ['10.0.0.1/24'] });
  const right = w.host('b', { addresses: ['10.0.0.2/24'] });
  w.link(left, right, { delayUs: 1000 });
  const a = left.stack;
  const b = right.stack;
  const wire = linkRows(a)[1]?.device as string;

  test('addresses bear their device, prefix and scope (ip-address(8))', () => {
    expect(addressRows(a).map((r) => [r.device, r.address, r.length, r.scope])).toEqual([
      ['lo', '127.0.0.1', 8, 'host'],
      ['lo', '::1', 128, 'host'],
      [wire, '10.0.0.1', 24, 'global'],
    ]);
  });

  test('routes come defaults first, with gateway, source and metric (ip-route(8))', () => {
    a.addRoute('10.9.0.0', 16, { link: 1, gateway: '10.0.0.2', metric: 5, mtu: 1400 });
    a.addRoute('0.0.0.0', 0, { link: 1, gateway: '10.0.0.2', metric: 5 });
    const shown = routeRows(a).map((r) => [r.destination, r.gateway, r.source, r.metric, r.mtu]);
    expect(shown).toEqual([
      ['default', '10.0.0.2', null, 5, 0],
      ['10.0.0.0/24', null, '10.0.0.1', 0, 0],
      ['10.0.0.2', null, null, 0, 0],
      ['10.9.0.0/16', '10.0.0.2', null, 5, 1400],
    ]);
    a.removeRoute('10.9.0.0', 16, { link: 1, gateway: '10.0.0.2', metric: 5 });
    expect(routeRows(a).length).toBe(3);
    expect(() => a.removeRoute('10.9.0.0', 16, { link: 1 })).toThrow('ENETUNREACH');
  });

  test('links tell their MTU and what they do themselves', () => {
    const [lo, own] = linkRows(a);
    expect([lo?.device, lo?.loopback]).toEqual(['lo', true]);
    expect([own?.mtu, own?.loopback]).toEqual([1500, false]);
    expect(own?.addresses).toEqual(['10.0.0.1/24']);
  });

  test('a port has its holders, its sockets by state, and those who were refused', () => {
    const handler = { accept: () => null };
    const server = b.listen({ port: 80, backlog: 7, handler });
    b.udp({ port: 53, address: '10.0.0.2', handler: UDP });
    expect(() => b.listen({ port: 80, handler })).toThrow('EADDRINUSE');
    expect(() => b.listen({ port: 80, handler })).toThrow('EADDRINUSE');
    const away = a.listen({ port: 8081, handler: { accept: () => QUIET } });
    b.connect({ address: '10.0.0.1', port: 8081, localPort: 8080, handler: QUIET });
    w.run({ untilUs: w.clock.nowUs() + 50_000 });
    away.close();
    expect(portRows(b)).toEqual([
      {
        netid: 'tcp',
        port: 80,
        holders: [
          { address: '::', state: 'LISTEN', queue: 0, backlog: 7, handshakes: 0, shared: false },
        ],
        states: {},
        refused: 2,
      },
      { netid: 'tcp', port: 8080, holders: [], states: { ESTAB: 1 }, refused: 0 },
      {
        netid: 'udp',
        port: 53,
        holders: [
          {
            address: '10.0.0.2',
            state: 'UNCONN',
            queue: 0,
            backlog: 0,
            handshakes: 0,
            shared: false,
          },
        ],
        states: { UNCONN: 1 },
        refused: 0,
      },
    ]);
    server.close();
  });

  test('a flow lies in its cell, found by reading `probe` cells from its home', () => {
    const rows = flowEntries(b);
    expect(rows).toHaveLength(1);
    const [row] = rows;
    expect([row?.localAddress, row?.localPort, row?.remoteAddress, row?.remotePort]).toEqual([
      '10.0.0.2',
      8080,
      '10.0.0.1',
      8081,
    ]);
    expect(row?.probe).toBe(1);
    expect(row?.cell).toBe(row?.home);
  });
});
