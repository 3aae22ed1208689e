// Echo requests of our own, and ICMP errors with their source for sockets that ask for them.

import { describe, expect, test } from 'vitest';
import { World } from '../../src/sim/world.ts';
import type { EchoReply, IcmpReport, PingSocket } from '../../src/socket/ping-socket.ts';
import { type Address, parse } from '../../src/wire/address.ts';

const B4 = parse('10.0.0.2') as Address;
const B6 = parse('fd00::2') as Address;

function rig(mtu = 1500) {
  const w = new World({ seed: 5 });
  const left = w.host('a', { addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  const right = w.host('b', { addresses: ['10.0.0.2/24', 'fd00::2/64'] });
  w.link(left, right, { delayUs: 1000, mtu });
  const replies: EchoReply[] = [];
  const errors: IcmpReport[] = [];
  const open = (family: 4 | 6): PingSocket =>
    left.stack.ping({
      family,
      handler: { reply: (_s, r) => replies.push(r), error: (_s, r) => errors.push(r) },
    });
  const run = (): void => void w.run({ untilUs: w.clock.nowUs() + 100_000 });
  return { a: left.stack, b: right.stack, replies, errors, open, run };
}

const data = Uint8Array.from({ length: 56 }, (_, i) => i);

describe('a ping socket', () => {
  test.each([
    [4 as const, B4],
    [6 as const, B6],
  ])(
    'over IPv%i it hears the replies to its own requests alone (RFC 792, RFC 4443 §4.2)',
    (family, to) => {
      const { a, replies, open, run } = rig();
      const one = open(family);
      const other = open(family);
      expect(one.id).not.toBe(other.id);
      expect(one.send(to, { seq: 7, data })).toBe(0);
      run();
      expect(replies.map((r) => [r.from.toString(), r.seq, r.ttl, [...r.data]])).toEqual([
        [to.toString(), 7, 64, [...data]],
      ]);
      const out = family === 4 ? 'IcmpOutEchos' : 'Icmp6OutEchos';
      expect(a.counters.get(out)).toBe(1);
      one.close();
      expect(one.send(to, { seq: 8, data })).toBe(-77);
    },
  );

  test('64 KiB go out in fragments, and come back whole', () => {
    const { replies, open, run } = rig();
    const large = new Uint8Array(65_507).fill(0xa5);
    const s = open(4);
    expect(s.send(B4, { seq: 1, data: large })).toBe(0);
    expect(s.send(B4, { seq: 2, data: new Uint8Array(65_508) })).toBe(-90);
    run();
    expect(replies.map((r) => r.data.length)).toEqual([65_507]);
    expect(replies[0]?.data.every((octet) => octet === 0xa5)).toBe(true);
  });

  test('what must not be cut and does not fit is EMSGSIZE (RFC 1191 §3)', () => {
    const { open, run, replies } = rig();
    const s = open(4);
    expect(s.send(B4, { seq: 1, data: new Uint8Array(1472), dontFragment: true })).toBe(0);
    expect(s.send(B4, { seq: 2, data: new Uint8Array(1473), dontFragment: true })).toBe(-90);
    expect(s.pathMtu).toBe(1500);
    run();
    expect(replies).toHaveLength(1);
  });

  test('its own host answers, too', () => {
    const { open, run, replies } = rig();
    open(4).send(parse('127.0.0.1') as Address, { seq: 3, data });
    run();
    expect(replies.map((r) => [r.from.toString(), r.seq])).toEqual([['127.0.0.1', 3]]);
  });

  test('the wrong family, no way, and a source that is not ours are told at once', () => {
    const { open } = rig();
    expect(open(6).send(B4, { seq: 1, data })).toBe(-22);
    const source = parse('10.0.0.9') as Address;
    expect(open(4).send(B4, { seq: 1, data, source })).toBe(-99);
  });

  test('replies that nobody takes are bounded, dropped with a reason and counted', () => {
    const { a, replies, open } = rig();
    const s = open(4);
    const to = parse('127.0.0.1') as Address;
    for (let i = 0; i < 300; i++) s.send(to, { seq: i, data });
    // all of them are on loopback: received in one round, delivered behind it
    a.drain();
    expect(replies.length).toBe(256);
    expect(a.counters.snapshot().drops.SOCKET_RCVBUFF).toBe(44);
    expect(a.memory().datagrams).toBe(0);
  });
});

describe('a UDP socket that asks for reports', () => {
  test('hears of a closed port from whom and about which datagram (RFC 1122 §4.1.3.3)', () => {
    const { a, run } = rig();
    const reports: IcmpReport[] = [];
    const quiet = { datagram: () => {}, error: () => {}, writable: () => {} };
    const handler = { ...quiet, report: (_s: unknown, r: IcmpReport) => reports.push(r) };
    const s = a.udp({ handler });
    s.send(data, 0, 8, B4, 33_434);
    s.send(data, 0, 8, B6, 33_435);
    run();
    expect(
      reports.map((r) => [r.family, r.type, r.code, r.from.toString(), r.port, r.localPort]),
    ).toEqual([
      [4, 3, 3, '10.0.0.2', 33_434, s.port],
      [6, 1, 4, 'fd00::2', 33_435, s.port],
    ]);
  });

  test('without asking an unconnected socket stays in the dark, as on Linux', () => {
    const { a, run } = rig();
    let told = 0;
    const s = a.udp({ handler: { datagram: () => {}, error: () => told++, writable: () => {} } });
    s.send(data, 0, 8, B4, 33_434);
    run();
    expect(told).toBe(0);
  });
});
