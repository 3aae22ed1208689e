// Every socket, with the filters of ss; and the ports with who holds them.

import type { BriefRow } from '../../inspect/brief.ts';
import { parseFilter, type RowFilter, statesOf } from '../../inspect/ss-filter.ts';
import type { FlowRow, SocketRow } from '../../stack/snapshot.ts';
import type { PortRow } from '../frames.ts';
import { count, h, octets, put, span } from './dom.ts';
import type { Store } from './store.ts';
import { type Column, Table } from './table.ts';
import type { Desk, View } from './view.ts';

const ends = (address: string, port: number): string => {
  if (address === '*') return '*';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
};

function columns(store: () => Store | null): Column<BriefRow>[] {
  const rate = (row: BriefRow): number => store()?.rate(row) ?? 0;
  const some = (n: number, text: string): string => (n === 0 ? '' : text);
  return [
    { name: 'Host', width: '84px', text: (r) => r.host ?? '', by: (r) => r.host ?? '' },
    { name: 'Netid', width: '54px', text: (r) => r.netid, by: (r) => r.netid },
    { name: 'State', width: '104px', text: (r) => r.state, by: (r) => r.state },
    { name: 'Recv-Q', width: '72px', text: (r) => count(r.recvQ), by: (r) => r.recvQ, right: true },
    { name: 'Send-Q', width: '84px', text: (r) => count(r.sendQ), by: (r) => r.sendQ, right: true },
    {
      ...{ name: 'Local', width: 'minmax(150px, 1.3fr)' },
      ...{ text: (r) => ends(r.local, r.localPort), by: (r) => r.localPort },
    },
    {
      ...{ name: 'Peer', width: 'minmax(150px, 1.3fr)' },
      ...{ text: (r) => ends(r.remote, r.remotePort), by: (r) => r.remotePort },
    },
    {
      ...{ name: 'RTT', width: '82px', right: true },
      ...{ text: (r) => some(r.rtt, span(r.rtt)), by: (r) => r.rtt },
    },
    {
      ...{ name: 'cwnd', width: '62px', right: true },
      ...{ text: (r) => some(r.cwnd, String(r.cwnd)), by: (r) => r.cwnd },
    },
    {
      ...{ name: 'Retr', width: '58px', right: true },
      ...{ text: (r) => some(r.retrans, String(r.retrans)), by: (r) => r.retrans },
    },
    {
      ...{ name: 'Rate', width: '92px', right: true, by: rate },
      text: (r) => some(rate(r), `${octets(rate(r))}/s`),
    },
    { name: 'Timer', width: '124px', text: (r) => r.timer, by: (r) => r.timer },
  ];
}

/** ss's own filter, or else words that all must occur. Throws nothing. */
export function rowFilter(text: string): { test: (row: BriefRow) => boolean; ss: boolean } {
  const words = text
    .trim()
    .replaceAll(/([()])/g, ' $1 ')
    .split(/\s+/)
    .filter(Boolean);
  if (words.length === 0) return { test: () => true, ss: true };
  try {
    const filter: RowFilter = parseFilter(words, statesOf('all'));
    return { test: (row) => filter(asRow(row)), ss: true };
  } catch {
    const wanted = words.map((word) => word.toLowerCase());
    const test = (row: BriefRow): boolean => {
      const all = `${row.host} ${row.netid} ${row.state} ${row.key}`.toLowerCase();
      return wanted.every((word) => all.includes(word));
    };
    return { test, ss: false };
  }
}

function asRow(row: BriefRow): SocketRow {
  return {
    ...{ sk: row.sk, netid: row.netid as SocketRow['netid'] },
    ...{ state: row.state, recvQ: row.recvQ, sendQ: row.sendQ },
    ...{ localAddress: row.local, localPort: row.localPort },
    ...{ remoteAddress: row.remote, remotePort: row.remotePort },
  };
}

export class SocketsView implements View {
  readonly name = 'sockets';
  readonly title = 'Sockets';
  readonly views = ['sockets'];
  readonly keys = '↑↓ choose · Enter open · k reset · s sort · / filter';
  readonly element: HTMLElement;
  readonly #desk: Desk;
  #store: Store | null = null;
  #table: Table<BriefRow> | null = null;
  #filter = rowFilter('');
  readonly #count = h('span', { class: 'quiet', 'aria-live': 'polite' });

  constructor(desk: Desk) {
    this.#desk = desk;
    this.element = h('section', { class: 'view' }, h('div', { class: 'bar' }, this.#count));
  }

  #made(lab: boolean): Table<BriefRow> {
    if (this.#table !== null) return this.#table;
    const all = columns(() => this.#store);
    this.#table = new Table<BriefRow>({
      label: 'sockets',
      columns: lab ? all : all.slice(1),
      key: (row) => `${row.host ?? ''} ${row.key}`,
      mark: (row) => `state-${row.state.toLowerCase()}`,
      open: (row) => this.#open(row),
      none: 'No socket, or none that fits the filter.',
    });
    this.element.append(this.#table.element);
    return this.#table;
  }

  #open(row: BriefRow): void {
    if (row.netid !== 'tcp' || row.state === 'LISTEN') return;
    this.#desk.open(`conn/${encodeURIComponent(row.host ?? '')}/${encodeURIComponent(row.key)}`);
  }

  filter(text: string): void {
    this.#filter = rowFilter(text);
    if (this.#store !== null) this.draw(this.#store);
  }

  draw(store: Store): void {
    this.#store = store;
    const rows = [...store.sockets.values()].filter(this.#filter.test);
    const words = this.#filter.ss ? '' : ' · words, not a filter of ss';
    put(this.#count, `${count(rows.length)} of ${count(store.sockets.size)} sockets${words}`);
    this.#made(store.hello?.kind === 'lab').set(rows);
  }

  focus(): void {
    this.#table?.focus();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === 's') this.#table?.sortNext();
    else if (event.key === 'k') this.#kill();
    else return false;
    return true;
  }

  #kill(): void {
    const row = this.#table?.chosen;
    if (row === null || row === undefined || row.netid !== 'tcp' || row.remote === '*') return;
    const local = { address: row.local, port: row.localPort };
    const remote = { address: row.remote, port: row.remotePort };
    if (!confirm(`Reset ${row.key}?`)) return;
    this.#desk.line
      .act('kill', { host: row.host ?? '', local, remote })
      .then(() => this.#desk.say(`reset ${row.key}`))
      .catch((reason: Error) => this.#desk.say(reason.message));
  }
}

export class PortsView implements View {
  readonly name = 'ports';
  readonly title = 'Ports';
  readonly views = ['sockets', 'ports'];
  readonly element: HTMLElement;
  readonly #table: Table<PortRow>;
  readonly #flows = h('div', { class: 'cards' });
  readonly #memory = h('dl', { class: 'pairs' });

  constructor(_desk: Desk) {
    this.#table = new Table<PortRow>({
      label: 'ports',
      columns: [
        { name: 'Proto', width: '64px', text: (r) => r.netid, by: (r) => r.netid },
        {
          name: 'Port',
          width: '72px',
          text: (r) => String(r.port),
          by: (r) => r.port,
          right: true,
        },
        {
          ...{ name: 'Sockets', width: '84px', right: true },
          ...{ text: (r) => count(r.sockets), by: (r) => r.sockets },
        },
        {
          ...{ name: 'Refused', width: '84px', right: true },
          ...{ text: (r) => (r.refused === 0 ? '' : count(r.refused)), by: (r) => r.refused },
        },
        { name: 'Held by', width: 'minmax(260px, 1fr)', text: (r) => r.holders },
      ],
      key: (row) => `${row.host ?? ''} ${row.netid} ${row.port}`,
      none: 'No port is held.',
    });
    const flows = h('section', {}, h('h2', {}, 'Demultiplexing'), this.#flows);
    const memory = h('section', {}, h('h2', {}, 'Memory held'), this.#memory);
    const side = h('div', { class: 'side' }, flows, memory);
    this.element = h('section', { class: 'view split' }, this.#table.element, side);
  }

  draw(store: Store): void {
    this.#table.set(store.whole.ports ?? []);
    this.#flows.replaceChildren(...(store.whole.flows ?? []).map(flowCard));
    const pairs = Object.entries(store.whole.memory ?? {}).flatMap(([name, value]) => [
      h('dt', {}, name),
      h('dd', {}, octets(value)),
    ]);
    this.#memory.replaceChildren(...pairs);
  }

  focus(): void {
    this.#table.focus();
  }
}

/** How full a table is, and how many cells a lookup reads. */
function flowCard({ netid, flows, cells, probes, longestProbe }: FlowRow): HTMLElement {
  const most = Math.max(1, ...probes);
  const sum = probes.reduce((all, n, i) => all + n * i, 0);
  const mean = flows === 0 ? 0 : sum / flows;
  const bars = probes.slice(1, 13).map((n, i) => {
    const bar = h('span', { class: 'meter' });
    bar.style.width = `${Math.max(1, (n / most) * 100)}%`;
    return h(
      'li',
      { title: `${count(n)} flows in cell ${i + 1}` },
      h('b', {}, i + 1),
      bar,
      count(n),
    );
  });
  const load = cells === 0 ? 0 : flows / cells;
  return h(
    'article',
    { class: 'card' },
    h('h3', {}, `${netid} flow table`),
    h('p', {}, `${count(flows)} flows in ${count(cells)} cells, load ${load.toFixed(2)}`),
    h('p', {}, `a lookup reads ${mean.toFixed(2)} cells on average, ${longestProbe} at most`),
    h(
      'ol',
      { class: 'meters', 'aria-label': 'flows by the cell in which they are found' },
      ...bars,
    ),
  );
}
