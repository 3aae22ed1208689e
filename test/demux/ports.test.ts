// Who may bind what: EADDRINUSE as Linux and Node answer it (libuv sets SO_REUSEADDR, which on Linux
// does not let two listeners share), lookup order, ephemeral ports.

import { describe, expect, test } from 'vitest';
import { Code } from '../../src/base/code.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type Binding, Ports } from '../../src/demux/ports.ts';
import { parse } from '../../src/wire/address.ts';

interface Wish {
  at: string;
  port?: number;
  v6Only?: boolean;
  share?: boolean;
}

function binding(wish: Wish, slot: number): Binding {
  const address = parse(wish.at);
  if (address === null) throw new Error(`${wish.at} is no address`);
  const { a, b, c, d } = address;
  return {
    port: wish.port ?? 80,
    a,
    b,
    c,
    d,
    v6Only: wish.v6Only ?? false,
    share: wish.share ?? false,
    slot,
  };
}

function find(ports: Ports, at: string, port = 80, hash = 0): number {
  const address = parse(at);
  if (address === null) throw new Error(`${at} is no address`);
  ports.spread = hash;
  return ports.find(port, address.a, address.b, address.c, address.d);
}

// biome-ignore format: a table
const pairs: { name: string; first: Wish; then: Wish; refused: boolean }[] = [
  { name: 'the same address twice', first: { at: '10.0.0.1' }, then: { at: '10.0.0.1' }, refused: true },
  { name: 'two addresses', first: { at: '10.0.0.1' }, then: { at: '10.0.0.2' }, refused: false },
  { name: 'two ports', first: { at: '0.0.0.0' }, then: { at: '0.0.0.0', port: 81 }, refused: false },
  { name: '0.0.0.0 twice', first: { at: '0.0.0.0' }, then: { at: '0.0.0.0' }, refused: true },
  { name: 'an address under 0.0.0.0', first: { at: '0.0.0.0' }, then: { at: '10.0.0.1' }, refused: true },
  { name: '0.0.0.0 over an address', first: { at: '10.0.0.1' }, then: { at: '0.0.0.0' }, refused: true },
  { name: ':: twice', first: { at: '::' }, then: { at: '::' }, refused: true },
  { name: '0.0.0.0 under a dual-stack ::', first: { at: '::' }, then: { at: '0.0.0.0' }, refused: true },
  { name: 'dual-stack :: over 0.0.0.0', first: { at: '0.0.0.0' }, then: { at: '::' }, refused: true },
  { name: 'an IPv4 address under a dual-stack ::', first: { at: '::' }, then: { at: '10.0.0.1' }, refused: true },
  { name: 'dual-stack :: over an IPv4 address', first: { at: '10.0.0.1' }, then: { at: '::' }, refused: true },
  { name: '0.0.0.0 beside :: with ipv6Only', first: { at: '::', v6Only: true }, then: { at: '0.0.0.0' }, refused: false },
  { name: ':: with ipv6Only beside 0.0.0.0', first: { at: '0.0.0.0' }, then: { at: '::', v6Only: true }, refused: false },
  { name: 'an IPv4 address beside :: with ipv6Only', first: { at: '::', v6Only: true }, then: { at: '10.0.0.1' }, refused: false },
  { name: ':: with ipv6Only under a dual-stack ::', first: { at: '::' }, then: { at: '::', v6Only: true }, refused: true },
  { name: 'an IPv6 address under ::', first: { at: '::' }, then: { at: '2001:db8::1' }, refused: true },
  { name: 'an IPv6 address under :: with ipv6Only', first: { at: '::', v6Only: true }, then: { at: '2001:db8::1' }, refused: true },
  { name: ':: over an IPv6 address', first: { at: '2001:db8::1' }, then: { at: '::' }, refused: true },
  { name: '::1 beside 0.0.0.0', first: { at: '0.0.0.0' }, then: { at: '::1' }, refused: false },
  { name: 'an IPv4-mapped address is the IPv4 address', first: { at: '::ffff:10.0.0.1' }, then: { at: '10.0.0.1' }, refused: true },
  { name: 'both share', first: { at: '0.0.0.0', share: true }, then: { at: '0.0.0.0', share: true }, refused: false },
  { name: 'only the first shares', first: { at: '0.0.0.0', share: true }, then: { at: '0.0.0.0' }, refused: true },
  { name: 'only the second shares', first: { at: '0.0.0.0' }, then: { at: '0.0.0.0', share: true }, refused: true },
  { name: 'both share, one wildcard', first: { at: '::', share: true }, then: { at: '10.0.0.1', share: true }, refused: false },
];

describe('binding a port', () => {
  test.each(pairs)(
    '$name: refused = $refused (Linux, Node EADDRINUSE)',
    ({ first, then, refused }) => {
      const ports = new Ports();
      const held = binding(first, 1);
      const wanted = binding(then, 2);
      expect(ports.bind(held)).toBe(Code.NONE);
      expect(ports.taken(wanted)).toBe(refused);
      expect(ports.bind(wanted)).toBe(refused ? Code.EADDRINUSE : Code.NONE);
      expect(ports.size).toBe(refused ? 1 : 2);
      expect(ports.refused).toBe(refused ? 1 : 0);
      // free again once the first has gone
      ports.unbind(held);
      if (refused) expect(ports.bind(wanted)).toBe(Code.NONE);
      ports.unbind(wanted);
      expect(ports.size).toBe(0);
      expect(ports.ports()).toEqual([]);
    },
  );

  test('is symmetric: who comes first does not matter', () => {
    for (const { name, first, then, refused } of pairs) {
      const ports = new Ports();
      ports.bind(binding(then, 1));
      expect(ports.bind(binding(first, 2)) !== Code.NONE, name).toBe(refused);
    }
  });

  test('the last of those that share by SO_REUSEADDR answers, and they share with their like', () => {
    const ports = new Ports();
    const like = { ...binding({ at: '10.0.0.1', share: true }, 1), newest: true };
    expect(ports.bind(like)).toBe(Code.NONE);
    expect(ports.bind({ ...like, slot: 2 })).toBe(Code.NONE);
    expect(ports.bind(binding({ at: '10.0.0.1', share: true }, 3))).toBe(Code.EADDRINUSE);
    expect([0, 1, 2].map((hash) => find(ports, '10.0.0.1', 80, hash))).toEqual([2, 2, 2]);
  });

  test('unbinding a stranger changes nothing', () => {
    const ports = new Ports();
    ports.bind(binding({ at: '10.0.0.1' }, 1));
    ports.unbind(binding({ at: '10.0.0.1' }, 1));
    expect(ports.size).toBe(1);
  });
});

describe('looking a listener up', () => {
  test('goes exact address, then the wildcard of the family, then the dual-stack wildcard', () => {
    const ports = new Ports();
    const held = ['10.0.0.1', '0.0.0.0', '::'].map((at, i) => binding({ at, share: true }, i + 1));
    for (const b of held) ports.bind(b);
    expect(find(ports, '10.0.0.1')).toBe(1);
    expect(find(ports, '10.0.0.2')).toBe(2);
    expect(find(ports, '2001:db8::1')).toBe(3);
    ports.unbind(held[0] as Binding);
    expect(find(ports, '10.0.0.1')).toBe(2);
    ports.unbind(held[1] as Binding);
    expect(find(ports, '10.0.0.1')).toBe(3);
    ports.unbind(held[2] as Binding);
    expect(find(ports, '10.0.0.1')).toBe(-1);
  });

  test(':: with ipv6Only does not answer for IPv4 (RFC 3493 §5.3)', () => {
    const ports = new Ports();
    ports.bind(binding({ at: '::', v6Only: true }, 1));
    expect(find(ports, '10.0.0.1')).toBe(-1);
    expect(find(ports, '::1')).toBe(1);
  });

  test('nobody answers on another port', () => {
    const ports = new Ports();
    ports.bind(binding({ at: '0.0.0.0' }, 1));
    expect(find(ports, '10.0.0.1', 81)).toBe(-1);
  });

  test('sharers are chosen by the hash, each of them, and always the same for one hash', () => {
    const ports = new Ports();
    for (let i = 0; i < 4; i++) ports.bind(binding({ at: '0.0.0.0', share: true }, i));
    const chosen = Array.from({ length: 64 }, (_, h) =>
      find(ports, '10.0.0.1', 80, h * 0x9e3779b1),
    );
    expect(new Set(chosen)).toEqual(new Set([0, 1, 2, 3]));
    expect(find(ports, '10.0.0.1', 80, -5)).toBe(find(ports, '10.0.0.1', 80, -5));
  });
});

describe('ephemeral ports', () => {
  test('are spread evenly over the range (RFC 6056 §3.3.1)', () => {
    const ports = new Ports();
    const random = new SeededRandom(4);
    const buckets = new Float64Array(64);
    const n = 64_000;
    for (let i = 0; i < n; i++) {
      const port = ports.ephemeral(random, 32_768, 60_999, () => true);
      const b = Math.floor(((port - 32_768) * 64) / 28_232);
      buckets[b] = (buckets[b] as number) + 1;
    }
    // a port outside the range would be missing here
    expect(buckets.reduce((a, b) => a + b)).toBe(n);
    let chi = 0;
    for (const count of buckets) chi += (count - n / 64) ** 2 / (n / 64);
    expect(chi).toBeLessThan(115); // 63 degrees of freedom: below 1 in 10,000
  });

  test('skip those that are taken, down to the last free one', () => {
    const ports = new Ports();
    const random = new SeededRandom(4);
    for (let i = 0; i < 50; i++)
      expect(ports.ephemeral(random, 100, 199, (p) => p === 150)).toBe(150);
    expect(ports.ephemeral(random, 100, 199, () => false)).toBe(-1);
  });
});
