// Which of our IPv6 addresses a packet starts from (RFC 6724 §5). Rules 3, 4 and 7 (deprecated,
// home and temporary addresses) tell nothing apart here: no address of ours is any of these.

import { type Address, isLinkLocal, isLoopback, isMulticast } from '../wire/address.ts';
import type { AddressEntry } from './addresses.ts';

/** RFC 4291 §2.7: scopes, as multicast addresses number them. */
const LINK_LOCAL = 2;
const SITE_LOCAL = 5;
const GLOBAL = 14;

/** The best source for the destination words on a link, null when there is none. */
export function source6(
  entries: readonly AddressEntry[],
  linkId: number,
  dst: Int32Array,
): Address | null {
  let best: AddressEntry | null = null;
  for (const entry of entries) {
    if (entry.address.family !== 6 || !usable(entry, linkId)) continue;
    if (best === null || better(entry, best, linkId, dst)) best = entry;
  }
  return best === null ? null : best.address;
}

/** Loopback's address never leaves it, a link-local one not its link (RFC 4291 §2.5.3, §2.5.6). */
function usable(entry: AddressEntry, linkId: number): boolean {
  if (entry.linkId === linkId) return true;
  const { a, b, c, d } = entry.address;
  return entry.linkId !== 0 && !isLinkLocal(a, b, c, d);
}

function better(x: AddressEntry, y: AddressEntry, linkId: number, dst: Int32Array): boolean {
  const a = dst[0] as number;
  const b = dst[1] as number;
  const c = dst[2] as number;
  const d = dst[3] as number;
  // Rule 1: the same address.
  const sameX = equals(x.address, dst);
  if (sameX !== equals(y.address, dst)) return sameX;
  // Rule 2: the smallest scope that reaches.
  const scopeX = scopeOf(x.address.a, x.address.b, x.address.c, x.address.d);
  const scopeY = scopeOf(y.address.a, y.address.b, y.address.c, y.address.d);
  const scope = scopeOf(a, b, c, d);
  if (scopeX < scopeY) return scopeX >= scope;
  if (scopeY < scopeX) return scopeY < scope;
  // Rule 5: the outgoing interface's.
  if ((x.linkId === linkId) !== (y.linkId === linkId)) return x.linkId === linkId;
  // Rule 6: the same label.
  const label = labelOf(a, b, c, d);
  const labelX = labelOf(x.address.a, x.address.b, x.address.c, x.address.d) === label;
  const labelY = labelOf(y.address.a, y.address.b, y.address.c, y.address.d) === label;
  if (labelX !== labelY) return labelX;
  // An address meant for a host before a prefix owned whole.
  if (x.all !== y.all) return y.all;
  // Rule 8: the longest prefix in common.
  return common(x, dst) > common(y, dst);
}

function equals(x: Address, dst: Int32Array): boolean {
  return x.a === dst[0] && x.b === dst[1] && x.c === dst[2] && x.d === dst[3];
}

export function scopeOf(a: number, b: number, c: number, d: number): number {
  if (isMulticast(a, b, c, d)) return (a >>> 16) & 15;
  if (isLinkLocal(a, b, c, d) || isLoopback(a, b, c, d)) return LINK_LOCAL;
  return a >>> 22 === 0x3fb ? SITE_LOCAL : GLOBAL;
}

/** RFC 6724 §2.1: the default policy table, by longest prefix. */
export function labelOf(a: number, b: number, c: number, d: number): number {
  if ((a | b | c) === 0 && d === 1) return 0;
  if ((a | b) === 0 && c === 0xffff) return 4;
  if ((a | b | c) === 0) return 3;
  const high = a >>> 16;
  if (high === 0x2002) return 2;
  if (a === 0x20010000) return 5;
  if (a >>> 25 === 0x7e) return 13;
  if (a >>> 22 === 0x3fb) return 11;
  return high === 0x3ffe ? 12 : 1;
}

/** Bits in common, at most the length of the source's own prefix (RFC 6724 §2.2). */
function common(entry: AddressEntry, dst: Int32Array): number {
  const { a, b, c, d } = entry.address;
  const own = [a, b, c, d];
  let bits = 0;
  for (let i = 0; i < 4; i++) {
    const same = Math.clz32((own[i] as number) ^ (dst[i] as number));
    bits += same;
    if (same < 32) break;
  }
  return Math.min(bits, entry.length);
}
