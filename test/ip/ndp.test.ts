// Neighbour discovery: every check of RFC 4861 §7.1 before anything is believed, and the answers.

import { describe, expect, it } from 'vitest';
import {
  EtherBench,
  macOption,
  type NdWish,
  nd,
  OWN_MAC,
  OWN6,
  PEER_MAC,
  PEER6,
} from './ether-kit.ts';

const GROUP = { dst: 'ff02::1:ff00:1', dstMac: '33:33:ff:00:00:01' };
const SOLICIT: NdWish = { type: 135, ...GROUP, options: macOption(1) };
const ADVERT: NdWish = { type: 136, target: PEER6, flags: 0x60, options: macOption(2) };

describe('a solicitation', () => {
  it('is answered to who asked, who is remembered (RFC 4861 §7.2.3, §7.2.4)', () => {
    const b = EtherBench.ready();
    const answer = `ip6 > ${PEER_MAC}: fe80::1 > fe80::2 na 96 fe80::1 2=${OWN_MAC}`;
    expect(b.feed(nd(SOLICIT))).toEqual([answer]);
    expect(b.known(PEER6)).toBe(`DELAY ${PEER_MAC}`);
  });

  it('without a link-layer address makes us ask back (RFC 4861 §7.2.4)', () => {
    const b = EtherBench.ready();
    const sent = b.feed(nd({ type: 135 }));
    expect(sent).toEqual([
      `ip6 > 33:33:ff:00:00:02: fe80::1 > ff02::1:ff00:2 ns fe80::2 1=${OWN_MAC}`,
    ]);
  });
});

// biome-ignore format: a table
const BAD: [string, NdWish, string][] = [
  ['a solicitation with hop limit 254', { ...SOLICIT, hops: 254 }, 'IPV6_NDISC_HOP_LIMIT'],
  ['a solicitation with code 1', { ...SOLICIT, code: 1 }, 'IPV6_NDISC_BAD_CODE'],
  ['a solicitation of 23 octets', { ...SOLICIT, cut: 19 }, 'PKT_TOO_SMALL'],
  ['a solicitation for a group', { ...SOLICIT, target: 'ff02::1' }, 'IP_INADDRERRORS'],
  ['an option of length 0', { ...SOLICIT, options: [1, 0, 0, 0, 0, 0, 0, 0] }, 'IPV6_NDISC_BAD_OPTIONS'],
  ['an option that ends behind the message', { ...SOLICIT, options: [1, 2, 0, 0, 0, 0, 0, 0] }, 'IPV6_NDISC_BAD_OPTIONS'],
  ['half an option', { ...SOLICIT, options: [1] }, 'IPV6_NDISC_BAD_OPTIONS'],
  ['a solicitation from nobody to one host', { type: 135, src: '::' }, 'IP_INADDRERRORS'],
  ['a solicitation from nobody to all nodes', { type: 135, src: '::', dst: 'ff02::1', dstMac: '33:33:00:00:00:01' }, 'IP_INADDRERRORS'],
  ['a solicitation from nobody with an address', { ...SOLICIT, src: '::' }, 'IPV6_NDISC_BAD_OPTIONS'],
  ['a solicitation for another host', { ...SOLICIT, target: 'fe80::1:0:1' }, 'IPV6_NDISC_NS_OTHERHOST'],
  ['a solicitation for ::1', { ...SOLICIT, target: '::1' }, 'IPV6_NDISC_NS_OTHERHOST'],
  ['an advertisement with hop limit 254', { ...ADVERT, hops: 254 }, 'IPV6_NDISC_HOP_LIMIT'],
  ['an advertisement with code 1', { ...ADVERT, code: 1 }, 'IPV6_NDISC_BAD_CODE'],
  ['an advertisement of 23 octets', { ...ADVERT, cut: 19 }, 'PKT_TOO_SMALL'],
  ['an advertisement for a group', { ...ADVERT, target: 'ff02::1' }, 'IP_INADDRERRORS'],
  ['a solicited advertisement to all nodes', { ...ADVERT, dst: 'ff02::1', dstMac: '33:33:00:00:00:01' }, 'IP_INADDRERRORS'],
  ['an advertisement that nobody asked for', ADVERT, 'IPV6_NDISC_FAILED'],
  ['an advertisement with an option of length 0', { ...ADVERT, options: [2, 0, 0, 0, 0, 0, 0, 0] }, 'IPV6_NDISC_BAD_OPTIONS'],
  ['an advertisement for an address of ours', { ...ADVERT, target: OWN6 }, 'ADDRESS_CONFLICT'],
];

describe('a message that is not believed', () => {
  it.each(BAD)('%s is dropped with a reason (RFC 4861 §7.1)', (_name, wish, reason) => {
    const b = EtherBench.ready();
    expect(b.feed(nd(wish))).toEqual([]);
    expect(b.reasons()).toEqual([reason]);
    expect(b.stack.neighbors()).toEqual([]);
  });

  it('with a wrong checksum is dropped before that (RFC 4861 §7.1.1)', () => {
    const b = EtherBench.ready();
    const octets = nd(SOLICIT);
    octets[14 + 42] = (octets[14 + 42] as number) ^ 1;
    expect(b.feed(octets)).toEqual([]);
    expect(b.reasons()).toEqual(['ICMP_CSUM']);
  });

  it('an address that no host may have is not taken from an option (RFC 4861 §4.6.1)', () => {
    for (const mac of ['33:33:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00']) {
      const b = EtherBench.ready();
      b.feed(nd({ ...SOLICIT, options: macOption(1, mac) }));
      expect(b.known(PEER6)).toBe('INCOMPLETE');
    }
  });

  it('options of kinds that nobody knows are passed over (RFC 4861 §4.6)', () => {
    const b = EtherBench.ready();
    const strange = [200, 2, ...new Array<number>(14).fill(7)];
    expect(b.feed(nd({ ...SOLICIT, options: [...strange, ...macOption(1)] }))).toHaveLength(1);
    expect(b.known(PEER6)).toBe(`DELAY ${PEER_MAC}`);
  });
});
