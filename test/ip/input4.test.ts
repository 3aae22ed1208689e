import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Verdict } from '../../src/ip/ip.ts';
import { Bench, ip4, pattern, RxFlag, udpPacket } from './fixture.ts';

const DATA = pattern(16);

describe('lengths and version', () => {
  const good = udpPacket(DATA);
  const rows: [string, Uint8Array, string][] = [
    ['an empty frame', new Uint8Array(0), 'PKT_TOO_SMALL'],
    ['19 octets', good.slice(0, 19), 'PKT_TOO_SMALL'],
    ['version 5', ip4({ version: 5, payload: DATA }), 'IP_INHDR'],
    ['version 6 in an IPv4 slot', ip4({ version: 6, payload: DATA }), 'IP_INHDR'],
    ['IHL 4', ip4({ ihl: 4, payload: DATA }), 'IP_INHDR'],
    ['IHL 0', ip4({ ihl: 0, payload: DATA }), 'IP_INHDR'],
    ['IHL beyond the frame', ip4({ ihl: 15, payload: [] }), 'PKT_TOO_SMALL'],
    ['total length 0', ip4({ totalLength: 0, payload: DATA }), 'IP_INHDR'],
    ['total length below the header', ip4({ totalLength: 19, payload: DATA }), 'IP_INHDR'],
    ['total length beyond the frame', ip4({ totalLength: 37, payload: DATA }), 'PKT_TOO_SMALL'],
    ['total length 65,535', ip4({ totalLength: 65_535, payload: DATA }), 'PKT_TOO_SMALL'],
  ];
  test.each(rows)('%s is dropped (RFC 791 §3.1, RFC 1122 §3.2.1.1)', (_name, bytes, reason) => {
    const b = new Bench();
    expect(b.arrive(bytes)).toBe(Verdict.DONE);
    expect(b.reasons()).toEqual([reason]);
    expect(b.counters.get('IpInHdrErrors')).toBe(1);
  });

  test('every pair of frame and total length around the true one (RFC 791 §3.1)', () => {
    const b = new Bench();
    for (let frame = 0; frame <= 64; frame++) {
      for (const total of [0, 19, 20, 21, frame - 1, frame, frame + 1, 65_535]) {
        if (total < 0) continue;
        const whole = ip4({ totalLength: total, payload: pattern(64) });
        const verdict = b.arrive(whole.slice(0, frame));
        const right = frame >= 20 && total >= 20 && total <= frame;
        expect(verdict, `frame ${frame}, total ${total}`).toBe(
          right ? Verdict.DELIVER : Verdict.DONE,
        );
        if (right) expect(b.ip.rx.l4Len).toBe(total - 20);
      }
    }
  });

  test('octets behind the total length are cut off (RFC 791 §3.1)', () => {
    const b = new Bench();
    const padded = new Uint8Array(60);
    padded.set(ip4({ payload: [1, 2, 3] }));
    expect(b.arrive(padded)).toBe(Verdict.DELIVER);
    expect(b.ip.rx.len).toBe(23);
    expect(b.ip.rx.l4Len).toBe(3);
  });

  test('every prefix of a valid packet is refused (reliability 1.4)', () => {
    const b = new Bench();
    const whole = ip4({ options: [1, 1, 1, 0], payload: pattern(40) });
    for (let n = 0; n < whole.length; n++) {
      expect(b.arrive(whole.slice(0, n)), `${n} octets`).toBe(Verdict.DONE);
    }
    expect(b.arrive(whole)).toBe(Verdict.DELIVER);
  });
});

test('any single flipped bit of the header makes the checksum wrong (RFC 1122 §3.2.1.2)', () => {
  const whole = udpPacket(DATA);
  const b = new Bench();
  for (let bit = 0; bit < 160; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (0x80 >> (bit & 7));
    expect(b.arrive(bytes), `bit ${bit}`).toBe(Verdict.DONE);
  }
  const one = new Bench();
  const bytes = whole.slice();
  bytes[8] = 1;
  one.arrive(bytes);
  expect(one.reasons()).toEqual(['IP_CSUM']);
  expect(one.counters.get('IpExtInCsumErrors')).toBe(1);
});

describe('addresses (RFC 1122 §3.2.1.3, reliability 2.1)', () => {
  const rows: [string, string, string, string | null][] = [
    ['a plain host', '192.0.2.1', '10.0.0.2', null],
    ['a host of our own network', '10.0.0.1', '10.0.0.2', null],
    ['our broadcast 10.0.0.255', '10.0.0.1', '10.0.0.255', null],
    ['our broadcast in its old form 10.0.0.0', '10.0.0.1', '10.0.0.0', null],
    ['the limited broadcast', '10.0.0.1', '255.255.255.255', null],
    ['the all-hosts group', '10.0.0.1', '224.0.0.1', null],
    ['a group nobody joined', '10.0.0.1', '224.0.0.5', 'OTHERHOST'],
    ['somebody else', '10.0.0.1', '10.0.0.3', 'OTHERHOST'],
    ['somebody else far away', '10.0.0.1', '8.8.8.8', 'OTHERHOST'],
    ['destination 0.0.0.0', '10.0.0.1', '0.0.0.0', 'IP_INADDRERRORS'],
    ['destination 127.0.0.1 from a device', '10.0.0.1', '127.0.0.1', 'IP_INADDRERRORS'],
    ['destination 127.9.9.9 from a device', '10.0.0.1', '127.9.9.9', 'IP_INADDRERRORS'],
    ['destination 240.0.0.1', '10.0.0.1', '240.0.0.1', 'OTHERHOST'],
    ['source 0.0.0.0', '0.0.0.0', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source 0.1.2.3', '0.1.2.3', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source 127.0.0.1 from a device', '127.0.0.1', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source a group', '224.0.0.1', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source in class E', '240.0.0.1', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source the limited broadcast', '255.255.255.255', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source our broadcast', '10.0.0.255', '10.0.0.2', 'IP_INVALID_SOURCE'],
    ['source our own address (Land)', '10.0.0.2', '10.0.0.2', 'IP_INVALID_SOURCE'],
  ];
  test.each(rows)('%s', (_name, src, dst, reason) => {
    const b = new Bench();
    const verdict = b.arrive(udpPacket(DATA, [1, 2], { src, dst }));
    expect(verdict).toBe(reason === null ? Verdict.DELIVER : Verdict.DONE);
    expect(b.reasons()).toEqual(reason === null ? [] : [reason]);
    expect(b.counters.get('IpInAddrErrors')).toBe(reason === null ? 0 : 1);
  });

  test('over loopback our own addresses and 127/8 are legal', () => {
    const b = new Bench();
    const own = udpPacket(DATA, [1, 2], { src: '10.0.0.2', dst: '10.0.0.2' });
    const lo = udpPacket(DATA, [1, 2], { src: '127.0.0.1', dst: '127.3.2.1' });
    expect(b.arrive(own, RxFlag.LOOPBACK)).toBe(Verdict.DELIVER);
    expect(b.arrive(lo, RxFlag.LOOPBACK)).toBe(Verdict.DELIVER);
  });

  test('a prefix owned whole takes every address, its first and last included', () => {
    const b = new Bench();
    expect(b.address('10.9.0.0/16', true)).toBe(0);
    for (const dst of ['10.9.0.0', '10.9.0.1', '10.9.77.3', '10.9.255.255']) {
      expect(b.arrive(udpPacket(DATA, [1, 2], { dst })), dst).toBe(Verdict.DELIVER);
      expect(b.ip.rx.dstKind, dst).toBe(0);
    }
    expect(b.arrive(udpPacket(DATA, [1, 2], { dst: '10.10.0.0' }))).toBe(Verdict.DONE);
  });

  test('a packet with TTL 1 to ourselves is accepted (RFC 1122 §3.2.1.7)', () => {
    const b = new Bench();
    expect(b.arrive(udpPacket(DATA, [1, 2], { ttl: 1 }))).toBe(Verdict.DELIVER);
    expect(b.arrive(udpPacket(DATA, [1, 2], { ttl: 0 }))).toBe(Verdict.DELIVER);
  });
});

describe('options (RFC 1122 §3.2.1.8, RFC 7126)', () => {
  const rows: [string, number[], string | null][] = [
    ['no-operations and end', [1, 1, 1, 0], null],
    ['end with rubbish behind it', [0, 131, 3, 4], null],
    ['record route', [7, 7, 4, 0, 0, 0, 0, 0], null],
    ['timestamp', [68, 8, 5, 0, 0, 0, 0, 0], null],
    ['router alert', [148, 4, 0, 0], null],
    ['an unknown option', [222, 4, 9, 9], null],
    ['loose source route', [131, 7, 4, 10, 0, 0, 9, 0], 'IP_OPTIONS'],
    ['strict source route', [137, 7, 4, 10, 0, 0, 9, 0], 'IP_OPTIONS'],
    ['source route behind others', [1, 7, 3, 4, 131, 3, 4, 0], 'IP_OPTIONS'],
    ['a source route without a length', [1, 1, 1, 131], 'IP_OPTIONS'],
    ['length 0', [222, 0, 0, 0], 'IP_OPTIONS'],
    ['length 1', [222, 1, 0, 0], 'IP_OPTIONS'],
    ['a length that leaves the header', [222, 5, 0, 0], 'IP_OPTIONS'],
    ['no room for the length', [1, 1, 1, 222], 'IP_OPTIONS'],
  ];
  test.each(rows)('%s', (_name, options, reason) => {
    const b = new Bench();
    const verdict = b.arrive(ip4({ options, payload: DATA }));
    expect(verdict).toBe(reason === null ? Verdict.DELIVER : Verdict.DONE);
    expect(b.reasons()).toEqual(reason === null ? [] : [reason]);
    if (reason === null) expect(b.ip.rx.l4Len).toBe(16);
  });
});

describe('tiny fragments of TCP (RFC 1858 §3, RFC 3128 §4)', () => {
  const header = (words: number): number[] => {
    const h = new Array<number>(words * 4).fill(0);
    h[12] = words << 4;
    return h;
  };
  const rows: [string, number, number[], string | null][] = [
    ['a first fragment of 8 octets', 0x2000, header(5).slice(0, 8), 'PKT_TOO_SMALL'],
    ['a first fragment of 16 octets', 0x2000, header(5).slice(0, 16), 'PKT_TOO_SMALL'],
    ['a first fragment without all options', 0x2000, header(8).slice(0, 24), 'PKT_TOO_SMALL'],
    ['a fragment at octet 8', 0x2001, header(6), 'POLICY'],
    ['a last fragment at octet 8', 0x0001, header(5), 'POLICY'],
    ['a first fragment with the whole header', 0x2000, header(6), null],
  ];
  test.each(rows)('%s', (_name, frag, payload, reason) => {
    const b = new Bench();
    expect(b.arrive(ip4({ proto: 6, frag, payload }))).toBe(Verdict.DONE);
    expect(b.reasons()).toEqual(reason === null ? [] : [reason]);
    expect(b.ip.reassembly.datagrams).toBe(reason === null ? 1 : 0);
  });
});

test('nonsense in the metadata of the link is dropped', () => {
  const b = new Bench();
  expect(b.arrive(udpPacket(DATA), RxFlag.BAD_META)).toBe(Verdict.DONE);
  expect(b.reasons()).toEqual(['BAD_META']);
});

test('the four ECN codepoints are counted apart (RFC 3168 §5)', () => {
  const b = new Bench();
  for (const tos of [0, 1, 2, 2, 3, 3, 3]) b.arrive(udpPacket(DATA, [1, 2], { tos }));
  const names = ['InNoECTPkts', 'InECT1Pkts', 'InECT0Pkts', 'InCEPkts'] as const;
  expect(names.map((n) => b.counters.get(`IpExt${n}`))).toEqual([1, 1, 2, 3]);
});

test('no octet string makes the walk throw, and all are counted (reliability 2.1)', () => {
  const b = new Bench();
  let n = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, plausible) => {
      const packet = plausible ? ip4({ proto: bytes[0] ?? 1, payload: bytes }) : bytes;
      b.feed(packet);
      n++;
    }),
    { numRuns: 3000, seed: 7 },
  );
  expect(b.counters.get('IpInReceives') + b.counters.get('Ip6InReceives')).toBe(n);
});
