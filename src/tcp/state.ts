// The states of RFC 9293 §3.3.2 and the table of legal moves.

export const State = {
  CLOSED: 0,
  LISTEN: 1,
  SYN_SENT: 2,
  SYN_RCVD: 3,
  ESTABLISHED: 4,
  FIN_WAIT_1: 5,
  FIN_WAIT_2: 6,
  CLOSE_WAIT: 7,
  CLOSING: 8,
  LAST_ACK: 9,
  TIME_WAIT: 10,
} as const;
export type State = (typeof State)[keyof typeof State];

/** As `ss` prints them. */
const NAMES = [
  'UNCONN',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECV',
  'ESTAB',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
];

export function stateName(state: number): string {
  return NAMES[state] ?? 'UNKNOWN';
}

function bit(...states: State[]): number {
  let mask = 0;
  for (const s of states) mask |= 1 << s;
  return mask;
}

/**
 * Index = from, bits = to. Every state may go to CLOSED (RST, abort, timeout). RFC 9293 figure 5.
 */
const MOVES: readonly number[] = [
  bit(State.LISTEN, State.SYN_SENT, State.SYN_RCVD),
  bit(State.SYN_RCVD, State.SYN_SENT, State.CLOSED),
  bit(State.ESTABLISHED, State.SYN_RCVD, State.CLOSED, State.CLOSE_WAIT),
  bit(State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED),
  bit(State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED),
  bit(State.FIN_WAIT_2, State.CLOSING, State.TIME_WAIT, State.CLOSED),
  bit(State.TIME_WAIT, State.CLOSED),
  bit(State.LAST_ACK, State.CLOSED),
  bit(State.TIME_WAIT, State.CLOSED),
  bit(State.CLOSED),
  bit(State.CLOSED),
];

export function legalMove(from: number, to: number): boolean {
  return ((MOVES[from] ?? 0) & (1 << to)) !== 0;
}

const SYNCHRONIZED = bit(
  State.ESTABLISHED,
  State.FIN_WAIT_1,
  State.FIN_WAIT_2,
  State.CLOSE_WAIT,
  State.CLOSING,
  State.LAST_ACK,
  State.TIME_WAIT,
);

/** Both sides have agreed on sequence numbers. */
export function synchronized(state: number): boolean {
  return (SYNCHRONIZED & (1 << state)) !== 0;
}

const RECEIVES = bit(State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2);

/** The peer may still send data. */
export function receives(state: number): boolean {
  return (RECEIVES & (1 << state)) !== 0;
}

const SENDS = bit(State.ESTABLISHED, State.CLOSE_WAIT);

/** The program may still add data. */
export function sends(state: number): boolean {
  return (SENDS & (1 << state)) !== 0;
}

const TRANSMITS = bit(
  State.ESTABLISHED,
  State.CLOSE_WAIT,
  State.FIN_WAIT_1,
  State.CLOSING,
  State.LAST_ACK,
);

/** Queued data and FIN may (still) have to go out. */
export function transmits(state: number): boolean {
  return (TRANSMITS & (1 << state)) !== 0;
}
