import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Verdict } from '../../src/ip/ip.ts';
import { type Address, parse } from '../../src/wire/address.ts';
import { Bench, RxFlag } from './fixture.ts';

const octets = (text: string): number[] => {
  const { a, b, c, d } = parse(text) as Address;
  return [a, b, c, d].flatMap((w) => [w >>> 24, (w >>> 16) & 255, (w >>> 8) & 255, w & 255]);
};

/** A base header in front of `n` octets. */
function packet(src: string, dst: string, n = 8, length = n): Uint8Array {
  const head = [0x60, 0, 0, 0, length >>> 8, length & 255, 17, 64, ...octets(src), ...octets(dst)];
  return Uint8Array.from([...head, ...new Array<number>(n).fill(0)]);
}

const arrive = (b: Bench, bytes: Uint8Array, flags = 0): Verdict => b.arrive6(bytes, flags);

describe('an IPv6 packet (RFC 8200 §3, reliability 2.1)', () => {
  const peer = '2001:db8::9';
  const own = '2001:db8::2';
  const mapped = packet(peer, own);
  mapped.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4], 8);
  const rows: [string, Uint8Array, string][] = [
    ['39 octets', packet(peer, own).slice(0, 39), 'PKT_TOO_SMALL'],
    ['a length beyond the frame', packet(peer, own, 8, 9), 'PKT_TOO_SMALL'],
    ['for somebody else', packet(peer, '2001:db8::3'), 'OTHERHOST'],
    ['source a group', packet('ff02::1', own), 'IP_INVALID_SOURCE'],
    ['source ::1 from a device', packet('::1', own), 'IP_INVALID_SOURCE'],
    ['source mapped IPv4', mapped, 'IP_INVALID_SOURCE'],
    ['destination ::', packet(peer, '::'), 'IP_INADDRERRORS'],
    ['destination ::1 from a device', packet(peer, '::1'), 'IP_INADDRERRORS'],
    ['UDP from ::', packet('::', 'ff02::1'), 'IP_INVALID_SOURCE'],
    ['to a group that is not ours', packet(peer, 'ff02::2'), 'OTHERHOST'],
    ['from our own address (Land)', packet(own, own), 'IP_INVALID_SOURCE'],
  ];
  test.each(rows)('%s', (_name, bytes, reason) => {
    const b = new Bench();
    b.address('2001:db8::2/64');
    expect(arrive(b, bytes)).toBe(Verdict.DONE);
    expect(b.reasons()).toEqual([reason]);
    expect(b.counters.get('Ip6InReceives')).toBe(1);
    expect(b.sent()).toEqual([]);
  });

  test.each([
    ['for us', packet(peer, own)],
    ['with padding behind it', packet(peer, own, 20, 8)],
    ['for every node', packet(peer, 'ff02::1')],
  ])('%s: goes on to the transport', (_name, bytes) => {
    const b = new Bench();
    b.address('2001:db8::2/64');
    expect(arrive(b, bytes)).toBe(Verdict.DELIVER);
    const { protocol, l4Len, ttl, len } = b.ip.rx;
    expect([protocol, l4Len, ttl, len]).toEqual([17, 8, 64, 48]);
    expect(b.counters.get('Ip6InDelivers')).toBe(1);
  });

  test('nonsense in the metadata', () => {
    const b = new Bench();
    arrive(b, packet(peer, own), RxFlag.BAD_META);
    expect(b.reasons()).toEqual(['BAD_META']);
  });

  test('any octets: one reason each, never an exception', () => {
    const b = new Bench();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        arrive(b, bytes);
        expect(b.reasons().length).toBe(1);
      }),
      { numRuns: 1000, seed: 4 },
    );
  });
});
