// UDP beside the connections of a run: numbered datagrams of every size up to several fragments.
// They may be lost, doubled or late, but what arrives is whole and right, and nothing is invented.

import { below, type Random } from '../base/random.ts';
import type { UdpSocket } from '../socket/udp-socket.ts';
import { type Address, parse } from '../wire/address.ts';
import { chance, logUniform } from './faults.ts';
import type { SimHost } from './host.ts';
import type { EndContext } from './oracle.ts';
import { fill, firstWrong } from './stream.ts';

const PORT = 5353;
const HEAD = 8;
const LARGEST = 8000;

/** Sends `total` datagrams one way, some of them echoed; judges what arrives. */
export class Datagrams {
  readonly #random: Random;
  readonly #context: EndContext;
  readonly #key: number;
  readonly #lens: number[] = [];
  readonly #to: Address;
  readonly #total: number;
  readonly #gapUs: number;
  #client: UdpSocket | null = null;
  #server: UdpSocket | null = null;
  /**
   * Datagrams that arrived, at the server and back at the client; refused by the sender's stack.
   */
  arrived = 0;
  echoed = 0;
  refused = 0;

  constructor(random: Random, server: string, context: EndContext) {
    this.#random = random;
    this.#context = context;
    this.#key = random.next();
    this.#total = 1 + below(random, 60);
    this.#gapUs = Math.floor(logUniform(random, 10, 200_000));
    const to = parse(server);
    if (to === null) throw new RangeError(server);
    this.#to = to;
  }

  start(a: SimHost, b: SimHost): void {
    const quiet = { error: (): void => {}, writable: (): void => {} };
    this.#server = b.stack.udp({
      port: PORT,
      handler: {
        ...quiet,
        datagram: (s, u8, off, len, from) => {
          this.arrived++;
          const n = this.#judge('server', u8, off, len);
          if (n % 2 === 0) s.send(u8, off, len, from.remote(), from.port);
        },
      },
    });
    this.#client = a.stack.udp({
      handler: {
        ...quiet,
        datagram: (_s, u8, off, len) => {
          this.echoed++;
          this.#judge('client', u8, off, len);
        },
      },
    });
    this.#next();
  }

  stop(): void {
    this.#client?.close();
    this.#server?.close();
  }

  #next(): void {
    const n = this.#lens.length;
    if (n === this.#total) return;
    const small = chance(this.#random, 0.5);
    const len = HEAD + below(this.#random, small ? 200 : LARGEST);
    this.#lens.push(len);
    const octets = new Uint8Array(len);
    const view = new DataView(octets.buffer);
    view.setUint32(0, n);
    view.setUint32(4, len);
    fill(this.#key ^ n, 0, octets, HEAD, len - HEAD);
    if (this.#client?.send(octets, 0, len, this.#to, PORT) !== 0) this.refused++;
    octets.fill(0xee);
    this.#context.clock.after(this.#gapUs, () => this.#next());
  }

  /** Number of the datagram; fails when it is not one that was sent, octet for octet. */
  #judge(who: string, u8: Uint8Array, off: number, len: number): number {
    const view = new DataView(u8.buffer, u8.byteOffset + off, len);
    const n = len < HEAD ? -1 : view.getUint32(0);
    if (this.#lens[n] !== len || view.getUint32(4) !== len) {
      this.#context.fail(`UDP ${who}: ${len} octets that nobody has sent`);
      return -1;
    }
    const wrong = firstWrong(this.#key ^ n, 0, u8, off + HEAD, len - HEAD);
    if (wrong >= 0)
      this.#context.fail(`UDP ${who}: octet ${HEAD + wrong} of datagram ${n} is wrong`);
    this.#context.note(`UDP ${who}`, n);
    return n;
  }
}
