// The simulator's own reading of a packet: an independent judge, so nothing of wire/, ip/ or tcp/
// is used here. Strict: what our stack sends must be right in every field that this knows.

export const Bit = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 } as const;
export const Proto = { ICMP: 1, TCP: 6, UDP: 17 } as const;

/** One decoded packet; reused. Addresses are uint32, sequence numbers int32. */
export class Wire {
  src = 0;
  dst = 0;
  tos = 0;
  id = 0;
  df = false;
  mf = false;
  fragOff = 0;
  ttl = 0;
  protocol = 0;
  l4 = 0;
  /** Octet after the IP packet's last. */
  end = 0;
  srcPort = 0;
  dstPort = 0;
  seq = 0;
  ack = 0;
  flags = 0;
  /** Window field, not scaled. */
  window = 0;
  urgent = 0;
  data = 0;
  dataLen = 0;
  /** -1: option not there. */
  mss = -1;
  wscale = -1;
  sackPermitted = false;
  hasTs = false;
  tsVal = 0;
  tsEcr = 0;
  sackBlocks = 0;
  /** start, end of each block. */
  readonly sack = new Int32Array(8);
  /** Kinds of options that this does not know. */
  unknownOptions = 0;
  icmpType = 0;
  icmpCode = 0;
}

function u16(b: Uint8Array, at: number): number {
  return (b[at] as number) * 256 + (b[at + 1] as number);
}

function u32(b: Uint8Array, at: number): number {
  return u16(b, at) * 65_536 + u16(b, at + 2);
}

/** Folded ones' complement sum of [off, end), begun with `initial`. */
export function onesSum(b: Uint8Array, off: number, end: number, initial: number): number {
  let s = initial;
  let at = off;
  for (; at + 1 < end; at += 2) s += (b[at] as number) * 256 + (b[at + 1] as number);
  if (at < end) s += (b[at] as number) * 256;
  while (s > 0xffff) s = (s % 65_536) + Math.floor(s / 65_536);
  return s;
}

/** Sum of the IPv4 pseudo-header of the packet at `off`. */
export function pseudoSum(b: Uint8Array, off: number, protocol: number, l4Len: number): number {
  return onesSum(b, off + 12, off + 20, protocol + l4Len);
}

/**
 * Reads the IPv4 packet at `off`.
 * @param partial the transport checksum field holds only the pseudo-header's sum
 * @returns '' or what is wrong with it
 */
export function decode(b: Uint8Array, off: number, len: number, w: Wire, partial: boolean): string {
  if (len < 20) return 'shorter than an IPv4 header';
  if ((b[off] as number) >> 4 !== 4) return 'version is not 4';
  const headerLen = ((b[off] as number) & 15) * 4;
  if (headerLen < 20 || headerLen > len) return 'header length';
  if (u16(b, off + 2) !== len) return `total length ${u16(b, off + 2)} of ${len} octets`;
  if (onesSum(b, off, off + headerLen, 0) !== 0xffff) return 'IPv4 header checksum';
  w.tos = b[off + 1] as number;
  w.id = u16(b, off + 4);
  const frag = u16(b, off + 6);
  if ((frag & 0x8000) !== 0) return 'reserved flag';
  w.df = (frag & 0x4000) !== 0;
  w.mf = (frag & 0x2000) !== 0;
  w.fragOff = (frag & 0x1fff) * 8;
  w.ttl = b[off + 8] as number;
  if (w.ttl === 0) return 'TTL 0';
  w.protocol = b[off + 9] as number;
  w.src = u32(b, off + 12);
  w.dst = u32(b, off + 16);
  w.l4 = off + headerLen;
  w.end = off + len;
  w.srcPort = 0;
  w.dstPort = 0;
  if (w.df && (w.mf || w.fragOff !== 0)) return 'fragment with DF';
  if (w.mf || w.fragOff !== 0) return '';
  if (w.protocol === Proto.TCP) return decodeTcp(b, off, w, partial);
  if (w.protocol === Proto.UDP) return decodeUdp(b, off, w, partial);
  if (w.protocol === Proto.ICMP) return decodeIcmp(b, w);
  if (w.protocol === IGMP) return decodeIgmp(b, w);
  return `protocol ${w.protocol}`;
}

const IGMP = 2;

/** RFC 9776 §4: a TTL of 1, a router alert before the message, a checksum over all of it. */
function decodeIgmp(b: Uint8Array, w: Wire): string {
  if (w.end - w.l4 < 8) return 'shorter than an IGMP message';
  if (onesSum(b, w.l4, w.end, 0) !== 0xffff) return 'IGMP checksum';
  if (w.ttl !== 1 || w.dst >>> 28 !== 14) return 'IGMP that leaves the link';
  return u32(b, w.l4 - 4) === 0x94040000 ? '' : 'IGMP without a router alert';
}

function decodeUdp(b: Uint8Array, off: number, w: Wire, partial: boolean): string {
  const len = w.end - w.l4;
  if (len < 8) return 'UDP header';
  w.srcPort = u16(b, w.l4);
  w.dstPort = u16(b, w.l4 + 2);
  w.data = w.l4 + 8;
  w.dataLen = len - 8;
  if (u16(b, w.l4 + 4) !== len) return 'UDP length';
  const field = u16(b, w.l4 + 6);
  if (partial) return field === pseudoSum(b, off, Proto.UDP, len) ? '' : 'UDP partial checksum';
  if (field === 0) return 'UDP checksum not used';
  if (onesSum(b, w.l4, w.end, pseudoSum(b, off, Proto.UDP, len)) !== 0xffff) return 'UDP checksum';
  return '';
}

function decodeIcmp(b: Uint8Array, w: Wire): string {
  if (w.end - w.l4 < 8) return 'ICMP header';
  w.icmpType = b[w.l4] as number;
  w.icmpCode = b[w.l4 + 1] as number;
  w.data = w.l4 + 8;
  w.dataLen = w.end - w.data;
  return onesSum(b, w.l4, w.end, 0) === 0xffff ? '' : 'ICMP checksum';
}

function decodeTcp(b: Uint8Array, off: number, w: Wire, partial: boolean): string {
  const len = w.end - w.l4;
  if (len < 20) return 'TCP header';
  w.srcPort = u16(b, w.l4);
  w.dstPort = u16(b, w.l4 + 2);
  w.seq = u32(b, w.l4 + 4) | 0;
  w.ack = u32(b, w.l4 + 8) | 0;
  const headerLen = ((b[w.l4 + 12] as number) >> 4) * 4;
  w.flags = b[w.l4 + 13] as number;
  w.window = u16(b, w.l4 + 14);
  w.urgent = u16(b, w.l4 + 18);
  if (headerLen < 20 || headerLen > len) return 'TCP data offset';
  if (((b[w.l4 + 12] as number) & 15) !== 0) return 'TCP reserved bits';
  w.data = w.l4 + headerLen;
  w.dataLen = len - headerLen;
  const pseudo = pseudoSum(b, off, Proto.TCP, len);
  if (partial) {
    if (u16(b, w.l4 + 16) !== pseudo) return 'TCP partial checksum';
  } else if (onesSum(b, w.l4, w.end, pseudo) !== 0xffff) return 'TCP checksum';
  return decodeOptions(b, w.l4 + 20, w.data, w);
}

function decodeOptions(b: Uint8Array, from: number, end: number, w: Wire): string {
  w.mss = -1;
  w.wscale = -1;
  w.sackPermitted = false;
  w.hasTs = false;
  w.sackBlocks = 0;
  w.unknownOptions = 0;
  for (let at = from; at < end; ) {
    const kind = b[at] as number;
    if (kind === 0) {
      // RFC 9293 MUST-69: padding after the end of the list is zero
      for (let i = at; i < end; i++) if (b[i] !== 0) return 'padding is not zero';
      return '';
    }
    if (kind === 1) {
      at++;
      continue;
    }
    const len = at + 1 < end ? (b[at + 1] as number) : 0;
    if (len < 2 || at + len > end) return `length of TCP option ${kind}`;
    const wrong = decodeOption(b, at, kind, len, w);
    if (wrong !== '') return wrong;
    at += len;
  }
  return '';
}

function decodeOption(b: Uint8Array, at: number, kind: number, len: number, w: Wire): string {
  if (kind === 2) {
    if (len !== 4) return 'length of MSS';
    w.mss = u16(b, at + 2);
  } else if (kind === 3) {
    if (len !== 3) return 'length of window scale';
    w.wscale = b[at + 2] as number;
    if (w.wscale > 14) return 'window scale over 14';
  } else if (kind === 4) {
    if (len !== 2) return 'length of SACK-permitted';
    w.sackPermitted = true;
  } else if (kind === 5) {
    const n = (len - 2) / 8;
    if (!Number.isInteger(n) || n < 1 || n > 4) return 'length of SACK';
    w.sackBlocks = n;
    for (let i = 0; i < n * 2; i++) w.sack[i] = u32(b, at + 2 + i * 4) | 0;
  } else if (kind === 8) {
    if (len !== 10) return 'length of timestamps';
    w.hasTs = true;
    w.tsVal = u32(b, at + 2);
    w.tsEcr = u32(b, at + 6);
  } else w.unknownOptions++;
  return '';
}

const LETTERS: readonly (readonly [number, string])[] = [
  [Bit.FIN, 'F'],
  [Bit.SYN, 'S'],
  [Bit.RST, 'R'],
  [Bit.PSH, 'P'],
  [Bit.ACK, '.'],
  [Bit.URG, 'U'],
  [Bit.ECE, 'E'],
  [Bit.CWR, 'W'],
];

/** `10.0.0.1` of a uint32. */
export function dotted(a: number): string {
  return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

/** One line in the manner of tcpdump, for traces of failing seeds. */
export function line(w: Wire): string {
  const ends = `${dotted(w.src)}:${w.srcPort} > ${dotted(w.dst)}:${w.dstPort}`;
  if (w.mf || w.fragOff > 0) return `${ends} fragment ${w.fragOff}${w.mf ? '+' : ''}`;
  if (w.protocol === Proto.UDP) return `${ends} UDP ${w.dataLen}`;
  if (w.protocol === Proto.ICMP) return `${ends} ICMP ${w.icmpType}/${w.icmpCode}`;
  let flags = '';
  for (const [bit, letter] of LETTERS) if ((w.flags & bit) !== 0) flags += letter;
  let options = '';
  if (w.mss >= 0) options += ` mss ${w.mss}`;
  if (w.wscale >= 0) options += ` wscale ${w.wscale}`;
  if (w.sackPermitted) options += ' sackOK';
  if (w.hasTs) options += ` TS ${w.tsVal}/${w.tsEcr}`;
  for (let i = 0; i < w.sackBlocks; i++) {
    options += ` sack ${(w.sack[i * 2] as number) >>> 0}:${(w.sack[i * 2 + 1] as number) >>> 0}`;
  }
  const range = `${w.seq >>> 0}:${(w.seq + w.dataLen) >>> 0}(${w.dataLen})`;
  return `${ends} ${flags} ${range} ack ${w.ack >>> 0} win ${w.window}${options}`;
}
