import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { markReady } from '../../src/udp/udp.ts';
import { Bench, expectSame, ip4, pattern, RxFlag, udp, udpPacket } from '../ip/fixture.ts';
import {
  bound,
  closeEndpoint,
  connectEndpoint,
  Ear,
  type Endpoint,
  openEndpoint,
  to,
} from './kit.ts';

describe('lengths (RFC 768, reliability 1.4)', () => {
  const seg = (field: number, real: number): Uint8Array => {
    const bytes = udp('10.0.0.1', '10.0.0.2', [1, 7], pattern(Math.max(0, real - 8))).slice(
      0,
      real,
    );
    if (real >= 6) bytes.set([field >>> 8, field & 255], 4);
    if (real >= 8) bytes.set([0, 0], 6);
    return bytes;
  };

  test('all pairs of length field and real length from 0 to 40', () => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    let errors = 0;
    for (let real = 0; real <= 40; real++) {
      for (const field of [0, 7, 8, 9, real - 1, real, real + 1, 65_535]) {
        if (field < 0) continue;
        b.feed(ip4({ payload: seg(field, real) }));
        b.drain();
        const right = real >= 8 && field >= 8 && field <= real;
        expect(
          ear.got.splice(0).map((g) => g.data.length),
          `field ${field}, real ${real}`,
        ).toEqual(right ? [field - 8] : []);
        expect(b.reasons()).toEqual(right ? [] : ['PKT_TOO_SMALL']);
        if (!right) errors++;
        expect(b.counters.get('UdpInErrors')).toBe(errors);
      }
    }
  }, 30_000);
});

describe('checksum (RFC 768, RFC 1122 §4.1.3.4)', () => {
  const wrong = (): Uint8Array => {
    const bytes = udpPacket(pattern(20));
    bytes[40] = (bytes[40] as number) ^ 1;
    return bytes;
  };
  const none = (): Uint8Array => {
    const bytes = udpPacket(pattern(20));
    bytes.set([0, 0], 26);
    return bytes;
  };
  const rows: [string, Uint8Array, number, number, string | null][] = [
    ['right', udpPacket(pattern(20)), 0, 0, null],
    ['wrong', wrong(), 0, 0, 'UDP_CSUM'],
    ['none', none(), 0, 0, null],
    ['wrong, but the link says it is not there yet', wrong(), RxFlag.NEEDS_CSUM, 0, null],
    ['wrong, but the link has verified', wrong(), RxFlag.DATA_VALID, 0, null],
    ['a super-datagram nobody vouches for', udpPacket(pattern(20)), 0, 10, 'BAD_META'],
  ];
  test.each(rows)('%s', (_name, bytes, flags, gso, reason) => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    b.feed(bytes, flags, gso);
    b.drain();
    expect(ear.got.length).toBe(reason === null ? 1 : 0);
    expect(b.reasons()).toEqual(reason === null ? [] : [reason]);
    expect(b.counters.get('UdpInCsumErrors')).toBe(reason === 'UDP_CSUM' ? 1 : 0);
    // No answer to what may be anybody's.
    expect(b.sent()).toEqual([]);
  });

  test('any flipped bit behind the IP header is noticed', () => {
    const whole = udpPacket(pattern(21));
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    for (let bit = 160; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      b.feed(bytes);
      b.drain();
      expect(ear.got.length, `bit ${bit}`).toBe(0);
    }
  });
});

describe('who gets a datagram: 4-tuple, specific address, wildcard (architecture)', () => {
  const setUp = (): { b: Bench; ears: Record<string, Ear> } => {
    const b = new Bench();
    b.address('10.0.0.3/24');
    const connected = bound(b, '10.0.0.2', 7, true);
    expect(connectEndpoint(b.udp, connected.endpoint, to('10.0.0.1'), 4000)).toBe(0);
    const ears = {
      connected,
      specific: bound(b, '10.0.0.2', 7, true),
      wildcard: bound(b, '0.0.0.0', 7, true),
    };
    return { b, ears };
  };
  const rows: [string, string, number, string, string][] = [
    ['the peer of the connected one', '10.0.0.1', 4000, '10.0.0.2', 'connected'],
    ['another port of that host', '10.0.0.1', 4001, '10.0.0.2', 'specific'],
    ['another host', '10.0.0.9', 4000, '10.0.0.2', 'specific'],
    ['the peer, to our other address', '10.0.0.1', 4000, '10.0.0.3', 'wildcard'],
  ];
  test.each(rows)('%s', (_name, src, port, dst, who) => {
    const { b, ears } = setUp();
    b.feed(udpPacket(pattern(3), [port, 7], { src, dst }));
    b.drain();
    const heard = Object.entries(ears).filter(([, ear]) => ear.got.length > 0);
    expect(heard.map(([name]) => name)).toEqual([who]);
  });

  test('a port is for one at a time, unless all share it (EADDRINUSE)', () => {
    const b = new Bench();
    b.address('10.0.0.3/24');
    const open = (address: string, share = false): number => {
      const got = openEndpoint(b.udp, {
        address: to(address),
        port: 7,
        v6Only: false,
        share,
        sink: new Ear(),
      });
      return typeof got === 'number' ? got : 0;
    };
    expect(open('10.0.0.2')).toBe(0);
    expect(open('10.0.0.2')).toBe(-98);
    expect(open('10.0.0.2', true)).toBe(-98);
    expect(open('0.0.0.0')).toBe(-98);
    expect(open('::')).toBe(-98);
    expect(open('10.0.0.3')).toBe(0);
    expect(open('10.0.0.77')).toBe(-99);
    expect(open('8.8.8.8')).toBe(-99);
  });

  test('a port is free again after close', () => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    closeEndpoint(b.udp, ear.endpoint);
    closeEndpoint(b.udp, ear.endpoint);
    bound(b, '0.0.0.0', 7);
    expect(b.udp.live).toBe(1);
  });

  test('a connected socket leaves its port to a fresh wildcard one (iperf3)', () => {
    const b = new Bench();
    const ears: Ear[] = [];
    for (let i = 0; i < 3; i++) {
      const ear = bound(b, '::', 5201);
      expect(connectEndpoint(b.udp, ear.endpoint, to('10.0.0.1'), 6000 + i)).toBe(0);
      ears.push(ear);
    }
    const fresh = bound(b, '::', 5201);
    for (let i = 0; i < 4; i++) b.feed(udpPacket(pattern(1, i), [6000 + i, 5201]));
    b.drain();
    expect([...ears, fresh].map((ear) => ear.got.map((g) => g.from))).toEqual([
      ['10.0.0.1:6000'],
      ['10.0.0.1:6001'],
      ['10.0.0.1:6002'],
      ['10.0.0.1:6003'],
    ]);
    for (const ear of [...ears, fresh]) closeEndpoint(b.udp, ear.endpoint);
    expect([b.udp.flows.size, b.udp.ports.size, b.udp.connectedPorts.size, b.udp.memory]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test('random ports come from the range and are not reused', () => {
    const b = new Bench({ ephemeralLow: 50_000, ephemeralHigh: 50_009 });
    const ports = new Set<number>();
    for (let i = 0; i < 10; i++) ports.add(bound(b, '0.0.0.0', 0).endpoint.port);
    expect(ports.size).toBe(10);
    expect(Math.min(...ports)).toBe(50_000);
    const full = openEndpoint(b.udp, {
      address: to('::'),
      port: 0,
      v6Only: false,
      share: true,
      sink: new Ear(),
    });
    expect(full).toBe(-98);
  });

  test('more sockets than allowed are ENOBUFS', () => {
    const b = new Bench({ udpMaxSockets: 2 });
    bound(b, '0.0.0.0', 1);
    bound(b, '0.0.0.0', 2);
    const got = openEndpoint(b.udp, {
      address: to('::'),
      port: 3,
      v6Only: false,
      share: false,
      sink: new Ear(),
    });
    expect(got).toBe(-105);
  });
});

describe('nobody there (RFC 1122 §4.1.3.1)', () => {
  test('is port unreachable, quoting the datagram', () => {
    const b = new Bench();
    const packet = udpPacket(pattern(20), [4000, 99]);
    b.feed(packet);
    const [out] = b.sent() as [Uint8Array];
    expect([...out.slice(20, 22)]).toEqual([3, 3]);
    expect(out.slice(28)).toEqual(packet);
    expect(b.reasons()).toEqual(['NO_SOCKET']);
    expect(b.counters.get('UdpNoPorts')).toBe(1);
  });

  test.each(['10.0.0.255', '255.255.255.255', '224.0.0.1'])(
    'is silence when %s was addressed',
    (dst) => {
      const b = new Bench();
      b.feed(udpPacket(pattern(20), [4000, 99], { dst }));
      expect(b.sent()).toEqual([]);
      expect(b.reasons()).toEqual(['NO_SOCKET']);
    },
  );
});

test('a broadcast is heard by every wildcard socket of the port, not by specific or connected ones', () => {
  const b = new Bench();
  const a = bound(b, '0.0.0.0', 7, true);
  const c = bound(b, '::', 7, true);
  const specific = bound(b, '10.0.0.2', 7, true);
  const connected = bound(b, '0.0.0.0', 7, true);
  connectEndpoint(b.udp, connected.endpoint, to('10.0.0.1'), 4000);
  b.feed(udpPacket(pattern(5), [4000, 7], { dst: '10.0.0.255' }));
  b.drain();
  expect([a, c, specific, connected].map((ear) => ear.got.length)).toEqual([1, 1, 0, 0]);
  expect(a.got[0]?.kind).toBe(1);
});

describe('super-datagrams (GRO) are cut when they are delivered', () => {
  test.each([
    [100, 30, [30, 30, 30, 10]],
    [90, 30, [30, 30, 30]],
    [20, 30, [20]],
    [0, 30, [0]],
  ])('%i octets of %i', (n, gso, lengths) => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    b.feed(udpPacket(pattern(n as number)), RxFlag.NEEDS_CSUM, gso as number);
    b.drain();
    expect(ear.got.map((g) => g.data.length)).toEqual(lengths);
    expectSame(Uint8Array.from(ear.got.flatMap((g) => [...g.data])), pattern(n as number));
    expect(b.counters.get('UdpInDatagrams')).toBe((lengths as number[]).length);
  });
});

describe('the receive queue', () => {
  test('has a cap; what does not fit is dropped and counted (SOCKET_RCVBUFF)', () => {
    const b = new Bench({ udpReceiveOctets: 10_000 });
    const ear = bound(b, '0.0.0.0', 7);
    ear.endpoint.paused = true;
    for (let i = 0; i < 50; i++) b.feed(udpPacket(pattern(872, i)));
    expect(ear.endpoint.queue.cost).toBeLessThanOrEqual(10_000);
    expect(ear.endpoint.queue.count).toBe(10);
    expect(b.reasons()).toEqual(new Array(40).fill('SOCKET_RCVBUFF'));
    expect(b.counters.get('UdpRcvbufErrors')).toBe(40);
    ear.endpoint.paused = false;
    markReady(b.udp, ear.endpoint);
    b.drain();
    expect(ear.got.map((g) => g.data[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('one datagram fits however small the cap', () => {
    const b = new Bench({ udpReceiveOctets: 10 });
    const ear = bound(b, '0.0.0.0', 7);
    b.feed(udpPacket(pattern(1400)));
    b.drain();
    expect(ear.got.length).toBe(1);
  });

  test('the memory of all sockets together has a cap', () => {
    const b = new Bench({ udpMemoryOctets: 20_000, udpReceiveOctets: 100_000 });
    const ears = [1, 2, 3].map((port) => bound(b, '0.0.0.0', port));
    for (const ear of ears) ear.endpoint.paused = true;
    for (let i = 0; i < 60; i++) b.feed(udpPacket(pattern(1000), [4000, 1 + (i % 3)]));
    expect(b.udp.memory).toBeLessThanOrEqual(20_000);
    for (const ear of ears) closeEndpoint(b.udp, ear.endpoint);
    expect(b.udp.memory).toBe(0);
  });

  test('gives back the memory of a burst when it is empty', () => {
    const b = new Bench({ udpReceiveOctets: 2_000_000 });
    const ear = bound(b, '0.0.0.0', 7);
    ear.endpoint.paused = true;
    for (let i = 0; i < 60; i++) b.feed(udpPacket(pattern(10_000)));
    expect(b.udp.memory).toBeGreaterThan(500_000);
    ear.endpoint.paused = false;
    b.feed(udpPacket(pattern(1)));
    b.drain();
    expect(b.udp.memory).toBe(0);
  });

  test('keeps order and octets under any mix of sizes, pieces and deliveries', () => {
    const arb = fc.array(fc.record({ n: fc.nat(3000), gso: fc.nat(700), drain: fc.boolean() }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(arb, (steps) => {
        const b = new Bench({ udpReceiveOctets: 1_000_000 });
        const ear = bound(b, '0.0.0.0', 7);
        const want: number[] = [];
        let seed = 0;
        for (const s of steps) {
          const data = pattern(s.n, seed++);
          b.feed(udpPacket(data), RxFlag.NEEDS_CSUM, s.gso);
          if (s.gso === 0 || s.n === 0) want.push(s.n);
          else for (let at = 0; at < s.n; at += s.gso) want.push(Math.min(s.gso, s.n - at));
          if (s.drain) b.drain();
        }
        b.drain();
        expect(ear.got.map((g) => g.data.length)).toEqual(want);
        const all = steps.flatMap((s, i) => [...pattern(s.n, i)]);
        expectSame(Uint8Array.from(ear.got.flatMap((g) => [...g.data])), Uint8Array.from(all));
        expect(ear.endpoint.queue.cost).toBe(0);
      }),
      { numRuns: 60, seed: 17 },
    );
  });
});

describe('drain', () => {
  test('is bounded, and sockets take turns', () => {
    const b = new Bench({ udpDrainDatagrams: 100, udpReceiveOctets: 1_000_000 });
    const a = bound(b, '0.0.0.0', 1);
    const c = bound(b, '0.0.0.0', 2);
    for (let i = 0; i < 300; i++) b.feed(udpPacket(pattern(4), [4000, 1]));
    b.feed(udpPacket(pattern(4), [4000, 2]));
    expect(b.drainOnce()).toBe(true);
    expect([a.got.length, c.got.length]).toEqual([64, 1]);
    expect(b.drainOnce()).toBe(true);
    b.drain();
    expect(a.got.length).toBe(300);
  });

  test('an exception of a handler leaves nothing behind and loses nothing but its datagram', () => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    const other = bound(b, '0.0.0.0', 8);
    ear.onDatagram = (n) => {
      if (n === 2) throw new Error('mine');
    };
    for (let i = 0; i < 4; i++) b.feed(udpPacket(pattern(4, i), [4000, 7]));
    b.feed(udpPacket(pattern(4), [4000, 8]));
    expect(() => b.drain()).toThrow('mine');
    b.drain();
    expect(ear.got.map((g) => g.data[0])).toEqual([0, 1, 2, 3]);
    expect(other.got.length).toBe(1);
  });

  test('a handler may close its socket, and another one', () => {
    const b = new Bench();
    const ear = bound(b, '0.0.0.0', 7);
    const other = bound(b, '0.0.0.0', 8);
    ear.onDatagram = () => {
      closeEndpoint(b.udp, ear.endpoint);
      closeEndpoint(b.udp, other.endpoint);
    };
    for (let i = 0; i < 4; i++) b.feed(udpPacket(pattern(4, i), [4000, 7 + (i & 1)]));
    b.drain();
    expect([ear.got.length, other.got.length]).toEqual([1, 0]);
    expect([b.udp.live, b.udp.memory]).toEqual([0, 0]);
  });
});

test('random datagrams into bound and connected sockets never throw', () => {
  const b = new Bench();
  const ear = bound(b, '0.0.0.0', 7);
  const peer: Endpoint = bound(b, '0.0.0.0', 8).endpoint;
  connectEndpoint(b.udp, peer, to('10.0.0.1'), 4000);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, aims) => {
      const payload = bytes.slice();
      if (aims && payload.length >= 8) payload.set([15, 160, 0, 7, 0, payload.length, 0, 0]);
      b.feed(ip4({ payload }));
      b.drain();
    }),
    { numRuns: 2000, seed: 23 },
  );
  expect(ear.got.length).toBeGreaterThan(0);
});
