// The names under which addresses are asked for their names: RFC 1035 §3.5, RFC 3596 §2.5.

import type { Address } from '../../wire/address.ts';

export function reverseName(address: Address): string {
  if (address.family === 4) {
    const d = address.d;
    return `${d & 255}.${(d >>> 8) & 255}.${(d >>> 16) & 255}.${d >>> 24}.in-addr.arpa`;
  }
  const nibbles: string[] = [];
  for (const word of [address.d, address.c, address.b, address.a]) {
    for (let shift = 0; shift < 32; shift += 4) nibbles.push(((word >>> shift) & 15).toString(16));
  }
  return `${nibbles.join('.')}.ip6.arpa`;
}
