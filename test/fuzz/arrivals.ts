// Instructions of the sequence fuzzer that bring packets: segments right and slightly wrong,
// handshakes, acknowledgments with SACK, ICMP, UDP, fragments, packets with wounds.

import { extension, version6 } from './arrivals6.ts';
import { inFragments } from './fragments.ts';
import { frame } from './frames.ts';
import { igmp } from './groups.ts';
import { sixOf } from './packets.ts';
import type { Machine } from './program.ts';
import { type Flow, LOCAL_WORD, PEERS } from './rig.ts';

const SYN = 2;
const ACK = 16;
/** The stack's ports that packets go to. */
const PORTS = [80, 81, 53, 7, 9] as const;
/** Distances from the right number; the first four are none. */
const OFFSETS = [
  0,
  0,
  0,
  0,
  1,
  -1,
  2,
  -2,
  100,
  -100,
  1000,
  -1000,
  1460,
  -1460,
  536,
  3000,
  8000,
  -8000,
  65_535,
  -65_535,
  100_000,
  1 << 20,
  -(1 << 20),
  1 << 30,
  -(1 << 30),
  0x7fffffff,
  -0x80000000,
  10_000,
  500,
  -500,
  12,
  5000,
] as const;
export const LENGTHS = [
  0, 0, 0, 1, 2, 10, 100, 536, 1000, 1448, 1460, 3000, 8, 20, 500, 9000,
] as const;
const WINDOWS = [65_535, 65_535, 65_535, 0, 1, 100, 1000, 2000, 8000, 32_768] as const;
const MSS = [1460, 1000, 536, 100, 48, 8, 1, 0, 9000, 65_535] as const;

function offset(selector: number): number {
  return OFFSETS[selector & 31] as number;
}

export function packetInstruction(m: Machine, op: number): void {
  const more = (op & 0x80) !== 0;
  switch (op & 15) {
    case 0:
    case 1:
      return segment(m, more);
    case 2:
      return syn(m, more);
    case 3:
    case 4:
      return proceed(m, more);
    case 5:
      return acknowledge(m, more);
    case 6:
      return icmpAbout(m, more);
    case 7:
      return icmp(m, more);
    case 8:
      return udp(m, more);
    case 9:
      m.fragmenting = 1 + m.r.arg(0);
      return;
    case 10:
      if (m.patches.length < 16) m.patches.push(m.r.arg(0), m.r.arg(1), m.r.arg(2), m.r.arg(3));
      return;
    case 11:
      m.rxFlags = m.r.arg(0) & 0x33;
      m.gso = (m.r.arg(1) % 6) | (m.r.word(2) << 8);
      return;
    case 12:
      return ipOptions(m, more);
    case 13:
      return openEasily(m);
    case 14:
      return version6(m, more);
    default:
      return (op & 0x60) === 0x40 ? frame(m, more) : reflect(m, more);
  }
}

function flowOf(m: Machine, selector: number): Flow | null {
  const { flows } = m.rig;
  for (let i = 0; i < flows.length; i++) {
    const f = flows[(selector + i) & 7] as Flow;
    if (f.used) return f;
  }
  return null;
}

/** The header of a segment of the flow; options and payload follow. */
function begin(m: Machine, f: Flow, flags: number, seq: number, ack: number, window: number): void {
  const p = m.rig.packet;
  p.wantSix = f.six;
  p.from6 = f.words;
  p.ip(6, f.peer, LOCAL_WORD);
  p.from6 = null;
  p.tcp((f.remote << 16) | f.local, seq, ack, flags, window);
}

function timestamps(m: Machine, f: Flow, selector: number): void {
  const p = m.rig.packet;
  const now = Math.floor(m.rig.now / 1000) | 0;
  const shift = selector === 0 ? 0 : ([0, -1000, 100_000, -0x7fffffff][selector & 3] as number);
  p.option(1, 1);
  p.option(1, 1);
  p.option(8, 10, (now + shift) | 0, (f.ts - (selector >> 2)) | 0);
}

/** Everything about a segment is the program's to say. */
function segment(m: Machine, more: boolean): void {
  const { r } = m;
  const f = flowOf(m, r.arg(0));
  if (f === null) return;
  const flags = r.arg(1);
  const seq = (f.seq + offset(r.arg(2))) | 0;
  const ack = (f.ack + offset(r.arg(3))) | 0;
  const window = WINDOWS[r.arg(6) % WINDOWS.length] as number;
  begin(m, f, flags, seq, ack, window);
  const options = r.arg(5);
  if (f.hasTs !== ((options & 0x80) !== 0)) timestamps(m, f, options & 7);
  if ((options & 8) !== 0) sack(m, f, options >> 4);
  if ((options & 0x20) !== 0) m.rig.packet.option(r.arg(6), 1 + (options & 15), seq, ack);
  finish(m, LENGTHS[r.arg(4) & 15] as number, more);
}

/** The segment that the stack waits for, with so much text and perhaps FIN. */
function proceed(m: Machine, more: boolean): void {
  const { r } = m;
  const f = flowOf(m, r.arg(0));
  if (f === null) return;
  const flags = ACK | ((r.arg(1) & 0xf0) === 0xf0 ? 1 : 0) | (r.arg(1) & 8);
  begin(m, f, flags | (r.arg(2) & 0xc0), f.seq, f.ack, r.arg(3) < 32 ? 0 : 65_535);
  if (f.hasTs) timestamps(m, f, 0);
  const p = m.rig.packet;
  // marked by a router on the way
  if (r.arg(5) < 40) p.u8[1] = (p.u8[1] as number) | (p.six ? 0x30 : 3);
  finish(m, LENGTHS[r.arg(4) & 15] as number, more);
}

/** Every other segment of the flight has arrived: as many acknowledgments as that takes. */
export function scatter(m: Machine): void {
  const { r } = m;
  const f = flowOf(m, r.arg(0));
  if (f === null) return;
  const step = [48, 100, 536, 1000][r.arg(1) & 3] as number;
  for (let k = 0; k < 40; k++) {
    begin(m, f, ACK, f.seq, f.una, 65_535);
    if (f.hasTs) timestamps(m, f, 0);
    const p = m.rig.packet;
    const place = (r.arg(2) & 1) !== 0 ? 39 - k : k;
    const from = (f.una + step * (1 + 4 * place)) | 0;
    p.option(1, 1);
    p.option(1, 1);
    p.option(5, 10, from, (from + step) | 0);
    finish(m, 0, (r.arg(3) & 1) !== 0);
  }
}

/** An acknowledgment somewhere in the flight, with SACK blocks behind it. */
function acknowledge(m: Machine, more: boolean): void {
  const { r } = m;
  const f = flowOf(m, r.arg(0));
  if (f === null) return;
  const flight = (f.ack - f.una) | 0;
  const ack = (f.una + Math.floor((Math.max(0, flight) * r.arg(1)) / 255)) | 0;
  if ((r.arg(5) & 1) !== 0) f.una = ack;
  begin(m, f, ACK | (r.arg(5) & 0x40), f.seq, ack, WINDOWS[r.arg(6) % WINDOWS.length] as number);
  if (f.hasTs) timestamps(m, f, (r.arg(5) >> 3) & 4);
  const blocks = r.arg(2) & 3;
  const p = m.rig.packet;
  if (blocks > 0) {
    p.option(1, 1);
    p.option(1, 1);
    const l4 = p.header;
    const at = p.len;
    let from = (ack + (r.arg(3) - 16) * 100) | 0;
    p.option(5, 2);
    for (let i = 0; i < blocks && at + 10 + 8 * i - l4 <= 60; i++) {
      const to = (from + 1 + r.arg(4) * 60) | 0;
      p.view.setInt32(p.len, from);
      p.view.setInt32(p.len + 4, to);
      p.len += 8;
      from = (to + (r.arg(4) & 15) * 500) | 0;
    }
    p.u8[at + 1] = p.len - at;
  }
  finish(m, 0, more);
}

function sack(m: Machine, f: Flow, selector: number): void {
  const from = (f.ack + offset(selector * 3)) | 0;
  m.rig.packet.option(5, 10, from, (from + offset(selector + 8)) | 0);
}

/** A SYN from a new port, to a port that may listen. */
function syn(m: Machine, more: boolean): void {
  const { r } = m;
  const p = m.rig.packet;
  const peer = PEERS[r.arg(0) & 3] as number;
  p.ip(6, peer, LOCAL_WORD);
  const ports = ((1024 + r.arg(1)) << 16) | (PORTS[(r.arg(0) >> 2) % 5] as number);
  const bits = r.arg(3);
  const seq = r.arg(2) < 128 ? 0x7fff_ff00 : -0x100;
  const odd = r.arg(6) & 0xe1;
  p.tcp(ports, seq, 0, SYN | ((bits & 1) !== 0 ? odd : 0), 65_535);
  const which = r.arg(4);
  if ((bits & 2) === 0) p.option(2, 4, (MSS[which % MSS.length] as number) << 16);
  if ((bits & 4) === 0) p.option(4, 2);
  if ((bits & 8) === 0) p.option(8, 10, Math.floor(m.rig.now / 1000) | 0, 0);
  if ((bits & 16) === 0) p.option(3, 3, (which & 15) << 24);
  if ((bits & 32) !== 0) fastOpen(m, peer, r.arg(5));
  if ((bits & 64) !== 0) p.option(r.arg(5), 2 + (which & 3), -1, -1);
  finish(m, (bits & 128) !== 0 ? (LENGTHS[r.arg(5) & 15] as number) : 0, more);
}

/** A cookie of Fast Open: asked for, right, or wrong. */
function fastOpen(m: Machine, peer: number, selector: number): void {
  const p = m.rig.packet;
  if (selector < 64) {
    p.option(34, 2);
    return;
  }
  const server = m.rig.stack.tcp.fastOpen;
  const [a, b, c, d] = p.six ? sixOf(peer) : [0, 0, 0xffff, peer];
  server.make(a, b, c, d);
  const view = new DataView(server.own.buffer);
  const wrong = selector < 200 ? 0 : 1;
  p.option(34, 10, view.getInt32(0) ^ wrong, view.getInt32(4));
}

/** A handshake from end to end. */
function openEasily(m: Machine): void {
  syn(m, false);
  m.r.at -= 1;
  const newest = m.rig.flows.filter((f) => f.used).at(-1);
  m.r.at += 1;
  if (newest === undefined) return;
  begin(m, newest, ACK, newest.seq, newest.ack, 65_535);
  if (newest.hasTs) timestamps(m, newest, 0);
  finish(m, 0, false);
}

/** An ICMP error that quotes one of the last packets. */
function icmpAbout(m: Machine, more: boolean): void {
  const { r } = m;
  const { packet: p } = m.rig;
  const version = p.wantSix ? 6 : 4;
  const out = m.rig.out.filter((b) => (b[0] as number) >> 4 === version);
  const quoted = out[out.length - 1 - ((r.arg(0) & 7) % Math.max(1, out.length))];
  if (quoted === undefined) return;
  p.ip(1, PEERS[r.arg(0) >> 6] as number, LOCAL_WORD);
  const l4 = p.len;
  p.len += 8;
  const types = p.six ? [1, 1, 2, 2, 3, 4, 1, r.arg(6)] : [3, 3, 3, 4, 5, 11, 12, r.arg(6)];
  p.view.setUint8(l4, types[r.arg(1) & 7] as number);
  p.view.setUint8(l4 + 1, r.arg(2) & 15);
  p.view.setUint32(l4 + 4, r.arg(4) < 200 ? r.word(3) & 0xfff : r.arg(3) << 24);
  const len = r.arg(5) < 128 ? quoted.length : Math.min(quoted.length, r.arg(5) - 128);
  p.u8.set(quoted.subarray(0, len), p.len);
  if (r.arg(6) < 64 && len >= 48) p.view.setInt32(p.len + (p.six ? 44 : 24), offset(r.arg(6)));
  p.len += len;
  finish(m, 0, more);
}

function icmp(m: Machine, more: boolean): void {
  const { r } = m;
  if ((r.arg(4) & 0x60) === 0x60 && !m.rig.packet.wantSix) return igmp(m, more);
  const p = m.rig.packet;
  const to = [LOCAL_WORD, 0xc00002ff | 0, -1, 0xe0000001 | 0][r.arg(5) & 3] as number;
  p.ip(1, PEERS[r.arg(0) & 3] as number, r.arg(5) < 128 ? LOCAL_WORD : to);
  const echo = p.six ? 128 : 8;
  const other = p.six ? 0x80 | (r.arg(1) & 31) : r.arg(1) & 31;
  p.view.setUint32(p.len, (r.arg(1) < 128 ? echo : other) << 24);
  p.view.setUint32(p.len + 4, r.word(2));
  p.len += 8;
  finish(m, LENGTHS[r.arg(4) & 15] as number, more);
}

function udp(m: Machine, more: boolean): void {
  const { r } = m;
  const p = m.rig.packet;
  const to = [LOCAL_WORD, 0xc00002ff | 0, -1, 0xe0000001 | 0, 0xc0000205 | 0];
  p.ip(17, PEERS[r.arg(0) & 3] as number, to[r.arg(5) < 128 ? 0 : r.arg(5) % 5] as number);
  const own = m.udps[r.arg(1) & 3];
  const port = own === undefined || r.arg(1) > 200 ? r.word(1) : own.port;
  const n = LENGTHS[r.arg(4) & 15] as number;
  p.view.setUint16(p.len, r.arg(3) < 128 ? 5000 + (r.arg(3) & 3) : r.arg(3));
  p.view.setUint16(p.len + 2, port);
  p.view.setUint16(p.len + 4, n + 8 + (r.arg(6) < 240 ? 0 : r.arg(6) - 248));
  p.len += 8;
  finish(m, n, more, r.arg(6) === 255);
}

/** The next packet that comes has IP options; this one carries them too. */
function ipOptions(m: Machine, more: boolean): void {
  const { r } = m;
  const p = m.rig.packet;
  if (p.wantSix) return extension(m);
  const protocol = [6, 17, 1, 2, 47][r.arg(0) % 5] as number;
  p.ip(protocol, PEERS[(r.arg(0) >> 4) & 3] as number, LOCAL_WORD, 4 * (r.arg(1) & 3) + 4);
  for (let i = 20; i < p.len; i++) p.u8[i] = r.arg(2 + ((i - 20) % 5));
  finish(m, 8 + (r.arg(1) >> 2), more);
}

/** One of the stack's own packets comes back, as it was or turned round. */
function reflect(m: Machine, more: boolean): void {
  const { r } = m;
  const { out, packet: p } = m.rig;
  const b = out[out.length - 1 - (r.arg(0) & 7)];
  if (b === undefined) return;
  p.u8.set(b);
  p.adopt(b.length);
  const v = p.view;
  if (r.arg(1) < 200 && p.six) {
    p.u8.copyWithin(48, 8, 24);
    p.u8.copyWithin(8, 24, 40);
    p.u8.copyWithin(24, 48, 64);
    p.u8.set(b.subarray(48, 64), 48);
    const ports = v.getInt32(40);
    v.setInt32(40, (ports << 16) | (ports >>> 16));
  } else if (r.arg(1) < 200) {
    const src = v.getInt32(12);
    v.setInt32(12, v.getInt32(16));
    v.setInt32(16, src);
    const l4 = p.header;
    const ports = v.getInt32(l4);
    v.setInt32(l4, (ports << 16) | (ports >>> 16));
  }
  finish(m, 0, more, false);
}

/** Text, checksums, wounds, fragments: and in. */
export function finish(m: Machine, payload: number, more: boolean, noSum = false): void {
  const p = m.rig.packet;
  const l4 = p.header;
  if (p.protocol === 6 && p.len >= l4 + 20 && p.len - l4 <= 60 && p.u8[l4 + 12] === 0x50) {
    p.endOptions(l4);
  }
  p.payload(payload, m.rig.now & 63);
  if (p.len > 65_535) p.len = 65_535;
  p.seal();
  if (noSum && p.protocol === 17) p.view.setUint16(l4 + 6, 0);
  wound(m);
  const how = m.fragmenting;
  const { rxFlags, gso } = m;
  m.fragmenting = 0;
  m.rxFlags = 0;
  m.gso = 0;
  if (how === 0) m.rig.receive(rxFlags, gso, more);
  else inFragments(m, how - 1, rxFlags);
}

/** Patches: where, what, and whether checksums are put right afterwards. */
function wound(m: Machine): void {
  const p = m.rig.packet;
  const { patches } = m;
  for (let i = 0; i + 3 < patches.length; i += 4) {
    const [where, value, kind, by] = patches.slice(i, i + 4) as [number, number, number, number];
    if ((kind & 7) === 6) p.len = Math.min(p.len, where + (by & 1) * 256);
    else if ((kind & 7) === 7) p.len += by;
    else if (where < p.len) {
      const was = p.u8[where] as number;
      p.u8[where] = (kind & 1) === 0 ? value : was + (by & 1 ? 1 : -1);
    }
    if ((kind & 0x10) === 0) {
      if (p.len >= 20) p.sealIp();
      if ((kind & 0x20) === 0) p.sealTransport();
    }
  }
  m.patches = [];
}
