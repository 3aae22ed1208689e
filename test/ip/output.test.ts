import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { TxFlag } from '../../src/base/tx.ts';
import { Idents } from '../../src/ip/ident.ts';
import { Verdict } from '../../src/ip/ip.ts';
import { aim, begin, Path, selectPath, send } from '../../src/ip/output.ts';
import { Bench, concat, expectSame, pattern, prefix, referenceSum } from './fixture.ts';

interface Shape {
  mtu?: number;
  flags?: number;
  protocol?: number;
  csumOffset?: number;
  pieces?: number[];
  dst?: number;
}

/** Sends `data` as a transport would: the first part in the slab, the rest in pieces. */
function transmit(b: Bench, data: Uint8Array, shape: Shape = {}): number {
  const path = new Path();
  path.dst2 = 0xffff;
  path.dst3 = shape.dst ?? 0x0a000001;
  b.device.mtu = shape.mtu ?? 1500;
  expect(selectPath(b.ip, path)).toBe(0);
  const pieces = shape.pieces ?? [];
  const inSlab = data.length - pieces.reduce((a, n) => a + n, 0);
  const l4 = begin(b.ip, 4, inSlab);
  b.slab.u8.set(data.subarray(0, inSlab), l4);
  const tx = b.ip.tx;
  tx.reset();
  tx.protocol = shape.protocol ?? 17;
  tx.csumOffset = shape.csumOffset ?? 0;
  tx.flags = shape.flags ?? 0;
  tx.tos = 0;
  tx.ttl = 0;
  let at = inSlab;
  for (const n of pieces) {
    // Each piece in a buffer of its own, at an odd place.
    const buf = new Uint8Array(n + 7);
    buf.set(data.subarray(at, at + n), 3);
    tx.gather(buf, 3, n);
    at += n;
  }
  aim(b.ip, path);
  return send(b.ip, path, data.length);
}

function checkHeader(bytes: Uint8Array): void {
  expect(bytes[0]).toBe(0x45);
  expect(referenceSum(bytes.subarray(0, 20))).toBe(0);
  expect(((bytes[2] as number) << 8) | (bytes[3] as number)).toBe(bytes.length);
}

/** Puts what was sent together again with the rules of RFC 791, in the test's own way. */
function rebuilt(parts: Uint8Array[]): Uint8Array {
  const out: Uint8Array[] = [];
  let at = 0;
  for (const [i, part] of parts.entries()) {
    checkHeader(part);
    const word = ((part[6] as number) << 8) | (part[7] as number);
    expect((word & 0x1fff) * 8).toBe(at);
    expect((word & 0x2000) !== 0).toBe(i < parts.length - 1);
    expect(word & 0x4000).toBe(0);
    if (i < parts.length - 1) expect((part.length - 20) % 8).toBe(0);
    out.push(part.subarray(20));
    at += part.length - 20;
  }
  return concat(out);
}

test('a packet that fits goes whole, with the default TTL (RFC 1122 §3.2.1.7)', () => {
  const b = new Bench();
  expect(transmit(b, pattern(1480), { flags: TxFlag.DF })).toBe(0);
  const [packet] = b.sent() as [Uint8Array];
  checkHeader(packet);
  expect(packet.slice(20)).toEqual(pattern(1480));
  expect(packet[8]).toBe(64);
  expect([...packet.slice(12, 20)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
  expect([...packet.slice(4, 8)]).toEqual([0, 0, 0x40, 0]);
});

describe('too large', () => {
  test('with DF it is EMSGSIZE and nothing leaves (RFC 6864 §4.1)', () => {
    const b = new Bench();
    expect(transmit(b, pattern(1481), { flags: TxFlag.DF })).toBe(-90);
    expect(b.sent()).toEqual([]);
    expect(b.counters.get('IpFragFails')).toBe(1);
  });

  test('beyond 65,535 octets it is EMSGSIZE', () => {
    expect(transmit(new Bench(), pattern(65_516))).toBe(-90);
    expect(transmit(new Bench(), pattern(65_515))).toBe(0);
  });

  test('without DF it goes in fragments that are the original again (RFC 791 §3.2)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 28, max: 1500 }),
        fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 6 }),
        (inSlab, mtu, pieces) => {
          const b = new Bench();
          const data = pattern(8 + inSlab + pieces.reduce((x, n) => x + n, 0), mtu);
          expect(transmit(b, data, { mtu, pieces })).toBe(0);
          const parts = b.sent();
          for (const part of parts) expect(part.length).toBeLessThanOrEqual(mtu);
          if (data.length + 20 <= mtu) expect(parts.length).toBe(1);
          expectSame(rebuilt(parts), data);
          expect(new Set(parts.map((p) => p.slice(4, 6).join())).size).toBe(1);
        },
      ),
      { numRuns: 80, seed: 21 },
    );
  });

  test('what goes out in fragments is one datagram for the reassembler', () => {
    const b = new Bench();
    const other = new Bench();
    transmit(b, pattern(65_515), { mtu: 576 });
    let verdict: number = Verdict.DONE;
    const parts = b.sent();
    expect(parts.length).toBe(119);
    // The other host has the sender's destination as its own address.
    other.address('10.0.0.1/24');
    other.ip.addresses.remove(1, prefix('10.0.0.2/24'), false);
    for (const part of parts) verdict = other.arrive(part);
    expect(verdict).toBe(Verdict.DELIVER);
    const rx = other.ip.rx;
    expectSame(rx.u8.slice(rx.l4Off, rx.l4Off + rx.l4Len), pattern(65_515));
  });

  test('the transport checksum is completed before cutting, over odd pieces too (RFC 768)', () => {
    for (const pieces of [[], [1001], [333, 7, 1, 500], [1, 1, 1, 1]]) {
      const b = new Bench();
      const n = 8 + 700 + pieces.reduce((x, k) => x + k, 0);
      const data = pattern(n);
      data.set([0x10, 0, 0x20, 0, n >>> 8, n & 255, 0, 0]);
      expect(transmit(b, data, { mtu: 300, pieces, csumOffset: 6 })).toBe(0);
      const whole = rebuilt(b.sent());
      const pseudo = Uint8Array.from([10, 0, 0, 2, 10, 0, 0, 1, 0, 17, n >>> 8, n & 255]);
      expect(referenceSum(concat([pseudo, whole]))).toBe(0);
    }
  });

  test('an arena too small for the parts at hand is flushed without losing the packet', () => {
    const b = new Bench({ txArenaOctets: 24_000 });
    for (let i = 0; i < 30; i++) {
      const data = pattern(9000 + i, i);
      expect(transmit(b, data, { mtu: 576 })).toBe(0);
      expectSame(rebuilt(b.device.take()), data);
    }
    expect(b.device.flushes).toBeGreaterThan(10);
  });

  test('an arena that can never hold the headers is EMSGSIZE', () => {
    const b = new Bench({ txArenaOctets: 70_000 });
    expect(transmit(b, pattern(60_000), { mtu: 68 })).toBe(-90);
    expect(b.sent()).toEqual([]);
  });
});

test('a full link is ENOBUFS, and counted (PortsideTxFull, FULL_RING)', () => {
  const b = new Bench();
  b.device.full = true;
  expect(transmit(b, pattern(10))).toBe(-105);
  expect(b.counters.get('PortsideTxFull')).toBe(1);
  expect(b.counters.snapshot().drops.FULL_RING).toBe(1);
});

test('a destination of our own goes by loopback, whatever its size', () => {
  const b = new Bench();
  expect(transmit(b, pattern(60_000), { dst: 0x0a000002 })).toBe(0);
  expect(b.loopback.pending).toBe(1);
  expect(b.sent()).toEqual([]);
});

test('begin flushes a full arena and goes on', () => {
  const b = new Bench({ txArenaOctets: 65_536 });
  for (let i = 0; i < 1000; i++) begin(b.ip, 4, 200);
  expect(b.device.flushes).toBeGreaterThan(2);
  expect(() => begin(b.ip, 4, 70_000)).toThrow(/more room wanted/);
});

describe('identification (RFC 6864 §4)', () => {
  test('zero with DF; without, no repeat within 65,536 of a flow, whatever others send', () => {
    const ids = new Idents(new SeededRandom(3));
    const seen = new Set<number>();
    for (let i = 0; i < 65_536; i++) {
      seen.add(ids.next(1, 2, 17));
      if (i % 3 === 0) ids.next(1, i, 17);
    }
    // A flow evicted by others goes on above what its set has seen: hardly anything is skipped.
    expect(seen.size).toBeGreaterThan(65_000);
  });

  test('no repeat in a flow that is left alone', () => {
    const ids = new Idents(new SeededRandom(4));
    const seen = new Set<number>();
    for (let i = 0; i < 65_536; i++) seen.add(ids.next(1, 2, 17));
    expect(seen.size).toBe(65_536);
  });

  test('one flow tells nothing of another', () => {
    const ids = new Idents(new SeededRandom(5));
    const a = ids.next(1, 2, 17);
    for (let i = 0; i < 100; i++) ids.next(1, 3, 17);
    expect(ids.next(1, 2, 17)).toBe((a + 1) & 0xffff);
    const starts = new Set<number>();
    for (let i = 0; i < 1000; i++) starts.add(ids.next(7, i, 17));
    expect(starts.size).toBeGreaterThan(950);
  });
});
