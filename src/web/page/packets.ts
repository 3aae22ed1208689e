// The packets: a list, the chosen one taken apart, and its octets; a field and its octets light up
// together.

import type { FieldNode } from '../../inspect/packets.ts';
import type { PacketDetail, PacketRow } from '../frames.ts';
import { count, empty, h, moment, put } from './dom.ts';
import type { Store } from './store.ts';
import { Table } from './table.ts';
import type { Desk, View } from './view.ts';

export class PacketsView implements View {
  readonly name = 'packets';
  readonly title = 'Packets';
  readonly views = ['packets'];
  readonly keys = '↑↓ choose · Enter take apart · p hold still · / filter';
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #count = h('span', { class: 'quiet', 'aria-live': 'polite' });
  readonly #hold: HTMLInputElement;
  readonly #pane = h('div', { class: 'panes' });
  #table: Table<PacketRow> | null = null;
  #store: Store | null = null;
  #filter: string[] = [];
  #held: readonly PacketRow[] | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
    this.#hold = h('input', { type: 'checkbox', change: () => this.#still(this.#hold.checked) });
    const label = h('label', {}, this.#hold, ' hold still');
    const bar = h('div', { class: 'bar' }, this.#count, label);
    this.element = h('section', { class: 'view packets' }, bar);
    this.#pane.append(empty('Choose a packet to take it apart.'));
  }

  #made(lab: boolean): Table<PacketRow> {
    if (this.#table !== null) return this.#table;
    this.#table = new Table<PacketRow>({
      label: 'packets',
      columns: [
        { name: 'No', width: '54px', text: (r) => String(r.n), right: true },
        { name: 'Time', width: '122px', text: (r) => moment(r.us), right: true },
        { name: 'Dir', width: lab ? '96px' : '40px', text: (r) => way(r, lab) },
        { name: 'Source', width: 'minmax(96px, .5fr)', text: (r) => r.src },
        { name: 'Destination', width: 'minmax(96px, .5fr)', text: (r) => r.dst },
        { name: 'Proto', width: '46px', text: (r) => r.proto },
        { name: 'Len', width: '52px', text: (r) => count(r.len), right: true },
        { name: 'Info', width: 'minmax(280px, 2fr)', text: (r) => r.info, title: (r) => r.info },
        {
          ...{ name: 'Verdict, or the rule', width: 'minmax(200px, 1.1fr)' },
          ...{ text: verdict, title: verdict },
        },
      ],
      key: (row) => String(row.n),
      mark: (row) => (row.verdict !== '' ? 'bad' : row.again ? 'again' : row.dir),
      open: (row) => void this.#open(row.n),
      follow: true,
      none: 'No packet has passed, or none that fits the filter.',
    });
    this.element.append(this.#table.element, this.#pane);
    return this.#table;
  }

  #still(on: boolean): void {
    this.#held = on ? (this.#store?.packets.slice() ?? null) : null;
    if (this.#store !== null) this.draw(this.#store);
  }

  key(event: KeyboardEvent): boolean {
    if (event.key !== 'p') return false;
    this.#hold.click();
    return true;
  }

  filter(text: string): void {
    this.#filter = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (this.#store !== null) this.draw(this.#store);
  }

  #fits(row: PacketRow): boolean {
    if (this.#filter.length === 0) return true;
    const { host, dir, src, dst, proto, info } = row;
    const all = `${host} ${dir} ${src} ${dst} ${proto} ${info} ${verdict(row)}`.toLowerCase();
    return this.#filter.every((word) => all.includes(word));
  }

  draw(store: Store): void {
    this.#store = store;
    const all = this.#held ?? store.packets;
    const rows = this.#filter.length === 0 ? all : all.filter((row) => this.#fits(row));
    const { trouble = '' } = store.whole;
    const why = trouble === '' ? '' : ` · ${trouble}`;
    put(this.#count, `${count(rows.length)} of ${count(all.length)} packets${why}`);
    this.#made(store.hello?.kind === 'lab').set(rows);
  }

  /** Behind `#packets/`: the number of the packet to open. */
  route(rest: string): void {
    if (!/^\d+$/.test(rest)) return;
    const row = this.#store?.packets.find((one) => one.n === Number(rest));
    if (row !== undefined) this.#table?.choose(row, false);
    void this.#open(Number(rest));
  }

  async #open(n: number): Promise<void> {
    const found = await this.#desk.line.packet(n);
    if (found === null) this.#pane.replaceChildren(empty('That packet is not kept any more.'));
    else this.#pane.replaceChildren(...taken(found));
  }

  focus(): void {
    this.#table?.focus();
  }
}

function way(row: PacketRow, lab: boolean): string {
  return lab ? `${row.host} ${row.dir}` : row.dir;
}

function verdict(row: PacketRow): string {
  return row.verdict === '' ? row.why : row.verdict;
}

/** The tree and the octets of a packet. */
function taken({ hex, tree }: PacketDetail): HTMLElement[] {
  const bytes = hex.match(/../g) ?? [];
  const cells = bytes.map((byte, i) => h('span', { 'data-at': i }, byte));
  const fields: { node: FieldNode; element: HTMLElement }[] = [];
  const light = (node: FieldNode | null): void => {
    for (const one of fields) one.element.classList.toggle('lit', one.node === node);
    for (const [i, cell] of cells.entries()) {
      const inside = node !== null && i >= node.off && i < node.off + node.len;
      cell.classList.toggle('lit', inside);
    }
  };
  const branch = (node: FieldNode): HTMLElement => {
    const words = [
      h('b', {}, node.name),
      h('span', {}, node.value),
      h('small', {}, node.rfc ?? ''),
    ];
    const element = h('div', { class: 'field', tabindex: 0, role: 'treeitem' }, ...words);
    for (const event of ['pointerenter', 'focus'])
      element.addEventListener(event, () => light(node));
    fields.push({ node, element });
    if (node.children === undefined) return element;
    const inner = h('div', { class: 'branch', role: 'group' }, ...node.children.map(branch));
    return h('details', { open: true }, h('summary', {}, element), inner);
  };
  const root = h(
    'div',
    { class: 'tree', role: 'tree', 'aria-label': 'fields' },
    ...tree.map(branch),
  );
  return [root, dump(cells, bytes, (at) => light(smallest(fields, at)))];
}

function smallest(fields: readonly { node: FieldNode }[], at: number): FieldNode | null {
  let best: FieldNode | null = null;
  for (const { node } of fields) {
    if (at < node.off || at >= node.off + node.len) continue;
    if (best === null || node.len <= best.len) best = node;
  }
  return best;
}

function dump(
  cells: readonly HTMLElement[],
  bytes: readonly string[],
  over: (at: number) => void,
): HTMLElement {
  const rows: HTMLElement[] = [];
  for (let at = 0; at < cells.length; at += 16) {
    const text = bytes
      .slice(at, at + 16)
      .map((byte) => Number.parseInt(byte, 16))
      .map((code) => (code > 31 && code < 127 ? String.fromCharCode(code) : '·'));
    const line = [
      h('i', {}, at.toString(16).padStart(4, '0')),
      h('span', { class: 'octets' }, ...cells.slice(at, at + 16)),
      h('span', { class: 'letters' }, text.join('')),
    ];
    rows.push(h('div', {}, ...line));
  }
  const element = h('div', { class: 'hex', 'aria-label': 'octets' }, ...rows);
  element.addEventListener('pointerover', (event) => {
    const at = (event.target as HTMLElement).dataset.at;
    if (at !== undefined) over(Number(at));
  });
  return element;
}
