// Sixty days of a virtual clock (reliability.md T12): timestamps pass their wrap at 49.7 days, keep-
// alives and the epochs of cookies come and go, and what a day has used is given back. And restarts
// (T11): numbers of the life before do not come again.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { SimHost } from '../../src/sim/host.ts';
import { leftovers } from '../../src/sim/leftovers.ts';
import { fill, firstWrong } from '../../src/sim/stream.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';

const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;
const OCTETS = 50_000;

/** Reads and judges a stream; writes one when asked to. */
class Talker implements TcpHandler {
  readonly key: number;
  got = 0;
  wrong = -1;
  code: number | null = null;
  socket: TcpSocket | null = null;
  #sent = 0;
  #keepAlive: boolean;

  constructor(key: number, keepAlive = false) {
    this.key = key;
    this.#keepAlive = keepAlive;
  }
  opened(s: TcpSocket): void {
    this.socket = s;
    if (this.#keepAlive) s.setKeepAlive(true, 7_200_000, 75_000);
  }
  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (this.wrong < 0) this.wrong = firstWrong(this.key, this.got, u8, off, len);
    this.got += len;
  }
  ended(s: TcpSocket): void {
    s.close();
  }
  writable(): void {}
  written(): void {}
  closed(_s: TcpSocket, code: number): void {
    this.code = code;
  }
  say(octets: number): void {
    const u8 = new Uint8Array(octets);
    fill(this.key, this.#sent, u8, 0, octets);
    this.#sent += octets;
    this.socket?.write(u8, 0, octets);
  }
}

describe('sixty days (T12)', () => {
  test('a connection kept alive lives through the wrap of timestamps, and each day gives back what it took (RFC 7323 §5.4, RFC 9293 MUST-24)', () => {
    const world = new World({ seed: 12 });
    // no connection without a cookie, now and then: epochs of 64 s come and go
    const config = { tcp: { testTsOffset: 0, synBacklog: 1 } };
    const a = world.host('a', { addresses: ['10.0.0.1/24'], config });
    const b = world.host('b', { addresses: ['10.0.0.2/24'], config });
    world.link(a, b, { loss: 0.01, delayUs: 20_000 });
    const children: Talker[] = [];
    const long = new Talker(1, true);
    const server = b.stack.listen({
      port: 80,
      handler: {
        accept: (_, s) => {
          const child = new Talker(children.length + 1, children.length === 0);
          child.opened(s);
          children.push(child);
          return child;
        },
      },
    });
    const connect = (handler: Talker): TcpSocket =>
      a.stack.connect({ address: '10.0.0.2', port: 80, handler });
    connect(long);
    const until = (us: number): void => void world.run({ untilUs: us });
    const start = world.clock.nowUs();
    until(start + 60_000_000);
    const before = world.steps;
    for (let day = 0; day < 60; day++) {
      const dawn = start + 60_000_000 + day * DAY_US;
      // the long one speaks every day, also in the hours in which its timestamps wrap
      long.say(OCTETS);
      const shorts = Array.from({ length: 5 }, (_, i) => new Talker(children.length + 1 + i));
      for (const [i, short] of shorts.entries()) {
        world.clock.at(dawn + i * HOUR_US, () => {
          connect(short);
        });
        world.clock.at(dawn + i * HOUR_US + 30_000_000, () => {
          short.say(OCTETS);
          short.socket?.shutdown();
        });
        world.clock.at(dawn + i * HOUR_US + 600_000_000, () => children.at(-1)?.socket?.close());
      }
      until(dawn + DAY_US);
      expect([children[0]?.got, children[0]?.wrong], `day ${day}`).toEqual([
        OCTETS * (day + 1),
        -1,
      ]);
      expect(
        shorts.map((short) => short.code),
        `day ${day}`,
      ).toEqual([0, 0, 0, 0, 0]);
      // the one connection and its keep-alive are all that is left at night
      for (const host of [a, b]) {
        expect([host.stack.tcp.live, host.stack.tcp.timeWait.size], `day ${day}`).toEqual([1, 0]);
        expect(host.stack.tcp.deadlines.armed, `day ${day}`).toBeLessThanOrEqual(1);
      }
    }
    expect(children).toHaveLength(301);
    for (const child of children.slice(1)) expect([child.got, child.wrong]).toEqual([OCTETS, -1]);
    // two hours between keep-alives and 5 short connections a day do not keep a host awake
    expect(world.steps - before).toBeLessThan(60 * 5000);
    expect(a.stack.counters.get('TcpExtTCPKeepAlive')).toBeGreaterThan(300);
    server.close();
    long.socket?.shutdown();
    world.run();
    expect([long.code, children[0]?.code]).toEqual([0, 0]);
    for (const host of [a, b]) expect(leftovers(host)).toEqual([]);
  });

  test('timestamps wrap in the middle of a transfer and nothing is taken for old (RFC 7323 §5.4)', () => {
    const world = new World({ seed: 13 });
    const config = { tcp: { testTsOffset: 0xffff_ffff - 2_000_000 } };
    const a = world.host('a', { addresses: ['10.0.0.1/24'], config });
    const b = world.host('b', { addresses: ['10.0.0.2/24'], config });
    world.link(a, b, { rate: 100_000, delayUs: 10_000, queue: 50_000 });
    const reader = new Talker(1);
    const writer = new Talker(1);
    b.stack.listen({ port: 80, handler: { accept: () => reader } });
    a.stack.connect({ address: '10.0.0.2', port: 80, handler: writer });
    world.run({ untilUs: world.clock.nowUs() + 990_000_000 });
    writer.say(5_000_000);
    world.run({ untilUs: world.clock.nowUs() + 60_000_000, done: () => reader.got === 5_000_000 });
    expect([reader.got, reader.wrong]).toEqual([5_000_000, -1]);
    const old = [a, b].map((host) => host.stack.counters.get('TcpExtPAWSEstab'));
    expect(old).toEqual([0, 0]);
  });
});

describe('a life after death (T11)', () => {
  /** Ports and ISNs of the first connections of a life. */
  function begin(host: SimHost, world: World, sent: Uint8Array[]): string[] {
    sent.length = 0;
    for (let i = 0; i < 20; i++) {
      host.stack.connect({ address: '10.0.0.2', port: 80, handler: new Talker(1) });
    }
    world.run({ untilUs: world.clock.nowUs() });
    return sent
      .filter((o) => ((o[33] as number) & 0x12) === 2)
      .map((o) => o.subarray(20, 28).join());
  }

  test('ports, ISNs and timestamps of the life before do not come again (RFC 9293 §3.4.3, RFC 6528 §3, RFC 6056 §3.3.3)', () => {
    const world = new World({ seed: 14 });
    const a = world.host('a', { addresses: ['10.0.0.1/24'] });
    const b = world.host('b', { addresses: ['10.0.0.2/24'] });
    world.link(a, b, { delayUs: 1_000_000 });
    const sent: Uint8Array[] = [];
    world.watch = {
      sent: (host, octets) => {
        if (host === 'a') sent.push(octets.slice());
      },
      received() {},
      forged() {},
      refused() {},
    };
    const lives: string[][] = [];
    for (let life = 0; life < 50; life++) {
      lives.push(begin(a, world, sent));
      a.restart({ random: new SeededRandom(1000 + life) });
    }
    expect(lives.every((life) => life.length === 20)).toBe(true);
    // of 1,000 pairs of port and ISN none is seen twice
    expect(new Set(lives.flat()).size).toBe(1000);
    // and no life begins with the ports of another
    const ports = lives.map((life) => life.map((x) => x.split(',').slice(0, 2).join()).join(' '));
    expect(new Set(ports).size).toBe(50);
  });
});
