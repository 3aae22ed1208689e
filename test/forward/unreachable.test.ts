// A router whose outer link is an Ethernet: who sends to a neighbour that is not there is told so.

import { expect, test } from 'vitest';
import { Mac } from '../../src/wire/ethernet.ts';
import { ip4, pattern, quad, udpPacket } from '../ip/fixture.ts';
import { ip6, octets6 } from '../ip/fixture6.ts';
import { dstOf, IN, isSound, one, Port, Rig, srcOf, word } from './rig.ts';

const CLIENT = '10.0.1.9';
const CLIENT6 = '2001:db8:1::9';
/** Link 3, an Ethernet. */
const LINK = 3;

function rigged(): { rig: Rig; ether: Port } {
  const rig = new Rig({ ip: { dadTransmits: 0 } });
  const ether = Object.assign(new Port('eth', rig.slab), { mac: new Mac(0x02000000, 1) });
  rig.stack.addLink(ether);
  rig.stack.addAddress(LINK, '192.0.2.1', 24);
  rig.stack.addAddress(LINK, '2001:db8:3::1', 64);
  // Announcements are over.
  for (let i = 0; i < 10; i++) rig.wait(1_000_000);
  ether.take();
  rig.in.take();
  return { rig, ether };
}

/** Three questions a second apart, and then the answer to each packet that waits. */
function answers(rig: Rig): Uint8Array[] {
  for (let i = 0; i < 5; i++) rig.wait(1_000_000);
  return rig.in.take();
}

test('IPv4: host unreachable, with what was sent (RFC 1812 §5.2.7.1)', () => {
  const { rig } = rigged();
  const sent = udpPacket(pattern(30), [4000, 53], { src: CLIENT, dst: '192.0.2.77' });
  rig.put(IN, sent);
  const error = one(answers(rig));
  expect([srcOf(error), dstOf(error)]).toEqual(['10.0.1.1', CLIENT]);
  expect([error[9], error[20], error[21]]).toEqual([1, 3, 1]);
  expect(isSound(error)).toBe(true);
  expect(srcOf(error.subarray(28))).toBe(CLIENT);
  expect(dstOf(error.subarray(28))).toBe('192.0.2.77');
  expect([...error.subarray(48)]).toEqual([...sent.subarray(20)]);
  expect(rig.drops).toEqual({ NEIGH_FAILED: 1 });
});

test('IPv6: address unreachable (RFC 4861 §7.2.2)', () => {
  const { rig } = rigged();
  const payload = Uint8Array.from([0x0f, 0xa0, 0, 53, 0, 12, 0x12, 0x34, 1, 2, 3, 4]);
  rig.put(IN, ip6({ src: CLIENT6, dst: '2001:db8:3::77', next: 17, payload }));
  const error = one(answers(rig));
  expect([...error.subarray(8, 24)]).toEqual([...octets6('2001:db8:1::1')]);
  expect([...error.subarray(24, 40)]).toEqual([...octets6(CLIENT6)]);
  expect([error[6], error[40], error[41]]).toEqual([58, 1, 3]);
  expect([...error.subarray(48 + 24, 48 + 40)]).toEqual([...octets6('2001:db8:3::77')]);
});

test('an ICMP error that finds no neighbour is not answered (RFC 1122 §3.2.2)', () => {
  const { rig } = rigged();
  const quoted = udpPacket(pattern(8), [53, 4000], { src: '192.0.2.77', dst: CLIENT });
  const payload = Uint8Array.from([3, 3, 0, 0, 0, 0, 0, 0, ...quoted]);
  rig.put(IN, ip4({ src: CLIENT, dst: '192.0.2.77', proto: 1, payload }));
  expect(answers(rig)).toEqual([]);
});

test('a checksum that was left to the device is finished in what is quoted', () => {
  const { rig } = rigged();
  const whole = udpPacket(pattern(30), [4000, 53], { src: CLIENT, dst: '192.0.2.77' });
  const right = word(whole, 26);
  const partial = whole.slice();
  const pseudo = [...quad(CLIENT), ...quad('192.0.2.77'), 0, 17, 0, 38];
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += word(Uint8Array.from(pseudo), i);
  sum = (sum & 0xffff) + (sum >>> 16);
  partial[26] = sum >>> 8;
  partial[27] = sum & 255;
  // Bit 1: the transport checksum is partial.
  rig.put(IN, partial, 1);
  expect(word(one(answers(rig)), 28 + 26)).toBe(right);
});
