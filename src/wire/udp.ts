// The UDP header (RFC 768): offsets, accessors and the check that needs no state.
// @hot

import { Drop } from '../base/drop.ts';

export const HEADER = 8;
/** Largest payload over IPv4: 65,535 less both headers. */
export const MAX_PAYLOAD4 = 65_507;
export const MAX_PAYLOAD6 = 65_527;
export const Offset = { SRC_PORT: 0, DST_PORT: 2, LENGTH: 4, CHECKSUM: 6 } as const;

export function srcPort(u8: Uint8Array, off: number): number {
  return ((u8[off] as number) << 8) | (u8[off + 1] as number);
}

export function dstPort(u8: Uint8Array, off: number): number {
  return ((u8[off + 2] as number) << 8) | (u8[off + 3] as number);
}

/** Octets of header and payload. */
export function length(u8: Uint8Array, off: number): number {
  return ((u8[off + 4] as number) << 8) | (u8[off + 5] as number);
}

export function checksum(u8: Uint8Array, off: number): number {
  return ((u8[off + 6] as number) << 8) | (u8[off + 7] as number);
}

/** NONE when `len` octets of IP payload hold the header and the length it announces. */
export function check(u8: Uint8Array, off: number, len: number): Drop {
  if (len < HEADER) return Drop.PKT_TOO_SMALL;
  const n = length(u8, off);
  return n < HEADER || n > len ? Drop.PKT_TOO_SMALL : Drop.NONE;
}

/** Writes the header with a zero checksum. */
export function write(u8: Uint8Array, off: number, from: number, to: number, len: number): void {
  u8[off] = from >>> 8;
  u8[off + 1] = from & 255;
  u8[off + 2] = to >>> 8;
  u8[off + 3] = to & 255;
  u8[off + 4] = len >>> 8;
  u8[off + 5] = len & 255;
  u8[off + 6] = 0;
  u8[off + 7] = 0;
}
