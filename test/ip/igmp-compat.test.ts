import { describe, expect, test } from 'vitest';
import { Bench, ip4, udpPacket } from './fixture.ts';
import { everything, igmpMessage, lines, old4, overTime, query3, source } from './groups-kit.ts';

const G = '239.1.1.1';
const H = '239.1.1.2';
const US = '10.0.0.2 > 224.0.0.22';
const S = '192.0.2.1';
const T = '192.0.2.2';

describe('queriers of older versions', () => {
  const REPORT2 = `10.0.0.2 > ${G} report2 ${G}`;

  test('version 2: a report to the group, at its own time for each (RFC 9776 §7.2.1)', () => {
    const b = new Bench();
    everything(b, G, 1);
    source(b, H, S, 'wanted', 1);
    overTime(b, 2000);
    b.feed(old4(0x11, { code: 100 }));
    const answers = overTime(b, 12_000);
    expect(answers.map(([, line]) => line).sort()).toEqual([
      REPORT2,
      `10.0.0.2 > ${H} report2 ${H}`,
    ]);
    expect(answers[0]?.[0]).not.toBe(answers[1]?.[0]);
  });

  test('version 2: join twice, leave to all routers (RFC 2236 §3)', () => {
    const b = new Bench();
    b.feed(old4(0x11, { code: 100 }));
    everything(b, G, 1);
    expect(lines(b)).toEqual([REPORT2]);
    expect(overTime(b, 12_000).map(([, line]) => line)).toEqual([REPORT2]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([`10.0.0.2 > 224.0.0.2 leave ${G}`]);
    expect([b.ip.groups.size, overTime(b, 12_000)]).toEqual([0, []]);
  });

  test('a report of another host is ours, and then nobody says it leaves (RFC 2236 §3)', () => {
    const b = new Bench();
    everything(b, G, 1);
    overTime(b, 2000);
    b.feed(old4(0x11, { code: 100 }));
    b.feed(old4(0x16, { group: G, src: '10.0.0.7' }));
    expect(overTime(b, 12_000)).toEqual([]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([]);
  });

  test('version 1: reports of version 1, and no leave (RFC 2236 §4)', () => {
    const b = new Bench();
    b.feed(old4(0x11, { options: [] }));
    everything(b, G, 1);
    const line = `10.0.0.2 > ${G} report1 ${G}`;
    expect(lines(b)).toEqual([line]);
    expect(overTime(b, 12_000).map(([, text]) => text)).toEqual([line]);
    everything(b, G, -1);
    expect(lines(b)).toEqual([]);
  });

  test('what version 3 still had to say is forgotten (RFC 9776 §7.2.1)', () => {
    const b = new Bench();
    everything(b, G, 1);
    everything(b, H, 1);
    everything(b, H, -1);
    lines(b);
    b.feed(old4(0x11, { code: 255, group: '239.77.7.7', dst: '224.0.0.1' }));
    expect(overTime(b, 30_000)).toEqual([]);
    expect(b.ip.groups.size).toBe(1);
  });

  test('version 3 again after robustness × interval + response time (RFC 9776 §8.12)', () => {
    const b = new Bench();
    everything(b, G, 1);
    overTime(b, 2000);
    b.feed(old4(0x11, { code: 100 }));
    overTime(b, 259_000, 1000);
    b.feed(query3({ code: 10 }));
    expect(overTime(b, 900).map(([, line]) => line)).toEqual([REPORT2]);
    overTime(b, 2000);
    b.feed(query3({ code: 10 }));
    expect(overTime(b, 1100).map(([, line]) => line)).toEqual([`${US} IS_EX ${G} {}`]);
  });
});

describe('what is heard of groups', () => {
  test('all-hosts always, others when joined on that link (RFC 1112 §4, §7.2)', () => {
    const b = new Bench();
    const arrive = (dst: string, src = '10.0.0.1'): number =>
      b.arrive(udpPacket(Uint8Array.of(1), [4000, 7], { dst, src }));
    expect([arrive('224.0.0.1'), arrive(G)]).toEqual([0, 1]);
    everything(b, G, 1, 0);
    expect(arrive(G)).toBe(1);
    everything(b, G, 1);
    expect(arrive(G)).toBe(0);
    everything(b, G, -1);
    expect([arrive(G), arrive('224.0.0.1')]).toEqual([1, 0]);
    source(b, H, S, 'wanted', 1);
    expect([arrive(H, S), arrive(H, T)]).toEqual([0, 1]);
  });

  test('no ICMP error and no echo answers a group (RFC 1122 §3.2.2, §3.2.2.6)', () => {
    const b = new Bench();
    everything(b, G, 1);
    lines(b);
    b.feed(udpPacket(Uint8Array.of(1), [4000, 7], { dst: G }));
    b.feed(ip4({ dst: G, proto: 99, payload: [1, 2, 3, 4] }));
    b.feed(ip4({ dst: G, proto: 1, payload: igmpMessage([8, 0, 0, 0, 0, 1, 0, 1]) }));
    expect(b.reasons()).toEqual(['NO_SOCKET', 'IP_NOPROTO', 'POLICY']);
    expect(b.sent()).toEqual([]);
  });
});
