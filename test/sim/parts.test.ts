// The simulator's own parts: a judge must be judged first.

import { describe, expect, test } from 'vitest';
import { Clock } from '../../src/sim/clock.ts';
import { Bit, decode, dotted, line, Wire } from '../../src/sim/decode.ts';
import { Invariants } from '../../src/sim/invariants.ts';
import { fill, firstWrong, octetAt } from '../../src/sim/stream.ts';
import { Trace } from '../../src/sim/trace.ts';
import { ipv4, type TcpFields, type TcpOption, tcp4, tcpOptions, udp4 } from '../kit/packet.ts';

const IP = { src: '10.0.0.1', dst: '10.0.0.2', df: true };

describe('the clock', () => {
  test('jumps, keeps the order of one instant, and forgets what was cancelled', () => {
    const clock = new Clock(100);
    const seen: string[] = [];
    clock.after(50, () => seen.push('b'));
    clock.after(50, () => seen.push('c'));
    clock.at(120, () => seen.push('a'));
    const cancel = clock.after(10, () => seen.push('never'));
    cancel();
    cancel();
    expect([clock.next(), clock.waiting]).toEqual([120, 3]);
    clock.moveTo(1000);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect([clock.nowUs(), clock.next(), clock.waiting]).toEqual([1000, Infinity, 0]);
  });

  test('runs what an event schedules for the same instant, and notices when that never ends', () => {
    const clock = new Clock(0);
    let n = 0;
    const again = (): void => {
      n++;
      if (n < 3) clock.after(0, again);
    };
    clock.after(0, again);
    clock.moveTo(0);
    expect(n).toBe(3);
    const forever = (): void => {
      clock.after(0, forever);
    };
    clock.after(0, forever);
    expect(() => clock.moveTo(1)).toThrow(/without end/);
  });

  test('fires a thousand events in order of time', () => {
    const clock = new Clock(0);
    const seen: number[] = [];
    for (let i = 0; i < 1000; i++) {
      const at = (i * 7919) % 1009;
      clock.at(at, () => seen.push(at));
    }
    clock.moveTo(2000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen).toHaveLength(1000);
  });
});

describe('the keyed stream', () => {
  test('is the same however it is cut', () => {
    const whole = new Uint8Array(1000);
    fill(9, 3, whole, 0, 1000);
    for (const cut of [1, 2, 3, 4, 5, 7, 64, 333]) {
      const parts = new Uint8Array(1000);
      for (let at = 0; at < 1000; at += cut) fill(9, 3 + at, parts, at, Math.min(cut, 1000 - at));
      expect(parts).toEqual(whole);
    }
    expect(whole[0]).toBe(octetAt(9, 3));
  });

  test('finds the first wrong octet, a shift by one, a wrong key, a repeated piece', () => {
    const piece = new Uint8Array(500);
    fill(1, 4_294_967_290, piece, 0, 500);
    expect(firstWrong(1, 4_294_967_290, piece, 0, 500)).toBe(-1);
    expect(firstWrong(2, 4_294_967_290, piece, 0, 500)).toBeGreaterThanOrEqual(0);
    expect(firstWrong(1, 4_294_967_291, piece, 0, 500)).toBeGreaterThanOrEqual(0);
    for (const at of [0, 1, 2, 3, 4, 250, 499]) {
      const bad = piece.slice();
      bad[at] = (bad[at] as number) ^ 0x10;
      expect(firstWrong(1, 4_294_967_290, bad, 0, 500)).toBe(at);
    }
  });
});

describe('the decoder', () => {
  const good = tcp4(IP, {
    srcPort: 1,
    dstPort: 2,
    seq: 5,
    ack: 6,
    flags: Bit.SYN | Bit.ACK,
    options: tcpOptions([
      { kind: 'mss', value: 1460 },
      { kind: 'sackOK' },
      { kind: 'TS', val: 7, ecr: 8 },
      { kind: 'nop' },
      { kind: 'wscale', value: 9 },
    ]),
  });

  test('reads what was built', () => {
    const w = new Wire();
    expect(decode(good, 0, good.length, w, false)).toBe('');
    expect([dotted(w.src), dotted(w.dst)]).toEqual(['10.0.0.1', '10.0.0.2']);
    expect([w.mss, w.wscale, w.sackPermitted, w.tsVal, w.tsEcr]).toEqual([1460, 9, true, 7, 8]);
    expect(line(w)).toBe(
      '10.0.0.1:1 > 10.0.0.2:2 S. 5:5(0) ack 6 win 65535 mss 1460 wscale 9 sackOK TS 7/8',
    );
  });

  test.each([
    { name: 'a flipped bit of the payload', at: good.length - 1, xor: 1 },
    { name: 'a flipped bit of the addresses', at: 13, xor: 4 },
    { name: 'another total length', at: 3, xor: 1 },
    { name: 'another version', at: 0, xor: 0x20 },
  ])('refuses $name', ({ at, xor }) => {
    const bad = good.slice();
    bad[at] = (bad[at] as number) ^ xor;
    expect(decode(bad, 0, bad.length, new Wire(), false)).not.toBe('');
  });

  test('refuses every prefix of a packet', () => {
    for (let n = 0; n < good.length; n++) {
      expect(decode(good, 0, n, new Wire(), false), `${n} octets`).not.toBe('');
    }
  });

  test('refuses padding that is not zero (RFC 9293 MUST-69) and options without a length', () => {
    const field = (octets: number[]): Uint8Array =>
      tcp4(IP, { srcPort: 1, dstPort: 2, flags: 16, options: Uint8Array.from(octets) });
    const judge = (p: Uint8Array): string => decode(p, 0, p.length, new Wire(), false);
    expect(judge(field([0, 0, 0, 0]))).toBe('');
    expect(judge(field([0, 0, 0, 1]))).toBe('padding is not zero');
    expect(judge(field([2, 0, 0, 0]))).toBe('length of TCP option 2');
    expect(judge(field([1, 1, 1, 8]))).toBe('length of TCP option 8');
  });

  test('a UDP datagram of ours always has a checksum', () => {
    const p = udp4(IP, 1, 2, Uint8Array.of(1), { checksum: 0 });
    expect(decode(p, 0, p.length, new Wire(), false)).toBe('UDP checksum not used');
  });
});

describe('the rules of the wire (reliability.md 4.2) catch a stack that', () => {
  const A = { src: '10.0.0.1', dst: '10.0.0.2', df: true };
  const B = { src: '10.0.0.2', dst: '10.0.0.1', df: true };
  const SYN_OPTIONS = tcpOptions([{ kind: 'mss', value: 1000 }, { kind: 'sackOK' }]);

  interface Sketch {
    rules: Invariants;
    a(f: Partial<TcpFields>): Uint8Array;
    b(f: Partial<TcpFields>): Uint8Array;
    /** Sent and received. */
    across(host: 'a' | 'b', octets: Uint8Array): void;
    now: { us: number };
  }

  /** A connection after its handshake: a's ISS is 100, b's 500, MSS 1000, windows 3000. */
  function established(): Sketch {
    const now = { us: 0 };
    const rules = new Invariants(() => now.us);
    const a = (f: Partial<TcpFields>): Uint8Array =>
      tcp4(A, { srcPort: 9, dstPort: 80, flags: 16, seq: 101, ack: 501, window: 3000, ...f });
    const b = (f: Partial<TcpFields>): Uint8Array =>
      tcp4(B, { srcPort: 80, dstPort: 9, flags: 16, seq: 501, ack: 101, window: 3000, ...f });
    const across = (host: 'a' | 'b', octets: Uint8Array): void => {
      rules.turnBegins();
      rules.sent(host, octets, 0, 0, 1500);
      rules.turnBegins();
      rules.received(host === 'a' ? 'b' : 'a', octets, 0, 0);
    };
    across('a', a({ flags: Bit.SYN, seq: 100, ack: 0, options: SYN_OPTIONS }));
    across('b', b({ flags: Bit.SYN | Bit.ACK, seq: 500, options: SYN_OPTIONS }));
    across('a', a({}));
    expect(rules.violations).toEqual([]);
    return { rules, a, b, across, now };
  }

  const data = (n: number, octet = 7): Uint8Array => new Uint8Array(n).fill(octet);
  const sack = (...blocks: [number, number][]): { options: Uint8Array } => ({
    options: tcpOptions([{ kind: 'sack', blocks } as TcpOption]),
  });

  const cases: { name: string; expect: RegExp; play(s: Sketch): void }[] = [
    {
      name: 'acknowledges what has not come (2)',
      expect: /acknowledges 2, 1 have arrived/,
      play: (s) => s.across('b', s.b({ ack: 102 })),
    },
    {
      name: 'retransmits other octets (3)',
      expect: /differs from its first transmission/,
      play: (s) => {
        s.across('a', s.a({ payload: data(10) }));
        s.across('a', s.a({ payload: data(10, 8) }));
      },
    },
    {
      name: "sends beyond the peer's right edge (4)",
      expect: /beyond the peer's right edge/,
      play: (s) => s.across('a', s.a({ seq: 101 + 2500, payload: data(600) })),
    },
    {
      name: 'takes its right edge back (6)',
      expect: /right edge went from/,
      play: (s) => s.across('a', s.a({ window: 2999 })),
    },
    {
      name: 'answers a RST with a RST (8)',
      expect: /RST in answer to a RST/,
      play: (s) => {
        s.across('a', s.a({ flags: Bit.RST }));
        s.rules.sent('b', s.b({ flags: Bit.RST }), 0, 0, 1500);
      },
    },
    {
      name: 'sends three ACKs for one segment (8)',
      expect: /pure ACKs/,
      play: (s) => {
        s.across('a', s.a({ payload: data(10) }));
        for (let i = 0; i < 4; i++) s.rules.sent('b', s.b({ ack: 111 }), 0, 0, 1500);
      },
    },
    {
      name: 'sends an invalid packet (9)',
      expect: /invalid packet: TCP checksum/,
      play: (s) => s.rules.sent('a', s.a({ checksum: 1 }), 0, 0, 1500),
    },
    {
      name: 'sends over the MTU (9)',
      expect: /packet over the MTU/,
      play: (s) => s.rules.sent('a', s.a({ payload: data(600) }), 0, 0, 600),
    },
    {
      name: 'sends a timestamp that was not agreed (11)',
      expect: /timestamps not negotiated/,
      play: (s) => s.across('a', s.a({ options: tcpOptions([{ kind: 'TS', val: 1, ecr: 1 }]) })),
    },
    {
      name: 'sends MSS without SYN (RFC 9293 MUST-65)',
      expect: /SYN option on a segment without SYN/,
      play: (s) => s.across('a', s.a({ options: tcpOptions([{ kind: 'mss', value: 9 }]) })),
    },
    {
      name: 'reports what has not arrived by SACK (RFC 2018 §4)',
      expect: /SACK block 11:21 has not arrived/,
      play: (s) => s.across('b', s.b({ ...sack([111, 121]) })),
    },
    {
      name: 'sends segments over the MSS (RFC 9293 MUST-16)',
      expect: /segment of 1001 octets/,
      play: (s) => s.across('a', s.a({ payload: data(1001) })),
    },
    {
      name: 'acknowledges later than 500 ms (RFC 9293 MUST-40)',
      expect: /acknowledged after 500001 µs/,
      play: (s) => {
        s.across('a', s.a({ payload: data(10) }));
        s.now.us = 500_001;
        s.across('b', s.b({ ack: 111 }));
      },
    },
    {
      name: 'moves its FIN',
      expect: /FIN moved from 1 to 2/,
      play: (s) => {
        s.across('a', s.a({ flags: Bit.FIN | Bit.ACK }));
        s.across('a', s.a({ flags: Bit.FIN | Bit.ACK, seq: 102 }));
      },
    },
    {
      name: 'lets TCP be fragmented',
      expect: /TCP without DF/,
      play: (s) => {
        const whole = s.a({});
        s.rules.sent('a', ipv4({ ...A, df: false, protocol: 6 }, whole.subarray(20)), 0, 0, 1500);
      },
    },
  ];

  test.each(cases)('$name', ({ play, expect: wanted }) => {
    const sketch = established();
    play(sketch);
    expect(sketch.rules.violations.join('\n')).toMatch(wanted);
  });

  test('starts faster than slow start allows (RFC 5681 §3.1, RFC 6928)', () => {
    const sketch = established();
    sketch.across('b', sketch.b({ window: 65_535 }));
    for (let i = 0; i < 14; i++) {
      sketch.rules.sent('a', sketch.a({ seq: 101 + i * 1000, payload: data(1000) }), 0, 0, 1500);
    }
    expect(sketch.rules.violations).toEqual([]);
    sketch.rules.sent('a', sketch.a({ seq: 14_101, payload: data(1000) }), 0, 0, 1500);
    expect(sketch.rules.violations.join()).toMatch(/slow start allows/);
  });

  test('and begin anew with a new connection of the same four numbers', () => {
    const s = established();
    s.across('a', s.a({ payload: data(1000) }));
    s.across('b', s.b({ ack: 1101 }));
    s.across('a', s.a({ flags: Bit.SYN, seq: 9000, ack: 0, options: SYN_OPTIONS }));
    s.across('b', s.b({ flags: Bit.SYN | Bit.ACK, seq: 8000, ack: 9001, options: SYN_OPTIONS }));
    s.across('a', s.a({ seq: 9001, ack: 8001, payload: data(900, 3) }));
    expect(s.rules.violations).toEqual([]);
    s.across('b', s.b({ seq: 8001, ack: 9902 }));
    expect(s.rules.violations.join()).toMatch(/acknowledges 902, 901 have arrived/);
  });

  test('and do not accuse a sound exchange', () => {
    const s = established();
    s.across('a', s.a({ payload: data(1000) }));
    s.across('b', s.b({ ack: 1101, window: 2000 }));
    s.rules.sent('a', s.a({ seq: 1101, payload: data(1000) }), 0, 0, 1500); // lost
    s.across('a', s.a({ seq: 2101, payload: data(900) }));
    s.across('b', s.b({ ack: 1101, window: 2000, ...sack([2101, 3001]) }));
    s.across('a', s.a({ seq: 1101, payload: data(1000) }));
    s.across('b', s.b({ ack: 3001, window: 2000 }));
    s.across('a', s.a({ flags: Bit.FIN | Bit.ACK, seq: 3001 }));
    s.across('b', s.b({ flags: Bit.FIN | Bit.ACK, ack: 3002, window: 1999 }));
    s.across('a', s.a({ seq: 3002, ack: 502 }));
    expect(s.rules.violations).toEqual([]);
  });
});

test('the trace hash differs in time, order and any octet', () => {
  const hash = (...events: [number, string, number][]): string => {
    const trace = new Trace();
    for (const [us, what, octet] of events) {
      trace.octets(Uint8Array.of(1, 2, 3, 4, octet));
      trace.event(us, what, () => '');
    }
    return trace.hash;
  };
  const base = hash([1, 'x', 1], [2, 'y', 2]);
  expect(base).toMatch(/^[0-9a-f]{16}$/);
  expect(hash([1, 'x', 1], [2, 'y', 2])).toBe(base);
  expect(hash([1, 'x', 1], [3, 'y', 2])).not.toBe(base);
  expect(hash([1, 'x', 1], [2, 'y', 3])).not.toBe(base);
  expect(hash([2, 'y', 2], [1, 'x', 1])).not.toBe(base);
  expect(hash([1, 'x', 1], [2, 'z', 2])).not.toBe(base);
});
