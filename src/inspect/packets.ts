// A packet taken apart for people: a tree of fields, each with the octets in which it lies and the
// section that defines it. Works on the beginning of a packet too. Cold code: it allocates.

import { format } from '../wire/address.ts';
import { tcpOptions } from './packet-options.ts';

/** A field, and where its octets lie. */
export interface FieldNode {
  name: string;
  value: string;
  off: number;
  len: number;
  rfc?: string;
  children?: FieldNode[];
}

/** The transport header of a packet, as far as it is there. */
export interface Headers {
  family: 4 | 6;
  src: string;
  dst: string;
  protocol: number;
  /** Offset of the transport header; -1: a later fragment, or not there. */
  l4: number;
  /** Octets of the packet by its own account. */
  total: number;
  ttl: number;
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPv6',
};

export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? `proto ${protocol}`;
}

export function u16(b: Uint8Array, at: number): number {
  return ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);
}

export function u32(b: Uint8Array, at: number): number {
  return u16(b, at) * 65_536 + u16(b, at + 2);
}

function address4(b: Uint8Array, at: number): string {
  return `${b[at]}.${b[at + 1]}.${b[at + 2]}.${b[at + 3]}`;
}

function address6(b: Uint8Array, at: number): string {
  const word = (n: number): number => u32(b, at + n * 4) | 0;
  return format(word(0), word(1), word(2), word(3));
}

/** The IP header's part of it; null when there is none. */
export function headersOf(b: Uint8Array): Headers | null {
  const version = (b[0] ?? 0) >> 4;
  if (version === 4 && b.length >= 20) {
    const head = ((b[0] as number) & 15) * 4;
    const first = (u16(b, 6) & 0x1fff) === 0;
    return {
      ...{ family: 4, src: address4(b, 12), dst: address4(b, 16), protocol: b[9] as number },
      ...{ l4: first && head >= 20 && b.length > head ? head : -1, total: u16(b, 2) },
      ttl: b[8] as number,
    };
  }
  if (version !== 6 || b.length < 40) return null;
  const protocol = b[6] as number;
  const l4 = protocol in PROTOCOLS && b.length > 40 ? 40 : -1;
  const ends = { src: address6(b, 8), dst: address6(b, 24) };
  return { family: 6, ...ends, protocol, l4, total: u16(b, 4) + 40, ttl: b[7] as number };
}

/** The packet as a tree. */
export function dissect(b: Uint8Array): FieldNode[] {
  const ip = headersOf(b);
  if (ip === null) return [node('not an IP packet', `${b.length} octets`, 0, b.length)];
  const head = ip.family === 4 ? ((b[0] as number) & 15) * 4 : 40;
  const tree = [ip.family === 4 ? ipv4(b, ip, head) : ipv6(b, ip)];
  if (ip.l4 < 0) return ends(tree, b, head);
  if (ip.protocol === 6 && b.length >= ip.l4 + 20) {
    const data = ip.l4 + ((b[ip.l4 + 12] as number) >> 4) * 4;
    tree.push(tcp(b, ip.l4, data));
    return ends(tree, b, data);
  }
  if (ip.protocol === 17 && b.length >= ip.l4 + 8) {
    tree.push(udp(b, ip.l4));
    return ends(tree, b, ip.l4 + 8);
  }
  if ((ip.protocol === 1 || ip.protocol === 58) && b.length >= ip.l4 + 8) {
    tree.push(icmp(b, ip.l4, ip.protocol));
    return ends(tree, b, ip.l4 + 8);
  }
  return ends(tree, b, ip.l4);
}

function node(name: string, value: string, off: number, len: number, rfc?: string): FieldNode {
  return rfc === undefined ? { name, value, off, len } : { name, value, off, len, rfc };
}

function ends(tree: FieldNode[], b: Uint8Array, at: number): FieldNode[] {
  if (b.length > at) tree.push(node('Payload', `${b.length - at} octets shown`, at, b.length - at));
  return tree;
}

function hex(n: number, digits: number): string {
  return `0x${n.toString(16).padStart(digits, '0')}`;
}

function ipv4(b: Uint8Array, ip: Headers, head: number): FieldNode {
  const word = u16(b, 6);
  const flags = [(word & 0x4000) !== 0 ? 'DF' : '', (word & 0x2000) !== 0 ? 'MF' : ''];
  const children = [
    node('Version', '4', 0, 1, 'RFC 791 §3.1'),
    node('Header length', `${head} octets`, 0, 1, 'RFC 791 §3.1'),
    node(
      'DSCP and ECN',
      `${(b[1] as number) >> 2}, ${ECN[(b[1] as number) & 3]}`,
      1,
      1,
      'RFC 3168 §5',
    ),
    node('Total length', String(ip.total), 2, 2, 'RFC 791 §3.1'),
    node('Identification', hex(u16(b, 4), 4), 4, 2, 'RFC 6864'),
    node('Flags', flags.filter(Boolean).join(' ') || 'none', 6, 1, 'RFC 791 §3.1'),
    node('Fragment offset', String((word & 0x1fff) * 8), 6, 2, 'RFC 791 §3.1'),
    node('Time to live', String(ip.ttl), 8, 1, 'RFC 1122 §3.2.1.7'),
    node('Protocol', `${ip.protocol} (${protocolName(ip.protocol)})`, 9, 1, 'RFC 791 §3.1'),
    node('Header checksum', hex(u16(b, 10), 4), 10, 2, 'RFC 1122 §3.2.1.2'),
    node('Source', ip.src, 12, 4, 'RFC 1122 §3.2.1.3'),
    node('Destination', ip.dst, 16, 4, 'RFC 1122 §3.2.1.3'),
  ];
  if (head > 20) children.push(node('Options', `${head - 20} octets`, 20, head - 20));
  const title = node('IPv4', `${ip.src} → ${ip.dst}`, 0, head, 'RFC 791');
  return { ...title, children };
}

const ECN = ['not ECN-capable', 'ECT(1)', 'ECT(0)', 'congestion experienced'];

function ipv6(b: Uint8Array, ip: Headers): FieldNode {
  const first = u32(b, 0);
  const children = [
    node('Version', '6', 0, 1, 'RFC 8200 §3'),
    node('Traffic class', hex((first >>> 20) & 0xff, 2), 0, 2, 'RFC 8200 §7'),
    node('Flow label', hex(first & 0xfffff, 5), 1, 3, 'RFC 6437'),
    node('Payload length', String(u16(b, 4)), 4, 2, 'RFC 8200 §3'),
    node('Next header', `${ip.protocol} (${protocolName(ip.protocol)})`, 6, 1, 'RFC 8200 §3'),
    node('Hop limit', String(ip.ttl), 7, 1, 'RFC 8200 §3'),
    node('Source', ip.src, 8, 16, 'RFC 4291'),
    node('Destination', ip.dst, 24, 16, 'RFC 4291'),
  ];
  return { ...node('IPv6', `${ip.src} → ${ip.dst}`, 0, 40, 'RFC 8200'), children };
}

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [128, 'CWR'],
  [64, 'ECE'],
  [32, 'URG'],
  [16, 'ACK'],
  [8, 'PSH'],
  [4, 'RST'],
  [2, 'SYN'],
  [1, 'FIN'],
];

/** `SYN, ACK`. */
export function flagNames(flags: number): string {
  const set = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return set.reverse().join(', ') || 'none';
}

function tcp(b: Uint8Array, at: number, data: number): FieldNode {
  const flags = b[at + 13] as number;
  const rfc = 'RFC 9293 §3.1';
  const children = [
    node('Source port', String(u16(b, at)), at, 2, rfc),
    node('Destination port', String(u16(b, at + 2)), at + 2, 2, rfc),
    node('Sequence number', String(u32(b, at + 4)), at + 4, 4, 'RFC 9293 §3.4'),
    node('Acknowledgment', String(u32(b, at + 8)), at + 8, 4, 'RFC 9293 §3.4'),
    node('Data offset', `${data - at} octets`, at + 12, 1, rfc),
    node('Flags', flagNames(flags), at + 13, 1, rfc),
    node('Window', `${u16(b, at + 14)} (not scaled)`, at + 14, 2, 'RFC 7323 §2.2'),
    node('Checksum', hex(u16(b, at + 16), 4), at + 16, 2, 'RFC 9293 MUST-2'),
    node('Urgent pointer', String(u16(b, at + 18)), at + 18, 2, 'RFC 9293 §3.8.5'),
  ];
  const options = tcpOptions(b, at + 20, Math.min(data, b.length));
  if (options.length > 0) {
    const all = node(
      'Options',
      `${data - at - 20} octets`,
      at + 20,
      data - at - 20,
      'RFC 9293 §3.2',
    );
    children.push({ ...all, children: options });
  }
  const ports = `${u16(b, at)} → ${u16(b, at + 2)} [${flagNames(flags)}]`;
  return { ...node('TCP', ports, at, data - at, 'RFC 9293'), children };
}

function udp(b: Uint8Array, at: number): FieldNode {
  const children = [
    node('Source port', String(u16(b, at)), at, 2, 'RFC 768'),
    node('Destination port', String(u16(b, at + 2)), at + 2, 2, 'RFC 768'),
    node('Length', String(u16(b, at + 4)), at + 4, 2, 'RFC 768'),
    node('Checksum', hex(u16(b, at + 6), 4), at + 6, 2, 'RFC 1122 §4.1.3.4'),
  ];
  const ports = `${u16(b, at)} → ${u16(b, at + 2)}`;
  return { ...node('UDP', ports, at, 8, 'RFC 768'), children };
}

const ICMP: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'destination unreachable',
  8: 'echo request',
  11: 'time exceeded',
  12: 'parameter problem',
};
const ICMP6: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  128: 'echo request',
  129: 'echo reply',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
};

export function icmpName(protocol: number, type: number, code: number): string {
  const name = (protocol === 58 ? ICMP6 : ICMP)[type] ?? `type ${type}`;
  return code === 0 ? name : `${name}, code ${code}`;
}

function icmp(b: Uint8Array, at: number, protocol: number): FieldNode {
  const name = icmpName(protocol, b[at] as number, b[at + 1] as number);
  const rfc = protocol === 58 ? 'RFC 4443 §2.1' : 'RFC 792';
  const children = [
    node('Type', String(b[at]), at, 1, rfc),
    node('Code', String(b[at + 1]), at + 1, 1, rfc),
    node('Checksum', hex(u16(b, at + 2), 4), at + 2, 2, rfc),
    node('Rest of header', hex(u32(b, at + 4), 8), at + 4, 4, rfc),
  ];
  return { ...node(protocolName(protocol), name, at, 8, rfc), children };
}
