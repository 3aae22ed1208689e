// IPv6 packets made by code of the test's own, for the bench of fixture.ts.

import { parse } from '../../src/wire/address.ts';
import { Bench, concat, referenceSum } from './fixture.ts';

export const PEER = '2001:db8::9';
export const OWN = '2001:db8::2';

export function octets6(text: string): number[] {
  const address = parse(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  const { a, b, c, d } = address;
  return [a, b, c, d].flatMap((w) => [w >>> 24, (w >>> 16) & 255, (w >>> 8) & 255, w & 255]);
}

export interface Ip6 {
  src?: string;
  dst?: string;
  next?: number;
  hops?: number;
  tc?: number;
  payload?: Uint8Array | number[];
  length?: number;
}

export function ip6(p: Ip6): Uint8Array {
  const payload = Uint8Array.from(p.payload ?? []);
  const length = p.length ?? payload.length;
  const tc = p.tc ?? 0;
  return concat([
    Uint8Array.from([0x60 | (tc >>> 4), (tc & 15) << 4, 0, 0, length >>> 8, length & 255]),
    Uint8Array.from([p.next ?? 17, p.hops ?? 64]),
    Uint8Array.from([...octets6(p.src ?? PEER), ...octets6(p.dst ?? OWN)]),
    payload,
  ]);
}

/** Sum of the pseudo-header and the segment, complemented. */
export function sum6(src: string, dst: string, next: number, segment: Uint8Array): number {
  const n = segment.length;
  const pseudo = [...octets6(src), ...octets6(dst), 0, n >>> 16, (n >>> 8) & 255, n & 255];
  return referenceSum(concat([Uint8Array.from([...pseudo, 0, 0, 0, next]), segment]));
}

export function icmp6Message(
  p: Ip6,
  type: number,
  code: number,
  rest: number[],
  data: Uint8Array,
): Uint8Array {
  const bytes = concat([Uint8Array.from([type, code, 0, 0, ...rest]), data]);
  const check = sum6(p.src ?? PEER, p.dst ?? OWN, 58, bytes);
  bytes[2] = check >>> 8;
  bytes[3] = check & 255;
  return bytes;
}

export function udp6(p: Ip6, ports: [number, number], data: Uint8Array): Uint8Array {
  const len = 8 + data.length;
  const head = [
    ports[0] >>> 8,
    ports[0] & 255,
    ports[1] >>> 8,
    ports[1] & 255,
    len >>> 8,
    len & 255,
  ];
  const bytes = concat([Uint8Array.from([...head, 0, 0]), data]);
  const check = sum6(p.src ?? PEER, p.dst ?? OWN, 17, bytes) || 0xffff;
  bytes[6] = check >>> 8;
  bytes[7] = check & 255;
  return bytes;
}

/** One fragment; `offset` in octets. */
export function part6(p: Ip6, offset: number, more: boolean, id: number, data: Uint8Array) {
  const word = offset | (more ? 1 : 0);
  const head = [p.next ?? 17, 0, word >>> 8, word & 255];
  const ident = [id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255];
  return ip6({ ...p, next: 44, payload: concat([Uint8Array.from([...head, ...ident]), data]) });
}

/** Cuts a payload into fragments of at most `size` octets. */
export function cut6(p: Ip6, payload: Uint8Array, size: number, id = 0x12345678): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const more = at + size < payload.length;
    out.push(part6(p, at, more, id, payload.subarray(at, at + size)));
  }
  return out;
}

/** A bench that owns OWN. */
export function bench6(): Bench {
  const b = new Bench();
  b.address(`${OWN}/64`);
  return b;
}
