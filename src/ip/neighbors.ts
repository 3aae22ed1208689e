// The neighbour cache of one link, both families. Three rings with a cap each, so that a flood in
// one throws nobody out of another (RFC 6583 §6): neighbours that are being asked for, those that
// have only asked for us, and those that we send to. The oldest of a full ring goes first; being
// looked up by a new path makes young again.

import { FlowHash, mix } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import { Neighbor, Nud } from './neighbor.ts';

export const Ring = { ASKED: 0, HEARD: 1, USED: 2 } as const;

const BUCKETS = 1024;

interface Chain {
  head: Neighbor | null;
  tail: Neighbor | null;
  size: number;
  readonly cap: number;
}

function chain(cap: number): Chain {
  return { head: null, tail: null, size: 0, cap };
}

export class Neighbors {
  readonly #linkId: number;
  readonly #key: FlowHash;
  readonly #buckets = new Array<Neighbor | null>(BUCKETS).fill(null);
  readonly #rings: Chain[];
  /** Told of a neighbour that a full ring has lost. */
  onEvicted: (n: Neighbor) => void = () => {};

  /** @param caps most neighbours that are asked for, heard of, used */
  constructor(linkId: number, random: Random, caps: { asked: number; max: number }) {
    this.#linkId = linkId;
    this.#key = new FlowHash(random);
    this.#rings = [chain(caps.asked), chain(caps.asked), chain(caps.max)];
  }

  get size(): number {
    let n = 0;
    for (const ring of this.#rings) n += ring.size;
    return n;
  }

  sizeOf(ring: number): number {
    return (this.#rings[ring] as Chain).size;
  }

  find(a: number, b: number, c: number, d: number): Neighbor | null {
    let n = this.#buckets[this.#bucket(a, b, c, d)] as Neighbor | null;
    while (n !== null) {
      if (n.d === d && n.c === c && n.b === b && n.a === a) return n;
      n = n.inBucket;
    }
    return null;
  }

  /** Adds one that is not there yet; the oldest of a full ring makes room. */
  add(words: Int32Array, ring: number): Neighbor {
    const [a, b, c, d] = words as unknown as [number, number, number, number];
    const n = new Neighbor(this.#linkId, a, b, c, d);
    n.bucket = this.#bucket(a, b, c, d);
    n.inBucket = this.#buckets[n.bucket] as Neighbor | null;
    this.#buckets[n.bucket] = n;
    this.#enter(n, ring);
    return n;
  }

  /** To the young end of a ring. */
  move(n: Neighbor, ring: number): void {
    if (n.state === Nud.FAILED) return;
    this.#leave(n);
    this.#enter(n, ring);
  }

  /** Forgets it: whoever still points at it finds it FAILED. */
  remove(n: Neighbor): void {
    if (n.state === Nud.FAILED) return;
    this.#leave(n);
    let at = this.#buckets[n.bucket] as Neighbor | null;
    if (at === n) this.#buckets[n.bucket] = n.inBucket;
    else {
      while (at !== null && at.inBucket !== n) at = at.inBucket;
      if (at !== null) at.inBucket = n.inBucket;
    }
    n.inBucket = null;
    n.state = Nud.FAILED;
    n.reachableUs = -1;
    n.dueUs = Infinity;
  }

  /** Every neighbour, oldest first within a ring. Adding and removing meanwhile is safe. */
  list(): Neighbor[] {
    const all: Neighbor[] = [];
    for (const ring of this.#rings) {
      for (let n = ring.head; n !== null; n = n.after) all.push(n);
    }
    return all;
  }

  #bucket(a: number, b: number, c: number, d: number): number {
    const k = this.#key;
    const h = mix(mix(mix(k.k0 ^ a, b, k.k1), c, k.k2), d, k.k1);
    return (h ^ (h >>> 10)) & (BUCKETS - 1);
  }

  #enter(n: Neighbor, to: number): void {
    const ring = this.#rings[to] as Chain;
    if (ring.size >= ring.cap && ring.head !== null) {
      const oldest = ring.head;
      this.remove(oldest);
      this.onEvicted(oldest);
    }
    n.ring = to;
    n.before = ring.tail;
    n.after = null;
    if (ring.tail === null) ring.head = n;
    else ring.tail.after = n;
    ring.tail = n;
    ring.size++;
  }

  #leave(n: Neighbor): void {
    const ring = this.#rings[n.ring] as Chain;
    if (n.before === null) ring.head = n.after;
    else n.before.after = n.after;
    if (n.after === null) ring.tail = n.before;
    else n.after.before = n.before;
    n.before = null;
    n.after = null;
    ring.size--;
  }
}
