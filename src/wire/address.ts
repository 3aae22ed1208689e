// Addresses of both families in one shape: four int32 words, IPv4 as ::ffff:a.b.c.d (RFC 4291
// §2.5.5.2). Text in and out: dotted quads without octal or short forms (RFC 6943 §3.1.1), IPv6
// with `::`, a trailing dotted quad and a zone (RFC 4291 §2.2, RFC 4007 §11); output per RFC 5952.

/** Third word of an IPv4 address; the first two are zero. */
export const V4_MAPPED = 0x0000ffff;

const LONGEST_TEXT = 45;
const LONGEST_ZONE = 64;

export class Address {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly family: 4 | 6;
  /** Zone of a scoped IPv6 address, '' without. */
  readonly zone: string;

  constructor(a: number, b: number, c: number, d: number, zone = '') {
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    this.d = d | 0;
    this.family = isV4(this.a, this.b, this.c) ? 4 : 6;
    this.zone = zone;
  }

  equals(other: Address): boolean {
    return (
      this.a === other.a &&
      this.b === other.b &&
      this.c === other.c &&
      this.d === other.d &&
      this.zone === other.zone
    );
  }

  toString(): string {
    const text = format(this.a, this.b, this.c, this.d);
    return this.zone === '' ? text : `${text}%${this.zone}`;
  }
}

/** An address and how many of its bits name the network; the host bits are kept. */
export interface Prefix {
  readonly address: Address;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
}

export function isV4(a: number, b: number, c: number): boolean {
  return (a | b) === 0 && c === V4_MAPPED;
}

/** An IPv4 address from its 32 bits. */
export function fromV4(bits: number): Address {
  return new Address(0, 0, V4_MAPPED, bits);
}

/** The address that `text` names, null when it names none. */
export function parse(text: string): Address | null {
  const percent = text.indexOf('%');
  const zone = percent < 0 ? '' : text.slice(percent + 1);
  const body = percent < 0 ? text : text.slice(0, percent);
  if (body.length > LONGEST_TEXT) return null;
  if (!body.includes(':')) {
    const bits = percent < 0 ? parseV4(body) : null;
    return bits === null ? null : fromV4(bits);
  }
  if (percent >= 0 && (zone.length > LONGEST_ZONE || !/^[0-9A-Za-z._:-]+$/.test(zone))) return null;
  return parseV6(body, zone);
}

/** `10.0.0.0/8`, `2001:db8::/32`; null when it is not a prefix. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const address = parse(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return null;
  const length = Number(digits);
  // A mapped address in IPv6 notation counts its bits in 128, as it is written.
  const mapped = address.family === 4 && text.includes(':');
  if (length > (address.family === 4 && !mapped ? 32 : 128)) return null;
  if (mapped) return length < 96 ? null : { address, length: length - 96 };
  return { address, length };
}

/** Bits of the network in the 128-bit shape: IPv4's lie behind the 96 bits of the mapping. */
export function mappedLength(prefix: Prefix): number {
  return prefix.address.family === 4 ? prefix.length + 96 : prefix.length;
}

/** Word `i` (0 to 3) of the netmask with `length` of 128 bits. */
export function maskWord(length: number, i: number): number {
  const bits = length - 32 * i;
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

function parseV4(text: string): number | null {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return null;
  let bits = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const n = Number(part);
    if (n > 255) return null;
    bits = (bits << 8) | n;
  }
  return bits;
}

function parseV6(text: string, zone: string): Address | null {
  const halves = text.split('::', 3);
  if (halves.length > 2) return null;
  const head = groups(halves[0] as string, halves.length === 1);
  if (head === null) return null;
  let all = head;
  if (halves.length === 2) {
    const tail = groups(halves[1] as string, true);
    if (tail === null || head.length + tail.length > 7) return null;
    all = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  }
  if (all.length !== 8) return null;
  const word = (i: number): number => ((all[i] as number) << 16) | (all[i + 1] as number);
  return new Address(word(0), word(2), word(4), word(6), zone);
}

/** The 16-bit groups of one side of `::`; a dotted quad is legal at the very end only. */
function groups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':', 9);
  if (parts.length > 8) return null;
  const out: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if (last && i === parts.length - 1 && part.includes('.')) {
      const bits = parseV4(part);
      if (bits === null) return null;
      out.push(bits >>> 16, bits & 0xffff);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return null;
      out.push(Number.parseInt(part, 16));
    }
  }
  return out.length > 8 ? null : out;
}

/** Text of an address: a dotted quad for IPv4, else the canonical form of RFC 5952. */
export function format(a: number, b: number, c: number, d: number): string {
  if (isV4(a, b, c)) return formatV4(d);
  const g = [
    a >>> 16,
    a & 0xffff,
    b >>> 16,
    b & 0xffff,
    c >>> 16,
    c & 0xffff,
    d >>> 16,
    d & 0xffff,
  ];
  // RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals.
  let from = -1;
  let longest = 1;
  for (let i = 0; i < 8; ) {
    let n = 0;
    while (i + n < 8 && g[i + n] === 0) n++;
    if (n > longest) {
      longest = n;
      from = i;
    }
    i += n === 0 ? 1 : n;
  }
  const hex = g.map((x) => x.toString(16));
  if (from < 0) return hex.join(':');
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + longest).join(':')}`;
}

function formatV4(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

export function isUnspecified(a: number, b: number, c: number, d: number): boolean {
  return (a | b | d) === 0 && (c === 0 || c === V4_MAPPED);
}

/** 127/8 (RFC 1122 §3.2.1.3) and ::1. */
export function isLoopback(a: number, b: number, c: number, d: number): boolean {
  if (isV4(a, b, c)) return d >>> 24 === 127;
  return (a | b | c) === 0 && d === 1;
}

/** 224/4 (RFC 5771) and ff00::/8. */
export function isMulticast(a: number, b: number, c: number, d: number): boolean {
  if (isV4(a, b, c)) return d >>> 28 === 14;
  return a >>> 24 === 0xff;
}

/** The limited broadcast address 255.255.255.255. */
export function isLimitedBroadcast(a: number, b: number, c: number, d: number): boolean {
  return d === -1 && isV4(a, b, c);
}

/** 169.254/16 (RFC 3927) and fe80::/10. */
export function isLinkLocal(a: number, b: number, c: number, d: number): boolean {
  if (isV4(a, b, c)) return d >>> 16 === 0xa9fe;
  return a >>> 22 === 0x3fa;
}

/**
 * Addresses that no packet from a device may have as its source: 0/8, 127/8, 224/4, 240/4 with the
 * limited broadcast (RFC 1122 §3.2.1.3, RFC 1812 §5.3.7), ::, ::1 and ff00::/8.
 */
export function isMartianSource(a: number, b: number, c: number, d: number): boolean {
  if (isV4(a, b, c)) {
    const top = d >>> 24;
    return top === 0 || top === 127 || top >= 224;
  }
  return a >>> 24 === 0xff || ((a | b | c) === 0 && (d === 0 || d === 1));
}
