// Plots of one connection as plain SVG, light and dark: the time-sequence plot that tcptrace made
// (segments, retransmissions in red, the acknowledgment line, SACK blocks, the window's edge), and
// beneath it the congestion window with what is in flight.

import type { EventRow } from './event-rows.ts';
import { Unwrapped } from './trace-text.ts';

const WIDTH = 960;
const LEFT = 72;
const RIGHT = 16;
const TOP = 40;
const SEQUENCE = { top: TOP, height: 360 };
const WINDOW = { top: TOP + 360 + 48, height: 160 };
const HEIGHT = WINDOW.top + WINDOW.height + 40;

/** What is drawn, in seconds and octets (or segments). */
interface Drawn {
  segments: [number, number, number][];
  again: [number, number, number][];
  sacks: [number, number, number][];
  acks: [number, number][];
  edges: [number, number][];
  cwnd: [number, number][];
  flight: [number, number][];
  ssthresh: [number, number][];
}

const STYLE = `
svg { --ink: #1c1e21; --soft: #8a9099; --grid: #e4e6e9; --paper: #fff; --seg: #1f5fbf;
  --again: #d3202a; --ack: #1b8a3d; --sack: #8a3fc2; --edge: #b07a00; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e8eb; --soft: #8d949e; --grid: #2c3138;
  --paper: #14171a; --seg: #6ea8ff; --again: #ff6b6b; --ack: #5fd08a; --sack: #c690ff;
  --edge: #e0b350; } }
text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); } .paper { fill: var(--paper); } path { fill: none; }
.grid { stroke: var(--grid); } .seg { stroke: var(--seg); stroke-width: 2; }
.again { stroke: var(--again); stroke-width: 4; stroke-linecap: square; }
.ack { stroke: var(--ack); }
.sack { stroke: var(--sack); opacity: .7; } .edge { stroke: var(--edge); }
.dash { stroke: var(--soft); stroke-dasharray: 4 3; }`;

function gather(rows: readonly EventRow[]): Drawn {
  const d: Drawn = {
    ...{ segments: [], again: [], sacks: [], acks: [] },
    ...{ edges: [], cwnd: [], flight: [], ssthresh: [] },
  };
  const seq = new Unwrapped();
  const from = rows[0]?.at ?? 0;
  for (const row of rows) {
    const t = (row.at - from) / 1e6;
    if (row.kind === 'sent' && row.octets > 0) {
      const at = seq.of(row.seq);
      (row.again ? d.again : d.segments).push([t, at, at + row.octets]);
    } else if (row.kind === 'acked') {
      d.acks.push([t, seq.of(row.una)]);
      d.edges.push([t, seq.of(row.edge)]);
    } else if (row.kind === 'sacked' && row.what !== 'refused') {
      d.sacks.push([t, seq.of(row.start), seq.of(row.end)]);
    } else if (row.kind === 'cwnd') {
      d.cwnd.push([t, row.cwnd]);
      d.flight.push([t, row.inFlight]);
      if (row.ssthresh < 0x7fffffff) d.ssthresh.push([t, row.ssthresh]);
    }
  }
  return d;
}

/** A step for an axis: 1, 2 or 5 times a power of ten, about `wanted` of them. */
function step(span: number, wanted: number): number {
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const more = rough / power;
  return power * (more > 5 ? 10 : more > 2 ? 5 : more > 1 ? 2 : 1);
}

function short(n: number): string {
  if (Math.abs(n) >= 1e6) return `${+(n / 1e6).toFixed(2)}M`;
  return Math.abs(n) >= 1e4 ? `${+(n / 1e3).toFixed(1)}k` : String(+n.toFixed(3));
}

class Panel {
  readonly #top: number;
  readonly #height: number;
  readonly #t: number;
  readonly #low: number;
  readonly #high: number;

  constructor(place: { top: number; height: number }, t: number, low: number, high: number) {
    this.#top = place.top;
    this.#height = place.height;
    this.#t = t > 0 ? t : 1;
    this.#low = low;
    this.#high = high > low ? high : low + 1;
  }

  x(t: number): string {
    return (LEFT + (t / this.#t) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  }

  y(v: number): string {
    const part = (v - this.#low) / (this.#high - this.#low);
    return (this.#top + this.#height - Math.max(0, Math.min(1, part)) * this.#height).toFixed(1);
  }

  bars(kind: string, bars: readonly [number, number, number][]): string {
    const d = bars.map(([t, a, b]) => `M${this.x(t)} ${this.y(a)}V${this.y(b)}`).join('');
    return d === '' ? '' : `<path class="${kind}" d="${d}"/>`;
  }

  /** A line of steps: a value holds until the next. */
  steps(kind: string, points: readonly [number, number][]): string {
    const d = points.map(([t, v], i) =>
      i === 0 ? `M${this.x(t)} ${this.y(v)}` : `H${this.x(t)}V${this.y(v)}`,
    );
    return d.length < 2 ? '' : `<path class="${kind}" d="${d.join('')}"/>`;
  }

  frame(title: string, unit: string): string {
    const out: string[] = [];
    const dv = step(this.#high - this.#low, 6);
    for (let v = Math.ceil(this.#low / dv) * dv; v <= this.#high; v += dv) {
      out.push(`<path class="grid" d="M${LEFT} ${this.y(v)}H${WIDTH - RIGHT}"/>`);
      out.push(
        `<text x="${LEFT - 8}" y="${this.y(v)}" dy="4" text-anchor="end">${short(v)}</text>`,
      );
    }
    const dt = step(this.#t, 8);
    const bottom = this.#top + this.#height;
    for (let t = 0; t <= this.#t; t += dt) {
      out.push(`<path class="grid" d="M${this.x(t)} ${this.#top}V${bottom}"/>`);
      out.push(
        `<text x="${this.x(t)}" y="${bottom + 16}" text-anchor="middle">${short(t)} s</text>`,
      );
    }
    out.push(`<text class="soft" x="${LEFT}" y="${this.#top - 8}">${title} (${unit})</text>`);
    return out.join('');
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

const most = (values: readonly number[], least: number): number =>
  values.reduce((a, b) => Math.max(a, b), least);

/** One connection's events (all kinds that `trace` watches) as a picture with a title. */
export function traceSvg(rows: readonly EventRow[], title: string): string {
  const d = gather(rows);
  const t = ((rows.at(-1)?.at ?? 0) - (rows[0]?.at ?? 0)) / 1e6;
  const ends = [...d.segments, ...d.again].map(([, , end]) => end);
  const high = most([...ends, ...d.acks.map(([, v]) => v)], 1);
  const low = [...d.segments, ...d.again].reduce((a, [, start]) => Math.min(a, start), 0);
  // a window far beyond what is sent would leave the segments no room
  const edges = d.edges.filter(([, v]) => v <= high * 1.25);
  const top = most(
    edges.map(([, v]) => v),
    high,
  );
  const plot = new Panel(SEQUENCE, t, low, top);
  const windows = [...d.cwnd, ...d.flight].map(([, v]) => v);
  const cwnd = new Panel(WINDOW, t, 0, most(windows, 1) * 1.1);
  const legend = [
    ...[
      ['seg', 'sent'],
      ['again', 'sent again'],
      ['ack', 'acknowledged'],
    ],
    ...[
      ['sack', 'SACK'],
      ['edge', "window's edge"],
    ],
  ]
    .map(([kind, text], i) => {
      const x = WIDTH - RIGHT - 560 + i * 116;
      return `<path class="${kind}" d="M${x} 14h16"/><text x="${x + 22}" y="18">${text}</text>`;
    })
    .join('');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text x="${LEFT}" y="18">${escaped(title)}</text>${legend}`,
    plot.frame('sequence numbers', 'octets'),
    plot.steps('edge', edges),
    plot.steps('ack', d.acks),
    plot.bars('seg', d.segments),
    plot.bars('sack', d.sacks),
    plot.bars('again', d.again),
    cwnd.frame('cwnd, and in flight; ssthresh dashed', 'segments'),
    cwnd.steps('dash', d.ssthresh),
    cwnd.steps('ack', d.flight),
    cwnd.steps('seg', d.cwnd),
    '</svg>\n',
  ].join('\n');
}
