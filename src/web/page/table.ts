// A table of any length of which only what is visible is laid out: sorted by a click on a head,
// walked with the arrows, opened with Enter.

import { empty, h, put } from './dom.ts';

export interface Column<T> {
  name: string;
  /** Width as in grid-template-columns. */
  width: string;
  text(row: T): string;
  /** What to sort by; a number sorts from the largest. */
  by?(row: T): number | string;
  right?: boolean;
  title?(row: T): string;
}

export interface TableOptions<T> {
  label: string;
  columns: readonly Column<T>[];
  key(row: T): string;
  open?(row: T): void;
  mark?(row: T): string;
  /** Without sorting new rows come last, and the end stays in view. */
  follow?: boolean;
  none: string;
}

const ROW = 26;
/** Between columns, and at both ends less one gap. */
const GAP = 14;
const PADDING = 10;

interface Line {
  readonly element: HTMLElement;
  readonly cells: HTMLElement[];
}

export class Table<T> {
  readonly element: HTMLElement;
  readonly #o: TableOptions<T>;
  readonly #body: HTMLElement;
  readonly #room: HTMLElement;
  readonly #heads: HTMLElement[];
  readonly #none: HTMLElement;
  readonly #lines: Line[] = [];
  #rows: readonly T[] = [];
  #sorted: readonly T[] = [];
  #sort = -1;
  #down = true;
  #chosen = '';
  #stick: boolean;

  constructor(options: TableOptions<T>) {
    this.#o = options;
    this.#stick = options.follow === true;
    this.#heads = options.columns.map((column, i) => this.#head(column, i));
    this.#room = h('div', { class: 'room', role: 'presentation' });
    this.#none = empty(options.none);
    this.#body = h('div', { class: 'rows', tabindex: 0, role: 'rowgroup' }, this.#room, this.#none);
    this.#body.addEventListener('scroll', () => this.#scrolled());
    this.#body.addEventListener('keydown', (event) => this.#key(event));
    const head = h('div', { class: 'head', role: 'row' }, ...this.#heads);
    const inside = h('div', { class: 'wide', role: 'presentation' }, head, this.#body);
    this.element = h('div', { class: 'table', role: 'grid', 'aria-label': options.label }, inside);
    const columns = options.columns.map((c) => c.width).join(' ');
    this.element.style.setProperty('--columns', columns);
    const least = options.columns.map((c) => Number(/(\d+)px/.exec(c.width)?.[1] ?? 0));
    const sum = least.reduce((a, b) => a + b + GAP, PADDING);
    this.element.style.setProperty('--least', `${sum}px`);
    new ResizeObserver(() => this.#draw()).observe(this.#body);
  }

  #head(column: Column<T>, i: number): HTMLElement {
    const side = column.right === true ? 'right' : '';
    if (column.by === undefined) {
      return h('span', { role: 'columnheader', class: side }, column.name);
    }
    const click = (): void => this.sortBy(i);
    const button = h('button', { type: 'button', click }, column.name);
    return h('span', { role: 'columnheader', class: side, 'aria-sort': 'none' }, button);
  }

  /** The same column again: the other way round, and then not at all. */
  sortBy(i: number): void {
    if (this.#sort !== i) {
      this.#sort = i;
      this.#down = true;
    } else if (this.#down) this.#down = false;
    else this.#sort = -1;
    for (const [at, head] of this.#heads.entries()) {
      const way = this.#down ? 'descending' : 'ascending';
      if (head.hasAttribute('aria-sort')) {
        head.setAttribute('aria-sort', at === this.#sort ? way : 'none');
      }
    }
    this.set(this.#rows);
  }

  /** The next column that sorts, for the keyboard. */
  sortNext(): void {
    const able = this.#o.columns.map((c, i) => (c.by === undefined ? -1 : i)).filter((i) => i >= 0);
    const next = able[(able.indexOf(this.#sort) + 1) % able.length];
    if (next !== undefined) this.sortBy(next);
  }

  set(rows: readonly T[]): void {
    this.#rows = rows;
    this.#sorted = this.#order(rows);
    this.#room.style.height = `${this.#sorted.length * ROW}px`;
    this.#none.hidden = rows.length > 0;
    this.element.setAttribute('aria-rowcount', String(rows.length));
    if (this.#stick && this.#sort < 0) this.#body.scrollTop = this.#sorted.length * ROW;
    this.#draw();
  }

  #order(rows: readonly T[]): readonly T[] {
    const by = this.#o.columns[this.#sort]?.by;
    if (by === undefined) return rows;
    const keys = rows.map((row, i) => ({ i, key: by(row) }));
    const way = this.#down ? 1 : -1;
    keys.sort(({ key: a, i }, { key: b, i: j }) => {
      if (a === b) return i - j;
      // the largest number first, the first word first
      const first = typeof a === 'number' ? a > Number(b) : a < String(b);
      return first ? -way : way;
    });
    return keys.map(({ i }) => rows[i]);
  }

  get chosen(): T | null {
    return this.#sorted.find((row) => this.#o.key(row) === this.#chosen) ?? null;
  }

  focus(): void {
    this.#body.focus();
  }

  #scrolled(): void {
    const { scrollTop, clientHeight } = this.#body;
    const end = this.#sorted.length * ROW;
    if (this.#o.follow === true) this.#stick = scrollTop + clientHeight >= end - ROW;
    this.#draw();
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.#body;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - 4);
    const n = Math.min(this.#sorted.length - first, Math.ceil(clientHeight / ROW) + 8);
    while (this.#lines.length < n) this.#lines.push(this.#line());
    for (let i = 0; i < this.#lines.length; i++) {
      const line = this.#lines[i];
      line.element.hidden = i >= n;
      if (i < n) this.#show(line, first + i);
    }
  }

  #line(): Line {
    const cells = this.#o.columns.map((c) =>
      h('span', { role: 'gridcell', class: c.right === true ? 'right' : '' }),
    );
    const element = h('div', { class: 'row', role: 'row' }, ...cells);
    element.addEventListener('click', () => {
      const row = this.#sorted[Number(element.dataset.at)];
      if (row !== undefined) this.choose(row, true);
    });
    this.#room.append(element);
    return { element, cells };
  }

  #show({ element, cells }: Line, at: number): void {
    const row = this.#sorted[at];
    const chosen = this.#o.key(row) === this.#chosen;
    element.dataset.at = String(at);
    element.style.transform = `translateY(${at * ROW}px)`;
    element.className = `row ${this.#o.mark?.(row) ?? ''}${chosen ? ' chosen' : ''}`;
    element.setAttribute('aria-rowindex', String(at + 1));
    element.setAttribute('aria-selected', String(chosen));
    for (const [i, column] of this.#o.columns.entries()) {
      put(cells[i], column.text(row));
      const title = column.title?.(row);
      if (title !== undefined) cells[i].title = title;
    }
  }

  choose(row: T, open: boolean): void {
    this.#chosen = this.#o.key(row);
    this.#draw();
    if (open) this.#o.open?.(row);
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#body.clientHeight / ROW) - 1);
    const steps: Record<string, number> = {
      ...{ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page },
      ...{ Home: -this.#sorted.length, End: this.#sorted.length },
    };
    const at = this.#sorted.findIndex((row) => this.#o.key(row) === this.#chosen);
    if (event.key === 'Enter' && at >= 0) {
      event.preventDefault();
      this.#o.open?.(this.#sorted[at]);
    }
    const step = steps[event.key];
    if (step === undefined || this.#sorted.length === 0) return;
    event.preventDefault();
    const to = Math.min(this.#sorted.length - 1, Math.max(0, at < 0 && step > 0 ? 0 : at + step));
    this.choose(this.#sorted[to], false);
    const top = to * ROW;
    if (top < this.#body.scrollTop) this.#body.scrollTop = top;
    const bottom = top + ROW - this.#body.clientHeight;
    if (bottom > this.#body.scrollTop) this.#body.scrollTop = bottom;
  }
}
