// Many peers that are nothing but headers in the slab: SYNs by the hundred thousand, handshakes,
// FINs. What `syn`, `connections` and the sender of a flood inside of the process stand on.

import { SeededRandom } from '../src/base/random.ts';
import { RxFlag } from '../src/base/rx.ts';
import { Slab } from '../src/base/slab.ts';
import type { TcpHandler, TcpSocket } from '../src/socket/tcp-socket.ts';
import type { ConfigOverrides } from '../src/stack/config.ts';
import { Stack } from '../src/stack/stack.ts';
import { NullLink } from './bed.ts';

/** Addresses of the benchmark network (RFC 2544 appendix C.2.2). */
const OURS = '198.18.0.2';
const OURS_WORD = 0xc6120002 | 0;
const FIRST_PEER = 0xc6120100 | 0;
const PORTS = 50_000;
const PORT = 80;
const IP_HEADER = 20;
const SYN = 2;
const ACK = 16;
const FIN_ACK = 17;
const ISS = 5000;

const quiet: TcpHandler = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};

export class Strangers {
  readonly stack: Stack;
  readonly link: NullLink;
  readonly sockets: TcpSocket[] = [];
  readonly #view: DataView;
  readonly #at: number;
  readonly #id: number;
  #nowUs = 5_000_000_000;

  constructor(config: ConfigOverrides = {}) {
    const slab = new Slab(16 << 20);
    this.#view = slab.view;
    this.stack = new Stack({ slab, random: new SeededRandom(1), nowUs: this.#nowUs, config });
    this.#at = slab.reserve(65_536);
    this.link = new NullLink(slab);
    this.#id = this.stack.addLink(this.link);
    this.stack.addAddress(this.#id, OURS, 15);
    this.stack.listen({
      port: PORT,
      backlog: 1 << 20,
      handler: {
        accept: (_server, s) => {
          this.sockets.push(s);
          return quiet;
        },
      },
    });
  }

  /** Segment of peer `n` with the options of a Linux peer: timestamps on each. */
  #segment(n: number, flags: number, seq: number, ack: number): void {
    const view = this.#view;
    const off = this.#at;
    const header = flags === SYN ? 40 : 32;
    const src = (FIRST_PEER + Math.floor(n / PORTS)) | 0;
    view.setInt32(off, (0x4500 << 16) | (IP_HEADER + header));
    view.setInt32(off + 4, 0x4000);
    view.setInt32(off + 8, (64 << 24) | (6 << 16));
    view.setInt32(off + 12, src);
    view.setInt32(off + 16, OURS_WORD);
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += view.getUint16(off + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(off + 10, ~sum & 0xffff);
    const tcp = off + IP_HEADER;
    view.setInt32(tcp, ((1024 + (n % PORTS)) << 16) | PORT);
    view.setInt32(tcp + 4, seq);
    view.setInt32(tcp + 8, ack);
    view.setInt32(tcp + 12, (header << 26) | (flags << 16) | 0xffff);
    view.setInt32(tcp + 16, 0);
    if (flags === SYN) {
      view.setInt32(tcp + 20, 0x020405b4);
      view.setInt32(tcp + 24, 0x0402080a);
      view.setInt32(tcp + 28, n);
      view.setInt32(tcp + 32, 0);
      view.setInt32(tcp + 36, 0x01030307);
    } else {
      view.setInt32(tcp + 20, 0x0101080a);
      view.setInt32(tcp + 24, n);
      view.setInt32(tcp + 28, 0);
    }
    this.stack.receive(this.#id, off, IP_HEADER + header, RxFlag.DATA_VALID);
  }

  /** A turn: the clock moves, `n` SYNs of new peers, one flush. */
  syns(from: number, n: number): void {
    this.turn(20);
    for (let i = 0; i < n; i++) this.#segment(from + i, SYN, ISS, 0);
    this.stack.drain();
  }

  /** Handshakes of the peers from … from + n - 1 (the stack's ISN is 0: `testIss`). */
  open(from: number, n: number): void {
    this.turn(20);
    for (let i = 0; i < n; i++) this.#segment(from + i, SYN, ISS, 0);
    this.stack.drain();
    for (let i = 0; i < n; i++) this.#segment(from + i, ACK, ISS + 1, 1);
    this.stack.drain();
  }

  /** The program has closed them: their peers acknowledge and close too. */
  finish(from: number, n: number): void {
    this.turn(20);
    for (let i = 0; i < n; i++) this.#segment(from + i, FIN_ACK, ISS + 1, 2);
    this.stack.drain();
  }

  turn(us: number): void {
    this.#nowUs += us;
    this.stack.advance(this.#nowUs);
    this.stack.drain();
  }
}
