// Scripts under IPv6: the bench builds and reads IPv4 packets; here they change their header on the
// way to and from the stack. RFC 8200; the ICMPv6 errors of RFC 4443.

import { onesSum } from '../../../src/sim/decode.ts';
import { ipv4, tcp4 } from '../packet.ts';

export const LOCAL6 = 'fd3d:a0b:17d6::1';
export const REMOTE6 = 'fd3d:fa7b:d17d::1';
const LOCAL_OCTETS = [0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const REMOTE_OCTETS = [0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const HEADER = 40;
const TCP = 6;
const ICMP6 = 58;
/** Where the transport keeps its checksum. */
const CHECKSUM: Readonly<Record<number, number>> = { [TCP]: 16, [ICMP6]: 2 };

/** An IPv6 packet from one end to the other around `body`, its checksum made. */
function ipv6(inbound: boolean, next: number, hops: number, tos: number, body: Uint8Array) {
  const b = new Uint8Array(HEADER + body.length);
  const view = new DataView(b.buffer);
  view.setUint32(0, ((6 << 28) | (tos << 20)) >>> 0);
  view.setUint16(4, body.length);
  b[6] = next;
  b[7] = hops;
  b.set(inbound ? REMOTE_OCTETS : LOCAL_OCTETS, 8);
  b.set(inbound ? LOCAL_OCTETS : REMOTE_OCTETS, 24);
  b.set(body, HEADER);
  const field = HEADER + (CHECKSUM[next] as number);
  view.setUint16(field, 0);
  view.setUint16(field, ~pseudo(b) & 0xffff);
  return b;
}

/** The sum over pseudo-header and payload. */
function pseudo(b: Uint8Array): number {
  const len = b.length - HEADER;
  return onesSum(b, HEADER, b.length, onesSum(b, 8, HEADER, len + (b[6] as number)));
}

/** An IPv4 packet of the bench, as the peer sends it under IPv6. */
export function inSix(b: Uint8Array): Uint8Array {
  const l4 = ((b[0] as number) & 15) * 4;
  return ipv6(true, TCP, b[8] as number, b[1] as number, b.slice(l4));
}

/** What the stack sent, with the IPv4 header that the bench reads; '' or what is wrong with it. */
export function outOfSix(b: Uint8Array, remote: string, local: string): Uint8Array | string {
  if ((b[0] as number) >> 4 !== 6) return 'not IPv6';
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  if (view.getUint16(4) !== b.length - HEADER) return 'payload length';
  const next = b[6] as number;
  if (next !== TCP && next !== ICMP6) return `next header ${next}`;
  if (pseudo(b) !== 0xffff) return 'checksum';
  const tos = (view.getUint16(0) >> 4) & 0xff;
  const ip = { src: local, dst: remote, tos, ttl: b[7] as number, df: true };
  if (next === ICMP6) return ipv4({ ...ip, protocol: ICMP6 }, b.slice(HEADER));
  const offset = ((b[HEADER + 12] as number) >> 4) * 4;
  return tcp4(ip, {
    srcPort: view.getUint16(HEADER),
    dstPort: view.getUint16(HEADER + 2),
    seq: view.getUint32(HEADER + 4),
    ack: view.getUint32(HEADER + 8),
    flags: b[HEADER + 13] as number,
    window: view.getUint16(HEADER + 14),
    urgent: view.getUint16(HEADER + 18),
    options: b.slice(HEADER + 20, HEADER + offset),
    payload: b.slice(HEADER + offset),
  });
}

/** An ICMPv6 error that quotes the stack's segment, given as the bench's IPv4 packet. */
export function icmp6(type: number, code: number, rest: number, quoted: Uint8Array): Uint8Array {
  const l4 = ((quoted[0] as number) & 15) * 4;
  const total = new DataView(quoted.buffer, quoted.byteOffset).getUint16(2);
  const inner = ipv6(false, TCP, 64, 0, quoted.slice(l4));
  new DataView(inner.buffer).setUint16(4, total - 20);
  const body = new Uint8Array(8 + inner.length);
  body[0] = type;
  body[1] = code;
  new DataView(body.buffer).setUint32(4, rest);
  body.set(inner, 8);
  return ipv6(true, ICMP6, 64, 0, body);
}
