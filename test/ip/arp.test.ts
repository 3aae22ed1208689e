// ARP: what is believed, what is answered, what is dropped (RFC 826, RFC 5227, RFC 1122 §2.3.2).

import { describe, expect, it } from 'vitest';
import {
  arp,
  EtherBench,
  EVERYBODY,
  OTHER_MAC,
  OWN_MAC,
  OWN4,
  PEER_MAC,
  PEER4,
} from './ether-kit.ts';

const REPLY = { op: 2, dst: OWN_MAC, targetMac: OWN_MAC };

describe('a request', () => {
  it('for an address of ours is answered to who asked, and the asker is remembered (RFC 826)', () => {
    const b = EtherBench.ready();
    expect(b.feed(arp())).toEqual([`arp > ${PEER_MAC}: ${OWN4} is at ${OWN_MAC}`]);
    expect(b.known(PEER4)).toBe(`STALE ${PEER_MAC}`);
  });

  it('for another host is not ours, and nobody is remembered by it (RFC 826)', () => {
    const b = EtherBench.ready();
    expect(b.feed(arp({ target: '10.0.0.9' }))).toEqual([]);
    expect(b.known(PEER4)).toBe('none');
    expect(b.reasons()).toEqual(['OTHERHOST']);
  });

  it('from nobody, a probe, is answered and remembers nothing (RFC 5227 §2.1.1)', () => {
    const b = EtherBench.ready();
    expect(b.feed(arp({ sender: '0.0.0.0' }))).toEqual([
      `arp > ${PEER_MAC}: ${OWN4} is at ${OWN_MAC}`,
    ]);
    expect(b.stack.neighbors()).toEqual([]);
  });

  it('from a known neighbour with another address is believed after a second (RFC 826)', () => {
    const b = EtherBench.ready();
    b.feed(arp());
    b.feed(arp({ mac: OTHER_MAC }));
    expect(b.known(PEER4)).toBe(`STALE ${PEER_MAC}`);
    b.after(1);
    b.feed(arp({ mac: OTHER_MAC }));
    expect(b.known(PEER4)).toBe(`STALE ${OTHER_MAC}`);
  });
});

describe('a message that is not believed', () => {
  const cases: [string, Uint8Array, string][] = [
    ['a frame for another host', arp({ dst: OTHER_MAC }), 'OTHERHOST'],
    [
      'a sender that is a group',
      arp({ mac: '03:00:00:00:00:02', src: PEER_MAC }),
      'IP_INVALID_SOURCE',
    ],
    ['a frame from a group', arp({ src: '03:00:00:00:00:02' }), 'IP_INVALID_SOURCE'],
    [
      'a sender without an address of the link',
      arp({ mac: '00:00:00:00:00:00', src: PEER_MAC }),
      'IP_INVALID_SOURCE',
    ],
    ['our own words, come back', arp({ mac: OWN_MAC }), 'IP_INVALID_SOURCE'],
    [
      'our own words in a frame of another',
      arp({ mac: OWN_MAC, src: PEER_MAC }),
      'IP_INVALID_SOURCE',
    ],
    ['a sender in 127/8', arp({ sender: '127.0.0.1' }), 'IP_INVALID_SOURCE'],
    ['a sender that is a group of IP', arp({ sender: '224.0.0.1' }), 'IP_INVALID_SOURCE'],
    [
      'a sender that is the broadcast of our network',
      arp({ sender: '10.0.0.255' }),
      'IP_INVALID_SOURCE',
    ],
    ['another operation', arp({ op: 3 }), 'INVALID_PROTO'],
    ['operation 0', arp({ op: 0 }), 'INVALID_PROTO'],
    ['a question for 127.0.0.1', arp({ target: '127.0.0.1' }), 'OTHERHOST'],
  ];
  it.each(cases)('%s is dropped with a reason (RFC 826)', (_name, octets, reason) => {
    const b = EtherBench.ready();
    expect(b.feed(octets)).toEqual([]);
    expect(b.reasons()).toEqual([reason]);
    expect(b.stack.neighbors()).toEqual([]);
  });

  it('hardware, protocol and lengths must be those of IPv4 over Ethernet (RFC 826)', () => {
    const places: [number, number][] = [
      [14, 9],
      [15, 2],
      [16, 0x86],
      [17, 0xdd],
      [18, 8],
      [19, 16],
    ];
    for (const [at, value] of places) {
      const b = EtherBench.ready();
      const octets = arp();
      octets[at] = value;
      expect(b.feed(octets)).toEqual([]);
      expect(b.reasons()).toEqual(['INVALID_PROTO']);
    }
  });

  it('every length that is too short is dropped, padding behind it is not looked at (RFC 894)', () => {
    const whole = arp();
    for (let n = 0; n < whole.length; n++) {
      const b = EtherBench.ready();
      expect(b.feed(whole.slice(0, n))).toEqual([]);
      expect(b.reasons()).toEqual(['PKT_TOO_SMALL']);
    }
    const padded = new Uint8Array(60);
    padded.set(whole);
    expect(EtherBench.ready().feed(padded)).toHaveLength(1);
  });
});

describe('a reply', () => {
  it('that nobody asked for makes no neighbour (RFC 5227 §3)', () => {
    const b = EtherBench.ready();
    b.feed(arp(REPLY));
    expect(b.known(PEER4)).toBe('none');
    expect(b.reasons()).toEqual(['NEIGH_FAILED']);
  });

  it('to us makes the neighbour reachable, and what waits leaves in order (RFC 1122 §2.3.2.2)', () => {
    const b = EtherBench.ready();
    expect(b.send(PEER4, 1)).toEqual([`arp > ${EVERYBODY}: who has ${PEER4} tell ${OWN4}`]);
    expect(b.send(PEER4, 2)).toEqual([]);
    const sent = b.feed(arp(REPLY));
    expect(sent).toEqual([
      `ip > ${PEER_MAC}: ${OWN4} > ${PEER4} 17`,
      `ip > ${PEER_MAC}: ${OWN4} > ${PEER4} 17`,
    ]);
    expect(b.known(PEER4)).toBe(`REACHABLE ${PEER_MAC}`);
    expect(b.send(PEER4)).toEqual([`ip > ${PEER_MAC}: ${OWN4} > ${PEER4} 17`]);
  });

  it('to everybody, unasked, is gratuitous: it moves a known neighbour, not to REACHABLE', () => {
    const b = EtherBench.ready();
    b.feed(arp());
    b.after(1);
    b.feed(arp({ op: 2, mac: OTHER_MAC, target: PEER4 }));
    expect(b.known(PEER4)).toBe(`STALE ${OTHER_MAC}`);
  });
});

describe('a conflict', () => {
  it('about an address of ours is answered with one announcement in ten seconds (RFC 5227 §2.4)', () => {
    const b = EtherBench.ready();
    b.after(10);
    const theirs = arp({ sender: OWN4, target: OWN4 });
    const announcement = `arp > ${EVERYBODY}: who has ${OWN4} tell ${OWN4}`;
    expect(b.feed(theirs)).toEqual([announcement]);
    expect(b.feed(theirs)).toEqual([]);
    expect(b.after(9.9)).toEqual([]);
    b.after(0.2);
    expect(b.feed(theirs)).toEqual([announcement]);
    expect(b.stack.counters.get('PortsideAddressConflicts')).toBe(3);
    expect(b.reasons()).toEqual(['ADDRESS_CONFLICT', 'ADDRESS_CONFLICT', 'ADDRESS_CONFLICT']);
  });
});
