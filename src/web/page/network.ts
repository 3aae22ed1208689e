// Links with their addresses, routes and neighbours; and the log of events.

import type { EventRow, LinkRow, NeighbourRow, RouteRow } from '../frames.ts';
import { count, h, moment, put } from './dom.ts';
import type { Store } from './store.ts';
import { Table } from './table.ts';
import type { Desk, View } from './view.ts';

export class NetworkView implements View {
  readonly name = 'network';
  readonly title = 'Network';
  readonly views = ['network'];
  readonly element: HTMLElement;
  readonly #links: Table<LinkRow>;
  readonly #routes: Table<RouteRow>;
  readonly #neighbours: Table<NeighbourRow>;

  constructor(_desk: Desk) {
    this.#links = new Table<LinkRow>({
      label: 'links',
      columns: [
        { name: 'Link', width: '140px', text: (r) => r.name },
        { name: 'MTU', width: '80px', text: (r) => count(r.mtu), right: true },
        { name: 'Addresses', width: 'minmax(200px, 1fr)', text: (r) => r.addresses.join(', ') },
        { name: 'Does itself', width: 'minmax(160px, 1fr)', text: (r) => r.capabilities },
      ],
      key: (row) => row.name,
      none: 'No link is known here.',
    });
    this.#routes = new Table<RouteRow>({
      label: 'routes',
      columns: [
        { name: 'Destination', width: 'minmax(180px, 1fr)', text: (r) => r.prefix },
        { name: 'Via', width: 'minmax(160px, 1fr)', text: (r) => r.via },
        { name: 'Link', width: '140px', text: (r) => r.link },
      ],
      key: (row) => `${row.prefix} ${row.via} ${row.link}`,
      none: 'No route is known here.',
    });
    this.#neighbours = new Table<NeighbourRow>({
      label: 'neighbours',
      columns: [
        { name: 'Address', width: 'minmax(180px, 1fr)', text: (r) => r.address },
        { name: 'Link layer', width: '180px', text: (r) => r.lladdr },
        { name: 'State', width: '120px', text: (r) => r.state },
        { name: 'Link', width: '140px', text: (r) => r.link },
      ],
      key: (row) => `${row.address} ${row.link}`,
      none: 'No neighbour: links without Ethernet have none.',
    });
    const parts: [string, HTMLElement][] = [
      ['Links', this.#links.element],
      ['Routes', this.#routes.element],
      ['Neighbours', this.#neighbours.element],
    ];
    const sections = parts.map(([title, table]) => h('section', {}, h('h2', {}, title), table));
    this.element = h('section', { class: 'view thirds' }, ...sections);
  }

  draw(store: Store): void {
    this.#links.set(store.whole.links ?? []);
    this.#routes.set(store.whole.routes ?? []);
    this.#neighbours.set(store.whole.neighbours ?? []);
  }

  focus(): void {
    this.#links.focus();
  }
}

export class EventsView implements View {
  readonly name = 'events';
  readonly title = 'Events';
  readonly views = ['events'];
  readonly keys = '↑↓ choose · Enter open the connection · / filter';
  readonly element: HTMLElement;
  readonly #table: Table<EventRow>;
  readonly #count = h('span', { class: 'quiet', 'aria-live': 'polite' });
  #filter: string[] = [];
  #store: Store | null = null;

  constructor(desk: Desk) {
    this.#table = new Table<EventRow>({
      label: 'events',
      columns: [
        { name: 'Time', width: '122px', text: (r) => moment(r.us), right: true },
        { name: 'Host', width: '110px', text: (r) => r.host },
        { name: 'Kind', width: '110px', text: (r) => r.kind },
        { name: 'What', width: 'minmax(320px, 2fr)', text: (r) => r.text, title: (r) => r.text },
        { name: 'Socket', width: 'minmax(260px, 1fr)', text: (r) => r.key },
      ],
      key: (row) => String(row.n),
      mark: (row) => `event-${row.kind}`,
      open: ({ host, key }) => {
        if (!key.startsWith('tcp ')) return;
        desk.open(`conn/${encodeURIComponent(host)}/${encodeURIComponent(key)}`);
      },
      follow: true,
      none: 'Nothing has happened, or nothing that fits the filter.',
    });
    const bar = h('div', { class: 'bar' }, this.#count);
    this.element = h('section', { class: 'view' }, bar, this.#table.element);
  }

  filter(text: string): void {
    this.#filter = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (this.#store !== null) this.draw(this.#store);
  }

  draw(store: Store): void {
    this.#store = store;
    const rows = store.events.filter((row) => {
      const all = `${row.host} ${row.kind} ${row.text} ${row.key}`.toLowerCase();
      return this.#filter.every((word) => all.includes(word));
    });
    put(this.#count, `${count(rows.length)} of ${count(store.events.length)} events`);
    this.#table.set(rows);
  }

  focus(): void {
    this.#table.focus();
  }
}
