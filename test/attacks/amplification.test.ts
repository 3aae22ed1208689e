// What a forged source address can make the stack send to its owner: octets out over octets in, for
// every kind of packet that needs no handshake. At most 3 (RFC 9000 §8.1's bound), and with SYN
// cookies 1.1: the MSS option of a SYN-ACK that answers a SYN without any (RFC 4987 §3.6).

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { RxFlag } from '../../src/base/rx.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import { type Link, LinkCap } from '../../src/link/link.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { profiles } from '../../src/stack/profiles.ts';
import { Stack } from '../../src/stack/stack.ts';
import { icmp4, ipv4, tcp4, udp4 } from '../kit/packet.ts';

const US = '10.77.0.2';
const VICTIM = '20.1.2.3';
const ADDRESSES = { src: VICTIM, dst: US };
const LINUX_SYN = new Uint8Array([2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7]);

class Meter implements Link {
  readonly name = 'meter0';
  readonly mtu = 1500;
  readonly caps = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
  readonly loopback = false;
  octets = 0;
  packets = 0;
  transmit(tx: Tx): boolean {
    this.packets++;
    this.octets += tx.headerLen + tx.payloadLen;
    return true;
  }
  flush(): void {}
}

const segment = (flags: number, options?: Uint8Array, len = 0): Uint8Array =>
  tcp4(ADDRESSES, {
    srcPort: 4000,
    dstPort: 80,
    flags,
    seq: 1000,
    ack: (flags & 16) === 0 ? 0 : 77,
    payload: new Uint8Array(len),
    ...(options === undefined ? {} : { options }),
  });

/** Octets out over octets in, the answers of the next five minutes included. */
function ratio(
  octets: Uint8Array,
  config: ConfigOverrides,
  times = 1,
): { ratio: number; packets: number } {
  const slab = new Slab(16 << 20);
  const meter = new Meter();
  const stack = new Stack({ slab, random: new SeededRandom(1), nowUs: 1e6, config });
  const at = slab.reserve(65_536);
  const id = stack.addLink(meter);
  stack.addAddress(id, US, 8);
  stack.addRoute('0.0.0.0', 0, { link: id });
  const handler = { accept: () => null };
  stack.listen({ port: 80, handler });
  for (let i = 0; i < times; i++) {
    slab.u8.set(octets, at);
    stack.receive(id, at, octets.length, RxFlag.DATA_VALID);
    stack.drain();
  }
  for (let second = 0; second < 300; second++) {
    stack.advance(stack.ip.nowUs + 1e6);
    stack.drain();
  }
  return { ratio: meter.octets / (octets.length * times), packets: meter.packets };
}

const STRANGE: [string, Uint8Array][] = [
  ['a SYN without options', segment(2)],
  ['a SYN as Linux sends it', segment(2, LINUX_SYN)],
  ['a SYN with an MSS only', segment(2, new Uint8Array([2, 4, 5, 0xb4]))],
  ['a SYN with 1000 octets', segment(2, LINUX_SYN, 1000)],
  ['an ACK', segment(16)],
  ['a request without a handshake (middlebox reflection)', segment(24, undefined, 100)],
  ['a FIN', segment(17)],
  ['a SYN-ACK', segment(18, LINUX_SYN)],
  ['no flags', segment(0)],
  ['all flags', segment(63)],
  ['a RST', segment(4)],
  ['a ping', icmp4(ADDRESSES, 8, 0, 1, new Uint8Array(56))],
  ['an unreachable for nobody', icmp4(ADDRESSES, 3, 3, 0, segment(16).subarray(0, 28))],
  ['a timestamp request', icmp4(ADDRESSES, 13, 0, 1, new Uint8Array(12))],
  ['an empty datagram to a closed port', udp4(ADDRESSES, 4000, 9, new Uint8Array(0))],
  ['a datagram to a closed port', udp4(ADDRESSES, 4000, 9, new Uint8Array(500))],
  ['an unknown protocol', ipv4({ ...ADDRESSES, protocol: 200 }, new Uint8Array(0))],
  ['a fragment', ipv4({ ...ADDRESSES, protocol: 17, mf: true, id: 7 }, new Uint8Array(8))],
];

describe('octets out over octets in, for five minutes after', () => {
  test.each(STRANGE)('%s: at most 3 (RFC 9000 §8.1)', (_name, octets) => {
    expect(ratio(octets, {}).ratio).toBeLessThanOrEqual(3);
  });

  test.each(STRANGE)('%s, a hundred times: at most 3', (_name, octets) => {
    expect(ratio(octets, {}, 100).ratio).toBeLessThanOrEqual(3);
  });

  test('a SYN is answered once and repeated twice to a stranger, with backoff (RFC 9293 MUST-22)', () => {
    expect(ratio(segment(2, LINUX_SYN), {})).toEqual({ ratio: 3, packets: 3 });
    expect(ratio(segment(2), {})).toEqual({ ratio: 2.2, packets: 2 });
  });

  test('as on Linux a SYN is answered six times in the profile linux (tcp_synack_retries)', () => {
    expect(ratio(segment(2, LINUX_SYN), profiles.linux)).toEqual({ ratio: 6, packets: 6 });
  });

  const full: ConfigOverrides = { tcp: { synBacklog: 0 } };
  test.each(STRANGE.slice(0, 4))(
    '%s with cookies: at most 1.1, once (RFC 4987 §3.6)',
    (_name, octets) => {
      const { ratio: r, packets } = ratio(octets, full);
      expect(r).toBeLessThanOrEqual(1.1);
      expect(packets).toBe(1);
    },
  );

  test('resets are no longer than what they answer (RFC 9293 §3.10.7.1)', () => {
    for (const flags of [0, 16, 17, 24, 63 - 4]) {
      expect(ratio(segment(flags), {}).ratio).toBeLessThanOrEqual(1);
    }
  });
});
