import { describe, expect, test } from 'vitest';
import { TxFlag } from '../../src/base/tx.ts';
import { LinkCap } from '../../src/link/link.ts';
import { Offload, offloaded } from '../../src/link/offload.ts';
import { decode, Wire } from '../../src/sim/decode.ts';
import { sum } from '../../src/wire/checksum.ts';
import { Sink, txOf } from './tx-kit.ts';

function decoded(octets: Uint8Array, partial = false): Wire {
  const w = new Wire();
  expect(decode(octets, 0, octets.length, w, partial)).toBe('');
  return w;
}

describe('completes transport checksums', () => {
  test.each([
    { name: 'TCP without payload', protocol: 'tcp' as const, copied: 0, pieces: [] },
    { name: 'TCP, payload behind the header', protocol: 'tcp' as const, copied: 101, pieces: [] },
    { name: 'TCP, one piece', protocol: 'tcp' as const, copied: 0, pieces: [1448] },
    { name: 'odd pieces in a row', protocol: 'tcp' as const, copied: 3, pieces: [1, 7, 2, -5, 9] },
    { name: 'odd header, then even', protocol: 'tcp' as const, copied: 1, pieces: [100, 64, 33] },
    { name: 'a piece in the slab', protocol: 'tcp' as const, copied: 0, pieces: [-999] },
    { name: 'UDP', protocol: 'udp' as const, copied: 12, pieces: [5, 6] },
  ])('$name (RFC 1071)', ({ protocol, copied, pieces }) => {
    const { slab, tx, payload } = txOf({ protocol, copied, pieces });
    const sink = new Sink(slab);
    const link = new Offload(sink, slab, sum);
    expect(link.transmit(tx)).toBe(true);
    const sent = sink.packets[0];
    const w = decoded(sent?.octets as Uint8Array);
    expect(sent?.octets.slice(w.data)).toEqual(payload);
    expect((sent?.flags ?? 0) & TxFlag.NEEDS_CSUM).toBe(0);
  });

  test('a UDP sum of zero goes out as 0xffff (RFC 768)', () => {
    const { slab, tx } = txOf({ protocol: 'udp', pieces: [2] });
    // choose the two octets of payload so that everything sums to 0xffff
    const piece = tx.pieceBuf[0] as Uint8Array;
    piece.fill(0, 5, 7);
    const l4 = tx.headerOff + 20;
    const rest = sum(slab.u8, l4, 8, 0);
    const fill = 0xffff - ((rest & 0xffff) + (rest >>> 16));
    piece[5] = fill >>> 8;
    piece[6] = fill & 0xff;
    const sink = new Sink(slab);
    new Offload(sink, slab, sum).transmit(tx);
    const octets = sink.packets[0]?.octets as Uint8Array;
    expect([octets[26], octets[27]]).toEqual([0xff, 0xff]);
    decoded(octets);
  });

  test('a refused packet may be sent again and has a right sum then', () => {
    const { slab, tx } = txOf({ copied: 50, pieces: [51] });
    const sink = new Sink(slab);
    sink.room = 0;
    const link = new Offload(sink, slab, sum);
    expect(link.transmit(tx)).toBe(false);
    sink.room = 1;
    expect(link.transmit(tx)).toBe(true);
    decoded(sink.packets[0]?.octets as Uint8Array);
  });
});

describe('cuts TCP super-segments', () => {
  const FIN_PSH_CWR_ACK = 0x01 | 0x08 | 0x80 | 0x10;
  const shape = {
    copied: 30,
    pieces: [1000, 3, -2500, 1],
    gsoSize: 1000,
    seq: 0xfffffe00,
    flags: FIN_PSH_CWR_ACK,
    options: Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2),
  };

  test('sequence numbers, lengths, identifications and payload are right across the wrap', () => {
    const { slab, tx, payload } = txOf(shape);
    const sink = new Sink(slab);
    expect(new Offload(sink, slab, sum).transmit(tx)).toBe(true);
    const parts = sink.packets.map((p) => ({ octets: p.octets, w: decoded(p.octets) }));
    expect(parts.map((p) => p.w.dataLen)).toEqual([1000, 1000, 1000, 534]);
    expect(parts.map((p) => p.w.seq >>> 0)).toEqual([0xfffffe00, 0x1e8, 0x5d0, 0x9b8]);
    expect(parts.map((p) => p.w.id)).toEqual([0x1234, 0x1235, 0x1236, 0x1237]);
    expect(parts.every((p) => p.w.hasTs && p.w.ack === 77)).toBe(true);
    const all = parts.flatMap((p) => [...p.octets.subarray(p.w.data, p.w.end)]);
    expect(Uint8Array.from(all)).toEqual(payload);
  });

  test('FIN and PSH stand on the last, CWR on the first (RFC 3168 §6.1.2)', () => {
    const { slab, tx } = txOf(shape);
    const sink = new Sink(slab);
    new Offload(sink, slab, sum).transmit(tx);
    const flags = sink.packets.map((p) => decoded(p.octets).flags);
    expect(flags).toEqual([0x90, 0x10, 0x10, 0x19]);
  });

  test('a link that sums but does not cut gets partial sums of each segment', () => {
    const { slab, tx } = txOf(shape);
    const sink = new Sink(slab, LinkCap.TX_CSUM);
    new Offload(sink, slab, sum).transmit(tx);
    expect(sink.packets).toHaveLength(4);
    for (const p of sink.packets) {
      expect(p.flags & TxFlag.NEEDS_CSUM).toBe(TxFlag.NEEDS_CSUM);
      expect(p.gsoSize).toBe(0);
      decoded(p.octets, true);
    }
  });

  test('a link that cuts gets the super-segment whole', () => {
    const { slab, tx } = txOf(shape);
    const sink = new Sink(slab, LinkCap.TX_CSUM | LinkCap.TSO4);
    new Offload(sink, slab, sum).transmit(tx);
    expect(sink.packets.map((p) => p.gsoSize)).toEqual([1000]);
  });

  test('a ring that fills half-way loses the rest, as a network would', () => {
    const { slab, tx } = txOf(shape);
    const sink = new Sink(slab);
    sink.room = 2;
    expect(new Offload(sink, slab, sum).transmit(tx)).toBe(true);
    expect(sink.packets).toHaveLength(2);
    const second = txOf(shape);
    const full = new Sink(second.slab);
    full.room = 0;
    expect(new Offload(full, second.slab, sum).transmit(second.tx)).toBe(false);
  });

  test('a small header region is flushed early and loses nothing', () => {
    const { slab, tx, payload } = txOf({ pieces: [60_000], gsoSize: 500 });
    const sink = new Sink(slab);
    const link = new Offload(sink, slab, sum, 1024);
    expect(link.transmit(tx)).toBe(true);
    expect(sink.packets).toHaveLength(120);
    expect(sink.flushes).toBeGreaterThan(10);
    const all = sink.packets.flatMap((p) => [...p.octets.subarray(decoded(p.octets).data)]);
    expect(Uint8Array.from(all)).toEqual(payload);
  });
});

test('cuts UDP super-datagrams into datagrams of their own length', () => {
  const { slab, tx, payload } = txOf({ protocol: 'udp', pieces: [1000, 701], gsoSize: 400 });
  const sink = new Sink(slab);
  new Offload(sink, slab, sum).transmit(tx);
  const parts = sink.packets.map((p) => ({ octets: p.octets, w: decoded(p.octets) }));
  expect(parts.map((p) => p.w.dataLen)).toEqual([400, 400, 400, 400, 101]);
  const all = parts.flatMap((p) => [...p.octets.subarray(p.w.data, p.w.end)]);
  expect(Uint8Array.from(all)).toEqual(payload);
});

test('a link that can do everything is not wrapped', () => {
  const { slab } = txOf({});
  const able = new Sink(slab, LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO);
  expect(offloaded(able, slab, sum)).toBe(able);
  const plain = new Sink(slab);
  const wrapped = offloaded(plain, slab, sum);
  expect(wrapped.caps).toBe(15);
  wrapped.mtu = 1280;
  expect(plain.mtu).toBe(1280);
});
