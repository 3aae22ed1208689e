// The state diagram of RFC 9293 figure 5: the state of a connection is lit, the moves that it has
// made are numbered in their order.

import type { StateMove } from '../frames.ts';
import { h, span, svg } from './dom.ts';

const W = 92;
const H = 28;

const NODES: Readonly<Record<string, readonly [x: number, y: number]>> = {
  CLOSED: [280, 24],
  LISTEN: [280, 104],
  'SYN-RECV': [92, 184],
  'SYN-SENT': [468, 184],
  ESTAB: [280, 264],
  'FIN-WAIT-1': [150, 344],
  'CLOSE-WAIT': [440, 344],
  'FIN-WAIT-2': [92, 434],
  CLOSING: [262, 434],
  'LAST-ACK': [440, 434],
  'TIME-WAIT': [262, 524],
  // the figure has CLOSED twice
  END: [440, 524],
};

/** From, to, words; the place of the words along the line (0 … 1) and beside it in pixels. */
// biome-ignore format: a table
const EDGES: readonly [from: string, to: string, words: string, at: number, dx: number][] = [
  ['CLOSED', 'LISTEN', 'passive open', 0.5, 14],
  ['CLOSED', 'SYN-SENT', 'active open, send SYN', 0.45, 14],
  ['LISTEN', 'SYN-RECV', 'SYN, send SYN-ACK', 0.5, -96],
  ['LISTEN', 'SYN-SENT', 'send', 0.5, -16],
  ['SYN-SENT', 'SYN-RECV', 'SYN, send SYN-ACK', 0.5, -50],
  ['SYN-RECV', 'ESTAB', 'ACK of SYN', 0.5, -70],
  ['SYN-SENT', 'ESTAB', 'SYN-ACK, send ACK', 0.5, 14],
  ['SYN-RECV', 'FIN-WAIT-1', 'close', 0.6, -42],
  ['ESTAB', 'FIN-WAIT-1', 'close, send FIN', 0.5, 14],
  ['ESTAB', 'CLOSE-WAIT', 'FIN, send ACK', 0.45, 14],
  ['FIN-WAIT-1', 'FIN-WAIT-2', 'ACK of FIN', 0.5, -68],
  ['FIN-WAIT-1', 'CLOSING', 'FIN, send ACK', 0.4, 10],
  ['FIN-WAIT-1', 'TIME-WAIT', 'FIN-ACK', 0.62, -46],
  ['CLOSE-WAIT', 'LAST-ACK', 'close, send FIN', 0.5, 14],
  ['FIN-WAIT-2', 'TIME-WAIT', 'FIN, send ACK', 0.55, -88],
  ['CLOSING', 'TIME-WAIT', 'ACK of FIN', 0.5, 14],
  ['LAST-ACK', 'END', 'ACK of FIN', 0.5, 14],
  ['TIME-WAIT', 'END', '2 MSL', 0.5, -14],
];

/** Names of ss, and what they are in the figure. */
function node(state: string, arriving: boolean): string {
  if (state === 'UNCONN' || state === 'CLOSED') return arriving ? 'END' : 'CLOSED';
  return state;
}

/** Where the line from the middle of one box to that of another leaves the first. */
function edge(from: readonly [number, number], to: readonly [number, number]): [number, number] {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const reach = Math.min(
    dx === 0 ? Infinity : W / 2 / Math.abs(dx),
    dy === 0 ? Infinity : H / 2 / Math.abs(dy),
  );
  return [from[0] + dx * reach, from[1] + dy * reach];
}

interface Drawn {
  readonly line: SVGElement;
  readonly badge: SVGElement;
  readonly number: SVGTextElement;
  readonly title: SVGElement;
}

export class Diagram {
  readonly element: HTMLElement;
  readonly #boxes = new Map<string, SVGElement>();
  readonly #edges = new Map<string, Drawn>();
  readonly #root: SVGSVGElement;
  readonly #list = h('ol', { class: 'moves', 'aria-label': 'moves of the state' });
  #seen = '';

  constructor() {
    this.#root = svg('svg', {
      ...{ viewBox: '0 0 560 550', class: 'diagram', role: 'img' },
      'aria-label': 'state diagram of RFC 9293, figure 5',
    });
    const tip = svg('path', { d: 'M0 0L8 4L0 8z' });
    const taken = svg('path', { d: 'M0 0L8 4L0 8z', class: 'tip-taken' });
    const box = { ...{ markerWidth: 8, markerHeight: 8 }, ...{ refX: 7, refY: 4 }, orient: 'auto' };
    const units = { ...box, markerUnits: 'userSpaceOnUse' };
    this.#root.append(
      svg('defs', {}, svg('marker', { id: 'tip', ...units }, tip)),
      svg('defs', {}, svg('marker', { id: 'tip-taken', ...units }, taken)),
    );
    for (const [from, to, words, at, dx] of EDGES) this.#edge([from, to], words, at, dx);
    for (const [name, [x, y]] of Object.entries(NODES)) this.#box(name, x, y);
    this.element = h('div', { class: 'diagram-room' }, this.#root, this.#list);
  }

  #box(name: string, x: number, y: number): void {
    const text = name === 'END' ? 'CLOSED' : name;
    const group = svg('g', { class: 'state' });
    group.append(
      svg('rect', { x: x - W / 2, y: y - H / 2, width: W, height: H, rx: 6 }),
      svg('text', { x, y: y + 4, 'text-anchor': 'middle' }, text),
    );
    this.#boxes.set(name, group);
    this.#root.append(group);
  }

  #edge([from, to]: readonly [string, string], words: string, at: number, dx: number): Drawn {
    const a = NODES[from];
    const b = NODES[to];
    const [x0, y0] = edge(a, b);
    const [x1, y1] = edge(b, a);
    const title = svg('title');
    const line = svg('line', { x1: x0, y1: y0, x2: x1, y2: y1, class: 'edge' });
    const mid = [x0 + (x1 - x0) * at, y0 + (y1 - y0) * at];
    const flat = Math.abs(y1 - y0) < 2;
    const label = svg('text', { x: mid[0] + dx, y: mid[1] + (flat ? -6 : 4), class: 'why' }, words);
    const number = svg('text', { x: mid[0], y: mid[1] + 3.5, 'text-anchor': 'middle' });
    const round = svg('circle', { cx: mid[0], cy: mid[1], r: 9 });
    const badge = svg('g', { class: 'badge' }, title, round, number);
    this.#root.append(line, label, badge);
    const drawn = { line, badge, number, title };
    this.#edges.set(`${from} ${to}`, drawn);
    return drawn;
  }

  draw(state: string, moves: readonly StateMove[], since: number): void {
    const seen = `${state} ${moves.length} ${moves[0]?.us}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    const lit = node(state, moves.length > 0);
    for (const [name, box] of this.#boxes)
      box.setAttribute('class', name === lit ? 'state lit' : 'state');
    for (const { line, badge } of this.#edges.values()) {
      line.setAttribute('class', 'edge');
      badge.setAttribute('class', 'badge');
    }
    const numbers = new Map<string, { n: number[]; at: string }>();
    for (const [i, move] of moves.entries()) {
      const key = `${node(move.from, false)} ${node(move.to, true)}`;
      const list = numbers.get(key) ?? { n: [], at: span(move.us - since) };
      list.n.push(i + 1);
      numbers.set(key, list);
    }
    for (const [key, { n, at }] of numbers) {
      const known = this.#edges.get(key) ?? this.#reset(key);
      if (known === null) continue;
      known.line.setAttribute('class', 'edge taken');
      known.badge.setAttribute('class', 'badge taken');
      known.number.textContent = n.length > 2 ? `${n[0]}…` : n.join(',');
      known.title.textContent = `move ${n.join(', ')} at ${at}`;
    }
    this.#list.replaceChildren(...moves.map((move) => moveLine(move, since)));
  }

  /** A reset or an abort: not in the figure, and legal from everywhere. */
  #reset(key: string): Drawn | null {
    const [from, to] = key.split(' ');
    if (NODES[from] === undefined || NODES[to] === undefined) return null;
    const drawn = this.#edge([from, to], '', 0.5, 0);
    // the boxes stay above the lines
    for (const box of this.#boxes.values()) this.#root.append(box);
    return drawn;
  }
}

function moveLine({ us, from, to, why }: StateMove, since: number): HTMLElement {
  const words = why === '' ? '' : ` ${why}`;
  return h(
    'li',
    {},
    h('span', { class: 'time' }, span(us - since)),
    h('span', {}, `${from} → ${to}`),
    h('span', { class: 'quiet' }, words),
  );
}
