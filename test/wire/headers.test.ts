// wire/ipv4.ts, ipv6.ts, udp.ts, icmp4.ts: accessors against octets written out, and bounds.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Drop } from '../../src/base/drop.ts';
import * as icmp4 from '../../src/wire/icmp4.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import * as udp from '../../src/wire/udp.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from((text.replace(/\s/g, '').match(/../g) ?? []).map((x) => Number.parseInt(x, 16)));

// The header of Wikipedia's article "IPv4 header checksum", known to sum to 0xb861.
const IP = hex('00 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7');

test('fields of an IPv4 header (RFC 791 §3.1)', () => {
  expect(ipv4.version(IP, 1)).toBe(4);
  expect(ipv4.headerLen(IP, 1)).toBe(20);
  expect(ipv4.tos(IP, 1)).toBe(0);
  expect(ipv4.totalLen(IP, 1)).toBe(0x73);
  expect(ipv4.id(IP, 1)).toBe(0);
  expect(ipv4.fragmentWord(IP, 1)).toBe(0x4000);
  expect(ipv4.fragmentOffset(IP, 1)).toBe(0);
  expect(ipv4.ttl(IP, 1)).toBe(64);
  expect(ipv4.protocol(IP, 1)).toBe(17);
  expect(ipv4.checksum(IP, 1)).toBe(0xb861);
  expect(ipv4.src(IP, 1)).toBe(0xc0a80001 | 0);
  expect(ipv4.dst(IP, 1)).toBe(0xc0a800c7 | 0);
  expect(ipv4.headerSum(IP, 1, 20)).toBe(0xffff);
  const again = IP.slice();
  again[11] = 0x77;
  ipv4.seal(again, 1, 20);
  expect(again).toEqual(IP);
});

test('a fragment offset counts in octets (RFC 791 §3.1)', () => {
  const bytes = IP.slice();
  bytes[7] = 0x3f;
  bytes[8] = 0xff;
  expect(ipv4.fragmentOffset(bytes, 1)).toBe(65_528);
});

test('fields of an IPv6 header (RFC 8200 §3)', () => {
  const bytes = hex(
    '6ab12345 0010 11 40 20010db8000000000000000000000001 fe8000000000000000000000000000ff',
  );
  expect(ipv6.version(bytes, 0)).toBe(6);
  expect(ipv6.trafficClass(bytes, 0)).toBe(0xab);
  expect(ipv6.flowLabel(bytes, 0)).toBe(0x12345);
  expect(ipv6.payloadLen(bytes, 0)).toBe(16);
  expect(ipv6.nextHeader(bytes, 0)).toBe(17);
  expect(ipv6.hopLimit(bytes, 0)).toBe(64);
  expect([0, 1, 2, 3].map((i) => ipv6.srcWord(bytes, 0, i))).toEqual([0x20010db8, 0, 0, 1]);
  expect([0, 1, 2, 3].map((i) => ipv6.dstWord(bytes, 0, i))).toEqual([0xfe800000 | 0, 0, 0, 0xff]);
  expect(ipv6.check(bytes, 0, 55)).toBe(Drop.PKT_TOO_SMALL); // 16 octets announced, 15 there
  expect(ipv6.check(new Uint8Array([...bytes, ...new Uint8Array(16)]), 0, 56)).toBe(Drop.NONE);
  expect(ipv6.check(bytes, 0, 39)).toBe(Drop.PKT_TOO_SMALL);
});

describe('UDP lengths (RFC 768)', () => {
  const rows: [string, number, number, number][] = [
    ['nothing', 0, 8, Drop.PKT_TOO_SMALL],
    ['seven octets', 7, 7, Drop.PKT_TOO_SMALL],
    ['a header alone', 8, 8, Drop.NONE],
    ['length 7', 20, 7, Drop.PKT_TOO_SMALL],
    ['length 0', 20, 0, Drop.PKT_TOO_SMALL],
    ['length of all', 20, 20, Drop.NONE],
    ['length below what is there', 20, 12, Drop.NONE],
    ['length above what is there', 20, 21, Drop.PKT_TOO_SMALL],
    ['length 65,535', 20, 65_535, Drop.PKT_TOO_SMALL],
  ];
  test.each(rows)('%s', (_name, len, field, want) => {
    const bytes = new Uint8Array(64);
    udp.write(bytes, 3, 0x1234, 0x5678, field);
    expect(udp.srcPort(bytes, 3)).toBe(0x1234);
    expect(udp.dstPort(bytes, 3)).toBe(0x5678);
    expect(udp.length(bytes, 3)).toBe(field);
    expect(udp.check(bytes, 3, len)).toBe(want);
  });
});

test('which ICMP types are queries and may be answered with an error (RFC 1122 §3.2.2)', () => {
  const queries = [];
  for (let t = 0; t < 256; t++) if (icmp4.isQuery(t)) queries.push(t);
  expect(queries).toEqual([0, 8, 13, 14, 15, 16, 17, 18]);
});

test('walking options ends within the header for any octets (reliability 2.1)', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 40, maxLength: 40 }),
      fc.integer({ min: 5, max: 15 }),
      (o, ihl) => {
        const bytes = new Uint8Array(64).fill(0xee);
        bytes.set(o, 20);
        const verdict = ipv4.checkOptions(bytes, 0, ihl * 4);
        // What lies behind the header must not matter.
        bytes.fill(131, ihl * 4);
        expect(ipv4.checkOptions(bytes, 0, ihl * 4)).toBe(verdict);
      },
    ),
    { numRuns: 3000, seed: 5 },
  );
});
