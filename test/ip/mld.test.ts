import { describe, expect, test } from 'vitest';
import { addAddress } from '../../src/ip/configure.ts';
import { nextDeadline } from '../../src/ip/timers.ts';
import { fromCode, queryVersion } from '../../src/wire/mld.ts';
import { type Bench, prefix } from './fixture.ts';
import { bench6, icmp6Message, ip6, udp6 } from './fixture6.ts';
import { everything, lines, mldPacket, overTime, source } from './groups-kit.ts';

const G = 'ff15::1:1';
const H = 'ff15::1:2';
const LOCAL = 'fe80::2';
const US = `${LOCAL} > ff02::16`;
const [S, T] = ['2001:db8:9::1', '2001:db8:9::2'] as const;

/** A bench with a link-local address. */
function bench(): Bench {
  const b = bench6();
  addAddress(b.ip, 1, prefix(`${LOCAL}/64`), false);
  return b;
}

describe('the code of a query', () => {
  test('below 32768 in ms, above as mantissa and exponent (RFC 9777 §5.1.3)', () => {
    const codes = [0, 10_000, 32_767, 0x8000, 0x8001, 0x9000, 0xffff];
    expect(codes.map(fromCode)).toEqual([0, 10_000, 32_767, 32_768, 32_776, 65_536, 8_387_584]);
  });

  test('the length tells the version (RFC 9777 §8.1)', () => {
    expect([23, 24, 25, 27, 28, 44].map(queryVersion)).toEqual([0, 1, 0, 0, 2, 2]);
  });
});

describe('a change of what is wanted is told', () => {
  test('join and leave: twice each, from a link-local address (RFC 9777 §6.1, §5.2.13)', () => {
    const b = bench();
    everything(b, G, 1);
    expect(lines(b)).toEqual([`${US} TO_EX ${G} {}`]);
    expect(overTime(b, 2000).map(([, line]) => line)).toEqual([`${US} TO_EX ${G} {}`]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([`${US} TO_IN ${G} {}`]);
    expect(overTime(b, 2000).map(([, line]) => line)).toEqual([`${US} TO_IN ${G} {}`]);
    expect([nextDeadline(b.ip), b.ip.groups.size]).toEqual([Infinity, 0]);
  });

  test('a host without a link-local address reports from :: (RFC 9777 §5.2.13)', () => {
    const b = bench6();
    everything(b, G, 1);
    expect(lines(b)).toEqual([`:: > ff02::16 TO_EX ${G} {}`]);
  });

  test('sources: ALLOW and BLOCK (RFC 9777 §6.1)', () => {
    const b = bench();
    source(b, G, S, 'wanted', 1);
    expect(lines(b)).toEqual([`${US} ALLOW ${G} {${S}}`]);
    overTime(b, 2000);
    source(b, G, S, 'wanted', -1);
    expect(lines(b)).toEqual([`${US} BLOCK ${G} {${S}}`]);
  });

  test('not about ff02::1 and what stays in an interface, but about ff02::fb (RFC 9777 §6)', () => {
    const b = bench();
    for (const group of ['ff02::1', 'ff01::1', 'ff01::77', 'ff00::5']) everything(b, group, 1);
    expect([...lines(b), ...overTime(b, 3000)]).toEqual([]);
    everything(b, 'ff02::fb', 1);
    expect(lines(b)).toEqual([`${US} TO_EX ff02::fb {}`]);
  });

  test('64 sources of a group fit a packet of 1280 octets', () => {
    const b = bench();
    b.ip.config.groupMaxSources = 64;
    b.device.mtu = 1280;
    for (let n = 1; n <= 64; n++) source(b, G, `2001:db8:9::${n.toString(16)}`, 'wanted', 1);
    overTime(b, 3000);
    b.feed(mldPacket(130, { code: 10 }));
    b.advance(200_000);
    expect(b.sent().map((p) => p.length)).toEqual([40 + 8 + 8 + 20 + 64 * 16]);
  });
});

describe('a query of version 2', () => {
  const member = (): Bench => {
    const b = bench();
    everything(b, G, 1);
    source(b, H, S, 'wanted', 1);
    overTime(b, 2000);
    return b;
  };
  // biome-ignore format: a table
  const rows: [string, object, string[]][] = [
    ['general', {}, [`${US} IS_EX ${G} {} IS_IN ${H} {${S}}`]],
    ['for a group', { group: G }, [`${US} IS_EX ${G} {}`]],
    ['for sources', { group: H, sources: [T, S] }, [`${US} IS_IN ${H} {${S}}`]],
    ['for a source that is not wanted', { group: H, sources: [T] }, []],
  ];
  test.each(rows)(
    '%s is answered once, within its time (RFC 9777 §6.2)',
    (_name, ask, expected) => {
      const b = member();
      b.feed(mldPacket(130, ask));
      expect(lines(b)).toEqual([]);
      expect(overTime(b, 10_000).map(([, line]) => line)).toEqual(expected);
    },
  );

  // biome-ignore format: a table
  const wrong: [string, object, string][] = [
    ['a hop limit of 64', { ttl: 64 }, 'IP_TTL'],
    ['a global source', { src: '2001:db8::1' }, 'IP_INVALID_SOURCE'],
    ['the unspecified source', { src: '::' }, 'IP_INVALID_SOURCE'],
    ['no router alert', { options: [] }, 'INVALID_PROTO'],
    ['only padding before it', { options: [58, 0, 1, 4, 0, 0, 0, 0] }, 'INVALID_PROTO'],
    ['a group that is none', { group: '2001:db8::7', dst: 'ff02::1' }, 'INVALID_PROTO'],
  ];
  test.each(wrong)('%s: silently discarded (RFC 9777 §6.2)', (_name, ask, reason) => {
    const b = member();
    b.feed(mldPacket(130, ask));
    expect(b.reasons()).toEqual([reason]);
    expect(overTime(b, 12_000)).toEqual([]);
  });

  test('a length that no version has, and a count of sources that lies (RFC 9777 §8.1)', () => {
    const b = member();
    const short = new Uint8Array(18);
    const lying = new Uint8Array(20);
    lying[19] = 1;
    for (const body of [short, lying]) {
      const message = icmp6Message({ src: 'fe80::1', dst: 'ff02::1' }, 130, 0, [0, 1, 0, 0], body);
      const payload = [58, 0, 5, 2, 0, 0, 1, 0, ...message];
      b.feed(ip6({ src: 'fe80::1', dst: 'ff02::1', next: 0, hops: 1, payload }));
    }
    expect(b.reasons()).toEqual(['INVALID_PROTO', 'PKT_TOO_SMALL']);
  });
});

describe('a querier of version 1 (RFC 9777 §8.2, RFC 2710 §4)', () => {
  const REPORT = `${LOCAL} > ${G} report1 ${G}`;

  test('hears reports to the group and a done to all routers', () => {
    const b = bench();
    b.feed(mldPacket(130, { v2: false }));
    everything(b, G, 1);
    expect(lines(b)).toEqual([REPORT]);
    expect(overTime(b, 12_000).map(([, line]) => line)).toEqual([REPORT]);
    b.feed(mldPacket(130, { v2: false, code: 1000 }));
    expect(overTime(b, 1100).map(([, line]) => line)).toEqual([REPORT]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([`${LOCAL} > ff02::2 done ${G}`]);
  });

  test('another host was faster: neither report nor done', () => {
    const b = bench();
    everything(b, G, 1);
    overTime(b, 2000);
    b.feed(mldPacket(130, { v2: false }));
    b.feed(mldPacket(131, { v2: false, group: G, src: 'fe80::7' }));
    expect(overTime(b, 12_000)).toEqual([]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([]);
  });

  test('is forgotten after robustness × interval + response time (RFC 9777 §9.12)', () => {
    const b = bench();
    everything(b, G, 1);
    overTime(b, 2000);
    b.feed(mldPacket(130, { v2: false }));
    overTime(b, 261_000, 1000);
    b.feed(mldPacket(130, { code: 100 }));
    expect(overTime(b, 300).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {}`]);
  });
});

describe('what is heard of groups', () => {
  test('ff02::1 always, others when joined, from sources that are wanted (RFC 4291 §2.8)', () => {
    const b = bench();
    const arrive = (dst: string, src = S as string): number =>
      b.arrive6(ip6({ dst, src, payload: udp6({ dst, src }, [4000, 7], Uint8Array.of(1)) }));
    expect([arrive('ff02::1'), arrive(G)]).toEqual([0, 1]);
    everything(b, G, 1);
    source(b, H, S, 'wanted', 1);
    expect([arrive(G), arrive(H), arrive(H, T)]).toEqual([0, 0, 1]);
  });

  test('a datagram for a group without a socket draws no error (RFC 4443 §2.4 e)', () => {
    const b = bench();
    everything(b, G, 1);
    lines(b);
    b.feed(ip6({ dst: G, src: S, payload: udp6({ dst: G, src: S }, [4000, 7], Uint8Array.of(1)) }));
    expect([b.reasons(), b.sent()]).toEqual([['NO_SOCKET'], []]);
  });
});
