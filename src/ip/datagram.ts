// A datagram in reassembly, and the lists it hangs on: by age, by use, and its source's own.

/** What a datagram and a fragment cost to keep besides their octets. */
export const DATAGRAM_COST = 512;
export const FRAGMENT_COST = 128;

/** Lists that a datagram is on. */
export const Chained = { AGE: 0, USE: 1, SOURCE: 2 } as const;

export interface FragmentKey {
  readonly src: number;
  readonly dst: number;
  /** Identification << 8 | protocol. */
  readonly idProto: number;
}

export class Datagram {
  readonly src: number;
  readonly dst: number;
  readonly idProto: number;
  readonly source: Source;
  readonly bucket: number;
  readonly deadlineUs: number;
  /** Fragments sorted by offset, disjoint. */
  readonly offsets: number[] = [];
  readonly parts: Uint8Array[] = [];
  /** Header of the fragment at offset 0. */
  header: Uint8Array | null = null;
  /** Octets of payload held, and where the last fragment ends; -1 while unknown. */
  held = 0;
  end = -1;
  /** Accounted memory. */
  cost = 0;
  /** Bit n: a fragment with ECN codepoint n came. */
  ecn = 0;
  /** Killed by an overlap: swallows what still comes, until its time is over. */
  dead = false;
  /** Flags of the first fragment that matter to the whole. */
  flags = 0;
  readonly next: (Datagram | null)[] = [null, null, null];
  readonly prev: (Datagram | null)[] = [null, null, null];

  constructor(key: FragmentKey, source: Source, bucket: number, deadlineUs: number) {
    this.src = key.src;
    this.dst = key.dst;
    this.idProto = key.idProto;
    this.source = source;
    this.bucket = bucket;
    this.deadlineUs = deadlineUs;
  }

  /** Every octet from the first to the last is there. */
  get complete(): boolean {
    return this.end >= 0 && this.held === this.end && this.header !== null;
  }

  /** Index of the first fragment at or behind `offset`. */
  place(offset: number): number {
    let low = 0;
    let high = this.offsets.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.offsets[mid] as number) < offset) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}

/** All datagrams of one sender. */
export class Source {
  readonly address: number;
  readonly bucket: number;
  octets = 0;
  readonly datagrams = new Chain(Chained.SOURCE);

  constructor(address: number, bucket: number) {
    this.address = address;
    this.bucket = bucket;
  }
}

/** A doubly linked list through the datagrams themselves. */
export class Chain {
  readonly #kind: number;
  first: Datagram | null = null;
  #last: Datagram | null = null;
  #size = 0;

  constructor(kind: number) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#size;
  }

  push(d: Datagram): void {
    const kind = this.#kind;
    d.prev[kind] = this.#last;
    d.next[kind] = null;
    if (this.#last === null) this.first = d;
    else this.#last.next[kind] = d;
    this.#last = d;
    this.#size++;
  }

  remove(d: Datagram): void {
    const kind = this.#kind;
    const before = d.prev[kind] as Datagram | null;
    const after = d.next[kind] as Datagram | null;
    if (before === null) this.first = after;
    else before.next[kind] = after;
    if (after === null) this.#last = before;
    else after.prev[kind] = before;
    this.#size--;
  }

  /** The first that is not `keep`; `keep` when it is alone. */
  firstBut(keep: Datagram): Datagram {
    const first = this.first as Datagram;
    if (first !== keep) return first;
    return first.next[this.#kind] ?? keep;
  }
}
