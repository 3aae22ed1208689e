// Routes of both families, longest prefix first, then lowest metric, then oldest (RFC 1122 §3.3.1).
// A route names a link and optionally a gateway, the source to prefer and an MTU. Routes that are
// out of use (their link is down, their gateway is dead) leave the table but are kept.

import type { Address, Prefix } from '../wire/address.ts';
import { mappedLength, maskWord } from '../wire/address.ts';
import { PrefixTable } from './prefix-table.ts';

/** Most routes of one stack. */
export const MAX_ROUTES = 65_536;

export interface RouteSpec {
  readonly prefix: Prefix;
  readonly linkId: number;
  readonly gateway?: Address | null;
  /** Source address of packets that take this route, unless the socket has its own. */
  readonly source?: Address | null;
  /** Lower is better; default 0. */
  readonly metric?: number;
  /** Largest packet in octets, 0 = the link's. */
  readonly mtu?: number;
}

export class Route {
  readonly prefix: Prefix;
  readonly linkId: number;
  readonly gateway: Address | null;
  readonly source: Address | null;
  readonly metric: number;
  readonly mtu: number;
  usable = true;
  /** Index of the next worse route of the same prefix, -1 at the end. */
  next = -1;

  constructor(spec: RouteSpec) {
    this.prefix = spec.prefix;
    this.linkId = spec.linkId;
    this.gateway = spec.gateway ?? null;
    this.source = spec.source ?? null;
    this.metric = spec.metric ?? 0;
    this.mtu = spec.mtu ?? 0;
  }
}

export class Routes {
  readonly #routes: (Route | null)[] = [];
  readonly #free: number[] = [];
  readonly #table = new PrefixTable();
  readonly #words = new Int32Array(4);
  #size = 0;
  #unusable = 0;

  get size(): number {
    return this.#size;
  }

  /** Every route, in no particular order. */
  list(): Route[] {
    return this.#routes.filter((route): route is Route => route !== null);
  }

  at(index: number): Route {
    return this.#routes[index] as Route;
  }

  /** Index of the route to an address, -1 when there is none. */
  lookup(a: number, b: number, c: number, d: number): number {
    return this.#table.lookup(a, b, c, d);
  }

  /**
   * Index of the route to an address by one link, -1 when there is none. Walks all routes: for what
   * is bound to a link, which asks when its path is made.
   */
  lookupOn(linkId: number, a: number, b: number, c: number, d: number): number {
    let best = -1;
    let longest = -1;
    for (let i = 0; i < this.#routes.length; i++) {
      const route = this.#routes[i];
      if (route === null || route === undefined) continue;
      if (!route.usable || route.linkId !== linkId) continue;
      const length = mappedLength(route.prefix);
      const isBetter =
        length > longest || (length === longest && route.metric < this.at(best).metric);
      if (isBetter && holds(route.prefix, a, b, c, d)) {
        best = i;
        longest = length;
      }
    }
    return best;
  }

  /**
   * Index of the new route, or of an equal one that is there already; -1 when the table is full.
   */
  add(spec: RouteSpec): number {
    const same = this.find(spec);
    if (same >= 0) return same;
    if (this.#size >= MAX_ROUTES) return -1;
    const index = this.#free.pop() ?? this.#routes.length;
    this.#routes[index] = new Route(spec);
    this.#size++;
    this.#link(index);
    return index;
  }

  /** Index of the route that equals `spec` in everything but its MTU; -1. */
  find(spec: RouteSpec): number {
    for (let i = this.#head(spec); i >= 0; i = this.at(i).next) {
      if (equal(this.at(i), spec)) return i;
    }
    // Those out of use hang on no chain.
    if (this.#unusable === 0) return -1;
    return this.#routes.findIndex((r) => r !== null && !r.usable && equal(r, spec));
  }

  remove(index: number): void {
    const route = this.#routes[index];
    if (route === null || route === undefined) return;
    if (route.usable) this.#unlink(index);
    else this.#unusable--;
    this.#routes[index] = null;
    this.#free.push(index);
    this.#size--;
  }

  /** Takes a route out of use or back into it (dead gateways, RFC 1122 §3.3.1.4). */
  setUsable(index: number, usable: boolean): void {
    const route = this.#routes[index];
    if (route === null || route === undefined || route.usable === usable) return;
    if (usable) {
      route.usable = true;
      this.#unusable--;
      this.#link(index);
    } else {
      this.#unlink(index);
      route.usable = false;
      this.#unusable++;
    }
  }

  /** The same for every route of a link that goes down or comes up. */
  setLinkUsable(linkId: number, usable: boolean): void {
    for (let i = 0; i < this.#routes.length; i++) {
      if (this.#routes[i]?.linkId === linkId) this.setUsable(i, usable);
    }
  }

  removeLink(linkId: number): void {
    for (let i = 0; i < this.#routes.length; i++) {
      if (this.#routes[i]?.linkId === linkId) this.remove(i);
    }
  }

  #link(index: number): void {
    const route = this.at(index);
    const head = this.#head(route);
    if (head < 0 || this.at(head).metric > route.metric) {
      route.next = head;
      this.#table.set(mappedLength(route.prefix), this.#words, index);
      return;
    }
    let before = this.at(head);
    while (before.next >= 0 && this.at(before.next).metric <= route.metric) {
      before = this.at(before.next);
    }
    route.next = before.next;
    before.next = index;
  }

  #unlink(index: number): void {
    const route = this.at(index);
    const head = this.#head(route);
    const length = mappedLength(route.prefix);
    if (head === index) {
      if (route.next < 0) this.#table.delete(length, this.#words);
      else this.#table.set(length, this.#words, route.next);
      return;
    }
    let before = this.at(head);
    while (before.next !== index) before = this.at(before.next);
    before.next = route.next;
  }

  #head(route: { readonly prefix: Prefix }): number {
    const { address } = route.prefix;
    const words = this.#words;
    words[0] = address.a;
    words[1] = address.b;
    words[2] = address.c;
    words[3] = address.d;
    return this.#table.get(mappedLength(route.prefix), words);
  }
}

function holds(p: Prefix, a: number, b: number, c: number, d: number): boolean {
  const { address } = p;
  const length = mappedLength(p);
  const differ =
    ((a ^ address.a) & maskWord(length, 0)) |
    ((b ^ address.b) & maskWord(length, 1)) |
    ((c ^ address.c) & maskWord(length, 2)) |
    ((d ^ address.d) & maskWord(length, 3));
  return differ === 0;
}

function equal(route: Route, spec: RouteSpec): boolean {
  return (
    route.linkId === spec.linkId &&
    route.prefix.length === spec.prefix.length &&
    route.prefix.address.equals(spec.prefix.address) &&
    route.metric === (spec.metric ?? 0) &&
    sameOrNone(route.gateway, spec.gateway) &&
    sameOrNone(route.source, spec.source)
  );
}

function sameOrNone(x: Address | null, y: Address | null | undefined): boolean {
  if (x === null || y === null || y === undefined) return x === (y ?? null);
  return x.equals(y);
}
