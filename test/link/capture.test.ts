import { describe, expect, test } from 'vitest';
import { RxFlag } from '../../src/base/rx.ts';
import { Capture, Direction, PcapngWriter, utf8 } from '../../src/link/capture.ts';
import { decode, Wire } from '../../src/sim/decode.ts';
import { sum } from '../../src/wire/checksum.ts';
import { Mac } from '../../src/wire/ethernet.ts';
import { Sink, txOf } from './tx-kit.ts';

interface Block {
  type: number;
  body: DataView;
  options: Map<number, Uint8Array>;
  data: Uint8Array;
}

/** An own small reader: every block's two lengths must agree. */
function blocks(chunks: Uint8Array[]): Block[] {
  return chunks.map((chunk) => {
    const view = new DataView(chunk.buffer);
    const type = view.getUint32(0, true);
    expect(view.getUint32(4, true)).toBe(chunk.length);
    expect(view.getUint32(chunk.length - 4, true)).toBe(chunk.length);
    expect(chunk.length % 4).toBe(0);
    const fixed = { 168627466: 16, 1: 8, 6: 20 }[type] as number;
    const dataLen = type === 6 ? view.getUint32(20, true) : 0;
    let at = 8 + fixed + ((dataLen + 3) & ~3);
    const options = new Map<number, Uint8Array>();
    while (at < chunk.length - 4) {
      const code = view.getUint16(at, true);
      const len = view.getUint16(at + 2, true);
      if (code === 0) break;
      options.set(code, chunk.slice(at + 4, at + 4 + len));
      at += 4 + ((len + 3) & ~3);
    }
    const data = chunk.slice(8 + fixed, 8 + fixed + dataLen);
    return { type, body: new DataView(chunk.buffer, 8), options, data };
  });
}

const text = (octets: Uint8Array | undefined): string => new TextDecoder().decode(octets);

describe('the pcapng writer', () => {
  test('begins with a section header and describes each interface (pcapng §4.1, §4.2)', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c));
    expect(writer.addInterface('tun0', 'portside')).toBe(0);
    expect(writer.addInterface('lo')).toBe(1);
    const [shb, idb, second] = blocks(chunks);
    expect(shb?.type).toBe(0x0a0d0d0a);
    expect(shb?.body.getUint32(0, true)).toBe(0x1a2b3c4d);
    expect(idb?.body.getUint16(0, true)).toBe(101);
    expect(text(idb?.options.get(2))).toBe('tun0');
    expect(text(idb?.options.get(3))).toBe('portside');
    expect([...(idb?.options.get(9) ?? [])]).toEqual([9]);
    expect(second?.options.has(3)).toBe(false);
  });

  test('keeps nanoseconds of a time far from 1970 exact', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c), 1_764_000_000_000_000);
    writer.addInterface('x');
    writer.packet(0, 123_456.5, Uint8Array.of(0x45), Direction.INBOUND, 'DROP TCP_CSUM');
    const epb = blocks(chunks)[2] as Block;
    const high = BigInt(epb.body.getUint32(4, true));
    const low = BigInt(epb.body.getUint32(8, true));
    expect((high << 32n) | low).toBe(1_764_000_000_123_456_500n);
    expect(epb.options.get(2)?.[0]).toBe(1);
    expect(text(epb.options.get(1))).toBe('DROP TCP_CSUM');
    expect([...epb.data]).toEqual([0x45]);
  });

  test('cuts packets at the snap length and says how long they were', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c), 0, 10);
    writer.addInterface('x');
    writer.packet(0, 0, new Uint8Array(33), Direction.UNKNOWN);
    const epb = blocks(chunks)[2] as Block;
    expect([epb.body.getUint32(12, true), epb.body.getUint32(16, true)]).toEqual([10, 33]);
  });

  test.each(['plain', 'Grüße', '→ 漢字', '𝄞'])('writes %s as UTF-8', (s) => {
    expect(utf8(s)).toEqual(new TextEncoder().encode(s));
  });
});

describe('a captured link', () => {
  test('passes packets on unchanged and writes them with finished sums', () => {
    const { slab, tx, payload } = txOf({ copied: 3, pieces: [100, 33] });
    const chunks: Uint8Array[] = [];
    const sink = new Sink(slab, 15);
    const link = new Capture(sink, new PcapngWriter((c) => chunks.push(c)), {
      slab,
      sum,
      now: () => 5,
    });
    expect(link.transmit(tx)).toBe(true);
    const w = new Wire();
    const passed = sink.packets[0]?.octets as Uint8Array;
    expect(decode(passed, 0, passed.length, w, true)).toBe('');
    const written = blocks(chunks)[2] as Block;
    expect(decode(written.data, 0, written.data.length, w, false)).toBe('');
    expect(written.data.slice(w.data)).toEqual(payload);
    expect(written.options.get(2)?.[0]).toBe(2);
  });

  test('notes super-segments and packets that the link refused', () => {
    const { slab, tx } = txOf({ pieces: [9000], gsoSize: 1448 });
    const chunks: Uint8Array[] = [];
    const sink = new Sink(slab, 15);
    sink.room = 0;
    const writer = new PcapngWriter((c) => chunks.push(c));
    const link = new Capture(sink, writer, { slab, sum, now: () => 5 });
    expect(link.transmit(tx)).toBe(false);
    expect(text(blocks(chunks)[2]?.options.get(1))).toBe('GSO 1448; DROP LINK_QUEUE');
  });

  test('finishes the sum of a received packet that lacks it', () => {
    const { slab, tx } = txOf({ protocol: 'udp', copied: 21 });
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c));
    const link = new Capture(new Sink(slab), writer, { slab, sum, now: () => 5 });
    link.received(tx.headerOff, tx.headerLen, RxFlag.NEEDS_CSUM, 0);
    const written = blocks(chunks)[2] as Block;
    expect(decode(written.data, 0, written.data.length, new Wire(), false)).toBe('');
    expect(written.options.get(2)?.[0]).toBe(1);
  });

  test('of an Ethernet is one, and its file has the frames with finished sums', () => {
    const { slab, tx } = txOf({ protocol: 'udp', copied: 21 });
    const header = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0);
    slab.u8.set(header, tx.headerOff - 14);
    tx.lead = 14;
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c));
    const mac = new Mac(0x02000000, 0x0001);
    const inner = Object.assign(new Sink(slab, 15), { mac });
    const link = new Capture(inner, writer, { slab, sum, now: () => 5 });
    expect(link.mac).toBe(mac);
    link.received(tx.headerOff - 14, tx.headerLen + 14, RxFlag.NEEDS_CSUM, 0);
    link.received(tx.headerOff - 14, 13, RxFlag.NEEDS_CSUM, 0);
    const [, idb, received, short] = blocks(chunks) as [Block, Block, Block, Block];
    expect(idb.body.getUint16(0, true)).toBe(1);
    expect(received.data.slice(0, 14)).toEqual(header);
    expect(decode(received.data, 14, received.data.length - 14, new Wire(), false)).toBe('');
    expect(short.data).toEqual(header.slice(0, 13));
  });

  test('writes a frame that leaves with its link header', () => {
    const { slab, tx } = txOf({ copied: 3, pieces: [100, 33] });
    slab.u8.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0], tx.headerOff - 14);
    tx.lead = 14;
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((c) => chunks.push(c));
    // A link of full caps: what the file has finished is left to it.
    const inner = { name: 'e', mtu: 1500, caps: 15, loopback: false, mac: new Mac(0x02000000, 1) };
    const link = new Capture({ ...inner, transmit: () => true, flush: () => {} }, writer, {
      slab,
      sum,
      now: () => 5,
    });
    expect(link.transmit(tx)).toBe(true);
    const { data } = blocks(chunks)[2] as Block;
    expect(data.length).toBe(14 + tx.headerLen + 133);
    expect([...data.slice(6, 14)]).toEqual([2, 0, 0, 0, 0, 1, 8, 0]);
    expect(decode(data, 14, data.length - 14, new Wire(), false)).toBe('');
  });
});
