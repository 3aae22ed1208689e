// Neighbours are found, doubted, asked again and given up (RFC 4861 §7.2, §7.3), in both families.

import { describe, expect, it } from 'vitest';
import type { TcpHandler } from '../../src/socket/tcp-socket.ts';
import {
  arp,
  EtherBench,
  EVERYBODY,
  macOption,
  nd,
  OWN_MAC,
  OWN4,
  OWN6,
  PEER_MAC,
  PEER4,
  PEER6,
} from './ether-kit.ts';

const REPLY = arp({ op: 2, dst: OWN_MAC, targetMac: OWN_MAC });
const ADVERT = nd({ type: 136, target: PEER6, flags: 0x60, options: macOption(2) });
const ASK4 = `arp > ${EVERYBODY}: who has ${PEER4} tell ${OWN4}`;
const ASK6 = `ip6 > 33:33:ff:00:00:02: fe80::1 > ff02::1:ff00:2 ns fe80::2 1=${OWN_MAC}`;
const UNICAST4 = `arp > ${PEER_MAC}: who has ${PEER4} tell ${OWN4}`;
const UNICAST6 = `ip6 > ${PEER_MAC}: fe80::1 > fe80::2 ns fe80::2 1=${OWN_MAC}`;

interface Family {
  name: string;
  peer: string;
  ask: string;
  unicast: string;
  answer: Uint8Array;
}
const FAMILIES: Family[] = [
  { name: 'IPv4', peer: PEER4, ask: ASK4, unicast: UNICAST4, answer: REPLY },
  { name: 'IPv6', peer: PEER6, ask: ASK6, unicast: UNICAST6, answer: ADVERT },
];

function closing(ends: number[]): TcpHandler {
  const nothing = (): void => {};
  return {
    ...{ opened: nothing, data: nothing, ended: nothing, writable: nothing, written: nothing },
    closed: (_s, code) => ends.push(code),
  };
}

function found(f: Family): EtherBench {
  const b = EtherBench.ready();
  b.send(f.peer);
  b.feed(f.answer);
  return b;
}

describe.each(FAMILIES)('$name', (f) => {
  it('three questions, one a second, then the neighbour is given up (RFC 4861 §7.2.2)', () => {
    const b = EtherBench.ready();
    expect(b.send(f.peer)).toEqual([f.ask]);
    expect([b.after(1.1), b.after(1), b.after(1.1)]).toEqual([[f.ask], [f.ask], []]);
    expect(b.known(f.peer)).toBe('none');
    expect(b.stack.counters.get('PortsideNeighUnresolved')).toBe(1);
  });

  it('a connection that is being opened ends with EHOSTUNREACH (RFC 4861 §7.2.2)', () => {
    const b = EtherBench.ready();
    const ends: number[] = [];
    b.stack.connect({ address: f.peer, port: 80, handler: closing(ends) });
    expect(b.take()).toEqual([f.ask]);
    b.after(2.9);
    expect(ends).toEqual([]);
    b.after(0.3);
    expect(ends).toEqual([-113]);
    const name = f.name === 'IPv4' ? 'IcmpOutDestUnreachs' : 'Icmp6OutDestUnreachs';
    expect(b.stack.counters.get(name)).toBeGreaterThan(0);
  });

  it('the newest three packets wait, older ones are counted as lost (RFC 1122 §2.3.2.2)', () => {
    const b = EtherBench.ready();
    for (let n = 1; n <= 5; n++) b.send(f.peer, n);
    expect(b.neighbor(f.peer)?.waiting).toHaveLength(3);
    expect(b.stack.counters.snapshot().drops['NEIGH_QUEUEFULL']).toBe(2);
    const lengths = b.neighbor(f.peer)?.waiting.map((w) => w.octets.length);
    const header = f.name === 'IPv4' ? 28 : 48;
    expect(lengths).toEqual([header + 3, header + 4, header + 5]);
    expect(b.feed(f.answer)).toHaveLength(3);
  });

  it('a reachable neighbour is doubted after its time, and used all the same (RFC 4861 §7.3.3)', () => {
    const b = found(f);
    expect(b.known(f.peer)).toBe(`REACHABLE ${PEER_MAC}`);
    b.after(45);
    expect(b.known(f.peer)).toBe(`STALE ${PEER_MAC}`);
    expect(b.send(f.peer)).toHaveLength(1);
    expect(b.known(f.peer)).toBe(`DELAY ${PEER_MAC}`);
  });

  it('is asked directly five seconds after that, three times, then given up (RFC 4861 §7.3.3)', () => {
    const b = found(f);
    b.after(45);
    b.send(f.peer);
    expect(b.after(4.9)).toEqual([]);
    expect([b.after(0.2), b.after(1), b.after(1)]).toEqual([[f.unicast], [f.unicast], [f.unicast]]);
    expect(b.known(f.peer)).toBe(`PROBE ${PEER_MAC}`);
    b.after(1.1);
    expect(b.known(f.peer)).toBe('none');
    expect(b.send(f.peer)).toEqual([f.ask]);
  });

  it('an answer to the probe makes it reachable again (RFC 4861 §7.3.3)', () => {
    const b = found(f);
    b.after(45);
    b.send(f.peer);
    b.after(5.5);
    b.feed(f.answer);
    expect(b.known(f.peer)).toBe(`REACHABLE ${PEER_MAC}`);
  });

  it('a neighbour that nobody sends to is forgotten after ten minutes (RFC 1122 §2.3.2.1)', () => {
    const b = found(f);
    b.after(15 + 599);
    expect(b.known(f.peer)).toBe(`STALE ${PEER_MAC}`);
    b.after(31);
    expect(b.known(f.peer)).toBe('none');
  });
});

describe('an advertisement for a known neighbour (RFC 4861 §7.2.5)', () => {
  const S = 0x40;
  const O = 0x20;
  const other = macOption(2, '02:00:00:00:00:09');
  const same = macOption(2);
  // biome-ignore format: a table
  const cases: [string, string, number, number[], string][] = [
    ['says nothing new', 'STALE', 0, same, 'STALE 02'],
    ['solicited', 'STALE', S, same, 'REACHABLE 02'],
    ['solicited, without an address', 'STALE', S, [], 'REACHABLE 02'],
    ['another address, no override', 'STALE', 0, other, 'STALE 02'],
    ['another address, no override', 'REACHABLE', 0, other, 'STALE 02'],
    ['another address, solicited, no override', 'REACHABLE', S, other, 'STALE 02'],
    ['another address, override', 'REACHABLE', O, other, 'STALE 09'],
    ['another address, override, solicited', 'STALE', S | O, other, 'REACHABLE 09'],
    ['unsolicited, without an address', 'REACHABLE', 0, [], 'REACHABLE 02'],
  ];
  it.each(cases)('%s, in %s', (_name, state, flags, options, after) => {
    const b = EtherBench.ready();
    b.send(PEER6);
    b.feed(ADVERT);
    if (state === 'STALE') b.after(45);
    expect(b.known(PEER6)).toBe(`${state} ${PEER_MAC}`);
    b.feed(nd({ type: 136, target: PEER6, flags, options }));
    expect(b.known(PEER6).replace(/02:00:00:00:00:/, '')).toBe(after);
  });

  it('is nothing for INCOMPLETE without an address, and STALE when not solicited', () => {
    const b = EtherBench.ready();
    b.send(PEER6);
    b.feed(nd({ type: 136, target: PEER6, flags: S | O }));
    expect(b.known(PEER6)).toBe('INCOMPLETE');
    b.feed(nd({ type: 136, target: PEER6, flags: O, options: same }));
    expect(b.known(PEER6)).toBe(`DELAY ${PEER_MAC}`);
  });
});

describe('a flood (RFC 6583)', () => {
  it('of addresses that do not exist is bounded, and a neighbour in use is still known', () => {
    const b = EtherBench.ready({ neighborMaxAsked: 32 });
    b.send(PEER4);
    b.feed(REPLY);
    for (let i = 0; i < 2000; i++) b.send(`10.0.0.${3 + (i % 250)}`);
    expect(b.stack.neighbors().filter((r) => r.state === 'INCOMPLETE')).toHaveLength(32);
    expect(b.known(PEER4)).toBe(`REACHABLE ${PEER_MAC}`);
    expect(b.stack.ip.ethers[1]?.waitingOctets).toBe(32 * 32);
    b.after(4);
    expect(b.stack.neighbors()).toHaveLength(1);
    expect(b.stack.ip.ethers[1]?.waitingOctets).toBe(0);
  });

  it('of strangers that ask for us is bounded, and throws out nobody that we send to', () => {
    const b = EtherBench.ready({ neighborMaxAsked: 32 });
    b.send(PEER4);
    b.feed(REPLY);
    for (let i = 3; i < 250; i++) {
      const mac = `02:00:00:00:01:${i.toString(16).padStart(2, '0')}`;
      expect(b.feed(arp({ sender: `10.0.0.${i}`, mac }))).toHaveLength(1);
    }
    expect(b.stack.neighbors()).toHaveLength(33);
    expect(b.known(PEER4)).toBe(`REACHABLE ${PEER_MAC}`);
    expect(b.stack.counters.get('PortsideNeighEvicted')).toBe(215);
  });

  it('of addresses does not keep a new neighbour from being found', () => {
    const b = EtherBench.ready({ neighborMaxAsked: 32 });
    for (let i = 3; i < 250; i++) b.send(`10.0.0.${i}`);
    expect(b.send(PEER4)).toEqual([ASK4]);
    expect(b.feed(REPLY)).toHaveLength(1);
    expect(b.known(PEER4)).toBe(`REACHABLE ${PEER_MAC}`);
  });
});

describe('a frame', () => {
  it('to a group or to everybody needs no neighbour (RFC 1112 §6.4, RFC 2464 §7)', () => {
    const b = EtherBench.ready();
    expect(b.send('239.129.2.3')).toEqual([`ip > 01:00:5e:01:02:03: ${OWN4} > 239.129.2.3 17`]);
    const six = `ip6 > 33:33:12:34:56:78: ${OWN6} > ff02::1234:5678 17`;
    expect(b.send('ff02::1234:5678')).toEqual([six]);
  });

  it('goes to the gateway’s link-layer address where the route has one (RFC 1122 §3.3.1)', () => {
    const b = EtherBench.ready();
    b.stack.addRoute('0.0.0.0', 0, { link: 1, gateway: PEER4 });
    expect(b.send('192.0.2.1')).toEqual([ASK4]);
    expect(b.feed(REPLY)).toEqual([`ip > ${PEER_MAC}: ${OWN4} > 192.0.2.1 17`]);
  });
});
