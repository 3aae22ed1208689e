// Transmit descriptors for tests of links: a slab with a header in it and payload in pieces.

import { GsoType } from '../../src/base/rx.ts';
import { Slab } from '../../src/base/slab.ts';
import { Tx, TxFlag } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { pseudoSum } from '../../src/sim/decode.ts';
import { tcp4, udp4 } from '../kit/packet.ts';

export const FROM = '10.0.0.1';
export const TO = '10.0.0.2';

/** A link that keeps what it is given, as octets. */
export class Sink implements Link {
  readonly name = 'sink';
  readonly loopback = false;
  mtu = 1500;
  readonly caps: number;
  readonly packets: { octets: Uint8Array; flags: number; gsoSize: number; pieces: number }[] = [];
  flushes = 0;
  /** Packets that are taken before the ring is full. */
  room = Infinity;
  readonly #slab: Slab;
  constructor(slab: Slab, caps = 0) {
    this.#slab = slab;
    this.caps = caps;
  }
  transmit(tx: Tx): boolean {
    if (this.packets.length >= this.room) return false;
    const octets = new Uint8Array(packetLen(tx));
    copyPacket(tx, this.#slab.u8, octets, 0);
    this.packets.push({ octets, flags: tx.flags, gsoSize: tx.gsoSize, pieces: tx.pieces });
    return true;
  }
  flush(): void {
    this.flushes++;
  }
}

export interface Shape {
  protocol?: 'tcp' | 'udp';
  flags?: number;
  seq?: number;
  id?: number;
  /** Octets of payload copied behind the header. */
  copied?: number;
  /** Octets of each piece; a negative number lies in the slab. */
  pieces?: readonly number[];
  gsoSize?: number;
  options?: Uint8Array;
}

export function payloadOf(len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => (i * 31 + (i >> 8) * 7 + 1) & 0xff);
}

/** A slab and a Tx as the IP layer would fill them: pseudo-header's sum in the checksum field. */
export function txOf(shape: Shape): { slab: Slab; tx: Tx; payload: Uint8Array } {
  const slab = new Slab(1 << 21, true);
  const at = slab.reserve(1 << 18) + 64;
  const pieces = shape.pieces ?? [];
  const copied = shape.copied ?? 0;
  const total = copied + pieces.reduce((n, p) => n + Math.abs(p), 0);
  const payload = payloadOf(total);
  const isUdp = shape.protocol === 'udp';
  const ip = { src: FROM, dst: TO, df: true, id: shape.id ?? 0x1234 };
  const whole = isUdp
    ? udp4(ip, 4000, 53, payload)
    : tcp4(ip, {
        srcPort: 4000,
        dstPort: 80,
        seq: shape.seq ?? 1000,
        ack: 77,
        flags: shape.flags ?? 0x10,
        options: shape.options ?? new Uint8Array(0),
        payload,
      });
  const csumOffset = isUdp ? 6 : 16;
  const pseudo = pseudoSum(whole, 0, isUdp ? 17 : 6, whole.length - 20);
  new DataView(whole.buffer).setUint16(20 + csumOffset, pseudo);
  const header = whole.length - total;
  slab.u8.set(whole.subarray(0, header + copied), at);
  const tx = new Tx();
  tx.reset();
  tx.headerOff = at;
  tx.headerLen = header + copied;
  tx.l4 = 20;
  tx.csumOffset = csumOffset;
  tx.protocol = isUdp ? 17 : 6;
  tx.flags = TxFlag.NEEDS_CSUM | TxFlag.DF;
  if (shape.gsoSize !== undefined) {
    tx.gsoSize = shape.gsoSize;
    tx.gsoType = isUdp ? GsoType.UDP_L4 : GsoType.TCPV4;
  }
  gather(tx, slab, payload.subarray(copied), pieces);
  return { slab, tx, payload };
}

function gather(tx: Tx, slab: Slab, payload: Uint8Array, pieces: readonly number[]): void {
  let from = 0;
  let slabAt = 1 << 17;
  for (const size of pieces) {
    const len = Math.abs(size);
    const part = payload.subarray(from, from + len);
    if (size < 0) {
      slab.u8.set(part, slabAt);
      tx.gather(null, slabAt, len);
      slabAt += len;
    } else {
      const buffer = new Uint8Array(len + 5);
      buffer.set(part, 5);
      tx.gather(buffer, 5, len);
    }
    from += len;
  }
}
