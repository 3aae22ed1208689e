// Instructions of the sequence fuzzer that bring IPv6 packets of no transport's: extension headers in
// front of the next packet, base headers alone.

import { LENGTHS } from './arrivals.ts';
import { mld } from './groups.ts';
import type { Machine } from './program.ts';

/** The next IPv6 packet has another extension header. */
export function extension(m: Machine): void {
  const { r } = m;
  const { chain } = m.rig.packet;
  if (chain.length >= 10) return;
  const kind = [0, 60, 60, 43, 44, 59, 60, r.arg(1)][r.arg(0) & 7] as number;
  const octets = new Uint8Array(kind === 44 ? 8 : 8 * (1 + (r.arg(1) & 7)));
  octets[1] = kind === 44 ? 0 : (octets.length >> 3) - 1;
  if (r.arg(6) > 240) octets[1] = r.arg(6) - 240;
  for (let i = 2; i < octets.length; i++) octets[i] = r.arg(2 + ((i - 2) & 3));
  // mostly options that are well formed: PadN, or one of a kind with its action bits
  if (kind !== 44 && kind !== 43 && r.arg(6) < 160) {
    octets.fill(0, 2);
    octets[2] = r.arg(6) < 40 ? 1 : r.arg(2);
    octets[3] = octets.length - 4;
  }
  if (kind === 44 && r.arg(6) < 128) octets.fill(0, 2, 4);
  if (kind === 43 && r.arg(6) < 128) octets[3] = r.arg(6) & 1;
  chain.push({ kind, octets });
}

/** An IPv6 packet: the base header is read, and no more. */
export function version6(m: Machine, more: boolean): void {
  const { r } = m;
  if ((r.arg(4) & 0x60) === 0x60) return mld(m, more);
  const p = m.rig.packet;
  p.u8.fill(0, 0, 40);
  p.u8[0] = 0x60;
  p.adopt(40);
  const n = LENGTHS[r.arg(4) & 7] as number;
  p.view.setUint16(4, n + (r.arg(5) < 240 ? 0 : r.arg(5) - 248));
  p.u8[6] = [6, 17, 58, 0, 44][r.arg(0) % 5] as number;
  p.u8[7] = 64;
  for (const at of [8, 24]) {
    p.view.setUint32(
      at,
      [0x20010db8, 0xfe800000, 0xff020000, 0][(r.arg(1) >> (at >> 2)) & 3] as number,
    );
    if (r.arg(2) === 7) p.view.setUint32(at + 8, 0xffff);
    p.u8[at + 15] = at === 24 ? 1 : r.arg(3);
  }
  p.len = 40;
  p.payload(n, 1);
  m.rig.receive(m.rxFlags, 0, more);
}
