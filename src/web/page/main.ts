// The page: tabs, the address behind `#`, the keyboard, and one drawing for all frames of a tenth
// of a second.

import { ConnView } from './conn.ts';
import { count, h, octets, put } from './dom.ts';
import { LabBar, LabView } from './lab.ts';
import { Line } from './line.ts';
import { EventsView, NetworkView } from './network.ts';
import { CountersView, DropsView } from './numbers.ts';
import { PacketsView } from './packets.ts';
import { sparkline } from './plot.ts';
import { PortsView, SocketsView } from './sockets.ts';
import { Store } from './store.ts';
import type { Desk, View } from './view.ts';

const DRAW_MS = 100;

const by = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;

class Page implements Desk {
  readonly line: Line;
  readonly #store = new Store();
  readonly #views: View[];
  readonly #bar: LabBar;
  readonly #tabs = new Map<string, HTMLElement>();
  readonly #filter = by<HTMLInputElement>('filter');
  readonly #host = by<HTMLSelectElement>('host');
  #now: View;
  #conn: { host: string; key: string } | null = null;
  #due = false;
  #drawnMs = 0;
  #saidTimer = 0;

  constructor() {
    this.line = new Line(
      (frame) => {
        this.#store.apply(frame);
        if (frame.hello !== undefined) this.#greet();
        this.#soon();
      },
      (connected) => {
        this.#store.connected = connected;
        this.#soon();
      },
    );
    this.#bar = new LabBar(this);
    by('lab').append(this.#bar.element);
    const lab = new LabView(this);
    const views = [SocketsView, PortsView, PacketsView, CountersView, DropsView];
    this.#views = [lab, ...views.map((View) => new View(this))];
    this.#views.push(new NetworkView(this), new EventsView(this), new ConnView(this));
    this.#now = this.#views[1];
    this.#makeTabs();
    addEventListener('hashchange', () => this.#route());
    addEventListener('keydown', (event) => this.#key(event));
    this.#filter.addEventListener('input', () => this.#now.filter?.(this.#filter.value));
    this.#host.addEventListener('change', () => this.#chooseHost());
    setInterval(() => this.#soon(), 1000);
    this.#route();
  }

  #makeTabs(): void {
    for (const view of this.#views) {
      if (view.name === 'conn') continue;
      const tab = h('a', { href: `#${view.name}`, id: `tab-${view.name}` }, view.title);
      tab.hidden = view.name === 'lab';
      this.#tabs.set(view.name, tab);
      by('tabs').append(tab);
    }
  }

  #greet(): void {
    const { hello } = this.#store;
    if (hello === null) return;
    const lab = hello.kind === 'lab';
    document.title = `${hello.name} · portside`;
    put(by('name'), hello.name);
    const where = [...hello.addresses, hello.mtu === null ? '' : `MTU ${hello.mtu}`];
    put(by('where'), where.filter(Boolean).join(' · '));
    (this.#tabs.get('lab') as HTMLElement).hidden = !lab;
    if (lab && location.hash === '') this.open('lab');
    else this.#route();
  }

  /** Hosts of a simulated network, which change with the scenario. */
  #drawHosts(): void {
    const names = this.#store.whole.hosts ?? this.#store.hello?.hosts ?? [];
    if (this.#host.dataset.names === names.join()) return;
    this.#host.dataset.names = names.join();
    this.#host.replaceChildren(...names.map((name) => h('option', { value: name }, name)));
    this.#host.hidden = names.length < 2;
    this.#chooseHost();
  }

  #chooseHost(): void {
    this.#store.clearValues();
    this.#want();
  }

  open(hash: string): void {
    location.hash = hash;
  }

  say(text: string): void {
    put(by('said'), text);
    clearTimeout(this.#saidTimer);
    this.#saidTimer = setTimeout(() => put(by('said'), ''), 6000);
  }

  #route(): void {
    const [name, ...rest] = location.hash.slice(1).split('/').map(decodeURIComponent);
    const view = this.#views.find((one) => one.name === name) ?? this.#views[1];
    this.#conn = view.name === 'conn' ? { host: rest[0] ?? '', key: rest[1] ?? '' } : null;
    this.#now = view;
    by('main').replaceChildren(view.element);
    for (const [key, tab] of this.#tabs) {
      const on = key === view.name || (key === 'sockets' && view.name === 'conn');
      if (on) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
    this.#filter.hidden = view.filter === undefined;
    this.#filter.value = '';
    view.filter?.('');
    this.#want();
    this.#draw();
    if (view instanceof PacketsView && rest.length > 0) view.route(rest[0]);
    view.focus?.();
    put(by('keys'), `${view.keys ?? '↑↓ choose'} · 1–9 views · ? keys`);
  }

  #want(): void {
    const host = this.#host.value;
    this.line.want({ views: this.#now.views, host, conn: this.#conn });
  }

  /** At most ten drawings a second, and none of a page that nobody sees. */
  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    const rest = Math.max(0, this.#drawnMs + DRAW_MS - performance.now());
    setTimeout(() => requestAnimationFrame(() => this.#draw()), rest);
  }

  #draw(): void {
    this.#due = false;
    this.#drawnMs = performance.now();
    const store = this.#store;
    const rate = (name: string): number => store.counters.get(name)?.rate ?? 0;
    const speed = (octetsName: string, packets: string): string =>
      `${octets(rate(octetsName))}/s  ${count(rate(packets))} pkt/s`;
    put(by('rx'), speed('IpExtInOctets', 'IpInReceives'));
    put(by('tx'), speed('IpExtOutOctets', 'IpOutRequests'));
    const minute = Array.from({ length: 60 }, () => 0);
    let dropped = 0;
    for (const gauge of store.drops.values()) {
      dropped += gauge.rate;
      for (const [i, n] of gauge.minute().entries()) minute[i] += n;
    }
    put(by('dropped'), `${count(dropped)}/s`);
    by('drop-curve').setAttribute('d', sparkline(minute));
    const gone = store.connected ? '' : store.error || 'no connection: the inspector has ended';
    put(by('gone'), gone);
    by('gone').hidden = gone === '';
    this.#drawHosts();
    this.#bar.draw(store);
    this.#now.draw(store);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = (event.target as HTMLElement).matches?.('input, select') === true;
    if (event.key === 'Escape' && typing) {
      this.#filter.value = '';
      this.#now.filter?.('');
      this.#now.focus?.();
      return;
    }
    if (event.key === 'Enter' && event.target === this.#filter) this.#now.focus?.();
    if (typing) return;
    const help = by<HTMLDialogElement>('help');
    if (help.open) {
      if (event.key === '?') help.close();
      return;
    }
    if (event.key === '?') help.showModal();
    else if (event.key === '/' && this.#now.filter !== undefined) this.#filter.focus();
    else if (/^[1-9]$/.test(event.key)) this.#tab(Number(event.key));
    else if (this.#now.key?.(event) !== true) {
      // a button that has the focus takes Space and Enter itself
      const pressed = (event.target as HTMLElement).matches?.('button, a, summary') === true;
      if ((pressed && event.key === ' ') || !this.#bar.key(event)) return;
    }
    event.preventDefault();
  }

  #tab(n: number): void {
    const seen = [...this.#tabs].filter(([, tab]) => !tab.hidden);
    const [name] = seen[n - 1] ?? [];
    if (name !== undefined) this.open(name);
  }
}

new Page();
