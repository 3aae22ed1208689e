// What the sequence fuzzer knows of IPv6 packets that come out: lengths and checksums are judged here,
// and the transport is shown to the IPv4 decoder behind an IPv4 header.

import { decode, onesSum, pseudoSum, type Wire } from '../../src/sim/decode.ts';

const FIELD: Readonly<Record<number, number>> = { 6: 16, 17: 6, 58: 2 };

export function wordsOf(address: Uint8Array): readonly number[] {
  const v = new DataView(address.buffer, address.byteOffset, 16);
  return [v.getInt32(0), v.getInt32(4), v.getInt32(8), v.getInt32(12)];
}

/** What is wrong with it, the same TCP or UDP over IPv4, or null: nothing to look at. */
export function asIpv4(b: Uint8Array, len: number): Uint8Array | string | null {
  const v = new DataView(b.buffer, b.byteOffset, len);
  if (len < 40 || v.getUint16(4) !== len - 40) return `IPv6 length of ${len}`;
  if (v.getUint8(7) === 0) return 'hop limit 0';
  const protocol = v.getUint8(6);
  const field = FIELD[protocol];
  if (field === undefined) return null;
  if (len < 40 + field + 2) return `IPv6 packet of ${len} octets`;
  let sum = protocol + len - 40;
  for (let i = 8; i < 40; i += 2) sum += v.getUint16(i);
  if (onesSum(b, 40, len, sum) % 0xffff !== 0) return `IPv6 checksum of protocol ${protocol}`;
  if (protocol === 58) return null;
  const out = new Uint8Array(len - 20);
  const o = new DataView(out.buffer);
  out.set(b.subarray(40, len), 20);
  o.setUint8(0, 0x45);
  o.setUint16(2, out.length);
  o.setUint16(6, 0x4000);
  o.setUint8(8, v.getUint8(7));
  o.setUint8(9, protocol);
  o.setInt32(12, v.getInt32(20));
  o.setInt32(16, v.getInt32(36));
  o.setUint16(10, ~onesSum(out, 0, 20, 0) & 0xffff);
  o.setUint16(20 + field, 0);
  const own = ~onesSum(out, 20, out.length, pseudoSum(out, 0, protocol, out.length - 20)) & 0xffff;
  o.setUint16(20 + field, own === 0 && protocol === 17 ? 0xffff : own);
  return out;
}

export function read(octets: Uint8Array, w: Wire): string {
  return decode(octets, 0, octets.length, w, false);
}
