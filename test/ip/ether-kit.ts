// A stack on an Ethernet whose wire the test holds in its hands: frames made by code of the test's
// own, and what the stack answered. Time is a number.

import { dropName } from '../../src/base/drop.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import { TxFlag } from '../../src/base/tx.ts';
import type { IpConfig } from '../../src/ip/ip.ts';
import type { Neighbor } from '../../src/ip/neighbor.ts';
import type { Link } from '../../src/link/link.ts';
import { Stack } from '../../src/stack/stack.ts';
import { parse } from '../../src/wire/address.ts';
import { Mac } from '../../src/wire/ethernet.ts';
import { concat, quad, referenceSum } from './fixture.ts';
import { type Ip6, icmp6Message, ip6, octets6 } from './fixture6.ts';

export const OWN_MAC = '02:00:00:00:00:01';
export const PEER_MAC = '02:00:00:00:00:02';
export const OTHER_MAC = '02:00:00:00:00:03';
export const EVERYBODY = 'ff:ff:ff:ff:ff:ff';
export const OWN4 = '10.0.0.1';
export const PEER4 = '10.0.0.2';
export const OWN6 = 'fe80::1';
export const PEER6 = 'fe80::2';

export function macOctets(text: string): number[] {
  return text.split(':').map((h) => Number.parseInt(h, 16));
}

export function frame(dst: string, src: string, type: number, body: Uint8Array | number[]) {
  const head = [...macOctets(dst), ...macOctets(src), type >>> 8, type & 255];
  return concat([Uint8Array.from(head), Uint8Array.from(body)]);
}

export interface ArpWish {
  op?: number;
  mac?: string;
  sender?: string;
  targetMac?: string;
  target?: string;
  dst?: string;
  src?: string;
}

/** An ARP message from the peer; by default it asks everybody for us. */
export function arp(w: ArpWish = {}): Uint8Array {
  const mac = w.mac ?? PEER_MAC;
  const body = [
    ...[0, 1, 8, 0, 6, 4, 0, w.op ?? 1],
    ...macOctets(mac),
    ...quad(w.sender ?? PEER4),
    ...macOctets(w.targetMac ?? '00:00:00:00:00:00'),
    ...quad(w.target ?? OWN4),
  ];
  return frame(w.dst ?? EVERYBODY, w.src ?? mac, 0x0806, body);
}

export interface NdWish extends Ip6 {
  type: number;
  target?: string;
  /** Octet behind the checksum. */
  flags?: number;
  code?: number;
  options?: number[];
  dstMac?: string;
  mac?: string;
  /** Octets of the message that are left. */
  cut?: number;
}

/** A neighbour solicitation (135) or advertisement (136) from the peer. */
export function nd(w: NdWish): Uint8Array {
  const p = { src: PEER6, dst: OWN6, hops: 255, next: 58, ...w };
  const data = [...octets6(w.target ?? OWN6), ...(w.options ?? [])];
  const all = concat([Uint8Array.from([w.flags ?? 0, 0, 0, 0]), Uint8Array.from(data)]);
  const kept = all.subarray(0, w.cut ?? all.length);
  const message = icmp6Message(p, w.type, w.code ?? 0, [], kept);
  return frame(w.dstMac ?? OWN_MAC, w.mac ?? PEER_MAC, 0x86dd, ip6({ ...p, payload: message }));
}

export function macOption(kind: number, mac = PEER_MAC): number[] {
  return [kind, 1, ...macOctets(mac)];
}

class Wire implements Link {
  readonly name = 'eth0';
  mtu = 1500;
  readonly caps: number = 1;
  readonly loopback = false;
  readonly mac = new Mac(0x02000000, 0x0001);
  readonly sent: Uint8Array[] = [];
  slab: Slab | null = null;

  transmit(tx: Tx): boolean {
    const u8 = (this.slab as Slab).u8;
    const parts = [u8.slice(tx.headerOff - tx.lead, tx.headerOff + tx.headerLen)];
    for (let i = 0; i < tx.pieces; i++) {
      const off = tx.pieceOff[i] as number;
      parts.push((tx.pieceBuf[i] ?? u8).slice(off, off + (tx.pieceLen[i] as number)));
    }
    const octets = concat(parts);
    if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0) {
      const at = tx.lead + tx.l4;
      const sum = referenceSum(octets.subarray(at));
      octets[at + tx.csumOffset] = sum >>> 8;
      octets[at + tx.csumOffset + 1] = sum & 255;
    }
    this.sent.push(octets);
    return true;
  }

  flush(): void {}
}

export class EtherBench {
  readonly wire = new Wire();
  readonly stack: Stack;
  readonly drops: string[] = [];
  readonly rxBase: number;
  nowUs = 1_000_000;

  constructor(config: Partial<IpConfig> = {}) {
    const slab = new Slab(4 << 20, true);
    this.wire.slab = slab;
    this.rxBase = slab.reserve(65_536);
    this.stack = new Stack({
      slab,
      random: new SeededRandom(1),
      nowUs: this.nowUs,
      config: { ip: { dadTransmits: 0, ...config }, stack: { loopbackOctets: 1 << 20 } },
    });
    this.stack.addLink(this.wire);
    this.stack.ip.onDrop = (reason) => this.drops.push(dropName(reason));
  }

  /** With both addresses, and nothing of their announcement on the wire. */
  static ready(config: Partial<IpConfig> = {}): EtherBench {
    const b = new EtherBench(config);
    b.stack.addAddress(1, OWN4, 24);
    b.stack.addAddress(1, OWN6, 64);
    b.after(3);
    b.take();
    return b;
  }

  /** Frames arrive; what the stack sends in answer. */
  feed(...frames: Uint8Array[]): string[] {
    for (const octets of frames) {
      this.stack.slab.u8.set(octets, this.rxBase);
      this.stack.receive(1, this.rxBase, octets.length);
      this.stack.drain();
    }
    return this.take();
  }

  /** Seconds pass, in steps of a tenth. */
  after(seconds: number): string[] {
    for (let i = 0; i < seconds * 10; i++) {
      this.nowUs += 100_000;
      this.stack.advance(this.nowUs);
      this.stack.drain();
    }
    return this.take();
  }

  take(): string[] {
    this.stack.drain();
    return this.wire.sent.splice(0).map(say);
  }

  reasons(): string[] {
    return this.drops.splice(0);
  }

  /** A datagram of `octets` to an address; the socket stays open. */
  send(to: string, octets = 4): string[] {
    const s = this.stack.udp({
      handler: { datagram: () => {}, error: () => {}, writable: () => {} },
    });
    s.send(new Uint8Array(octets), 0, octets, parse(to) ?? undefined, 7);
    return this.take();
  }

  neighbor(address: string): Neighbor | null {
    const at = parse(address);
    if (at === null) return null;
    return this.stack.ip.ethers[1]?.neighbors.find(at.a, at.b, at.c, at.d) ?? null;
  }

  /** State and link-layer address, as `ip neigh` says them. */
  known(address: string): string {
    const row = this.stack.neighbors().find((r) => r.address === address);
    return row === undefined ? 'none' : `${row.state} ${row.mac}`.trim();
  }
}

function hex(u8: Uint8Array): string {
  return [...u8].map((x) => x.toString(16).padStart(2, '0')).join(':');
}

function text6(u8: Uint8Array): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((u8[i] as number) << 8) | (u8[i + 1] as number)).toString(16));
  }
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::');
}

/** A frame in a few words: who to whom, and what. */
export function say(f: Uint8Array): string {
  const dst = hex(f.subarray(0, 6));
  const type = ((f[12] as number) << 8) | (f[13] as number);
  const b = f.subarray(14);
  if (type === 0x0806) {
    const ip = (at: number): string => b.subarray(at, at + 4).join('.');
    const what =
      b[7] === 1 ? `who has ${ip(24)} tell ${ip(14)}` : `${ip(14)} is at ${hex(b.subarray(8, 14))}`;
    return `arp > ${dst}: ${what}`;
  }
  if (type === 0x0800) {
    const ip = (at: number): string => b.subarray(at, at + 4).join('.');
    return `ip > ${dst}: ${ip(12)} > ${ip(16)} ${b[9]}`;
  }
  if (type !== 0x86dd) return `${type.toString(16)} > ${dst}`;
  const head = `ip6 > ${dst}: ${text6(b.subarray(8, 24))} > ${text6(b.subarray(24, 40))}`;
  if (b[6] !== 58) return `${head} ${b[6]}`;
  const m = b.subarray(40);
  const options = m.length > 24 ? ` ${m[24]}=${hex(m.subarray(26, 32))}` : '';
  if (m[0] === 135) return `${head} ns ${text6(m.subarray(8, 24))}${options}`;
  if (m[0] === 136) return `${head} na ${m[4]} ${text6(m.subarray(8, 24))}${options}`;
  return `${head} icmp6 ${m[0]}`;
}
