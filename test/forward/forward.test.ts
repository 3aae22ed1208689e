// Packets for others: what goes on, changed as the RFCs say, and what does not, and who hears of it.

import { describe, expect, it } from 'vitest';
import { RxFlag } from '../../src/base/rx.ts';
import { concat, expectSame, icmpMessage, ip4, pattern, udpPacket } from '../ip/fixture.ts';
import { icmp6Message, ip6, udp6 } from '../ip/fixture6.ts';
import { dstOf, IN, isSound, OUT, one, Rig, srcOf, tcp, word } from './rig.ts';

const INSIDE = '10.0.1.9';
const FAR = '203.0.113.7';
const INSIDE6 = '2001:db8:1::9';
const FAR6 = '2001:db8:2::7';

function datagram(
  o: { ttl?: number; frag?: number; size?: number; dst?: string; src?: string } = {},
) {
  const { ttl = 64, frag = 0, size = 100, dst = FAR, src = INSIDE } = o;
  return udpPacket(pattern(size), [4000, 9], { src, dst, ttl, frag, id: 0x4242 });
}

function datagram6(o: { hops?: number; size?: number; dst?: string; src?: string } = {}) {
  const { hops = 64, size = 100, dst = FAR6, src = INSIDE6 } = o;
  const p = { src, dst, hops };
  return ip6({ ...p, payload: udp6(p, [4000, 9], pattern(size)) });
}

/** The ICMP error in a packet, and the first octets of what it quotes. */
function errorIn(p: Uint8Array): { type: number; code: number; mtu: number; quote: Uint8Array } {
  expect(isSound(p)).toBe(true);
  return { type: p[20] as number, code: p[21] as number, mtu: word(p, 26), quote: p.subarray(28) };
}

function errorIn6(p: Uint8Array): { type: number; code: number; mtu: number; quote: Uint8Array } {
  return { type: p[40] as number, code: p[41] as number, mtu: word(p, 46), quote: p.subarray(48) };
}

describe('a host', () => {
  it('forwards nothing unless it is told to (RFC 1122 §3.3.1, RFC 1812 §2.2.8.1)', () => {
    const rig = new Rig({ forward: { forwarding: false } });
    expect(rig.fromIn(datagram())).toEqual({ out: [], back: [] });
    expect(rig.fromIn(datagram6())).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ OTHERHOST: 2 });
  });

  it('forwards what comes by the links that it is told of', () => {
    const rig = new Rig({ forward: { forwarding: false } });
    rig.stack.routing.setForwarding(true, IN);
    expect(rig.fromIn(datagram()).out).toHaveLength(1);
    expect(rig.fromOut(datagram({ src: FAR, dst: INSIDE }))).toEqual({ in: [], back: [] });
    rig.stack.routing.setForwarding(null, IN);
    expect(rig.fromIn(datagram()).out).toHaveLength(0);
  });

  it('says ENODEV for a link that is not there', () => {
    expect(() => new Rig().stack.routing.setForwarding(true, 9)).toThrow('ENODEV');
  });
});

describe('IPv4', () => {
  it('counts the TTL down and the checksum with it, and changes nothing else (RFC 1812 §5.3.1)', () => {
    const rig = new Rig();
    const sent = datagram({ ttl: 9 });
    const got = one(rig.fromIn(sent).out);
    expectSame(got, datagram({ ttl: 8 }));
    expect(rig.stack.counters.get('IpForwDatagrams')).toBe(1);
    expect(rig.out.flushes).toBeGreaterThan(0);
  });

  it('keeps the checksum right for every TTL and identification (RFC 1624 §3)', () => {
    const rig = new Rig();
    for (let ttl = 2; ttl < 256; ttl++) {
      const p = { src: INSIDE, dst: FAR, ttl, id: (ttl * 257 + 3) & 0xffff };
      expect(isSound(one(rig.fromIn(udpPacket(pattern(8), [1, 2], p)).out))).toBe(true);
    }
  });

  it('answers a packet whose time is up with Time Exceeded (RFC 1812 §5.3.1, §4.3.3.4)', () => {
    for (const ttl of [0, 1]) {
      const rig = new Rig();
      const { out, back } = rig.fromIn(datagram({ ttl }));
      expect(out).toEqual([]);
      const answer = one(back);
      expect([srcOf(answer), dstOf(answer)]).toEqual(['10.0.1.1', INSIDE]);
      const { type, code, quote } = errorIn(answer);
      expect([type, code]).toEqual([11, 0]);
      expectSame(quote.slice(0, 128), datagram({ ttl }).slice(0, 128));
      expect(rig.drops).toEqual({ IP_TTL: 1 });
    }
  });

  it('answers where there is no route with Network Unreachable (RFC 1812 §5.2.7.1)', () => {
    const rig = new Rig();
    const { type, code } = errorIn(one(rig.fromIn(datagram({ dst: '192.0.2.1' })).back));
    expect([type, code]).toEqual([3, 0]);
    expect(rig.stack.counters.get('IpExtInNoRoutes')).toBe(1);
    expect(rig.drops).toEqual({ IP_INNOROUTES: 1 });
  });

  it('answers what is too large and has DF with the MTU of the link (RFC 1191 §4)', () => {
    const rig = new Rig();
    rig.out.mtu = 1000;
    const { out, back } = rig.fromIn(datagram({ frag: 0x4000, size: 1200 }));
    expect(out).toEqual([]);
    const { type, code, mtu } = errorIn(one(back));
    expect([type, code, mtu]).toEqual([3, 4, 1000]);
    expect(rig.drops).toEqual({ PKT_TOO_BIG: 1 });
    expect(rig.stack.counters.get('IpFragFails')).toBe(1);
  });

  it('passes a packet of exactly the MTU, and the MTU of its route (RFC 1191 §4)', () => {
    const rig = new Rig();
    rig.stack.addRoute('198.18.0.0', 16, { link: OUT, mtu: 600 });
    expect(rig.fromIn(datagram({ frag: 0x4000, size: 1472 })).out).toHaveLength(1);
    expect(rig.fromIn(datagram({ frag: 0x4000, size: 572, dst: '198.18.0.1' })).out).toHaveLength(
      1,
    );
    const { back } = rig.fromIn(datagram({ frag: 0x4000, size: 573, dst: '198.18.0.1' }));
    expect(errorIn(one(back)).mtu).toBe(600);
  });

  it('cuts what is too large and has no DF (RFC 791 §3.2, RFC 1812 §5.2.6)', () => {
    const rig = new Rig();
    rig.out.mtu = 500;
    const whole = datagram({ size: 1200 });
    const parts = rig.fromIn(whole).out;
    expect(parts.map((p) => p.length)).toEqual([500, 500, 268]);
    expect(parts.map((p) => word(p, 6))).toEqual([0x2000, 0x2000 | 60, 120]);
    for (const p of parts) {
      expect([word(p, 4), p[8]]).toEqual([0x4242, 63]);
      expect(word(p, 2)).toBe(p.length);
    }
    expectSame(concat(parts.map((p) => p.subarray(20))), whole.slice(20));
    expect(rig.stack.counters.get('IpFragCreates')).toBe(3);
  });

  it('cuts a fragment again and keeps its place (RFC 791 §3.2)', () => {
    const rig = new Rig();
    rig.out.mtu = 300;
    const parts = [0x2000 | 100, 100].map(
      (frag) => rig.fromIn(ip4({ src: INSIDE, dst: FAR, frag, payload: pattern(400) })).out,
    );
    expect(parts[0]?.map((p) => word(p, 6))).toEqual([0x2000 | 100, 0x2000 | 135]);
    expect(parts[1]?.map((p) => word(p, 6))).toEqual([0x2000 | 100, 135]);
  });

  it('repeats in later fragments only the options that say so (RFC 791 §3.1)', () => {
    const rig = new Rig();
    rig.out.mtu = 300;
    // Record route (7) is for the first, security (130) for all.
    const options = [7, 3, 4, 130, 4, 1, 2, 0];
    const p = { src: INSIDE, dst: FAR, options, payload: pattern(400) };
    const [first, second] = rig.fromIn(ip4(p)).out as [Uint8Array, Uint8Array];
    expect([...first.subarray(20, 28)]).toEqual(options);
    expect([...second.subarray(20, 28)]).toEqual([1, 1, 1, 130, 4, 1, 2, 0]);
  });

  it('passes fragments on as they are', () => {
    const rig = new Rig();
    const part = ip4({ src: INSIDE, dst: FAR, frag: 0x2000 | 20, payload: pattern(400) });
    expect(one(rig.fromIn(part).out).subarray(20)).toEqual(part.subarray(20));
  });

  it('refuses a source route (RFC 7126 §4.3)', () => {
    const rig = new Rig();
    const options = [131, 7, 4, 203, 0, 113, 9, 0];
    const p = ip4({ src: INSIDE, dst: FAR, options, payload: pattern(40) });
    expect(rig.fromIn(p)).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ IP_OPTIONS: 1 });
  });

  it.each([
    ['127/8 as a source (RFC 1812 §5.3.7)', '127.0.0.1', FAR, 'IP_INVALID_SOURCE'],
    ['a group as a source (RFC 1812 §5.3.7)', '224.0.0.1', FAR, 'IP_INVALID_SOURCE'],
    ['a broadcast as a source (RFC 1812 §5.3.7)', '255.255.255.255', FAR, 'IP_INVALID_SOURCE'],
    ['this network as a source (RFC 1812 §5.3.7)', '0.0.0.1', FAR, 'IP_INVALID_SOURCE'],
    ['our own address as a source', '10.0.1.1', FAR, 'IP_INVALID_SOURCE'],
    ['a link-local source (RFC 3927 §7)', '169.254.1.1', FAR, 'IP_INVALID_SOURCE'],
    ['a link-local destination (RFC 3927 §7)', INSIDE, '169.254.1.1', 'IP_INADDRERRORS'],
    ['127/8 as a destination (RFC 1812 §5.3.7)', INSIDE, '127.0.0.1', 'IP_INADDRERRORS'],
    ['a group as a destination', INSIDE, '239.1.1.1', 'OTHERHOST'],
    ['240/4 as a destination (RFC 1812 §5.3.7)', INSIDE, '240.0.0.1', 'OTHERHOST'],
    ['this network as a destination', INSIDE, '0.0.0.1', 'IP_INADDRERRORS'],
  ])('passes on nothing with %s', (_name, src, dst, reason) => {
    const rig = new Rig();
    rig.stack.addRoute('0.0.0.0', 0, { link: OUT });
    expect(rig.fromIn(datagram({ src, dst }))).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ [reason]: 1 });
  });

  it('forwards no broadcast, be it of a link beyond or of the link layer (RFC 1812 §5.3.5)', () => {
    const rig = new Rig();
    for (const dst of ['255.255.255.255', '203.0.113.255']) {
      expect(rig.fromIn(datagram({ dst })).out).toEqual([]);
    }
    expect(rig.fromIn(datagram(), RxFlag.LINK_BROADCAST).out).toEqual([]);
    expect(rig.drops.OTHERHOST).toBe(1);
  });

  it('answers no ICMP error, no later fragment and no martian (RFC 1812 §4.3.2.7)', () => {
    const rig = new Rig();
    const unreachable = icmpMessage(3, 1, [0, 0, 0, 0], datagram().subarray(0, 28));
    const p = { src: INSIDE, dst: FAR, ttl: 1 };
    rig.fromIn(ip4({ ...p, proto: 1, payload: unreachable }));
    rig.fromIn(ip4({ ...p, frag: 20, payload: pattern(40) }));
    expect(rig.in.sent).toEqual([]);
    expect(rig.drops).toEqual({ IP_TTL: 2 });
  });

  it('limits how many errors one source gets (RFC 1812 §4.3.2.8)', () => {
    const rig = new Rig();
    let answers = 0;
    for (let i = 0; i < 500; i++) answers += rig.fromIn(datagram({ ttl: 1 })).back.length;
    expect(answers).toBeGreaterThan(100);
    expect(answers).toBeLessThanOrEqual(200);
  });

  it('completes no checksum that a link will complete', () => {
    const rig = new Rig();
    rig.put(IN, datagram(), RxFlag.NEEDS_CSUM);
    expect(one(rig.out.sent).partial).toBe(true);
    const alone = new Rig({}, 0);
    const p = datagram();
    // The pseudo-header's folded sum stands in the field, as a kernel leaves it.
    const pseudo = [10, 0, 1, 9, 203, 0, 113, 7, 0, 17, 0, 108];
    let sum = 0;
    for (let i = 0; i < 12; i += 2) sum += ((pseudo[i] as number) << 8) | (pseudo[i + 1] as number);
    sum = (sum & 0xffff) + (sum >>> 16);
    p.set([sum >>> 8, sum & 255], 26);
    expect(isSound(one(alone.fromIn(p, RxFlag.NEEDS_CSUM).out))).toBe(true);
  });
});

describe('super-segments', () => {
  const TCPV4 = 1;
  const big = (size: number): Uint8Array => {
    const data = pattern(size);
    const payload = tcp(INSIDE, FAR, [4000, 80], { flags: 0x18, ack: 1, data });
    const length = payload.length;
    const pseudo = [10, 0, 1, 9, 203, 0, 113, 7, 0, 6, length >>> 8, length & 255];
    let sum = 0;
    for (let i = 0; i < 12; i += 2) sum += ((pseudo[i] as number) << 8) | (pseudo[i + 1] as number);
    sum = (sum & 0xffff) + (sum >>> 16);
    payload.set([sum >>> 8, sum & 255], 16);
    return ip4({ src: INSIDE, dst: FAR, proto: 6, frag: 0x4000, payload });
  };

  it('pass whole where the link can cut them', () => {
    const rig = new Rig();
    rig.put(IN, big(20_000), RxFlag.NEEDS_CSUM, TCPV4 | (1460 << 8));
    const sent = one(rig.out.sent);
    expect([sent.gsoType, sent.gsoSize, sent.partial]).toEqual([TCPV4, 1460, true]);
    expectSame(sent.bytes.slice(20), big(20_000).slice(20));
    expect(sent.bytes[8]).toBe(63);
  });

  it('are cut and summed for a link that cannot', () => {
    const rig = new Rig({}, 0);
    const parts = rig.fromIn(big(3000), RxFlag.NEEDS_CSUM, TCPV4 | (1460 << 8)).out;
    expect(parts.map((p) => p.length)).toEqual([1500, 1500, 120]);
    expect(parts.every(isSound)).toBe(true);
    expect(parts.every((p) => p[8] === 63)).toBe(true);
    expectSame(concat(parts.map((p) => p.subarray(40))), big(3000).slice(40));
  });

  it('whose segments do not fit are answered as one packet would be (RFC 1191 §4)', () => {
    const rig = new Rig();
    rig.out.mtu = 1499;
    const { out, back } = rig.fromIn(big(20_000), RxFlag.NEEDS_CSUM, TCPV4 | (1460 << 8));
    expect(out).toEqual([]);
    expect(errorIn(one(back)).mtu).toBe(1499);
  });

  it('with a segmentation that does not fit the packet are dropped', () => {
    const rig = new Rig();
    rig.fromIn(datagram({ frag: 0x4000 }), RxFlag.NEEDS_CSUM, TCPV4 | (100 << 8));
    expect(rig.out.sent).toEqual([]);
    expect(rig.drops.BAD_META).toBe(1);
  });
});

describe('IPv6', () => {
  it('counts the hop limit down and changes nothing else (RFC 8200 §3)', () => {
    const rig = new Rig();
    expectSame(one(rig.fromIn(datagram6({ hops: 9 })).out), datagram6({ hops: 8 }));
    expect(rig.stack.counters.get('Ip6OutForwDatagrams')).toBe(1);
  });

  it('answers a packet whose hops are used up with Time Exceeded (RFC 4443 §3.3)', () => {
    for (const hops of [0, 1]) {
      const rig = new Rig();
      const { type, code } = errorIn6(one(rig.fromIn(datagram6({ hops })).back));
      expect([type, code]).toEqual([3, 0]);
      expect(rig.drops).toEqual({ IP_TTL: 1 });
    }
  });

  it('answers where there is no route with code 0 (RFC 4443 §3.1)', () => {
    const rig = new Rig();
    const { type, code } = errorIn6(one(rig.fromIn(datagram6({ dst: '2001:db8:3::1' })).back));
    expect([type, code]).toEqual([1, 0]);
    expect(rig.stack.counters.get('Ip6InNoRoutes')).toBe(1);
  });

  it('cuts nothing: Packet Too Big tells the MTU of the link (RFC 8200 §5, RFC 4443 §3.2)', () => {
    const rig = new Rig();
    rig.out.mtu = 1280;
    expect(rig.fromIn(datagram6({ size: 1232 })).out).toHaveLength(1);
    const { out, back } = rig.fromIn(datagram6({ size: 1233 }));
    expect(out).toEqual([]);
    const { type, code, mtu } = errorIn6(one(back));
    expect([type, code, mtu]).toEqual([2, 0, 1280]);
    expect(rig.stack.counters.get('Ip6InTooBigErrors')).toBe(1);
  });

  it('answers a link-local source with "beyond scope of source" (RFC 4443 §3.1, RFC 4007 §9)', () => {
    const rig = new Rig();
    rig.stack.addRoute('fe80::', 10, { link: IN });
    const { out, back } = rig.fromIn(datagram6({ src: 'fe80::9' }));
    expect(out).toEqual([]);
    const { type, code } = errorIn6(one(back));
    expect([type, code]).toEqual([1, 2]);
  });

  it.each([
    ['a link-local destination (RFC 4291 §2.5.6)', INSIDE6, 'fe80::1', 'IP_INADDRERRORS'],
    ['a group as a destination', INSIDE6, 'ff0e::1', 'OTHERHOST'],
    ['::1 as a destination (RFC 4291 §2.5.3)', INSIDE6, '::1', 'IP_INADDRERRORS'],
    ['::1 as a source (RFC 4291 §2.5.3)', '::1', FAR6, 'IP_INVALID_SOURCE'],
    ['the unspecified address as a source (RFC 4291 §2.5.2)', '::', FAR6, 'IP_INVALID_SOURCE'],
    ['a mapped address as a source (RFC 4942 §2.2)', '::ffff:1.2.3.4', FAR6, 'IP_INVALID_SOURCE'],
  ])('passes on nothing with %s', (_name, src, dst, reason) => {
    const rig = new Rig();
    rig.stack.addRoute('::', 0, { link: OUT });
    expect(rig.fromIn(datagram6({ src, dst }))).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ [reason]: 1 });
  });

  const behind = (options: number[]): Uint8Array => {
    const p = { src: INSIDE6, dst: FAR6 };
    const data = udp6(p, [4000, 9], pattern(20));
    return ip6({ ...p, next: 0, payload: concat([Uint8Array.from([17, 0, ...options]), data]) });
  };

  it('looks at hop-by-hop options and passes on what may be skipped (RFC 8200 §4.3)', () => {
    const rig = new Rig();
    const sent = behind([5, 2, 0, 0, 1, 0]);
    expectSame(one(rig.fromIn(sent).out).slice(8), sent.slice(8));
  });

  it('answers an option that wants it with Parameter Problem (RFC 8200 §4.2)', () => {
    const rig = new Rig();
    const { out, back } = rig.fromIn(behind([0x9e, 4, 0, 0, 0, 0]));
    expect(out).toEqual([]);
    const { type, code, mtu } = errorIn6(one(back));
    expect([type, code, mtu]).toEqual([4, 2, 42]);
  });

  it('drops a hop-by-hop header that leaves the packet', () => {
    const rig = new Rig();
    const p = ip6({ src: INSIDE6, dst: FAR6, next: 0, payload: [17, 9, 1, 4, 0, 0, 0, 0] });
    expect(rig.fromIn(p)).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ IPV6_BAD_EXTHDR: 1 });
  });

  it('leaves headers behind the first alone, also those that it does not know (RFC 8200 §4)', () => {
    const rig = new Rig();
    // A routing header that a host would refuse.
    const data = [17, 0, 0, 1, 0, 0, 0, 0, ...pattern(20)];
    expect(rig.fromIn(ip6({ src: INSIDE6, dst: FAR6, next: 43, payload: data })).out).toHaveLength(
      1,
    );
  });

  it('answers no error about an error (RFC 4443 §2.4)', () => {
    const rig = new Rig();
    const p = { src: INSIDE6, dst: FAR6, hops: 1 };
    const payload = icmp6Message(p, 1, 4, [0, 0, 0, 0], datagram6().subarray(0, 48));
    expect(rig.fromIn(ip6({ ...p, next: 58, payload })).back).toEqual([]);
  });
});
