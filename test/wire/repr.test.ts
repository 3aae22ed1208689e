import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { print } from '../../src/wire/print.ts';
import { decode, encode, type PacketRepr } from '../../src/wire/repr.ts';
import { concat, cut, icmpMessage, ip4, pattern, referenceSum, udpPacket } from '../ip/fixture.ts';

const octet = fc.nat(255);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const payload = fc.uint8Array({ maxLength: 64 });
const quad = fc.tuple(octet, octet, octet, octet).map((q) => q.join('.'));
const six = fc.constantFrom('::1', 'fe80::1', '2001:db8::a:b', 'ff02::fb', '::ffff:1.2.3.4');
/** At most 40 octets, whole words so that no padding is added. */
const options = fc
  .array(
    fc.oneof(
      fc.constant({ kind: 1, data: [] as number[] }),
      fc.record({
        kind: fc.integer({ min: 2, max: 255 }),
        data: fc.array(octet, { maxLength: 8 }),
      }),
    ),
    { maxLength: 4 },
  )
  .map((list) => {
    const n = list.reduce((sum, o) => sum + (o.kind === 1 ? 1 : o.data.length + 2), 0);
    return [...list, ...new Array((4 - (n % 4)) % 4).fill({ kind: 1, data: [] })];
  });
const l4 = fc.oneof(
  fc.record({
    kind: fc.constant('tcp' as const),
    srcPort: u16,
    dstPort: u16,
    seq: u32,
    ack: u32,
    flags: octet,
    window: u16,
    urgent: u16,
    options,
    payload,
  }),
  fc.record({
    kind: fc.constant('udp' as const),
    srcPort: u16,
    dstPort: u16,
    summed: fc.boolean(),
    payload,
  }),
  fc.record({ kind: fc.constant('icmp' as const), type: octet, code: octet, rest: u32, payload }),
);
const PROTOCOL = { tcp: 6, udp: 17, icmp: 1 };

test('repr to octets to repr is the identity, and nothing is wrong with it (style)', () => {
  const packet = fc.record({
    l4,
    v4: fc.boolean(),
    tos: octet,
    ttl: octet,
    id: u16,
    df: fc.boolean(),
    src4: quad,
    dst4: quad,
    src6: six,
    dst6: six,
    flowLabel: fc.nat(0xfffff),
    options,
  });
  fc.assert(
    fc.property(packet, (p) => {
      const protocol = PROTOCOL[p.l4.kind];
      const v4 = p.v4 || p.l4.kind === 'icmp';
      const repr: PacketRepr = {
        ip: v4
          ? {
              version: 4,
              tos: p.tos,
              id: p.id,
              df: p.df,
              mf: false,
              offset: 0,
              ttl: p.ttl,
              protocol,
              src: p.src4,
              dst: p.dst4,
              options: p.options,
            }
          : {
              version: 6,
              tos: p.tos,
              flowLabel: p.flowLabel,
              ttl: p.ttl,
              protocol,
              src: p.src6,
              dst: p.dst6,
            },
        l4: p.l4,
      };
      const bytes = encode(repr);
      const back = decode(bytes, 0, bytes.length);
      expect(back.problems).toEqual([]);
      expect(back.packet).toEqual(repr);
    }),
    { numRuns: 1000, seed: 8 },
  );
});

test('what it builds is what the RFC says', () => {
  const repr = decode(udpPacket(pattern(9), [4000, 53]), 0, 37).packet as PacketRepr;
  expect(encode(repr)).toEqual(udpPacket(pattern(9), [4000, 53]));
});

test('no octets make it throw or read outside', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.boolean(),
      octet,
      (octets, plausible, proto) => {
        const bytes = plausible
          ? ip4({ proto: [1, 6, 17, proto][proto & 3] ?? 6, payload: octets })
          : octets;
        const room = new Uint8Array(bytes.length + 64).fill(0xaa);
        room.set(bytes, 32);
        const first = print(room, 32, bytes.length);
        room.fill(0x55, 0, 32);
        room.fill(0x55, 32 + bytes.length);
        expect(print(room, 32, bytes.length)).toBe(first);
      },
    ),
    { numRuns: 3000, seed: 8 },
  );
});

/** A TCP segment with a right checksum. */
function tcp(flags: number, options: number[], data: number): Uint8Array {
  const header = 20 + options.length;
  const seg = concat([
    Uint8Array.from([
      0x9c,
      0x40,
      0,
      80,
      0xff,
      0xff,
      0xff,
      0xf0,
      0,
      0,
      0,
      9,
      (header / 4) << 4,
      flags,
      1,
      0xf6,
      0,
      0,
      0,
      0,
      ...options,
    ]),
    pattern(data),
  ]);
  const pseudo = Uint8Array.from([
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
    0,
    6,
    seg.length >>> 8,
    seg.length & 255,
  ]);
  const sum = referenceSum(concat([pseudo, seg]));
  seg.set([sum >>> 8, sum & 255], 16);
  return ip4({ proto: 6, payload: seg });
}

describe('one line for a packet (tcpdump)', () => {
  const bad = udpPacket(pattern(5));
  bad[30] = 0xff;
  const quote = udpPacket(pattern(5), [4000, 99]);
  const rows: [string, Uint8Array, string][] = [
    ['UDP', udpPacket(pattern(5)), 'IP 10.0.0.1.4000 > 10.0.0.2.7: UDP, length 5'],
    ['a wrong checksum', bad, 'IP 10.0.0.1.4000 > 10.0.0.2.7: UDP, length 5 [UDP_CSUM]'],
    [
      'SYN',
      tcp(2, [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 3, 3, 7], 0),
      'IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 4294967280, win 502, options [mss 1460,sackOK,TS val 1 ecr 4294967295,nop,wscale 7], length 0',
    ],
    [
      'data over the wrap',
      tcp(0x18, [], 100),
      'IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [P.], seq 4294967280:84, ack 9, win 502, length 100',
    ],
    [
      'SACK',
      tcp(0x10, [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2], 0),
      'IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [.], ack 9, win 502, options [nop,nop,sack 1 {1:2}], length 0',
    ],
    ['no flags', tcp(0, [], 0), 'IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [none], win 502, length 0'],
    [
      'echo',
      ip4({ proto: 1, payload: icmpMessage(8, 0, [0x12, 0x34, 0, 7], pattern(56)) }),
      'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 4660, seq 7, length 64',
    ],
    [
      'unreachable',
      ip4({ proto: 1, payload: icmpMessage(3, 3, [0, 0, 0, 0], quote) }),
      'IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 udp port 99 unreachable, length 41',
    ],
    [
      'too big',
      ip4({ proto: 1, payload: icmpMessage(3, 4, [0, 0, 5, 0], quote) }),
      'IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - need to frag (mtu 1280), length 41',
    ],
    [
      'a fragment',
      cut(udpPacket(pattern(100)), 48)[1] as Uint8Array,
      'IP 10.0.0.1 > 10.0.0.2: udp (frag 4660:48@48+)',
    ],
    [
      'the last fragment',
      cut(udpPacket(pattern(100)), 48)[2] as Uint8Array,
      'IP 10.0.0.1 > 10.0.0.2: udp (frag 4660:12@96)',
    ],
    [
      'another protocol',
      ip4({ proto: 132, payload: pattern(40) }),
      'IP 10.0.0.1 > 10.0.0.2: ip-proto-132 40',
    ],
    ['nothing', new Uint8Array(0), 'not an IP packet, length 0 [PKT_TOO_SMALL]'],
    [
      'an option that ends nowhere',
      ip4({ proto: 132, options: [222, 9, 0, 0] }),
      'IP 10.0.0.1 > 10.0.0.2: ip-proto-132 0 [IP_OPTIONS]',
    ],
  ];
  test.each(rows)('%s', (_name, bytes, line) => {
    expect(print(bytes, 0, bytes.length)).toBe(line);
  });
});
