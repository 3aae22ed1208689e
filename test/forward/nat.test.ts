// NAT for IPv4: what a packet looks like on either side, and how long the router remembers.

import { describe, expect, it } from 'vitest';
import { RxFlag } from '../../src/base/rx.ts';
import type { NatOptions } from '../../src/forward/nat-rules.ts';
import { concat, cut, icmpMessage, ip4, pattern, udpPacket } from '../ip/fixture.ts';
import { dstOf, isSound, natted, one, type Rig, srcOf, tcpOf, udpOf, word } from './rig.ts';

const INSIDE = '10.0.1.9';
const OTHER = '10.0.1.10';
const FAR = '203.0.113.7';
const FAR2 = '203.0.113.8';
const OUTSIDE = '203.0.113.1';
const SYN = 0x02;
const ACK = 0x10;
const FIN = 0x01;
const RST = 0x04;

/** Addresses and ports of a sound packet: `src:port > dst:port`. */
function ends(p: Uint8Array): string {
  expect(isSound(p)).toBe(true);
  return `${srcOf(p)}:${word(p, 20)} > ${dstOf(p)}:${word(p, 22)}`;
}

describe('a masquerading router', () => {
  it('puts its own address in the place of the source, and takes the answer back (RFC 3022 §2.2)', () => {
    const rig = natted();
    const out = one(rig.fromIn(udpOf(INSIDE, FAR, [4000, 53])).out);
    expect(ends(out)).toBe(`${OUTSIDE}:4000 > ${FAR}:53`);
    expect(out[8]).toBe(63);
    const back = one(rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000])).in);
    expect(ends(back)).toBe(`${FAR}:53 > ${INSIDE}:4000`);
  });

  it('does so for TCP', () => {
    const rig = natted();
    const out = one(rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN)).out);
    expect(ends(out)).toBe(`${OUTSIDE}:4000 > ${FAR}:80`);
    const back = one(rig.fromOut(tcpOf(FAR, OUTSIDE, [80, 4000], SYN | ACK)).in);
    expect(ends(back)).toBe(`${FAR}:80 > ${INSIDE}:4000`);
  });

  it('keeps UDP that has no checksum without one (RFC 768)', () => {
    const rig = natted();
    const p = udpOf(INSIDE, FAR, [4000, 53]);
    p.set([0, 0], 26);
    expect(word(one(rig.fromIn(p).out), 26)).toBe(0);
  });

  it('translates the query id of an echo and of its reply (RFC 5508 REQ-1)', () => {
    const rig = natted();
    const ask = (src: string): Uint8Array =>
      ip4({ src, dst: FAR, proto: 1, payload: icmpMessage(8, 0, [0x12, 0x34, 0, 1], pattern(8)) });
    const first = one(rig.fromIn(ask(INSIDE)).out);
    const second = one(rig.fromIn(ask(OTHER)).out);
    expect([srcOf(first), word(first, 24)]).toEqual([OUTSIDE, 0x1234]);
    const id = word(second, 24);
    expect(id).not.toBe(0x1234);
    expect(isSound(second)).toBe(true);
    const rest = [id >>> 8, id & 255, 0, 1];
    const payload = icmpMessage(0, 0, rest, pattern(8));
    const back = one(rig.fromOut(ip4({ src: FAR, dst: OUTSIDE, proto: 1, payload })).in);
    expect([dstOf(back), word(back, 24), isSound(back)]).toEqual([OTHER, 0x1234, true]);
  });

  it('keeps the port where it can, and its parity and range where not (RFC 4787 REQ-3, REQ-4)', () => {
    for (let i = 0; i < 20; i++) {
      const rig = natted();
      const wanted = i % 2 === 0 ? 4000 + i : 500 + i;
      rig.fromIn(udpOf(INSIDE, FAR, [wanted, 53]));
      for (let n = 11; n < 20; n++) {
        const p = one(rig.fromIn(udpOf(`10.0.1.${n}`, FAR, [wanted, 53])).out);
        const port = word(p, 20);
        expect(port).not.toBe(wanted);
        expect(port & 1).toBe(wanted & 1);
        expect(port < 1024).toBe(wanted < 1024);
        expect(port).toBeGreaterThan(0);
      }
    }
  });

  it('shows one inside endpoint under one port to everybody (RFC 4787 REQ-1, RFC 5382 REQ-1)', () => {
    const rig = natted();
    rig.fromIn(udpOf(OTHER, FAR, [4000, 53]));
    const seen = [FAR, FAR2].map((dst) => {
      return word(one(rig.fromIn(udpOf(INSIDE, dst, [4000, 53])).out), 20);
    });
    expect(seen[0]).not.toBe(4000);
    expect(seen[1]).toBe(seen[0]);
  });

  it('may use one port for several endpoints when told to (RFC 4787 §4.1)', () => {
    const rig = natted({ mapping: 'address-and-port-dependent' });
    const seen = [INSIDE, OTHER].map((src, i) => {
      const dst = i === 0 ? FAR : FAR2;
      return ends(one(rig.fromIn(udpOf(src, dst, [4000, 53])).out));
    });
    expect(seen).toEqual([`${OUTSIDE}:4000 > ${FAR}:53`, `${OUTSIDE}:4000 > ${FAR2}:53`]);
    const clash = word(one(rig.fromIn(udpOf(OTHER, FAR, [4000, 53])).out), 20);
    expect(clash).not.toBe(4000);
    const back = one(rig.fromOut(udpOf(FAR2, OUTSIDE, [53, 4000])).in);
    expect(dstOf(back)).toBe(OTHER);
  });

  it('lets in only who was spoken to, unless filtering is open (RFC 4787 REQ-8)', () => {
    for (const filtering of ['address-and-port-dependent', 'endpoint-independent'] as const) {
      const rig = natted({ filtering });
      rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
      const got = rig.fromOut(udpOf(FAR2, OUTSIDE, [99, 4000])).in;
      if (filtering === 'endpoint-independent') {
        expect(ends(one(got))).toBe(`${FAR2}:99 > ${INSIDE}:4000`);
        const answer = one(rig.fromIn(udpOf(INSIDE, FAR2, [4000, 99])).out);
        expect(ends(answer)).toBe(`${OUTSIDE}:4000 > ${FAR2}:99`);
      } else expect(got).toEqual([]);
    }
  });

  it('leaves its own sockets and their ports alone', () => {
    const rig = natted();
    const heard: number[] = [];
    rig.stack.udp({
      port: 4000,
      handler: { datagram: (_s, _u, _o, n) => heard.push(n), error: () => {}, writable: () => {} },
    });
    expect(word(one(rig.fromIn(udpOf(INSIDE, FAR, [4000, 53])).out), 20)).not.toBe(4000);
    expect(rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000], 17)).in).toEqual([]);
    expect(heard).toEqual([17]);
  });

  it('shows no inside address of what belongs to nothing', () => {
    const rig = natted();
    const payload = icmpMessage(0, 0, [1, 2, 0, 1], pattern(8));
    expect(rig.fromIn(ip4({ src: INSIDE, dst: FAR, proto: 1, payload })).out).toEqual([]);
    expect(rig.fromIn(ip4({ src: INSIDE, dst: FAR, proto: 47, payload: pattern(8) })).out).toEqual(
      [],
    );
    expect(rig.drops).toEqual({ NETFILTER_DROP: 2 });
    expect(rig.stack.counters.get('PortsideTrackInvalid')).toBe(2);
  });

  it('puts fragments together before it translates them, in any order (RFC 4787 REQ-14)', () => {
    const rig = natted();
    const parts = cut(udpOf(INSIDE, FAR, [4000, 53], 3000), 1200).reverse();
    const sent = parts.flatMap((p) => rig.fromIn(p).out);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.every((p) => srcOf(p) === OUTSIDE)).toBe(true);
    const bodies = sent.map((p) => p.subarray(20));
    const whole = ip4({ src: OUTSIDE, dst: FAR, payload: concat(bodies) });
    expect(ends(whole)).toBe(`${OUTSIDE}:4000 > ${FAR}:53`);
  });

  it('moves a partial checksum by the addresses alone', () => {
    const rig = natted();
    const p = udpOf(INSIDE, FAR, [4000, 53]);
    p.set([0x10, 0x20], 26);
    const out = one(rig.fromIn(p, RxFlag.NEEDS_CSUM).out);
    // 10.0.1.9 → 203.0.113.1: 0x0a00 + 0x0109 out, 0xcb00 + 0x7101 in.
    const sum = 0x1020 + 0xcb00 + 0x7101 - 0x0a00 - 0x0109;
    expect(word(out, 26)).toBe((sum & 0xffff) + (sum >>> 16));
  });

  it('goes on without those who have no room: each new connection is refused and counted', () => {
    const rig = natted({}, { forward: { trackMax: 4 } });
    for (let i = 0; i < 4; i++) {
      rig.fromIn(udpOf(INSIDE, FAR, [4000 + i, 53]));
      rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000 + i]));
    }
    expect(rig.fromIn(udpOf(INSIDE, FAR, [5000, 53])).out).toEqual([]);
    expect(rig.drops).toEqual({ NETFILTER_DROP: 1 });
    expect(rig.fromIn(udpOf(INSIDE, FAR, [4002, 53])).out).toHaveLength(1);
  });

  it('lets connections go that nobody has answered when the table is full', () => {
    const rig = natted({}, { forward: { trackMax: 4 } });
    for (let i = 0; i < 9; i++) {
      expect(rig.fromIn(udpOf(INSIDE, FAR, [4000 + i, 53])).out).toHaveLength(1);
    }
    expect(rig.stack.routing.tracked()).toHaveLength(4);
    expect(rig.stack.counters.get('PortsideTrackEarlyDrops')).toBe(5);
  });
});

describe('ICMP errors', () => {
  /** What a router outside says about a packet that it has seen. */
  const about = (p: Uint8Array, from = '203.0.113.99', type = 11): Uint8Array => {
    const payload = icmpMessage(type, type === 3 ? 4 : 0, [0, 0, 5, 0], p.subarray(0, 48));
    return ip4({ src: from, dst: srcOf(p), proto: 1, payload });
  };

  it('come to the host inside with the packet as it sent it (RFC 5508 REQ-4)', () => {
    const rig = natted();
    rig.fromIn(udpOf(OTHER, FAR, [4000, 53]));
    const sent = udpOf(INSIDE, FAR, [4000, 53]);
    const out = one(rig.fromIn(sent).out);
    const back = one(rig.fromOut(about(out)).in);
    expect([srcOf(back), dstOf(back), isSound(back)]).toEqual(['203.0.113.99', INSIDE, true]);
    const quote = back.subarray(28);
    expect([...quote.subarray(12, 28)]).toEqual([...sent.subarray(12, 28)]);
    // The quoted header's TTL was counted down before; its checksum goes with it.
    expect(word(quote, 10)).toBe(word(sent, 10) + 0x100);
  });

  it('tell the path MTU through the translator (RFC 5508 REQ-4, RFC 1191 §4)', () => {
    const rig = natted();
    const out = one(rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN)).out);
    const back = one(rig.fromOut(about(out, '203.0.113.99', 3)).in);
    expect([back[20], back[21], word(back, 26)]).toEqual([3, 4, 0x500]);
    expect(word(back, 28 + 36)).toBe(word(tcpOf(INSIDE, FAR, [4000, 80], SYN), 36));
  });

  it('about an echo bring its id back (RFC 5508 REQ-4)', () => {
    const rig = natted();
    const ask = (src: string): Uint8Array =>
      ip4({ src, dst: FAR, proto: 1, payload: icmpMessage(8, 0, [0x12, 0x34, 0, 1], pattern(8)) });
    rig.fromIn(ask(INSIDE));
    const back = one(rig.fromOut(about(one(rig.fromIn(ask(OTHER)).out))).in);
    expect([dstOf(back), word(back, 28 + 24)]).toEqual([OTHER, 0x1234]);
  });

  it('with a wrong checksum, or about nothing that is known, stay outside (RFC 5508 REQ-3)', () => {
    const rig = natted();
    const out = one(rig.fromIn(udpOf(INSIDE, FAR, [4000, 53])).out);
    const wrong = about(out);
    wrong[22] = (wrong[22] as number) ^ 1;
    expect(rig.fromOut(wrong).in).toEqual([]);
    expect(rig.fromOut(about(udpOf(OUTSIDE, FAR, [4001, 53]))).in).toEqual([]);
  });

  it('of our own quote a translated packet as its sender knows it', () => {
    const rig = natted();
    rig.in.mtu = 576;
    rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    const big = udpPacket(pattern(700), [53, 4000], { src: FAR, dst: OUTSIDE, frag: 0x4000 });
    const answer = one(rig.fromOut(big).back);
    expect([answer[20], answer[21], word(answer, 26)]).toEqual([3, 4, 576]);
    expect(dstOf(answer.subarray(28))).toBe(OUTSIDE);
    expect([...answer.subarray(28, 28 + 40)]).toEqual([...big.subarray(0, 40)]);
  });
});

describe('port forwarding', () => {
  const rules: NatOptions = {
    forwards: [{ protocol: 'tcp', port: 8080, to: INSIDE, toPort: 80 }],
  };

  it('hands a port of ours to a host inside, and its answers back', () => {
    const rig = natted(rules);
    const got = one(rig.fromOut(tcpOf(FAR, OUTSIDE, [5000, 8080], SYN)).in);
    expect(ends(got)).toBe(`${FAR}:5000 > ${INSIDE}:80`);
    const answer = one(rig.fromIn(tcpOf(INSIDE, FAR, [80, 5000], SYN | ACK)).out);
    expect(ends(answer)).toBe(`${OUTSIDE}:8080 > ${FAR}:5000`);
  });

  it('serves those inside under the same address, from an outside one (RFC 4787 REQ-9)', () => {
    const rig = natted(rules);
    const got = one(rig.fromIn(tcpOf(OTHER, OUTSIDE, [5000, 8080], SYN)).back);
    expect(ends(got)).toBe(`${OUTSIDE}:5000 > ${INSIDE}:80`);
    const answer = one(rig.fromIn(tcpOf(INSIDE, OUTSIDE, [80, 5000], SYN | ACK)).back);
    expect(ends(answer)).toBe(`${OUTSIDE}:8080 > ${OTHER}:5000`);
  });

  it.each([
    [{ protocol: 'tcp', port: 0, to: INSIDE }, '0 is no port'],
    [{ protocol: 'udp', port: 80, to: '::1' }, "'::1' is no IPv4 address"],
    [{ protocol: 'udp', port: 80, to: INSIDE, address: 'x' }, "'x' is no IPv4 address"],
  ] as const)('refuses a rule that makes no sense: %j', (rule, message) => {
    expect(() => natted({ forwards: [rule] })).toThrow(message);
  });
});

describe('how long a connection is remembered', () => {
  const minutes = (n: number): number => n * 60_000_000;
  const states = (rig: Rig): string[] => rig.stack.routing.tracked().map((row) => row.state);

  it('UDP: two minutes, five once answered (RFC 4787 REQ-5)', () => {
    const rig = natted();
    rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    rig.wait(minutes(1.9));
    expect(rig.stack.routing.tracked()).toHaveLength(1);
    rig.wait(minutes(0.2));
    expect(rig.stack.routing.tracked()).toHaveLength(0);
    rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000]));
    rig.wait(minutes(4.9));
    expect(rig.stack.routing.tracked()).toHaveLength(1);
    rig.wait(minutes(0.2));
    expect(rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000])).in).toEqual([]);
  });

  it('a packet puts it off (RFC 4787 REQ-6)', () => {
    const rig = natted();
    for (let i = 0; i < 5; i++) {
      rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
      rig.wait(minutes(1.9));
    }
    expect(rig.stack.routing.tracked()).toHaveLength(1);
    expect(rig.stack.nextDeadline()).toBeLessThan(Infinity);
  });

  it('TCP: days when established, four minutes while opening and closing (RFC 5382 REQ-5)', () => {
    const rig = natted();
    const there = (flags: number): void => void rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], flags));
    const back = (flags: number): void => void rig.fromOut(tcpOf(FAR, OUTSIDE, [80, 4000], flags));
    there(SYN);
    expect(states(rig)).toEqual(['SYN_SENT']);
    back(SYN | ACK);
    expect(states(rig)).toEqual(['SYN_RECV']);
    rig.wait(minutes(3.9));
    there(ACK);
    expect(states(rig)).toEqual(['ESTABLISHED']);
    rig.wait(minutes(60 * 24));
    back(ACK);
    there(FIN | ACK);
    expect(states(rig)).toEqual(['FIN_WAIT']);
    back(FIN | ACK);
    expect(states(rig)).toEqual(['LAST_ACK']);
    there(ACK);
    expect(states(rig)).toEqual(['TIME_WAIT']);
    rig.wait(minutes(4.1));
    expect(states(rig)).toEqual([]);
  });

  it('a reset ends it soon, and data after it shows that it was none (RFC 7857 §2.2)', () => {
    const rig = natted();
    rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN));
    rig.fromOut(tcpOf(FAR, OUTSIDE, [80, 4000], SYN | ACK));
    rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], ACK));
    rig.fromOut(tcpOf(FAR, OUTSIDE, [80, 4000], RST));
    expect(states(rig)).toEqual(['CLOSE']);
    rig.fromOut(tcpOf(FAR, OUTSIDE, [80, 4000], ACK));
    expect(states(rig)).toEqual(['ESTABLISHED']);
  });

  it('the same ports may begin anew (RFC 5382 REQ-5)', () => {
    const rig = natted();
    rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN));
    rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], RST));
    rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN));
    expect(states(rig)).toEqual(['SYN_SENT']);
  });

  it('lets a mapping go with its last connection', () => {
    const rig = natted();
    rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    rig.fromIn(udpOf(INSIDE, FAR2, [4000, 53]));
    expect(rig.stack.routing.forwarding.nat?.map.size).toBe(1);
    rig.wait(minutes(2.1));
    expect(rig.stack.routing.forwarding.nat?.map.size).toBe(0);
  });
});

it('a stranger finds the mapping even if room for him costs its last connection', () => {
  const rig = natted({ filtering: 'endpoint-independent' }, { forward: { trackMax: 1 } });
  rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
  expect(ends(one(rig.fromOut(udpOf(FAR2, OUTSIDE, [99, 4000])).in))).toBe(
    `${FAR2}:99 > ${INSIDE}:4000`,
  );
  expect(rig.stack.counters.get('PortsideExceptions')).toBe(0);
  expect(ends(one(rig.fromIn(udpOf(INSIDE, FAR2, [4000, 99])).out))).toBe(
    `${OUTSIDE}:4000 > ${FAR2}:99`,
  );
});
