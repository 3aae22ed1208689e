import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as address from '../../src/wire/address.ts';

describe('text that names an address (RFC 4291 §2.2, RFC 6943 §3.1.1)', () => {
  const rows: [string, string, 4 | 6][] = [
    ['0.0.0.0', '0.0.0.0', 4],
    ['255.255.255.255', '255.255.255.255', 4],
    ['10.77.0.2', '10.77.0.2', 4],
    ['::', '::', 6],
    ['::1', '::1', 6],
    ['1::', '1::', 6],
    ['2001:DB8::A', '2001:db8::a', 6],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 6],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 6],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1', 6],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', 6],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8', 6],
    ['::ffff:1.2.3.4', '1.2.3.4', 4],
    ['::ffff:102:304', '1.2.3.4', 4],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', 6],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a', 6],
    ['fe80::1%eth0', 'fe80::1%eth0', 6],
  ];
  test.each(rows)('%s is %s', (text, out, family) => {
    const parsed = address.parse(text);
    expect(parsed?.toString()).toBe(out);
    expect(parsed?.family).toBe(family);
  });
});

describe('text that names none', () => {
  // prettier-ignore
  test.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.04',
    '0x7f.0.0.1',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '1e1.2.3.4',
    '2130706433',
    '1.2.3.4%eth0',
    '1.2.3.4/24',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'g::',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    'fe80::1%',
    'fe80::1%a b',
    '::%',
    '[::1]',
    '1:',
    ':1',
    '::ffff:256.0.0.1',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('%j', (text) => {
    expect(address.parse(text)).toBeNull();
  });
});

test('parse agrees with Node about what is an address', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    'ff',
    'fffff',
    '255',
    '256',
    '01',
    ':',
    '::',
    '.',
    '%',
    'a',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      // Node takes any zone, also of an unscoped address; so do we, and neither an empty one.
      expect(address.parse(text) !== null, text).toBe(isIP(text) !== 0);
    }),
    { numRuns: 5000, seed: 3 },
  );
});

test('format and parse are inverse to one another (RFC 5952)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 4, maxLength: 4 }),
      fc.nat(15),
      (words, zeros) => {
        const [a, b, c, d] = words.map((w, i) => ((zeros >> i) & 1 ? 0 : w | 0)) as [
          number,
          number,
          number,
          number,
        ];
        const text = address.format(a, b, c, d);
        expect(isIP(text)).not.toBe(0);
        const parsed = address.parse(text);
        expect([parsed?.a, parsed?.b, parsed?.c, parsed?.d]).toEqual([a, b, c, d]);
      },
    ),
    { numRuns: 2000, seed: 3 },
  );
});

describe('prefixes', () => {
  const rows: [string, string, number][] = [
    ['0.0.0.0/0', '0.0.0.0', 0],
    ['10.77.0.2/24', '10.77.0.2', 24],
    ['1.2.3.4/32', '1.2.3.4', 32],
    ['2001:db8::/32', '2001:db8::', 32],
    ['::/0', '::', 0],
    ['::1/128', '::1', 128],
    ['::ffff:10.0.0.0/104', '10.0.0.0', 8],
  ];
  test.each(rows)('%s', (text, out, length) => {
    const p = address.parsePrefix(text);
    expect(p?.address.toString()).toBe(out);
    expect(p?.length).toBe(length);
  });
  test.each([
    '',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '::/129',
    '/8',
    '1.2.3.4/-1',
    '1.2.3.4/1/2',
    '::ffff:1.2.3.4/95',
    'x/8',
  ])('%j is none', (text) => {
    expect(address.parsePrefix(text)).toBeNull();
  });
});

test('the words of a netmask', () => {
  const mask = (n: number): string =>
    [0, 1, 2, 3].map((i) => (address.maskWord(n, i) >>> 0).toString(16)).join(' ');
  expect(mask(0)).toBe('0 0 0 0');
  expect(mask(1)).toBe('80000000 0 0 0');
  expect(mask(32)).toBe('ffffffff 0 0 0');
  expect(mask(96)).toBe('ffffffff ffffffff ffffffff 0');
  expect(mask(120)).toBe('ffffffff ffffffff ffffffff ffffff00');
  expect(mask(128)).toBe('ffffffff ffffffff ffffffff ffffffff');
});

describe('predicates (RFC 1122 §3.2.1.3, RFC 4291 §2.4)', () => {
  const kinds = {
    isUnspecified: address.isUnspecified,
    isLoopback: address.isLoopback,
    isMulticast: address.isMulticast,
    isLimitedBroadcast: address.isLimitedBroadcast,
    isLinkLocal: address.isLinkLocal,
    isMartianSource: address.isMartianSource,
  };
  const rows: [string, string][] = [
    ['0.0.0.0', 'isUnspecified isMartianSource'],
    ['0.0.0.1', 'isMartianSource'],
    ['10.0.0.1', ''],
    ['127.0.0.1', 'isLoopback isMartianSource'],
    ['127.255.255.255', 'isLoopback isMartianSource'],
    ['128.0.0.0', ''],
    ['169.254.1.1', 'isLinkLocal'],
    ['223.255.255.255', ''],
    ['224.0.0.0', 'isMulticast isMartianSource'],
    ['239.255.255.255', 'isMulticast isMartianSource'],
    ['240.0.0.0', 'isMartianSource'],
    ['255.255.255.255', 'isLimitedBroadcast isMartianSource'],
    ['::', 'isUnspecified isMartianSource'],
    ['::1', 'isLoopback isMartianSource'],
    ['::2', ''],
    ['fe80::1', 'isLinkLocal'],
    ['febf::1', 'isLinkLocal'],
    ['fec0::1', ''],
    ['ff02::1', 'isMulticast isMartianSource'],
    ['2001:db8::1', ''],
  ];
  test.each(rows)('%s: %s', (text, names) => {
    const p = address.parse(text) as address.Address;
    const held = Object.entries(kinds).filter(([, test]) => test(p.a, p.b, p.c, p.d));
    expect(held.map(([name]) => name).join(' ')).toBe(names);
  });
});
