// Datagrams joined in the table that the addon reads: what the kernel is handed for them.

import { describe, expect, it } from 'vitest';
import { Slab } from '../../src/base/slab.ts';
import { Tx, TxFlag } from '../../src/base/tx.ts';
import { DatagramMerge } from '../../src/node/datagram-merge.ts';
import { TxTable } from '../../src/node/tx-table.ts';
import * as checksum from '../../src/wire/checksum.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';

const SRC = 0x0a4d0002;
const STRIDE = 56;

class Bench {
  readonly slab = new Slab(1 << 20);
  readonly table = new TxTable();
  #at = 64;

  constructor() {
    this.table.merge = new DatagramMerge(this.slab);
  }

  /** A datagram as the stack lays it out: headers, payload, sum of the pseudo-header. */
  put(len: number, o: { dst?: number; port?: number; tos?: number; flags?: number } = {}): void {
    const { u8, view } = this.slab;
    const at = this.#at;
    this.#at += (28 + len + 127) & ~63;
    const dst = o.dst ?? 0x0a4d0001;
    view.setUint16(at, 0x4500 | (o.tos ?? 0));
    view.setUint16(at + 2, 28 + len);
    view.setUint16(at + 4, at & 0xffff);
    view.setUint16(at + 6, 0x4000);
    view.setUint16(at + 8, 0x4011);
    view.setInt32(at + 12, SRC);
    view.setInt32(at + 16, dst);
    ipv4.seal(u8, at, 20);
    view.setUint16(at + 20, 4000);
    view.setUint16(at + 22, o.port ?? 53);
    view.setUint16(at + 24, 8 + len);
    view.setUint16(at + 26, checksum.fold(checksum.pseudo4(SRC, dst, 17, 8 + len)));
    u8.fill(len, at + 28, at + 28 + len);
    const tx = new Tx();
    Object.assign(tx, { headerOff: at, headerLen: 28 + len, l4: 20, csumOffset: 6, protocol: 17 });
    Object.assign(tx, { flags: o.flags ?? TxFlag.NEEDS_CSUM, dst3: dst });
    this.table.put(tx);
  }

  row(i: number): number[] {
    return [...this.table.rows.subarray(i * STRIDE, i * STRIDE + STRIDE)];
  }

  /** Segments of each row. */
  get shape(): number[] {
    return Array.from({ length: this.table.count }, (_, i) => 1 + (this.row(i)[7] as number));
  }
}

describe('datagrams for one place', () => {
  it('leave as one packet with the lengths and sums of the whole', () => {
    const b = new Bench();
    for (let i = 0; i < 3; i++) b.put(64);
    expect(b.table.count).toBe(1);
    // Behind 92 octets at 64 the next ones lie at 256 and 448: UDP_L4 (5) in segments of 64.
    const [off, len, , type, size, l4, csum, pieces, ...rest] = b.row(0);
    expect([off, len, type, size, l4, csum, pieces]).toEqual([64, 92, 5, 64, 20, 6, 2]);
    expect(rest.slice(0, 6)).toEqual([-1, 64 + 192 + 28 - 0, 64, -1, 64 + 384 + 28, 64]);
    const { u8, view } = b.slab;
    expect(view.getUint16(64 + 2)).toBe(220); // 28 + 3 × 64
    expect(ipv4.check(u8, 64, 220)).toBe(0);
    expect(view.getUint16(64 + 24)).toBe(200);
    const pseudo = checksum.fold(checksum.pseudo4(SRC, 0x0a4d0001, 17, 200));
    expect(view.getUint16(64 + 26)).toBe(pseudo);
  });

  it('are at most 17 a packet: a header and 16 pieces', () => {
    const b = new Bench();
    for (let i = 0; i < 40; i++) b.put(64);
    expect(b.shape).toEqual([17, 17, 6]);
  });

  it('are at most 65535 octets together', () => {
    const b = new Bench();
    for (let i = 0; i < 10; i++) b.put(9000);
    expect(b.shape).toEqual([7, 3]); // 28 + 7 × 9000 = 63028
  });

  it('end with a shorter one, and are not joined by a longer one', () => {
    const b = new Bench();
    for (const len of [64, 64, 10, 64, 64, 65, 65]) b.put(len);
    expect(b.shape).toEqual([3, 2, 2]);
  });

  const others: [string, object][] = [
    ['another address', { dst: 0x0a4d0003 }],
    ['another port', { port: 54 }],
    ['another TOS', { tos: 4 }],
    ['a sum of its own (a fragment)', { flags: 0 }],
  ];
  it.each(others)('%s is not joined, nor what comes behind it to the first', (_name, other) => {
    const b = new Bench();
    b.put(64);
    b.put(64, other);
    b.put(64);
    expect(b.shape).toEqual([1, 1, 1]);
  });

  it('groups and broadcasts are not joined', () => {
    const b = new Bench();
    for (let i = 0; i < 2; i++) b.put(64, { dst: 0xe0000001 | 0 });
    for (let i = 0; i < 2; i++) b.put(64, { dst: -1 });
    expect(b.shape).toEqual([1, 1, 1, 1]);
  });

  it('nothing joins what has left, nor an empty datagram', () => {
    const b = new Bench();
    b.put(64);
    b.table.clear();
    b.put(64);
    b.put(0);
    b.put(0);
    expect(b.shape).toEqual([1, 1, 1]);
  });
});
