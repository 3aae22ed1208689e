// The IPv4 header (RFC 791 §3.1): offsets, accessors and the checks that need no state.
// @hot

import { Drop } from '../base/drop.ts';

export const MIN_HEADER = 20;
export const MAX_HEADER = 60;
export const MAX_PACKET = 65_535;
/** Bits of the word that holds flags and fragment offset (RFC 791 §3.1). */
export const DF = 0x4000;
export const MF = 0x2000;
export const OFFSET_MASK = 0x1fff;
export const Offset = {
  VERSION: 0,
  TOS: 1,
  TOTAL_LENGTH: 2,
  ID: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SRC: 12,
  DST: 16,
} as const;

export const Proto = { ICMP: 1, IGMP: 2, TCP: 6, UDP: 17, IPV6: 41, ICMP6: 58 } as const;

/** Types of option (RFC 791 §3.1) that matter to a host. */
const END = 0;
const NO_OPERATION = 1;
const LSRR = 131;
const SSRR = 137;

export function version(u8: Uint8Array, off: number): number {
  return (u8[off] as number) >>> 4;
}

/** Octets of header, options included. */
export function headerLen(u8: Uint8Array, off: number): number {
  return ((u8[off] as number) & 15) << 2;
}

export function tos(u8: Uint8Array, off: number): number {
  return u8[off + 1] as number;
}

export function totalLen(u8: Uint8Array, off: number): number {
  return ((u8[off + 2] as number) << 8) | (u8[off + 3] as number);
}

export function id(u8: Uint8Array, off: number): number {
  return ((u8[off + 4] as number) << 8) | (u8[off + 5] as number);
}

/** Flags and fragment offset as they stand in the header. */
export function fragmentWord(u8: Uint8Array, off: number): number {
  return ((u8[off + 6] as number) << 8) | (u8[off + 7] as number);
}

/** Fragment offset in octets. */
export function fragmentOffset(u8: Uint8Array, off: number): number {
  return (fragmentWord(u8, off) & OFFSET_MASK) << 3;
}

export function ttl(u8: Uint8Array, off: number): number {
  return u8[off + 8] as number;
}

export function protocol(u8: Uint8Array, off: number): number {
  return u8[off + 9] as number;
}

export function checksum(u8: Uint8Array, off: number): number {
  return ((u8[off + 10] as number) << 8) | (u8[off + 11] as number);
}

/** Source address as int32. */
export function src(u8: Uint8Array, off: number): number {
  return word(u8, off + 12);
}

export function dst(u8: Uint8Array, off: number): number {
  return word(u8, off + 16);
}

function word(u8: Uint8Array, at: number): number {
  return (
    ((u8[at] as number) << 24) |
    ((u8[at + 1] as number) << 16) |
    ((u8[at + 2] as number) << 8) |
    (u8[at + 3] as number)
  );
}

/**
 * Whether `len` octets at `off` start with a header whose lengths agree: version 4, IHL of at least
 * 5 words, IHL <= total length <= `len` (RFC 791, RFC 1122 §3.2.1.1). NONE, or why not.
 */
export function check(u8: Uint8Array, off: number, len: number): Drop {
  if (len < MIN_HEADER) return Drop.PKT_TOO_SMALL;
  if (version(u8, off) !== 4) return Drop.IP_INHDR;
  const header = headerLen(u8, off);
  if (header < MIN_HEADER) return Drop.IP_INHDR;
  if (header > len) return Drop.PKT_TOO_SMALL;
  const total = totalLen(u8, off);
  if (total < header) return Drop.IP_INHDR;
  return total > len ? Drop.PKT_TOO_SMALL : Drop.NONE;
}

/** Sum of the header's words: 0xffff after folding when the checksum is right. */
export function headerSum(u8: Uint8Array, off: number, header: number): number {
  let high = 0;
  let low = 0;
  for (let i = off; i < off + header; i += 2) {
    high += u8[i] as number;
    low += u8[i + 1] as number;
  }
  const s = (high << 8) + low;
  const once = (s & 0xffff) + (s >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Writes the header checksum. */
export function seal(u8: Uint8Array, off: number, header: number): void {
  u8[off + 10] = 0;
  u8[off + 11] = 0;
  const field = ~headerSum(u8, off, header) & 0xffff;
  u8[off + 10] = field >>> 8;
  u8[off + 11] = field & 255;
}

/**
 * Walks the options: IP_OPTIONS for a source route (refused: RFC 6274 §3.13.2.3, RFC 7126 §4.3) and
 * for an option whose length leaves the header, NONE otherwise. Others are ignored (RFC 1122
 * §3.2.1.8). At most 40 steps.
 */
export function checkOptions(u8: Uint8Array, off: number, header: number): Drop {
  const end = off + header;
  let at = off + MIN_HEADER;
  while (at < end) {
    const type = u8[at] as number;
    if (type === END) return Drop.NONE;
    if (type === NO_OPERATION) {
      at++;
      continue;
    }
    if (type === LSRR || type === SSRR) return Drop.IP_OPTIONS;
    if (at + 1 >= end) return Drop.IP_OPTIONS;
    const n = u8[at + 1] as number;
    if (n < 2 || at + n > end) return Drop.IP_OPTIONS;
    at += n;
  }
  return Drop.NONE;
}
