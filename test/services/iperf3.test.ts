// The iperf3 server against scripted clients over the stack's own loopback: what the real client
// never says. The real one is in test/system/iperf3.test.ts.

import { describe, expect, test } from 'vitest';
import { fromAscii, toAscii } from '../../src/services/ascii.ts';
import { startIperf3 } from '../../src/services/iperf3.ts';
import { type Client, Loop } from './loop.ts';

const COOKIE = [...toAscii('abcdefghijklmnopqrstuvwxyz234567abcd'), 0];
const OTHER = [...toAscii('zzzzzzzzijklmnopqrstuvwxyz234567abcd'), 0];

function text(value: unknown): number[] {
  const octets = toAscii(typeof value === 'string' ? value : JSON.stringify(value));
  return [0, 0, octets.length >> 8, octets.length & 255, ...octets];
}

function rig(): Loop {
  const loop = new Loop();
  startIperf3(loop.stack, { timers: loop, ownPorts: new Set([7, 5201]) });
  return loop;
}

/** A client that has come as far as CREATE_STREAMS. */
function prepared(loop: Loop, params: Record<string, unknown>): Client {
  const control = loop.connect(5201);
  control.say(COOKIE);
  expect(control.hear()).toEqual([9]);
  control.say(text(params));
  return control;
}

describe('the iperf3 server', () => {
  test('walks through a TCP test, octet by octet', () => {
    const loop = rig();
    const control = loop.connect(5201);
    for (const octet of COOKIE) control.say([octet]);
    expect(control.hear()).toEqual([9]); // PARAM_EXCHANGE
    for (const octet of text({ tcp: true, time: 1, parallel: 2 })) control.say([octet]);
    expect(control.hear()).toEqual([10]); // CREATE_STREAMS
    const first = loop.connect(5201);
    first.say(COOKIE);
    expect(control.hear()).toEqual([]);
    const second = loop.connect(5201);
    second.say(COOKIE);
    expect(control.hear()).toEqual([1, 2]); // TEST_START, TEST_RUNNING
    first.say(new Uint8Array(1000));
    second.say(new Uint8Array(234));
    loop.run(1000);
    control.say([4]); // TEST_END
    expect(control.hear()).toEqual([13]); // EXCHANGE_RESULTS
    control.say(text({ streams: [] }));
    const answer = control.hear();
    expect(answer.at(-1)).toBe(14); // DISPLAY_RESULTS
    const results = JSON.parse(fromAscii(Uint8Array.from(answer), 4, answer.length - 1)) as {
      streams: { id: number; bytes: number }[];
    };
    expect(results.streams.map((s) => [s.id, s.bytes])).toEqual([
      [1, 1000],
      [3, 234],
    ]);
    control.say([16]); // IPERF_DONE
    expect(control.hasEnded).toBe(true);
    // and the server is free again
    prepared(loop, { tcp: true });
  });

  test('tells a second client that it is busy', () => {
    const loop = rig();
    prepared(loop, { tcp: true });
    const second = loop.connect(5201);
    second.say(OTHER);
    expect(second.hear()).toEqual([255]); // ACCESS_DENIED, -1
    expect(second.hasEnded).toBe(true);
  });

  const refused = [
    ['no JSON', text('{nonsense'), 114],
    ['SCTP', text({ sctp: true }), 18],
    ['200 streams', text({ tcp: true, parallel: 200 }), 6],
    ['parameters of 1 GB', [0x40, 0, 0, 0], 114],
  ] as const;
  test.each(refused)('refuses %s with SERVER_ERROR and is free again', (_name, octets, trouble) => {
    const loop = rig();
    const control = loop.connect(5201);
    control.say(COOKIE);
    control.hear();
    control.say(octets);
    expect(control.hear()).toEqual([254, 0, 0, 0, trouble, 0, 0, 0, 0]);
    control.socket.close();
    loop.run(10);
    prepared(loop, { tcp: true });
  });

  test('gives up a client that says nothing, and keeps no timer', () => {
    const loop = rig();
    const silent = loop.connect(5201);
    loop.run(10_100);
    expect(silent.code).toBe(-104); // ECONNRESET: no cookie within 10 s
    const control = prepared(loop, { tcp: true });
    loop.run(30_100);
    expect(control.code).toBe(-104);
    expect(loop.waiting).toBe(0);
    prepared(loop, { tcp: true });
  });

  test('opens UDP only for a UDP test, and keeps streams apart by their peers', () => {
    const loop = rig();
    const early = loop.udp(30_000);
    early.say([0x39, 0x38, 0x37, 0x36], 5201);
    expect(early.errors).toEqual([-111]); // ECONNREFUSED: nobody listens
    const control = prepared(loop, { udp: true, parallel: 2, time: 1, udp_counters_64bit: 1 });
    control.hear();
    const streams = [loop.udp(30_001), loop.udp(30_002)];
    for (const stream of streams) {
      stream.say([0x39, 0x38, 0x37, 0x36], 5201);
      expect(stream.heard).toEqual([[0x36, 0x37, 0x38, 0x39]]);
    }
    expect(control.hear()).toEqual([1, 2]);
    const datagram = (n: number): number[] => [...new Array<number>(15).fill(0), n, 7, 7];
    // 1, 3, 2 on the first (nothing lost in the end), 1 and 4 on the second (two lost)
    for (const n of [1, 3, 2]) streams[0]?.say(datagram(n), 5201);
    for (const n of [1, 4]) streams[1]?.say(datagram(n), 5201);
    control.say([4]);
    control.hear();
    control.say(text({}));
    const answer = control.hear();
    const { streams: got } = JSON.parse(
      fromAscii(Uint8Array.from(answer), 4, answer.length - 1),
    ) as { streams: { bytes: number; packets: number; errors: number }[] };
    expect(got.map((s) => [s.bytes, s.packets, s.errors])).toEqual([
      [54, 3, 0],
      [36, 4, 2],
    ]);
  });

  test('ends its streams with TEST_END: a client may wait for the rest of a block', () => {
    const loop = rig();
    const control = prepared(loop, { tcp: true, time: 1, reverse: true, bandwidth: 8_000_000 });
    control.hear();
    const stream = loop.connect(5201);
    stream.say(COOKIE);
    loop.run(1000);
    // 8 Mbit/s for a second are 1 MB, paced
    expect(stream.octets).toBeGreaterThan(900_000);
    expect(stream.octets).toBeLessThan(1_100_000);
    expect(stream.hasEnded).toBe(false);
    control.hear();
    control.say([4]);
    loop.run(100);
    expect(control.hear()).toEqual([13]);
    expect(stream.hasEnded).toBe(true);
  });

  test('CLIENT_TERMINATE ends the test at once', () => {
    const loop = rig();
    const control = prepared(loop, { tcp: true, time: 10, reverse: true });
    const stream = loop.connect(5201);
    stream.say(COOKIE);
    loop.run(20);
    expect(stream.octets).toBeGreaterThan(100_000); // the server sends
    control.say([12]);
    control.socket.close();
    loop.run(50);
    expect(stream.code).toBe(-104);
    prepared(loop, { tcp: true });
  });
});
