// The screen of `portside top`: a model that is fed with snapshots and gives rates, and one frame
// of it as lines of text. Pure: time and size are arguments; only what is visible is laid out.

import type { BriefRow } from './brief.ts';
import { endText } from './brief.ts';

/** What one look at a host gives. */
export interface TopSample {
  readonly atMs: number;
  readonly rows: readonly BriefRow[];
  readonly counters: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  /** Delay of the host's event loop, µs. */
  readonly loopUs: number;
}

export const SORTS = ['rate', 'retr', 'rtt', 'recv-q', 'send-q', 'state', 'local'] as const;
export type Sort = (typeof SORTS)[number];
export type Page = 'sockets' | 'drops' | 'counters' | 'detail';

export interface TopView {
  readonly name: string;
  readonly addresses: string;
  readonly width: number;
  readonly height: number;
  readonly page: Page;
  readonly sort: Sort;
  readonly filter: string;
  readonly paused: boolean;
  /** Key of the row that is marked; '' for the first. */
  readonly selected: string;
  /** What is asked or typed now: the last line instead of the keys; '' for nothing. */
  readonly prompt: string;
  readonly color: boolean;
}

export interface TopRow extends BriefRow {
  /** Payload octets a second, both ways. */
  readonly rate: number;
}

/** Samples that the sparklines remember. */
const HISTORY = 30;

export class TopModel {
  rows: TopRow[] = [];
  upMs = 0;
  loopUs = 0;
  rxBits = 0;
  txBits = 0;
  packets = 0;
  dropRate = 0;
  readonly rx: number[] = [];
  readonly tx: number[] = [];
  readonly dropped: number[] = [];
  #before: TopSample | null = null;
  #octets = new Map<string, number>();
  #dropRates: [string, number, number][] = [];
  #counterRates: [string, number, number][] = [];

  /** Takes one more look. The first gives no rates. */
  feed(sample: TopSample): void {
    const before = this.#before;
    const seconds = before === null ? 0 : Math.max(0.001, (sample.atMs - before.atMs) / 1000);
    const moved = (now: number, then: number): number => {
      return seconds === 0 ? 0 : Math.max(0, now - then) / seconds;
    };
    const rateOf = (name: string): number => {
      return moved(sample.counters[name] ?? 0, before?.counters[name] ?? 0);
    };
    const octets = new Map<string, number>();
    this.rows = sample.rows.map((row) => {
      const all = row.sent + row.received;
      octets.set(row.key, all);
      return { ...row, rate: moved(all, this.#octets.get(row.key) ?? 0) };
    });
    this.#octets = octets;
    this.loopUs = sample.loopUs;
    this.rxBits = rateOf('IpExtInOctets') * 8;
    this.txBits = rateOf('IpExtOutOctets') * 8;
    this.packets = rateOf('PortsideRxPackets') + rateOf('PortsideTxPackets');
    const sum = (drops: Readonly<Record<string, number>> = {}): number =>
      Object.values(drops).reduce((total, n) => total + n, 0);
    this.dropRate = moved(sum(sample.drops), sum(before?.drops));
    remember(this.rx, this.rxBits);
    remember(this.tx, this.txBits);
    remember(this.dropped, this.dropRate);
    this.#dropRates = ratesOf(sample.drops, before?.drops ?? {}, moved);
    this.#counterRates = ratesOf(sample.counters, before?.counters ?? {}, moved);
    this.#before = sample;
  }

  /** Rows that the filter lets through, in order. */
  visible(sort: Sort, filter: string): TopRow[] {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.rows.filter((row) => {
      const text = `${row.key} ${row.state}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    return rows.sort(ORDER[sort]);
  }

  /** Name, total, a second; what has moved comes first. */
  table(page: 'drops' | 'counters'): readonly (readonly [string, number, number])[] {
    return page === 'drops' ? this.#dropRates : this.#counterRates;
  }
}

const ORDER: Readonly<Record<Sort, (x: TopRow, y: TopRow) => number>> = {
  rate: (x, y) => y.rate - x.rate || compare(x.key, y.key),
  retr: (x, y) => y.retrans - x.retrans || compare(x.key, y.key),
  rtt: (x, y) => y.rtt - x.rtt || compare(x.key, y.key),
  'recv-q': (x, y) => y.recvQ - x.recvQ || compare(x.key, y.key),
  'send-q': (x, y) => y.sendQ - x.sendQ || compare(x.key, y.key),
  state: (x, y) => compare(x.state, y.state) || compare(x.key, y.key),
  local: (x, y) => compare(x.local, y.local) || x.localPort - y.localPort,
};

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}

function remember(history: number[], value: number): void {
  history.push(value);
  if (history.length > HISTORY) history.shift();
}

function ratesOf(
  now: Readonly<Record<string, number>>,
  then: Readonly<Record<string, number>>,
  moved: (now: number, then: number) => number,
): [string, number, number][] {
  return Object.entries(now)
    .filter(([, n]) => n > 0)
    .map(([name, n]): [string, number, number] => [name, n, moved(n, then[name] ?? 0)])
    .sort((x, y) => y[2] - x[2] || y[1] - x[1]);
}

const BARS = '▁▂▃▄▅▆▇█';

/** The highest of the values is the highest bar. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(...shown, 1e-9);
  const bars = shown.map((v) => BARS[Math.min(7, Math.floor((v / most) * 7.999))] as string);
  return bars.join('').padStart(width);
}

/** `812`, `71k`, `1.2M`. */
export function short(n: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let unit = 0;
  while (n >= 999.5 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${unit > 0 && n < 9.95 ? n.toFixed(1) : n.toFixed(0)}${units[unit]}`;
}

const HEADER = 3;
const KEYS: Readonly<Record<Page, string>> = {
  sockets: 'arrows Enter detail  s sort  / filter  k reset  p pause  d drops  c counters  q quit',
  detail: 'Enter back  k reset  p pause  q quit',
  drops: 'd back  c counters  p pause  q quit',
  counters: 'c back  d drops  p pause  q quit',
};

/** One screen: `height` lines of at most `width` characters each, colours apart. */
export function frame(model: TopModel, view: TopView): string[] {
  const lines = head(model, view);
  const room = Math.max(0, view.height - HEADER - 1);
  const body = view.page === 'sockets' ? socketLines(model, view, room) : otherLines(model, view);
  for (let i = 0; i < room; i++) lines.push(clip(body[i] ?? '', view.width));
  lines.push(clip(view.prompt === '' ? KEYS[view.page] : view.prompt, view.width));
  return lines.slice(0, view.height).map((line, i) => paint(line, i, model, view));
}

function clip(text: string, width: number): string {
  return text.length > width ? text.slice(0, width) : text;
}

function head(model: TopModel, view: TopView): string[] {
  const { name, addresses, width } = view;
  const paused = view.paused ? '  PAUSED' : '';
  const filter = view.filter === '' ? '' : `  filter: ${view.filter}`;
  const loop = `loop ${(model.loopUs / 1000).toFixed(1)} ms`;
  const rx = `rx ${short(model.rxBits)}b/s ${sparkline(model.rx, 10)}`;
  const tx = `tx ${short(model.txBits)}b/s ${sparkline(model.tx, 10)}`;
  const drops = `drops ${short(model.dropRate)}/s ${sparkline(model.dropped, 10)}`;
  return [
    `portside top  ${name} ${addresses}  ${model.rows.length} sockets  ${loop}${paused}`,
    `${rx}  ${tx}  ${short(model.packets)} packets/s  ${drops}`,
    `[${view.page}]  sort: ${view.sort}${filter}`,
  ].map((line) => clip(line, width));
}

const COLUMNS = 'Netid State      Recv-Q Send-Q  Rate/s    RTT   cwnd retr  Local -> Peer';

function socketLines(model: TopModel, view: TopView, room: number): string[] {
  const rows = model.visible(view.sort, view.filter);
  const at = selectedIndex(rows, view.selected);
  const shown = Math.max(1, room - 1);
  // the marked row stays on the screen
  const from = Math.max(0, Math.min(at - (shown >> 1), rows.length - shown));
  const lines = [COLUMNS];
  for (const [i, row] of rows.slice(from, from + shown).entries()) {
    lines.push(`${from + i === at ? '>' : ' '}${rowText(row)}`.slice(0, view.width));
  }
  return lines;
}

export function selectedIndex(rows: readonly TopRow[], key: string): number {
  return Math.max(0, key === '' ? 0 : rows.findIndex((row) => row.key === key));
}

function rowText(row: TopRow): string {
  const cells = [
    row.netid.padEnd(4),
    row.state.padEnd(10),
    short(row.recvQ).padStart(6),
    short(row.sendQ).padStart(6),
    short(row.rate).padStart(7),
    (row.rtt === 0 ? '-' : `${(row.rtt / 1000).toFixed(1)}ms`).padStart(7),
    (row.cwnd === 0 ? '-' : String(row.cwnd)).padStart(5),
    String(row.retrans).padStart(4),
  ];
  const peer = row.remote === '*' ? '*' : endText(row.remote, row.remotePort);
  return `${cells.join(' ')}  ${endText(row.local, row.localPort)} -> ${peer}`;
}

function otherLines(model: TopModel, view: TopView): string[] {
  if (view.page === 'detail') return detailLines(model, view);
  const table = model.table(view.page === 'drops' ? 'drops' : 'counters');
  if (table.length === 0) return ['nothing'];
  return table.map(
    ([name, n, rate]) => `${name.padEnd(34)}${String(n).padStart(16)}${short(rate).padStart(9)}/s`,
  );
}

function detailLines(model: TopModel, view: TopView): string[] {
  const rows = model.visible(view.sort, view.filter);
  const row = rows[selectedIndex(rows, view.selected)];
  if (row === undefined || (view.selected !== '' && row.key !== view.selected)) {
    return ['this socket is gone'];
  }
  const { key: _key, sk: _sk, host: _host, ...fields } = row;
  return Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'number' ? String(Math.round(value)) : value;
    return `${name.padEnd(14)}${text}`;
  });
}

/** Colour says nothing that the text does not say as well. */
function paint(line: string, i: number, model: TopModel, view: TopView): string {
  if (!view.color) return line;
  if (i === 1 && model.dropRate > 0) return `\x1b[33m${line}\x1b[0m`;
  if (line.startsWith('>')) return `\x1b[7m${line}\x1b[0m`;
  if (i === 0 || line === clip(COLUMNS, view.width)) return `\x1b[1m${line}\x1b[0m`;
  return line;
}
