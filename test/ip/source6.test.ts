import { describe, expect, test } from 'vitest';
import { source6 } from '../../src/ip/source6.ts';
import { parse, parsePrefix } from '../../src/wire/address.ts';

const words = (text: string): Int32Array => {
  const { a, b, c, d } = parse(text) as NonNullable<ReturnType<typeof parse>>;
  return Int32Array.from([a, b, c, d]);
};

const entry = (text: string, linkId: number, all = false) => {
  const p = parsePrefix(text) as NonNullable<ReturnType<typeof parsePrefix>>;
  return { linkId, address: p.address, length: p.length, all };
};

describe('source address selection (RFC 6724 §5)', () => {
  // destination, our addresses, the choice
  const rows: [string, string, string[], string | null][] = [
    [
      'rule 1: the same address',
      '2001:db8::1',
      ['2001:db8::1/64', '2001:db8::2/64'],
      '2001:db8::1',
    ],
    [
      'rule 2: a global one for a global one',
      '2001:db8:1::1',
      ['fe80::1/64', '2001:db8::1/64'],
      '2001:db8::1',
    ],
    ['rule 2: link-local for link-local', 'fe80::9', ['2001:db8::1/64', 'fe80::1/64'], 'fe80::1'],
    [
      'rule 2: link-local for the link’s groups',
      'ff02::1',
      ['2001:db8::1/64', 'fe80::1/64'],
      'fe80::1',
    ],
    [
      'rule 2: global for global groups',
      'ff0e::1',
      ['fe80::1/64', '2001:db8::1/64'],
      '2001:db8::1',
    ],
    [
      'rule 6: a unique local one for its like',
      'fd00:9::1',
      ['2001:db8::1/64', 'fd00:1::1/64'],
      'fd00:1::1',
    ],
    [
      'rule 6: 6to4 for 6to4',
      '2002:c633:6401::1',
      ['2001:db8::2/64', '2002:c633:6401::d5e3/64'],
      '2002:c633:6401::d5e3',
    ],
    [
      'rule 8: the longest prefix in common',
      '2001:db8:3::1',
      ['2001:db8:1::1/64', '2001:db8:3::2/64'],
      '2001:db8:3::2',
    ],
    [
      'rule 8 counts no more than the prefix',
      '2001:db8::8',
      ['2001:db8::1/32', '2001:db8::9/64'],
      '2001:db8::9',
    ],
    [
      'an address of another link when there is no other',
      '2001:db8::1',
      ['4:2001:db8:7::1/64'],
      '2001:db8:7::1',
    ],
    ['but not its link-local one', '2001:db8::1', ['4:fe80::4/64'], null],
    [
      'rule 5: the outgoing link’s',
      '2001:db8:7::9',
      ['4:2001:db8:7::1/64', '2001:db8::1/64'],
      '2001:db8::1',
    ],
    ['never ::1 to the outside', '2001:db8::1', ['0:::1/128'], null],
    ['none at all', '2001:db8::1', [], null],
  ];
  test.each(rows)('%s', (_name, dst, ours, want) => {
    const entries = ours.map((text) => {
      const link = /^(\d):(.+\/\d+)$/.exec(text);
      return link === null || (text.startsWith('2') && link[1] === '2')
        ? entry(text, 1)
        : entry(link[2] as string, Number(link[1]));
    });
    expect(source6(entries, 1, words(dst))?.toString() ?? null).toBe(want);
  });
});
