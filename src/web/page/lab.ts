// The laboratory's desk: which scenario, what it teaches, and the hand on the clock: play, pause,
// one packet, slower, faster, back; lose or hold back the next packet of a host.

import type { Chart, LabState } from '../frames.ts';
import { count, h, moment, put } from './dom.ts';
import { Plot, type Series } from './plot.ts';
import type { Store } from './store.ts';
import type { Desk, View } from './view.ts';

const SPEEDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const COLOURS = ['data', 'bad', 'ack', 'sack', 'edge'];
const HELD_US = 50_000;

/** The row of controls above every view. */
export class LabBar {
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #choice = h('select', { 'aria-label': 'scenario' });
  readonly #host = h('select', { 'aria-label': 'host whose next packet is meant' });
  readonly #play = h('button', { type: 'button', class: 'main' }, 'Play');
  readonly #clock = h('output', { class: 'mono' });
  readonly #speed = h('output', { class: 'mono' });
  #lab: LabState | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
    const button = (text: string, title: string, click: () => void): HTMLElement =>
      h('button', { type: 'button', title, click }, text);
    this.#choice.addEventListener('change', () => this.#do('choose', { name: this.#choice.value }));
    this.#play.addEventListener('click', () => this.toggle());
    const clock = h(
      'span',
      { class: 'group' },
      this.#play,
      button('Step', 'one packet (n)', () => this.#do('step')),
      button('Back', 'one packet back (b)', () => this.#do('back')),
      button('Rewind', 'to the beginning (r)', () => this.#do('rewind')),
    );
    const pace = h(
      'span',
      { class: 'group' },
      button('−', 'slower (-)', () => this.#pace(-1)),
      this.#speed,
      button('+', 'faster (+)', () => this.#pace(1)),
    );
    const fate = h(
      'span',
      { class: 'group' },
      this.#host,
      button('Lose next', 'its next packet is lost (x)', () => this.#fate('lose')),
      button('Hold next', 'its next packet comes 50 ms later', () => this.#fate('hold')),
    );
    this.element = h('div', { class: 'lab-bar', hidden: true, role: 'toolbar' });
    this.element.append(this.#choice, clock, pace, fate, this.#clock);
    this.element.setAttribute('aria-label', 'laboratory');
  }

  #do(name: string, what: object = {}): void {
    this.#desk.line.act(name, what).catch((reason: Error) => this.#desk.say(reason.message));
  }

  toggle(): void {
    this.#do(this.#lab?.playing === true ? 'pause' : 'play');
  }

  #pace(by: number): void {
    const now = this.#lab?.speed ?? 1;
    const at = SPEEDS.findIndex((speed) => speed >= now * 0.99);
    const speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + by))];
    this.#do('speed', { speed });
  }

  #fate(what: 'lose' | 'hold'): void {
    const us = what === 'lose' ? -1 : HELD_US;
    this.#do('fate', { host: this.#host.value, us });
  }

  key(event: KeyboardEvent): boolean {
    const keys: Record<string, () => void> = {
      ' ': () => this.toggle(),
      n: () => this.#do('step'),
      b: () => this.#do('back'),
      r: () => this.#do('rewind'),
      x: () => this.#fate('lose'),
      '-': () => this.#pace(-1),
      '+': () => this.#pace(1),
    };
    const act = keys[event.key];
    if (this.#lab === null || act === undefined) return false;
    act();
    return true;
  }

  draw(store: Store): void {
    const lab = store.whole.lab ?? null;
    this.#lab = lab;
    this.element.hidden = lab === null;
    if (lab === null) return;
    options(
      this.#choice,
      lab.scenarios.map(({ name, title }) => [name, title]),
    );
    options(
      this.#host,
      lab.hosts.map((name) => [name, name]),
    );
    if (document.activeElement !== this.#choice) this.#choice.value = lab.scenario;
    put(this.#play, lab.playing ? 'Pause' : lab.ended ? 'Again' : 'Play');
    put(this.#speed, `${lab.speed}×`);
    put(
      this.#clock,
      `${moment(store.us)} s · ${count(lab.step)} packets${lab.ended ? ' · end' : ''}`,
    );
  }
}

function options(select: HTMLSelectElement, list: readonly (readonly [string, string])[]): void {
  const names = list.map(([value]) => value).join();
  if (select.dataset.names === names) return;
  select.dataset.names = names;
  select.replaceChildren(...list.map(([value, text]) => h('option', { value }, text)));
}

/** What the scenario teaches, and its own drawings. */
export class LabView implements View {
  readonly name = 'lab';
  readonly title = 'Scenario';
  readonly views = ['events', 'sockets'];
  readonly keys = 'Space play or pause · n step · b back · r rewind · x lose next · - + speed';
  readonly element: HTMLElement;
  readonly #desk: Desk;
  readonly #title = h('h2');
  readonly #teaches = h('p');
  readonly #look = h('ul', { class: 'look' });
  readonly #connections = h('div', { class: 'links' });
  readonly #charts = h('div', { class: 'charts' });
  readonly #story = h('ol', { class: 'story', 'aria-label': 'what has happened' });
  readonly #plots: Plot[] = [];

  constructor(desk: Desk) {
    this.#desk = desk;
    const text = h('article', { class: 'card lesson' }, this.#title, this.#teaches, this.#look);
    text.append(h('h3', {}, 'Connections'), this.#connections);
    const story = h('article', { class: 'card' }, h('h3', {}, 'What has happened'), this.#story);
    const right = h('div', { class: 'right' }, this.#charts, story);
    this.element = h('section', { class: 'view lab' }, text, right);
  }

  draw(store: Store): void {
    const lab = store.whole.lab;
    if (lab === undefined) return;
    put(this.#title, lab.title);
    put(this.#teaches, lab.teaches);
    const look = lab.look.join('\n');
    if (this.#look.dataset.text !== look) {
      this.#look.dataset.text = look;
      this.#look.replaceChildren(...lab.look.map((text) => h('li', {}, text)));
    }
    this.#drawConnections(store);
    this.#drawCharts(lab.charts);
    const story = store.events.filter((event) => event.kind !== 'numbers').slice(-200);
    const lines = story.map(({ us, host, kind, text }) =>
      h(
        'li',
        { class: `event-${kind}` },
        h('span', { class: 'time' }, `${(us / 1e3).toFixed(3)} ms`),
        h('b', {}, host),
        h('span', {}, text),
      ),
    );
    const end = this.#story.scrollTop + this.#story.clientHeight >= this.#story.scrollHeight - 30;
    this.#story.replaceChildren(...lines);
    if (end) this.#story.scrollTop = this.#story.scrollHeight;
  }

  #drawConnections(store: Store): void {
    const rows = [...store.sockets.values()].filter((r) => r.netid === 'tcp' && r.remote !== '*');
    const names = rows.map((r) => `${r.host} ${r.key} ${r.state}`).join('\n');
    if (this.#connections.dataset.names === names) return;
    this.#connections.dataset.names = names;
    const links = rows.slice(0, 24).map((row) => {
      const hash = `conn/${encodeURIComponent(row.host ?? '')}/${encodeURIComponent(row.key)}`;
      const click = (): void => this.#desk.open(hash);
      const state = h('span', { class: `pill state-${row.state.toLowerCase()}` }, row.state);
      const ends = `${row.host} ${row.localPort} → ${row.remotePort}`;
      return h('button', { type: 'button', click, title: row.key }, ends, state);
    });
    const more =
      rows.length > 24 ? h('span', { class: 'quiet' }, `and ${rows.length - 24} more`) : null;
    this.#connections.replaceChildren(...links, ...(more === null ? [] : [more]));
  }

  #drawCharts(charts: readonly Chart[]): void {
    if (this.#plots.length !== charts.length) {
      this.#plots.length = 0;
      for (const { title, x, y } of charts) {
        const across = (n: number): string => `${+n.toPrecision(3)} ${x}`;
        const unit = (n: number): string => `${+n.toPrecision(3)} ${y}`;
        this.#plots.push(new Plot({ label: title, height: 240, unit, across }));
      }
      this.#charts.replaceChildren(...this.#plots.map((plot) => plot.element));
    }
    for (const [i, { series }] of charts.entries()) {
      const drawn = series.map(
        ({ name, points }, at): Series => ({
          ...{ name, kind: 'line', points },
          colour: COLOURS[at % COLOURS.length],
        }),
      );
      this.#plots[i].draw(drawn);
    }
  }
}
