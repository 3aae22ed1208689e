// The table that the addon reads: every column where native/pump.h looks for it.

import { describe, expect, it } from 'vitest';
import { Tx, TxFlag } from '../../src/base/tx.ts';
import type { NativeDevice } from '../../src/node/addon.ts';
import { TX_ROWS, TxTable } from '../../src/node/tx-table.ts';

function superSegment(): Tx {
  const tx = new Tx();
  tx.headerOff = 4096;
  tx.headerLen = 52;
  tx.l4 = 20;
  tx.csumOffset = 16;
  tx.flags = TxFlag.NEEDS_CSUM | TxFlag.DF | TxFlag.RETRANSMIT;
  tx.gsoType = 1;
  tx.gsoSize = 1448;
  return tx;
}

/** A device that keeps what it was handed. */
function recorder() {
  const seen: { rows: number[]; count: number; buffers: (Uint8Array | null)[] }[] = [];
  const device = {
    flush(rows: Int32Array, count: number, buffers: (Uint8Array | null)[], used: number): number {
      seen.push({ rows: [...rows.subarray(0, 56)], count, buffers: buffers.slice(0, used) });
      return count;
    },
  } as unknown as NativeDevice;
  return { device, seen };
}

describe('TxTable', () => {
  it('lays one packet out in the columns of native/pump.h', () => {
    const table = new TxTable();
    const tx = superSegment();
    const body = new Uint8Array(5000);
    tx.gather(body, 100, 4000);
    tx.gather(null, 9000, 7);
    tx.gather(body, 4100, 50);
    table.put(tx);
    const { device, seen } = recorder();
    expect(table.flush(device)).toBe(1);
    // off, len, NEEDS_CSUM alone, TCPV4, gso size, csum start, csum offset, pieces …
    const expected = [4096, 52, 1, 1, 1448, 20, 16, 3, 0, 100, 4000, -1, 9000, 7, 0, 4100, 50];
    expect(seen[0]?.rows.slice(0, 17)).toEqual(expected);
    expect(seen[0]?.buffers).toEqual([body]);
  });

  it('gives buffers that differ a place each and forgets them after the flush', () => {
    const table = new TxTable();
    const [a, b] = [new Uint8Array(1), new Uint8Array(2)];
    for (const piece of [a, b, a]) {
      const tx = superSegment();
      tx.gather(piece, 0, 1);
      table.put(tx);
    }
    const { device, seen } = recorder();
    table.flush(device);
    expect(seen[0]?.buffers).toEqual([a, b, a]);
    expect(seen[0]?.count).toBe(3);
    expect(table.buffers.every((buffer) => buffer === null)).toBe(true);
    expect([table.count, table.bufferCount]).toEqual([0, 0]);
  });

  it('has room for 256 packets of 16 pieces', () => {
    const table = new TxTable();
    expect(TX_ROWS).toBe(256);
    for (let i = 0; i < 256; i++) {
      const tx = superSegment();
      for (let k = 0; k < 16; k++) tx.gather(new Uint8Array(1), 0, 1);
      table.put(tx);
    }
    expect(table.rows.length).toBe(256 * 56);
    expect(table.bufferCount).toBe(4096);
    expect(table.buffers.length).toBe(4096);
  });
});
