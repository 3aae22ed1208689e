// A bulk transfer across one bottleneck of the simulated world, and what it did: goodput, queue,
// losses. The content is not looked at; other tests do that.

import type { Impairment, ImpairStats } from '../../src/link/impair.ts';
import type { SimHost } from '../../src/sim/host.ts';
import { World } from '../../src/sim/world.ts';
import type { TcpInfo } from '../../src/socket/tcp-info.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import type { Controller } from '../../src/tcp/congestion/controller.ts';

export interface BulkOptions {
  /** The way of the data; the way back has the same delay and nothing else. */
  there: Impairment;
  seed?: number;
  controller?: Controller | undefined;
  /** Of the sender. */
  config?: ConfigOverrides;
  /** Octets to send; default without end. */
  total?: number;
  mtu?: number;
  /** Least time between two turns of the sender and of the receiver, µs: busy event loops. */
  turnUs?: readonly [number, number];
  /** Of the receiver, octets. */
  receiveBuffer?: number;
}

const CHUNK = new Uint8Array(1 << 16);
const QUIET: TcpHandler = {
  opened: () => {},
  data: () => {},
  ended: (s) => s.close(),
  writable: () => {},
  written: () => {},
  closed: () => {},
};

export class Bulk {
  readonly world: World;
  readonly a: SimHost;
  readonly b: SimHost;
  readonly socket: TcpSocket;
  readonly stats: ImpairStats;
  received = 0;
  closedCode: number | null = null;
  #left: number;
  readonly #startUs: number;

  constructor(o: BulkOptions) {
    this.world = new World({ seed: o.seed ?? 1 });
    const [turnA, turnB] = o.turnUs ?? [0, 0];
    const config = o.config ?? {};
    this.a = this.world.host('a', { addresses: ['10.0.0.1/24'], config, turnUs: turnA });
    this.b = this.world.host('b', { addresses: ['10.0.0.2/24'], turnUs: turnB });
    const back = { delayUs: o.there.delayUs ?? 0 };
    const mtu = o.mtu === undefined ? {} : { mtu: o.mtu };
    const cable = this.world.link(this.a, this.b, [o.there, back], mtu);
    this.stats = (cable.ends[0] as { way: { stats: ImpairStats } }).way.stats;
    this.#left = o.total ?? Infinity;
    const sink: TcpHandler = {
      ...QUIET,
      data: (_s, _u8, _off, len) => {
        this.received += len;
      },
    };
    const { receiveBuffer } = o;
    this.b.stack.listen({ port: 80, receiveBuffer, handler: { accept: () => sink } });
    this.socket = this.a.stack.connect({
      address: '10.0.0.2',
      port: 80,
      controller: o.controller,
      handler: {
        ...QUIET,
        opened: () => this.#fill(),
        writable: () => this.#fill(),
        closed: (_s, code) => {
          this.closedCode = code;
        },
      },
    });
    this.#startUs = this.world.clock.nowUs();
  }

  #fill(): void {
    while (this.#left > 0) {
      const n = this.socket.send(CHUNK, 0, Math.min(this.#left, CHUNK.length));
      this.#left -= n;
      if (n === 0) return;
    }
  }

  /** More to send, for a program that had nothing for a while. */
  more(octets: number): void {
    this.#left += octets;
    this.#fill();
  }

  get info(): TcpInfo {
    return this.socket.info();
  }

  get elapsedMs(): number {
    return (this.world.clock.nowUs() - this.#startUs) / 1000;
  }

  /** Goes on to `ms` after the start. */
  until(ms: number): this {
    const untilUs = this.#startUs + ms * 1000;
    this.world.run({ untilUs });
    // time goes on also when nothing is left to happen
    this.world.clock.moveTo(untilUs);
    return this;
  }

  /** Goes on until `done`, at most to `ms` after the start; whether it came to that. */
  when(done: () => boolean, ms: number): boolean {
    this.world.run({ untilUs: this.#startUs + ms * 1000, done });
    return done();
  }

  /** Octets per second that the reader got between two times. */
  goodput(fromMs: number, toMs: number): number {
    this.until(fromMs);
    const before = this.received;
    this.until(toMs);
    return ((this.received - before) * 1000) / (toMs - fromMs);
  }
}
