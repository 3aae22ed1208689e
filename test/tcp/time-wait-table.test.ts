// TIME-WAIT as records: the table itself, and that a stack keeps nothing but records of connections
// that are over (RFC 9293 §3.6, RFC 6191, RFC 1337). What segments mean there: time-wait.test.ts.

import { describe, expect, test } from 'vitest';
import { Field, slotOf, TimeWaitTable } from '../../src/tcp/time-wait-table.ts';
import { continueScript, type ScriptOptions } from '../kit/script.ts';
import { REMOTE, ScriptBench } from '../kit/script-bench.ts';
import { Peer } from '../kit/script-peer.ts';
import { arrive, ISS, taken, wait } from './segments.ts';

describe('the table', () => {
  test('gives out each record once and takes it back (RFC 9293 §3.6)', () => {
    const table = new TimeWaitTable();
    const taken = Array.from({ length: 5 }, () => table.take());
    expect(new Set(taken).size).toBe(5);
    expect(table.size).toBe(5);
    table.give(taken[2] as number);
    expect(table.indices()).not.toContain(taken[2]);
    expect(table.indices().length).toBe(4);
    expect(table.take()).toBe(taken[2]);
    expect(table.size).toBe(5);
  });

  test('keeps the words of a thousand records while it grows (RFC 9293 §3.6)', () => {
    const table = new TimeWaitTable();
    for (let n = 0; n < 1000; n++) {
      const i = table.take();
      table.set(i, Field.PORTS, n);
      table.set(i, Field.RCV_NXT, -n);
    }
    for (const i of table.indices()) {
      expect(table.get(i, Field.RCV_NXT) + table.get(i, Field.PORTS)).toBe(0);
      expect(table.words[table.at(i) + Field.PORTS]).toBe(table.get(i, Field.PORTS));
    }
    expect(table.indices().length).toBe(1000);
  });

  test('a record that is given back takes its deadline along (RFC 9293 §3.6)', () => {
    const table = new TimeWaitTable();
    const i = table.take();
    table.deadlines.set(i, 1e6);
    table.give(i);
    expect(table.deadlines.armed).toBe(0);
  });

  test("slots of the flow table and records are each other's inverse and below -1", () => {
    for (const i of [0, 1, 2, 65_535]) {
      expect(slotOf(i)).toBeLessThan(-1);
      expect(slotOf(slotOf(i))).toBe(i);
    }
  });
});

interface Server {
  bench: ScriptBench;
  accepted: Peer[];
}

function serve(options: ScriptOptions = {}): Server {
  const tcp = { testIss: ISS, ...options.config?.tcp };
  const bench = new ScriptBench({ ...options, config: { tcp } });
  const accepted: Peer[] = [];
  bench.stack.listen({
    port: 80,
    handler: {
      accept: (_server, s) => {
        const peer = new Peer(s.remotePort);
        peer.opened(s);
        accepted.push(peer);
        return peer;
      },
    },
  });
  return { bench, accepted };
}

/** One connection from `from` that this side closes first: TIME-WAIT is here. */
function finish({ bench, accepted }: Server, from: number): void {
  arrive(bench, { flags: 'S', seq: 0, from, options: [2, 4, 3, 232] });
  arrive(bench, { flags: '.', seq: 1, ack: 1, from });
  const s = accepted.at(-1)?.socket;
  if (s?.remotePort !== from) throw new Error('not accepted');
  s.close();
  wait(bench, 1);
  arrive(bench, { flags: 'F.', seq: 1, ack: 2, from });
  wait(bench, 1);
  taken(bench);
}

describe('a stack', () => {
  test('holds a record and no control block of a connection that is over (RFC 9293 §3.6)', () => {
    const server = serve();
    for (let from = 1000; from < 1100; from++) finish(server, from);
    const { tcp } = server.bench.stack;
    expect([tcp.live, tcp.timeWait.size]).toEqual([0, 100]);
    expect(server.accepted.every((p) => p.closedCode === 0)).toBe(true);
    expect(server.bench.stack.counters.get('TcpExtTW')).toBe(100);
  });

  test('forgets them after 2 MSL, and nothing is left that wants the clock (RFC 9293 §3.10.8)', () => {
    const server = serve();
    for (let from = 1000; from < 1010; from++) finish(server, from);
    wait(server.bench, 59_000);
    expect(server.bench.stack.tcp.timeWait.size).toBe(10);
    wait(server.bench, 2000);
    expect(server.bench.stack.tcp.timeWait.size).toBe(0);
    expect(server.bench.stack.nextDeadline()).toBe(Infinity);
  });

  test('answers for each of them with its own numbers (RFC 9293 §3.10.7.4)', () => {
    const server = serve();
    for (let from = 1000; from < 1050; from++) finish(server, from);
    arrive(server.bench, { flags: 'F.', seq: 1, ack: 2, from: 1033 });
    expect(taken(server.bench)).toMatchObject([{ flags: '.', seq: 2, ack: 2, dstPort: 1033 }]);
  });

  test('takes a newer SYN in the place of a record, which goes (RFC 6191 §2)', () => {
    const server = serve();
    finish(server, 1000);
    arrive(server.bench, { flags: 'S', seq: 90_000, from: 1000, options: [2, 4, 3, 232] });
    const { tcp, counters } = server.bench.stack;
    expect([tcp.live, tcp.timeWait.size, counters.get('TcpExtTWRecycled')]).toEqual([1, 0, 1]);
    expect(taken(server.bench)).toMatchObject([{ flags: 'S.', ack: 90_001 }]);
  });

  test('a RST removes no record (RFC 1337 §3)', () => {
    const server = serve();
    finish(server, 1000);
    arrive(server.bench, { flags: 'R', seq: 2, from: 1000 });
    arrive(server.bench, { flags: 'R.', seq: 2, ack: 2, from: 1000 });
    expect(server.bench.stack.tcp.timeWait.size).toBe(1);
    expect(taken(server.bench)).toEqual([]);
  });

  test('holds at most maxTimeWait of them; the next is closed at once and counted (Linux tcp_max_tw_buckets)', () => {
    const server = serve({ config: { tcp: { maxTimeWait: 8 } } });
    for (let from = 1000; from < 1020; from++) finish(server, from);
    const { tcp, counters } = server.bench.stack;
    expect([tcp.live, tcp.timeWait.size]).toEqual([0, 8]);
    expect(counters.get('TcpExtTCPTimeWaitOverflow')).toBe(12);
    expect(server.accepted.every((p) => p.closedCode === 0)).toBe(true);
  });

  test('does not open a connection of its own on a 4-tuple that still waits (RFC 9293 §3.4.3)', () => {
    const server = serve();
    finish(server, 1000);
    const connect = (): void => {
      server.bench.stack.connect({
        address: REMOTE,
        port: 1000,
        localPort: 80,
        handler: new Peer(1000),
      });
    };
    expect(connect).toThrow(/EADDR(INUSE|NOTAVAIL)/);
    expect(server.bench.stack.tcp.timeWait.size).toBe(1);
  });

  test('its listing shows them with both ends (ss)', () => {
    const server = serve();
    finish(server, 1000);
    wait(server.bench, 10_000); // and one millisecond behind the FIN, in `finish`
    expect(server.bench.stack.sockets('TIME-WAIT')).toEqual([
      {
        sk: 2,
        netid: 'tcp',
        state: 'TIME-WAIT',
        recvQ: 0,
        sendQ: 0,
        localAddress: '192.0.2.1',
        localPort: 80,
        remoteAddress: '198.51.100.9',
        remotePort: 1000,
        timer: { name: 'timewait', leftUs: 49_999_000, tries: 0 },
      },
    ]);
  });

  test('a FIN again restarts the two MSL of its record alone (RFC 9293 §3.10.7.4)', () => {
    const server = serve();
    finish(server, 1000);
    finish(server, 1001);
    wait(server.bench, 50_000);
    arrive(server.bench, { flags: 'F.', seq: 1, ack: 2, from: 1000 });
    taken(server.bench);
    wait(server.bench, 20_000);
    expect(server.bench.stack.sockets('TIME-WAIT').map((r) => r.remotePort)).toEqual([1000]);
    wait(server.bench, 45_000);
    continueScript(server.bench, '+0 > nothing');
    expect(server.bench.stack.tcp.timeWait.size).toBe(0);
  });
});
