// The one budget for what strangers and slow programs can make a stack hold: receive rings,
// out-of-order ranges, copied sends, records of what is in flight, control blocks, TIME-WAIT
// records, fragments, queues of datagrams. Whoever keeps something says so; whoever wants more asks
// first. Linux's tcp_mem, for all of it together: below `pressed` everything grows as it likes,
// above it nothing is given generously, at the cap newcomers are refused.
// @hot

/** What the octets are for. */
export const Held = {
  RECEIVE: 0,
  SEND: 1,
  RECORDS: 2,
  CONNECTIONS: 3,
  TIME_WAIT: 4,
  FRAGMENTS: 5,
  DATAGRAMS: 6,
} as const;
export const HELD_NAMES = [
  'receive',
  'send',
  'records',
  'connections',
  'timeWait',
  'fragments',
  'datagrams',
] as const;

export class MemoryBudget {
  /** Octets. */
  cap: number;
  /** Octets by kind. */
  readonly held = new Float64Array(HELD_NAMES.length);
  /** Octets promised to those that must not be refused: nobody else gets them. */
  reserved = 0;
  /** All kinds together: a float in a slot is not boxed. */
  readonly #total = new Float64Array(1);

  constructor(cap = Infinity) {
    this.cap = cap;
  }

  get used(): number {
    return this.#total[0] as number;
  }

  /** Notes `n` octets more (less, when negative) of a kind. */
  take(kind: number, n: number): void {
    this.held[kind] = (this.held[kind] as number) + n;
    this.#total[0] = (this.#total[0] as number) + n;
  }

  give(kind: number, n: number): void {
    this.take(kind, -n);
  }

  /** Whether `n` octets more stay below the cap. */
  fits(n: number): boolean {
    return (this.#total[0] as number) + this.reserved + n <= this.cap;
  }

  /** Three quarters are held: windows and buffers do not grow any more. */
  get pressed(): boolean {
    return (this.#total[0] as number) * 4 > this.cap * 3;
  }
}
