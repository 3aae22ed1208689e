// Sockets that join and leave at random, and a router that believes what it is told: its view of the
// link is the sockets' together, after every step. Then packets of chance: nothing is left behind.

import { describe, expect, test } from 'vitest';
import { below, SeededRandom } from '../../src/base/random.ts';
import { NOT_OURS } from '../../src/ip/addresses.ts';
import { nextDeadline } from '../../src/ip/timers.ts';
import { openUdpSocket, type UdpSocket } from '../../src/socket/udp-socket.ts';
import { Bench } from './fixture.ts';
import { lines, mldPacket, old4, query3 } from './groups-kit.ts';
import { at } from './groups-names.ts';

const GROUPS = ['239.1.1.1', '239.1.1.2', '232.1.1.1'];
const SOURCES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];

/** What a router makes of reports (RFC 9776 §6.4), when none is lost and nothing times out. */
class Router {
  readonly #groups = new Map<string, { isExclude: boolean; sources: Set<string> }>();

  hear(line: string): void {
    const records = line.matchAll(/(IS_IN|IS_EX|TO_IN|TO_EX|ALLOW|BLOCK) (\S+) \{([^}]*)\}/g);
    for (const [, type, group, list] of records) {
      this.#apply(
        type as string,
        group as string,
        new Set((list as string).split(' ').filter(Boolean)),
      );
    }
  }

  #apply(type: string, group: string, list: Set<string>): void {
    const g = this.#groups.get(group) ?? { isExclude: false, sources: new Set<string>() };
    if (type === 'TO_EX' || type === 'TO_IN') {
      g.isExclude = type === 'TO_EX';
      g.sources = list;
    } else if (type === 'ALLOW' || type === 'BLOCK') {
      for (const s of list) {
        if ((type === 'ALLOW') === g.isExclude) g.sources.delete(s);
        else g.sources.add(s);
      }
    } else if (type === 'IS_EX') {
      expect([g.isExclude, [...g.sources].sort()]).toEqual([true, [...list].sort()]);
    } else for (const s of list) expect(g.sources.has(s)).toBe(!g.isExclude);
    this.#groups.set(group, g);
  }

  wants(group: string, source: string): boolean {
    const g = this.#groups.get(group);
    return g !== undefined && g.sources.has(source) !== g.isExclude;
  }
}

/** A socket as a model: groups with their mode and sources. */
type Wishes = Map<string, { isExclude: boolean; sources: Set<string> }>;

function quietly(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

function open(b: Bench): UdpSocket {
  const nothing = (): void => {};
  const handler = { datagram: nothing, error: nothing, writable: nothing };
  return openUdpSocket(b.udp, { address: '0.0.0.0', port: 7, reusePort: true, handler });
}

class Sockets {
  readonly #b: Bench;
  readonly #random: SeededRandom;
  readonly all: { s: UdpSocket; wishes: Wishes }[] = [];

  constructor(b: Bench, random: SeededRandom) {
    this.#b = b;
    this.#random = random;
  }

  #pick<T>(list: readonly T[]): T {
    return list[below(this.#random, list.length)] as T;
  }

  step(): void {
    if (this.all.length < 3) this.all.push({ s: open(this.#b), wishes: new Map() });
    const { s, wishes } = this.#pick(this.all);
    const group = this.#pick(GROUPS);
    const source = this.#pick(SOURCES);
    const held = wishes.get(group);
    const kind = below(this.#random, 13);
    if (kind < 3) {
      if (quietly(() => s.groups.join(group))) {
        wishes.set(group, { isExclude: true, sources: new Set() });
      }
    } else if (kind < 5) {
      if (quietly(() => s.groups.leave(group))) wishes.delete(group);
    } else if (kind < 8) {
      if (quietly(() => s.groups.joinSource(group, source))) {
        wishes.set(group, { isExclude: false, sources: new Set(held?.sources).add(source) });
      }
    } else if (kind < 10) {
      if (quietly(() => s.groups.leaveSource(group, source))) {
        held?.sources.delete(source);
        if (held?.sources.size === 0) wishes.delete(group);
      }
    } else if (kind === 10) {
      // A list of sources that was emptied may change over: the mode is the new one's.
      if (quietly(() => s.groups.blockSource(group, source))) held?.sources.add(source);
    } else if (kind === 11) {
      if (quietly(() => s.groups.unblockSource(group, source))) held?.sources.delete(source);
    } else {
      s.close();
      this.all.splice(
        this.all.findIndex((x) => x.s === s),
        1,
      );
    }
  }

  wants(group: string, source: string): boolean {
    return this.all.some(({ wishes }) => {
      const w = wishes.get(group);
      return w !== undefined && w.sources.has(source) !== w.isExclude;
    });
  }

  close(): void {
    for (const { s } of this.all.splice(0)) s.close();
  }
}

function expectNothingLeft(b: Bench): void {
  expect([b.ip.groups.size, nextDeadline(b.ip)]).toEqual([0, Infinity]);
  for (const group of GROUPS) {
    const { a, b: w, c, d } = at(group);
    expect(b.ip.addresses.kindOf(a, w, c, d)).toBe(NOT_OURS);
  }
}

describe('sockets at random', () => {
  test('a router that hears every report knows what is wanted (RFC 9776 §5.1, §6.4)', () => {
    let wanted = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const b = new Bench({}, seed);
      const router = new Router();
      const sockets = new Sockets(b, random);
      for (let i = 0; i < 80; i++) {
        sockets.step();
        if (below(random, 4) === 0) b.advance(below(random, 1_500_000));
        if (below(random, 6) === 0) b.feed(query3({ code: below(random, 20) }));
        for (const line of lines(b)) router.hear(line);
        for (const group of GROUPS) {
          for (const source of [...SOURCES, '192.0.2.99']) {
            const isWanted = sockets.wants(group, source);
            if (isWanted) wanted++;
            const where = `seed ${seed} step ${i} ${group} ${source}`;
            expect(router.wants(group, source), where).toBe(isWanted);
          }
        }
      }
      sockets.close();
      for (let i = 0; i < 5; i++) b.advance(1_000_000);
      expectNothingLeft(b);
    }
    expect(wanted).toBeGreaterThan(10_000);
  });

  test('whatever routers and strangers say, nothing is left behind and nothing grows', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const b = new Bench({}, seed);
      b.address('fe80::2/64');
      const sockets = new Sockets(b, random);
      for (let i = 0; i < 80; i++) {
        sockets.step();
        b.feed(chance(random));
        b.advance(below(random, 3_000_000));
        expect(b.ip.groups.size).toBeLessThanOrEqual(GROUPS.length);
        expect(b.ip.groups.links.length).toBeLessThanOrEqual(2);
        lines(b);
      }
      sockets.close();
      for (let i = 0; i < 5; i++) b.advance(10_000_000);
      expectNothingLeft(b);
      expect(b.reasons()).not.toContain('INTERNAL');
    }
  });
});

/** A message of any kind, often with octets that are wrong. */
function chance(random: SeededRandom): Uint8Array {
  const group = GROUPS[below(random, GROUPS.length)] as string;
  const code = below(random, 256);
  const rows = [
    () => query3({ code, qrv: below(random, 8), qqic: below(random, 256) }),
    () => query3({ code, group, sources: SOURCES.slice(0, below(random, 4)), dst: '224.0.0.1' }),
    () => old4(0x11, { code, dst: '224.0.0.1' }),
    () => old4(0x11, { code: 0, dst: '224.0.0.1' }),
    () => old4([0x12, 0x16, 0x17, 0x22][code & 3] as number, { group, dst: '224.0.0.1' }),
    () => mldPacket(130, { code: code * 300, v2: code > 100 }),
    () => mldPacket(131, { group: 'ff15::1', dst: 'ff02::1', v2: false }),
  ];
  const bytes = (rows[below(random, rows.length)] as () => Uint8Array)();
  if (below(random, 2) === 0) return bytes;
  const i = below(random, bytes.length);
  bytes[i] = (bytes[i] as number) ^ (1 << below(random, 8));
  return bytes.slice(0, below(random, 2) === 0 ? bytes.length : below(random, bytes.length));
}
