import { describe, expect, test } from 'vitest';
import { removeLink } from '../../src/ip/configure.ts';
import { nextDeadline } from '../../src/ip/timers.ts';
import { fromCode, queryVersion } from '../../src/wire/igmp.ts';
import { Bench, ip4 } from './fixture.ts';
import { everything, igmpMessage, lines, old4, overTime, query3, source } from './groups-kit.ts';

const G = '239.1.1.1';
const H = '239.1.1.2';
const US = '10.0.0.2 > 224.0.0.22';
const [S, T, U] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

describe('the codes of a query', () => {
  test('below 128 as they are, above as mantissa and exponent (RFC 9776 §4.1.1)', () => {
    const codes = [0, 1, 127, 128, 129, 143, 144, 255];
    expect(codes.map(fromCode)).toEqual([0, 1, 127, 128, 136, 248, 256, 31_744]);
  });

  test('length and code tell the version (RFC 9776 §7.1)', () => {
    const rows: [number, number][] = [
      [8, 0],
      [8, 1],
      [9, 0],
      [11, 9],
      [12, 0],
      [20, 5],
      [7, 0],
    ];
    expect(rows.map(([len, code]) => queryVersion(len, code))).toEqual([1, 2, 0, 0, 3, 3, 0]);
  });
});

describe('a change of what is wanted is told', () => {
  test('join: TO_EX {} at once and, robustness 2, once more within 1 s (RFC 9776 §5.1)', () => {
    const b = new Bench();
    expect(everything(b, G, 1)).toBe(0);
    expect(lines(b)).toEqual([`${US} TO_EX ${G} {}`]);
    const later = overTime(b, 5000);
    expect(later.map(([, line]) => line)).toEqual([`${US} TO_EX ${G} {}`]);
    expect(later[0]?.[0]).toBeLessThanOrEqual(1000);
    expect(nextDeadline(b.ip)).toBe(Infinity);
  });

  test('a second socket changes nothing, the last one that leaves does: TO_IN {}', () => {
    const b = new Bench();
    everything(b, G, 1);
    overTime(b, 2000);
    everything(b, G, 1);
    everything(b, G, -1);
    expect(lines(b)).toEqual([]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([`${US} TO_IN ${G} {}`]);
    expect(overTime(b, 2000).map(([, line]) => line)).toEqual([`${US} TO_IN ${G} {}`]);
    expect(b.ip.groups.size).toBe(0);
  });

  test('sources come and go by ALLOW and BLOCK (RFC 9776 §5.1, the table)', () => {
    const b = new Bench();
    source(b, G, S, 'wanted', 1);
    expect(lines(b)).toEqual([`${US} ALLOW ${G} {${S}}`]);
    overTime(b, 2000);
    source(b, G, T, 'wanted', 1);
    source(b, G, S, 'wanted', -1);
    expect(lines(b)).toEqual([
      `${US} ALLOW ${G} {${T}}`,
      `${US} ALLOW ${G} {${T}} BLOCK ${G} {${S}}`,
    ]);
    expect(overTime(b, 2000).map(([, line]) => line)).toEqual([`${US} BLOCK ${G} {${S}}`]);
    source(b, G, T, 'wanted', -1);
    expect(lines(b)).toEqual([`${US} BLOCK ${G} {${T}}`]);
    overTime(b, 2000);
    expect(b.ip.groups.size).toBe(0);
  });

  test('in EXCLUDE mode a source that is unwanted is a BLOCK (RFC 9776 §5.1)', () => {
    const b = new Bench();
    everything(b, G, 1);
    overTime(b, 2000);
    source(b, G, S, 'unwanted', 1);
    expect(lines(b)).toEqual([`${US} BLOCK ${G} {${S}}`]);
    overTime(b, 2000);
    source(b, G, S, 'unwanted', -1);
    expect(lines(b)).toEqual([`${US} ALLOW ${G} {${S}}`]);
  });

  test('the link wants what any socket wants (RFC 9776 §3.2)', () => {
    const b = new Bench();
    // The RFC's example: EXCLUDE {S T}, EXCLUDE {T U} and INCLUDE {T} make EXCLUDE {}.
    everything(b, G, 1);
    everything(b, G, 1);
    source(b, G, S, 'unwanted', 1);
    source(b, G, T, 'unwanted', 1);
    source(b, G, T, 'unwanted', 1);
    source(b, G, U, 'unwanted', 1);
    lines(b);
    overTime(b, 2000);
    b.feed(query3({ group: G, code: 1 }));
    expect(overTime(b, 200).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {${T}}`]);
    source(b, G, T, 'wanted', 1);
    overTime(b, 2000);
    b.feed(query3({ group: G, code: 1 }));
    expect(overTime(b, 200).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {}`]);
  });

  test('a mode that changes twice is told as it is now, and twice again (RFC 9776 §5.1)', () => {
    const b = new Bench();
    everything(b, G, 1);
    everything(b, G, -1);
    everything(b, G, 1);
    expect(lines(b)).toEqual([`${US} TO_EX ${G} {}`, `${US} TO_IN ${G} {}`, `${US} TO_EX ${G} {}`]);
    expect(overTime(b, 3000).map(([, line]) => line)).toEqual([`${US} TO_EX ${G} {}`]);
  });

  test('a source that changes while the mode is still told stands in both (RFC 9776 §5.1)', () => {
    const b = new Bench();
    everything(b, G, 1);
    source(b, G, S, 'unwanted', 1);
    expect(lines(b)).toEqual([`${US} TO_EX ${G} {}`, `${US} TO_EX ${G} {${S}}`]);
    expect(overTime(b, 3000).map(([, line]) => line)).toEqual([`${US} BLOCK ${G} {${S}}`]);
  });

  test('a querier with robustness 3 is told three times (RFC 9776 §4.1.6, §8.1)', () => {
    const b = new Bench();
    b.feed(query3({ qrv: 3 }));
    everything(b, G, 1);
    expect(lines(b).length + overTime(b, 5000).length).toBe(3);
  });

  test('never about 224.0.0.1 and not about 224.0.0/24 unless asked to (RFC 9776 §5)', () => {
    const b = new Bench();
    for (const group of ['224.0.0.1', '224.0.0.251', '224.0.0.255']) everything(b, group, 1);
    expect([...lines(b), ...overTime(b, 3000)]).toEqual([]);
    everything(b, '224.0.1.1', 1);
    expect(lines(b)).toEqual([`${US} TO_EX 224.0.1.1 {}`]);
    const linux = new Bench({ reportLinkLocalGroups: true });
    everything(linux, '224.0.0.251', 1);
    expect(lines(linux)).toEqual([`${US} TO_EX 224.0.0.251 {}`]);
  });

  test('a link without an address reports from 0.0.0.0 (RFC 9776 §4.2.13)', () => {
    const b = new Bench();
    removeLink(b.ip, 1);
    b.ip.links[1] = b.device;
    everything(b, G, 1);
    expect(lines(b)).toEqual([`0.0.0.0 > 224.0.0.22 TO_EX ${G} {}`]);
  });

  test('nothing is told on loopback, nor on a link that carries no groups', () => {
    const b = new Bench();
    everything(b, G, 1, 0);
    expect([...lines(b), b.loopback.pending]).toEqual([0]);
    Object.assign(b.device, { multicast: false });
    everything(b, G, 1);
    expect(lines(b)).toEqual([]);
  });

  test('a link that goes takes its groups along', () => {
    const b = new Bench();
    everything(b, G, 1);
    lines(b);
    removeLink(b.ip, 1);
    expect([b.ip.groups.size, overTime(b, 3000)]).toEqual([0, []]);
  });
});

describe('bounds', () => {
  test('a group too many and a source too many are ENOBUFS', () => {
    const b = new Bench({ groupMax: 3, groupMaxSources: 2 });
    const groups = [1, 2, 3, 4].map((n) => everything(b, `239.1.1.${n}`, 1));
    expect(groups).toEqual([0, 0, 0, -105]);
    const sources = [1, 2, 3].map((n) => source(b, G, `192.0.2.${n}`, 'unwanted', 1));
    expect(sources).toEqual([0, 0, -105]);
    expect([everything(b, G, 1, 7), b.ip.groups.size]).toEqual([-19, 3]);
  });

  test('records fill packets of the MTU, and no more (RFC 9776 §4.2.16)', () => {
    const b = new Bench({ groupMax: 400 });
    for (let i = 1; i <= 250; i++) everything(b, `239.1.2.${i}`, 1);
    overTime(b, 2000);
    b.feed(query3({ code: 1 }));
    b.advance(200_000);
    const sizes = b.sent().map((p) => p.length);
    // 183 records of 8 octets behind 32 octets of headers in 1500, 67 in the next.
    expect(sizes).toEqual([24 + 8 + 183 * 8, 24 + 8 + 67 * 8]);
  });

  test('on a link of 68 octets a list goes on in the next packet, a TO_EX is cut off', () => {
    const b = new Bench();
    b.device.mtu = 68;
    for (let n = 1; n <= 8; n++) source(b, G, `192.0.2.${n}`, 'wanted', 1);
    overTime(b, 3000);
    b.feed(query3({ code: 1 }));
    const answers = overTime(b, 200).map(([, line]) => line);
    const list = (from: number, to: number): string =>
      Array.from({ length: to - from + 1 }, (_, i) => `192.0.2.${from + i}`).join(' ');
    expect(answers).toEqual([
      `${US} IS_IN ${G} {${list(1, 7)}}`,
      `${US} IS_IN ${G} {${list(8, 8)}}`,
    ]);
  });
});

describe('a query is answered after a random time', () => {
  const member = (): Bench => {
    const b = new Bench();
    everything(b, G, 1);
    source(b, H, S, 'wanted', 1);
    lines(b);
    overTime(b, 2000);
    return b;
  };
  const all = `${US} IS_EX ${G} {} IS_IN ${H} {${S}}`;

  test('a general one with every group, once, within its time (RFC 9776 §5.2)', () => {
    const times = new Set<number>();
    for (let seed = 1; seed <= 8; seed++) {
      const b = new Bench({}, seed);
      everything(b, G, 1);
      source(b, H, S, 'wanted', 1);
      overTime(b, 2000);
      b.feed(query3({ code: 100 }));
      expect(lines(b)).toEqual([]);
      const answers = overTime(b, 20_000);
      expect(answers.map(([, line]) => line)).toEqual([all]);
      expect(answers[0]?.[0]).toBeLessThanOrEqual(10_000);
      times.add(answers[0]?.[0] as number);
    }
    expect(times.size).toBeGreaterThan(4);
  });

  test('two general ones get one answer (RFC 9776 §5.2 rule 2)', () => {
    const b = member();
    b.feed(query3({ code: 100 }));
    b.feed(query3({ code: 10 }));
    expect(overTime(b, 20_000).length).toBe(1);
  });

  // biome-ignore format: a table
  const rows: [string, { group: string; sources?: string[] }, string[]][] = [
    ['for a group', { group: G }, [`${US} IS_EX ${G} {}`]],
    ['for a group of sources', { group: H }, [`${US} IS_IN ${H} {${S}}`]],
    ['for sources of EXCLUDE {}', { group: G, sources: [S, T] }, [`${US} IS_IN ${G} {${S} ${T}}`]],
    ['for sources of which one is wanted', { group: H, sources: [T, S] }, [`${US} IS_IN ${H} {${S}}`]],
    ['for a source that is not wanted', { group: H, sources: [T] }, []],
    ['for a group of nobody', { group: '239.9.9.9' }, []],
  ];
  test.each(rows)('%s (RFC 9776 §5.2)', (_name, ask, expected) => {
    const b = member();
    b.feed(query3({ ...ask, code: 10 }));
    expect(overTime(b, 5000).map(([, line]) => line)).toEqual(expected);
  });

  test('questions about sources are joined; one about the group takes their place (rules 4, 5)', () => {
    const b = member();
    b.feed(query3({ group: G, sources: [S] }));
    b.feed(query3({ group: G, sources: [T, S] }));
    expect(overTime(b, 12_000).map(([, line]) => line)).toEqual([`${US} IS_IN ${G} {${S} ${T}}`]);
    b.feed(query3({ group: G, sources: [S] }));
    b.feed(query3({ group: G }));
    expect(overTime(b, 12_000).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {}`]);
  });

  test('more sources than are remembered: the answer is for the group', () => {
    const b = member();
    const many = Array.from({ length: 9 }, (_, i) => `192.0.2.${i + 1}`);
    b.feed(query3({ group: G, sources: many, code: 10 }));
    expect(overTime(b, 2000).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {}`]);
  });

  test('from 0.0.0.0 it is as good (RFC 4541 §2.1.1)', () => {
    const b = member();
    b.feed(query3({ src: '0.0.0.0', code: 10 }));
    expect(overTime(b, 2000).length).toBe(1);
  });

  // biome-ignore format: a table
  const wrong: [string, Uint8Array, string][] = [
    ['a checksum that is wrong', spoiled(query3()), 'IGMP_CSUM'],
    ['a TTL of 2', query3({ ttl: 2 }), 'IP_TTL'],
    ['no router alert (RFC 9776 §9.1)', query3({ options: [] }), 'INVALID_PROTO'],
    ['a length between the versions (RFC 9776 §7.1)',
      ip4({ dst: '224.0.0.1', proto: 2, ttl: 1, options: [148, 4, 0, 0],
        payload: igmpMessage([0x11, 1, 0, 0, 0, 0, 0, 0, 2, 1]) }), 'INVALID_PROTO'],
    ['a group that is none', query3({ group: '10.9.9.9', dst: '224.0.0.1' }), 'INVALID_PROTO'],
    ['seven octets', ip4({ dst: '224.0.0.1', proto: 2, ttl: 1, payload: [0x11, 0, 0, 0, 0, 0, 0] }),
      'PKT_TOO_SMALL'],
    ['a type that nobody knows', old4(0x99), 'UNHANDLED_PROTO'],
    ['a report of version 3', old4(0x22), 'UNHANDLED_PROTO'],
  ];
  test.each(wrong)('%s: no answer', (_name, bytes, reason) => {
    const b = member();
    b.feed(bytes);
    expect(b.reasons()).toEqual([reason]);
    expect(overTime(b, 12_000)).toEqual([]);
  });

  test('a count of sources that lies is refused', () => {
    const b = member();
    const message = igmpMessage([0x11, 1, 0, 0, 239, 1, 1, 1, 2, 125, 0, 2, 192, 0, 2, 1]);
    b.feed(ip4({ dst: '224.0.0.1', proto: 2, ttl: 1, options: [148, 4, 0, 0], payload: message }));
    expect(b.reasons()).toEqual(['PKT_TOO_SMALL']);
  });
});

function spoiled(bytes: Uint8Array): Uint8Array {
  bytes[25] = (bytes[25] as number) ^ 1;
  return bytes;
}
