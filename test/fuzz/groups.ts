// Instructions of the sequence fuzzer about multicast: sockets join and leave, routers ask, other
// hosts report, in IGMP and MLD of every version.

import type { UdpSocket } from '../../src/socket/udp-socket.ts';
import { finish } from './arrivals.ts';
import type { Machine } from './program.ts';
import { PEERS } from './rig.ts';

const GROUPS = ['239.1.1.1', '224.0.0.251', '232.1.1.1', 'ff15::1'] as const;
const WORDS = [0, 0xef010101 | 0, 0xe00000fb | 0, 0xe8010101 | 0] as const;
const SOURCES = ['192.0.2.9', '198.51.100.9', '2001:db8::9', '::1'] as const;
const LINKS = [undefined, 'lo', '192.0.2.1', 'none', 1, 7] as const;
const IGMP = [0x11, 0x11, 0x11, 0x12, 0x16, 0x17, 0x22, 0x99] as const;
const MLD = [130, 130, 131, 132, 143] as const;

export function groupCall(m: Machine, s: UdpSocket): void {
  const { r } = m;
  const g = GROUPS[r.arg(3) & 3] as string;
  const source = SOURCES[r.arg(4) & 3] as string;
  const on = r.arg(5) < 160 ? undefined : LINKS[r.arg(5) % LINKS.length];
  const calls = [
    () => s.groups.join(g, on),
    () => s.groups.leave(g, on),
    () => s.groups.joinSource(g, source, on),
    () => s.groups.leaveSource(g, source, on),
    () => s.groups.blockSource(g, source, on),
    () => s.groups.unblockSource(g, source, on),
    () => s.groups.setInterface(on ?? null),
    () => s.groups.setLoop(r.arg(4) < 128),
    () => s.groups.setAll(r.arg(4) < 128),
    () => s.groups.setTtl(r.arg(4)),
  ];
  m.guard(calls[r.arg(2) % calls.length] as () => void);
}

/** A message of IGMP with a router alert, mostly as it should be. */
export function igmp(m: Machine, more: boolean): void {
  const { r } = m;
  const p = m.rig.packet;
  const group = WORDS[r.arg(2) & 3] as number;
  const alert = r.arg(5) < 230;
  p.ip(2, PEERS[r.arg(0) & 3] as number, r.arg(6) < 128 ? 0xe0000001 | 0 : group, alert ? 4 : 0);
  if (alert) p.view.setUint32(20, 0x94040000);
  p.view.setUint8(8, r.arg(6) === 255 ? 2 : 1);
  const at = p.len;
  p.view.setUint32(at, ((IGMP[r.arg(1) & 7] as number) << 24) | (r.arg(3) << 16));
  p.view.setInt32(at + 4, group);
  p.len = at + 8;
  const sources = r.arg(2) >>> 6;
  if ((r.arg(1) & 8) === 0) {
    p.view.setUint32(p.len, (r.arg(3) << 24) | (r.arg(5) << 16) | sources);
    p.len += 4;
    for (let i = 0; i < sources; i++, p.len += 4) p.view.setUint32(p.len, 0xc0000209 + i);
  }
  finish(m, 0, more);
}

/** The same of MLD. */
export function mld(m: Machine, more: boolean): void {
  const { r } = m;
  const p = m.rig.packet;
  const v = p.view;
  const sources = r.arg(2) >>> 6;
  const n = (r.arg(1) & 8) === 0 ? 28 + 16 * sources : 24;
  p.u8.fill(0, 0, 48 + n);
  v.setUint32(0, 0x60000000);
  v.setUint16(4, 8 + n);
  p.u8[7] = r.arg(6) === 255 ? 64 : 1;
  v.setUint32(8, r.arg(0) < 230 ? 0xfe800000 : 0x20010db8);
  p.u8[23] = 9;
  v.setUint32(24, 0xff020000);
  p.u8[39] = 1;
  p.u8.set(r.arg(5) < 230 ? [58, 0, 5, 2, 0, 0, 1, 0] : [58, 0, 1, 4, 0, 0, 0, 0], 40);
  p.u8[48] = MLD[r.arg(1) % MLD.length] as number;
  v.setUint16(52, r.arg(3) * 300);
  if ((r.arg(2) & 3) !== 0) {
    v.setUint32(56, 0xff150000);
    p.u8[71] = 1;
  }
  if (n > 24) v.setUint32(72, (r.arg(3) << 24) | (r.arg(5) << 16) | sources);
  for (let i = 0; i < sources; i++) v.setUint32(76 + 16 * i, 0x20010db8);
  let sum = n + 58;
  for (let i = 8; i < 40; i += 2) sum += v.getUint16(i);
  for (let i = 48; i < 48 + n; i += 2) sum += v.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  v.setUint16(50, ~sum & 0xffff);
  p.adopt(48 + n);
  m.rig.receive(m.rxFlags, 0, more);
}
