// A packet as a plain object and back (RFC 791, 8200, 792, 768, 9293): for people, tests and the
// inspector. COLD: it allocates freely; the walk never comes here. Lengths and checksums are not
// part of an object, they follow from it; what was wrong with them is said beside it.

import { Drop, dropName } from '../base/drop.ts';
import { Address, format, fromV4, isV4, parse } from './address.ts';
import * as checksum from './checksum.ts';
import * as icmp4 from './icmp4.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

/** An IP or TCP option; END and NOP have no data, others may have none. */
export interface OptionRepr {
  readonly kind: number;
  readonly data: readonly number[];
}

export interface Ipv4Repr {
  readonly version: 4;
  readonly tos: number;
  readonly id: number;
  readonly df: boolean;
  readonly mf: boolean;
  /** Octets. */
  readonly offset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: string;
  readonly dst: string;
  readonly options: readonly OptionRepr[];
}

export interface Ipv6Repr {
  readonly version: 6;
  readonly tos: number;
  readonly flowLabel: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: string;
  readonly dst: string;
}

export interface TcpRepr {
  readonly kind: 'tcp';
  readonly srcPort: number;
  readonly dstPort: number;
  /** 0 to 2^32 - 1. */
  readonly seq: number;
  readonly ack: number;
  /** Bits of tcp.Flag. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: readonly OptionRepr[];
  readonly payload: Uint8Array;
}

export interface UdpRepr {
  readonly kind: 'udp';
  readonly srcPort: number;
  readonly dstPort: number;
  /** False: sent without a checksum. */
  readonly summed: boolean;
  readonly payload: Uint8Array;
}

export interface IcmpRepr {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  /** The second word: identifier and sequence number, MTU, pointer; 0 to 2^32 - 1. */
  readonly rest: number;
  readonly payload: Uint8Array;
}

/** A fragment, a protocol without a reader here, or what could not be read as its protocol. */
export interface RawRepr {
  readonly kind: 'raw';
  readonly payload: Uint8Array;
}

export interface PacketRepr {
  readonly ip: Ipv4Repr | Ipv6Repr;
  readonly l4: TcpRepr | UdpRepr | IcmpRepr | RawRepr;
}

export interface Decoded {
  /** Null when not even the IP header can be read. */
  readonly packet: PacketRepr | null;
  /** `PKT_TOO_SMALL`, `IP_CSUM`, `TCP_CSUM` …: names of Drop. */
  readonly problems: readonly string[];
}

/** Reads `len` octets at `off`; never outside of them. */
export function decode(u8: Uint8Array, off: number, len: number): Decoded {
  const bytes = u8.subarray(off, off + len);
  if (bytes.length < 1) return { packet: null, problems: [dropName(Drop.PKT_TOO_SMALL)] };
  return ipv4.version(bytes, 0) === 6 ? decode6(bytes) : decode4(bytes);
}

function decode4(bytes: Uint8Array): Decoded {
  const problem = ipv4.check(bytes, 0, bytes.length);
  if (problem !== Drop.NONE) return { packet: null, problems: [dropName(problem)] };
  const header = ipv4.headerLen(bytes, 0);
  const problems: string[] = [];
  if (ipv4.headerSum(bytes, 0, header) !== 0xffff) problems.push(dropName(Drop.IP_CSUM));
  const word = ipv4.fragmentWord(bytes, 0);
  const ip: Ipv4Repr = {
    version: 4,
    tos: ipv4.tos(bytes, 0),
    id: ipv4.id(bytes, 0),
    df: (word & ipv4.DF) !== 0,
    mf: (word & ipv4.MF) !== 0,
    offset: ipv4.fragmentOffset(bytes, 0),
    ttl: ipv4.ttl(bytes, 0),
    protocol: ipv4.protocol(bytes, 0),
    src: fromV4(ipv4.src(bytes, 0)).toString(),
    dst: fromV4(ipv4.dst(bytes, 0)).toString(),
    options: readOptions(bytes.subarray(ipv4.MIN_HEADER, header), problems),
  };
  const payload = bytes.slice(header, ipv4.totalLen(bytes, 0));
  const whole = !ip.mf && ip.offset === 0;
  return { packet: { ip, l4: whole ? decodeL4(ip, payload, problems) : raw(payload) }, problems };
}

function decode6(bytes: Uint8Array): Decoded {
  const problem = ipv6.check(bytes, 0, bytes.length);
  if (problem !== Drop.NONE) return { packet: null, problems: [dropName(problem)] };
  const text = (word: typeof ipv6.srcWord): string =>
    format6(word(bytes, 0, 0), word(bytes, 0, 1), word(bytes, 0, 2), word(bytes, 0, 3));
  const ip: Ipv6Repr = {
    version: 6,
    tos: ipv6.trafficClass(bytes, 0),
    flowLabel: ipv6.flowLabel(bytes, 0),
    ttl: ipv6.hopLimit(bytes, 0),
    protocol: ipv6.nextHeader(bytes, 0),
    src: text(ipv6.srcWord),
    dst: text(ipv6.dstWord),
  };
  const problems: string[] = [];
  const payload = bytes.slice(ipv6.HEADER, ipv6.HEADER + ipv6.payloadLen(bytes, 0));
  return { packet: { ip, l4: decodeL4(ip, payload, problems) }, problems };
}

/** A mapped address that stands in an IPv6 header is written as such. */
function format6(a: number, b: number, c: number, d: number): string {
  return isV4(a, b, c) ? `::ffff:${format(a, b, c, d)}` : format(a, b, c, d);
}

function decodeL4(ip: PacketRepr['ip'], bytes: Uint8Array, problems: string[]): PacketRepr['l4'] {
  switch (ip.protocol) {
    case ipv4.Proto.TCP:
      return decodeTcp(ip, bytes, problems);
    case ipv4.Proto.UDP:
      return decodeUdp(ip, bytes, problems);
    case ipv4.Proto.ICMP:
      return ip.version === 4 ? decodeIcmp(bytes, problems) : raw(bytes);
    default:
      return raw(bytes);
  }
}

function raw(payload: Uint8Array): RawRepr {
  return { kind: 'raw', payload };
}

function tooSmall(payload: Uint8Array, problems: string[]): RawRepr {
  problems.push(dropName(Drop.PKT_TOO_SMALL));
  return raw(payload);
}

function decodeTcp(ip: PacketRepr['ip'], bytes: Uint8Array, problems: string[]): TcpRepr | RawRepr {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!tcp.check(view, 0, bytes.length)) return tooSmall(bytes, problems);
  if (sumOf(ip, bytes) !== 0xffff) problems.push(dropName(Drop.TCP_CSUM));
  const header = tcp.headerLen(view, 0);
  return {
    kind: 'tcp',
    srcPort: tcp.srcPort(view, 0),
    dstPort: tcp.dstPort(view, 0),
    seq: tcp.seq(view, 0) >>> 0,
    ack: tcp.ack(view, 0) >>> 0,
    flags: tcp.flags(view, 0),
    window: tcp.window(view, 0),
    urgent: tcp.urgent(view, 0),
    options: readOptions(bytes.subarray(tcp.HEADER_LEN, header), problems),
    payload: bytes.slice(header),
  };
}

function decodeUdp(ip: PacketRepr['ip'], bytes: Uint8Array, problems: string[]): UdpRepr | RawRepr {
  if (udp.check(bytes, 0, bytes.length) !== Drop.NONE) return tooSmall(bytes, problems);
  const segment = bytes.subarray(0, udp.length(bytes, 0));
  const summed = udp.checksum(bytes, 0) !== 0;
  if (summed && sumOf(ip, segment) !== 0xffff) problems.push(dropName(Drop.UDP_CSUM));
  return {
    kind: 'udp',
    srcPort: udp.srcPort(bytes, 0),
    dstPort: udp.dstPort(bytes, 0),
    summed,
    payload: segment.slice(udp.HEADER),
  };
}

function decodeIcmp(bytes: Uint8Array, problems: string[]): IcmpRepr | RawRepr {
  if (bytes.length < icmp4.HEADER) return tooSmall(bytes, problems);
  const sum = checksum.fold(checksum.sum(bytes, 0, bytes.length, 0));
  if (sum !== 0xffff) problems.push(dropName(Drop.ICMP_CSUM));
  return {
    kind: 'icmp',
    type: icmp4.type(bytes, 0),
    code: icmp4.code(bytes, 0),
    rest: icmp4.echoId(bytes, 0) * 0x10000 + icmp4.echoSeq(bytes, 0),
    payload: bytes.slice(icmp4.HEADER),
  };
}

/** Options of IP and TCP have one form: kind, length, data; 0 ends the list, 1 stands alone. */
function readOptions(bytes: Uint8Array, problems: string[]): OptionRepr[] {
  const out: OptionRepr[] = [];
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at] as number;
    if (kind <= 1) {
      out.push({ kind, data: [] });
      at++;
      if (kind === 0) break;
      continue;
    }
    const n = bytes[at + 1] ?? 0;
    if (n < 2 || at + n > bytes.length) {
      problems.push(dropName(Drop.IP_OPTIONS));
      break;
    }
    out.push({ kind, data: [...bytes.subarray(at + 2, at + n)] });
    at += n;
  }
  return out;
}

/** Octets of a packet, with lengths and checksums that are right. */
export function encode(packet: PacketRepr): Uint8Array {
  const { ip } = packet;
  const l4 = encodeL4(packet);
  return ip.version === 4 ? encode4(ip, l4) : encode6(ip, l4);
}

function encode4(ip: Ipv4Repr, l4: Uint8Array): Uint8Array {
  const options = writeOptions(ip.options);
  const header = ipv4.MIN_HEADER + options.length;
  const bytes = new Uint8Array(header + l4.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x40 | (header >>> 2);
  bytes[1] = ip.tos;
  view.setUint16(ipv4.Offset.TOTAL_LENGTH, bytes.length);
  view.setUint16(ipv4.Offset.ID, ip.id);
  const flags = (ip.df ? ipv4.DF : 0) | (ip.mf ? ipv4.MF : 0);
  view.setUint16(ipv4.Offset.FRAGMENT, flags | (ip.offset >>> 3));
  bytes[ipv4.Offset.TTL] = ip.ttl;
  bytes[ipv4.Offset.PROTOCOL] = ip.protocol;
  view.setInt32(ipv4.Offset.SRC, addressOf(ip.src).d);
  view.setInt32(ipv4.Offset.DST, addressOf(ip.dst).d);
  bytes.set(options, ipv4.MIN_HEADER);
  bytes.set(l4, header);
  ipv4.seal(bytes, 0, header);
  return bytes;
}

function encode6(ip: Ipv6Repr, l4: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ipv6.HEADER + l4.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ((6 << 28) | (ip.tos << 20) | ip.flowLabel) >>> 0);
  view.setUint16(ipv6.Offset.PAYLOAD_LENGTH, l4.length);
  bytes[ipv6.Offset.NEXT_HEADER] = ip.protocol;
  bytes[ipv6.Offset.HOP_LIMIT] = ip.ttl;
  putAddress(view, ipv6.Offset.SRC, addressOf(ip.src));
  putAddress(view, ipv6.Offset.DST, addressOf(ip.dst));
  bytes.set(l4, ipv6.HEADER);
  return bytes;
}

function putAddress(view: DataView, at: number, address: Address): void {
  view.setInt32(at, address.a);
  view.setInt32(at + 4, address.b);
  view.setInt32(at + 8, address.c);
  view.setInt32(at + 12, address.d);
}

function encodeL4({ ip, l4 }: PacketRepr): Uint8Array {
  if (l4.kind === 'raw') return l4.payload;
  if (l4.kind === 'tcp') return encodeTcp(ip, l4);
  const bytes = new Uint8Array(8 + l4.payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(l4.payload, 8);
  if (l4.kind === 'icmp') {
    bytes[0] = l4.type;
    bytes[1] = l4.code;
    view.setUint32(4, l4.rest);
    const value = checksum.finish(checksum.sum(bytes, 0, bytes.length, 0));
    view.setUint16(icmp4.Offset.CHECKSUM, value);
    return bytes;
  }
  udp.write(bytes, 0, l4.srcPort, l4.dstPort, bytes.length);
  if (l4.summed) {
    const value = ~sumOf(ip, bytes) & 0xffff;
    view.setUint16(udp.Offset.CHECKSUM, value === 0 ? 0xffff : value);
  }
  return bytes;
}

function encodeTcp(ip: PacketRepr['ip'], t: TcpRepr): Uint8Array {
  const options = writeOptions(t.options);
  const header = tcp.HEADER_LEN + options.length;
  const bytes = new Uint8Array(header + t.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, t.srcPort);
  view.setUint16(2, t.dstPort);
  view.setUint32(4, t.seq);
  view.setUint32(8, t.ack);
  view.setUint8(12, (header >>> 2) << 4);
  view.setUint8(13, t.flags);
  view.setUint16(14, t.window);
  view.setUint16(18, t.urgent);
  bytes.set(options, tcp.HEADER_LEN);
  bytes.set(t.payload, header);
  view.setUint16(tcp.CHECKSUM_OFFSET, ~sumOf(ip, bytes) & 0xffff);
  return bytes;
}

/** The options' octets, padded with zeros to whole words. */
function writeOptions(options: readonly OptionRepr[]): Uint8Array {
  const out: number[] = [];
  for (const { kind, data } of options) {
    if (kind <= 1) out.push(kind);
    else out.push(kind, data.length + 2, ...data);
  }
  while ((out.length & 3) !== 0) out.push(0);
  return Uint8Array.from(out);
}

/** Folded sum of a segment with its pseudo-header; 0xffff when its checksum is right. */
function sumOf(ip: PacketRepr['ip'], segment: Uint8Array): number {
  const src = addressOf(ip.src);
  const dst = addressOf(ip.dst);
  const pair = {
    ...{ src0: src.a, src1: src.b, src2: src.c, src3: src.d },
    ...{ dst0: dst.a, dst1: dst.b, dst2: dst.c, dst3: dst.d },
  };
  const pseudo =
    ip.version === 4
      ? checksum.pseudo4(src.d, dst.d, ip.protocol, segment.length)
      : checksum.pseudo6(pair, ip.protocol, segment.length);
  return checksum.fold(checksum.sum(segment, 0, segment.length, pseudo));
}

function addressOf(text: string): Address {
  return parse(text) ?? new Address(0, 0, 0, 0);
}
