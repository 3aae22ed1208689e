// A router with two devices that remember what is sent: `in`, 10.0.1.1/24 and 2001:db8:1::1/64, and
// `out`, 203.0.113.1/24 and 2001:db8:2::1/64. Its caps are those of a link that does everything.

import { dropName } from '../../src/base/drop.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import { type Tx, TxFlag } from '../../src/base/tx.ts';
import type { NatOptions } from '../../src/forward/nat-rules.ts';
import type { Link } from '../../src/link/link.ts';
import { LinkCap } from '../../src/link/link.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { Stack } from '../../src/stack/stack.ts';
import { concat, ip4, pattern, quad, referenceSum, udpPacket } from '../ip/fixture.ts';

export const ALL = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
export const IN = 1;
export const OUT = 2;
const RX_OCTETS = 1 << 20;

export interface Sent {
  readonly bytes: Uint8Array;
  readonly gsoType: number;
  readonly gsoSize: number;
  /** The transport checksum is left to the device. */
  readonly partial: boolean;
}

export class Port implements Link {
  readonly name: string;
  mtu = 1500;
  readonly caps: number;
  readonly loopback = false;
  readonly sent: Sent[] = [];
  readonly #slab: Slab;
  flushes = 0;

  constructor(name: string, slab: Slab, caps = ALL) {
    this.name = name;
    this.#slab = slab;
    this.caps = caps;
  }

  transmit(tx: Tx): boolean {
    const parts = [this.#slab.u8.slice(tx.headerOff, tx.headerOff + tx.headerLen)];
    for (let i = 0; i < tx.pieces; i++) {
      const from = tx.pieceBuf[i] ?? this.#slab.u8;
      const off = tx.pieceOff[i] as number;
      parts.push(from.slice(off, off + (tx.pieceLen[i] as number)));
    }
    const partial = (tx.flags & TxFlag.NEEDS_CSUM) !== 0;
    this.sent.push({ bytes: concat(parts), gsoType: tx.gsoType, gsoSize: tx.gsoSize, partial });
    return true;
  }

  flush(): void {
    this.flushes++;
  }

  take(): Uint8Array[] {
    return this.sent.splice(0).map((s) => s.bytes);
  }
}

export class Rig {
  readonly slab = new Slab(6 << 20, true);
  readonly stack: Stack;
  readonly in: Port;
  readonly out: Port;
  readonly rxBase: number;
  #at = 0;
  nowUs = 1_000_000;

  constructor(config: ConfigOverrides = {}, caps = ALL) {
    this.rxBase = this.slab.reserve(RX_OCTETS);
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(7),
      nowUs: this.nowUs,
      config: { ...config, forward: { forwarding: true, ...config.forward } },
    });
    this.in = new Port('in', this.slab, caps);
    this.out = new Port('out', this.slab, caps);
    this.stack.addLink(this.in);
    this.stack.addLink(this.out);
    const { stack } = this;
    stack.addAddress(IN, '10.0.1.1', 24);
    stack.addAddress(IN, '2001:db8:1::1', 64);
    stack.addAddress(OUT, '203.0.113.1', 24);
    stack.addAddress(OUT, '2001:db8:2::1', 64);
    stack.addRoute('10.0.1.0', 24, { link: IN });
    stack.addRoute('203.0.113.0', 24, { link: OUT });
    stack.addRoute('198.51.100.0', 24, { link: OUT, gateway: '203.0.113.254' });
    stack.addRoute('2001:db8:1::', 64, { link: IN });
    stack.addRoute('2001:db8:2::', 64, { link: OUT });
  }

  /** One packet by a link, and the turn that it makes. */
  put(link: number, packet: Uint8Array, flags = 0, gso = 0): void {
    if (this.#at + packet.length > RX_OCTETS) this.#at = 0;
    const off = this.rxBase + this.#at;
    this.slab.u8.set(packet, off);
    this.stack.receive(link, off, packet.length, flags, gso);
    this.stack.drain();
    this.slab.u8.fill(0xdb, off, off + packet.length);
    this.#at += (packet.length + 63) & ~63;
  }

  /** What came of a packet from inside: packets sent out, and back in. */
  fromIn(packet: Uint8Array, flags = 0, gso = 0): { out: Uint8Array[]; back: Uint8Array[] } {
    this.put(IN, packet, flags, gso);
    return { out: this.out.take(), back: this.in.take() };
  }

  fromOut(packet: Uint8Array, flags = 0, gso = 0): { in: Uint8Array[]; back: Uint8Array[] } {
    this.put(OUT, packet, flags, gso);
    return { in: this.in.take(), back: this.out.take() };
  }

  wait(us: number): void {
    this.nowUs += us;
    this.stack.advance(this.nowUs);
    this.stack.drain();
  }

  /** Drop reasons with their counts. */
  get drops(): Record<string, number> {
    const found: Record<string, number> = {};
    this.stack.counters.drops.forEach((n, reason) => {
      if (n > 0) found[dropName(reason)] = n;
    });
    return found;
  }
}

export function one<T>(list: readonly T[]): T {
  if (list.length !== 1) throw new Error(`${list.length} packets instead of one`);
  return list[0] as T;
}

export const word = (u8: Uint8Array, at: number): number =>
  ((u8[at] as number) << 8) | (u8[at + 1] as number);
export const srcOf = (p: Uint8Array): string => p.subarray(12, 16).join('.');
export const dstOf = (p: Uint8Array): string => p.subarray(16, 20).join('.');

/** Whether header and transport checksum of an IPv4 packet are right (RFC 1071, RFC 793, RFC 768). */
export function isSound(p: Uint8Array): boolean {
  const header = ((p[0] as number) & 15) * 4;
  if (referenceSum(p.subarray(0, header)) !== 0) return false;
  const l4 = p.subarray(header);
  if (p[9] === 1) return referenceSum(l4) === 0;
  if (p[9] === 17 && word(l4, 6) === 0) return true;
  const pseudo = [...p.subarray(12, 20), 0, p[9] as number, l4.length >>> 8, l4.length & 255];
  return referenceSum(concat([Uint8Array.from(pseudo), l4])) === 0;
}

/** A TCP segment with a right checksum. */
export function tcp(
  src: string,
  dst: string,
  ports: [number, number],
  o: { flags?: number; seq?: number; ack?: number; data?: Uint8Array } = {},
): Uint8Array {
  const data = o.data ?? new Uint8Array(0);
  const bytes = new Uint8Array(20 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint32(4, o.seq ?? 1000);
  view.setUint32(8, o.ack ?? 0);
  view.setUint16(12, 0x5000 | (o.flags ?? 0x02));
  view.setUint16(14, 65_535);
  bytes.set(data, 20);
  const pseudo = [...quad(src), ...quad(dst), 0, 6, bytes.length >>> 8, bytes.length & 255];
  view.setUint16(16, referenceSum(concat([Uint8Array.from(pseudo), bytes])));
  return bytes;
}

/** A rig that masquerades on its outer link. */
export function natted(options: NatOptions = {}, config: ConfigOverrides = {}): Rig {
  const rig = new Rig(config);
  rig.stack.routing.setNat({ masquerade: [OUT], ...options });
  return rig;
}

export type Ports = [number, number];

export function udpOf(src: string, dst: string, ports: Ports, size = 30): Uint8Array {
  return udpPacket(pattern(size), ports, { src, dst });
}

export function tcpOf(src: string, dst: string, ports: Ports, flags: number): Uint8Array {
  return ip4({ src, dst, proto: 6, payload: tcp(src, dst, ports, { flags, ack: 1 }) });
}
