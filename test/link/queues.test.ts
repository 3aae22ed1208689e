import { describe, expect, test } from 'vitest';
import { RxFlag } from '../../src/base/rx.ts';
import { POISON, Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { Loopback } from '../../src/link/loopback.ts';
import { PacketRing } from '../../src/link/packet-ring.ts';
import { Cable } from '../../src/link/pair.ts';
import { txOf } from './tx-kit.ts';

function packet(slab: Slab, at: number, len: number, mark: number): Tx {
  slab.u8.fill(mark, at, at + len);
  const tx = new Tx();
  tx.headerOff = at;
  tx.headerLen = len;
  return tx;
}

describe('the packet ring', () => {
  test('gives packets back in order through many wraps, whatever their sizes', () => {
    const slab = new Slab(1 << 18, true);
    const scratch = slab.reserve(8192);
    const ring = new PacketRing(slab, 10_000, 16);
    const waiting: { len: number; mark: number }[] = [];
    let got = 0;
    for (let i = 0; i < 5000; i++) {
      const len = 1 + ((i * 7919) % 3000);
      const mark = i & 0x7f;
      if (ring.put(packet(slab, scratch, len, mark), slab, 0)) waiting.push({ len, mark });
      if (i % 3 !== 0 || !ring.shift()) continue;
      const want = waiting.shift();
      expect(ring.len).toBe(want?.len);
      expect(slab.u8[ring.off]).toBe(want?.mark);
      expect(slab.u8[ring.off + ring.len - 1]).toBe(want?.mark);
      ring.release();
      got++;
    }
    expect(got).toBeGreaterThan(1000);
    expect(ring.full).toBeGreaterThan(100);
  });

  test('a shifted packet keeps its place until release, and is poisoned then', () => {
    const slab = new Slab(1 << 16, true);
    const scratch = slab.reserve(256);
    const ring = new PacketRing(slab, 256, 8);
    expect(ring.put(packet(slab, scratch, 100, 1), slab, 0)).toBe(true);
    expect(ring.put(packet(slab, scratch, 100, 2), slab, 0)).toBe(true);
    expect(ring.shift()).toBe(true);
    const at = ring.off;
    expect(ring.put(packet(slab, scratch, 100, 3), slab, 0)).toBe(false);
    expect(slab.u8[at]).toBe(1);
    ring.release();
    expect(slab.u8[at]).toBe(POISON);
    expect(ring.put(packet(slab, scratch, 100, 3), slab, 0)).toBe(true);
    expect([ring.pending, ring.occupied]).toEqual([2, 2]);
  });

  test('counts the packets that it refuses', () => {
    const slab = new Slab(1 << 16);
    const scratch = slab.reserve(64);
    const ring = new PacketRing(slab, 4096, 2);
    const sent = [1, 2, 3].map((n) => ring.put(packet(slab, scratch, 64, n), slab, 0));
    expect(sent).toEqual([true, true, false]);
    expect(ring.full).toBe(1);
  });
});

describe('the loopback', () => {
  test('carries a super-segment whole and says that its sum is partial', () => {
    const { slab, tx, payload } = txOf({ pieces: [30_000, -30_000], gsoSize: 1400 });
    const lo = new Loopback(slab, 1 << 18, 8);
    expect(lo.transmit(tx)).toBe(true);
    expect(lo.pending).toBe(1);
    expect(lo.shift()).toBe(true);
    expect(lo.flags).toBe(RxFlag.NEEDS_CSUM | RxFlag.LOOPBACK);
    expect([lo.gso & 0xff, lo.gso >>> 8]).toEqual([1, 1400]);
    expect(slab.u8.slice(lo.off + 40, lo.off + lo.len)).toEqual(payload);
    expect(lo.shift()).toBe(false);
  });

  test('a packet with a finished sum is not said to lack one', () => {
    const { slab, tx } = txOf({ copied: 4 });
    tx.flags = 0;
    const lo = new Loopback(slab);
    lo.transmit(tx);
    lo.shift();
    expect(lo.flags).toBe(RxFlag.LOOPBACK);
  });

  test('its MTU is the largest IP packet (RFC 791 §3.1)', () => {
    expect(new Loopback(new Slab(1 << 21)).mtu).toBe(65_535);
  });
});

describe('the cable', () => {
  test('what one end sends the other receives after the flush, into its own slab', () => {
    const { slab, tx, payload } = txOf({ copied: 7, pieces: [100] });
    const far = new Slab(1 << 21);
    const cable = new Cable({ mtu: 1500 });
    const a = cable.end('a');
    const b = cable.end('b');
    a.attach(slab);
    b.attach(far);
    let told = 0;
    b.onPackets = () => told++;
    expect(a.transmit(tx)).toBe(true);
    expect([b.pending, told]).toEqual([0, 0]);
    a.flush();
    expect([b.pending, told]).toEqual([1, 1]);
    expect(b.shift()).toBe(true);
    expect(far.u8.slice(b.off + 40, b.off + b.len)).toEqual(payload);
    expect(b.flags).toBe(RxFlag.NEEDS_CSUM);
    b.release();
    expect(b.shift()).toBe(false);
  });

  test('refuses what is over its MTU, what does not fit, and everything while unplugged', () => {
    const { slab, tx } = txOf({ pieces: [1000] });
    const cable = new Cable({ mtu: 1040, cap: 2 });
    const a = cable.end('a');
    expect(a.transmit(tx)).toBe(false);
    const b = cable.end('b');
    a.attach(slab);
    b.attach(new Slab(1 << 21));
    expect([a.transmit(tx), a.transmit(tx), a.transmit(tx)]).toEqual([true, true, false]);
    b.up = false;
    expect(a.transmit(tx)).toBe(false);
    b.up = true;
    a.mtu = 1039;
    expect(a.transmit(tx)).toBe(false);
    expect(() => cable.end('c')).toThrow(RangeError);
  });
});
