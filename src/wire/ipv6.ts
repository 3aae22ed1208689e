// The IPv6 base header (RFC 8200 §3): offsets, accessors and the checks that need no state.
// @hot

import { Drop } from '../base/drop.ts';

export const HEADER = 40;
export const MIN_MTU = 1280;

/** Longest packet without a jumbo payload option: the length field does not count the header. */
export const MAX_PACKET = HEADER + 65_535;

/** Values of Next Header that name extension headers, and ICMPv6 (RFC 8200 §4, RFC 4443). */
export const Next = {
  HOP_BY_HOP: 0,
  TCP: 6,
  UDP: 17,
  ROUTING: 43,
  FRAGMENT: 44,
  ICMP: 58,
  NONE: 59,
  DESTINATION: 60,
} as const;

/** The Fragment header (RFC 8200 §4.5): length, and offsets within it. */
export const FRAGMENT_HEADER = 8;
export const Fragment = { NEXT_HEADER: 0, OFFSET: 2, ID: 4 } as const;

export const Offset = {
  VERSION: 0,
  PAYLOAD_LENGTH: 4,
  NEXT_HEADER: 6,
  HOP_LIMIT: 7,
  SRC: 8,
  DST: 24,
} as const;

export function version(u8: Uint8Array, off: number): number {
  return (u8[off] as number) >>> 4;
}

export function trafficClass(u8: Uint8Array, off: number): number {
  return (((u8[off] as number) & 15) << 4) | ((u8[off + 1] as number) >>> 4);
}

export function flowLabel(u8: Uint8Array, off: number): number {
  return (
    (((u8[off + 1] as number) & 15) << 16) |
    ((u8[off + 2] as number) << 8) |
    (u8[off + 3] as number)
  );
}

export function payloadLen(u8: Uint8Array, off: number): number {
  return ((u8[off + 4] as number) << 8) | (u8[off + 5] as number);
}

export function nextHeader(u8: Uint8Array, off: number): number {
  return u8[off + 6] as number;
}

export function hopLimit(u8: Uint8Array, off: number): number {
  return u8[off + 7] as number;
}

/** Word `i` (0 to 3) of the source address as int32. */
export function srcWord(u8: Uint8Array, off: number, i: number): number {
  return word(u8, off + 8 + 4 * i);
}

export function dstWord(u8: Uint8Array, off: number, i: number): number {
  return word(u8, off + 24 + 4 * i);
}

function word(u8: Uint8Array, at: number): number {
  return (
    ((u8[at] as number) << 24) |
    ((u8[at + 1] as number) << 16) |
    ((u8[at + 2] as number) << 8) |
    (u8[at + 3] as number)
  );
}

/** NONE when `len` octets at `off` hold a base header and all the payload it announces. */
export function check(u8: Uint8Array, off: number, len: number): Drop {
  if (len < HEADER) return Drop.PKT_TOO_SMALL;
  if (version(u8, off) !== 6) return Drop.IP_INHDR;
  return payloadLen(u8, off) + HEADER > len ? Drop.PKT_TOO_SMALL : Drop.NONE;
}
