// Sequence numbers modulo 2^32, kept as int32 (RFC 9293 §3.4).
// Every store of a sequence number is `| 0`; no comparison is written with < or >.

/** a - b as a signed distance: negative when `a` lies before `b`. */
export function diff(a: number, b: number): number {
  return (a - b) | 0;
}

export function lt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function le(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function gt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function ge(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

export function add(a: number, n: number): number {
  return (a + n) | 0;
}

/** low <= s < low + size, the window test of RFC 9293 §3.4. `size` is in octets. */
export function within(s: number, low: number, size: number): boolean {
  return (s - low) >>> 0 < size >>> 0;
}

export function max(a: number, b: number): number {
  return ((a - b) | 0) > 0 ? a : b;
}

export function min(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
