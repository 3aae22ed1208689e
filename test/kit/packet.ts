// Packets for tests, built octet by octet: nothing of src/wire is used, so that a test does not ask
// the code for its answer. Every field can be set wrong on purpose.

import { onesSum, pseudoSum } from '../../src/sim/decode.ts';

export interface Ip4Fields {
  src: string;
  dst: string;
  protocol: number;
  id?: number;
  ttl?: number;
  tos?: number;
  df?: boolean;
  mf?: boolean;
  /** Octets, a multiple of 8. */
  fragOff?: number;
  options?: Uint8Array;
  totalLen?: number;
  checksum?: number;
}

export interface TcpFields {
  srcPort: number;
  dstPort: number;
  seq?: number;
  ack?: number;
  flags: number;
  window?: number;
  urgent?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
  checksum?: number;
}

export function addressOctets(text: string): number[] {
  return text.split('.').map(Number);
}

/** An IPv4 packet around `body`. */
export function ipv4(f: Ip4Fields, body: Uint8Array): Uint8Array {
  const options = f.options ?? new Uint8Array(0);
  const headerLen = 20 + ((options.length + 3) & ~3);
  const b = new Uint8Array(headerLen + body.length);
  const view = new DataView(b.buffer);
  b[0] = 0x40 | (headerLen / 4);
  b[1] = f.tos ?? 0;
  view.setUint16(2, f.totalLen ?? b.length);
  view.setUint16(4, f.id ?? 0);
  const flags = (f.df === true ? 0x4000 : 0) | (f.mf === true ? 0x2000 : 0);
  view.setUint16(6, flags | ((f.fragOff ?? 0) >> 3));
  b[8] = f.ttl ?? 64;
  b[9] = f.protocol;
  b.set(addressOctets(f.src), 12);
  b.set(addressOctets(f.dst), 16);
  b.set(options, 20);
  view.setUint16(10, f.checksum ?? ~onesSum(b, 0, headerLen, 0) & 0xffff);
  b.set(body, headerLen);
  return b;
}

export function tcp4(ip: Omit<Ip4Fields, 'protocol'>, f: TcpFields): Uint8Array {
  const options = f.options ?? new Uint8Array(0);
  const payload = f.payload ?? new Uint8Array(0);
  const headerLen = 20 + ((options.length + 3) & ~3);
  const seg = new Uint8Array(headerLen + payload.length);
  const view = new DataView(seg.buffer);
  view.setUint16(0, f.srcPort);
  view.setUint16(2, f.dstPort);
  view.setUint32(4, (f.seq ?? 0) >>> 0);
  view.setUint32(8, (f.ack ?? 0) >>> 0);
  seg[12] = (headerLen / 4) << 4;
  seg[13] = f.flags;
  view.setUint16(14, f.window ?? 65_535);
  view.setUint16(18, f.urgent ?? 0);
  seg.set(options, 20);
  seg.set(payload, headerLen);
  return withChecksum(ipv4({ ...ip, protocol: 6 }, seg), 16, f.checksum);
}

export function udp4(
  ip: Omit<Ip4Fields, 'protocol'>,
  srcPort: number,
  dstPort: number,
  payload: Uint8Array,
  wrong: { len?: number; checksum?: number } = {},
): Uint8Array {
  const d = new Uint8Array(8 + payload.length);
  const view = new DataView(d.buffer);
  view.setUint16(0, srcPort);
  view.setUint16(2, dstPort);
  view.setUint16(4, wrong.len ?? d.length);
  d.set(payload, 8);
  return withChecksum(ipv4({ ...ip, protocol: 17 }, d), 6, wrong.checksum);
}

/** @param rest the second word of the ICMP header */
export function icmp4(
  ip: Omit<Ip4Fields, 'protocol'>,
  type: number,
  code: number,
  rest: number,
  payload: Uint8Array,
): Uint8Array {
  const d = new Uint8Array(8 + payload.length);
  const view = new DataView(d.buffer);
  d[0] = type;
  d[1] = code;
  view.setUint32(4, rest >>> 0);
  d.set(payload, 8);
  view.setUint16(2, ~onesSum(d, 0, d.length, 0) & 0xffff);
  return ipv4({ ...ip, protocol: 1 }, d);
}

function withChecksum(b: Uint8Array, field: number, wrong: number | undefined): Uint8Array {
  const l4 = ((b[0] as number) & 15) * 4;
  const pseudo = pseudoSum(b, 0, b[9] as number, b.length - l4);
  let sum = ~onesSum(b, l4, b.length, pseudo) & 0xffff;
  if (sum === 0 && field === 6) sum = 0xffff;
  new DataView(b.buffer).setUint16(l4 + field, wrong ?? sum);
  return b;
}

/** TCP options in packetdrill's words, in the order given. */
export type TcpOption =
  | { kind: 'mss'; value: number }
  | { kind: 'wscale'; value: number }
  | { kind: 'sackOK' }
  | { kind: 'TS'; val: number; ecr: number }
  | { kind: 'sack'; blocks: readonly (readonly [number, number])[] }
  | { kind: 'nop' }
  | { kind: 'eol' }
  | { kind: 'raw'; octets: readonly number[] };

export function tcpOptions(options: readonly TcpOption[]): Uint8Array {
  const out: number[] = [];
  const u32 = (n: number): void => {
    out.push((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
  };
  for (const o of options) {
    if (o.kind === 'mss') out.push(2, 4, o.value >> 8, o.value & 255);
    else if (o.kind === 'wscale') out.push(3, 3, o.value);
    else if (o.kind === 'sackOK') out.push(4, 2);
    else if (o.kind === 'nop') out.push(1);
    else if (o.kind === 'eol') out.push(0);
    else if (o.kind === 'raw') out.push(...o.octets);
    else if (o.kind === 'TS') {
      out.push(8, 10);
      u32(o.val);
      u32(o.ecr);
    } else {
      out.push(5, 2 + 8 * o.blocks.length);
      for (const [start, end] of o.blocks) {
        u32(start);
        u32(end);
      }
    }
  }
  while (out.length % 4 !== 0) out.push(0);
  return Uint8Array.from(out);
}
