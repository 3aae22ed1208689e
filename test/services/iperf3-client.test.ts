// The iperf3 client against our iperf3 server, over the loopback of one stack, under a clock that
// is a number; the real server is asked in test/system.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { toAscii } from '../../src/services/ascii.ts';
import { startIperf3 } from '../../src/services/iperf3.ts';
import { runIperf3 } from '../../src/services/iperf3-client.ts';
import type { ClientOptions, Interval, Outcome } from '../../src/services/iperf3-outcome.ts';
import type { TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Loop } from './loop.ts';

function rig(): Loop {
  const loop = new Loop();
  startIperf3(loop.stack, { timers: loop, ownPorts: new Set([5201]) });
  return loop;
}

/** Runs a test for at most `ms` of virtual time. */
async function run(loop: Loop, ms: number, options: Partial<ClientOptions>): Promise<Outcome> {
  const base = { stack: loop.stack, timers: loop, random: new SeededRandom(3) };
  const outcome = runIperf3({ ...base, address: '127.0.0.1', port: 5201, ...options });
  loop.run(ms);
  return outcome;
}

const RATE = 8_000_000; // a megabyte a second

describe('the client', () => {
  const tcp = [
    ['sends', {}, [[1, true]]],
    ['is sent to (-R)', { reverse: true }, [[1, false]]],
    [
      'does both (--bidir)',
      { bidirectional: true },
      [
        [1, true],
        [3, false],
      ],
    ],
    [
      'sends three streams (-P 3)',
      { streams: 3 },
      [
        [1, true],
        [3, true],
        [4, true],
      ],
    ],
  ] as const;
  test.each(tcp)('%s over TCP, and both ends count the same', async (_name, options, streams) => {
    const outcome = await run(rig(), 1500, { seconds: 1, bitrate: RATE, ...options });
    expect(outcome.seconds).toBeCloseTo(1, 2);
    expect(outcome.streams.map((s) => [s.id, s.sends])).toEqual(streams);
    for (const s of outcome.streams) {
      // Nagle and a delayed acknowledgment may hold the last 40 ms.
      expect(s.received.bytes).toBeGreaterThan(900_000);
      expect(s.received.bytes).toBeLessThan(1_050_000);
      expect(Math.abs(s.sent.bytes - s.received.bytes)).toBeLessThan(60_000);
    }
  });

  const udp = [
    ['sends', {}],
    ['is sent to (-R)', { reverse: true }],
    ['does both (--bidir)', { bidirectional: true }],
    ['sends two streams (-P 2)', { streams: 2 }],
  ] as const;
  test.each(udp)('%s over UDP, and nothing is lost', async (_name, options) => {
    const outcome = await run(rig(), 1500, { udp: true, seconds: 1, bitrate: RATE, ...options });
    for (const s of outcome.streams) {
      // 1,000,000 octets in datagrams of 1,460: 685.
      expect(s.received.packets).toBeGreaterThan(650);
      expect([s.received.errors, s.received.bytes]).toEqual([0, s.received.packets * 1460]);
    }
  });

  test('ends after exactly so many octets (-n), whatever the streams', async () => {
    const sent = await run(rig(), 500, { octets: 3_000_000, streams: 2 });
    expect(sent.streams.map((s) => s.received.bytes)).toEqual([1_500_000, 1_500_000]);
    expect(sent.seconds).toBeLessThan(0.5);
  });

  test('does not count omitted seconds (-O), and tells of each second', async () => {
    const rows: Interval[] = [];
    const outcome = await run(rig(), 3500, {
      seconds: 2,
      omitSeconds: 1,
      bitrate: RATE,
      intervalSeconds: 1,
      onInterval: (row) => rows.push(row),
    });
    expect(outcome.streams[0]?.received.bytes).toBeLessThan(2_100_000);
    expect(rows.map((row) => row.omitted)).toEqual([true, false, false]);
    const spans = rows.map((row) => [Math.round(row.startSeconds), Math.round(row.endSeconds)]);
    expect(spans).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
    ]);
    for (const row of rows) expect(row.streams[0]?.octets).toBeGreaterThan(900_000);
  });

  test('keeps no timer and no connection when it is over', async () => {
    const loop = rig();
    await run(loop, 1500, { seconds: 1, bitrate: RATE, bidirectional: true });
    loop.run(1000);
    expect(loop.waiting).toBe(0);
    const open = loop.stack
      .sockets()
      .filter((s) => s.state !== 'LISTEN' && s.state !== 'TIME-WAIT');
    expect(open).toEqual([]);
  });
});

describe('the words of a server', () => {
  test('that the test runs may come before its answer to the last datagram', async () => {
    const loop = new Loop();
    const nothing = (): void => {};
    const rest = { opened: nothing, ended: nothing, writable: nothing, written: nothing };
    let heard = 0;
    // PARAM_EXCHANGE, CREATE_STREAMS, TEST_START and TEST_RUNNING at once.
    const handler = {
      ...{ ...rest, closed: nothing },
      data: (s: TcpSocket): void => {
        if (s.bytesReceived === 37) s.send(Uint8Array.of(9, 10, 1, 2), 0, 4);
      },
    };
    loop.stack.listen({ port: 5201, handler: { accept: () => handler } });
    const udp = loop.stack.udp({
      port: 5201,
      handler: {
        datagram: (s, _u8, _off, len, from) => {
          if (len > 4) heard++;
          if (len > 4) return;
          const [to, port] = [from.remote(), from.port];
          loop.after(50_000, () => s.send(Uint8Array.of(1, 2, 3, 4), 0, 4, to, port));
        },
        error: nothing,
        writable: nothing,
      },
    });
    expect(udp.port).toBe(5201);
    const base = { stack: loop.stack, timers: loop, random: new SeededRandom(3), udp: true };
    const outcome = runIperf3({ ...base, address: '127.0.0.1', port: 5201, bitrate: RATE });
    outcome.catch(nothing);
    loop.run(1000);
    expect(heard).toBeGreaterThan(500);
  });
});

describe('a server that does not do as it should', () => {
  /** Answers the cookie with `octets` and then, if asked to, ends. */
  function speaking(octets: readonly number[], ends: boolean): Loop {
    const loop = new Loop();
    const nothing = (): void => {};
    let said = false;
    const handler = {
      ...{ opened: nothing, ended: nothing, writable: nothing, written: nothing, closed: nothing },
      data: (s: TcpSocket): void => {
        if (!said) s.send(Uint8Array.from(octets), 0, octets.length);
        if (ends && !said) s.shutdown();
        said = true;
      },
    };
    loop.stack.listen({ port: 5201, handler: { accept: () => handler } });
    return loop;
  }
  const table = [
    ['is busy', [255], 'the server is busy with another test'],
    ['says what nobody says', [77], 'the server said 77, which no iperf3 does'],
    [
      'refuses',
      [254, 0, 0, 0, 6, 0, 0, 0, 0],
      'the server closed the control connection while waiting for the server: too many parallel streams',
    ],
    [
      'sends nonsense for results',
      [13, 0, 0, 0, 2, ...toAscii('{x')],
      'the server closed the control connection while waiting for the server',
    ],
    [
      'claims results of 1 GB',
      [13, 64, 0, 0, 0],
      'the server closed the control connection while waiting for the server',
    ],
  ] as const;
  test.each(table)('%s: the test fails with a sentence', async (_name, octets, sentence) => {
    const loop = speaking(octets, false);
    await expect(run(loop, 100, { seconds: 1 })).rejects.toThrow(sentence);
    expect(loop.waiting).toBe(0);
  });

  test('says nothing for 30 s: the test fails', async () => {
    await expect(run(speaking([], false), 31_000, { seconds: 1 })).rejects.toThrow(
      'the server was silent for too long while waiting for the server',
    );
  });

  test('goes away in the middle', async () => {
    await expect(run(speaking([9], true), 100, { seconds: 1 })).rejects.toThrow(
      'the server closed the control connection while waiting for the server',
    );
  });

  test('is not there', async () => {
    await expect(run(new Loop(), 100, { seconds: 1 })).rejects.toThrow(
      'the server is gone (-111) while connecting',
    );
  });
});
