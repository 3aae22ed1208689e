// Inputs for Stack.receive: random octets, sound packets, sound packets with wounds (with and without
// their checksums put right again), lattices of lengths, options of every kind and length.

import { below, type Random } from '../../src/base/random.ts';
import { seal } from '../../src/link/damage.ts';
import { onesSum, pseudoSum } from '../../src/sim/decode.ts';
import { icmp4, ipv4, type TcpFields, tcp4, udp4 } from '../kit/packet.ts';

export const STACK = '192.0.2.1';
export const PEER = '198.51.100.9';
const IP = { src: PEER, dst: STACK, df: true };

/** What the generator knows of a connection that stands. */
export interface Known {
  remotePort: number;
  localPort: number;
  /** The peer's next number, and what it has received of the stack. */
  seq: number;
  ack: number;
}

export interface Input {
  octets: Uint8Array;
  flags: number;
  gso: number;
}

const LENGTHS = [0, 1, 2, 3, 4, 7, 8, 19, 20, 21, 24, 40, 59, 60, 61, 255, 576, 1500, 65_535];

export class Generator {
  readonly #random: Random;
  readonly connections: Known[];

  constructor(random: Random, connections: Known[]) {
    this.#random = random;
    this.connections = connections;
  }

  next(): Input {
    const kind = below(this.#random, 16);
    let octets: Uint8Array;
    if (kind === 0) octets = this.#noise(below(this.#random, 200));
    else if (kind === 1) octets = this.#noiseBehindHeader();
    else if (kind <= 5) octets = this.#sound();
    else if (kind <= 9) octets = this.#wounded(this.#sound());
    else if (kind <= 12) octets = this.#resealed(this.#wounded(this.#sound()));
    else if (kind === 13) octets = this.#lattice();
    else if (kind === 14) octets = this.#options();
    else octets = this.#fragment();
    return { octets, flags: this.#flags(), gso: this.#gso() };
  }

  /** RxFlag bits: mostly none, as from a plain TUN. */
  #flags(): number {
    const r = below(this.#random, 10);
    if (r < 6) return 0;
    if (r < 8) return 2;
    if (r === 8) return 1;
    return this.#random.next() & 0x33;
  }

  #gso(): number {
    if (below(this.#random, 20) !== 0) return 0;
    return below(this.#random, 7) | (below(this.#random, 3000) << 8);
  }

  #noise(len: number): Uint8Array {
    const b = new Uint8Array(len);
    for (let i = 0; i < len; i++) b[i] = this.#random.next();
    return b;
  }

  #noiseBehindHeader(): Uint8Array {
    const protocol = [1, 6, 17, below(this.#random, 256)][below(this.#random, 4)] as number;
    return ipv4({ ...IP, protocol }, this.#noise(below(this.#random, 120)));
  }

  #sound(): Uint8Array {
    const kind = below(this.#random, 10);
    if (kind < 5) return this.#segment();
    if (kind < 7) return udp4(IP, this.#port(), this.#port(), this.#noise(below(this.#random, 64)));
    if (kind === 7)
      return icmp4(IP, 8, 0, this.#random.next(), this.#noise(below(this.#random, 64)));
    return this.#icmpError();
  }

  #port(): number {
    const ports = [80, 53, 7, 0, 65_535, below(this.#random, 65_536)];
    return ports[below(this.#random, ports.length)] as number;
  }

  #segment(): Uint8Array {
    const known = this.connections[below(this.#random, this.connections.length + 1)];
    const payload = this.#noise(below(this.#random, 3) === 0 ? below(this.#random, 300) : 0);
    const flags = below(this.#random, 2) === 0 ? 0x10 : this.#random.next() & 0xff;
    const fields: TcpFields = {
      srcPort: known?.remotePort ?? this.#port(),
      dstPort: known?.localPort ?? 80,
      seq: ((known?.seq ?? 0) + this.#offset()) | 0,
      ack: ((known?.ack ?? 0) + this.#offset()) | 0,
      flags,
      window: this.#random.next() & 0xffff,
      urgent: below(this.#random, 8) === 0 ? this.#random.next() & 0xffff : 0,
      payload,
    };
    if (known === undefined) fields.flags = below(this.#random, 2) === 0 ? 0x02 : flags;
    else if (flags === 0x10 && fields.seq === known.seq)
      known.seq = (known.seq + payload.length) | 0;
    return tcp4(IP, fields);
  }

  /** Distance from the right number: mostly none, else around the edges of the window. */
  #offset(): number {
    const r = below(this.#random, 8);
    if (r < 4) return 0;
    if (r === 4) return below(this.#random, 2000);
    if (r === 5) return -below(this.#random, 2000);
    if (r === 6) return below(this.#random, 70_000) + 60_000;
    return this.#random.next();
  }

  #icmpError(): Uint8Array {
    const known = this.connections[below(this.#random, this.connections.length + 1)];
    const quoted = tcp4(
      { src: STACK, dst: PEER, df: true },
      {
        srcPort: known?.localPort ?? 80,
        dstPort: known?.remotePort ?? this.#port(),
        seq: ((known?.ack ?? 0) + this.#offset()) | 0,
        flags: 0x10,
      },
    );
    const type = [3, 4, 5, 11, 12, 13, below(this.#random, 256)][below(this.#random, 7)] as number;
    const rest = below(this.#random, 65_536);
    const len = below(this.#random, quoted.length + 1);
    return icmp4(IP, type, below(this.#random, 16), rest, quoted.subarray(0, len));
  }

  #wounded(octets: Uint8Array): Uint8Array {
    let b = octets;
    for (let n = 1 + below(this.#random, 4); n > 0 && b.length > 0; n--) {
      const kind = below(this.#random, 5);
      const at = below(this.#random, kind < 3 ? Math.min(b.length, 60) : b.length);
      if (kind === 0) b[at] = (b[at] as number) ^ (1 << below(this.#random, 8));
      else if (kind === 1) b[at] = this.#random.next();
      else if (kind === 2) b[at] = [0, 1, 0x7f, 0x80, 0xff][below(this.#random, 5)] as number;
      else if (kind === 3) b = b.slice(0, at);
      else {
        const longer = new Uint8Array(b.length + below(this.#random, 40));
        longer.set(b);
        b = longer;
      }
    }
    return b;
  }

  /** Both checksums right again, so that the wound is looked at deeper inside. */
  #resealed(b: Uint8Array): Uint8Array {
    if (b.length < 20) return b;
    const headerLen = ((b[0] as number) & 15) * 4;
    const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
    if (headerLen < 20 || headerLen > b.length) return b;
    view.setUint16(10, 0);
    view.setUint16(10, ~onesSum(b, 0, headerLen, 0) & 0xffff);
    const total = Math.min(b.length, view.getUint16(2));
    const field = { 6: 16, 17: 6, 1: 2 }[b[9] as number];
    if (field === undefined || headerLen + field + 2 > total) return b;
    const pseudo = b[9] === 1 ? 0 : pseudoSum(b, 0, b[9] as number, total - headerLen);
    view.setUint16(headerLen + field, pseudo);
    const part = b.subarray(0, total);
    if (b[9] === 1) view.setUint16(headerLen + 2, ~onesSum(part, headerLen, total, 0) & 0xffff);
    else seal(part);
    return b;
  }

  /** Frame, total length, header lengths and UDP length around their true values, 0 and the most. */
  #lattice(): Uint8Array {
    const b = this.#sound();
    const view = new DataView(b.buffer);
    const near = (n: number): number => {
      const r = below(this.#random, 6);
      if (r < 2) return n;
      if (r < 5) return n + r - 3;
      return LENGTHS[below(this.#random, LENGTHS.length)] as number;
    };
    const total = near(b.length) & 0xffff;
    view.setUint16(2, total);
    if (below(this.#random, 3) === 0) b[0] = 0x40 | (near(5) & 15);
    if (b[9] === 6 && b.length >= 40) b[32] = (near((b[32] as number) >> 4) & 15) << 4;
    if (b[9] === 17 && b.length >= 28) view.setUint16(24, near(b.length - 20) & 0xffff);
    const frame = Math.min(1 << 16, Math.max(0, near(b.length)));
    const out = new Uint8Array(frame);
    out.set(b.subarray(0, Math.min(frame, b.length)));
    return this.#resealed(out);
  }

  #options(): Uint8Array {
    const options = this.#noise(below(this.#random, 41));
    for (let i = 0; i + 1 < options.length && below(this.#random, 8) !== 0; ) {
      const kind = [0, 1, 2, 3, 4, 5, 8, 34, 254, below(this.#random, 256)][
        below(this.#random, 10)
      ];
      options[i] = kind as number;
      const len = [0, 1, 2, 3, 4, 10, 18, 255, options.length - i][
        below(this.#random, 9)
      ] as number;
      options[i + 1] = len;
      i += Math.max(1, len);
    }
    if (below(this.#random, 4) === 0) return ipv4({ ...IP, protocol: 6, options }, this.#noise(20));
    const known = this.connections[below(this.#random, this.connections.length + 1)];
    return tcp4(IP, {
      srcPort: known?.remotePort ?? this.#port(),
      dstPort: known?.localPort ?? 80,
      seq: known?.seq ?? 0,
      ack: known?.ack ?? 0,
      flags: known === undefined ? 0x02 : 0x10,
      options,
      payload: this.#noise(below(this.#random, 4)),
    });
  }

  #fragment(): Uint8Array {
    const body = this.#noise(8 * below(this.#random, 20) + below(this.#random, 8));
    const protocol = [6, 17, 1][below(this.#random, 3)] as number;
    const places = [0, 0, 1, 2, 5, below(this.#random, 8192)];
    const fragOff = 8 * (places[below(this.#random, places.length)] as number);
    const mf = below(this.#random, 2) === 0;
    return ipv4({ ...IP, df: false, mf, fragOff, protocol, id: below(this.#random, 8) }, body);
  }
}
