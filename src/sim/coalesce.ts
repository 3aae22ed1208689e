// Receive offload in the way: segments of one connection that arrive together and follow one
// another become one super-segment, as a NIC with GRO (and a TUN with the virtio-net header) hands
// them up. Only what a receiver would find intact is joined.

import { GsoType, RxFlag } from '../base/rx.ts';
import { looksIntact } from '../link/damage.ts';
import { dataAt, get16, get32, type Passing, put16, tcpAt } from './craft.ts';
import { Bit, onesSum, Proto, pseudoSum } from './decode.ts';

const LARGEST = 65_535;
const IP_HEADER = 20;

/** A run of segments that goes on. */
interface Train {
  first: Passing;
  tcp: number;
  data: number;
  size: number;
  next: number;
  len: number;
  pieces: Uint8Array[];
  flags: number;
  /** A shorter segment or a PSH ends the train. */
  closed: boolean;
}

/** The packets in their order, trains of segments joined; `joined` counts what was taken up. */
export function coalesce(list: readonly Passing[], joined: (segments: number) => void): Passing[] {
  const out: Passing[] = [];
  let train: Train | null = null;
  const finish = (): void => {
    if (train === null) return;
    if (train.pieces.length > 1) joined(train.pieces.length);
    out.push(train.pieces.length === 1 ? train.first : together(train));
    train = null;
  };
  for (const p of list) {
    if (train !== null && follows(train, p)) {
      add(train, p);
      continue;
    }
    finish();
    train = begins(p);
    if (train === null) out.push(p);
  }
  finish();
  return out;
}

function begins(p: Passing): Train | null {
  const b = p.octets;
  const tcp = tcpAt(b);
  if (tcp !== IP_HEADER || p.gso !== 0 || get16(b, 2) !== b.length) return null;
  const data = dataAt(b, tcp);
  const flags = b[tcp + 13] as number;
  if (data >= b.length || (flags & ~Bit.PSH) !== Bit.ACK) return null;
  if ((p.flags & RxFlag.NEEDS_CSUM) === 0 && !looksIntact(b)) return null;
  const len = b.length - data;
  const next = (get32(b, tcp + 4) + len) | 0;
  const closed = (flags & Bit.PSH) !== 0;
  return { first: p, tcp, data, size: len, next, len, pieces: [b], flags, closed };
}

function follows(t: Train, p: Passing): boolean {
  if (t.closed) return false;
  const other = begins(p);
  if (other === null || other.data !== t.data || other.len > t.size) return false;
  if (t.data + t.len + other.len > LARGEST) return false;
  const a = t.first.octets;
  const b = p.octets;
  if (get32(b, t.tcp + 4) !== t.next) return false;
  // tos, TTL, addresses, ports, acknowledgment, window and options are the same
  if (a[1] !== b[1] || a[8] !== b[8]) return false;
  for (let i = 12; i < t.tcp + 4; i++) if (a[i] !== b[i]) return false;
  for (let i = t.tcp + 8; i < t.tcp + 13; i++) if (a[i] !== b[i]) return false;
  if (get16(a, t.tcp + 14) !== get16(b, t.tcp + 14)) return false;
  for (let i = t.tcp + 20; i < t.data; i++) if (a[i] !== b[i]) return false;
  return true;
}

function add(t: Train, p: Passing): void {
  const len = p.octets.length - t.data;
  const flags = p.octets[t.tcp + 13] as number;
  t.pieces.push(p.octets);
  t.len += len;
  t.next = (t.next + len) | 0;
  t.flags |= flags;
  if (len < t.size || (flags & Bit.PSH) !== 0) t.closed = true;
}

function together(t: Train): Passing {
  const octets = new Uint8Array(t.data + t.len);
  octets.set(t.first.octets.subarray(0, t.data));
  let at = t.data;
  for (const piece of t.pieces) {
    octets.set(piece.subarray(t.data), at);
    at += piece.length - t.data;
  }
  octets[t.tcp + 13] = t.flags;
  put16(octets, 2, octets.length);
  put16(octets, 10, 0);
  put16(octets, 10, ~onesSum(octets, 0, IP_HEADER, 0));
  put16(octets, t.tcp + 16, pseudoSum(octets, 0, Proto.TCP, octets.length - IP_HEADER));
  return { octets, flags: RxFlag.NEEDS_CSUM, gso: GsoType.TCPV4 | (t.size << 8) };
}
