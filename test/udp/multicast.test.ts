import { describe, expect, test } from 'vitest';
import { openUdpSocket, type UdpSocket } from '../../src/socket/udp-socket.ts';
import type { UdpMeta } from '../../src/udp/meta.ts';
import { Bench, udpPacket } from '../ip/fixture.ts';
import { told } from '../ip/groups-kit.ts';
import { at } from '../ip/groups-names.ts';

const G = '239.1.1.1';
const ONE = Uint8Array.of(1);

interface Heard {
  s: UdpSocket;
  got: string[];
}

function open(b: Bench, address = '0.0.0.0', port = 7, share = true): Heard {
  const got: string[] = [];
  const s = openUdpSocket(b.udp, {
    address,
    port,
    reusePort: share,
    handler: {
      datagram(_s, _u8, _off, len, from: UdpMeta) {
        got.push(`${from.remote()} > ${from.local()} ${len} link ${from.linkId} ttl ${from.ttl}`);
      },
      error() {},
      writable() {},
    },
  });
  return { s, got };
}

function arrive(b: Bench, dst = G, src = '10.0.0.1'): void {
  b.feed(udpPacket(ONE, [4000, 7], { dst, src }));
  b.drain();
}

function thrown(run: () => void): string {
  try {
    run();
    return 'nothing';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('joining (RFC 3678, errors as on Linux)', () => {
  test('a group once on a link; a socket that closes leaves (RFC 9776 §5.1)', () => {
    const b = new Bench();
    const { s } = open(b);
    s.groups.join(G);
    expect(thrown(() => s.groups.join(G))).toBe('EADDRINUSE');
    s.groups.join(G, 'lo');
    expect(b.sent().map(told)).toEqual([`10.0.0.2 > 224.0.0.22 TO_EX ${G} {}`]);
    const before = b.work;
    s.close();
    expect(b.work).toBeGreaterThan(before);
    expect(b.sent().map(told)).toEqual([`10.0.0.2 > 224.0.0.22 TO_IN ${G} {}`]);
  });

  // biome-ignore format: a table
  const rows: [string, string, (s: UdpSocket) => void][] = [
    ['no group', 'EINVAL', (s) => s.groups.join('10.0.0.1')],
    ['no address', 'EINVAL', (s) => s.groups.join('239.1.1')],
    ['no such link', 'ENODEV', (s) => s.groups.join(G, 'eth9')],
    ['no address of ours', 'ENODEV', (s) => s.groups.join(G, '10.9.9.9')],
    ['an address of ours', 'nothing', (s) => s.groups.join(G, '10.0.0.2')],
    ['an address of loopback', 'nothing', (s) => s.groups.join(G, '127.0.0.1')],
    ['a zone', 'nothing', (s) => s.groups.join('ff02::5%dev0')],
    ['a zone by number, counted from one', 'nothing', (s) => s.groups.join('ff02::5%2')],
    ['a zone that is none', 'ENODEV', (s) => s.groups.join('ff02::5%9')],
    ['leaving what was not joined', 'EADDRNOTAVAIL', (s) => s.groups.leave(G)],
    ['a source of the other family', 'EINVAL', (s) => s.groups.joinSource(G, '::1')],
    ['leaving a source of a group that was not joined', 'EINVAL',
      (s) => s.groups.leaveSource(G, '10.0.0.1')],
    ['blocking in a group that was not joined', 'EINVAL',
      (s) => s.groups.blockSource(G, '10.0.0.1')],
    ['a link to send by that is none', 'ENODEV', (s) => s.groups.setInterface('eth9')],
    ['an address to send from that is not ours', 'EADDRNOTAVAIL',
      (s) => s.groups.setInterface('10.9.9.9')],
  ];
  test.each(rows)('%s: %s', (_name, code, run) => {
    const { s } = open(new Bench());
    expect(thrown(() => run(s))).toBe(code);
  });

  test('20 groups and 10 sources a socket (Linux igmp_max_memberships, igmp_max_msf)', () => {
    const b = new Bench({ groupMax: 100, groupMaxSources: 64 });
    const { s } = open(b);
    const joins = Array.from({ length: 21 }, (_, i) =>
      thrown(() => s.groups.join(`239.2.2.${i + 1}`)),
    );
    expect(joins.indexOf('ENOBUFS')).toBe(20);
    const { s: t } = open(b);
    const sources = Array.from({ length: 11 }, (_, i) =>
      thrown(() => t.groups.joinSource(G, `192.0.2.${i + 1}`)),
    );
    expect(sources.indexOf('ENOBUFS')).toBe(10);
  });

  test('from everything to one source while nothing is blocked, and not after (Linux)', () => {
    const { s } = open(new Bench());
    s.groups.join(G);
    s.groups.blockSource(G, '10.0.0.9');
    expect(thrown(() => s.groups.blockSource(G, '10.0.0.9'))).toBe('EADDRNOTAVAIL');
    expect(thrown(() => s.groups.joinSource(G, '10.0.0.1'))).toBe('EINVAL');
    s.groups.unblockSource(G, '10.0.0.9');
    s.groups.joinSource(G, '10.0.0.1');
    expect(thrown(() => s.groups.joinSource(G, '10.0.0.1'))).toBe('EADDRNOTAVAIL');
    expect(thrown(() => s.groups.blockSource(G, '10.0.0.9'))).toBe('EINVAL');
    s.groups.leaveSource(G, '10.0.0.1');
    expect(thrown(() => s.groups.leave(G))).toBe('EADDRNOTAVAIL');
  });
});

describe('who hears a group', () => {
  test('a member, and as on Linux anybody on the port once somebody has joined', () => {
    const b = new Bench();
    const member = open(b);
    const other = open(b);
    const strict = open(b);
    const elsewhere = open(b, '0.0.0.0', 8);
    strict.s.groups.setAll(false);
    arrive(b);
    member.s.groups.join(G);
    arrive(b);
    const line = `10.0.0.1 > ${G} 1 link 1 ttl 64`;
    expect([member.got, other.got, strict.got, elsewhere.got]).toEqual([[line], [line], [], []]);
    expect(b.reasons()).toEqual(['OTHERHOST']);
  });

  test('all-hosts without joining (RFC 1112 §4)', () => {
    const b = new Bench();
    const { got } = open(b);
    arrive(b, '224.0.0.1');
    expect(got).toEqual(['10.0.0.1 > 224.0.0.1 1 link 1 ttl 64']);
  });

  test('by source: those wanted, and all but those blocked (RFC 3678)', () => {
    const b = new Bench();
    const only = open(b);
    const but = open(b);
    only.s.groups.joinSource(G, '10.0.0.1');
    but.s.groups.join(G);
    but.s.groups.blockSource(G, '10.0.0.1');
    arrive(b, G, '10.0.0.1');
    arrive(b, G, '10.0.0.3');
    expect(only.got).toEqual([`10.0.0.1 > ${G} 1 link 1 ttl 64`]);
    expect(but.got).toEqual([`10.0.0.3 > ${G} 1 link 1 ttl 64`]);
  });

  test('a member on another link does not', () => {
    const b = new Bench();
    const inside = open(b);
    inside.s.groups.join(G, 'lo');
    const outside = open(b);
    outside.s.groups.join(G);
    inside.s.groups.setAll(false);
    arrive(b);
    expect([inside.got.length, outside.got.length]).toEqual([0, 1]);
  });

  test('bound to the group itself: its datagrams only; connected, of the peer only', () => {
    const b = new Bench();
    const { s, got } = open(b, G);
    s.groups.join(G);
    arrive(b);
    arrive(b, '10.0.0.2');
    expect(got.length).toBe(1);
    s.connect('10.0.0.1', 4000);
    arrive(b, G, '10.0.0.1');
    arrive(b, G, '10.0.0.3');
    expect(got.length).toBe(2);
    b.sent();
    expect(s.send(ONE, 0, 1)).toBe(0);
    expect([...(b.sent()[0] as Uint8Array).subarray(12, 20)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
    s.disconnect();
    arrive(b, G, '10.0.0.3');
    expect(got.length).toBe(3);
    s.close();
    expect(b.udp.ports.size).toBe(0);
  });
});

describe('sending to a group', () => {
  test('to the link, TTL 1, and back to members as from that link (RFC 1112 §6.1, §6.2)', () => {
    const b = new Bench();
    const member = open(b);
    member.s.groups.join(G);
    b.sent();
    const { s } = open(b, '0.0.0.0', 9);
    expect(s.send(ONE, 0, 1, at(G), 7)).toBe(0);
    b.drain();
    const out = b.sent();
    expect(out.length).toBe(1);
    expect([(out[0] as Uint8Array)[8], ...(out[0] as Uint8Array).subarray(16, 20)]).toEqual([
      1, 239, 1, 1, 1,
    ]);
    expect(member.got).toEqual([`10.0.0.2 > ${G} 1 link 1 ttl 1`]);
  });

  test('without setLoop only out; without members only out', () => {
    const b = new Bench();
    const { s } = open(b, '0.0.0.0', 9);
    s.send(ONE, 0, 1, at(G), 7);
    expect(b.loopback.pending).toBe(0);
    const member = open(b);
    member.s.groups.join(G);
    b.sent();
    s.groups.setLoop(false);
    s.send(ONE, 0, 1, at(G), 7);
    b.drain();
    expect([member.got.length, b.sent().length]).toEqual([0, 1]);
  });

  test('a TTL of 0 stays on the host (RFC 1112 §6.2)', () => {
    const b = new Bench();
    const member = open(b);
    member.s.groups.join(G);
    b.sent();
    const { s } = open(b, '0.0.0.0', 9);
    s.groups.setTtl(0);
    expect(s.send(ONE, 0, 1, at(G), 7)).toBe(0);
    b.drain();
    expect([member.got.length, b.sent().length]).toEqual([1, 0]);
  });

  test('what is larger than the MTU goes out in pieces and comes back whole', () => {
    const b = new Bench();
    const member = open(b);
    member.s.groups.join(G);
    b.sent();
    const { s } = open(b, '0.0.0.0', 9);
    expect(s.send(new Uint8Array(4000), 0, 4000, at(G), 7)).toBe(0);
    b.drain();
    expect(b.sent().length).toBe(3);
    expect(member.got).toEqual([`10.0.0.2 > ${G} 4000 link 1 ttl 1`]);
  });

  test('setInterface names the link and, by address, the source (RFC 1112 §6.1)', () => {
    const b = new Bench();
    b.address('10.0.0.8/24');
    const { s } = open(b, '0.0.0.0', 9);
    const source = (): number[] => [...(b.sent()[0] as Uint8Array).subarray(12, 16)];
    s.send(ONE, 0, 1, at(G), 7);
    expect(source()).toEqual([10, 0, 0, 2]);
    s.groups.setInterface('10.0.0.8');
    s.send(ONE, 0, 1, at(G), 7);
    expect(source()).toEqual([10, 0, 0, 8]);
    s.groups.setInterface('lo');
    s.send(ONE, 0, 1, at(G), 7);
    expect([b.sent(), b.loopback.pending]).toEqual([[], 1]);
    s.groups.setInterface(null);
    s.send(ONE, 0, 1, at(G), 7);
    expect(source()).toEqual([10, 0, 0, 2]);
  });

  test('a broadcast comes back to every socket on the port, the sender too (RFC 1122 §3.3.6)', () => {
    const b = new Bench();
    const { s, got } = open(b);
    s.setBroadcast(true);
    expect(s.send(ONE, 0, 1, at('10.0.0.255'), 7)).toBe(0);
    b.drain();
    expect(got).toEqual(['10.0.0.2 > 10.0.0.255 1 link 1 ttl 64']);
    expect(b.sent().length).toBe(1);
  });

  test('a datagram has a TOS, a TTL and a source of its own with sendWith', () => {
    const b = new Bench();
    b.address('10.0.0.8/24');
    const { s } = open(b, '0.0.0.0', 9);
    const o = { address: at('10.0.0.1'), port: 7, tos: 0xb8, ttl: 9, source: at('10.0.0.8') };
    expect(s.sendWith(ONE, 0, 1, o)).toBe(0);
    expect(s.send(ONE, 0, 1, at('10.0.0.1'), 7)).toBe(0);
    const seen = b.sent().map((p) => [p[1], p[8], p[15]]);
    expect(seen).toEqual([
      [0xb8, 9, 8],
      [0, 64, 2],
    ]);
    const foreign = { ...o, source: at('10.0.0.9') };
    expect(s.sendWith(ONE, 0, 1, foreign)).toBe(-99);
  });
});
