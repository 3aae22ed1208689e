// Each part of the fault menu by itself: a box in the way, joined segments, a managed queue, hosts
// with clocks of their own, restarts, an attacker. Expected values are written out.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { CoDel } from '../../src/link/codel.ts';
import { looksIntact, markCongestion } from '../../src/link/damage.ts';
import { Box } from '../../src/sim/box.ts';
import { coalesce } from '../../src/sim/coalesce.ts';
import { cut, fragments, icmpError, type Passing } from '../../src/sim/craft.ts';
import { Bit, decode, Wire } from '../../src/sim/decode.ts';
import { Pieces } from '../../src/sim/pieces.ts';
import { World } from '../../src/sim/world.ts';
import { ipv4, type TcpFields, tcp4, tcpOptions } from '../kit/packet.ts';

const IP = { src: '10.0.0.1', dst: '10.0.0.2', df: true };
const OPTIONS = tcpOptions([
  { kind: 'mss', value: 1460 },
  { kind: 'sackOK' },
  { kind: 'TS', val: 7, ecr: 8 },
  { kind: 'nop' },
  { kind: 'wscale', value: 9 },
]);

const tcp = (f: Partial<TcpFields>): Uint8Array =>
  tcp4(IP, { srcPort: 9, dstPort: 80, flags: Bit.ACK, seq: 100, ack: 500, window: 3000, ...f });
const pass = (octets: Uint8Array): Passing => ({ octets, flags: 0, gso: 0 });
const counted = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i & 255);

function read(octets: Uint8Array): Wire {
  const w = new Wire();
  expect(decode(octets, 0, octets.length, w, false)).toBe('');
  return w;
}

describe('a box in the way', () => {
  const through = (box: Box, octets: Uint8Array, us = 0): { on: Uint8Array[]; back: Wire[] } => {
    const back: Passing[] = [];
    const on = box.through(pass(octets.slice()), us, back).map((p) => p.octets);
    return { on, back: back.map((p) => read(p.octets)) };
  };
  const one = (box: Box, octets: Uint8Array, us = 0): Wire => {
    const { on } = through(box, octets, us);
    expect(on).toHaveLength(1);
    return read(on[0] as Uint8Array);
  };

  test('takes options out, on SYNs or on all segments; checksums are made anew', () => {
    const syn = tcp({ flags: Bit.SYN, options: OPTIONS });
    const box = new Box({ strip: [3, 8], synOnly: true }, new SeededRandom(1));
    const w = one(box, syn);
    expect([w.mss, w.wscale, w.sackPermitted, w.hasTs]).toEqual([1460, -1, true, false]);
    const stamped = tcp({ options: tcpOptions([{ kind: 'TS', val: 7, ecr: 8 }]) });
    expect(one(box, stamped).hasTs).toBe(true);
    expect(one(new Box({ strip: [8] }, new SeededRandom(1)), stamped).hasTs).toBe(false);
    expect(box.stats.stripped).toBe(2);
  });

  test('makes MSS smaller and never larger, or takes it out', () => {
    const syn = tcp({ flags: Bit.SYN, options: OPTIONS });
    const mss = (n: number): number => one(new Box({ mss: n }, new SeededRandom(1)), syn).mss;
    expect([mss(536), mss(1460), mss(9000), mss(0)]).toEqual([536, 1460, 1460, -1]);
  });

  test('clamps windows, and closes them for a span of time', () => {
    const box = new Box({ window: 7, zero: [[100, 200]] }, new SeededRandom(1));
    const windows = [50, 100, 199, 200].map((us) => one(box, tcp({}), us).window);
    expect(windows).toEqual([7, 0, 0, 7]);
    expect(one(new Box({ window: 7 }, new SeededRandom(1)), tcp({ window: 3 })).window).toBe(3);
  });

  test('shrinks windows by any factor', () => {
    const box = new Box({ shrink: 1 }, new SeededRandom(3));
    const windows = Array.from({ length: 50 }, () => one(box, tcp({})).window);
    expect(Math.max(...windows)).toBeLessThanOrEqual(3000);
    expect(Math.min(...windows)).toBeLessThan(300);
    expect(new Set(windows).size).toBeGreaterThan(40);
  });

  test('bleaches ECN in the IP header, or ECE and CWR of a SYN (RFC 3168 §6.1.1.1)', () => {
    const marked = ipv4({ ...IP, protocol: 6, tos: 0x2b }, tcp({}).subarray(20));
    expect(one(new Box({ bleach: 'ip' }, new SeededRandom(1)), marked).tos).toBe(0x28);
    const asks = tcp({ flags: Bit.SYN | Bit.ECE | Bit.CWR });
    expect(one(new Box({ bleach: 'syn' }, new SeededRandom(1)), asks).flags).toBe(Bit.SYN);
  });

  test('cuts segments: numbers go on, FIN and PSH come with the last', () => {
    const whole = tcp({ flags: Bit.ACK | Bit.PSH | Bit.FIN, payload: counted(250) });
    const { on } = through(new Box({ split: 100 }, new SeededRandom(1)), whole);
    const got = on.map((o) => read(o));
    expect(got.map((w) => [w.seq, w.dataLen, w.flags])).toEqual([
      [100, 100, Bit.ACK],
      [200, 100, Bit.ACK],
      [300, 50, Bit.ACK | Bit.PSH | Bit.FIN],
    ]);
    expect(on.flatMap((o) => [...o.subarray(40)])).toEqual([...counted(250)]);
  });

  test('a router says what passes (RFC 1191 §4), or nothing, or fragments without DF', () => {
    const big = tcp({ payload: counted(1000) });
    const told = through(new Box({ mtu: 600, icmp: true }, new SeededRandom(1)), big);
    expect(told.on).toEqual([]);
    expect(told.back.map((w) => [w.icmpType, w.icmpCode])).toEqual([[3, 4]]);
    const silent = through(new Box({ mtu: 600 }, new SeededRandom(1)), big);
    expect([silent.on, silent.back]).toEqual([[], []]);
    const free = ipv4({ ...IP, df: false, protocol: 6, id: 9 }, big.subarray(20));
    const { on } = through(new Box({ mtu: 600 }, new SeededRandom(1)), free);
    expect(on.map((o) => [o.length, (o[6] as number) >> 5, (o[7] as number) * 8])).toEqual([
      [596, 1, 0],
      [464, 0, 576],
    ]);
  });

  test('a NAT that has lost its table resets what it knew, and only that', () => {
    const box = new Box({ forgetsUs: 100 }, new SeededRandom(1));
    expect(through(box, tcp({ flags: Bit.SYN }), 50).on).toHaveLength(1);
    const after = through(box, tcp({ payload: counted(10) }), 150);
    expect(after.on).toEqual([]);
    expect(after.back.map((w) => [w.flags, w.seq, w.srcPort, w.dstPort])).toEqual([
      [Bit.RST, 500, 80, 9],
    ]);
    expect(through(box, tcp({ srcPort: 10 }), 160).on).toHaveLength(1);
    // a SYN makes a new mapping
    expect(through(box, tcp({ flags: Bit.SYN }), 170).on).toHaveLength(1);
    expect(through(box, tcp({}), 180).on).toHaveLength(1);
  });
});

describe('segments joined on the way', () => {
  const join = (list: Uint8Array[]): Passing[] => coalesce(list.map(pass), () => {});

  test('those that follow one another become a super-segment with their size', () => {
    const list = [0, 1, 2].map((i) =>
      tcp({
        seq: 100 + i * 100,
        payload: counted(300).subarray(i * 100, i === 2 ? 250 : i * 100 + 100),
      }),
    );
    const out = join(list);
    expect(out.map((p) => [p.octets.length, p.flags, p.gso & 255, p.gso >> 8])).toEqual([
      [40 + 250, 1, 1, 100],
    ]);
    const w = new Wire();
    expect(decode(out[0]?.octets ?? counted(0), 0, 290, w, true)).toBe('');
    expect([...(out[0]?.octets.subarray(40) ?? [])]).toEqual([...counted(250)]);
  });

  test.each([
    { name: 'a gap', second: { seq: 201 } },
    { name: 'another acknowledgment', second: { ack: 501 } },
    { name: 'another window', second: { window: 2999 } },
    { name: 'a FIN', second: { flags: Bit.ACK | Bit.FIN } },
    { name: 'other options', second: { options: tcpOptions([{ kind: 'TS', val: 1, ecr: 1 }]) } },
    { name: 'more octets than before', second: { payload: counted(101) } },
    { name: 'another port', second: { srcPort: 8 } },
  ])('$name keeps them apart', ({ second }) => {
    const first = tcp({ payload: counted(100) });
    expect(join([first, tcp({ seq: 200, payload: counted(100), ...second })])).toHaveLength(2);
  });

  test('nothing that is damaged is joined: the receiver must see it', () => {
    const bad = tcp({ seq: 200, payload: counted(100) });
    bad[60] = (bad[60] as number) ^ 1;
    expect(join([tcp({ payload: counted(100) }), bad])).toHaveLength(2);
    expect(join([bad, tcp({ seq: 300, payload: counted(100) })])).toHaveLength(2);
  });
});

describe('fragments', () => {
  test('cut and put together again they are the packet; sums of cut segments are right', () => {
    const whole = ipv4(
      { ...IP, df: false, protocol: 6, id: 7 },
      tcp({ payload: counted(900) }).subarray(20),
    );
    const list = fragments(whole, 400);
    const pieces = new Pieces();
    const answers = list.map((f, i) => {
      const off = (((f[6] as number) & 0x1f) * 256 + (f[7] as number)) * 8;
      return pieces.take(f, off, i + 1 < list.length);
    });
    expect(answers.slice(0, -1)).toEqual([null, null]);
    const w = read(answers[2] as Uint8Array);
    expect([w.seq, w.dataLen]).toEqual([100, 900]);
    for (const piece of cut(tcp({ payload: counted(99) }), 20, 33)) {
      expect(looksIntact(piece)).toBe(true);
    }
  });

  test('an ICMP error quotes the packet and goes to its source', () => {
    const error = icmpError(tcp({ payload: counted(50) }), (10 << 24) | 254, [3, 4, 1400]);
    const w = read(error);
    expect([w.dst, w.icmpType, w.icmpCode]).toEqual([0x0a000001, 3, 4]);
    expect([error[26], error[27]]).toEqual([1400 >> 8, 1400 & 255]);
    expect([...error.subarray(28, 48)]).toEqual([...tcp({ payload: counted(50) }).subarray(0, 20)]);
  });
});

describe('a managed queue (RFC 8289)', () => {
  test('acts after an interval above the target, then more often, and stops at once below it', () => {
    const codel = new CoDel({ targetUs: 5000, intervalUs: 100_000 });
    const hits: number[] = [];
    for (let ms = 0; ms < 400; ms++) if (codel.hits(6000, ms * 1000)) hits.push(ms);
    // 100 ms, then 100/√1, 100/√2, 100/√3 later
    expect(hits).toEqual([100, 200, 271, 329, 379]);
    expect(codel.hits(4999, 400_000)).toBe(false);
    expect(codel.hits(6000, 401_000)).toBe(false);
  });

  test('marks what understands marks and keeps the header right (RFC 3168 §5)', () => {
    const capable = ipv4({ ...IP, protocol: 6, tos: 2 }, tcp({}).subarray(20));
    expect(markCongestion(capable)).toBe(true);
    expect(read(capable).tos).toBe(3);
    expect(markCongestion(tcp({}))).toBe(false);
  });
});

describe('a host', () => {
  test('with a coarse clock acts at its ticks', () => {
    const world = new World({ seed: 1, startUs: 1_000_000 });
    const host = world.host('a', { tickUs: 10_000 });
    world.clock.moveTo(1_012_345);
    expect(host.clockUs()).toBe(1_010_000);
    host.jump(5_000_000);
    expect(host.clockUs()).toBe(6_010_000);
    host.jump(-5_000_000);
    expect(host.clockUs()).toBe(1_010_000);
  });
});
