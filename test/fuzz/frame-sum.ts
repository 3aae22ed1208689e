// Checksums of what the fuzzer makes of lists of octets (RFC 1071).

export function onesSum(octets: readonly number[], start: number): number {
  let s = start;
  for (let i = 0; i < octets.length; i += 2) {
    s += ((octets[i] as number) << 8) | (octets[i + 1] ?? 0);
    if (s > 0xffff) s -= 0xffff;
  }
  return s;
}

/** Writes the checksum of all octets to `at`. */
export function finish(octets: number[], at: number, start: number): void {
  octets[at] = 0;
  octets[at + 1] = 0;
  const sum = ~onesSum(octets, start) & 0xffff;
  octets[at] = sum >>> 8;
  octets[at + 1] = sum & 255;
}
