// Ways of a packet through a router: each function runs one turn of the driver, see walks.ts.

import { SeededRandom } from '../src/base/random.ts';
import { RxFlag } from '../src/base/rx.ts';
import { Slab } from '../src/base/slab.ts';
import { Ruling } from '../src/forward/packet-view.ts';
import { Stack } from '../src/stack/stack.ts';
import { MSS, NullLink, SUPER } from './bed.ts';

/** Addresses of the benchmark networks (RFC 2544 appendix C.2.2, RFC 5180 §8). */
const INSIDE = 0xc6120009 | 0;
const OUTSIDE = 0xc6130001 | 0;
const FAR = 0xc6130009 | 0;
const NETS6 = [0x20010002, 0, 1, 2] as const;
const PORTS = (40_000 << 16) | 9;
const IN = 1;
const OUT = 2;
const TCP = 6;
const UDP = 17;
/** Octets of headers that a router may change: they are put back before each turn. */
const HEADERS = 128;
const REGION = 2 << 20;
const START_US = 5_000_000_000.25;
const TURN_US = 37.5;

export interface Through {
  readonly family: 4 | 6;
  readonly protocol: 6 | 17;
  readonly payload: number;
  readonly packets: number;
  readonly nat: boolean;
  readonly filter: boolean;
}

/** A router with a row of packets of one connection on its inner link, or of answers outside. */
export class RouterBed {
  readonly slab = new Slab(16 << 20);
  readonly stack: Stack;
  readonly links: readonly [NullLink, NullLink];
  readonly #base: number;
  readonly #heads: number;
  readonly #through: Through;
  readonly #len: number;
  readonly #stride: number;
  readonly #gso: number;
  readonly #clock = new Float64Array([START_US]);

  constructor(through: Through) {
    this.#through = through;
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(1),
      nowUs: START_US,
      config: { forward: { forwarding: true } },
    });
    this.#base = this.slab.reserve(REGION);
    this.#heads = this.slab.reserve(2 * HEADERS);
    this.links = [new NullLink(this.slab), new NullLink(this.slab)];
    const { stack } = this;
    for (const link of this.links) stack.addLink(link);
    stack.addAddress(IN, '198.18.0.1', 24);
    stack.addAddress(OUT, '198.19.0.1', 24);
    stack.addAddress(IN, '2001:2:0:1::1', 64);
    stack.addAddress(OUT, '2001:2:0:2::1', 64);
    stack.addRoute('198.18.0.0', 24, { link: IN });
    stack.addRoute('198.19.0.0', 24, { link: OUT });
    stack.addRoute('2001:2:0:1::', 64, { link: IN });
    stack.addRoute('2001:2:0:2::', 64, { link: OUT });
    if (through.nat) stack.routing.setNat({ masquerade: [OUT] });
    if (through.filter) {
      stack.filter = { packet: (v) => (v.dstPort === 25 ? Ruling.DROP : Ruling.ACCEPT) };
    }
    const l4 = through.protocol === TCP ? 20 : 8;
    this.#len = (through.family === 4 ? 20 : 40) + l4 + through.payload;
    this.#stride = (this.#len + 127) & ~63;
    const type = through.family === 4 ? 1 : 4;
    this.#gso = through.payload === SUPER ? type | (MSS << 8) : 0;
    this.#write(this.#heads, false);
    this.#write(this.#heads + HEADERS, true);
  }

  /** @param back an answer: what NAT has written stands where the first packet had its source */
  #write(off: number, back: boolean): void {
    const { view } = this.slab;
    const { family, protocol } = this.#through;
    if (family === 4) this.#header4(off, back);
    else this.#header6(off, back);
    const l4 = off + (family === 4 ? 20 : 40);
    view.setInt32(l4, back ? (PORTS << 16) | (PORTS >>> 16) : PORTS);
    if (protocol === TCP) view.setInt32(l4 + 12, 0x5010ffff);
    else view.setUint16(l4 + 4, 8 + this.#through.payload);
  }

  #header4(off: number, back: boolean): void {
    const { view } = this.slab;
    const source = this.#through.nat ? OUTSIDE : INSIDE;
    const words = [
      (0x4500 << 16) | this.#len,
      0x4000,
      (64 << 24) | (this.#through.protocol << 16),
      back ? FAR : INSIDE,
      back ? source : FAR,
    ];
    let sum = 0;
    for (const [i, word] of words.entries()) {
      view.setInt32(off + 4 * i, word);
      sum += (word >>> 16) + (word & 0xffff);
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(off + 10, ~sum & 0xffff);
  }

  #header6(off: number, back: boolean): void {
    const { view } = this.slab;
    view.setInt32(off, 0x60000000);
    view.setUint16(off + 4, this.#len - 40);
    view.setUint16(off + 6, (this.#through.protocol << 8) | 64);
    for (const [at, net] of [
      [off + 8, back ? NETS6[3] : NETS6[2]],
      [off + 24, back ? NETS6[2] : NETS6[3]],
    ] as const) {
      view.setInt32(at, NETS6[0]);
      view.setInt32(at + 4, net);
      view.setInt32(at + 8, 0);
      view.setInt32(at + 12, 9);
    }
  }

  /** Packets that have left by the outer link, and by the inner one. */
  get passed(): number {
    return this.links[0].packets + this.links[1].packets;
  }

  /** One turn: a row of packets by the inner link, or of answers by the outer one. */
  turn(back: boolean): void {
    const clock = this.#clock;
    clock[0] = (clock[0] as number) + TURN_US;
    this.stack.advance(clock[0] as number);
    const u8 = this.slab.u8;
    const from = back ? this.#heads + HEADERS : this.#heads;
    const link = back ? OUT : IN;
    const n = this.#through.packets;
    for (let i = 0; i < n; i++) {
      const off = this.#base + i * this.#stride;
      u8.copyWithin(off, from, from + HEADERS);
      this.stack.receive(link, off, this.#len, RxFlag.DATA_VALID, this.#gso);
    }
    this.stack.drain();
    this.stack.nextDeadline();
  }
}

function name(t: Through): string {
  const how = t.nat ? 'NAT' : t.filter ? 'filter' : 'forward';
  const what = t.payload === SUPER ? '64 KB' : `${t.payload} octets`;
  const protocol = t.protocol === TCP ? 'TCP' : 'UDP';
  return `${how}: IPv${t.family} ${protocol} of ${what}, ${t.packets} a turn, both ways`;
}

function through(t: Through): {
  name: string;
  packets: number;
  turns: number;
  octets: number;
  start(): () => void;
} {
  return {
    name: name(t),
    packets: 2 * t.packets,
    turns: 2,
    octets: t.payload,
    start() {
      const bed = new RouterBed(t);
      bed.turn(false);
      bed.turn(true);
      if (bed.passed !== 2 * t.packets) throw new Error('the packets of this walk do not pass');
      let calls = 0;
      let before = bed.passed;
      return () => {
        bed.turn(false);
        bed.turn(true);
        calls = (calls + 1) & 1023;
        if (calls !== 0) return;
        const now = bed.passed;
        if (now - before !== 1024 * 2 * t.packets) throw new Error('packets have been lost');
        before = now;
      };
    },
  };
}

const PLAIN = {
  family: 4,
  protocol: TCP,
  payload: 1440,
  packets: 32,
  nat: false,
  filter: false,
} as const;

export const FORWARD_WALKS = [
  through(PLAIN),
  through({ ...PLAIN, family: 6 }),
  through({ ...PLAIN, payload: SUPER, packets: 8 }),
  through({ ...PLAIN, filter: true }),
  through({ ...PLAIN, nat: true }),
  through({ ...PLAIN, nat: true, protocol: UDP, payload: 64 }),
  through({ ...PLAIN, nat: true, payload: SUPER, packets: 8 }),
];
