import { describe, expect, test } from 'vitest';
import { Verdict } from '../../src/ip/ip.ts';
import { concat, pattern } from './fixture.ts';
import { bench6, type Ip6, ip6, OWN, PEER, part6, sum6, udp6 } from './fixture6.ts';

/** An extension header: next, length in octets, what fills it. */
function ext(next: number, body: number[]): number[] {
  const units = Math.ceil((2 + body.length) / 8);
  const fill = units * 8 - 2 - body.length;
  const pad = fill === 0 ? [] : fill === 1 ? [0] : [1, fill - 2, ...new Array(fill - 2).fill(0)];
  return [next, units - 1, ...body, ...pad];
}

const datagram = (p: Ip6 = {}): number[] => [...udp6(p, [4000, 7], pattern(4))];
const routing = (next: number, type: number, left: number): number[] => [
  next,
  0,
  type,
  left,
  0,
  0,
  0,
  0,
];

describe('extension headers that pass (RFC 8200 §4)', () => {
  const rows: [string, number, number[]][] = [
    ['none', 17, []],
    ['hop-by-hop with padding (§4.3)', 0, ext(17, [])],
    ['hop-by-hop with a router alert (RFC 2711)', 0, ext(17, [5, 2, 0, 0])],
    ['destination options (§4.6)', 60, ext(17, [])],
    [
      'both, and routing with nothing left (§4.4)',
      0,
      [...ext(60, []), ...ext(43, []), ...routing(17, 253, 0)],
    ],
    ['in no order that the RFC recommends (§4.1)', 60, [...routingThenDest()]],
    ['an unknown option that is to be skipped (00)', 60, ext(17, [0x1e, 1, 9])],
    ['an atomic fragment (RFC 6946 §4)', 44, [17, 0, 0, 0, 1, 2, 3, 4]],
    ['seven headers', 60, [60, 60, 60, 60, 60, 60, 17].flatMap((n) => ext(n, []))],
  ];
  function routingThenDest(): number[] {
    return [...ext(43, []), ...routing(60, 0, 0), ...ext(17, [])];
  }
  test.each(rows)('%s', (_name, next, chain) => {
    const b = bench6();
    expect(b.arrive6(ip6({ next, payload: [...chain, ...datagram()] }))).toBe(Verdict.DELIVER);
    const rx = b.ip.rx;
    expect([rx.protocol, rx.l4Len, rx.ipHeaderLen]).toEqual([17, 12, 40 + chain.length]);
    expect([...rx.u8.slice(rx.l4Off, rx.l4Off + 4)]).toEqual([0x0f, 0xa0, 0, 7]);
  });
});

describe('extension headers that do not', () => {
  const deep = new Array(9).fill(60).flatMap((n, i) => ext(i === 8 ? 17 : n, []));
  const long = (next: number): number[] => ext(next, [1, 252, ...new Array(252).fill(0)]);
  type Row = [string, number, number[], [number, number] | null];
  const rows: Row[] = [
    [
      'hop-by-hop that is not the first: unknown (§4.1)',
      60,
      ext(0, []).concat(ext(17, [])),
      [1, 40],
    ],
    ['routing type 0 with segments left (RFC 5095 §3)', 43, routing(17, 0, 1), [0, 42]],
    ['another routing type with segments left (§4.4)', 43, routing(17, 3, 2), [0, 42]],
    ['an unknown option 01: silence (§4.2)', 60, ext(17, [0x5e, 0]), null],
    ['an unknown option 10: told (§4.2)', 60, ext(17, [0x9e, 0]), [2, 42]],
    ['an unknown option 11: told to a unicast packet (§4.2)', 60, ext(17, [0xde, 0]), [2, 42]],
    ['an option longer than its header', 60, [17, 0, 0x1e, 9, 0, 0, 0, 0], null],
    ['an option whose length octet is missing', 60, [17, 0, 1, 3, 0, 0, 0, 0x1e], null],
    ['a header longer than the packet (CVE-2020-17442)', 60, [17, 255, 0, 0, 0, 0, 0, 0], null],
    ['nine headers', 60, deep, null],
    ['more than 512 octets of them', 60, [...long(60), ...long(60), ...long(17)], null],
    ['no next header (§4.7)', 59, [], null],
    [
      'a fragment header within a fragment',
      44,
      [44, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 0, 0, 0, 0, 2],
      null,
    ],
    ['a cut fragment header', 44, [17, 0, 0], null],
  ];
  test.each(rows)('%s', (name, next, chain, problem) => {
    const b = bench6();
    const tail = name.startsWith('a cut') ? [] : datagram();
    const packet = ip6({ next, payload: [...chain, ...tail] });
    b.feed(packet);
    const sent = b.sent();
    expect(b.reasons().length).toBe(1);
    if (problem === null) {
      expect(sent).toEqual([]);
      return;
    }
    const [answer] = sent as [Uint8Array];
    expect([answer[6], answer[40], answer[41]]).toEqual([58, 4, problem[0]]);
    expect([...answer.slice(44, 48)]).toEqual([0, 0, 0, problem[1]]);
    expect(sum6(OWN, PEER, 58, answer.slice(40))).toBe(0);
    expect(answer.slice(48)).toEqual(packet);
  });

  test.each([
    [0x9e, 1],
    [0xde, 0],
  ])('option %i to a group is told %i times (§4.2)', (kind, times) => {
    const b = bench6();
    const p = { dst: 'ff02::1' };
    b.feed(ip6({ ...p, next: 60, payload: [...ext(17, [kind, 0]), ...datagram(p)] }));
    expect(b.sent().length).toBe(times);
  });

  test('an unknown protocol is told with a pointer to its number (RFC 8200 §4)', () => {
    const b = bench6();
    b.feed(ip6({ next: 60, payload: [...ext(200, []), 1, 2, 3] }));
    const [answer] = b.sent() as [Uint8Array];
    expect([answer[40], answer[41], answer[47]]).toEqual([4, 1, 40]);
    expect(b.reasons()).toEqual(['IP_NOPROTO']);
    expect(b.counters.get('Ip6InUnknownProtos')).toBe(1);
  });

  test('a walk takes no more steps than the packet has octets (AMNESIA:33)', () => {
    const b = bench6();
    for (let kind = 0; kind < 256; kind++) {
      for (const len of [0, 1, 2, 5, 6, 255]) {
        b.feed(ip6({ next: 60, payload: [17, 0, kind, len, 0, 0, 0, 0, ...datagram()] }));
      }
    }
    expect(b.counters.get('Ip6InReceives')).toBe(1536);
    b.sent();
  });

  test('TCP in the first fragment without its whole header (RFC 7112 §5)', () => {
    const b = bench6();
    b.feed(part6({ next: 6 }, 0, true, 7, concat([pattern(16)])));
    const [answer] = b.sent() as [Uint8Array];
    expect([answer[40], answer[41]]).toEqual([4, 3]);
    expect(b.ip.reassembly6.datagrams).toBe(0);
  });
});
