// Addresses that must be asked for before they are used: duplicate address detection (RFC 4862
// §5.4) and its elder brother for IPv4 (RFC 5227 §2.1).

import { describe, expect, it } from 'vitest';
import { parse } from '../../src/wire/address.ts';
import { arp, EtherBench, EVERYBODY, macOption, nd, OWN4, OWN6, PEER_MAC } from './ether-kit.ts';

const GROUP_MAC = '33:33:ff:00:00:01';
const DAD = `ip6 > ${GROUP_MAC}: :: > ff02::1:ff00:1 ns fe80::1`;

function kind(b: EtherBench, text: string): number {
  const at = parse(text);
  return at === null ? -1 : b.stack.ip.addresses.kindOf(at.a, at.b, at.c, at.d);
}

function asked(config: object): { b: EtherBench; told: string[] } {
  const b = new EtherBench(config);
  const told: string[] = [];
  b.stack.ip.onAddress = (_link, address, isOurs) => told.push(`${address} ${isOurs}`);
  return { b, told };
}

const ndSolicit = (src: string, options: number[] = []) =>
  nd({ type: 135, src, dst: 'ff02::1:ff00:1', dstMac: GROUP_MAC, options });

describe('an IPv6 address', () => {
  it('is asked for from nobody, and ours when a second has passed in silence (RFC 4862 §5.4)', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    expect(b.take().filter((f) => f.includes(' ns '))).toEqual([DAD]);
    b.after(0.9);
    expect([kind(b, OWN6), told]).toEqual([3, []]);
    b.after(0.1);
    expect([kind(b, OWN6), told]).toEqual([0, ['fe80::1 true']]);
  });

  it('is asked for as often as the knob says, once a second (RFC 4862 §5.1)', () => {
    const { b } = asked({ dadTransmits: 3 });
    b.stack.addAddress(1, OWN6, 64);
    const times = [b.take(), b.after(1), b.after(1), b.after(1)];
    expect(times.map((t) => t.filter((f) => f === DAD).length)).toEqual([1, 1, 1, 0]);
    expect(kind(b, OWN6)).toBe(0);
  });

  it('that another one has is not ours, now or later (RFC 4862 §5.4.4)', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    b.feed(
      nd({
        type: 136,
        dst: 'ff02::1',
        flags: 0x20,
        dstMac: '33:33:00:00:00:01',
        options: macOption(2),
      }),
    );
    b.after(5);
    expect([kind(b, OWN6), told]).toEqual([3, ['fe80::1 false']]);
  });

  it('that another one asks for at the same time is neither one’s (RFC 4862 §5.4.3)', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    b.feed(ndSolicit('::'));
    b.after(5);
    expect([kind(b, OWN6), told]).toEqual([3, ['fe80::1 false']]);
  });

  it('is not spoken for while it is tentative (RFC 4862 §5.4.3)', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    b.take();
    expect(b.feed(ndSolicit('fe80::2', macOption(1)))).toEqual([]);
    expect(b.reasons()).toEqual(['IPV6_NDISC_NS_OTHERHOST']);
    b.after(2);
    expect(told).toEqual(['fe80::1 true']);
  });

  it('can be tried again when it was a duplicate, and not twice before', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    expect(() => b.stack.addAddress(1, OWN6, 64)).toThrow('EADDRINUSE');
    b.feed(ndSolicit('::'));
    b.stack.addAddress(1, OWN6, 64);
    b.after(2);
    expect(told).toEqual(['fe80::1 false', 'fe80::1 true']);
  });

  it('that is given up while tentative leaves nothing behind', () => {
    const { b, told } = asked({ dadTransmits: 1 });
    b.stack.addAddress(1, OWN6, 64);
    b.stack.removeAddress(1, OWN6, 64);
    b.after(5);
    expect([kind(b, OWN6), told, b.stack.ip.groups.size]).toEqual([3, [], 0]);
  });

  it('of ours answers a probe of another one to all nodes (RFC 4861 §7.2.4)', () => {
    const b = EtherBench.ready();
    const all = '33:33:00:00:00:01';
    const answer = `ip6 > ${all}: fe80::1 > ff02::1 na 32 fe80::1 2=02:00:00:00:00:01`;
    expect(b.feed(ndSolicit('::'))).toEqual([answer]);
    expect(b.stack.neighbors()).toEqual([]);
  });
});

describe('an IPv4 address', () => {
  const announcement = `arp > ${EVERYBODY}: who has ${OWN4} tell ${OWN4}`;
  const probe = `arp > ${EVERYBODY}: who has ${OWN4} tell 0.0.0.0`;

  it('is used at once and announced twice, two seconds apart (RFC 5227 §2.3)', () => {
    const b = new EtherBench();
    b.stack.addAddress(1, OWN4, 24);
    expect(kind(b, OWN4)).toBe(0);
    expect(b.take()).toEqual([announcement]);
    expect(b.after(1.9)).toEqual([]);
    expect(b.after(0.2)).toEqual([announcement]);
    expect(b.after(60)).toEqual([]);
  });

  it('is probed three times before where that is wanted (RFC 5227 §2.1.1)', () => {
    const { b, told } = asked({ arpProbes: 3 });
    b.stack.addAddress(1, OWN4, 24);
    const sent: string[] = [];
    for (let i = 0; i < 100 && told.length === 0; i++) {
      expect(kind(b, OWN4)).toBe(3);
      sent.push(...b.after(0.1));
    }
    expect(sent).toEqual([probe, probe, probe, announcement]);
    expect(told).toEqual([`${OWN4} true`]);
  });

  it('that somebody has, or probes for as well, is not ours (RFC 5227 §2.1.1)', () => {
    for (const theirs of [
      { sender: OWN4, op: 2 },
      { sender: '0.0.0.0', target: OWN4 },
    ]) {
      const { b, told } = asked({ arpProbes: 3 });
      b.stack.addAddress(1, OWN4, 24);
      b.after(1);
      b.feed(arp({ ...theirs, mac: PEER_MAC }));
      b.after(20);
      expect([kind(b, OWN4), told]).toEqual([3, [`${OWN4} false`]]);
    }
  });
});
