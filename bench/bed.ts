// A stack with one link and a peer that is nothing but headers in the slab: what the benchmarks of
// the whole walk and the allocation tests stand on. The peer's packets are made once; a turn moves
// their numbers, hands them to `Stack.receive` and drains, as the driver of a device does.

import { SeededRandom } from '../src/base/random.ts';
import { RxFlag } from '../src/base/rx.ts';
import { Slab } from '../src/base/slab.ts';
import type { Tx } from '../src/base/tx.ts';
import { type Link, LinkCap } from '../src/link/link.ts';
import type { TcpHandler, TcpSocket } from '../src/socket/tcp-socket.ts';
import type { ConfigOverrides } from '../src/stack/config.ts';
import { Stack } from '../src/stack/stack.ts';

/** Addresses of the benchmark network (RFC 2544 appendix C.2.2). */
const OURS = '198.18.0.2';
const PEER = 0xc6120001 | 0;
const OURS_WORD = 0xc6120002 | 0;
export const PORT = 9;
const PEER_PORT = 40_000;
const IP_HEADER = 20;
/** With timestamps, as every segment of a Linux peer. */
const TCP_HEADER = 32;
const UDP_HEADER = 8;
const HEADERS = IP_HEADER + TCP_HEADER;
export const MSS = 1448;
/** Payload of the largest super-segment of whole segments: "64 KB". */
export const SUPER = MSS * 44;
/** Octets of all receive slots. */
const REGION = 2 << 20;
const FIN_SYN = 3;
const ACK = 0x10;
const PSH = 0x08;
/** A clock beyond 2^32 µs, as on a machine that has run for more than an hour. */
const START_US = 5_000_000_000.25;
const TURN_US = 37.5;

/** A link that reads the numbers of what it is given and forgets it. */
export class NullLink implements Link {
  readonly name = 'null0';
  readonly mtu = 1500;
  readonly caps = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
  readonly loopback = false;
  readonly #view: DataView;
  packets = 0;
  /** Behind the last octet that TCP has sent. */
  sndNxt = 0;
  /** Timestamp of the last segment. */
  tsVal = 0;

  constructor(slab: Slab) {
    this.#view = slab.view;
  }

  transmit(tx: Tx): boolean {
    this.packets++;
    if (tx.protocol !== 6) return true;
    const tcp = tx.headerOff + tx.l4;
    const view = this.#view;
    const control = view.getUint16(tcp + 12);
    const header = (control >>> 12) << 2;
    const len = tx.headerLen - tx.l4 - header + tx.payloadLen;
    const numbered = len + ((control & FIN_SYN) !== 0 ? 1 : 0);
    const end = (view.getInt32(tcp + 4) + numbered) | 0;
    if (((end - this.sndNxt) | 0) > 0 || (control & 2) !== 0) this.sndNxt = end;
    if (header === TCP_HEADER) this.tsVal = view.getInt32(tcp + 24);
    return true;
  }

  flush(): void {}
}

/** Counts what it gets; writes again what has been given back, when there is something to write. */
export class Sink implements TcpHandler {
  /** Octets received, blocks given back. */
  readonly totals = new Float64Array(2);
  block: Uint8Array | null = null;

  opened(_s: TcpSocket): void {}
  data(_s: TcpSocket, _u8: Uint8Array, _off: number, len: number): void {
    this.totals[0] = (this.totals[0] as number) + len;
  }
  ended(_s: TcpSocket): void {}
  writable(_s: TcpSocket): void {}
  written(s: TcpSocket, n: number): void {
    this.totals[1] = (this.totals[1] as number) + n;
    const block = this.block;
    if (block === null) return;
    for (let i = 0; i < n; i++) s.write(block, 0, block.length);
  }
  closed(_s: TcpSocket, code: number): void {
    if (code !== 0) throw new Error(`the connection ended with ${code}`);
  }
}

export class Bed {
  readonly slab = new Slab(16 << 20);
  readonly stack: Stack;
  readonly link: NullLink;
  readonly id: number;
  readonly sink = new Sink();
  socket: TcpSocket | null = null;
  readonly #base: number;
  readonly #view: DataView;
  /** The row of slots that `lay` has made. */
  #stride = 0;
  #slots = 0;
  #payload = 0;
  #gso = 0;
  /** µs; a field of its own in an array: a double field would be boxed on each store. */
  readonly #clock = new Float64Array([START_US]);
  #seq = 0;
  #tsVal = 1;
  #acked = 0;

  constructor(config: ConfigOverrides = {}) {
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(1),
      nowUs: START_US,
      config,
    });
    this.#base = this.slab.reserve(REGION);
    this.#view = this.slab.view;
    this.link = new NullLink(this.slab);
    this.id = this.stack.addLink(this.link);
    this.stack.addAddress(this.id, OURS, 24);
  }

  /** Octets that the program has been given so far. */
  get received(): number {
    return this.sink.totals[0] as number;
  }

  /**
   * Opens one connection from the peer to PORT.
   * @param mss what the peer's SYN asks for; 12 octets of it go to timestamps
   */
  connect(noDelay = false, mss = MSS + 12): TcpSocket {
    const { stack, sink } = this;
    stack.listen({
      port: PORT,
      noDelay,
      handler: {
        accept: (_server, s) => {
          this.socket = s;
          return sink;
        },
      },
    });
    this.#handshake(mss);
    if (this.socket === null) throw new Error('the handshake has failed');
    return this.socket;
  }

  #handshake(mss: number): void {
    // SYN with MSS, SACK permitted, timestamps, window scale 10
    const off = this.#base;
    const view = this.#view;
    this.#seq = 1000;
    this.#header(off, 6, TCP_HEADER + 8);
    this.#tcp(off + IP_HEADER, TCP_HEADER + 8, 0x02);
    view.setInt32(off + IP_HEADER + 20, 0x02040000 | mss);
    view.setInt32(off + IP_HEADER + 24, 0x0402080a);
    view.setInt32(off + IP_HEADER + 28, this.#tsVal);
    view.setInt32(off + IP_HEADER + 32, 0);
    view.setInt32(off + IP_HEADER + 36, 0x0103030a);
    this.stack.receive(this.id, off, IP_HEADER + TCP_HEADER + 8, RxFlag.DATA_VALID);
    this.stack.drain();
    this.#seq++;
    this.#acked = this.link.sndNxt;
    this.lay(1, 0);
    this.acks(1, 0);
  }

  /**
   * Makes a row of `count` TCP segments of `payload` octets; more than MSS is a super-segment.
   */
  lay(count: number, payload: number): void {
    const len = HEADERS + payload;
    this.#stride = (len + 127) & ~63;
    if (this.#stride * count > REGION) throw new Error('the row is longer than the region');
    this.#slots = count;
    this.#payload = payload;
    this.#gso = payload > MSS ? 1 | (MSS << 8) : 0;
    for (let i = 0; i < count; i++) {
      const off = this.#base + i * this.#stride;
      this.#header(off, 6, TCP_HEADER + payload);
      this.#tcp(off + IP_HEADER, TCP_HEADER, payload > 0 ? ACK | PSH : ACK);
      this.#view.setInt32(off + IP_HEADER + 20, 0x0101080a);
    }
  }

  /** Makes a row of `count` UDP datagrams of `payload` octets to PORT. */
  layUdp(count: number, payload: number): void {
    this.#stride = (IP_HEADER + UDP_HEADER + payload + 127) & ~63;
    this.#slots = count;
    this.#payload = payload;
    const view = this.#view;
    for (let i = 0; i < count; i++) {
      const off = this.#base + i * this.#stride;
      this.#header(off, 17, UDP_HEADER + payload);
      view.setInt32(off + IP_HEADER, (PEER_PORT << 16) | PORT);
      view.setUint16(off + IP_HEADER + 4, UDP_HEADER + payload);
      view.setUint16(off + IP_HEADER + 6, 0);
    }
  }

  #header(off: number, protocol: number, l4Len: number): void {
    const view = this.#view;
    const words = [
      (0x4500 << 16) | (IP_HEADER + l4Len),
      0x4000,
      (64 << 24) | (protocol << 16),
      PEER,
      OURS_WORD,
    ];
    let sum = 0;
    for (let i = 0; i < 5; i++) {
      const word = words[i] as number;
      view.setInt32(off + 4 * i, word);
      sum += (word >>> 16) + (word & 0xffff);
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(off + 10, ~sum & 0xffff);
  }

  #tcp(tcp: number, headerLen: number, flags: number): void {
    const view = this.#view;
    view.setInt32(tcp, (PEER_PORT << 16) | PORT);
    view.setInt32(tcp + 4, this.#seq);
    view.setInt32(tcp + 8, 0);
    view.setInt32(tcp + 12, (headerLen << 26) | (flags << 16) | 0xffff);
    view.setInt32(tcp + 16, 0);
  }

  #begin(): void {
    const clock = this.#clock;
    clock[0] = (clock[0] as number) + TURN_US;
    this.#tsVal++;
    this.stack.advance(clock[0] as number);
  }

  #end(): number {
    this.stack.drain();
    return this.stack.nextDeadline();
  }

  /** One turn: `n` segments in order, each acknowledging all that the stack has sent. */
  data(n: number): void {
    this.#begin();
    const view = this.#view;
    for (let i = 0; i < n; i++) {
      const off = this.#base + (i % this.#slots) * this.#stride;
      const tcp = off + IP_HEADER;
      view.setInt32(tcp + 4, this.#seq);
      view.setInt32(tcp + 8, this.link.sndNxt);
      view.setInt32(tcp + 24, this.#tsVal);
      view.setInt32(tcp + 28, this.link.tsVal);
      const len = HEADERS + this.#payload;
      this.stack.receive(this.id, off, len, RxFlag.DATA_VALID, this.#gso);
      this.#seq = (this.#seq + this.#payload) | 0;
    }
    this.#acked = this.link.sndNxt;
    this.#end();
  }

  /** One turn: `n` pure ACKs, each for `octets` more, at most for what has been sent. */
  acks(n: number, octets: number): void {
    this.#begin();
    const view = this.#view;
    for (let i = 0; i < n; i++) {
      const off = this.#base + (i % this.#slots) * this.#stride;
      const tcp = off + IP_HEADER;
      const sent = (this.link.sndNxt - this.#acked) | 0;
      this.#acked = (this.#acked + (octets < sent ? octets : sent)) | 0;
      view.setInt32(tcp + 4, this.#seq);
      view.setInt32(tcp + 8, this.#acked);
      view.setInt32(tcp + 24, this.#tsVal);
      view.setInt32(tcp + 28, this.link.tsVal);
      this.stack.receive(this.id, off, HEADERS, RxFlag.DATA_VALID);
    }
    this.#end();
  }

  /** One turn: `n` datagrams. */
  datagrams(n: number): void {
    this.#begin();
    for (let i = 0; i < n; i++) {
      const off = this.#base + (i % this.#slots) * this.#stride;
      const len = IP_HEADER + UDP_HEADER + this.#payload;
      this.stack.receive(this.id, off, len, RxFlag.DATA_VALID);
    }
    this.#end();
  }

  /** One turn without packets: what the program has written leaves. */
  turn(): void {
    this.#begin();
    this.#end();
  }
}
