// A drawing over time on a canvas: lines, steps, bars and dots in the style sheet's colours.
// Dragging chooses a span of time, a double click shows everything again.

import { colour, h, put, span } from './dom.ts';

export interface Series {
  name: string;
  /** Custom property of the style sheet. */
  colour: string;
  kind: 'line' | 'step' | 'bars' | 'dots';
  /** x, y; of bars x, from, to. In the order of x. */
  points: readonly (readonly number[])[];
  /** May run out of the drawing at the top, when it is far above everything else. */
  loose?: true;
}

export interface PlotOptions {
  label: string;
  /** Writes a value of the vertical axis. */
  unit: (value: number) => string;
  /** Writes a value of the horizontal axis; µs without it. */
  across?: (value: number) => string;
  height: number;
}

const LEFT = 64;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 10;

interface Frame {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
  width: number;
  height: number;
}

export class Plot {
  readonly element: HTMLElement;
  readonly #o: PlotOptions;
  readonly #canvas = h('canvas', { role: 'img' });
  readonly #legend = h('div', { class: 'legend' });
  readonly #reading = h('span', { class: 'reading' });
  #series: readonly Series[] = [];
  #zoom: readonly [number, number] | null = null;
  #drag = -1;
  #pointer = -1;
  #frame: Frame = { x0: 0, x1: 1, y0: 0, y1: 1, width: 0, height: 0 };

  constructor(options: PlotOptions) {
    this.#o = options;
    this.#canvas.style.height = `${options.height}px`;
    const title = h('h3', {}, options.label);
    const head = h('div', { class: 'plot-head' }, title, this.#legend, this.#reading);
    this.element = h('figure', { class: 'plot' }, head, this.#canvas);
    this.#canvas.addEventListener('pointermove', (event) => this.#move(event));
    this.#canvas.addEventListener('pointerleave', () => this.#leave());
    this.#canvas.addEventListener('pointerdown', (event) => {
      this.#drag = this.#at(event);
    });
    this.#canvas.addEventListener('pointerup', (event) => this.#drop(event));
    this.#canvas.addEventListener('dblclick', () => {
      this.#zoom = null;
      this.#paint();
    });
    new ResizeObserver(() => this.#paint()).observe(this.#canvas);
  }

  draw(series: readonly Series[]): void {
    this.#series = series;
    const marks = series.map((one) =>
      h('span', { class: `mark mark-${one.colour} mark-${one.kind}` }, one.name),
    );
    const names = series.map((one) => one.name).join();
    if (this.#legend.dataset.names !== names) {
      this.#legend.dataset.names = names;
      this.#legend.replaceChildren(...marks);
    }
    const points = series.reduce((sum, one) => sum + one.points.length, 0);
    const words = series.map((one) => `${one.name}: ${one.points.length} points`).join(', ');
    this.#canvas.setAttribute('aria-label', `${this.#o.label}; ${words}`);
    this.#canvas.dataset.points = String(points);
    this.#paint();
  }

  #across(x: number): string {
    return this.#o.across?.(x) ?? span(x);
  }

  #measure(width: number, height: number): Frame {
    let [x0, x1, y1] = [Infinity, -Infinity, 0];
    for (const { points } of this.#series) {
      if (points.length === 0) continue;
      x0 = Math.min(x0, points[0][0]);
      x1 = Math.max(x1, points[points.length - 1][0]);
    }
    if (this.#zoom !== null) [x0, x1] = this.#zoom;
    let y0 = this.#zoom === null ? 0 : Infinity;
    let far = 0;
    for (const { points, loose } of this.#series) {
      for (const p of points) {
        if (p[0] < x0 || p[0] > x1) continue;
        if (loose === true) {
          far = Math.max(far, p[1]);
          continue;
        }
        y1 = Math.max(y1, p[p.length - 1]);
        y0 = Math.min(y0, p[1]);
      }
    }
    y1 = y1 === 0 ? far : Math.min(Math.max(y1, far), y1 + (y1 - Math.min(y0, y1)) * 0.3);
    if (x0 === Infinity) [x0, x1] = [0, 1];
    if (x1 <= x0) x1 = x0 + 1;
    if (y0 === Infinity) y0 = 0;
    y1 = y1 <= y0 ? y0 + 1 : y1 + (y1 - y0) * 0.04;
    return { x0, x1, y0, y1, width, height };
  }

  #paint(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width < 1) return;
    const dots = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * dots);
    this.#canvas.height = Math.round(height * dots);
    const pen = this.#canvas.getContext('2d');
    if (pen === null) return;
    pen.scale(dots, dots);
    this.#frame = this.#measure(width, height);
    if (this.#series.every(({ points }) => points.length === 0)) return this.#blank(pen);
    this.#axes(pen);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT - RIGHT + 4, height - BOTTOM + 2);
    pen.clip();
    for (const one of this.#series) this.#one(pen, one);
    pen.restore();
    if (this.#pointer >= LEFT) this.#cross(pen);
  }

  #blank(pen: CanvasRenderingContext2D): void {
    pen.font = '12px system-ui, sans-serif';
    pen.fillStyle = colour('quiet');
    pen.fillText('nothing yet', LEFT, this.#frame.height / 2);
  }

  #x(value: number): number {
    const { x0, x1, width } = this.#frame;
    return LEFT + ((value - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
  }

  #y(value: number): number {
    const { y0, y1, height } = this.#frame;
    return height - BOTTOM - ((value - y0) / (y1 - y0)) * (height - BOTTOM - TOP);
  }

  #axes(pen: CanvasRenderingContext2D): void {
    const { x0, x1, y0, y1, width, height } = this.#frame;
    pen.font = '11px system-ui, sans-serif';
    pen.strokeStyle = colour('grid');
    pen.fillStyle = colour('quiet');
    pen.lineWidth = 1;
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (const tick of ticks(y0, y1, height / 40)) {
      const y = Math.round(this.#y(tick)) + 0.5;
      line(pen, LEFT, y, width - RIGHT, y);
      pen.fillText(this.#o.unit(tick), LEFT - 6, y);
    }
    pen.textBaseline = 'alphabetic';
    for (const tick of ticks(x0, x1, width / 110)) {
      const x = Math.round(this.#x(tick)) + 0.5;
      line(pen, x, TOP, x, height - BOTTOM);
      pen.textAlign = x > width - 40 ? 'right' : 'center';
      pen.fillText(this.#across(tick), Math.min(x, width - 2), height - 5);
    }
  }

  #one(pen: CanvasRenderingContext2D, { kind, points, colour: name }: Series): void {
    const ink = colour(name);
    pen.strokeStyle = ink;
    pen.fillStyle = ink;
    pen.lineWidth = kind === 'bars' ? 2 : 1.5;
    pen.beginPath();
    let before = -1;
    for (const p of points) {
      const x = this.#x(p[0]);
      const y = this.#y(p[1]);
      if (kind === 'bars') {
        const to = this.#y(p[2]);
        pen.moveTo(x, y);
        pen.lineTo(x, Math.abs(to - y) < 3 ? y - 3 : to);
      } else if (kind === 'dots') {
        pen.moveTo(x + 2.5, y);
        pen.arc(x, y, 2.5, 0, 7);
      } else if (before < 0) pen.moveTo(x, y);
      else {
        if (kind === 'step') pen.lineTo(x, this.#y(points[before][1]));
        pen.lineTo(x, y);
      }
      before++;
    }
    if (kind === 'dots') pen.fill();
    else pen.stroke();
  }

  #cross(pen: CanvasRenderingContext2D): void {
    const { height } = this.#frame;
    if (this.#drag >= 0) {
      pen.fillStyle = colour('veil');
      pen.fillRect(this.#drag, TOP, this.#pointer - this.#drag, height - BOTTOM - TOP);
    }
    pen.strokeStyle = colour('quiet');
    line(pen, this.#pointer + 0.5, TOP, this.#pointer + 0.5, height - BOTTOM);
  }

  #at(event: PointerEvent): number {
    return event.clientX - this.#canvas.getBoundingClientRect().left;
  }

  #value(x: number): number {
    const { x0, x1, width } = this.#frame;
    return x0 + ((x - LEFT) / (width - LEFT - RIGHT)) * (x1 - x0);
  }

  #move(event: PointerEvent): void {
    this.#pointer = this.#at(event);
    const x = this.#value(this.#pointer);
    const words = this.#series.flatMap(({ name, kind, points }) => {
      const found = kind === 'line' || kind === 'step' ? lastBefore(points, x) : null;
      return found === null ? [] : [`${name} ${this.#o.unit(found[1])}`];
    });
    put(this.#reading, [this.#across(x), ...words].join(' · '));
    this.#paint();
  }

  #leave(): void {
    this.#pointer = -1;
    this.#drag = -1;
    put(this.#reading, '');
    this.#paint();
  }

  #drop(event: PointerEvent): void {
    const [from, to] = [this.#drag, this.#at(event)].sort((a, b) => a - b);
    this.#drag = -1;
    if (to - from > 8) this.#zoom = [this.#value(Math.max(LEFT, from)), this.#value(to)];
    this.#paint();
  }
}

function line(pen: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function lastBefore(points: Series['points'], x: number): readonly number[] | null {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : points[low - 1];
}

/** Round numbers between two, about so many. */
export function ticks(from: number, to: number, about: number): number[] {
  const raw = (to - from) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? power * 10;
  const list: number[] = [];
  for (let i = Math.ceil(from / step); i * step <= to && list.length < 50; i++) list.push(i * step);
  return list;
}

/** A small curve for a row: the last minute, second by second. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  const step = 120 / (values.length - 1);
  const points = values.map(
    (v, i) => `${(i * step).toFixed(1)} ${(19 - (v / most) * 17).toFixed(1)}`,
  );
  return `M${points.join('L')}`;
}
