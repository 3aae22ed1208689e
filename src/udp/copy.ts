// Copying a datagram's octets in and out.
// @hot

/** Up to here a loop is cheaper than `set` with the view that it needs (and allocates nothing). */
const BY_OCTETS = 64;

export function copyOctets(
  to: Uint8Array,
  at: number,
  from: Uint8Array,
  off: number,
  len: number,
): void {
  if (len > BY_OCTETS) {
    const isWhole = off === 0 && len === from.length;
    to.set(isWhole ? from : from.subarray(off, off + len), at);
    return;
  }
  for (let i = 0; i < len; i++) to[at + i] = from[off + i] as number;
}
