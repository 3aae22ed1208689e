// What a bad cable does to octets, and the honest question afterwards: would anybody notice? The
// Internet checksum misses about one random damage in 65,536 and every swap of 16-bit words; such a
// packet is not delivered by the simulator but counted, because no stack could tell.
// The reading here is deliberately not that of wire/ and ip/.

import { below, type Random } from '../base/random.ts';

function foldedSum(u8: Uint8Array, from: number, to: number, initial: number): number {
  let s = initial;
  for (let i = from; i < to; i++) {
    const octet = u8[i] as number;
    s += ((i - from) & 1) === 0 ? octet * 256 : octet;
  }
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}

/** Whether the packet is a fragment: its transport checksum cannot be judged alone. */
export function isFragment(u8: Uint8Array): boolean {
  return u8.length >= 20 && (((u8[6] as number) & 0x3f) !== 0 || u8[7] !== 0);
}

/**
 * Fills in the transport checksum of an IPv4 packet whose field holds only the pseudo-header's sum,
 * so that damage done afterwards can be found.
 */
export function seal(u8: Uint8Array): void {
  const l4 = ((u8[0] as number) & 15) * 4;
  const protocol = u8[9] as number;
  const field = protocol === 6 ? l4 + 16 : protocol === 17 ? l4 + 6 : 0;
  if (field === 0 || field + 2 > u8.length) return;
  let value = ~foldedSum(u8, l4, u8.length, 0) & 0xffff;
  if (value === 0 && protocol === 17) value = 0xffff;
  u8[field] = value >>> 8;
  u8[field + 1] = value & 0xff;
}

/** Whether a receiver has any means to see that this packet is not as it was sent. */
export function looksIntact(u8: Uint8Array): boolean {
  if (u8.length < 20) return false;
  if ((u8[0] as number) >>> 4 === 6) return true; // Not judged here: said to be undetectable.
  if ((u8[0] as number) >>> 4 !== 4) return false;
  const l4 = ((u8[0] as number) & 15) * 4;
  const total = (u8[2] as number) * 256 + (u8[3] as number);
  if (l4 < 20 || l4 > total || total > u8.length) return false;
  if (foldedSum(u8, 0, l4, 0) !== 0xffff) return false;
  const protocol = u8[9] as number;
  if (protocol === 1) return foldedSum(u8, l4, total, 0) === 0xffff;
  if (protocol !== 6 && protocol !== 17) return true;
  if (protocol === 17 && total >= l4 + 8 && u8[l4 + 6] === 0 && u8[l4 + 7] === 0) return true;
  const pseudo = foldedSum(u8, 12, 20, protocol + total - l4);
  return foldedSum(u8, l4, total, pseudo) === 0xffff;
}

/** Inverts one bit: every checksum finds it. */
export function flipBit(u8: Uint8Array, random: Random): void {
  const at = below(random, u8.length);
  u8[at] = (u8[at] as number) ^ (1 << below(random, 8));
}

/**
 * Damage for a fragment, whose transport checksum covers other fragments too. Two flipped bits in
 * two fragments may cancel in the sum; bits that only ever go from 0 to 1 cannot (fewer than 16 of
 * them).
 */
export function raiseBit(u8: Uint8Array, random: Random): void {
  for (let tries = 0; tries < 64; tries++) {
    const at = below(random, u8.length);
    const bit = 1 << below(random, 8);
    if (((u8[at] as number) & bit) !== 0) continue;
    u8[at] = (u8[at] as number) | bit;
    return;
  }
}

/** One of several kinds of damage. Answers the damaged packet, which may be another array. */
export function damage(u8: Uint8Array, random: Random): Uint8Array {
  const kind = below(random, 6);
  if (kind <= 1 || u8.length < 8) {
    flipBit(u8, random);
    return u8;
  }
  if (kind === 2) {
    const n = 1 + below(random, 16);
    const from = below(random, u8.length);
    for (let i = from; i < Math.min(u8.length, from + n); i++) u8[i] = random.next() & 0xff;
    return u8;
  }
  if (kind === 3) {
    // two 16-bit words change places: the sum stays what it was
    const a = below(random, u8.length >> 1) * 2;
    const b = below(random, u8.length >> 1) * 2;
    for (let i = 0; i < 2; i++) {
      const octet = u8[a + i] as number;
      u8[a + i] = u8[b + i] as number;
      u8[b + i] = octet;
    }
    return u8;
  }
  if (kind === 4) return u8.slice(0, below(random, u8.length));
  const from = below(random, u8.length);
  u8.fill(0, from, Math.min(u8.length, from + 1 + below(random, 64)));
  return u8;
}

/**
 * Marks a packet as having met congestion (RFC 3168 §5), its header summed anew; false when its
 * transport has not said that it understands.
 */
export function markCongestion(u8: Uint8Array): boolean {
  if (u8.length < 20 || (u8[0] as number) >>> 4 !== 4 || ((u8[1] as number) & 3) === 0)
    return false;
  u8[1] = (u8[1] as number) | 3;
  u8[10] = 0;
  u8[11] = 0;
  const value = ~foldedSum(u8, 0, ((u8[0] as number) & 15) * 4, 0) & 0xffff;
  u8[10] = value >>> 8;
  u8[11] = value & 0xff;
  return true;
}
