// Events of a running stack: what an onlooker hears of a connection's life, and that nobody pays for
// it who does not look.

import { describe, expect, test } from 'vitest';
import { dropName } from '../../src/base/drop.ts';
import { Seen } from '../../src/base/watch.ts';
import { type EventRow, kindsMask, subscribe } from '../../src/inspect/event-rows.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { Stack } from '../../src/stack/stack.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: (s) => s.close(),
  writable: () => {},
  written: () => {},
  closed: () => {},
};
const SERVER = { address: '10.0.0.2', port: 80 };

interface Net {
  a: Stack;
  b: Stack;
  connect: (port?: number) => TcpSocket;
  settle: (ms?: number) => void;
}

function net(loss = 0): Net {
  const w = new World({ seed: 5 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['10.0.0.2/24'] });
  w.link(a, b, { delayUs: 10_000, loss });
  b.stack.listen({ ...SERVER, handler: { accept: () => QUIET } });
  const settle = (ms = 50): void => {
    w.run({ untilUs: w.clock.nowUs() + ms * 1000 });
  };
  const connect = (localPort = 4444): TcpSocket =>
    a.stack.connect({ ...SERVER, localPort, handler: QUIET });
  return { a: a.stack, b: b.stack, connect, settle };
}

/** One line a row, for tables. */
function line(row: EventRow): string {
  switch (row.kind) {
    case 'state':
      return `${row.from} > ${row.to}: ${row.cause}`;
    case 'sent':
    case 'received':
      return `${row.kind} ${row.flags} ${row.octets}`;
    default:
      return row.kind;
  }
}

function of<K extends EventRow['kind']>(
  rows: readonly EventRow[],
  kind: K,
): Extract<EventRow, { kind: K }>[] {
  return rows.filter((row): row is Extract<EventRow, { kind: K }> => row.kind === kind);
}

describe('states', () => {
  const only = { kinds: kindsMask(['state']) as number };

  test('each move with what has caused it, on both sides (RFC 9293 §3.3.2)', () => {
    const { a, b, connect, settle } = net();
    const client = subscribe(a, only);
    const server = subscribe(b, only);
    const s = connect();
    settle();
    s.shutdown();
    settle(200);
    expect(client.take().map(line)).toEqual([
      'UNCONN > SYN-SENT: active open',
      'SYN-SENT > ESTAB: SYN acknowledged',
      'ESTAB > FIN-WAIT-1: closed by the program',
      'FIN-WAIT-1 > FIN-WAIT-2: FIN acknowledged',
      'FIN-WAIT-2 > TIME-WAIT: FIN received',
    ]);
    expect(server.take().map(line)).toEqual([
      'UNCONN > SYN-RECV: SYN received',
      'SYN-RECV > ESTAB: handshake complete',
      'ESTAB > CLOSE-WAIT: FIN received',
      'CLOSE-WAIT > LAST-ACK: closed by the program',
      'LAST-ACK > UNCONN: FIN acknowledged',
    ]);
  });

  test('TIME-WAIT ends once, under the number of its connection', () => {
    const { a, connect, settle } = net();
    const events = subscribe(a, only);
    const s = connect();
    settle();
    s.shutdown();
    settle(200);
    events.take();
    const [waiting] = a.sockets('TIME-WAIT');
    settle(70_000);
    const rows = of(events.take(), 'state');
    expect(rows.map(line)).toEqual(['TIME-WAIT > UNCONN: TIME-WAIT over']);
    expect(rows[0]).toMatchObject({
      sk: waiting?.sk,
      local: { address: '10.0.0.1', port: 4444 },
      remote: { address: '10.0.0.2', port: 80 },
    });
  });

  test('an error is the cause of an end', () => {
    const { a, b, connect, settle } = net();
    connect();
    settle();
    const client = subscribe(a, only);
    b.kill({ address: '10.0.0.2', port: 80 }, { address: '10.0.0.1', port: 4444 });
    settle();
    expect(client.take().map(line)).toEqual(['ESTAB > UNCONN: ECONNRESET']);
  });

  test('a number is nobody else’s, and that of the row of sockets()', () => {
    const { a, connect, settle } = net();
    const events = subscribe(a, only);
    connect(1001);
    connect(1002);
    settle();
    const rows = of(events.take(), 'state').filter((row) => row.to === 'ESTAB');
    const listed = a.sockets('ESTAB').map((row) => [row.localPort, row.sk]);
    expect(rows.map((row) => [row.local.port, row.sk])).toEqual(listed);
    expect(new Set(listed.map(([, sk]) => sk)).size).toBe(2);
  });
});

describe('a transfer', () => {
  test('segments, acknowledgments and samples in their order', () => {
    const { a, connect, settle } = net();
    const events = subscribe(a);
    const s = connect();
    settle();
    events.take();
    s.send(new Uint8Array(100));
    settle();
    const rows = events.take();
    const kinds = rows.map(line).filter((text) => text !== 'timer' && text !== 'fired');
    expect(kinds).toEqual(['sent P. 100', 'received . 0', 'rtt', 'acked', 'cwnd']);
    expect(of(rows, 'rtt')[0]).toMatchObject({ sampleUs: 20_000, srttUs: 20_000 });
    expect(of(rows, 'acked')[0]).toMatchObject({ segments: 1, inFlight: 0 });
    const [timer] = of(rows, 'timer');
    expect(timer).toMatchObject({ timer: 'rto' });
  });

  test('what is delivered to the program', () => {
    const { b, connect, settle } = net();
    const s = connect();
    settle();
    const events = subscribe(b, { kinds: kindsMask(['delivered']) as number });
    s.send(new Uint8Array(5000));
    settle();
    const rows = of(events.take(), 'delivered');
    expect(rows.reduce((sum, row) => sum + row.octets, 0)).toBe(5000);
  });

  test('retransmissions are those that the counter claims; each loss has its cause (RFC 8985)', () => {
    const { a, connect, settle } = net(0.03);
    const s = connect();
    settle(10_000);
    const before = a.counters.get('TcpRetransSegs');
    const events = subscribe(a, { capacity: 1 << 17 });
    for (let i = 0; i < 40; i++) {
      s.send(new Uint8Array(50_000));
      settle(2000);
    }
    const rows = events.take(1 << 20);
    expect(events.lost).toBe(0);
    const again = of(rows, 'sent').filter((row) => row.again);
    const claimed = a.counters.get('TcpRetransSegs') - before;
    expect(claimed).toBeGreaterThan(20);
    expect(again.reduce((sum, row) => sum + (row.segments ?? 1), 0)).toBe(claimed);
    const causes = new Set(of(rows, 'lost').map((row) => row.cause));
    expect(causes).toContain('rack');
    expect(of(rows, 'sacked').every((row) => row.what !== 'refused')).toBe(true);
    expect(of(rows, 'sacked').length).toBeGreaterThan(20);
    expect(of(rows, 'cwnd').some((row) => row.ca === 'recovery')).toBe(true);
  });
});

describe('an onlooker', () => {
  test('who has not subscribed costs nothing: the stack notes nothing', () => {
    const { a, connect, settle } = net();
    expect(a.ip.watch).toBeNull();
    const first = subscribe(a);
    const second = subscribe(a);
    first.close();
    expect(a.ip.watch).not.toBeNull();
    second.close();
    expect(a.ip.watch).toBeNull();
    connect();
    settle();
    expect(first.take()).toEqual([]);
  });

  test('who reads too slowly loses the oldest and is told how many', () => {
    const { a, connect, settle } = net();
    const s = connect();
    settle();
    const slow = subscribe(a, { capacity: 64 });
    const quick = subscribe(a, { capacity: 1 << 14 });
    for (let i = 0; i < 40; i++) {
      s.send(new Uint8Array(100));
      settle();
    }
    const all = quick.take(1 << 14);
    expect(slow.take(1 << 14)).toEqual(all.slice(-64));
    expect(slow.lost).toBe(all.length - 64);
    expect(quick.lost).toBe(0);
  });

  test('who wants one connection hears of no other', () => {
    const { a, connect, settle } = net();
    const one = connect(1001);
    const other = connect(1002);
    settle();
    const sk = a.sockets('ESTAB').find((row) => row.localPort === 1001)?.sk as number;
    const events = subscribe(a, { id: sk });
    one.send(new Uint8Array(10));
    other.send(new Uint8Array(20));
    settle();
    const rows = events.take();
    expect(new Set(rows.map((row) => row.sk))).toEqual(new Set([sk]));
    expect(of(rows, 'sent').map((row) => row.octets)).toEqual([10]);
  });

  test('beyond sixteen is refused', () => {
    const { a } = net();
    for (let i = 0; i < 16; i++) subscribe(a);
    expect(() => subscribe(a)).toThrow(RangeError);
  });

  test('who names an unknown kind is told', () => {
    expect(kindsMask(['state', 'nothing'])).toBeNull();
    expect(kindsMask(['from'])).toBeNull();
    expect(kindsMask(['state', 'drop'])).toBe((1 << Seen.STATE) | (1 << Seen.DROP));
  });
});

describe('what is refused', () => {
  test('a packet, with its reason, its length and its ports; the last of a reason is kept', () => {
    const { a, b, settle } = net();
    const events = subscribe(b, { kinds: kindsMask(['drop']) as number });
    const s = a.udp({ handler: { datagram: () => {}, error: () => {}, writable: () => {} } });
    s.connect('10.0.0.2', 9999);
    s.send(Uint8Array.of(1, 2, 3), 0, 3);
    settle();
    const [row] = of(events.take(), 'drop');
    expect(row).toMatchObject({ reason: 'NO_SOCKET', octets: 31, link: 1 });
    expect(row?.ports[1]).toBe(9999);
    const reason = b.ip.examples.lengths.findIndex((n) => n >= 0);
    expect(dropName(reason)).toBe('NO_SOCKET');
    expect(Array.from(b.ip.examples.octets.subarray(reason * 128 + 28, reason * 128 + 31))).toEqual(
      [1, 2, 3],
    );
  });

  test('a port, and who wanted it (EADDRINUSE)', () => {
    const { b } = net();
    const events = subscribe(b);
    expect(() => b.listen({ ...SERVER, handler: { accept: () => QUIET } })).toThrow('EADDRINUSE');
    const udp = { datagram: () => {}, error: () => {}, writable: () => {} };
    b.udp({ address: '10.0.0.2', port: 53, handler: udp });
    expect(() => b.udp({ address: '10.0.0.2', port: 53, handler: udp })).toThrow('EADDRINUSE');
    expect(of(events.take(), 'refused').map(({ at: _at, ...row }) => row)).toEqual([
      { sk: 0, kind: 'refused', netid: 'tcp', address: '10.0.0.2', port: 80, code: 'EADDRINUSE' },
      { sk: 0, kind: 'refused', netid: 'udp', address: '10.0.0.2', port: 53, code: 'EADDRINUSE' },
    ]);
  });

  test('a connection for which the accept queue has no room', () => {
    const { a, b, settle } = net();
    const server = b.listen({
      address: '10.0.0.2',
      port: 81,
      backlog: 1,
      handler: { accept: () => QUIET },
    });
    server.pause();
    const events = subscribe(b, { kinds: kindsMask(['overflow']) as number });
    for (let i = 0; i < 4; i++) a.connect({ address: '10.0.0.2', port: 81, handler: QUIET });
    settle(100);
    const sk = b.sockets('LISTEN').find((row) => row.localPort === 81)?.sk;
    expect(of(events.take(), 'overflow')[0]).toMatchObject({ sk, queue: 'accept', waiting: 2 });
  });

  test('routes and addresses that come and go', () => {
    const { a } = net();
    const events = subscribe(a);
    a.addAddress(1, '10.5.0.1', 16);
    a.addRoute('10.6.0.0', 16, { link: 1 });
    a.removeAddress(1, '10.5.0.1', 16);
    a.removeLink(1);
    expect(of(events.take(), 'route').map((row) => `${row.change} ${row.prefix}`)).toEqual([
      'address 10.5.0.1/16',
      'route 10.6.0.0/16',
      'no address 10.5.0.1/16',
      'link ',
    ]);
  });
});
