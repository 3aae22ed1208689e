// Packets of the sequence fuzzer that come in pieces.

import type { Machine } from './program.ts';

/** Cuts the packet; pieces come in some order, some twice, some not at all, some overlapping. */
export function inFragments(m: Machine, how: number, rxFlags: number): void {
  const p = m.rig.packet;
  const whole = p.u8.slice(0, p.len);
  const header = p.six ? 40 : p.header;
  const body = whole.length - header;
  if (body < 9) {
    m.rig.receive(rxFlags, 0, false);
    return;
  }
  const size = Math.max(8, Math.min(8 * (1 + (how & 3) * 8), (body >> 1) & ~7));
  const count = Math.min(12, Math.ceil(body / size));
  const backwards = (how & 4) !== 0;
  for (let k = 0; k < count; k++) {
    const i = backwards ? count - 1 - k : k;
    const from = i * size;
    const end = i === count - 1 ? body : Math.min(body, from + size + ((how & 8) !== 0 ? 8 : 0));
    if ((how & 16) !== 0 && i === 1) continue;
    fragment(m, whole, from, end, i === count - 1);
    if ((how & 32) !== 0) fragment(m, whole, from, end, i === count - 1);
    if ((how & 64) !== 0 && i === 0) {
      whole[header + 1] = (whole[header + 1] as number) ^ 0xff;
      fragment(m, whole, from, end, false);
    }
  }
}

function fragment(m: Machine, whole: Uint8Array, from: number, end: number, last: boolean): void {
  const p = m.rig.packet;
  if (p.six) {
    p.u8.set(whole.subarray(0, 40));
    p.u8.set(whole.subarray(40 + from, 40 + end), 48);
    p.len = 48 + end - from;
    p.view.setUint16(4, p.len - 40);
    p.u8[40] = whole[6] as number;
    p.u8[6] = 44;
    p.u8[41] = 0;
    p.view.setUint16(42, from | (last ? 0 : 1));
    p.view.setUint32(44, 77);
    m.rig.receive(0, 0, false);
    return;
  }
  const header = ((whole[0] as number) & 15) * 4;
  p.u8.set(whole.subarray(0, header));
  p.u8.set(whole.subarray(header + from, header + end), header);
  p.len = header + end - from;
  p.view.setUint16(2, p.len);
  p.view.setUint16(4, 77);
  p.view.setUint16(6, (last ? 0 : 0x2000) | (from >> 3));
  p.sealIp();
  m.rig.receive(0, 0, false);
}
