// A connection from inside, drops with their packets, fragments and path MTUs: views of what is
// known to be there.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import {
  connectionDetail,
  dropRows,
  fragmentRows,
  inspectStack,
  pathRows,
} from '../../src/stack/detail.ts';
import { ipv4 } from '../kit/packet.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};
const SERVER = { address: '10.0.0.2', port: 80 };

function pair() {
  const w = new World({ seed: 9 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['10.0.0.2/24'] });
  w.link(a, b, { delayUs: 10_000 });
  b.stack.listen({ ...SERVER, handler: { accept: () => QUIET } });
  const client = a.stack.connect({ ...SERVER, localPort: 4444, handler: QUIET });
  const settle = (ms: number): void => {
    w.run({ untilUs: w.clock.nowUs() + ms * 1000 });
  };
  settle(100);
  return { a: a.stack, b: b.stack, client, settle };
}

describe('a connection', () => {
  test('what is on its way, since when, and the timer that watches it', () => {
    const { a, client, settle } = pair();
    client.send(new Uint8Array(3000));
    settle(1);
    const sk = a.sockets('ESTAB')[0]?.sk as number;
    const detail = connectionDetail(a, sk);
    expect(detail?.send).toMatchObject({ una: 1, nxt: 3001, end: 3001 });
    expect(detail?.receive).toMatchObject({ nxt: 1, read: 1 });
    expect(detail?.records.map(({ start, end, marks }) => [start, end, marks])).toEqual([
      [1, 3001, []],
    ]);
    expect(detail?.records[0]?.ageUs).toBeGreaterThanOrEqual(0);
    expect(detail?.timers.map((timer) => timer.name)).toEqual(['tlp']);
    expect(detail?.congestion).toMatchObject({ controller: 'cubic', frto: false });
    settle(100);
    expect(connectionDetail(a, sk)).toMatchObject({ records: [], timers: [], outOfOrder: [] });
  });

  test('looking changes nothing, and one that is gone is not there', () => {
    const { a, client, settle } = pair();
    client.send(new Uint8Array(3000));
    settle(1);
    const sk = a.sockets('ESTAB')[0]?.sk as number;
    expect(connectionDetail(a, sk)).toEqual(connectionDetail(a, sk));
    client.abort();
    settle(100);
    expect(connectionDetail(a, sk)).toBeNull();
    expect(connectionDetail(a, 12345)).toBeNull();
  });
});

test('drops with the beginning of the last packet, as tcpdump prints it', () => {
  const { a, b, settle } = pair();
  const s = a.udp({ handler: { datagram: () => {}, error: () => {}, writable: () => {} } });
  s.connect('10.0.0.2', 9999);
  s.send(Uint8Array.of(0xab), 0, 1);
  settle(50);
  const [row] = dropRows(b);
  expect(row).toMatchObject({ reason: 'NO_SOCKET', count: 1, example: { link: 1, length: 29 } });
  expect(row?.example?.octets.endsWith('ab')).toBe(true);
  expect(row?.example?.text).toMatch(/^IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.9999: UDP, length 1$/);
});

test('fragments that wait for the rest, and until when (RFC 1122 §3.3.2)', () => {
  const { b } = pair();
  const first = ipv4(
    { src: '10.0.0.1', dst: '10.0.0.2', protocol: 17, id: 77, mf: true },
    new Uint8Array(16),
  );
  const at = b.slab.reserve(2048);
  b.slab.u8.set(first, at);
  b.receive(1, at, first.length);
  const [four, six] = fragmentRows(b);
  expect(four).toMatchObject({ family: 4, datagrams: 1, sources: 1 });
  expect(four?.waiting).toEqual([
    {
      ...{ source: '10.0.0.1', destination: '10.0.0.2', id: 77, held: 16, end: -1, parts: 1 },
      leftUs: 30_000_000,
    },
  ]);
  expect(six).toEqual({ family: 6, datagrams: 0, sources: 0, octets: 0, waiting: [] });
});

test('every view at once has all of its parts', () => {
  const { b } = pair();
  const view = inspectStack(b);
  expect(view.sockets.map((row) => row.state)).toEqual(['LISTEN', 'ESTAB']);
  expect(view.ports.map((row) => row.port)).toEqual([80]);
  expect(view.links.length).toBe(2);
  expect(view.counters['TcpPassiveOpens']).toBe(1);
  expect(view.fragments.map((row) => row.family)).toEqual([4, 6]);
  expect(pathRows(b)).toEqual([]);
  expect(JSON.parse(JSON.stringify(view))).toEqual(view);
});
