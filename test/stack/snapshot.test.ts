// The listing of sockets against what `ss -tuna` shows in the same situation.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';
import type { Stack } from '../../src/stack/stack.ts';

const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: () => {},
  writable: () => {},
  written: () => {},
  closed: () => {},
};
const UDP = { datagram: () => {}, error: () => {}, writable: () => {} };
const SERVER = { address: '10.0.0.2', port: 80 };

interface Net {
  a: Stack;
  b: Stack;
  settle: (ms?: number) => void;
}

function net(): Net {
  const w = new World({ seed: 3 });
  const a = w.host('a', { addresses: ['10.0.0.1/24'] });
  const b = w.host('b', { addresses: ['10.0.0.2/24'] });
  w.link(a, b, { delayUs: 1000 });
  const settle = (ms = 50): void => {
    w.run({ untilUs: w.clock.nowUs() + ms * 1000 });
  };
  return { a: a.stack, b: b.stack, settle };
}

/** Both ends of one connection; the server's listener is there, too. */
function connected(
  paused = false,
): Net & { client: TcpSocket; served: TcpSocket; stopListening: () => void } {
  const n = net();
  let served: TcpSocket | null = null;
  const server = n.b.listen({
    ...SERVER,
    handler: {
      accept: (_server, s) => {
        served = s;
        if (paused) s.pause();
        return QUIET;
      },
    },
  });
  const client = n.a.connect({ ...SERVER, localPort: 4444, handler: QUIET });
  n.settle();
  if (served === null) throw new Error('not accepted');
  return { ...n, client, served, stopListening: () => server.close() };
}

/** A row as ss prints it. */
function line(r: SocketRow): string {
  const local = `${r.localAddress}:${r.localPort}`;
  return `${r.netid} ${r.state} ${r.recvQ} ${r.sendQ} ${local} ${r.remoteAddress}:${r.remotePort}`;
}

describe('stack.sockets()', () => {
  test('an empty stack has none (ss)', () => {
    expect(net().a.sockets()).toEqual([]);
  });

  test('a listener: who waits for accept, and the backlog (ss -l, Recv-Q and Send-Q)', () => {
    const { a, b, settle } = net();
    const server = b.listen({ ...SERVER, backlog: 7, handler: { accept: () => QUIET } });
    server.pause();
    expect(b.sockets().map(line)).toEqual(['tcp LISTEN 0 7 10.0.0.2:80 *:0']);
    for (let i = 0; i < 3; i++) a.connect({ ...SERVER, handler: QUIET });
    settle();
    expect(b.sockets('LISTEN').map(line)).toEqual(['tcp LISTEN 3 7 10.0.0.2:80 *:0']);
  });

  test('the wildcard is shown as such (ss)', () => {
    const { b } = net();
    b.listen({ address: '0.0.0.0', port: 80, handler: { accept: () => QUIET } });
    b.listen({ port: 81, handler: { accept: () => QUIET } });
    const rows = b.sockets().map((r) => `${r.localAddress}:${r.localPort}`);
    expect(rows).toEqual(['0.0.0.0:80', ':::81']);
  });

  test('connections with both ends, unread and unacknowledged octets (ss, Recv-Q and Send-Q)', () => {
    const { a, b, settle, client } = connected(true);
    client.send(new Uint8Array(123));
    expect(a.sockets().map(line)).toEqual(['tcp ESTAB 0 123 10.0.0.1:4444 10.0.0.2:80']);
    settle(500);
    expect(a.sockets().map(line)).toEqual(['tcp ESTAB 0 0 10.0.0.1:4444 10.0.0.2:80']);
    expect(b.sockets('ESTAB').map(line)).toEqual(['tcp ESTAB 123 0 10.0.0.2:80 10.0.0.1:4444']);
  });

  test('a connection carries tcp_info, a listener none (ss -i)', () => {
    const [listener, connection] = connected().b.sockets();
    expect(listener?.info).toBeUndefined();
    expect(connection?.info).toMatchObject({ state: 'ESTAB', congestion: 'cubic', snd_cwnd: 10 });
  });

  // biome-ignore format: a table
  const states: { name: string; who: 'client' | 'both' | 'abort'; a: string[]; b: string[] }[] = [
    { name: 'one side has shut down', who: 'client', a: ['FIN-WAIT-2'], b: ['CLOSE-WAIT'] },
    { name: 'both have at once', who: 'both', a: ['TIME-WAIT'], b: ['TIME-WAIT'] },
    { name: 'one has aborted', who: 'abort', a: [], b: [] },
  ];
  test.each(states)('states are in the words of ss when $name (ss)', ({ who, a, b }) => {
    const c = connected();
    c.stopListening();
    if (who === 'abort') c.client.abort();
    else c.client.shutdown();
    if (who === 'both') c.served.shutdown();
    c.settle();
    expect(c.a.sockets().map((r) => r.state)).toEqual(a);
    expect(c.b.sockets().map((r) => r.state)).toEqual(b);
  });

  test('a SYN that is not answered is SYN-SENT (ss)', () => {
    const { a, settle } = net();
    a.addRoute('10.0.0.77', 32, { link: 1 });
    a.connect({ address: '10.0.0.77', port: 80, handler: QUIET });
    settle();
    expect(a.sockets().map((r) => [r.state, r.remoteAddress])).toEqual([['SYN-SENT', '10.0.0.77']]);
  });

  test('UDP: UNCONN with a wildcard peer, ESTAB when connected (ss -u)', () => {
    const { a } = net();
    a.udp({ address: '10.0.0.1', port: 53, handler: UDP });
    a.udp({ address: '10.0.0.1', port: 5353, handler: UDP }).connect('10.0.0.2', 53);
    expect(a.sockets().map(line)).toEqual([
      'udp UNCONN 0 0 10.0.0.1:53 *:0',
      'udp ESTAB 0 0 10.0.0.1:5353 10.0.0.2:53',
    ]);
  });

  test('an unread datagram counts in Recv-Q (ss -u)', () => {
    const { a, b, settle } = net();
    b.udp({ address: '10.0.0.2', port: 7000, handler: UDP }).pause();
    const c = a.udp({ handler: UDP });
    c.connect('10.0.0.2', 7000);
    c.send(new Uint8Array(100), 0, 100);
    settle();
    expect(b.sockets()[0]?.recvQ).toBeGreaterThanOrEqual(100);
  });

  test('the filter is by name of state; an unknown one has no rows (ss state)', () => {
    const { b } = connected();
    expect(b.sockets('ESTAB').length).toBe(1);
    expect(b.sockets('LISTEN').length).toBe(1);
    expect(b.sockets('NONSENSE')).toEqual([]);
    expect(b.sockets().length).toBe(2);
  });

  test('closed listeners and sockets are gone (ss)', () => {
    const { a, b, client, stopListening, settle } = connected();
    stopListening();
    client.abort();
    a.udp({ port: 9, handler: UDP }).close();
    settle();
    expect([a.sockets(), b.sockets()]).toEqual([[], []]);
  });

  test('looking changes nothing (ss)', () => {
    const { b } = connected();
    expect(b.sockets()).toEqual(b.sockets());
  });
});

describe('stack.flowTables()', () => {
  test('tells of flows, cells and how many of them a lookup reads', () => {
    const { a, client, settle } = connected();
    const c = a.udp({ handler: UDP });
    c.connect('10.0.0.2', 7000);
    const table = { cells: 128, probes: [0, 1], longestProbe: 1 };
    expect(a.flowTables()).toEqual([
      { netid: 'tcp', flows: 1, ...table },
      { netid: 'udp', flows: 1, ...table, cells: 32 },
    ]);
    client.abort();
    c.close();
    settle();
    expect(a.flowTables().map((t) => [t.flows, t.longestProbe])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
