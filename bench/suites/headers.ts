// Reading the eleven header fields that TCP needs: accessors over the slab against an object for
// each packet.

import * as ipv4 from '../../src/wire/ipv4.ts';
import * as tcp from '../../src/wire/tcp.ts';
import { kept, type Suite } from '../suite.ts';

const PACKETS = 256;
const STRIDE = 1536;
const LEN = 1500;

function slab(): Uint8Array {
  const u8 = new Uint8Array(PACKETS * STRIDE);
  const view = new DataView(u8.buffer);
  for (let i = 0; i < PACKETS; i++) {
    const off = i * STRIDE;
    view.setInt32(off, 0x45000000 | LEN);
    view.setInt32(off + 8, 0x40060000);
    view.setInt32(off + 12, 0xc6120001 | 0);
    view.setInt32(off + 16, 0xc6120002 | 0);
    view.setInt32(off + 20, (40_000 << 16) | 80);
    view.setInt32(off + 24, Math.imul(i, 1448));
    view.setInt32(off + 28, 7);
    view.setInt32(off + 32, 0x80100400 | 0);
  }
  return u8;
}

/** Everything in a field of its own, as a parser for people would have it. */
class Parsed {
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  readonly ttl: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
  constructor(packet: Uint8Array) {
    const header = ((packet[0] as number) & 15) * 4;
    const segment = packet.subarray(header);
    const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
    const offset = (view.getUint8(12) >> 4) * 4;
    this.src = packet.subarray(12, 16).join('.');
    this.dst = packet.subarray(16, 20).join('.');
    this.protocol = packet[9] as number;
    this.ttl = packet[8] as number;
    this.srcPort = view.getUint16(0);
    this.dstPort = view.getUint16(2);
    this.seq = view.getUint32(4);
    this.ack = view.getUint32(8);
    this.flags = view.getUint8(13);
    this.window = view.getUint16(14);
    this.options = segment.subarray(20, offset);
    this.payload = segment.subarray(offset);
  }
}

function accessors(): () => void {
  const u8 = slab();
  const view = new DataView(u8.buffer);
  return () => {
    let s = 0;
    for (let i = 0; i < PACKETS; i++) {
      const off = i * STRIDE;
      const l4 = off + ipv4.headerLen(u8, off);
      s += ipv4.src(u8, off) + ipv4.dst(u8, off) + ipv4.protocol(u8, off) + ipv4.ttl(u8, off);
      s += tcp.srcPort(view, l4) + tcp.dstPort(view, l4) + tcp.seq(view, l4) + tcp.ack(view, l4);
      s += tcp.flags(view, l4) + tcp.window(view, l4) + tcp.headerLen(view, l4);
    }
    kept[0] = s;
  };
}

function accessorsChecked(): () => void {
  const u8 = slab();
  const view = new DataView(u8.buffer);
  return () => {
    let s = 0;
    for (let i = 0; i < PACKETS; i++) {
      const off = i * STRIDE;
      s += ipv4.check(u8, off, LEN) + ipv4.headerSum(u8, off, 20);
      s += tcp.check(view, off + 20, LEN - 20) ? 1 : 0;
    }
    kept[0] = s;
  };
}

function objects(): () => void {
  const u8 = slab();
  return () => {
    let s = 0;
    for (let i = 0; i < PACKETS; i++) {
      const p = new Parsed(u8.subarray(i * STRIDE, i * STRIDE + LEN));
      s += p.seq + p.ack + p.flags + p.window + p.src.length + p.payload.length;
    }
    kept[0] = s;
  };
}

export const headers: Suite = {
  name: 'headers',
  question: 'what do the eleven fields of an IPv4 and a TCP header cost?',
  cases: [
    { name: 'accessors over the slab', ops: PACKETS, prepare: accessors },
    {
      name: 'the checks before them: lengths, header sum',
      ops: PACKETS,
      prepare: accessorsChecked,
    },
    { name: 'a parsed object with subarrays', ops: PACKETS, prepare: objects, rejected: true },
  ],
};
