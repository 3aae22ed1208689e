// One IP layer with a device that remembers what it sends, a UDP layer on it, and packets made by
// code of the test's own: the stack's builders and sums are not asked for the answer.
import { expect } from 'vitest';
import { Counters } from '../../src/base/counters.ts';
import { Drop, dropName } from '../../src/base/drop.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type Rx, RxFlag } from '../../src/base/rx.ts';
import { Slab } from '../../src/base/slab.ts';
import { type Tx, TxFlag } from '../../src/base/tx.ts';
import { addAddress, addRoute } from '../../src/ip/configure.ts';
import * as icmp from '../../src/ip/icmp.ts';
import * as icmp6 from '../../src/ip/icmp6.ts';
import * as igmp from '../../src/ip/igmp.ts';
import { input4 } from '../../src/ip/input4.ts';
import { input6 } from '../../src/ip/input6.ts';
import { flushLinks, type IpConfig, IpLayer, Verdict } from '../../src/ip/ip.ts';
import * as ipTimers from '../../src/ip/timers.ts';
import type { Link } from '../../src/link/link.ts';
import { Loopback } from '../../src/link/loopback.ts';
import * as udpDrain from '../../src/udp/drain.ts';
import * as udpInput from '../../src/udp/input.ts';
import { type UdpConfig, UdpLayer } from '../../src/udp/udp.ts';
import { type Prefix, parsePrefix } from '../../src/wire/address.ts';
import { sum } from '../../src/wire/checksum.ts';
import { IP_CONFIG, UDP_CONFIG } from './knobs.ts';

export { IP_CONFIG, UDP_CONFIG } from './knobs.ts';

export interface Sent {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly pieces: number;
}

/** A device: keeps what is sent, with partial checksums completed as a real one would. */
export class Device implements Link {
  readonly name = 'dev0';
  mtu = 1500;
  readonly caps = 1;
  readonly loopback = false;
  readonly sent: Sent[] = [];
  readonly slab: Slab;
  full = false;
  flushes = 0;

  constructor(slab: Slab) {
    this.slab = slab;
  }

  transmit(tx: Tx): boolean {
    if (this.full) return false;
    const parts = [this.slab.u8.slice(tx.headerOff, tx.headerOff + tx.headerLen)];
    for (let i = 0; i < tx.pieces; i++) {
      const from = tx.pieceBuf[i] ?? this.slab.u8;
      const off = tx.pieceOff[i] as number;
      parts.push(from.slice(off, off + (tx.pieceLen[i] as number)));
    }
    const bytes = concat(parts);
    if ((tx.flags & TxFlag.NEEDS_CSUM) !== 0) complete(bytes, tx.l4, tx.csumOffset);
    this.sent.push({ bytes, flags: tx.flags, pieces: tx.pieces });
    return true;
  }

  flush(): void {
    this.flushes++;
  }

  /** Takes what was sent so far. */
  take(): Uint8Array[] {
    return this.sent.splice(0).map((s) => s.bytes);
  }
}

function complete(bytes: Uint8Array, l4: number, offset: number): void {
  const value = referenceSum(bytes.subarray(l4));
  const field = value === 0 && offset === 6 ? 0xffff : value;
  bytes[l4 + offset] = field >>> 8;
  bytes[l4 + offset + 1] = field & 255;
}

export function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** RFC 1071 as its text says it: the complement of the ones'-complement sum. */
export function referenceSum(u8: Uint8Array, start = 0): number {
  let s = start;
  for (let i = 0; i < u8.length; i += 2) {
    s += ((u8[i] as number) << 8) | (u8[i + 1] ?? 0);
    if (s > 0xffff) s -= 0xffff;
  }
  return ~s & 0xffff;
}

/** Equality of long runs without vitest's element-wise walk. */
export function expectSame(got: Uint8Array, want: Uint8Array): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < got.length; i++) {
    if (got[i] !== want[i]) expect(`octet ${i}: ${got[i]}`).toBe(`octet ${i}: ${want[i]}`);
  }
}

export function quad(text: string): number[] {
  return text.split('.').map(Number);
}

export interface Ip4 {
  src?: string;
  dst?: string;
  proto?: number;
  ttl?: number;
  tos?: number;
  id?: number;
  /** Flags and offset word. */
  frag?: number;
  options?: number[];
  payload?: Uint8Array | number[];
  totalLength?: number;
  version?: number;
  ihl?: number;
}

/** An IPv4 packet with a right header checksum. */
export function ip4(p: Ip4): Uint8Array {
  const options = p.options ?? [];
  const payload = Uint8Array.from(p.payload ?? []);
  const header = 20 + options.length;
  const total = p.totalLength ?? header + payload.length;
  const id = p.id ?? 0;
  const frag = p.frag ?? 0;
  const bytes = Uint8Array.from([
    ((p.version ?? 4) << 4) | (p.ihl ?? header >>> 2),
    p.tos ?? 0,
    total >>> 8,
    total & 255,
    id >>> 8,
    id & 255,
    frag >>> 8,
    frag & 255,
    p.ttl ?? 64,
    p.proto ?? 17,
    0,
    0,
    ...quad(p.src ?? '10.0.0.1'),
    ...quad(p.dst ?? '10.0.0.2'),
    ...options,
  ]);
  const check = referenceSum(bytes);
  bytes[10] = check >>> 8;
  bytes[11] = check & 255;
  return concat([bytes, payload]);
}

/** A UDP segment with a right checksum for these addresses. */
export function udp(
  src: string,
  dst: string,
  ports: [number, number],
  data: Uint8Array,
): Uint8Array {
  const len = 8 + data.length;
  const head = Uint8Array.from([
    ports[0] >>> 8,
    ports[0] & 255,
    ports[1] >>> 8,
    ports[1] & 255,
    len >>> 8,
    len & 255,
    0,
    0,
  ]);
  const pseudo = Uint8Array.from([...quad(src), ...quad(dst), 0, 17, len >>> 8, len & 255]);
  const check = referenceSum(concat([pseudo, head, data])) || 0xffff;
  head[6] = check >>> 8;
  head[7] = check & 255;
  return concat([head, data]);
}

export function udpPacket(
  data: Uint8Array,
  ports: [number, number] = [4000, 7],
  p: Ip4 = {},
): Uint8Array {
  const src = p.src ?? '10.0.0.1';
  const dst = p.dst ?? '10.0.0.2';
  return ip4({ ...p, proto: 17, payload: udp(src, dst, ports, data) });
}

/** An ICMP message with a right checksum. */
export function icmpMessage(
  type: number,
  code: number,
  rest: number[],
  data: Uint8Array,
): Uint8Array {
  const bytes = concat([Uint8Array.from([type, code, 0, 0, ...rest]), data]);
  const check = referenceSum(bytes);
  bytes[2] = check >>> 8;
  bytes[3] = check & 255;
  return bytes;
}

export function pattern(n: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >>> 8) * 7 + seed) & 255);
}

/** Cuts a packet as a router would, payload octets of each part being a multiple of eight. */
export function cut(packet: Uint8Array, size: number, id = 0x1234): Uint8Array[] {
  const payload = packet.subarray(20);
  const out: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const part = payload.subarray(at, at + size);
    const more = at + size < payload.length ? 0x2000 : 0;
    out.push(
      ip4({
        src: [...packet.subarray(12, 16)].join('.'),
        dst: [...packet.subarray(16, 20)].join('.'),
        proto: packet[9] as number,
        id,
        frag: more | (at >>> 3),
        payload: part,
      }),
    );
  }
  return out;
}

const RX_OCTETS = 1 << 18;

/** The layers, put together as stack/stack.ts does. */
export class Bench {
  readonly slab = new Slab(5 << 18, true);
  readonly counters = new Counters();
  readonly device: Device;
  readonly loopback: Loopback;
  readonly ip: IpLayer;
  readonly udp: UdpLayer;
  readonly rxBase: number;
  rxAt = 0;
  drops: string[] = [];
  work = 0;

  constructor(config: Partial<IpConfig> & Partial<UdpConfig> = {}, seed = 1) {
    const random = new SeededRandom(seed);
    const slab = this.slab;
    this.ip = new IpLayer(slab, { ...IP_CONFIG, ...config }, random, this.counters, (off, len, i) =>
      sum(slab.u8, off, len, i),
    );
    this.ip.nowUs = 1_000_000;
    this.loopback = new Loopback(slab, 1 << 18, 64);
    this.device = new Device(slab);
    this.ip.links.push(this.loopback, this.device);
    this.rxBase = slab.reserve(RX_OCTETS);
    this.address('10.0.0.2/24');
    addRoute(this.ip, { prefix: prefix('0.0.0.0/0'), linkId: 1 });
    this.udp = new UdpLayer(this.ip, { ...UDP_CONFIG, ...config }, random);
    this.udp.onWork = () => {
      this.work++;
    };
    this.ip.onDrop = (reason) => this.drops.push(dropName(reason));
  }

  address(text: string, all = false): number {
    return addAddress(this.ip, 1, prefix(text), all);
  }

  /** Puts octets where a device would; the offset. */
  place(bytes: Uint8Array): number {
    if (this.rxAt + bytes.length > RX_OCTETS) this.rxAt = 0;
    const off = this.rxBase + this.rxAt;
    this.slab.u8.set(bytes, off);
    this.rxAt += (bytes.length + 63) & ~63;
    return off;
  }

  /** input4 alone. */
  arrive(bytes: Uint8Array, flags = 0, gsoSize = 0): Verdict {
    return input4(this.ip, this.#load(bytes, flags, gsoSize));
  }

  /** input6 alone. */
  arrive6(bytes: Uint8Array, flags = 0): Verdict {
    return input6(this.ip, this.#load(bytes, flags, 0));
  }

  #load(bytes: Uint8Array, flags: number, gsoSize: number): Rx {
    const rx = this.ip.rx;
    rx.linkId = 1;
    rx.off = this.place(bytes);
    rx.len = bytes.length;
    rx.flags = flags;
    rx.gsoSize = gsoSize;
    return rx;
  }

  /** The whole walk of a packet; the version decides the family. */
  feed(bytes: Uint8Array, flags = 0, gsoSize = 0): void {
    const six = (bytes[0] ?? 0) >>> 4 === 6;
    const verdict = six ? this.arrive6(bytes, flags) : this.arrive(bytes, flags, gsoSize);
    if (verdict === Verdict.DELIVER) this.walk();
  }

  walk(): void {
    const rx = this.ip.rx;
    const six = rx.family === 6;
    if (rx.protocol === 17) udpInput.input(this.udp, rx);
    else if (rx.protocol === 2 && !six) igmp.input(this.ip, rx);
    else if (rx.protocol === (six ? 58 : 1)) {
      const verdict = six ? icmp6.input6(this.ip, rx) : icmp.input(this.ip, rx);
      if (verdict === Verdict.ERROR && this.ip.icmpError.protocol === 17) {
        udpInput.error(this.udp);
      }
    } else if (six) icmp6.protocolUnreachable6(this.ip, rx);
    else icmp.protocolUnreachable(this.ip, rx);
  }

  /** Delivers, receives what looped back, flushes, until nothing is left. */
  drain(): void {
    for (let round = 0; round < 64; round++) {
      const more = udpDrain.drainReady(this.udp);
      let looped = false;
      while (this.loopback.shift()) {
        looped = true;
        const rx = this.ip.rx;
        rx.linkId = this.loopback.link;
        rx.off = this.loopback.off;
        rx.len = this.loopback.len;
        rx.flags = this.loopback.flags;
        rx.gsoSize = this.loopback.gso >>> 8;
        const six = (rx.u8[rx.off] as number) >>> 4 === 6;
        const verdict = six ? input6(this.ip, rx) : input4(this.ip, rx);
        if (verdict === Verdict.DELIVER) this.walk();
      }
      this.loopback.release();
      if (!more && !looped && this.udp.ready.size === 0) break;
    }
    flushLinks(this.ip);
  }

  /** One round of UDP's delivery; whether something is left. */
  drainOnce(): boolean {
    return udpDrain.drainReady(this.udp);
  }

  udpDeadline(): number {
    return udpDrain.nextDeadline(this.udp);
  }

  advance(us: number): void {
    this.ip.nowUs += us;
    ipTimers.advance(this.ip);
    udpDrain.advance(this.udp);
  }

  sent(): Uint8Array[] {
    flushLinks(this.ip);
    return this.device.take();
  }

  /** Names of the reasons since the last call. */
  reasons(): string[] {
    return this.drops.splice(0);
  }
}

export function prefix(text: string): Prefix {
  const p = parsePrefix(text);
  if (p === null) throw new Error(`not a prefix: ${text}`);
  return p;
}

export { Drop, RxFlag };
