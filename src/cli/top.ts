// `portside top`: the sockets of a running host, live on a terminal. `--once` prints one frame.

import { Command } from 'commander';
import type { BriefRow } from '../inspect/brief.ts';
import {
  frame,
  type Page,
  SORTS,
  type Sort,
  selectedIndex,
  TopModel,
  type TopRow,
  type TopView,
} from '../inspect/top-frame.ts';
import type { ControlClient } from '../node/control-client.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';
import { UsageError } from './report.ts';
import { numberOption } from './through.ts';

interface Options extends LookOptions {
  once?: boolean;
  interval?: string;
  sort?: string;
  filter?: string;
}

const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';
/** Lines of a frame that are not rows: the head, the columns, the keys. */
const FRAME = 5;
/** A pipe has no size. */
const PIPE = { columns: 100, rows: 30 };

export function topCommand(): Command {
  const command = new Command('top')
    .summary('the sockets of a running host, live')
    .description('the sockets of a running host, live: rates, drops, delay of its event loop')
    .option('--once', 'one frame, after one interval, without a terminal')
    .option('-d, --interval <S>', 'seconds between two looks (default: 1)')
    .option('--sort <COLUMN>', SORTS.join(', '))
    .option('--filter <WORDS>', "only sockets with these words: 'estab :80'");
  examples(command, [
    'portside top',
    "portside top --sort rtt --filter 'estab :80'",
    'portside top --once',
  ]);
  return lookOption(command).action((o: Options) => look(o, (client) => new Top(client, o).run()));
}

class Top {
  readonly #client: ControlClient;
  readonly #model = new TopModel();
  readonly #intervalMs: number;
  readonly #once: boolean;
  #page: Page = 'sockets';
  #sort: Sort = 'rate';
  #filter: string;
  #selected = '';
  #paused = false;
  /** A filter that is being typed, or a question that waits for y. */
  #typing: string | null = null;
  #asks: TopRow | null = null;
  #notice = '';
  #quit: () => void = () => {};
  #fail: (reason: unknown) => void = () => {};

  constructor(client: ControlClient, o: Options) {
    this.#client = client;
    this.#once = o.once === true;
    this.#intervalMs = numberOption(o.interval, '--interval', [0.1, 3600], 1) * 1000;
    this.#filter = o.filter ?? '';
    if (o.sort === undefined) return;
    if (!SORTS.includes(o.sort as Sort)) {
      throw new UsageError(`--sort: '${o.sort}' is none of ${SORTS.join(', ')}`);
    }
    this.#sort = o.sort as Sort;
  }

  async run(): Promise<void> {
    await this.#look();
    if (this.#once) {
      await new Promise((resolve) => setTimeout(resolve, this.#intervalMs));
      await this.#look();
      // all sockets, whatever the size of a screen, and no keys
      const rows = this.#model.visible(this.#sort, this.#filter).length;
      print(frame(this.#model, { ...this.#view(), height: rows + FRAME }).slice(0, -1));
      return;
    }
    const { stdin, stdout } = process;
    if (!stdin.isTTY || !stdout.isTTY) throw new UsageError('top needs a terminal; or use --once');
    const over = new Promise<void>((resolve, reject) => {
      this.#quit = resolve;
      this.#fail = reject;
    });
    const draw = (): void => this.#draw();
    const timer = setInterval(() => {
      if (!this.#paused) this.#look().then(draw, this.#fail);
    }, this.#intervalMs);
    const onKey = (text: string): void => this.#keys(text);
    stdout.write(ENTER_SCREEN);
    stdout.on('resize', draw);
    stdin.setRawMode(true);
    stdin.setEncoding('utf8').on('data', onKey).resume();
    process.once('SIGTERM', this.#quit);
    this.#draw();
    try {
      await over;
    } finally {
      clearInterval(timer);
      stdin.off('data', onKey).pause();
      stdin.setRawMode(false);
      stdout.off('resize', draw);
      stdout.write(LEAVE_SCREEN);
    }
  }

  async #look(): Promise<void> {
    const client = this.#client;
    const [rows, values, loop] = await Promise.all([
      client.ask<BriefRow[]>('sockets', { brief: true }),
      client.ask<{ counters: Record<string, number>; drops: Record<string, number> }>('counters'),
      client.ask<{ meanUs: number }>('loop'),
    ]);
    this.#model.feed({ atMs: performance.now(), rows, ...values, loopUs: loop.meanUs });
  }

  #view(): TopView {
    const { stdout } = process;
    const { name, addresses } = this.#client.words;
    return {
      name,
      addresses: addresses.join(' '),
      width: stdout.columns ?? PIPE.columns,
      height: stdout.rows ?? PIPE.rows,
      page: this.#page,
      sort: this.#sort,
      filter: this.#filter,
      paused: this.#paused,
      selected: this.#selected,
      prompt: this.#prompt(),
      color: stdout.isTTY === true && !process.env.NO_COLOR,
    };
  }

  #prompt(): string {
    if (this.#typing !== null) return `filter: ${this.#typing}_  (Enter: take it, Esc: leave it)`;
    if (this.#asks !== null) return `reset ${this.#asks.key}? y/n`;
    return this.#notice;
  }

  #draw(): void {
    const lines = frame(this.#model, this.#view());
    // each line is written over the old one: nothing flickers
    process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  /** Keys may come several at once, an arrow as three characters. */
  #keys(text: string): void {
    for (let at = 0; at < text.length; ) {
      const length = text.startsWith('\x1b[', at) ? 3 : 1;
      this.#key(text.slice(at, at + length));
      at += length;
    }
    this.#draw();
  }

  #key(key: string): void {
    this.#notice = '';
    if (key === '\x03') this.#quit();
    else if (this.#typing !== null) this.#type(key);
    else if (this.#asks !== null) this.#answer(key);
    else this.#command(key);
  }

  #type(key: string): void {
    const typed = this.#typing as string;
    if (key === '\r' || key === '\n') this.#filter = typed;
    if (key === '\r' || key === '\n' || key === '\x1b') this.#typing = null;
    else if (key === '\x7f' || key === '\b') this.#typing = typed.slice(0, -1);
    else if (key >= ' ' && key.length === 1) this.#typing = `${typed}${key}`.slice(0, 100);
  }

  #answer(key: string): void {
    const row = this.#asks as TopRow;
    this.#asks = null;
    if (key !== 'y') return;
    const local = { address: row.local, port: row.localPort };
    const remote = { address: row.remote, port: row.remotePort };
    const told = (killed: boolean): void => {
      this.#notice = killed ? `${row.key} is reset` : `${row.key} cannot be reset`;
      this.#draw();
    };
    this.#client
      .ask<{ killed: boolean }>('kill', { local, remote })
      .then(({ killed }) => told(killed), this.#fail);
  }

  #command(key: string): void {
    const toggled = (page: Page): Page => (this.#page === page ? 'sockets' : page);
    if (key === 'q') this.#quit();
    else if (key === '\x1b[A' || key === '\x1b[B') this.#move(key === '\x1b[A' ? -1 : 1);
    else if (key === '\r' || key === '\n') this.#enter(toggled('detail'));
    else if (key === 's')
      this.#sort = SORTS[(SORTS.indexOf(this.#sort) + 1) % SORTS.length] as Sort;
    else if (key === '/') this.#typing = this.#filter;
    else if (key === 'p') this.#paused = !this.#paused;
    else if (key === 'd') this.#page = toggled('drops');
    else if (key === 'c') this.#page = toggled('counters');
    else if (key === 'k') this.#asks = this.#marked() ?? null;
  }

  #enter(page: Page): void {
    this.#selected = this.#marked()?.key ?? '';
    this.#page = page;
  }

  #marked(): TopRow | undefined {
    const rows = this.#model.visible(this.#sort, this.#filter);
    return rows[selectedIndex(rows, this.#selected)];
  }

  #move(step: number): void {
    const rows = this.#model.visible(this.#sort, this.#filter);
    const at = selectedIndex(rows, this.#selected) + step;
    this.#selected = rows[Math.max(0, Math.min(rows.length - 1, at))]?.key ?? '';
  }
}
