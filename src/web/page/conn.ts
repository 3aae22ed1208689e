// One connection: its state diagram, its segments over time, its windows, its round trips, what of
// its send buffer is where, and every number of tcp_info.

import type { SendMap } from '../../stack/send-map.ts';
import type { SegmentRow } from '../frames.ts';
import { Diagram } from './diagram.ts';
import { count, h, octets, put, span } from './dom.ts';
import { Plot, type Series } from './plot.ts';
import type { Conn, Store } from './store.ts';
import type { Desk, View } from './view.ts';

/** Places in a SegmentRow. */
const At = { US: 0, OUT: 1, SEQ: 3, LEN: 4, ACK: 5, EDGE: 6, AGAIN: 7, SACK: 8 } as const;
/** Places in a SampleRow. */
const Of = { CWND: 1, SSTHRESH: 2, FLIGHT: 3, WND: 4, SRTT: 5, VAR: 6, RTO: 7 } as const;

const TIMES = new Set(['rto', 'ato', 'rtt', 'rttvar', 'min_rtt', 'rcv_rtt']);
const OCTETS = /^(bytes_|rcv_space|rcv_ssthresh|rcv_wnd|snd_wnd|notsent|recv_q|send_q)/;

export class ConnView implements View {
  readonly name = 'conn';
  readonly title = 'Connection';
  readonly views = ['sockets'];
  readonly keys = 'Esc back · d direction · k reset · drag zooms, double click shows all';
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #title = h('h2', { class: 'mono' });
  readonly #state = h('span', { class: 'pill' });
  readonly #diagram = new Diagram();
  readonly #sequence = new Plot({ label: 'Time and sequence', unit: octets, height: 270 });
  readonly #windows = new Plot({ label: 'Windows', unit: octets, height: 180 });
  readonly #round = new Plot({ label: 'Round trip and RTO', unit: span, height: 150 });
  readonly #map = h('div', { class: 'map', role: 'img' });
  readonly #mapWords = h('p', { class: 'quiet' });
  readonly #info = h('dl', { class: 'pairs info' });
  readonly #direction: HTMLButtonElement;
  /** null: the way on which more octets go. */
  #out: boolean | null = null;
  #store: Store | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
    const back = h('button', { type: 'button', click: () => desk.open('sockets') }, '← Sockets');
    this.#direction = h('button', { type: 'button', click: () => this.#turn() }, '');
    const bar = h('div', { class: 'bar' }, back, this.#title, this.#state, this.#direction);
    const left = h(
      'div',
      { class: 'left' },
      card('States (RFC 9293, figure 5)', this.#diagram.element),
    );
    const map = card('Send buffer', this.#map, this.#mapWords);
    const plots = [this.#sequence, this.#windows, this.#round].map((plot) => plot.element);
    const right = h('div', { class: 'right' }, ...plots, map, card('tcp_info', this.#info));
    this.element = h('section', { class: 'view' }, bar, h('div', { class: 'conn' }, left, right));
  }

  #turn(): void {
    this.#out = !(this.#out ?? true);
    if (this.#store !== null) this.draw(this.#store);
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === 'd') this.#turn();
    else if (event.key === 'Escape') this.#desk.open('sockets');
    else return false;
    return true;
  }

  draw(store: Store): void {
    this.#store = store;
    const { conn } = store;
    if (conn === null) return;
    const where = store.hello?.kind === 'lab' ? `${conn.host}: ` : '';
    put(this.#title, `${where}${conn.key}`);
    put(this.#state, conn.state);
    this.#state.className = `pill state-${conn.state.toLowerCase()}`;
    const since = begin(conn, store);
    this.#diagram.draw(conn.state, conn.moves, since);
    const out = this.#out ?? mostlyOut(conn.segments);
    put(this.#direction, out ? 'showing what it sends (d)' : 'showing what it receives (d)');
    this.#sequence.draw(sequence(conn.segments, out, since));
    this.#windows.draw(windows(conn, since));
    this.#round.draw(round(conn, since));
    this.#drawMap(conn.map);
    this.#drawInfo(conn.info ?? {});
  }

  #drawMap(map: SendMap | null): void {
    if (map === null) {
      this.#map.replaceChildren();
      put(this.#mapWords, 'The send buffer of this connection is not known here.');
      return;
    }
    const total = Math.max(1, map.end - map.una);
    const parts = pieces(map);
    const boxes = parts.map(({ from, to, kind }) => {
      const box = h('span', { class: `piece piece-${kind}`, title: `${kind} ${from}–${to}` });
      box.style.width = `${((to - from) / total) * 100}%`;
      return box;
    });
    this.#map.replaceChildren(...boxes);
    const sums = new Map<string, number>();
    for (const { from, to, kind } of parts) sums.set(kind, (sums.get(kind) ?? 0) + to - from);
    const names = {
      flight: 'in flight',
      again: 'sent again',
      sacked: 'sacked',
      lost: 'lost',
      unsent: 'not sent',
    };
    const marks = Object.entries(names).map(([kind, name]) =>
      h('span', { class: `mark mark-${kind}` }, `${name} ${octets(sums.get(kind) ?? 0)}`),
    );
    const acked = h('span', { class: 'mark mark-acked' }, `acknowledged ${octets(map.una)}`);
    this.#mapWords.replaceChildren(acked, ...marks);
    this.#map.setAttribute('aria-label', this.#mapWords.textContent ?? '');
  }

  #drawInfo(info: Readonly<Record<string, unknown>>): void {
    const pairs: HTMLElement[] = [];
    for (const [name, value] of Object.entries(info)) {
      pairs.push(h('dt', {}, name), h('dd', {}, infoText(name, value)));
    }
    this.#info.replaceChildren(...pairs);
  }
}

function card(title: string, ...children: HTMLElement[]): HTMLElement {
  return h('section', { class: 'card' }, h('h3', {}, title), ...children);
}

function infoText(name: string, value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const on = Object.entries(value).filter(([, yes]) => yes === true);
    return on.map(([word]) => word).join(' ') || 'none';
  }
  if (typeof value !== 'number') return String(value);
  if (name === 'snd_ssthresh' && value >= 0x7fffffff) return 'infinite';
  if (TIMES.has(name)) return span(value);
  if (/_rate$/.test(name)) return value === 0 ? '0' : `${octets(value)}/s`;
  if (/^last_/.test(name)) return `${count(value)} ms`;
  return OCTETS.test(name) ? octets(value) : count(value);
}

/** Of a host the first thing seen of the connection, of the laboratory the beginning of time. */
function begin(conn: Conn, store: Store): number {
  if (store.hello?.kind === 'lab') return 0;
  const first = [conn.moves[0]?.us, conn.segments[0]?.[0], conn.samples[0]?.[0]];
  return Math.min(...first.map((us) => us ?? Infinity), store.us);
}

function mostlyOut(segments: readonly SegmentRow[]): boolean {
  let sum = 0;
  for (const s of segments) sum += s[At.OUT] === 1 ? s[At.LEN] : -s[At.LEN];
  return sum >= 0;
}

/** Data of one way, and what the other says of it. */
function sequence(rows: readonly SegmentRow[], out: boolean, since: number): Series[] {
  const [sent, again, acks, edges, sacks]: number[][][] = [[], [], [], [], []];
  for (const row of rows) {
    const x = row[At.US] - since;
    if ((row[At.OUT] === 1) === out) {
      if (row[At.LEN] === 0) continue;
      const to = row[At.AGAIN] === 1 ? again : sent;
      to.push([x, row[At.SEQ], row[At.SEQ] + row[At.LEN]]);
      continue;
    }
    if (row[At.ACK] < 0) continue;
    acks.push([x, row[At.ACK]]);
    edges.push([x, row[At.EDGE]]);
    for (let i = At.SACK; i + 1 < row.length; i += 2) sacks.push([x, row[i], row[i + 1]]);
  }
  return [
    { name: 'window edge', colour: 'edge', kind: 'step', points: edges, loose: true },
    { name: 'acknowledged', colour: 'ack', kind: 'step', points: acks },
    { name: 'segments', colour: 'data', kind: 'bars', points: sent },
    { name: 'SACK blocks', colour: 'sack', kind: 'bars', points: sacks },
    { name: 'sent again', colour: 'bad', kind: 'bars', points: again },
  ];
}

function windows(conn: Conn, since: number): Series[] {
  const of = (at: number): number[][] =>
    conn.samples.filter((s) => s[at] > 0).map((s) => [s[0] - since, s[at]]);
  const all = conn.samples.map((s) => [s[0] - since, s[Of.FLIGHT]]);
  return [
    { name: 'peer’s window', colour: 'edge', kind: 'step', points: of(Of.WND), loose: true },
    { name: 'ssthresh', colour: 'sack', kind: 'step', points: of(Of.SSTHRESH) },
    { name: 'cwnd', colour: 'data', kind: 'step', points: of(Of.CWND) },
    { name: 'in flight', colour: 'ack', kind: 'step', points: all },
  ];
}

function round(conn: Conn, since: number): Series[] {
  const of = (at: number): number[][] =>
    conn.samples.filter((s) => s[at] > 0).map((s) => [s[0] - since, s[at]]);
  return [
    { name: 'RTO', colour: 'bad', kind: 'step', points: of(Of.RTO) },
    { name: 'smoothed', colour: 'data', kind: 'step', points: of(Of.SRTT) },
    { name: 'variation', colour: 'sack', kind: 'step', points: of(Of.VAR) },
  ];
}

interface Piece {
  from: number;
  to: number;
  kind: string;
}

/** The buffer from the oldest octet that is not acknowledged to the last, without gaps. */
export function pieces(map: SendMap): Piece[] {
  const list: Piece[] = [];
  let at = map.una;
  const add = (to: number, kind: string): void => {
    if (to <= at) return;
    list.push({ from: at, to, kind });
    at = to;
  };
  for (const { from, to, kind } of map.ranges) {
    add(from, 'flight');
    add(to, kind);
  }
  add(map.nxt, 'flight');
  add(map.end, 'unsent');
  return list;
}
