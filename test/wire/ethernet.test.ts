// Ethernet, ARP and the options of neighbour discovery, as octets.

import { describe, expect, it } from 'vitest';
import { Drop } from '../../src/base/drop.ts';
import * as arp from '../../src/wire/arp.ts';
import * as ethernet from '../../src/wire/ethernet.ts';
import * as ndp from '../../src/wire/ndp.ts';

describe('a link-layer address', () => {
  it('is read with colons or dashes and written with colons', () => {
    expect(String(ethernet.parseMac('02:00:5E:10:00:ff'))).toBe('02:00:5e:10:00:ff');
    expect(String(ethernet.parseMac('fe-ff-ff-ff-ff-ff'))).toBe('fe:ff:ff:ff:ff:ff');
  });

  it.each([
    '',
    '02:00:5e:10:00',
    '02:00:5e:10:00:01:02',
    '0:0:5e:10:0:1',
    '02:00:5e:10:00:0g',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '33:33:00:00:00:01',
  ])('%s is none that a host may have', (text) => {
    expect(ethernet.parseMac(text)).toBeNull();
  });

  it('of an IPv4 group keeps 23 bits, of an IPv6 group 32 (RFC 1112 §6.4, RFC 2464 §7)', () => {
    const four = 0xefff8102 | 0;
    expect(ethernet.formatMac(ethernet.group4High(four), four & 0xffff)).toBe('01:00:5e:7f:81:02');
    const six = 0xfffe8001 | 0;
    expect(ethernet.formatMac(ethernet.group6High(six), six & 0xffff)).toBe('33:33:ff:fe:80:01');
  });

  it('is put and read back, and its first octet’s low bit says whether it is a group’s', () => {
    const u8 = new Uint8Array(8);
    ethernet.put(u8, 1, 0xfedcba98 | 0, 0x7654);
    expect([...u8]).toEqual([0, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0]);
    expect([ethernet.high(u8, 1), ethernet.low(u8, 1)]).toEqual([0xfedcba98 | 0, 0x7654]);
    expect([0x01005e00, 0x33330000, -1, 0x02000000, 0xfe000000].map(ethernet.isGroup)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

it('an ARP message is written as RFC 826 lays it out, and passes its own check', () => {
  const u8 = new Uint8Array(28);
  arp.write(u8, 0, {
    op: 2,
    senderHigh: 0x02000000,
    senderLow: 1,
    sender: 0x0a000001,
    targetHigh: 0x02000000,
    targetLow: 2,
    target: 0x0a000002,
  });
  expect([...u8]).toEqual([
    ...[0, 1, 8, 0, 6, 4, 0, 2],
    ...[2, 0, 0, 0, 0, 1, 10, 0, 0, 1],
    ...[2, 0, 0, 0, 0, 2, 10, 0, 0, 2],
  ]);
  expect(arp.check(u8, 0, 28)).toBe(Drop.NONE);
  expect(arp.check(u8, 0, 27)).toBe(Drop.PKT_TOO_SMALL);
});

describe('options of neighbour discovery (RFC 4861 §4.6)', () => {
  const mac = [1, 1, 2, 0, 0, 0, 0, 9];

  it.each<[string, number[], boolean]>([
    ['none', [], true],
    ['one', mac, true],
    ['an unknown one and one', [99, 2, ...new Array<number>(14).fill(0), ...mac], true],
    ['length 0', [1, 0, 2, 0, 0, 0, 0, 9], false],
    ['too long', [1, 2, 2, 0, 0, 0, 0, 9], false],
    ['an octet too many', [...mac, 1], false],
  ])('%s', (_name, octets, isSound) => {
    const reason = ndp.checkOptions(Uint8Array.from(octets), 0, octets.length);
    expect(reason).toBe(isSound ? Drop.NONE : Drop.IPV6_NDISC_BAD_OPTIONS);
  });

  it('every octet string of up to 24 octets is walked to its end or refused', () => {
    for (let seed = 1; seed < 4000; seed++) {
      let x = seed;
      const u8 = Uint8Array.from({ length: seed % 25 }, () => {
        x = (Math.imul(x, 1103515245) + 12345) | 0;
        return (x >>> 16) & 3;
      });
      const isSound = ndp.checkOptions(u8, 0, u8.length) === Drop.NONE;
      if (!isSound) continue;
      const at = ndp.findOption(u8, 0, u8.length, 1);
      expect(at < 0 || (at % 8 === 0 && u8[at] === 1)).toBe(true);
    }
  });
});
