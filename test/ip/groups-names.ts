// Addresses from text and from octets, for the tests of groups.

import { Address, parse } from '../../src/wire/address.ts';

export function at(text: string): Address;
export function at(octets: number[]): string;
export function at(what: string | number[]): Address | string {
  if (typeof what === 'string') {
    const address = parse(what);
    if (address === null) throw new Error(`not an address: ${what}`);
    return address;
  }
  const word = (i: number): number =>
    ((what[i] as number) << 24) |
    ((what[i + 1] as number) << 16) |
    ((what[i + 2] as number) << 8) |
    (what[i + 3] as number);
  return new Address(word(0), word(4), word(8), word(12)).toString();
}
