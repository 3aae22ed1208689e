// The TCP header and its options as offsets: every field, every length, and no octet string that
// makes the parser throw, hang or read outside.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as tcp from '../../src/wire/tcp.ts';
import * as options from '../../src/wire/tcp-options.ts';
import { tcp4, tcpOptions } from '../kit/packet.ts';

/** The segment alone, from a packet that the kit has built. */
function segment(fields: Parameters<typeof tcp4>[1]): DataView {
  const packet = tcp4({ src: '192.0.2.1', dst: '198.51.100.9' }, fields);
  return new DataView(packet.buffer, 20);
}

describe('the TCP header (RFC 9293 §3.1)', () => {
  test('every field is where the RFC draws it', () => {
    const view = segment({
      srcPort: 0x1234,
      dstPort: 0xfedc,
      seq: 0x89abcdef,
      ack: 0x80000001,
      flags: 0x5a,
      window: 0xffff,
      urgent: 0x8001,
      options: tcpOptions([{ kind: 'mss', value: 1460 }]),
      checksum: 0xbeef,
    });
    expect(tcp.srcPort(view, 0)).toBe(0x1234);
    expect(tcp.dstPort(view, 0)).toBe(0xfedc);
    expect(tcp.seq(view, 0)).toBe(0x89abcdef | 0);
    expect(tcp.ack(view, 0)).toBe(0x80000001 | 0);
    expect(tcp.flags(view, 0)).toBe(0x5a);
    expect(tcp.window(view, 0)).toBe(0xffff);
    expect(tcp.urgent(view, 0)).toBe(0x8001);
    expect(tcp.checksum(view, 0)).toBe(0xbeef);
    expect(tcp.headerLen(view, 0)).toBe(24);
  });

  test('what is written is what is read', () => {
    const view = new DataView(new ArrayBuffer(64));
    tcp.setNumbers(view, 8, (0xc001 << 16) | 0x8002, 0xfffffffe | 0, 5);
    tcp.setControl(view, 8, 32, tcp.Flag.SYN | tcp.Flag.ACK, 0xabcd);
    tcp.setUrgent(view, 8, 7);
    expect([tcp.srcPort(view, 8), tcp.dstPort(view, 8)]).toEqual([0xc001, 0x8002]);
    expect([tcp.seq(view, 8), tcp.ack(view, 8)]).toEqual([-2, 5]);
    expect([tcp.headerLen(view, 8), tcp.flags(view, 8), tcp.window(view, 8)]).toEqual([
      32, 0x12, 0xabcd,
    ]);
    expect([tcp.checksum(view, 8), tcp.urgent(view, 8)]).toEqual([0, 7]);
  });

  test('a header is well formed only between 20 octets and the end of the segment (RFC 9293 §3.1)', () => {
    const view = new DataView(new ArrayBuffer(80));
    for (let len = 0; len <= 70; len++) {
      for (let offset = 0; offset < 16; offset++) {
        view.setUint8(12, offset << 4);
        const good = len >= 20 && offset >= 5 && offset * 4 <= len;
        if (tcp.check(view, 0, len) !== good) expect.fail(`length ${len}, data offset ${offset}`);
      }
    }
  });
});

function parse(octets: Uint8Array): { good: boolean; o: options.TcpOptions } {
  const o = new options.TcpOptions();
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return { good: options.parse(view, 0, octets.length, o), o };
}

describe('TCP options (RFC 9293 §3.2)', () => {
  // biome-ignore format: a table
  const good: { name: string; octets: number[]; want: Partial<options.TcpOptions> }[] = [
    { name: 'none', octets: [], want: { mss: -1, wscale: -1, sackOk: false, hasTs: false, sackCount: 0 } },
    { name: 'MSS', octets: [2, 4, 5, 180], want: { mss: 1460 } },
    { name: 'MSS of 65535', octets: [2, 4, 255, 255], want: { mss: 65_535 } },
    { name: 'window scale', octets: [1, 3, 3, 7], want: { wscale: 7 } },
    { name: 'window scale over 14 (RFC 7323 §2.3)', octets: [3, 3, 255, 0], want: { wscale: 14 } },
    { name: 'SACK-permitted', octets: [4, 2, 1, 1], want: { sackOk: true } },
    { name: 'timestamps behind NOPs', octets: [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], want: { hasTs: true, tsVal: 0x01020304, tsEcr: 0x05060708 } },
    { name: 'timestamps in front', octets: [8, 10, 255, 0, 0, 1, 0, 0, 0, 2, 1, 1], want: { hasTs: true, tsVal: 0xff000001 | 0, tsEcr: 2 } },
    { name: 'SACK-permitted, timestamps, not aligned', octets: [4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], want: { sackOk: true, hasTs: true, tsVal: 1, tsEcr: 2 } },
    { name: 'an unknown kind between', octets: [2, 4, 1, 0, 253, 4, 9, 9, 3, 3, 2, 0], want: { mss: 256, wscale: 2 } },
    { name: 'nothing behind the end of the list', octets: [0, 2, 4, 5, 180], want: { mss: -1 } },
    { name: 'MSS twice: the later', octets: [2, 4, 1, 0, 2, 4, 2, 0], want: { mss: 512 } },
    { name: 'MSS of length 3', octets: [2, 3, 5, 0], want: { mss: -1 } },
    { name: 'SACK of length 9', octets: [5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], want: { sackCount: 0 } },
    { name: 'SACK without a block', octets: [5, 2, 1, 1], want: { sackCount: 0 } },
  ];
  test.each(good)('are read: $name (RFC 9293 MUST-4, MUST-6)', ({ octets, want }) => {
    const { good: fine, o } = parse(Uint8Array.from(octets));
    expect(fine).toBe(true);
    expect(o).toMatchObject(want);
  });

  test('four SACK blocks are read in their order (RFC 2018 §3)', () => {
    const octets = tcpOptions([
      {
        kind: 'sack',
        blocks: [
          [1, 2],
          [-4, -3],
          [5, 6],
          [2 ** 31 - 1, -(2 ** 31)],
        ],
      },
    ]);
    const { good: fine, o } = parse(octets);
    expect([fine, o.sackCount]).toEqual([true, 4]);
    expect([...o.sackStart]).toEqual([1, -4, 5, 2 ** 31 - 1]);
    expect([...o.sackEnd]).toEqual([2, -3, 6, -(2 ** 31)]);
  });

  test('an object is used again without traces of the last segment', () => {
    const o = new options.TcpOptions();
    const full = tcpOptions([
      { kind: 'mss', value: 9 },
      { kind: 'sackOK' },
      { kind: 'wscale', value: 3 },
      { kind: 'TS', val: 1, ecr: 2 },
    ]);
    options.parse(new DataView(full.buffer), 0, full.length, o);
    options.parse(new DataView(new ArrayBuffer(0)), 0, 0, o);
    expect([o.mss, o.wscale, o.sackOk, o.hasTs, o.sackCount]).toEqual([-1, -1, false, false, 0]);
  });

  // biome-ignore format: a table
  const bad = [
    { name: 'length 0', octets: [2, 0, 5, 180] },
    { name: 'length 1', octets: [8, 1, 0, 0] },
    { name: 'unknown kind, length 0', octets: [99, 0, 0, 0] },
    { name: 'over the end', octets: [1, 1, 2, 4] },
    { name: 'far over the end', octets: [8, 255, 0, 0] },
    { name: 'no length at all', octets: [1, 1, 1, 5] },
  ];
  test.each(bad)('of an illegal length are refused: $name (RFC 9293 MUST-7)', ({ octets }) => {
    expect(parse(Uint8Array.from(octets)).good).toBe(false);
  });

  test('any octets: no exception, nothing read behind the end (RFC 9293 MUST-7)', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 0, max: 255 }),
        (octets, guard) => {
          // the same octets with other ones behind them mean the same
          const a = new Uint8Array(64).fill(guard);
          const b = new Uint8Array(64).fill(guard ^ 0xff);
          a.set(octets, 4);
          b.set(octets, 4);
          const read = (u8: Uint8Array): string => {
            const o = new options.TcpOptions();
            const fine = options.parse(new DataView(u8.buffer), 4, octets.length, o);
            const ts = o.hasTs ? [o.tsVal, o.tsEcr] : [];
            const sack = [
              ...o.sackStart.subarray(0, o.sackCount),
              ...o.sackEnd.subarray(0, o.sackCount),
            ];
            return JSON.stringify([fine, o.mss, o.wscale, o.sackOk, ts, sack]);
          };
          expect(read(a)).toBe(read(b));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('every prefix of a good list is refused or means less, never more', () => {
    const list = tcpOptions([
      { kind: 'mss', value: 1460 },
      { kind: 'sackOK' },
      { kind: 'TS', val: 1, ecr: 2 },
      { kind: 'nop' },
      { kind: 'wscale', value: 7 },
    ]);
    for (let n = 0; n < list.length; n++) {
      const { good: fine, o } = parse(list.slice(0, n));
      expect(o.wscale).toBe(-1);
      if (n >= 4) expect(o.mss).toBe(1460);
      // inside an option
      if ((n > 0 && n < 4) || n === 5 || (n > 6 && n < 16) || n === 18 || n === 19)
        expect(fine).toBe(false);
    }
  });

  test('what is put is what is parsed, with lengths on everything but EOL and NOP (RFC 9293 MUST-68)', () => {
    const view = new DataView(new ArrayBuffer(60));
    let at = 0;
    at += options.putMss(view, at, 1460);
    at += options.putSackOk(view, at);
    at += options.putTimestamps(view, at, -5, 0x7fffffff);
    at += options.putWscale(view, at, 14);
    at += options.putSackHead(view, at, 1);
    at += options.putBlock(view, at, -10, 10);
    expect(at).toBe(36);
    const o = new options.TcpOptions();
    expect(options.parse(view, 0, at, o)).toBe(true);
    expect(o).toMatchObject({
      mss: 1460,
      sackOk: true,
      hasTs: true,
      tsVal: -5,
      tsEcr: 0x7fffffff,
      wscale: 14,
      sackCount: 1,
    });
    expect([o.sackStart[0], o.sackEnd[0]]).toEqual([-10, 10]);
  });
});
