import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { acceptPmtu, input } from '../../src/ip/icmp.ts';
import { Verdict } from '../../src/ip/ip.ts';
import { Path, selectPath } from '../../src/ip/output.ts';
import { PathMtu, plateauBelow } from '../../src/ip/pmtu.ts';
import {
  Bench,
  concat,
  cut,
  expectSame,
  type Ip4,
  icmpMessage,
  ip4,
  pattern,
  RxFlag,
  referenceSum,
} from './fixture.ts';
import { errorAbout, ours } from './quotes.ts';

const echo = (n: number, p: Ip4 = {}): Uint8Array =>
  ip4({ ...p, proto: 1, payload: icmpMessage(8, 0, [0x12, 0x34, 0, 7], pattern(n)) });

describe('echo (RFC 1122 §3.2.2.6)', () => {
  test.each([0, 1, 2, 56, 57, 1023, 1024, 1472])('%i octets come back as they were', (n) => {
    const b = new Bench();
    b.feed(echo(n, { tos: 0x20, ttl: 3 }));
    const [reply] = b.sent() as [Uint8Array];
    expect(reply.length).toBe(28 + n);
    expect([...reply.slice(12, 20)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
    expect(referenceSum(reply.slice(0, 20))).toBe(0);
    expect(referenceSum(reply.slice(20))).toBe(0);
    expect([...reply.slice(20, 22)]).toEqual([0, 0]);
    expect([...reply.slice(24, 28)]).toEqual([0x12, 0x34, 0, 7]);
    expect(reply.slice(28)).toEqual(pattern(n));
    expect([reply[1], reply[8]]).toEqual([0x20, 64]);
    expect(b.counters.get('IcmpOutEchoReps')).toBe(1);
  });

  test.each([1473, 3000, 65_507])('%i octets come in fragments and go in fragments', (n) => {
    const b = new Bench();
    for (const part of cut(echo(n), 1480)) b.feed(part);
    const parts = b.sent();
    expect(parts.length).toBe(Math.ceil((n + 8) / 1480));
    const data = concat(parts.map((p) => p.slice(20)));
    expect(referenceSum(data)).toBe(0);
    expectSame(data.slice(8), pattern(n));
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(1500);
  });

  test('the reply comes from the address that was asked, also one of a prefix owned whole', () => {
    const b = new Bench();
    b.address('10.9.0.0/16', true);
    b.feed(echo(8, { dst: '10.9.4.5', src: '192.0.2.1' }));
    const [reply] = b.sent() as [Uint8Array];
    expect([...reply.slice(12, 20)]).toEqual([10, 9, 4, 5, 192, 0, 2, 1]);
  });

  const groups: [string, Ip4, number][] = [
    ['a broadcast', { dst: '10.0.0.255' }, 0],
    ['the limited broadcast', { dst: '255.255.255.255' }, 0],
    ['a group', { dst: '224.0.0.1' }, 0],
    ['a link-layer broadcast', {}, RxFlag.LINK_BROADCAST],
  ];
  test.each(groups)(
    'to %s is dropped (smurf), unless the option says otherwise',
    (_name, p, flags) => {
      const b = new Bench();
      b.feed(echo(8, p), flags);
      expect(b.sent()).toEqual([]);
      expect(b.reasons()).toEqual(['POLICY']);
      const open = new Bench({ echoBroadcast: true });
      open.feed(echo(8, p), flags);
      const [reply] = open.sent() as [Uint8Array];
      expect([...reply.slice(12, 20)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
    },
  );

  test('a wrong checksum is dropped (RFC 792)', () => {
    const b = new Bench();
    const bytes = echo(8);
    bytes[30] = (bytes[30] as number) ^ 1;
    b.feed(bytes);
    expect(b.reasons()).toEqual(['ICMP_CSUM']);
    expect(b.counters.get('IcmpInCsumErrors')).toBe(1);
    expect(b.sent()).toEqual([]);
  });

  test('fewer than eight octets are dropped', () => {
    for (let n = 0; n < 8; n++) {
      const b = new Bench();
      b.feed(
        ip4({ proto: 1, payload: icmpMessage(8, 0, [0, 0, 0, 0], new Uint8Array(0)).slice(0, n) }),
      );
      expect(b.reasons()).toEqual(['PKT_TOO_SMALL']);
    }
  });
});

test('every other type is neither answered nor passed on (RFC 6918, RFC 6633, RFC 1122 §3.2.2)', () => {
  for (let type = 0; type < 256; type++) {
    if ([3, 8, 11, 12].includes(type)) continue;
    const b = new Bench();
    b.feed(ip4({ proto: 1, payload: icmpMessage(type, 0, [0, 0, 0, 0], pattern(32)) }));
    expect(b.sent()).toEqual([]);
    const want = type === 0 ? 'NO_SOCKET' : type === 5 ? 'POLICY' : 'UNHANDLED_PROTO';
    expect(b.reasons(), `type ${type}`).toEqual([want]);
  }
});

// --- errors that arrive ------------------------------------------------------------------------

/** A TCP packet that we are said to have sent. */
function verdictOf(b: Bench, bytes: Uint8Array): Verdict {
  const verdict = b.arrive(bytes);
  return verdict === Verdict.DELIVER ? input(b.ip, b.ip.rx) : verdict;
}

test('what an error says of the quoted packet (RFC 1122 §3.2.2)', () => {
  const b = new Bench();
  expect(verdictOf(b, errorAbout(ours(), 3, 4, [0, 0, 0x05, 0x14]))).toBe(Verdict.ERROR);
  const e = b.ip.icmpError;
  expect([e.type, e.code, e.mtu, e.protocol, e.srcPort, e.dstPort]).toEqual([
    3, 4, 1300, 6, 40_000, 80,
  ]);
  expect(e.seq).toBe(0xfedcba98 | 0);
  expect([e.src2, e.src3, e.dst2, e.dst3]).toEqual([0xffff, 0x0a000002, 0xffff, 0xc0000250 | 0]);
  expect(e.quotedLen).toBe(60);
  expect(verdictOf(b, errorAbout(ours(), 12, 0, [20, 0, 0, 0]))).toBe(Verdict.ERROR);
  expect([b.ip.icmpError.pointer, b.ip.icmpError.mtu]).toEqual([20, 0]);
});

describe('quotes that are not believed (reliability 2.1)', () => {
  const rows: [string, Uint8Array, string][] = [
    ['no quote', errorAbout(new Uint8Array(0)), 'PKT_TOO_SMALL'],
    ['19 octets of header', errorAbout(ours().slice(0, 19)), 'PKT_TOO_SMALL'],
    ['seven octets of data', errorAbout(ours().slice(0, 27)), 'PKT_TOO_SMALL'],
    ['IPv6 inside', errorAbout(ours({ version: 6 })), 'IP_INHDR'],
    ['IHL 4', errorAbout(ours({ ihl: 4 })), 'IP_INHDR'],
    ['IHL 15 that leaves the quote', errorAbout(ours({ ihl: 15 }).slice(0, 60)), 'PKT_TOO_SMALL'],
    ['a total length below its parts', errorAbout(ours({ totalLength: 27 })), 'IP_INHDR'],
    ['a later fragment', errorAbout(ours({ frag: 5 })), 'FRAG_TOO_FAR'],
    ['sent by somebody else', errorAbout(ours({ src: '10.0.0.3' })), 'IP_INADDRERRORS'],
    [
      'an error to a broadcast',
      errorAbout(ours(), 3, 1, [0, 0, 0, 0], { dst: '10.0.0.255' }),
      'IP_INADDRERRORS',
    ],
    ['about ICMP', errorAbout(ours({ proto: 1 })), 'NO_SOCKET'],
    ['about GRE', errorAbout(ours({ proto: 47 })), 'NO_SOCKET'],
  ];
  test.each(rows)('%s', (_name, bytes, reason) => {
    const b = new Bench();
    expect(verdictOf(b, bytes)).toBe(Verdict.DONE);
    expect(b.reasons()).toEqual([reason]);
  });

  test('eight octets behind the header are enough (RFC 792)', () => {
    const b = new Bench();
    expect(verdictOf(b, errorAbout(ours().slice(0, 28)))).toBe(Verdict.ERROR);
  });

  test('random quotes never throw', () => {
    const b = new Bench();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(3, 11, 12), (quote, type) => {
        b.feed(errorAbout(quote, type));
      }),
      { numRuns: 2000, seed: 2 },
    );
  });
});

describe('errno of each error (Linux icmp_err_convert)', () => {
  const rows: [number, number, number, boolean][] = [
    [3, 0, -101, false],
    [3, 1, -113, false],
    [3, 2, -92, true],
    [3, 3, -111, true],
    [3, 4, -90, false],
    [3, 5, -95, false],
    [3, 6, -101, true],
    [3, 7, -112, true],
    [3, 8, -64, true],
    [3, 9, -101, true],
    [3, 10, -113, true],
    [3, 11, -101, false],
    [3, 12, -113, false],
    [3, 13, -113, true],
    [3, 14, -113, true],
    [3, 15, -113, true],
    [3, 16, -113, false],
    [11, 0, -113, false],
    [11, 1, -113, false],
    [12, 0, -71, false],
  ];
  test.each(rows)('type %i code %i is %i, hard %s', (type, code, errno, hard) => {
    const b = new Bench();
    expect(verdictOf(b, errorAbout(ours(), type, code))).toBe(Verdict.ERROR);
    expect([b.ip.icmpError.errno, b.ip.icmpError.hard]).toEqual([errno, hard]);
  });
});

// --- path MTU ----------------------------------------------------------------------------------

describe('path MTU (RFC 1191, reliability 1.6)', () => {
  const pathMtu = (b: Bench): { mtu: number; locked: boolean } => {
    const path = new Path();
    path.dst2 = 0xffff;
    path.dst3 = 0xc0000250 | 0;
    selectPath(b.ip, path);
    return { mtu: path.mtu, locked: path.locked };
  };
  const report = (mtu: number, quotedLen = 1500): Uint8Array =>
    errorAbout(ours({ totalLength: quotedLen }), 3, 4, [0, 0, mtu >>> 8, mtu & 255]);
  const rows: [string, number, number, boolean, number][] = [
    ['a smaller MTU is taken', 1400, 1500, true, 1400],
    ['the size of the packet itself is nonsense', 1500, 1500, false, 1500],
    ['more than the packet had is nonsense', 9000, 1500, false, 1500],
    ['none given: the next plateau below 1500', 0, 1500, true, 1492],
    ['none given, a packet of 1400: 1006', 0, 1400, true, 1006],
    ['below 552: the floor, without DF', 300, 1500, true, 552],
    ['exactly 552', 552, 1500, true, 552],
    ['below 68: wrong', 67, 1500, false, 1500],
  ];
  test.each(rows)('%s', (_name, mtu, quoted, accepted, want) => {
    const b = new Bench();
    const epoch = b.ip.routeEpoch;
    expect(verdictOf(b, report(mtu, quoted))).toBe(Verdict.ERROR);
    expect(pathMtu(b).mtu, 'before the transport has agreed').toBe(1500);
    expect(acceptPmtu(b.ip, b.ip.icmpError)).toBe(accepted);
    expect(pathMtu(b)).toEqual({ mtu: want, locked: mtu === 300 });
    expect(b.ip.routeEpoch > epoch).toBe(accepted);
  });

  test('it never goes up by a report, and after ten minutes without one it is forgotten', () => {
    const b = new Bench();
    const tell = (mtu: number): boolean => {
      verdictOf(b, report(mtu));
      return acceptPmtu(b.ip, b.ip.icmpError);
    };
    expect(tell(1300)).toBe(true);
    expect(tell(1400)).toBe(false);
    expect(tell(1300)).toBe(false);
    b.advance(300_000_000);
    expect(tell(1200)).toBe(true);
    b.advance(599_999_999);
    expect(pathMtu(b).mtu).toBe(1200);
    const epoch = b.ip.routeEpoch;
    b.advance(1);
    expect(pathMtu(b).mtu).toBe(1500);
    expect(b.ip.routeEpoch).toBeGreaterThan(epoch);
    expect(b.ip.pmtu.nextDeadline()).toBe(Infinity);
  });

  test('the cache is bounded', () => {
    const cache = new PathMtu(
      { pmtuMin: 552, pmtuExpireMs: 1000, pmtuMaxEntries: 64 },
      new SeededRandom(1),
    );
    for (let i = 0; i < 10_000; i++) cache.lower(Int32Array.of(0, 0, 0xffff, i), 1000, i);
    expect(cache.size).toBeLessThanOrEqual(64);
    expect(cache.get(0, 0, 0xffff, 9999)).toBe(1000);
    expect(cache.list().length).toBe(cache.size);
    cache.advance(1_010_000);
    expect(cache.size).toBe(0);
  });

  test('plateaus (RFC 1191 §7.1)', () => {
    const sizes = [65_535, 32_000, 17_914, 8166, 1500, 1492, 576, 508, 296, 68];
    expect(sizes.map(plateauBelow)).toEqual([
      32_000, 17_914, 8166, 4352, 1492, 1006, 508, 296, 68, 68,
    ]);
  });
});
