// Events as plain objects for people and programs: what the numbers of a ring mean. Cold code.

import { codeName } from '../base/code.ts';
import { dropName } from '../base/drop.ts';
import {
  Block,
  CwndCause,
  LossCause,
  Queue,
  RouteChange,
  Seen,
  Sent,
  TimerName,
  UndoCause,
} from '../base/watch.ts';
import type { Stack } from '../stack/stack.ts';
import { State, stateName } from '../tcp/state.ts';
import { format } from '../wire/address.ts';
import { Flag } from '../wire/tcp.ts';
import { EventHub, type EventRing, type SubscribeOptions } from './events.ts';

/** One event. `at` is the stack's clock in µs; `sk` a socket's number, as in `stack.sockets()`. */
export type EventRow = { readonly at: number; readonly sk: number } & (
  | StateRow
  | SegmentRow<'sent'>
  | SegmentRow<'received'>
  | { kind: 'acked'; una: number; edge: number; segments: number; inFlight: number }
  | { kind: 'sacked'; start: number; end: number; what: 'new' | 'duplicate' | 'refused' }
  | {
      kind: 'cwnd';
      cwnd: number;
      ssthresh: number;
      inFlight: number;
      ca: string;
      cause: string;
    }
  | { kind: 'rtt'; sampleUs: number; srttUs: number; rttvarUs: number; rtoUs: number }
  | { kind: 'lost'; start: number; end: number; segments: number; cause: string }
  | { kind: 'undone'; cwnd: number; ssthresh: number; cause: string }
  | { kind: 'timer'; timer: string; delayUs: number }
  | { kind: 'fired'; timer: string }
  | { kind: 'delivered'; octets: number; end: number }
  | { kind: 'drop'; reason: string; octets: number; link: number; ports: [number, number] }
  | { kind: 'overflow'; queue: string; waiting: number }
  | { kind: 'refused'; netid: 'tcp' | 'udp'; address: string; port: number; code: string }
  | { kind: 'route'; change: string; prefix: string; link: number }
  | { kind: 'neighbour'; address: string; link: number; from: number; to: number }
);

export interface StateRow {
  kind: 'state';
  from: string;
  to: string;
  /** What the peer or the program did, or the error's name. */
  cause: string;
  local: { address: string; port: number };
  remote: { address: string; port: number };
}

export interface SegmentRow<Kind = 'sent' | 'received'> {
  kind: Kind;
  seq: number;
  octets: number;
  ack: number;
  /** `sent`: the edge of our window; `received`: the peer's window in octets. */
  window: number;
  /** As tcpdump prints them: `S.`, `P.`, `.`. */
  flags: string;
  again?: true;
  probe?: true;
  /** Wire segments of a super-segment. */
  segments?: number;
}

/** The names of events, index = Seen. */
export const EVENT_KINDS = [
  ...['from', 'to', 'state', 'sent', 'received', 'acked', 'sacked', 'cwnd', 'rtt', 'lost'],
  ...['undone', 'timer', 'fired', 'delivered', 'drop', 'overflow', 'refused', 'route'],
  'neighbour',
] as const;

/** Names of kinds as the bits that `subscribe` takes; null: one is unknown. */
export function kindsMask(names: readonly string[]): number | null {
  let mask = 0;
  for (const name of names) {
    const i = (EVENT_KINDS as readonly string[]).indexOf(name);
    if (i < 2) return null;
    mask |= 1 << i;
  }
  return mask;
}

function names(table: Readonly<Record<string, number>>): string[] {
  const out: string[] = [];
  for (const [name, i] of Object.entries(table)) out[i] = name.toLowerCase().replaceAll('_', ' ');
  return out;
}

const BLOCKS = names(Block);
const CWND = names(CwndCause);
const LOSS = names(LossCause);
const UNDO = names(UndoCause);
const TIMERS = names(TimerName);
const QUEUES = names(Queue);
const ROUTES = names(RouteChange);
const CA = ['open', 'disorder', 'cwr', 'recovery', 'loss'];

/** `S.`, `FP.`, as tcpdump prints them. */
export function flagsText(flags: number): string {
  const letters = [
    [Flag.FIN, 'F'],
    [Flag.SYN, 'S'],
    [Flag.RST, 'R'],
    [Flag.PSH, 'P'],
    [Flag.URG, 'U'],
    [Flag.ECE, 'E'],
    [Flag.CWR, 'W'],
    [Flag.ACK, '.'],
  ] as const;
  return letters.map(([bit, letter]) => ((flags & bit) === 0 ? '' : letter)).join('');
}

/** What leads from one state to the next (RFC 9293 figure 5). */
export function causeOf(from: number, to: number, code: number): string {
  if (code !== 0) return codeName(code);
  switch (to) {
    case State.SYN_SENT:
      return 'active open';
    case State.SYN_RCVD:
      return from === State.SYN_SENT ? 'SYN crossed ours' : 'SYN received';
    case State.ESTABLISHED:
      return from === State.SYN_SENT ? 'SYN acknowledged' : 'handshake complete';
    case State.FIN_WAIT_1:
    case State.LAST_ACK:
      return 'closed by the program';
    case State.FIN_WAIT_2:
      return 'FIN acknowledged';
    case State.CLOSE_WAIT:
    case State.CLOSING:
      return 'FIN received';
    case State.TIME_WAIT:
      return from === State.CLOSING ? 'FIN acknowledged' : 'FIN received';
    default:
      if (from === State.TIME_WAIT) return 'TIME-WAIT over';
      return from === State.LAST_ACK ? 'FIN acknowledged' : 'done';
  }
}

/** Reads rings into rows; remembers the ends that stand before an event. */
export class EventReader {
  readonly ring: EventRing;
  #from = '';
  #to = '';

  constructor(ring: EventRing) {
    this.ring = ring;
  }

  get lost(): number {
    return this.ring.lost;
  }

  /** At most `most` rows that have come since the last call. */
  take(most = 1000): EventRow[] {
    const rows: EventRow[] = [];
    const { ring } = this;
    while (rows.length < most && ring.next()) {
      if (ring.kind === Seen.FROM) this.#from = format(ring.a, ring.b, ring.c, ring.d);
      else if (ring.kind === Seen.TO) this.#to = format(ring.a, ring.b, ring.c, ring.d);
      else rows.push(rowOf(ring, this.#from, this.#to));
    }
    return rows;
  }

  close(): void {
    this.ring.close();
  }
}

function rowOf(r: EventRing, from: string, to: string): EventRow {
  const head = { at: r.atUs, sk: r.socket };
  switch (r.kind) {
    case Seen.STATE:
      return {
        ...head,
        kind: 'state',
        from: stateName(r.a),
        to: stateName(r.b),
        cause: causeOf(r.a, r.b, r.c),
        local: { address: from, port: r.d >>> 16 },
        remote: { address: to, port: r.d & 0xffff },
      };
    case Seen.SENT:
    case Seen.RECEIVED:
      return { ...head, ...segmentOf(r) } as EventRow;
    case Seen.DROP:
      return {
        ...head,
        kind: 'drop',
        reason: dropName(r.a),
        octets: r.b,
        link: r.details,
        ports: [r.d >>> 16, r.d & 0xffff],
      };
    case Seen.REFUSED:
      return {
        ...head,
        kind: 'refused',
        netid: r.b === 6 ? 'tcp' : 'udp',
        address: from,
        port: r.a,
        code: codeName(r.c),
      };
    case Seen.ROUTE:
      return {
        ...head,
        kind: 'route',
        change: ROUTES[r.details] ?? '',
        prefix: r.details === RouteChange.LINK ? '' : `${from}/${r.b}`,
        link: r.a,
      };
    case Seen.NEIGHBOUR:
      return { ...head, kind: 'neighbour', address: from, link: r.a, from: r.b, to: r.c };
    default:
      return { ...head, ...senderRow(r) } as EventRow;
  }
}

function segmentOf(r: EventRing): SegmentRow {
  const wire = r.kind === Seen.SENT ? r.details >>> Sent.SEGMENTS : 1;
  return {
    kind: r.kind === Seen.SENT ? 'sent' : 'received',
    seq: r.a >>> 0,
    octets: r.b,
    ack: r.c >>> 0,
    window: r.d >>> 0,
    flags: flagsText(r.details & 0xff),
    ...((r.details & Sent.AGAIN) === 0 ? {} : { again: true }),
    ...((r.details & Sent.PROBE) === 0 ? {} : { probe: true }),
    ...(wire === 1 ? {} : { segments: wire }),
  };
}

/** What the sender's judgement and the clock have to say. */
function senderRow(r: EventRing): object {
  const { a, b, c, d, details } = r;
  switch (r.kind) {
    case Seen.ACKED:
      return { kind: 'acked', una: a >>> 0, edge: b >>> 0, segments: c, inFlight: d };
    case Seen.SACKED:
      return { kind: 'sacked', start: a >>> 0, end: b >>> 0, what: BLOCKS[details] };
    case Seen.CWND:
      return { kind: 'cwnd', cwnd: a, ssthresh: b, inFlight: c, ca: CA[d], cause: CWND[details] };
    case Seen.RTT:
      return { kind: 'rtt', sampleUs: a, srttUs: b, rttvarUs: c, rtoUs: d };
    case Seen.LOST:
      return { kind: 'lost', start: a >>> 0, end: b >>> 0, segments: c, cause: LOSS[details] };
    case Seen.UNDONE:
      return { kind: 'undone', cwnd: a, ssthresh: b, cause: UNDO[details] };
    case Seen.TIMER_SET:
      return { kind: 'timer', timer: TIMERS[details], delayUs: a };
    case Seen.TIMER_FIRED:
      return { kind: 'fired', timer: TIMERS[details] };
    case Seen.DELIVERED:
      return { kind: 'delivered', octets: a, end: b >>> 0 };
    default:
      return { kind: 'overflow', queue: QUEUES[details], waiting: a };
  }
}

/** A ring of what the stack does from now on; `close` it. Throws RangeError beyond 16 of them. */
export function subscribe(stack: Stack, o: SubscribeOptions = {}): EventReader {
  const { ip } = stack;
  const hub = ip.watch instanceof EventHub ? ip.watch : new EventHub(ip);
  return new EventReader(hub.add(o));
}
