// The bad network of `bench -- goodput`: a process of its own that holds two TUN devices, one in
// each namespace, and carries packets between them through `link/impair.ts`. The devices have no
// offloads: what passes is what a wire would carry, whoever sent it.
//
// Messages from the parent: `open` (once), `reset` (another seed and network), `report`.

import { setPriority } from 'node:os';
import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import { Tx } from '../../src/base/tx.ts';
import { Impair, type Impairment, type ImpairStats } from '../../src/link/impair.ts';
import { loadAddon } from '../../src/node/addon.ts';
import { type DeviceLink, type DeviceSink, RX_STRIDE, TunLink } from '../../src/node/tun.ts';

export interface EndSetup {
  readonly netns: string;
  readonly device: string;
  readonly address: string;
}

export type Order =
  | { readonly do: 'open'; readonly ends: readonly [EndSetup, EndSetup]; readonly mtu: number }
  | {
      readonly do: 'reset';
      readonly seed: number;
      readonly ways: readonly [Impairment, Impairment];
    }
  | { readonly do: 'report' };

export interface Report {
  /** Both directions since the last reset. */
  readonly ways: readonly [ImpairStats, ImpairStats];
  /** µs that packets were handed on after their time: mean and worst. */
  readonly lateUs: number;
  readonly worstLateUs: number;
}

/** As `nice -n -19`. */
const HIGHEST = -19;
const SLAB_OCTETS = 16 << 20;
const RX_OCTETS = 4 << 20;
/** Octets that go through the slab, as the addon wants a header there; the rest is gathered. */
const HEADER = 20;
const TX_SLOTS = 256;
/** Longest sleep while packets are due soon: packets that arrive meanwhile wait so long. */
const NAP_US = 200;
const SOON_US = 2000;
/** Room for every packet of a window between two wake-ups. */
const QUEUE_PACKETS = 20_000;

class Forwarder implements DeviceSink {
  readonly #slab = new Slab(SLAB_OCTETS);
  readonly #tx = new Tx();
  readonly #headers = this.#slab.reserve(TX_SLOTS * 64);
  readonly #addon = loadAddon();
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));
  #links: readonly [TunLink, TunLink] | null = null;
  #ways: [Impair, Impair] = [new Impair(new SeededRandom(1)), new Impair(new SeededRandom(2))];
  #running = false;
  #timer: NodeJS.Timeout | null = null;
  #lateUs = 0;
  #worstLateUs = 0;
  #handed = 0;

  open(ends: readonly [EndSetup, EndSetup], mtu: number): void {
    const [a, b] = ends.map(({ netns, device, address }) => {
      const link = TunLink.open({ name: device, netns, vnetHdr: false });
      link.configure({
        mtu,
        txQueueLen: QUEUE_PACKETS,
        addresses: [{ address, prefix: 24 }],
        up: true,
      });
      link.start(this.#slab, this.#slab.reserve(RX_OCTETS), RX_OCTETS, this);
      link.ref();
      return link;
    }) as [TunLink, TunLink];
    this.#links = [a, b];
  }

  reset(seed: number, ways: readonly [Impairment, Impairment]): void {
    this.#ways = [
      new Impair(new SeededRandom(seed), ways[0]),
      new Impair(new SeededRandom(seed + 0x10000), ways[1]),
    ];
    this.#lateUs = 0;
    this.#worstLateUs = 0;
    this.#handed = 0;
  }

  report(): Report {
    return {
      ways: [this.#ways[0].stats, this.#ways[1].stats],
      lateUs: this.#handed === 0 ? 0 : this.#lateUs / this.#handed,
      worstLateUs: this.#worstLateUs,
    };
  }

  batch(link: DeviceLink, count: number, nowUs: number): void {
    const way = this.#ways[this.#links?.[0] === link ? 0 : 1] as Impair;
    const u8 = this.#slab.u8;
    for (let i = 0, at = 0; i < count; i++, at += RX_STRIDE) {
      const off = link.meta[at] as number;
      way.offer(u8.slice(off, off + (link.meta[at + 1] as number)), 0, 0, nowUs);
    }
    this.#wake();
  }

  failed(_link: DeviceLink, errno: number): void {
    process.stderr.write(`forwarder: a device is gone: ${errno}\n`);
    process.exit(1);
  }

  #wake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#turn());
  }

  /** Hands on what is due, then naps: Node's timers with their millisecond are too coarse. */
  #turn(): void {
    const now = this.#addon.nowUs();
    const [a, b] = this.#links as readonly [TunLink, TunLink];
    this.#carry(this.#ways[0], b, now);
    this.#carry(this.#ways[1], a, now);
    const next = Math.min(this.#ways[0].nextUs(), this.#ways[1].nextUs());
    const wait = next - this.#addon.nowUs();
    if (wait > SOON_US) {
      this.#running = false;
      if (next === Infinity) return;
      this.#timer = setTimeout(() => this.#wake(), Math.floor((wait - SOON_US) / 1000) + 1);
      return;
    }
    if (wait > 0) Atomics.wait(this.#cell, 0, 0, Math.min(wait, NAP_US) / 1000);
    setImmediate(() => this.#turn());
  }

  #carry(way: Impair, to: TunLink, now: number): void {
    const tx = this.#tx;
    let slot = 0;
    for (let p = way.take(now); p !== null; p = way.take(now)) {
      const late = now - p.atUs;
      this.#handed++;
      this.#lateUs += late;
      if (late > this.#worstLateUs) this.#worstLateUs = late;
      const off = this.#headers + slot * 64;
      this.#slab.u8.set(p.octets.subarray(0, HEADER), off);
      tx.reset();
      tx.headerOff = off;
      tx.headerLen = HEADER;
      tx.l4 = HEADER;
      tx.gather(p.octets, HEADER, p.octets.length - HEADER);
      to.transmit(tx);
      if (++slot === TX_SLOTS) {
        to.flush();
        slot = 0;
      }
    }
    to.flush();
  }
}

// Others at work on the machine must not be the network.
setPriority(HIGHEST);
const forwarder = new Forwarder();
process.on('disconnect', () => process.exit(0));
process.on('message', (order: Order) => {
  if (order.do === 'open') forwarder.open(order.ends, order.mtu);
  else if (order.do === 'reset') forwarder.reset(order.seed, order.ways);
  process.send?.(order.do === 'report' ? forwarder.report() : { done: order.do });
});
