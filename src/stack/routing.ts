// A stack as a router: its part of the walk, and what a program says about it.

import { Code, CodeError } from '../base/code.ts';
import { Conntrack } from '../forward/conntrack.ts';
import { Forwarding } from '../forward/forwarding.ts';
import { Nat } from '../forward/nat.ts';
import { type NatOptions, readRules } from '../forward/nat-rules.ts';
import type { Filter } from '../forward/packet-view.ts';
import { format, V4_MAPPED } from '../wire/address.ts';
import type { Stack } from './stack.ts';

/** A connection through the router, for people. */
export interface TrackedRow {
  protocol: 'tcp' | 'udp' | 'icmp';
  /** TCP's as nf_conntrack names it; '' for others. */
  state: string;
  /** As the packets of each direction arrive: `address:port`. */
  original: { from: string; to: string };
  reply: { from: string; to: string };
  answered: boolean;
  /** ms after which it is let go when nothing passes. */
  expiresMs: number;
}

const STATES = ['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'LAST_ACK'];
const LAST_STATES = ['TIME_WAIT', 'CLOSE'];

export class Routing {
  readonly forwarding: Forwarding;
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.forwarding = new Forwarding(stack.ip);
    this.forwarding.onError = (error) => stack.tcp.errors.push(error);
    if (stack.config.forward.forwarding) this.setForwarding(true);
  }

  /**
   * Packets for others are forwarded, or not; with `link` those that come by it, null: as the rest.
   * Throws CodeError ENODEV.
   */
  setForwarding(on: boolean | null, link?: number): void {
    const known = link === undefined ? null : this.#stack.ip.links[link];
    if (known === undefined) throw new CodeError(Code.ENODEV, 'forwarding');
    if (link === undefined) this.forwarding.all = on === true;
    else this.forwarding.setLink(link, on);
    this.#settle();
  }

  get filter(): Filter | null {
    return this.forwarding.filter;
  }

  setFilter(filter: Filter | null): void {
    this.forwarding.filter = filter;
    this.#settle();
  }

  /**
   * Follows connections of IPv4 and translates them by these rules; null: no longer, and what was
   * known of them is forgotten. Throws RangeError where the rules make no sense.
   */
  setNat(options: NatOptions | null): void {
    const { ip, config } = this.#stack;
    this.forwarding.nat = null;
    if (options !== null) {
      const track = new Conntrack(ip, config.forward, ip.random);
      const nat = new Nat(ip, readRules(options), track, (protocol, port) =>
        this.#isOwnPort(protocol, port),
      );
      nat.askFlow = (rx) => this.forwarding.askFlow(rx);
      this.forwarding.nat = nat;
    }
    this.#settle();
  }

  /** The connections that are followed. */
  tracked(): TrackedRow[] {
    return tracked(this.forwarding, this.#stack.ip.nowUs);
  }

  advance(): void {
    this.forwarding.nat?.track.advance();
  }

  nextDeadline(): number {
    const { nat } = this.forwarding;
    return nat === null ? Infinity : nat.track.nextDeadline();
  }

  #isOwnPort(protocol: number, port: number): boolean {
    if (protocol !== 6 && protocol !== 17) return false;
    const { ports } = protocol === 6 ? this.#stack.tcp : this.#stack.udpLayer;
    return ports.bindings(port).length > 0;
  }

  /** The IP layer asks a router only where there is something to ask. */
  #settle(): void {
    this.#stack.ip.router = this.forwarding.isIdle ? null : this.forwarding;
  }
}

/** Which connections go through the router now. */
function tracked(forwarding: Forwarding, nowUs: number): TrackedRow[] {
  const nat = forwarding.nat;
  if (nat === null) return [];
  const { track } = nat;
  const end = (address: number, port: number): string =>
    `${format(0, 0, V4_MAPPED, address)}:${port}`;
  const side = (id: number): { from: string; to: string } => ({
    from: end(track.src(id), track.ports(id) >>> 16),
    to: end(track.dst(id), track.ports(id) & 0xffff),
  });
  return track.ids().map((id) => {
    const protocol = track.protocol(id);
    return {
      protocol: protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : 'icmp',
      state: protocol === 6 ? ([...STATES, ...LAST_STATES][track.state(id)] as string) : '',
      original: side(id),
      reply: side(id + 1),
      answered: track.isAnswered(id),
      expiresMs: Math.max(0, (track.expiresUs(id) - nowUs) / 1000),
    };
  });
}
