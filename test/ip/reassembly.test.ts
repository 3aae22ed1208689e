import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Verdict } from '../../src/ip/ip.ts';
import { Bench, cut, expectSame, ip4, pattern, udpPacket } from './fixture.ts';

const empty = (b: Bench): void => {
  expect(b.ip.reassembly.datagrams).toBe(0);
  expect(b.ip.reassembly.octets).toBe(0);
  expect(b.ip.reassembly.sources).toBe(0);
};

const payload = (b: Bench): Uint8Array => {
  const rx = b.ip.rx;
  return rx.u8.slice(rx.l4Off, rx.l4Off + rx.l4Len);
};

describe('any order gives the original (RFC 815)', () => {
  test('random permutations with random duplicates', () => {
    const arb = fc.record({
      size: fc.integer({ min: 0, max: 4000 }),
      step: fc.integer({ min: 8, max: 64 }),
      order: fc.infiniteStream(fc.nat(1_000_000)),
    });
    fc.assert(
      fc.property(arb, ({ size, step, order }) => {
        const b = new Bench();
        const whole = udpPacket(pattern(size));
        const left = cut(whole, step * 8);
        if (left.length === 1) return;
        const given: Uint8Array[] = [];
        let verdict: Verdict = Verdict.DONE;
        while (left.length > 0) {
          const pick = order.next().value as number;
          if (given.length > 0 && pick % 5 === 0) {
            b.arrive(given[pick % given.length] as Uint8Array);
            continue;
          }
          expect(verdict).toBe(Verdict.DONE);
          const part = left.splice(pick % left.length, 1)[0] as Uint8Array;
          given.push(part);
          verdict = b.arrive(part);
        }
        expect(verdict).toBe(Verdict.DELIVER);
        expectSame(payload(b), whole.slice(20));
        expect(b.ip.rx.len).toBe(whole.length);
        expect(b.counters.get('IpReasmOKs')).toBe(1);
        expect(new Set(b.reasons())).toEqual(new Set(b.counters.drops[37] ? ['DUP_FRAG'] : []));
        empty(b);
      }),
      { numRuns: 100, seed: 11 },
    );
  });

  test('65,535 octets at an MTU of 576, last fragment first', () => {
    const b = new Bench();
    const whole = ip4({ proto: 17, payload: pattern(65_515) });
    const parts = cut(whole, 552).reverse();
    expect(parts.length).toBe(119);
    let verdict: Verdict = Verdict.DONE;
    for (const part of parts) verdict = b.arrive(part);
    expect(verdict).toBe(Verdict.DELIVER);
    expect(b.ip.rx.len).toBe(65_535);
    expectSame(payload(b), whole.slice(20));
  });

  test('two datagrams with different IDs, protocols and hosts do not mix (RFC 791 §3.2)', () => {
    const b = new Bench();
    const kinds = [
      { id: 1, proto: 17, src: '10.0.0.1' },
      { id: 2, proto: 17, src: '10.0.0.1' },
      { id: 1, proto: 1, src: '10.0.0.1' },
      { id: 1, proto: 17, src: '10.0.0.7' },
    ];
    for (const [i, k] of kinds.entries()) {
      b.arrive(ip4({ ...k, frag: 0x2000, payload: pattern(16, i) }));
    }
    expect(b.ip.reassembly.datagrams).toBe(4);
    for (const [i, k] of kinds.entries()) {
      expect(b.arrive(ip4({ ...k, frag: 2, payload: [9] }))).toBe(Verdict.DELIVER);
      expect(payload(b)).toEqual(Uint8Array.from([...pattern(16, i), 9]));
    }
    empty(b);
  });

  test("the header of the first fragment is the datagram's, with length, flags and sum put right", () => {
    const b = new Bench();
    const first = { id: 7, tos: 0x10, ttl: 9, options: [1, 1, 1, 0] };
    b.arrive(ip4({ ...first, frag: 0x2000, payload: pattern(8) }));
    expect(b.arrive(ip4({ id: 7, frag: 1, ttl: 3, payload: [1, 2] }))).toBe(Verdict.DELIVER);
    const rx = b.ip.rx;
    const want = ip4({ ...first, payload: [...pattern(8), 1, 2] });
    expect(rx.u8.slice(rx.off, rx.off + rx.len)).toEqual(want);
    expect([rx.ttl, rx.tos, rx.ipHeaderLen]).toEqual([9, 0x10, 24]);
  });
});

describe('what kills a datagram', () => {
  const part = (from: number, to: number, more = true, seed = 1): Uint8Array =>
    ip4({
      id: 5,
      frag: (more ? 0x2000 : 0) | (from / 8),
      payload: pattern(256, seed).slice(from, to),
    });
  const rows: [string, Uint8Array[], string][] = [
    ['teardrop: inside the one before', [part(0, 64), part(24, 32)], 'FRAG_OVERLAP'],
    ['starts in the one before', [part(0, 64), part(56, 72)], 'FRAG_OVERLAP'],
    ['reaches into the one behind', [part(64, 128), part(0, 72)], 'FRAG_OVERLAP'],
    ['covers the one behind', [part(64, 72), part(0, 128)], 'FRAG_OVERLAP'],
    ['same start, longer', [part(0, 64), part(0, 72)], 'FRAG_OVERLAP'],
    ['same start, shorter', [part(0, 64), part(0, 56)], 'FRAG_OVERLAP'],
    ['same place, other octets', [part(0, 64), part(0, 64, true, 2)], 'FRAG_OVERLAP'],
    ['two different ends', [part(64, 128, false), part(128, 192, false)], 'FRAG_OVERLAP'],
    ['an end before what is held', [part(128, 192), part(64, 96, false)], 'FRAG_OVERLAP'],
    ['something behind the end', [part(64, 128, false), part(128, 192)], 'FRAG_OVERLAP'],
    ['the end again, now with more to come', [part(64, 128, false), part(64, 128)], 'FRAG_OVERLAP'],
  ];
  test.each(rows)('%s (CVE-1999-0015, RFC 5722)', (_name, parts, reason) => {
    const b = new Bench();
    for (const p of parts) expect(b.arrive(p)).toBe(Verdict.DONE);
    expect(new Set(b.reasons())).toEqual(new Set([reason]));
    // Every fragment that was held is counted, and the memory is free but for the marker.
    expect(b.counters.drops[56]).toBe(parts.length);
    expect(b.ip.reassembly.octets).toBeLessThanOrEqual(512);
    // What still comes finds a dead datagram, even if it would be complete now.
    for (const p of [part(0, 64), part(64, 128), part(128, 192, false)]) b.arrive(p);
    expect(b.counters.get('IpReasmOKs')).toBe(0);
    b.advance(30_000_000);
    empty(b);
    expect(b.sent()).toEqual([]);
  });

  test('exact duplicates are ignored alone (RFC 8200 §4.5)', () => {
    const b = new Bench();
    for (const p of [part(0, 64), part(0, 64), part(64, 96, false), part(64, 96, false)])
      b.arrive(p);
    expect(b.reasons()).toEqual(['DUP_FRAG']);
    expect(b.counters.get('IpReasmOKs')).toBe(1);
  });

  const lengths: [string, Uint8Array, string][] = [
    ['more to come, not a multiple of 8', ip4({ frag: 0x2000, payload: pattern(15) }), 'IP_INHDR'],
    ['nothing in it', ip4({ frag: 0x2000 }), 'IP_INHDR'],
    ['nothing in the last', ip4({ frag: 5 }), 'IP_INHDR'],
    ['ping of death', ip4({ frag: 8189, payload: pattern(100) }), 'PKT_TOO_BIG'],
    ['one octet past 65,535', ip4({ frag: 8189, payload: pattern(4) }), 'PKT_TOO_BIG'],
  ];
  test.each(lengths)('%s (RFC 791 §3.2, CVE-1999-0128)', (_name, bytes, reason) => {
    const b = new Bench();
    expect(b.arrive(bytes)).toBe(Verdict.DONE);
    expect(b.reasons()).toEqual([reason]);
    empty(b);
  });

  test('the very last octet of 65,535 is still legal', () => {
    const b = new Bench();
    b.arrive(ip4({ frag: 8189, payload: pattern(3) }));
    expect(b.reasons()).toEqual([]);
  });

  test('a long header of the first fragment that makes the whole too long (Ripple20)', () => {
    const b = new Bench();
    const options = new Array<number>(40).fill(1);
    b.arrive(ip4({ id: 5, frag: 8189, payload: pattern(3) }));
    const parts = cut(ip4({ payload: pattern(65_512) }), 1480, 5);
    const first = parts.shift() as Uint8Array;
    for (const p of parts) {
      const more = p.slice();
      more[6] = (more[6] as number) | 0x20;
      b.arrive(
        ip4({
          id: 5,
          frag: ((more[6] as number) << 8) | (more[7] as number),
          payload: p.slice(20),
        }),
      );
    }
    expect(b.arrive(ip4({ id: 5, options, frag: 0x2000, payload: first.slice(20) }))).toBe(
      Verdict.DONE,
    );
    expect(new Set(b.reasons())).toEqual(new Set(['PKT_TOO_BIG']));
    empty(b);
  });
});

describe('time (RFC 1122 §3.3.2)', () => {
  test('after 30 s from the first to come, whatever came later, and only then', () => {
    const b = new Bench();
    b.arrive(ip4({ frag: 0x2002, payload: pattern(8) }));
    const deadline = b.ip.reassembly.nextDeadline();
    expect(deadline).toBe(b.ip.nowUs + 30_000_000);
    b.advance(29_999_999);
    b.arrive(ip4({ frag: 0x2001, payload: pattern(8) }));
    expect(b.ip.reassembly.nextDeadline()).toBe(deadline);
    expect(b.ip.reassembly.datagrams).toBe(1);
    b.advance(1);
    empty(b);
    expect(b.ip.reassembly.nextDeadline()).toBe(Infinity);
    expect(b.counters.get('IpReasmTimeout')).toBe(1);
    expect(b.counters.drops[38]).toBe(2);
    // Fragment 0 never came: no Time Exceeded.
    expect(b.sent()).toEqual([]);
  });

  test('Time Exceeded code 1 quotes the first fragment as it came', () => {
    const b = new Bench();
    const first = ip4({ src: '192.0.2.9', id: 77, frag: 0x2000, payload: pattern(64) });
    b.arrive(first);
    b.arrive(ip4({ src: '192.0.2.9', id: 77, frag: 0x2010, payload: pattern(64) }));
    b.advance(30_000_000);
    const out = b.sent();
    expect(out.length).toBe(1);
    const reply = out[0] as Uint8Array;
    expect([...reply.slice(16, 20)]).toEqual([192, 0, 2, 9]);
    expect([...reply.slice(20, 22)]).toEqual([11, 1]);
    expect(reply.slice(28)).toEqual(first);
    expect(b.counters.get('IcmpOutTimeExcds')).toBe(1);
    empty(b);
  });

  test('none about fragments sent to a broadcast', () => {
    const b = new Bench();
    b.arrive(ip4({ dst: '10.0.0.255', frag: 0x2000, payload: pattern(64) }));
    b.advance(30_000_000);
    expect(b.sent()).toEqual([]);
  });
});

describe('bounds (CVE-2018-5391, reliability T10)', () => {
  test('one source cannot hold more than its share, and its oldest goes first', () => {
    const b = new Bench({ reassemblyMaxOctetsPerSource: 20_000 });
    for (let id = 0; id < 500; id++) {
      b.arrive(ip4({ id, frag: 0x2000, payload: pattern(1400) }));
      expect(b.ip.reassembly.octets).toBeLessThanOrEqual(20_000);
    }
    const held = b.ip.reassembly.datagrams;
    expect(held).toBe(9);
    expect(b.arrive(ip4({ id: 499, frag: 175, payload: [1] }))).toBe(Verdict.DELIVER);
    expect(b.arrive(ip4({ id: 1, frag: 175, payload: [1] }))).toBe(Verdict.DONE);
    b.advance(30_000_000);
    empty(b);
  });

  test('many sources cannot hold more than the cap, and the least recently touched goes first', () => {
    const b = new Bench({ reassemblyMaxOctets: 60_000 });
    const src = (i: number): string => `198.51.${i >> 8}.${i & 255 || 1}`;
    b.arrive(ip4({ src: '192.0.2.1', frag: 0x2000, payload: pattern(8) }));
    for (let i = 0; i < 3000; i++) {
      b.arrive(ip4({ src: src(i % 1000), id: i, frag: 0x2000, payload: pattern(1000) }));
      expect(b.ip.reassembly.octets).toBeLessThanOrEqual(60_000);
      // Touched again and again: stays.
      if (i % 10 === 0) {
        b.arrive(ip4({ src: '192.0.2.1', frag: 0x2001 + i / 10, payload: pattern(8, i) }));
      }
    }
    expect(b.ip.reassembly.sources).toBeLessThanOrEqual(40);
    expect(b.counters.get('IpReasmFails')).toBeGreaterThan(2900);
    b.advance(30_000_000);
    empty(b);
  });

  test('a datagram has at most 128 fragments', () => {
    const b = new Bench();
    for (let i = 0; i < 128; i++) b.arrive(ip4({ frag: 0x2000 + 2 * i, payload: pattern(8) }));
    expect(b.reasons()).toEqual([]);
    b.arrive(ip4({ frag: 0x2000 + 256, payload: pattern(8) }));
    expect(b.reasons()).toEqual(['FRAG_TOO_FAR']);
    expect(b.ip.reassembly.octets).toBeLessThanOrEqual(512);
  });

  test('the number of datagrams is capped', () => {
    const b = new Bench({ reassemblyMaxDatagrams: 50 });
    for (let id = 0; id < 1000; id++) b.arrive(ip4({ id, frag: 0x2000, payload: pattern(8) }));
    expect(b.ip.reassembly.datagrams).toBe(50);
  });

  test('one datagram that is larger than the share is given up itself', () => {
    const b = new Bench({ reassemblyMaxOctetsPerSource: 4000 });
    for (let i = 0; i < 10; i++) b.arrive(ip4({ frag: 0x2000 + i * 125, payload: pattern(1000) }));
    expect(b.ip.reassembly.octets).toBeLessThanOrEqual(4000);
  });
});

describe('ECN of fragments (RFC 3168 §5.3)', () => {
  const rows: [string, number[], number | null][] = [
    ['none', [0, 0], 0],
    ['ECT(0) and ECT(0)', [2, 2], 2],
    ['one met congestion', [2, 3], 3],
    ['the first met congestion', [3, 2], 3],
    ['CE beside Not-ECT', [0, 3], null],
    ['Not-ECT beside CE', [3, 0], null],
  ];
  test.each(rows)('%s', (_name, [first, second], want) => {
    const b = new Bench();
    b.arrive(ip4({ tos: 0x40 | (first as number), frag: 0x2000, payload: pattern(8) }));
    const verdict = b.arrive(ip4({ tos: 0x40 | (second as number), frag: 1, payload: pattern(8) }));
    expect(verdict).toBe(want === null ? Verdict.DONE : Verdict.DELIVER);
    if (want !== null) expect(b.ip.rx.tos).toBe(0x40 | want);
    empty(b);
  });
});

test('random fragments never throw, never exceed the caps, and all is free in the end', () => {
  const b = new Bench({ reassemblyMaxOctets: 30_000, reassemblyMaxDatagrams: 20 });
  const arb = fc.record({
    id: fc.nat(6),
    offset: fc.nat(8191),
    near: fc.boolean(),
    more: fc.boolean(),
    size: fc.nat(200),
    src: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(arb, { maxLength: 60 }), (steps) => {
      for (const s of steps) {
        const frag = (s.more ? 0x2000 : 0) | (s.near ? s.offset & 15 : s.offset);
        b.arrive(
          ip4({ src: `10.0.0.${10 + s.src}`, id: s.id, frag, payload: pattern(s.size & ~7) }),
        );
        expect(b.ip.reassembly.octets).toBeLessThanOrEqual(30_000);
      }
      b.advance(1_000_000);
    }),
    { numRuns: 300, seed: 13 },
  );
  b.advance(31_000_000);
  empty(b);
});
