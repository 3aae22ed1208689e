// In which order the addresses of a name are worth trying (RFC 6724 §6). Rules 3, 4 and 7
// (deprecated, home and tunnelled addresses) tell nothing apart here.

import { Path, selectPath } from '../../ip/output.ts';
import { labelOf, scopeOf } from '../../ip/source6.ts';
import type { Stack } from '../../stack/stack.ts';
import { type Address, isLinkLocal, isLoopback, V4_MAPPED } from '../../wire/address.ts';

/** RFC 6724 §2.1: precedence by label of the default policy table. */
const PRECEDENCE: Readonly<Record<number, number>> = {
  0: 50,
  1: 40,
  4: 35,
  2: 30,
  5: 5,
  13: 3,
  3: 1,
  11: 1,
  12: 1,
};

interface Candidate {
  readonly address: Address;
  readonly place: number;
  /** There is a way, and a source to use. */
  readonly isUsable: boolean;
  readonly sameScope: boolean;
  readonly sameLabel: boolean;
  readonly precedence: number;
  readonly scope: number;
  /** Bits in common with the source, IPv6 only. */
  readonly common: number;
}

/** The addresses in the order of RFC 6724 §6; equals stay as they were (rule 10). */
export function orderDestinations(stack: Stack, addresses: readonly Address[]): Address[] {
  const path = new Path();
  return addresses
    .map((address, place) => candidate(stack, path, address, place))
    .sort(compare)
    .map((c) => c.address);
}

/** Whether there is a route to `address`, and a source address for it. */
export function isReachable(stack: Stack, address: Address, path: Path = new Path()): boolean {
  path.dst0 = address.a;
  path.dst1 = address.b;
  path.dst2 = address.c;
  path.dst3 = address.d;
  path.anySource = true;
  return selectPath(stack.ip, path) === 0;
}

function candidate(stack: Stack, path: Path, address: Address, place: number): Candidate {
  const { a, b, c, d } = address;
  const isUsable = isReachable(stack, address, path);
  const { src0, src1, src2, src3 } = path;
  const scope = scopeIn(a, b, c, d);
  const label = labelOf(a, b, c, d);
  const source = [src0, src1, src2, src3];
  return {
    address,
    place,
    isUsable,
    sameScope: isUsable && scopeIn(src0, src1, src2, src3) === scope,
    sameLabel: isUsable && labelOf(src0, src1, src2, src3) === label,
    precedence: PRECEDENCE[label] ?? 0,
    scope,
    common: isUsable && address.family === 6 ? bitsInCommon([a, b, c, d], source) : 0,
  };
}

/** RFC 6724 §3.2: 127/8 and 169.254/16 are link-local, other IPv4 addresses global. */
function scopeIn(a: number, b: number, c: number, d: number): number {
  const isShort = isLoopback(a, b, c, d) || isLinkLocal(a, b, c, d);
  if ((a | b) === 0 && c === V4_MAPPED) return isShort ? 2 : 14;
  return scopeOf(a, b, c, d);
}

function bitsInCommon(x: readonly number[], y: readonly number[]): number {
  let bits = 0;
  for (let i = 0; i < 4; i++) {
    const same = Math.clz32((x[i] as number) ^ (y[i] as number));
    bits += same;
    if (same < 32) break;
  }
  return bits;
}

function compare(x: Candidate, y: Candidate): number {
  // Rule 1: one that can be reached.
  if (x.isUsable !== y.isUsable) return x.isUsable ? -1 : 1;
  // Rule 2: whose source has its scope.
  if (x.sameScope !== y.sameScope) return x.sameScope ? -1 : 1;
  // Rule 5: whose source has its label.
  if (x.sameLabel !== y.sameLabel) return x.sameLabel ? -1 : 1;
  // Rule 6: the higher precedence. Rule 8: the smaller scope.
  if (x.precedence !== y.precedence) return y.precedence - x.precedence;
  if (x.scope !== y.scope) return x.scope - y.scope;
  // Rule 9: the longer prefix in common with its source.
  if (x.common !== y.common) return y.common - x.common;
  return x.place - y.place;
}
