// Random packets from both sides of a router with NAT: connections, their answers, ICMP errors about
// them, fragments, and any of these damaged. Nothing throws, no cap is passed, and in the end nothing
// of it is left.

import { describe, expect, it } from 'vitest';
import { below, SeededRandom } from '../../src/base/random.ts';
import type { NatOptions } from '../../src/forward/nat-rules.ts';
import { cut, icmpMessage, ip4, pattern } from '../ip/fixture.ts';
import { IN, isSound, natted, OUT, type Rig, srcOf, tcpOf, udpOf } from './rig.ts';

const PACKETS = 20_000;
const TRACK_MAX = 100;
const REASSEMBLY_OCTETS = 60_000;
const OURS = '203.0.113.1';
const FLAGS = [0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x00, 0x3f];
const DAY_US = 86_400e6;

class Storm {
  readonly random: SeededRandom;
  readonly rig: Rig;
  /** What has left by either link lately: answers and errors are about it. */
  readonly #lately: Uint8Array[] = [];
  passed = 0;
  translated = 0;

  constructor(seed: number, options: NatOptions) {
    this.random = new SeededRandom(seed);
    this.rig = natted(options, {
      forward: { trackMax: TRACK_MAX },
      ip: { reassemblyMaxOctets: REASSEMBLY_OCTETS },
    });
  }

  #below(n: number): number {
    return below(this.random, n);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  /** Few ports and addresses, so that they meet. */
  #ports(): [number, number] {
    return [this.#pick([53, 4000, 4001, 4002, 8080, 65_535]), this.#pick([53, 80, 4000, 0])];
  }

  #fresh(fromIn: boolean): Uint8Array {
    const inner = `10.0.1.${this.#below(60) + 2}`;
    const outer = this.#pick(['203.0.113.7', '203.0.113.8', '198.51.100.9']);
    const src = fromIn ? inner : outer;
    const dst = fromIn ? this.#pick([outer, outer, OURS]) : OURS;
    const kind = this.#below(4);
    if (kind === 0) return tcpOf(src, dst, this.#ports(), this.#pick(FLAGS));
    if (kind === 1) {
      const rest = [0, this.#below(4), 0, 1];
      const payload = icmpMessage(this.#pick([0, 8, 8, 13]), 0, rest, pattern(8));
      return ip4({ src, dst, proto: 1, payload });
    }
    return udpOf(src, dst, this.#ports(), this.#pick([0, 30, 900, 2600]));
  }

  /** The mirror image of a packet that has passed. */
  #answer(p: Uint8Array): Uint8Array {
    const a = p.slice();
    a.set(p.subarray(12, 16), 16);
    a.set(p.subarray(16, 20), 12);
    a[8] = 64;
    if (a[9] === 1 && a[20] === 8) {
      const data = a.subarray(28);
      const rest = [...a.subarray(24, 28)];
      a.set(icmpMessage(0, 0, rest, data), 20);
    } else if (a[9] !== 1) {
      a.set(p.subarray(20, 22), 22);
      a.set(p.subarray(22, 24), 20);
    }
    // The header's sum changes by the TTL alone; ports and addresses only change places.
    const ttl = ((p[8] as number) - 64) * 256;
    let sum = ((p[10] as number) << 8) + (p[11] as number) + ttl;
    sum = sum > 0xffff ? sum - 0xffff : sum < 0 ? sum + 0xffff : sum;
    a.set([sum >>> 8, sum & 255], 10);
    return a;
  }

  #error(p: Uint8Array): Uint8Array {
    const quote = p.subarray(0, Math.min(p.length, this.#pick([20, 27, 28, 40, 200])));
    const payload = icmpMessage(this.#pick([3, 4, 11, 12]), this.#below(5), [0, 0, 2, 0], quote);
    return ip4({ src: '203.0.113.99', dst: srcOf(p), proto: 1, payload });
  }

  #damaged(p: Uint8Array): Uint8Array {
    const d = p.slice();
    for (let n = this.#below(4); n >= 0; n--) d[this.#below(d.length)] = this.#below(256);
    return this.#below(3) === 0 ? d.subarray(0, this.#below(d.length) + 1) : d;
  }

  #next(): [number, Uint8Array[]] {
    const fromIn = this.#below(2) === 0;
    const link = fromIn ? IN : OUT;
    const kind = this.#below(10);
    const known = this.#lately.length === 0 ? null : this.#pick(this.#lately);
    if (known !== null && kind < 4) {
      const back = srcOf(known).startsWith('10.0.1.') ? IN : OUT;
      // By the link that it has left by, for the most part.
      const by = this.#below(8) === 0 ? link : back;
      return [by, [kind < 2 ? this.#answer(known) : this.#error(known)]];
    }
    const p = this.#fresh(fromIn);
    if (kind === 4) return [link, [this.#damaged(known !== null && fromIn ? known : p)]];
    if (kind !== 5 || p.length < 60) return [link, [p]];
    const parts = cut(p, 24 + 8 * this.#below(40), this.#below(8));
    return [link, parts.filter(() => this.#below(40) > 0)];
  }

  step(): void {
    const { rig } = this;
    const [link, packets] = this.#next();
    for (const p of packets) rig.put(link, p);
    for (const p of [...rig.out.take(), ...rig.in.take()]) {
      this.passed++;
      if (srcOf(p) === OURS && p[9] !== 1) this.translated++;
      if (this.#lately.length < 32) this.#lately.push(p);
      else this.#lately[this.#below(32)] = p;
    }
    if (this.#below(50) === 0) rig.wait(this.#below(20_000_000));
  }
}

const MODES: [string, number, NatOptions][] = [
  ['endpoint-independent mapping', 1, {}],
  ['one port for several', 2, { mapping: 'address-and-port-dependent' }],
  ['open to everybody', 3, { filtering: 'endpoint-independent' }],
  [
    'with forwarded ports',
    4,
    { forwards: [{ protocol: 'udp', port: 8080, to: '10.0.1.9', toPort: 53 }] },
  ],
];

describe('20,000 random packets at a NAT', () => {
  it.each(MODES)('%s: no exception, caps hold, everything expires', (_name, seed, options) => {
    const storm = new Storm(seed, options);
    const { rig } = storm;
    for (let i = 0; i < PACKETS; i++) {
      storm.step();
      if (i % 500 !== 0) continue;
      expect(rig.stack.routing.tracked().length).toBeLessThanOrEqual(TRACK_MAX);
      const { used, cap, ...held } = rig.stack.memory();
      expect(used).toBeLessThanOrEqual(cap);
      expect(Object.values(held).reduce((a, b) => a + b, 0)).toBe(used);
    }
    expect(rig.stack.counters.get('PortsideExceptions')).toBe(0);
    // The packets reach deep enough.
    expect(storm.passed).toBeGreaterThan(PACKETS / 4);
    expect(storm.translated).toBeGreaterThan(1000);
    const { counters } = rig.stack;
    expect(counters.get('PortsideTrackInserts')).toBeGreaterThan(1000);
    expect(counters.get('PortsideTrackEarlyDrops')).toBeGreaterThan(100);
    for (let day = 0; day < 6; day++) rig.wait(DAY_US);
    expect(rig.stack.routing.tracked()).toEqual([]);
    expect(rig.stack.routing.forwarding.nat?.map.size).toBe(0);
    expect(rig.stack.memory().used).toBe(0);
    expect(rig.stack.nextDeadline()).toBe(Infinity);
  });

  it('what passes an undamaged router is sound: both checksums of all that leaves', () => {
    const rig = natted({}, { forward: { trackMax: TRACK_MAX } });
    const random = new SeededRandom(5);
    let seen = 0;
    for (let i = 0; i < 2000; i++) {
      const src = `10.0.1.${below(random, 60) + 2}`;
      const ports: [number, number] = [below(random, 65_536), below(random, 65_536)];
      const made = below(random, 2) === 0 ? tcpOf(src, '203.0.113.7', ports, 2) : null;
      const packet = made ?? udpOf(src, '203.0.113.7', ports, below(random, 1400));
      for (const p of rig.fromIn(packet).out) {
        seen++;
        if (!isSound(p)) expect(`packet ${i}`).toBe('sound');
      }
    }
    expect(seen).toBe(2000);
  });
});
