// A datagram in reassembly, and the lists it hangs on: by age, by use, and its source's own.

/** What a datagram and a fragment cost to keep besides their octets. */
export const DATAGRAM_COST = 512;
export const FRAGMENT_COST = 128;

/** Lists that a datagram is on. */
export const Chained = { AGE: 0, USE: 1, SOURCE: 2 } as const;

/** Bits of the codepoints CE and Not-ECT (RFC 3168 §5). */
const MIXED = (1 << 3) | (1 << 0);

/** Words of a datagram's name: source, destination, identification, protocol (0 for IPv6). */
export const NAME_WORDS = 10;

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

/** Datagrams of one sender: an IPv4 address, or an IPv6 /64, whose hosts nobody tells apart. */
export class Source {
  /** Words 2 and 3 of an IPv4 address, 0 and 1 of an IPv6 one. */
  high = 0;
  low = 0;
  bucket = 0;
  octets = 0;
  readonly datagrams = new Chain(Chained.SOURCE);

  begin(high: number, low: number, bucket: number): void {
    this.high = high;
    this.low = low;
    this.bucket = bucket;
    this.octets = 0;
  }
}

const NO_SOURCE = new Source();

/** Used again and again: a flood of fragments leaves no garbage but their octets. */
export class Datagram {
  readonly name = new Int32Array(NAME_WORDS);
  source = NO_SOURCE;
  bucket = 0;
  deadlineUs = 0;
  /** Fragments sorted by offset, disjoint. */
  readonly offsets: number[] = [];
  readonly parts: Uint8Array[] = [];
  /** What came before the payload of the fragment at offset 0, a Fragment header included. */
  header: Uint8Array | null = null;
  /** Octets of `header` that the whole keeps (RFC 8200 §4.5: the per-fragment headers). */
  kept = 0;
  /** Where in them stands what follows, and what that is; IPv6 only. */
  nextAt = 0;
  nextHeader = 0;
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

  /** A new life under another name. */
  begin(name: Int32Array, source: Source, bucket: number, deadlineUs: number): void {
    for (let i = 0; i < NAME_WORDS; i++) this.name[i] = name[i] as number;
    this.source = source;
    this.bucket = bucket;
    this.deadlineUs = deadlineUs;
    this.kept = 0;
    this.nextAt = 0;
    this.nextHeader = 0;
    this.end = -1;
    this.cost = 0;
    this.ecn = 0;
    this.dead = false;
    this.flags = 0;
  }

  /** Lets go of the octets. */
  empty(): void {
    this.offsets.length = 0;
    this.parts.length = 0;
    this.header = null;
    this.held = 0;
  }

  /** Every octet from the first to the last is there. */
  get complete(): boolean {
    return this.end >= 0 && this.held === this.end && this.header !== null;
  }

  /** RFC 3168 §5.3: CE beside a fragment that cannot bear it is somebody's forgery. */
  get isEcnMixed(): boolean {
    return (this.ecn & MIXED) === MIXED;
  }

  isNamed(name: Int32Array): boolean {
    for (let i = 0; i < NAME_WORDS; i++) if (this.name[i] !== name[i]) return false;
    return true;
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
