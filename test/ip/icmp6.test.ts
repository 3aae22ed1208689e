import { describe, expect, test } from 'vitest';
import { acceptPmtu } from '../../src/ip/icmp.ts';
import { Path, selectPath } from '../../src/ip/output.ts';
import { parse } from '../../src/wire/address.ts';
import { type Bench, concat, expectSame, pattern } from './fixture.ts';
import { bench6, cut6, icmp6Message, ip6, OWN, octets6, PEER, sum6, udp6 } from './fixture6.ts';

const echo = (n: number, p = {}): Uint8Array =>
  ip6({ ...p, next: 58, payload: icmp6Message(p, 128, 0, [0x12, 0x34, 0, 7], pattern(n)) });

function pathTo(b: Bench, text: string): Path {
  const path = new Path();
  const { a, b: w, c, d } = parse(text) as NonNullable<ReturnType<typeof parse>>;
  path.dst0 = a;
  path.dst1 = w;
  path.dst2 = c;
  path.dst3 = d;
  expect(selectPath(b.ip, path)).toBe(0);
  return path;
}

describe('ICMPv6 echo (RFC 4443 §4.2)', () => {
  test.each([0, 1, 56, 1023, 1025, 1452])('%i octets come back as they were', (n) => {
    const b = bench6();
    b.feed(echo(n, { tc: 0x20 }));
    const [reply] = b.sent() as [Uint8Array];
    expect([...reply.slice(8, 40)]).toEqual([...octets6(OWN), ...octets6(PEER)]);
    expect([reply[40], reply[41]]).toEqual([129, 0]);
    expect(sum6(OWN, PEER, 58, reply.slice(40))).toBe(0);
    expectSame(reply.slice(44), echo(n).slice(44));
    expect(b.counters.get('Icmp6OutEchoReplies')).toBe(1);
  });

  test('65,487 octets come in fragments and go in fragments that fit', () => {
    const b = bench6();
    const message = icmp6Message({}, 128, 0, [0, 1, 0, 2], pattern(65_487));
    for (const part of cut6({ next: 58 }, message, 1448)) b.feed(part);
    const parts = b.sent();
    expect(parts.length).toBe(46);
    const ids = new Set<string>();
    for (const part of parts) {
      expect(part.length).toBeLessThanOrEqual(1500);
      expect([part[6], part[40]]).toEqual([44, 58]);
      ids.add(part.slice(44, 48).join());
    }
    expect(ids.size).toBe(1);
    const data = concat(parts.map((p) => p.slice(48)));
    expect(sum6(OWN, PEER, 58, data)).toBe(0);
    expectSame(data.slice(8), pattern(65_487));
  });

  test.each([
    ['a bad checksum', (m: Uint8Array) => m.fill(9, 42, 43), 'ICMP_CSUM'],
    ['to every node', () => echo(8, { dst: 'ff02::1' }), 'POLICY'],
    ['from the unspecified address', () => echo(8, { src: '::' }), 'IP_INVALID_SOURCE'],
    ['a neighbour solicitation', () => info(135), 'UNHANDLED_PROTO'],
    ['an unknown message that informs (§2.4 (b))', () => info(200), 'UNHANDLED_PROTO'],
    ['seven octets', () => ip6({ next: 58, payload: [128, 0, 0, 0, 0, 0, 0] }), 'PKT_TOO_SMALL'],
  ])('%s: silence', (_name, make, reason) => {
    const b = bench6();
    b.feed(make(echo(8)));
    expect(b.sent()).toEqual([]);
    expect(b.reasons()).toEqual([reason]);
  });
});

const info = (type: number): Uint8Array =>
  ip6({ next: 58, payload: icmp6Message({}, type, 0, [0, 0, 0, 0], pattern(16)) });

describe('errors that we send (RFC 4443 §2.4, §3.1)', () => {
  test('a datagram to a closed port: code 4, quoted up to 1280 octets in all', () => {
    const b = bench6();
    const packet = ip6({ payload: udp6({}, [4000, 99], pattern(1400)) });
    b.feed(packet);
    const [answer] = b.sent() as [Uint8Array];
    expect(answer.length).toBe(1280);
    expect([answer[40], answer[41]]).toEqual([1, 4]);
    expect(sum6(OWN, PEER, 58, answer.slice(40))).toBe(0);
    expectSame(answer.slice(48), packet.slice(0, 1232));
    expect(b.counters.get('Icmp6OutDestUnreachs')).toBe(1);
  });

  const quiet: [string, Uint8Array][] = [
    ['an error', ip6({ next: 60, payload: ext58(1) })],
    ['a redirect', ip6({ next: 60, payload: ext58(137) })],
    ['a packet to a group', ip6({ dst: 'ff02::1', next: 200, payload: [1] })],
    ['a packet from ::', ip6({ src: '::', next: 200, payload: [1] })],
  ];
  function ext58(type: number): number[] {
    // An option that would be told of stands in front of the message.
    return [58, 0, 0x9e, 0, 1, 2, 0, 0, type, 0, 0, 0, 0, 0, 0, 0];
  }
  test.each(quiet.slice(2))('none about %s (§2.4 (e))', (_name, packet) => {
    const b = bench6();
    b.feed(packet);
    expect(b.sent()).toEqual([]);
    expect(b.reasons().length).toBe(1);
  });

  test('their rate is limited for each /64', () => {
    const b = bench6();
    for (let i = 0; i < 1000; i++) {
      const src = `2001:db8::1:${(i + 1).toString(16)}`;
      b.feed(ip6({ src, payload: udp6({ src }, [4000, 99], pattern(4)) }));
    }
    const sent = b.sent().length;
    expect(sent).toBeGreaterThan(150);
    expect(sent).toBeLessThanOrEqual(200);
    expect(b.counters.get('Icmp6OutRateLimitHost')).toBe(1000 - sent);
  });
});

describe('errors that arrive', () => {
  const sentByUs = ip6({
    src: OWN,
    dst: PEER,
    payload: udp6({ src: OWN, dst: PEER }, [7, 9], pattern(1400)),
  });
  const about = (type: number, code: number, mtu: number, quote = sentByUs): Uint8Array => {
    const rest = [0, 0, mtu >>> 8, mtu & 255];
    const src = '2001:db8::1';
    return ip6({
      src,
      next: 58,
      payload: icmp6Message({ src }, type, code, rest, quote.slice(0, 1000)),
    });
  };

  test.each([
    [1300, 1300],
    [1280, 1280],
    [1279, 1500],
    [576, 1500],
    [1448, 1500],
  ])('Packet Too Big with %i makes the path %i (RFC 8201 §4)', (reported, mtu) => {
    const b = bench6();
    b.feed(about(2, 0, reported));
    acceptPmtu(b.ip, b.ip.icmpError);
    expect(pathTo(b, PEER).mtu).toBe(mtu);
  });

  test.each([
    [1, 0, -101, false],
    [1, 1, -13, true],
    [1, 3, -113, false],
    [1, 4, -111, true],
    [3, 0, -113, false],
    [4, 1, -71, false],
  ])('type %i code %i is errno %i, fatal: %s', (type, code, errno, hard) => {
    const b = bench6();
    b.feed(about(type, code, 0));
    const e = b.ip.icmpError;
    expect([e.errno, e.hard, e.protocol, e.srcPort, e.dstPort]).toEqual([errno, hard, 17, 7, 9]);
  });

  test.each([
    ['a quote that is too short', sentByUs.slice(0, 47)],
    ['a quote of somebody else', ip6({ src: PEER, payload: udp6({}, [7, 9], pattern(4)) })],
    ['a quote of IPv4', Uint8Array.from([0x45, ...new Array<number>(60).fill(0)])],
  ])('%s is dropped', (_name, quote) => {
    const b = bench6();
    b.feed(about(1, 4, 0, quote));
    expect(b.counters.get('Icmp6InErrors')).toBe(1);
    expect(b.reasons().length).toBe(1);
  });
});
