import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Verdict } from '../../src/ip/ip.ts';
import { concat, expectSame, pattern } from './fixture.ts';
import { bench6, cut6, ip6, OWN, PEER, part6, sum6, udp6 } from './fixture6.ts';

function got(b: ReturnType<typeof bench6>): Uint8Array {
  const rx = b.ip.rx;
  return rx.u8.slice(rx.l4Off, rx.l4Off + rx.l4Len);
}

describe('IPv6 reassembly (RFC 8200 §4.5)', () => {
  test('any order of fragments, with duplicates, gives the original', () => {
    const order = fc.infiniteStream(fc.nat(1_000_000));
    fc.assert(
      fc.property(fc.integer({ min: 600, max: 5000 }), order, (size, picks) => {
        const b = bench6();
        const whole = udp6({}, [4000, 7], pattern(size));
        const left = cut6({}, whole, 256);
        let verdict: Verdict = Verdict.DONE;
        let last: Uint8Array | null = null;
        while (left.length > 0) {
          const pick = picks.next().value as number;
          if (last !== null && pick % 7 === 0) b.arrive6(last);
          expect(verdict).toBe(Verdict.DONE);
          last = left.splice(pick % left.length, 1)[0] as Uint8Array;
          verdict = b.arrive6(last);
        }
        expect(verdict).toBe(Verdict.DELIVER);
        expectSame(got(b), whole);
        expect(b.ip.rx.protocol).toBe(17);
        expect(b.counters.get('Ip6ReasmOKs')).toBe(1);
        expect(b.ip.reassembly6.octets).toBe(0);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('65,535 octets behind the base header are put together', () => {
    const b = bench6();
    const whole = pattern(65_535);
    let verdict: Verdict = Verdict.DONE;
    for (const part of cut6({ next: 17 }, whole, 1232)) verdict = b.arrive6(part);
    expect(verdict).toBe(Verdict.DELIVER);
    expectSame(got(b), whole);
  });

  test('headers before the Fragment header stay, those behind it are walked', () => {
    const b = bench6();
    const dest = [17, 0, 1, 4, 0, 0, 0, 0];
    const inner = concat([Uint8Array.from(dest), udp6({}, [4000, 7], pattern(100))]);
    for (const [i, part] of cut6({ next: 60 }, inner, 64).entries()) {
      // A destination header in front of each fragment.
      const framed = ip6({ next: 60, payload: [44, 0, 1, 4, 0, 0, 0, 0, ...part.slice(40)] });
      expect(b.arrive6(framed)).toBe(i === 1 ? Verdict.DELIVER : Verdict.DONE);
    }
    expect(b.ip.rx.protocol).toBe(17);
    expect(b.ip.rx.l4Len).toBe(108);
  });

  test.each([
    ['length not a multiple of eight with more to come', 0, true, 12, [0, 4]],
    ['an end beyond 65,535', 65_528, false, 24, [0, 42]],
  ])('%s: Parameter Problem', (_name, offset, more, n, [code, pointer]) => {
    const b = bench6();
    b.feed(part6({}, offset, more, 1, pattern(n)));
    const [answer] = b.sent() as [Uint8Array];
    expect([answer[40], answer[41], answer[47]]).toEqual([4, code, pointer]);
    expect(b.ip.reassembly6.datagrams).toBe(0);
  });

  test('an overlap kills the datagram and what still comes of it, in silence (RFC 5722 §4)', () => {
    const b = bench6();
    b.feed(part6({}, 0, true, 9, pattern(64)));
    b.feed(part6({}, 56, true, 9, pattern(64)));
    b.feed(part6({}, 120, false, 9, pattern(8)));
    b.feed(part6({}, 64, true, 9, pattern(56)));
    expect(b.sent()).toEqual([]);
    expect(new Set(b.reasons())).toEqual(new Set(['FRAG_OVERLAP']));
    b.advance(60_000_001);
    expect(b.sent()).toEqual([]);
    expect(b.ip.reassembly6.octets).toBe(0);
  });

  test('sixty seconds, then Time Exceeded if the first fragment came (§4.5)', () => {
    const b = bench6();
    const first = part6({}, 0, true, 5, udp6({}, [1, 2], pattern(40)));
    b.feed(first);
    b.feed(part6({}, 1000, false, 6, pattern(8)));
    b.advance(59_999_000);
    expect(b.sent()).toEqual([]);
    b.advance(2000);
    const sent = b.sent() as [Uint8Array];
    expect(sent.length).toBe(1);
    expect([sent[0][40], sent[0][41]]).toEqual([3, 1]);
    expect(sum6(OWN, PEER, 58, sent[0].slice(40))).toBe(0);
    expect(sent[0].slice(48)).toEqual(first);
    expect(b.counters.get('Ip6ReasmTimeout')).toBe(2);
  });

  test('different identifications and sources do not mix', () => {
    const b = bench6();
    b.arrive6(part6({}, 0, true, 1, pattern(16)));
    expect(b.arrive6(part6({}, 16, false, 2, pattern(8)))).toBe(Verdict.DONE);
    const other = { src: '2001:db8:1::9' };
    expect(b.arrive6(part6(other, 16, false, 1, pattern(8)))).toBe(Verdict.DONE);
    expect(b.arrive6(part6({}, 16, false, 1, pattern(8)))).toBe(Verdict.DELIVER);
  });

  test('one /64 keeps no more than its share, whatever addresses it sends from', () => {
    const b = bench6();
    for (let i = 0; i < 4000; i++) {
      b.arrive6(part6({ src: `2001:db8:7::${(i + 1).toString(16)}` }, 0, true, i, pattern(1024)));
    }
    expect(b.ip.reassembly6.octets).toBeLessThanOrEqual(1 << 20);
    expect(b.ip.reassembly6.sources).toBe(1);
  });
});
