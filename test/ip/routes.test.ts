import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOT_OURS } from '../../src/ip/addresses.ts';
import {
  addRoute,
  network,
  removeAddress,
  removeLink,
  removeRoute,
} from '../../src/ip/configure.ts';
import { Path, selectPath } from '../../src/ip/output.ts';
import { Routes } from '../../src/ip/routes.ts';
import { type Address, format, parse } from '../../src/wire/address.ts';
import { Bench, prefix } from './fixture.ts';

const at = (text: string): Address => parse(text) as Address;

function linkOf(routes: Routes, text: string): number {
  const { a, b, c, d } = at(text);
  const i = routes.lookup(a, b, c, d);
  return i < 0 ? -1 : routes.at(i).linkId;
}

describe('the longest prefix wins (RFC 1122 §3.3.1, RFC 1812 §5.2.4.3)', () => {
  const routes = new Routes();
  const table: [string, number][] = [
    ['0.0.0.0/0', 1],
    ['10.0.0.0/8', 2],
    ['10.1.0.0/16', 3],
    ['10.1.2.0/24', 4],
    ['10.1.2.3/32', 5],
    ['10.1.2.128/25', 6],
    ['::/0', 7],
    ['2001:db8::/32', 8],
    ['2001:db8:1::/48', 9],
  ];
  for (const [p, linkId] of table) routes.add({ prefix: prefix(p), linkId });
  const rows: [string, number][] = [
    ['8.8.8.8', 1],
    ['10.200.0.1', 2],
    ['10.1.200.1', 3],
    ['10.1.2.1', 4],
    ['10.1.2.3', 5],
    ['10.1.2.127', 4],
    ['10.1.2.128', 6],
    ['10.1.2.255', 6],
    ['11.0.0.0', 1],
    ['2001:db7::1', 7],
    ['2001:db8::1', 8],
    ['2001:db8:1:ffff::', 9],
    ['::1', 7],
  ];
  test.each(rows)('%s goes by link %i', (text, linkId) => {
    expect(linkOf(routes, text)).toBe(linkId);
  });

  test('an IPv6 default is none for IPv4', () => {
    const six = new Routes();
    six.add({ prefix: prefix('::/0'), linkId: 7 });
    expect(linkOf(six, '8.8.8.8')).toBe(-1);
    expect(linkOf(six, '2001::1')).toBe(7);
  });
});

test('lookup agrees with trying every prefix, through adds and removes', () => {
  const small = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 26, max: 32 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(small, fc.boolean()), { maxLength: 60 }), (steps) => {
      const routes = new Routes();
      const model = new Map<string, number>();
      let n = 1;
      for (const [[low, length], adds] of steps) {
        const p = network(prefix(`10.0.0.${low * 4}/${length}`));
        const key = `${p.address}/${length}`;
        const held = model.get(key);
        if (adds && held === undefined) {
          model.set(key, routes.add({ prefix: p, linkId: n++ }));
        } else if (!adds && held !== undefined) {
          routes.remove(held);
          model.delete(key);
        }
      }
      for (let host = 0; host < 64; host++) {
        let best = -1;
        let longest = -1;
        for (const [key, index] of model) {
          const p = prefix(key);
          const mask = p.length === 0 ? 0 : -1 << (32 - p.length);
          const d = 0x0a000000 | host;
          if (((d ^ p.address.d) & mask) === 0 && p.length > longest) {
            longest = p.length;
            best = index;
          }
        }
        expect(routes.lookup(0, 0, 0xffff, 0x0a000000 | host)).toBe(best);
      }
      expect(routes.size).toBe(model.size);
    }),
    { numRuns: 200, seed: 9 },
  );
});

test('ten thousand routes are found like ten', () => {
  const routes = new Routes();
  for (let i = 0; i < 10_000; i++) {
    routes.add({ prefix: prefix(`${20 + (i >> 8)}.${i & 255}.0.0/16`), linkId: i });
  }
  expect(routes.size).toBe(10_000);
  expect(linkOf(routes, '20.7.1.1')).toBe(7);
  expect(linkOf(routes, '59.15.255.255')).toBe(9999);
  expect(linkOf(routes, '60.0.0.0')).toBe(-1);
});

test('several routes of one prefix: lowest metric, then the oldest; dead ones are passed over (RFC 1122 §3.3.1)', () => {
  const routes = new Routes();
  const p = prefix('0.0.0.0/0');
  const slow = routes.add({ prefix: p, linkId: 3, metric: 20 });
  const first = routes.add({ prefix: p, linkId: 1, metric: 10 });
  const second = routes.add({ prefix: p, linkId: 2, metric: 10 });
  expect(routes.add({ prefix: p, linkId: 2, metric: 10 })).toBe(second);
  expect(linkOf(routes, '9.9.9.9')).toBe(1);
  routes.setUsable(first, false);
  expect(linkOf(routes, '9.9.9.9')).toBe(2);
  expect(routes.add({ prefix: p, linkId: 1, metric: 10 })).toBe(first);
  routes.setLinkUsable(2, false);
  expect(linkOf(routes, '9.9.9.9')).toBe(3);
  routes.remove(slow);
  expect(linkOf(routes, '9.9.9.9')).toBe(-1);
  routes.setUsable(first, true);
  routes.setLinkUsable(2, true);
  expect(linkOf(routes, '9.9.9.9')).toBe(1);
  routes.removeLink(1);
  expect(linkOf(routes, '9.9.9.9')).toBe(2);
  expect(routes.size).toBe(1);
});

describe('which path a packet takes', () => {
  const bench = (): Bench => {
    const b = new Bench();
    b.address('10.0.0.9/24');
    b.address('172.16.0.1/16');
    b.address('10.9.0.0/16', true);
    addRoute(b.ip, { prefix: prefix('192.0.2.0/24'), linkId: 1, gateway: at('172.16.0.254') });
    addRoute(b.ip, {
      prefix: prefix('198.51.100.0/24'),
      linkId: 1,
      source: at('10.0.0.9'),
      mtu: 1200,
    });
    return b;
  };
  const rows: [string, string, number, string, number, string][] = [
    ['our network', '10.0.0.77', 1, '10.0.0.2', 1500, '::'],
    ['another network of ours', '172.16.9.9', 1, '172.16.0.1', 1500, '::'],
    ['far away', '8.8.8.8', 1, '10.0.0.2', 1500, '::'],
    ["behind a gateway: its network's address", '192.0.2.5', 1, '172.16.0.1', 1500, '172.16.0.254'],
    ['a route with source and MTU', '198.51.100.5', 1, '10.0.0.9', 1200, '::'],
    ['our own address', '10.0.0.9', 0, '10.0.0.9', 65_535, '::'],
    ['an address of a prefix owned whole', '10.9.8.7', 0, '10.9.8.7', 65_535, '::'],
    ['127.0.0.1', '127.0.0.1', 0, '127.0.0.1', 65_535, '::'],
    ['127.5.5.5 from 127.0.0.1', '127.5.5.5', 0, '127.0.0.1', 65_535, '::'],
    ['a broadcast', '10.0.0.255', 1, '10.0.0.2', 1500, '::'],
    ['the limited broadcast', '255.255.255.255', 1, '10.0.0.2', 1500, '::'],
    ['a group', '224.0.0.251', 1, '10.0.0.2', 1500, '::'],
  ];
  test.each(rows)('%s (RFC 1122 §3.3.4.3)', (_name, dst, linkId, src, mtu, gateway) => {
    const path = new Path();
    setDst(path, dst);
    const b = bench();
    expect(selectPath(b.ip, path)).toBe(0);
    expect(path.linkId).toBe(linkId);
    expect(format(path.src0, path.src1, path.src2, path.src3)).toBe(src);
    expect(path.mtu).toBe(mtu);
    expect(path.gateway === null ? '::' : String(path.gateway)).toBe(gateway);
    expect(path.epoch).toBe(b.ip.routeEpoch);
  });

  const refused: [string, string, string | null, number][] = [
    ['no route', '2001:db8::1', null, -101],
    ['::1 is ours', '::1', null, 0],
    ['the unspecified address means this host', '::', null, 0],
    ['a source that is not ours', '8.8.8.8', '10.0.0.3', -99],
    ['a broadcast as source', '8.8.8.8', '10.0.0.255', -99],
    ['a source of the other family', '8.8.8.8', '::1', -99],
    ['::1 to the outside', '2001:db8:9::1', '::1', -101],
    ['127.0.0.1 to the outside', '8.8.8.8', '127.0.0.1', -99],
    ['a prefix owned whole has every source', '8.8.8.8', '10.9.3.4', 0],
    ['127.0.0.1 to our own address', '10.0.0.2', '127.0.0.1', 0],
  ];
  test.each(refused)('%s', (_name, dst, src, code) => {
    const path = new Path();
    setDst(path, dst);
    if (src !== null) {
      path.anySource = false;
      const s = at(src);
      path.src0 = s.a;
      path.src1 = s.b;
      path.src2 = s.c;
      path.src3 = s.d;
    }
    expect(selectPath(bench().ip, path)).toBe(code);
  });
});

function setDst(path: Path, text: string): void {
  const d = at(text);
  path.dst0 = d.a;
  path.dst1 = d.b;
  path.dst2 = d.c;
  path.dst3 = d.d;
}

describe('addresses come and go', () => {
  const kind = (b: Bench, text: string): number => {
    const { a, b: w, c, d } = at(text);
    return b.ip.addresses.kindOf(a, w, c, d);
  };

  test('adding twice is EADDRINUSE, a group EINVAL, no such link ENODEV; each change moves the epoch', () => {
    const b = new Bench();
    const epoch = b.ip.routeEpoch;
    expect(b.address('10.0.0.2/24')).toBe(-98);
    expect(b.address('224.0.0.5/32')).toBe(-22);
    expect(b.address('255.255.255.255/32')).toBe(-22);
    expect(b.address('0.0.0.0/24')).toBe(-22);
    expect(b.ip.routeEpoch).toBe(epoch);
    expect(b.address('10.5.0.1/24')).toBe(0);
    expect(b.ip.routeEpoch).toBeGreaterThan(epoch);
    expect(addRoute(b.ip, { prefix: prefix('1.0.0.0/8'), linkId: 5 })).toBe(-19);
    expect(addRoute(b.ip, { prefix: prefix('1.0.0.0/8'), linkId: 1, gateway: at('::1') })).toBe(
      -22,
    );
  });

  test('a removed address is forgotten with its broadcasts and its network, others stay', () => {
    const b = new Bench();
    b.address('10.0.0.3/24');
    expect(removeAddress(b.ip, 1, prefix('10.0.0.2/24'), false)).toBe(0);
    expect(kind(b, '10.0.0.2')).toBe(NOT_OURS);
    expect(kind(b, '10.0.0.255')).toBe(1);
    expect(removeAddress(b.ip, 1, prefix('10.0.0.3/24'), false)).toBe(0);
    expect(kind(b, '10.0.0.255')).toBe(NOT_OURS);
    expect(removeAddress(b.ip, 1, prefix('10.0.0.3/24'), false)).toBe(-99);
    expect(removeRoute(b.ip, { prefix: prefix('0.0.0.0/0'), linkId: 1 })).toBe(0);
    expect(b.ip.routes.size).toBe(0);
  });

  test('a prefix owned whole costs one entry; thousands of addresses are found', () => {
    const b = new Bench();
    const before = b.ip.addresses.list.length;
    b.address('10.128.0.0/9', true);
    expect(b.ip.addresses.list.length).toBe(before + 1);
    expect(kind(b, '10.200.1.2')).toBe(0);
    for (let i = 0; i < 4000; i++) b.address(`172.${16 + (i >> 8)}.${i & 255}.1/30`);
    expect(kind(b, '172.20.7.1')).toBe(0);
    expect(kind(b, '172.20.7.3')).toBe(1);
    expect(kind(b, '172.20.7.2')).toBe(NOT_OURS);
    removeLink(b.ip, 1);
    expect(kind(b, '172.20.7.1')).toBe(NOT_OURS);
    expect(b.ip.routes.size).toBe(0);
    expect(b.ip.addresses.list.map((e) => e.address.toString())).toEqual(['127.0.0.1', '::1']);
  });

  test('/31 and /32 have no broadcast (RFC 3021)', () => {
    const b = new Bench();
    b.address('10.1.0.0/31');
    b.address('10.2.0.5/32');
    expect(kind(b, '10.1.0.0')).toBe(0);
    expect(kind(b, '10.1.0.1')).toBe(NOT_OURS);
    expect(kind(b, '10.2.0.5')).toBe(0);
  });

  test('a group is heard while joined', () => {
    const b = new Bench();
    b.ip.addresses.join(at('224.0.0.251'));
    expect(kind(b, '224.0.0.251')).toBe(2);
    b.ip.addresses.leave(at('224.0.0.251'));
    expect(kind(b, '224.0.0.251')).toBe(NOT_OURS);
    expect(kind(b, '224.0.0.1')).toBe(2);
  });
});
