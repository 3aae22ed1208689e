// What the simulated network reads of a packet to carry it, count it and hash it. IPv4 and IPv6
// without options or extension headers before TCP and UDP; of others only the addresses.

import { format, V4_MAPPED } from '../../wire/address.ts';

export const TcpBit = { FIN: 1, SYN: 2, RST: 4, ACK: 16 } as const;

const TCP = 6;
const UDP = 17;

export class Parsed {
  source = '';
  target = '';
  protocol = 0;
  sourcePort = 0;
  targetPort = 0;
  seq = 0;
  ack = 0;
  flags = 0;
  /** Octets of payload. */
  length = 0;
  /** More than one host is meant. */
  many = false;
}

/** Reads `octets` into `p`; false: no packet that this knows. */
export function parsePacket(octets: Uint8Array, p: Parsed): boolean {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const version = octets.length < 20 ? 0 : view.getUint8(0) >> 4;
  p.sourcePort = 0;
  p.targetPort = 0;
  p.flags = 0;
  p.length = 0;
  if (version === 4) return parse4(view, p);
  return version === 6 && octets.length >= 40 ? parse6(octets, view, p) : false;
}

function parse4(view: DataView, p: Parsed): boolean {
  p.source = format(0, 0, V4_MAPPED, view.getInt32(12));
  p.target = format(0, 0, V4_MAPPED, view.getInt32(16));
  const first = view.getUint8(16);
  p.many = first >= 224;
  p.protocol = view.getUint8(9);
  const isFragment = (view.getUint16(6) & 0x3fff) !== 0;
  if (!isFragment) transport(view, (view.getUint8(0) & 15) * 4, p);
  return true;
}

function parse6(octets: Uint8Array, view: DataView, p: Parsed): boolean {
  p.source = address6(view, 8);
  p.target = address6(view, 24);
  p.many = octets[24] === 0xff;
  p.protocol = view.getUint8(6);
  transport(view, 40, p);
  return true;
}

function address6(view: DataView, at: number): string {
  const word = (n: number): number => view.getInt32(at + n * 4);
  return format(word(0), word(1), word(2), word(3));
}

function transport(view: DataView, at: number, p: Parsed): void {
  const left = view.byteLength - at;
  if (p.protocol === UDP && left >= 8) {
    p.sourcePort = view.getUint16(at);
    p.targetPort = view.getUint16(at + 2);
    p.length = left - 8;
  } else if (p.protocol === TCP && left >= 20) {
    p.sourcePort = view.getUint16(at);
    p.targetPort = view.getUint16(at + 2);
    p.seq = view.getInt32(at + 4);
    p.ack = view.getInt32(at + 8);
    p.flags = view.getUint8(at + 13);
    p.length = Math.max(0, left - (view.getUint8(at + 12) >> 4) * 4);
  }
}

export function isTcp(p: Parsed): boolean {
  return p.protocol === TCP;
}
