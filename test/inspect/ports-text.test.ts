// The text of the port table and of the flow tables.

import { expect, test } from 'vitest';
import { flowsText, portsText } from '../../src/inspect/ports-text.ts';
import type { HolderRow, PortRow } from '../../src/stack/tables.ts';

const LISTEN: HolderRow = {
  address: '::',
  state: 'LISTEN',
  queue: 3,
  backlog: 128,
  handshakes: 2,
  shared: false,
};
const WEB: PortRow = {
  netid: 'tcp',
  port: 80,
  holders: [{ ...LISTEN, address: '10.0.0.2', handshakes: 0, shared: true }, LISTEN],
  states: { 'TIME-WAIT': 12, ESTAB: 41 },
  refused: 2,
};
const GONE: PortRow = { netid: 'udp', port: 53, holders: [], states: {}, refused: 1 };

test('a line a holder: queue and backlog, sockets by state, and who was refused', () => {
  expect(portsText([WEB, GONE], true)).toEqual([
    'Proto  Port  Holder       State          Queue    Sockets                 Refused',
    'tcp    80    10.0.0.2:80  LISTEN shared  3/128    41 ESTAB, 12 TIME-WAIT  EADDRINUSE x2',
    '             [::]:80      LISTEN         3/128+2',
    'udp    53    -            -              -        -                       EADDRINUSE x1',
  ]);
});

test('flows stand in match order: exact ones by cell, then who holds the port', () => {
  const lines = flowsText({
    tables: [{ netid: 'tcp', flows: 2, cells: 128, probes: [0, 1, 1], longestProbe: 2 }],
    entries: [
      {
        netid: 'tcp',
        cell: 0x1f,
        home: 0x1f,
        hash: 0xa91e33,
        probe: 1,
        localAddress: '10.0.0.2',
        localPort: 80,
        remoteAddress: '10.0.0.1',
        remotePort: 51324,
      },
    ],
    ports: [WEB, GONE],
    lookups: { tcp: 9, udp: 0 },
  });
  expect(lines).toEqual([
    'tcp: 2 flows in 128 cells (load 0.02), probes 1.50 on average, 2 at most, 9 packets looked up',
    'Bucket  Hash      Probe  Entry (in match order)',
    '0x1f    00a91e33  1      10.0.0.1:51324 -> 10.0.0.2:80',
    '-       -         -      LISTEN 10.0.0.2:80',
    '-       -         -      LISTEN [::]:80',
  ]);
});
