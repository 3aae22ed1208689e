// What the page knows: the sum of all frames, bounded.

import type { BriefRow } from '../../inspect/brief.ts';
import type { SendMap } from '../../stack/send-map.ts';
import type {
  ConnPart,
  EventRow,
  Frame,
  Hello,
  PacketRow,
  SampleRow,
  SegmentRow,
  Snapshot,
  StateMove,
} from '../frames.ts';
import { clock } from './dom.ts';

const MOST_PACKETS = 20_000;
const MOST_EVENTS = 10_000;
const MOST_SEGMENTS = 20_000;
/** Seconds of the small curves. */
export const MINUTE = 60;

export interface Conn {
  host: string;
  key: string;
  state: string;
  moves: StateMove[];
  segments: SegmentRow[];
  samples: SampleRow[];
  map: SendMap | null;
  info: Readonly<Record<string, unknown>> | null;
}

/** A number that grows, its speed, and its growth in each second of the last minute. */
export class Gauge {
  value = 0;
  rate = 0;
  readonly seconds = new Float64Array(MINUTE);
  #us = -1;
  #second = -1;

  set(value: number, us: number): void {
    const grown = this.#us < 0 ? 0 : Math.max(0, value - this.value);
    this.value = value;
    this.turn(us);
    if (this.#us >= 0) this.seconds[this.#second % MINUTE] += grown;
    this.#us = us;
  }

  /** Time has gone on: seconds begin, the speed is that of the last two whole ones. */
  turn(us: number): void {
    const second = Math.floor(us / 1e6);
    if (this.#second < 0) this.#second = second;
    if (second <= this.#second) return;
    const steps = Math.min(MINUTE, second - this.#second);
    for (let i = 1; i <= steps; i++) this.seconds[(second - steps + i) % MINUTE] = 0;
    this.#second = second;
    this.rate = this.seconds[(second + MINUTE - 1) % MINUTE];
  }

  /** Oldest first. */
  minute(): number[] {
    const now = Math.max(0, this.#second);
    return Array.from({ length: MINUTE }, (_, i) => this.seconds[(now + 1 + i) % MINUTE]);
  }
}

export class Store {
  hello: Hello | null = null;
  us = 0;
  connected = false;
  error = '';
  readonly sockets = new Map<string, BriefRow>();
  readonly counters = new Map<string, Gauge>();
  readonly drops = new Map<string, Gauge>();
  packets: PacketRow[] = [];
  events: EventRow[] = [];
  conn: Conn | null = null;
  whole: Partial<Snapshot> = {};
  /** Payload speed of a socket, octets per second. */
  readonly #moved = new Map<string, { us: number; octets: number; rate: number }>();

  clear(): void {
    clock(0);
    this.sockets.clear();
    this.counters.clear();
    this.drops.clear();
    this.#moved.clear();
    this.packets = [];
    this.events = [];
    this.conn = null;
    this.whole = {};
  }

  clearValues(): void {
    this.counters.clear();
    this.drops.clear();
  }

  apply(frame: Frame): void {
    if (frame.reset === true) this.clear();
    if (frame.hello !== undefined) {
      this.clear();
      this.hello = frame.hello;
    }
    if (frame.error !== undefined) this.error = frame.error;
    if (frame.us > 0) this.us = frame.us;
    if (frame.sockets !== undefined) this.#rows(frame.sockets.set, frame.sockets.gone);
    this.#gauges(this.counters, frame.counters);
    this.#gauges(this.drops, frame.drops);
    const { hosts, examples, memory, flows, ports, links, routes, neighbours, lab } = frame;
    const { epochUs, trouble } = frame;
    const tables = { flows, ports, links, routes, neighbours };
    const parts = { ...tables, hosts, examples, memory, lab, epochUs, trouble };
    if (epochUs !== undefined) clock(epochUs);
    for (const [name, value] of Object.entries(parts)) {
      if (value !== undefined) Object.assign(this.whole, { [name]: value });
    }
    if (frame.packets !== undefined)
      this.packets = joined(this.packets, frame.packets, MOST_PACKETS);
    if (frame.events !== undefined) this.events = joined(this.events, frame.events, MOST_EVENTS);
    if (frame.conn !== undefined) this.#part(frame.conn);
  }

  #rows(set: readonly BriefRow[], gone: readonly string[]): void {
    for (const row of set) {
      const name = `${row.host ?? ''} ${row.key}`;
      this.sockets.set(name, row);
      const octets = row.sent + row.received;
      const before = this.#moved.get(name);
      const seconds = before === undefined ? 0 : (this.us - before.us) / 1e6;
      if (before !== undefined && seconds < 0.5) continue;
      const rate = before === undefined ? 0 : (octets - before.octets) / seconds;
      this.#moved.set(name, { us: this.us, octets, rate: Math.max(0, rate) });
    }
    for (const name of gone) {
      this.sockets.delete(name);
      this.#moved.delete(name);
    }
  }

  rate(row: BriefRow): number {
    const moved = this.#moved.get(`${row.host ?? ''} ${row.key}`);
    // a row that has not changed for two seconds moves nothing
    return moved === undefined || this.us - moved.us > 2e6 ? 0 : moved.rate;
  }

  #gauges(to: Map<string, Gauge>, values: Record<string, number> | undefined): void {
    for (const [name, value] of Object.entries(values ?? {})) {
      let gauge = to.get(name);
      if (gauge === undefined) {
        gauge = new Gauge();
        to.set(name, gauge);
      }
      gauge.set(value, this.us);
    }
    for (const gauge of to.values()) gauge.turn(this.us);
  }

  #part(part: ConnPart): void {
    let conn = this.conn;
    if (part.fresh || conn === null || conn.host !== part.host || conn.key !== part.key) {
      const { host, key, state } = part;
      conn = { host, key, state, moves: [], segments: [], samples: [], map: null, info: null };
      this.conn = conn;
    }
    conn.state = part.state;
    conn.moves = joined(conn.moves, part.moves, 1000);
    conn.segments = joined(conn.segments, part.segments, MOST_SEGMENTS);
    conn.samples = joined(conn.samples, part.samples, MOST_SEGMENTS);
    conn.map = part.map;
    if (part.info !== null) conn.info = part.info;
  }
}

/** `more` behind `list`; of too many a quarter goes at once. */
function joined<T>(list: T[], more: readonly T[], most: number): T[] {
  for (const item of more) list.push(item);
  return list.length <= most ? list : list.slice(list.length - most + (most >> 2));
}
