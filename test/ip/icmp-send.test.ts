import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { IcmpLimiter, sendError } from '../../src/ip/icmp.ts';
import { Verdict } from '../../src/ip/ip.ts';
import {
  Bench,
  IP_CONFIG,
  type Ip4,
  icmpMessage,
  ip4,
  pattern,
  RxFlag,
  referenceSum,
  udpPacket,
} from './fixture.ts';
import { errorAbout, ours } from './quotes.ts';

const echo = (n: number, p: Ip4 = {}): Uint8Array =>
  ip4({ ...p, proto: 1, payload: icmpMessage(8, 0, [0x12, 0x34, 0, 7], pattern(n)) });

// --- errors that we send -----------------------------------------------------------------------

describe('no ICMP error is sent about (RFC 1122 §3.2.2)', () => {
  const data = pattern(32);
  const silent: [string, Uint8Array, number][] = [
    ['a datagram to a broadcast', udpPacket(data, [1, 2], { dst: '10.0.0.255' }), 0],
    ['a datagram to the limited broadcast', udpPacket(data, [1, 2], { dst: '255.255.255.255' }), 0],
    ['a datagram to a group', udpPacket(data, [1, 2], { dst: '224.0.0.1' }), 0],
    ['a datagram that came as a link broadcast', udpPacket(data), RxFlag.LINK_BROADCAST],
    ['an ICMP error: unreachable', errorAbout(ours()), 0],
    ['an ICMP error: time exceeded', errorAbout(ours(), 11, 0), 0],
    ['an ICMP error: parameter problem', errorAbout(ours(), 12, 0), 0],
    ['source quench', errorAbout(ours(), 4, 0), 0],
    ['redirect', errorAbout(ours(), 5, 0), 0],
    ['an ICMP type nobody knows', errorAbout(ours(), 77, 0), 0],
    ['ICMP too short to tell', ip4({ proto: 1, payload: [8, 0] }), 0],
  ];
  test.each(silent)('%s', (_name, bytes, flags) => {
    const b = new Bench();
    expect(b.arrive(bytes, flags)).toBe(Verdict.DELIVER);
    expect(sendError(b.ip, b.ip.rx, 3, 3, 0)).toBe(false);
    expect(b.sent()).toEqual([]);
  });

  const sources: [string, string, number][] = [
    ['0.0.0.0', '0.0.0.0', 0],
    ['127.0.0.1 from a device', '127.0.0.1', 0],
    ['a group', '224.0.0.9', 0],
    ['class E', '250.0.0.1', 0],
    ['the limited broadcast', '255.255.255.255', 0],
    ['our broadcast', '10.0.0.255', 0],
    ['our own address from a device', '10.0.0.2', 0],
    ['a stranger over loopback', '192.0.2.1', RxFlag.LOOPBACK],
  ];
  test.each(sources)('a source that names no single host: %s', (_name, src, flags) => {
    const b = new Bench();
    b.arrive(udpPacket(data), flags);
    const q = src.split('.').map(Number) as [number, number, number, number];
    b.ip.rx.src3 = (q[0] << 24) | (q[1] << 16) | (q[2] << 8) | q[3];
    expect(sendError(b.ip, b.ip.rx, 3, 3, 0)).toBe(false);
  });

  test('a fragment other than the first', () => {
    const b = new Bench();
    b.arrive(udpPacket(data));
    b.slab.u8[b.ip.rx.off + 7] = 1;
    expect(sendError(b.ip, b.ip.rx, 3, 3, 0)).toBe(false);
  });
});

describe('an error that is sent', () => {
  test('a protocol nobody speaks is unreachable code 2, quoting what came (RFC 1122 §3.2.2.1)', () => {
    const b = new Bench();
    const packet = ip4({ src: '192.0.2.9', proto: 132, payload: pattern(40) });
    b.feed(packet);
    const [out] = b.sent() as [Uint8Array];
    expect([...out.slice(20, 22)]).toEqual([3, 2]);
    expect(referenceSum(out.slice(20))).toBe(0);
    expect(out.slice(28)).toEqual(packet);
    expect([...out.slice(12, 20)]).toEqual([10, 0, 0, 2, 192, 0, 2, 9]);
    expect(b.reasons()).toEqual(['IP_NOPROTO']);
    expect(b.counters.get('IpInUnknownProtos')).toBe(1);
  });

  test('is at most 576 octets (RFC 1812 §4.3.2.3)', () => {
    const b = new Bench();
    b.feed(ip4({ proto: 132, payload: pattern(1400) }));
    const [out] = b.sent() as [Uint8Array];
    expect(out.length).toBe(576);
  });

  test('carries the extra word', () => {
    const b = new Bench();
    b.arrive(udpPacket(pattern(4)));
    expect(sendError(b.ip, b.ip.rx, 3, 4, 1280)).toBe(true);
    const [out] = b.sent() as [Uint8Array];
    expect([...out.slice(20, 28)].filter((_, i) => i !== 2 && i !== 3)).toEqual([3, 4, 0, 0, 5, 0]);
  });

  test('an echo request may be answered with one', () => {
    const b = new Bench();
    b.arrive(echo(8));
    expect(sendError(b.ip, b.ip.rx, 11, 1, 0)).toBe(true);
  });

  test('a checksum left to the link is completed in the quote (data-path)', () => {
    const b = new Bench();
    const packet = udpPacket(pattern(50), [4000, 9]);
    const partial = packet.slice();
    const pseudo =
      ~referenceSum(Uint8Array.from([10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 58])) & 0xffff;
    partial[26] = pseudo >>> 8;
    partial[27] = pseudo & 255;
    b.feed(partial, RxFlag.NEEDS_CSUM);
    const [out] = b.sent() as [Uint8Array];
    expect(out.slice(28)).toEqual(packet);
  });
});

describe('the rate of errors (RFC 1812 §4.3.2.8, CVE-2020-25705)', () => {
  const limiter = (): IcmpLimiter => new IcmpLimiter(IP_CONFIG, new SeededRandom(2));
  const to = (d: number): Int32Array => Int32Array.of(0, 0, 0xffff, d);
  const burst = (l: IcmpLimiter, d: number, now: number, tries = 1000): number => {
    let n = 0;
    for (let i = 0; i < tries; i++) if (l.allow(to(d), now)) n++;
    return n;
  };

  test('a burst of 200 for each destination, then 1,000 a second', () => {
    const l = limiter();
    const first = burst(l, 1, 0);
    expect(first).toBeGreaterThan(190);
    expect(first).toBeLessThanOrEqual(200);
    let n = 0;
    for (let us = 0; us <= 1_000_000; us += 100) if (l.allow(to(1), us)) n++;
    expect(n).toBeGreaterThan(950);
    expect(n).toBeLessThanOrEqual(1010);
  });

  test('one destination does not see what another uses', () => {
    const l = limiter();
    burst(l, 1, 0, 5000);
    expect(burst(l, 2, 0)).toBeGreaterThan(190);
  });

  test('how much of a burst passes is not a constant that could be counted', () => {
    const l = limiter();
    const seen = new Set<number>();
    for (let d = 1; d < 40; d++) seen.add(burst(l, d, 0, 200));
    expect(seen.size).toBeGreaterThan(2);
  });

  test('any number of destinations in constant memory', () => {
    const l = limiter();
    for (let d = 0; d < 100_000; d++) l.allow(to(d), d);
    expect(l.size).toBe(1024);
  });

  test('over loopback there is no limit (as on Linux)', () => {
    const b = new Bench({ icmpBurst: 1 });
    for (let i = 0; i < 20; i++) {
      b.feed(
        udpPacket(pattern(4), [9, 9], { src: '127.0.0.1', dst: '127.0.0.1' }),
        RxFlag.LOOPBACK,
      );
    }
    expect(b.loopback.pending).toBe(20);
  });

  test('refused errors are counted', () => {
    const b = new Bench();
    for (let i = 0; i < 300; i++) b.feed(udpPacket(pattern(4)));
    expect(b.sent().length).toBeLessThanOrEqual(200);
    expect(b.counters.get('IcmpOutRateLimitHost')).toBeGreaterThanOrEqual(100);
    expect(b.counters.get('UdpNoPorts')).toBe(300);
  });
});
