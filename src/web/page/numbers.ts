// Counters with their speed and what they mean; drops with their last minute and an example.

import type { DropExample } from '../frames.ts';
import { count, empty, h, moment, put, svg } from './dom.ts';
import { sparkline } from './plot.ts';
import type { Gauge, Store } from './store.ts';
import { Table } from './table.ts';
import type { Desk, View } from './view.ts';

interface CounterRow {
  name: string;
  gauge: Gauge;
  meaning: string;
}

export class CountersView implements View {
  readonly name = 'counters';
  readonly title = 'Counters';
  readonly views: string[] = [];
  readonly keys = '↑↓ choose · s sort · z zeros too · / filter';
  readonly element: HTMLElement;
  readonly #count = h('span', { class: 'quiet' });
  readonly #table: Table<CounterRow>;
  #zeros = false;
  #filter = '';
  #store: Store | null = null;

  constructor(_desk: Desk) {
    this.#table = new Table<CounterRow>({
      label: 'counters',
      columns: [
        { name: 'Counter', width: '260px', text: (r) => r.name, by: (r) => r.name },
        {
          ...{ name: 'Value', width: '140px', right: true },
          ...{ text: (r) => count(r.gauge.value), by: (r) => r.gauge.value },
        },
        {
          ...{ name: 'per second', width: '110px', right: true, by: (r) => r.gauge.rate },
          text: (r) => (r.gauge.rate === 0 ? '' : count(r.gauge.rate)),
        },
        { name: 'Meaning', width: 'minmax(280px, 1fr)', text: (r) => r.meaning },
      ],
      key: (row) => row.name,
      none: 'Nothing has been counted.',
    });
    const zeros = h('input', { type: 'checkbox', change: () => this.#toggle(zeros.checked) });
    const label = h('label', {}, zeros, ' zeros too');
    const bar = h('div', { class: 'bar' }, this.#count, label);
    this.element = h('section', { class: 'view' }, bar, this.#table.element);
  }

  #toggle(on: boolean): void {
    this.#zeros = on;
    if (this.#store !== null) this.draw(this.#store);
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === 's') this.#table.sortNext();
    else if (event.key === 'z') (this.element.querySelector('input') as HTMLInputElement).click();
    else return false;
    return true;
  }

  filter(text: string): void {
    this.#filter = text.trim().toLowerCase();
    if (this.#store !== null) this.draw(this.#store);
  }

  draw(store: Store): void {
    this.#store = store;
    const rows: CounterRow[] = [];
    for (const [name, gauge] of store.counters) {
      if (!this.#zeros && gauge.value === 0) continue;
      const meaning = store.hello?.meanings[name] ?? '';
      if (!`${name} ${meaning}`.toLowerCase().includes(this.#filter)) continue;
      rows.push({ name, gauge, meaning });
    }
    put(this.#count, `${count(rows.length)} of ${count(store.counters.size)} counters`);
    this.#table.set(rows);
  }

  focus(): void {
    this.#table.focus();
  }
}

export class DropsView implements View {
  readonly name = 'drops';
  readonly title = 'Drops';
  readonly views = ['drops'];
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #list = h('div', { class: 'drops' });
  readonly #cards = new Map<string, DropCard>();
  readonly #none = empty('No packet has been discarded.');

  constructor(desk: Desk) {
    this.#desk = desk;
    this.element = h('section', { class: 'view scrolls' }, this.#none, this.#list);
  }

  draw(store: Store): void {
    let any = false;
    const examples = new Map((store.whole.examples ?? []).map((one) => [one.reason, one]));
    const names = [...store.drops].filter(([, gauge]) => gauge.value > 0);
    for (const [name, gauge] of names.sort(([, a], [, b]) => b.value - a.value)) {
      any = true;
      let card = this.#cards.get(name);
      if (card === undefined) {
        card = new DropCard(name, store.hello?.meanings[`Drop${name}`] ?? '', this.#desk);
        this.#cards.set(name, card);
      }
      card.draw(gauge, examples.get(name));
      this.#list.append(card.element);
    }
    for (const [name, card] of this.#cards) {
      if ((store.drops.get(name)?.value ?? 0) > 0) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    this.#none.hidden = any;
  }
}

class DropCard {
  readonly element: HTMLElement;
  readonly #total = h('b', { class: 'total' });
  readonly #rate = h('span', { class: 'quiet' });
  readonly #curve = svg('path', { class: 'curve' });
  readonly #example = h('button', { type: 'button', class: 'example', hidden: true });
  #n = -1;

  constructor(name: string, meaning: string, desk: Desk) {
    const curve = svg(
      'svg',
      { viewBox: '0 0 120 20', class: 'sparkline', role: 'img' },
      this.#curve,
    );
    curve.setAttribute('aria-label', `${name} in the last minute`);
    const head = h('div', { class: 'drop-head' }, h('h3', { class: 'mono' }, name), this.#total);
    const line = h('div', { class: 'drop-line' }, curve, this.#rate);
    this.#example.addEventListener('click', () => {
      if (this.#n >= 0) desk.open(`packets/${this.#n}`);
    });
    this.element = h('article', { class: 'card' }, head, h('p', {}, meaning), line, this.#example);
  }

  draw(gauge: Gauge, example: DropExample | undefined): void {
    put(this.#total, count(gauge.value));
    put(this.#rate, `${count(gauge.rate)} per second`);
    this.#curve.setAttribute('d', sparkline(gauge.minute()));
    this.#example.hidden = example === undefined;
    if (example === undefined) return;
    this.#n = example.n;
    put(this.#example, `${moment(example.us)} ${example.text}`);
  }
}
