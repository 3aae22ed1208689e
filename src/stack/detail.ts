// What `stack.sockets()` has no room for: everything about one connection, the packets behind the
// reasons of drops, fragments and path MTUs; and all views of a stack at once. Cold code: it
// allocates, walks, and changes nothing.

import { DROP_COUNT, dropName } from '../base/drop.ts';
import { EXAMPLE_OCTETS } from '../base/drop-examples.ts';
import * as seq from '../base/seq.ts';
import { NIL, Seg } from '../tcp/scoreboard.ts';
import { Rexmit, type Tcb } from '../tcp/tcb.ts';
import { Timer, timerArmed, timerId } from '../tcp/tcp.ts';
import { format } from '../wire/address.ts';
import { print } from '../wire/print.ts';
import { flowTables, memory, type SocketRow, sockets } from './snapshot.ts';
import type { Stack } from './stack.ts';
import { addressRows, linkRows, portRows, routeRows } from './tables.ts';

/** One transmission that is not acknowledged: [start, end) counted from the first octet. */
export interface RecordRow {
  start: number;
  end: number;
  segments: number;
  /** `sacked`, `lost`, `sent again` (now), `ever` (at some time), `fin`, `syn`. */
  marks: string[];
  /** Since it was last sent. */
  ageUs: number;
}

/** A connection from inside. Sequence numbers are counted from the initial ones: SYN is 0. */
export interface Detail {
  row: SocketRow;
  send: { iss: number; una: number; nxt: number; end: number; edge: number; highSeq: number };
  receive: { irs: number; nxt: number; read: number; edge: number };
  /** At most 1000; `recordCount` says how many there are. */
  records: RecordRow[];
  recordCount: number;
  /** Ranges beyond the hole, as [start, end). */
  outOfOrder: [number, number][];
  timers: { name: string; leftUs: number }[];
  congestion: Record<string, number | string | boolean>;
  listener: number | null;
}

const MOST_RECORDS = 1000;
const REXMIT = ['none', 'rto', 'tlp', 'reorder', 'probe', 'gate'];
const MARKS = [
  [Seg.SACKED, 'sacked'],
  [Seg.LOST, 'lost'],
  [Seg.RETRANS, 'sent again'],
  [Seg.EVER, 'ever'],
  [Seg.FIN, 'fin'],
  [Seg.SYN, 'syn'],
] as const;

/** Everything about the connection with this number; null: there is none (any more). */
export function connectionDetail(stack: Stack, sk: number): Detail | null {
  const t = stack.tcp.connections.find((one) => one !== null && one.id === sk);
  const row = sockets(stack).find((one) => one.sk === sk);
  if (t === null || t === undefined || row === undefined) return null;
  const out = (n: number): number => seq.diff(n, t.iss);
  const into = (n: number): number => seq.diff(n, t.irs);
  const listener = t.listener >= 0 ? stack.tcp.listeners[t.listener] : null;
  return {
    row,
    send: {
      iss: t.iss >>> 0,
      una: out(t.sndUna),
      nxt: out(t.sndNxt),
      end: out(t.sndEnd),
      edge: out((t.sndUna + t.sndWnd) | 0),
      highSeq: out(t.highSeq),
    },
    receive: {
      irs: t.irs >>> 0,
      nxt: into(t.rcvNxt),
      read: into(t.rcvRead),
      edge: into((t.rcvWup + t.rcvWnd) | 0),
    },
    records: recordsOf(t),
    recordCount: t.board.records,
    outOfOrder: rangesOf(t),
    timers: timersOf(t),
    congestion: congestionOf(t),
    listener: listener === null || listener === undefined ? null : listener.id,
  };
}

function recordsOf(t: Tcb): RecordRow[] {
  const p = t.layer.segs;
  const rows: RecordRow[] = [];
  let i = t.board.head;
  for (; i !== NIL && rows.length < MOST_RECORDS; i = p.next[i] as number) {
    const flags = p.flags[i] as number;
    rows.push({
      start: seq.diff(p.start[i] as number, t.iss),
      end: seq.diff(p.end[i] as number, t.iss),
      segments: p.segs[i] as number,
      marks: MARKS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name),
      ageUs: Math.round(t.layer.ip.nowUs - (p.sentUs[i] as number)),
    });
  }
  return rows;
}

function rangesOf(t: Tcb): [number, number][] {
  const ranges: [number, number][] = [];
  const { ofo } = t;
  if (ofo === null) return ranges;
  for (let i = 0; i < ofo.size; i++) {
    ranges.push([seq.diff(ofo.start(i), t.irs), seq.diff(ofo.end(i), t.irs)]);
  }
  return ranges;
}

function timersOf(t: Tcb): { name: string; leftUs: number }[] {
  const kinds = [
    [Timer.REXMIT, t.rexmit === Rexmit.NONE ? 'rto' : (REXMIT[t.rexmit] as string)],
    [Timer.DELACK, 'delack'],
    [Timer.KEEP, 'keep'],
    [Timer.LINGER, 'linger'],
    [Timer.PACE, 'pace'],
  ] as const;
  const { deadlines, ip } = t.layer;
  return kinds
    .filter(([kind]) => timerArmed(t, kind))
    .map(([kind, name]) => {
      const left = deadlines.deadline(timerId(t, kind)) - ip.nowUs;
      return { name, leftUs: Math.max(0, Math.round(left)) };
    });
}

function congestionOf(t: Tcb): Record<string, number | string | boolean> {
  return {
    controller: t.controller.name,
    cwndLimited: t.cwndLimited,
    cwndCount: t.cwndCount,
    highestDelivered: seq.diff(t.fackSeq, t.iss),
    rackRttUs: Math.round(t.rackRttUs),
    reorderingSteps: t.reoSteps,
    probeOut: t.tlpHighSeq !== 0,
    frto: t.frto,
    canUndo: t.canUndo,
    priorCwnd: t.priorCwnd,
    pacingRate: Math.round(t.pacingRate),
    deliveryRate: Math.round(t.rate),
    ackWish: t.ackWish,
    interactive: t.pingPong,
    softError: t.softError,
  };
}

/** A reason for which packets were discarded, and the beginning of the last of them. */
export interface DropRow {
  reason: string;
  count: number;
  /** Null: the packet was no longer there to be kept. */
  example: {
    agoUs: number;
    link: number;
    /** Of the whole packet; `octets` is its beginning, in hexadecimal digits. */
    length: number;
    octets: string;
    /** As tcpdump prints it. */
    text: string;
  } | null;
}

/** Every reason that has occurred, the most frequent first. */
export function dropRows(stack: Stack): DropRow[] {
  const rows: DropRow[] = [];
  for (let reason = 1; reason < DROP_COUNT; reason++) {
    const count = stack.counters.drops[reason] as number;
    if (count > 0)
      rows.push({ reason: dropName(reason), count, example: exampleOf(stack, reason) });
  }
  return rows.sort((x, y) => y.count - x.count);
}

function exampleOf(stack: Stack, reason: number): DropRow['example'] {
  const { examples, nowUs } = stack.ip;
  const length = examples.lengths[reason] as number;
  if (length < 0) return null;
  const at = reason * EXAMPLE_OCTETS;
  const kept = Math.min(length, EXAMPLE_OCTETS);
  const octets = examples.octets.subarray(at, at + kept);
  return {
    agoUs: Math.max(0, Math.round(nowUs - (examples.atUs[reason] as number))),
    link: examples.links[reason] as number,
    length,
    octets: Array.from(octets, (o) => o.toString(16).padStart(2, '0')).join(''),
    text: print(octets, 0, kept),
  };
}

/** Datagrams of one family whose fragments have not all come. */
export interface FragmentsRow {
  family: 4 | 6;
  datagrams: number;
  sources: number;
  /** Octets that are accounted for them. */
  octets: number;
  waiting: FragmentRow[];
}

export interface FragmentRow {
  source: string;
  destination: string;
  id: number;
  /** Octets held, and how many there will be; -1 while the last fragment has not come. */
  held: number;
  end: number;
  parts: number;
  leftUs: number;
}

const MOST_DATAGRAMS = 100;

export function fragmentRows(stack: Stack): FragmentsRow[] {
  const { ip } = stack;
  return [ip.reassembly, ip.reassembly6].map((store) => ({
    family: store.family,
    datagrams: store.datagrams,
    sources: store.sources,
    octets: store.octets,
    waiting: store.list(MOST_DATAGRAMS).map((d) => {
      const word = (n: number): number => d.name[n] as number;
      return {
        source: format(word(0), word(1), word(2), word(3)),
        destination: format(word(4), word(5), word(6), word(7)),
        id: word(8) >>> 0,
        held: d.held,
        end: d.end,
        parts: d.parts.length,
        leftUs: Math.max(0, Math.round(d.deadlineUs - ip.nowUs)),
      };
    }),
  }));
}

/** Path MTUs that routers have told of. */
export interface PathRow {
  address: string;
  mtu: number;
  leftUs: number;
}

export function pathRows(stack: Stack): PathRow[] {
  const { nowUs } = stack.ip;
  return stack.ip.pmtu.list().map(({ address, mtu, expiresUs }) => {
    return { address, mtu, leftUs: Math.max(0, Math.round(expiresUs - nowUs)) };
  });
}

/** Every view at once. */
export function inspectStack(stack: Stack) {
  return {
    nowUs: stack.ip.nowUs,
    sockets: sockets(stack),
    ports: portRows(stack),
    flows: flowTables(stack),
    addresses: addressRows(stack),
    routes: routeRows(stack),
    links: linkRows(stack),
    fragments: fragmentRows(stack),
    paths: pathRows(stack),
    memory: memory(stack),
    ...stack.counters.snapshot(),
    discarded: dropRows(stack),
  };
}
export type StackView = ReturnType<typeof inspectStack>;
