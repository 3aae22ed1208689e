// A stack as a router: which links forward, who is asked about packets, who translates them. The
// walk of a packet is in forward.ts.
// @hot

import { Drop } from '../base/drop.ts';
import { DstKind, type Rx, RxFlag } from '../base/rx.ts';
import { drop, type IpLayer } from '../ip/ip.ts';
import { Path } from '../ip/path.ts';
import type { Router } from '../ip/router.ts';
import { isLoopback, isMulticast } from '../wire/address.ts';
import type { Nat } from './nat.ts';
import { type Filter, HOOK_FORWARD, HOOK_INPUT, PacketView, Ruling } from './packet-view.ts';
import { transportOf } from './pass.ts';
import { reject } from './reject.ts';

export class Forwarding implements Router {
  readonly ip: IpLayer;
  /** Links without a word of their own forward. */
  all = false;
  /** 1: forwards; 0: does not; absent: as `all` says. Index = link id. */
  readonly #links: number[] = [];
  filter: Filter | null = null;
  nat: Nat | null = null;
  /** Takes what a filter has thrown. */
  onError: (error: unknown) => void = ignore;
  /** Where the packet that is passed on goes; what an Ethernet finds its neighbour by. */
  readonly path = new Path();
  readonly #view: PacketView;

  constructor(ip: IpLayer) {
    this.ip = ip;
    this.#view = new PacketView(ip.slab);
  }

  /** Whether packets that come by that link are forwarded. */
  forwards(link: number): boolean {
    const own = this.#links[link];
    return own === undefined ? this.all : own === 1;
  }

  /** @param on null: as the whole stack */
  setLink(link: number, on: boolean | null): void {
    if (on === null) delete this.#links[link];
    else this.#links[link] = on ? 1 : 0;
  }

  /** Nothing to do: this stack is a host, and nobody is asked about its packets. */
  get isIdle(): boolean {
    const off = !this.all && !this.#links.includes(1);
    return off && this.filter === null && this.nat === null;
  }

  /** Whether the filter lets a packet for this stack in. */
  askIn(rx: Rx): boolean {
    return this.filter === null || this.ask(rx, HOOK_INPUT, -1);
  }

  arrives(rx: Rx): boolean {
    const loopback = (rx.flags & RxFlag.LOOPBACK) !== 0;
    return this.nat !== null && !loopback && !this.nat.arrives(rx, this.forwards(rx.linkId));
  }

  /** RFC 1812 §5.3.4: groups, broadcasts and 127/8 are for hosts. */
  takes(rx: Rx): boolean {
    if ((rx.flags & (RxFlag.LOOPBACK | RxFlag.LINK_BROADCAST)) !== 0) return false;
    if (!this.forwards(rx.linkId)) return false;
    if (isMulticast(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return false;
    if (isLoopback(rx.dst0, rx.dst1, rx.dst2, rx.dst3)) return false;
    const top = rx.dst3 >>> 24;
    if (rx.family === 4 && (top === 0 || top >= 240)) return false;
    rx.dstKind = DstKind.UNICAST;
    rx.flags |= RxFlag.TRANSIT;
    return true;
  }

  /** Whether the filter lets the packet go on; if not, it is answered, counted and done with. */
  ask(rx: Rx, hook: number, out: number): boolean {
    const filter = this.filter;
    if (filter === null || filter.packet === undefined) return true;
    if (rx.family === 6) transportOf(rx);
    this.#view.show(rx, hook, out);
    return this.#settle(rx, this.#rule(false));
  }

  /** The same for the first packet of a connection that is followed. */
  askFlow(rx: Rx): boolean {
    if (this.filter === null || this.filter.flow === undefined) return true;
    this.#view.show(rx, HOOK_FORWARD, -1);
    const ruling = this.#rule(true);
    if (ruling === Ruling.ACCEPT) return true;
    rx.dstKind = DstKind.UNICAST;
    rx.flags |= RxFlag.TRANSIT;
    return this.#settle(rx, ruling);
  }

  /** Whether the filter lets the packet in `ip.tx` leave by that link. */
  askOut(link: number): boolean {
    const { ip, filter } = this;
    if (filter === null || filter.packet === undefined) return true;
    this.#view.showOut(ip.tx, link);
    if (this.#rule(false) === Ruling.ACCEPT) return true;
    ip.counters.drops[Drop.NETFILTER_DROP] = (ip.counters.drops[Drop.NETFILTER_DROP] as number) + 1;
    return false;
  }

  /** A filter that throws has said no. */
  #rule(flow: boolean): number {
    const filter = this.filter as Filter;
    try {
      const answer = flow ? filter.flow?.(this.#view) : filter.packet?.(this.#view);
      return answer ?? Ruling.DROP;
    } catch (error) {
      this.onError(error);
      return Ruling.DROP;
    }
  }

  #settle(rx: Rx, ruling: number): boolean {
    if (ruling === Ruling.ACCEPT) return true;
    if (ruling !== Ruling.DROP) {
      if (this.nat !== null && rx.family === 4) this.nat.restore(rx);
      reject(this.ip, rx, ruling);
    }
    drop(this.ip, rx, Drop.NETFILTER_DROP);
    return false;
  }
}

function ignore(): void {}
