// What an onlooker gets to hear of the stack's work: one interface, null when nobody looks. An
// event is a word (its kind, and details above it), the number of a socket and up to four int32;
// the layers write no text and keep nothing. inspect/events.ts keeps them.

import type { Drop } from './drop.ts';
import type { Rx } from './rx.ts';

/** Kinds, the low five bits of an event's word. What `a b c d` are stands behind each. */
export const Seen = {
  /** The two ends of the socket that the next event is about: four words of an address. */
  FROM: 0,
  TO: 1,
  /** a state before, b state now, c errno or 0, d ports (local << 16 | remote). */
  STATE: 2,
  /** a first number, b octets, c acknowledgment, d edge of our window; details: see Sent. */
  SENT: 3,
  /** a first number, b octets, c acknowledgment, d window in octets; details: flags. */
  RECEIVED: 4,
  /** a SND.UNA, b edge of the peer's window, c segments acknowledged, d segments in flight. */
  ACKED: 5,
  /** a first number, b number behind the block; details: Block. */
  SACKED: 6,
  /** a cwnd, b ssthresh, c segments in flight, d congestion state; details: CwndCause. */
  CWND: 7,
  /** a sample, b SRTT, c RTTVAR, d RTO: all µs. */
  RTT: 8,
  /** a first number, b number behind, c segments; details: LossCause. */
  LOST: 9,
  /** a cwnd, b ssthresh as they are again; details: UndoCause. */
  UNDONE: 10,
  /** a delay in µs; details: TimerName. */
  TIMER_SET: 11,
  /** details: TimerName. */
  TIMER_FIRED: 12,
  /** a octets, b number behind the last that the program has. */
  DELIVERED: 13,
  /** a reason, b octets, c last word of the source, d ports (source << 16 | destination);
   * details: link. */
  DROP: 14,
  /** a connections that wait, b the most that may; details: Queue. The number is the listener's. */
  OVERFLOW: 15,
  /** a port, b protocol, c errno; FROM before it is the address. */
  REFUSED: 16,
  /** a link, b length of the prefix; FROM before it is the prefix; details: RouteChange. */
  ROUTE: 17,
  /** a link, b state before, c state now; FROM before it is the address. */
  NEIGHBOUR: 18,
} as const;
export type Seen = (typeof Seen)[keyof typeof Seen];

/** Bits of SENT behind TCP's own flags, and where its count of wire segments stands. */
export const Sent = { AGAIN: 0x100, PROBE: 0x200, SEGMENTS: 10 } as const;
export const Block = { NEW: 0, DUPLICATE: 1, REFUSED: 2 } as const;
export const CwndCause = { ACK: 0, RTO: 1, REORDER_TIMER: 2, PROBE: 3, IDLE: 4 } as const;
export const LossCause = { RACK: 0, DUPACK: 1, RTO: 2, TLP: 3, MTU: 4, SYN_DATA: 5 } as const;
export const UndoCause = { FULL: 0, PARTIAL: 1, DSACK: 2, LOSS: 3, FRTO: 4 } as const;
export const TimerName = {
  RTO: 0,
  TLP: 1,
  REORDER: 2,
  PROBE: 3,
  GATE: 4,
  DELACK: 5,
  KEEP: 6,
  LINGER: 7,
  PACE: 8,
} as const;
export const Queue = { ACCEPT: 0, SYN: 1, COOKIE: 2 } as const;
export const RouteChange = { ROUTE: 0, NO_ROUTE: 1, ADDRESS: 2, NO_ADDRESS: 3, LINK: 4 } as const;

/** Bits of a word below the details. */
export const KIND_BITS = 5;

export interface Watch {
  /** Kinds that anybody wants: bit n for kind n. */
  readonly wants: number;
  /** @param what a kind, with details << KIND_BITS */
  note(what: number, id: number, a: number, b: number, c: number): void;
  /** The fourth value of the event that was noted last. */
  more(d: number): void;
  /** A packet has been discarded; it lies in `rx`. */
  dropped(reason: Drop, rx: Rx): void;
}
