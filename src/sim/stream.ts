// Streams keyed by position: the octet at place p of stream k is a function of (k, p) alone, so a
// reader can judge any piece without keeping what was sent.

function word(key: number, index: number): number {
  let x = Math.imul(index ^ key, 0x9e3779b1);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return x ^ (x >>> 13);
}

/** Fewer octets are not worth a view. */
const BULK = 128;
const LITTLE_ENDIAN = new Uint8Array(new Int32Array([1]).buffer)[0] === 1;

/** Octets [at, end) as words; null where memory does not lie so. */
function aligned(u8: Uint8Array, at: number, end: number): Int32Array | null {
  const from = u8.byteOffset + at;
  if (!LITTLE_ENDIAN || (from & 3) !== 0) return null;
  return new Int32Array(u8.buffer, from, (end - at) >>> 2);
}

/** The octet at place `position` of the stream `key`. */
export function octetAt(key: number, position: number): number {
  return (word(key, Math.floor(position / 4) | 0) >>> ((position % 4) * 8)) & 0xff;
}

/** Writes octets [position, position + len) of the stream to `u8[off…]`. */
export function fill(
  key: number,
  position: number,
  u8: Uint8Array,
  off: number,
  len: number,
): void {
  let at = off;
  const end = off + len;
  let p = position;
  while (at < end && p % 4 !== 0) {
    u8[at++] = octetAt(key, p);
    p++;
  }
  let w = Math.floor(p / 4);
  const words = end - at < BULK ? null : aligned(u8, at, end);
  if (words !== null) {
    for (let i = 0; i < words.length; i++, w++) words[i] = word(key, w | 0);
    at += words.length * 4;
  }
  while (at + 4 <= end) {
    const x = word(key, w | 0);
    u8[at] = x & 0xff;
    u8[at + 1] = (x >>> 8) & 0xff;
    u8[at + 2] = (x >>> 16) & 0xff;
    u8[at + 3] = x >>> 24;
    at += 4;
    w++;
  }
  for (p = w * 4; at < end; p++) u8[at++] = octetAt(key, p);
}

/** Place of the first octet that is not the stream's, from `position` on; -1: all are right. */
export function firstWrong(
  key: number,
  position: number,
  u8: Uint8Array,
  off: number,
  len: number,
): number {
  let i = 0;
  while (i < len && (position + i) % 4 !== 0) {
    if (u8[off + i] !== octetAt(key, position + i)) return i;
    i++;
  }
  let w = Math.floor((position + i) / 4);
  const words = len - i < BULK ? null : aligned(u8, off + i, off + len);
  if (words !== null) {
    let n = 0;
    while (n < words.length && words[n] === word(key, w | 0)) {
      n++;
      w++;
    }
    i += n * 4;
  }
  for (; i + 4 <= len; i += 4, w++) {
    const x = word(key, w | 0);
    const at = off + i;
    const got =
      (u8[at] as number) |
      ((u8[at + 1] as number) << 8) |
      ((u8[at + 2] as number) << 16) |
      ((u8[at + 3] as number) << 24);
    if ((got ^ x) !== 0) break;
  }
  for (; i < len; i++) if (u8[off + i] !== octetAt(key, position + i)) return i;
  return -1;
}
