// What one page is told: the difference between what it knows and what is so, at most ten times a
// second, and never more than it takes.

import type { BriefRow } from '../inspect/brief.ts';
import type { Frame, Snapshot, Wants } from './frames.ts';
import { newCursor, type Source } from './source.ts';

/** Parts that are told whole when they have changed. */
const WHOLE = [
  'epochUs',
  'trouble',
  'hosts',
  'memory',
  'flows',
  'ports',
  'links',
  'routes',
  'neighbours',
  'examples',
  'lab',
];

export class Feed {
  wants: Wants = { views: [], host: '', conn: null };
  readonly #source: Source;
  readonly #sockets = new Map<string, string>();
  readonly #values = new Map<string, number>();
  readonly #whole = new Map<string, string>();
  #cursor = newCursor();
  #epoch = -1;

  constructor(source: Source) {
    this.#source = source;
  }

  /** What is new; null: nothing. */
  async next(): Promise<Frame | null> {
    let seen = await this.#source.look(this.wants, this.#cursor);
    const frame: Frame = { us: seen.us };
    if (seen.epoch !== this.#epoch) {
      if (this.#epoch >= 0) {
        this.#forget();
        frame.reset = true;
        seen = await this.#source.look(this.wants, this.#cursor);
        frame.us = seen.us;
      }
      this.#epoch = seen.epoch;
    }
    const any = this.#fill(frame, seen);
    return any || frame.reset === true ? frame : null;
  }

  #forget(): void {
    this.#sockets.clear();
    this.#values.clear();
    this.#whole.clear();
    this.#cursor = newCursor();
  }

  #fill(frame: Frame, seen: Snapshot): boolean {
    let any = false;
    if (seen.sockets !== undefined) {
      const sockets = this.#rows(seen.sockets);
      if (sockets.set.length + sockets.gone.length > 0) {
        frame.sockets = sockets;
        any = true;
      }
    }
    for (const name of ['counters', 'drops'] as const) {
      const values = seen[name];
      if (values === undefined) continue;
      const changed = this.#changed(`${this.wants.host} ${name}`, values);
      if (changed === null) continue;
      frame[name] = changed;
      any = true;
    }
    for (const name of WHOLE as (keyof Snapshot & keyof Frame)[]) {
      const value = seen[name];
      if (value === undefined) continue;
      const text = JSON.stringify(value);
      if (this.#whole.get(name) === text) continue;
      this.#whole.set(name, text);
      Object.assign(frame, { [name]: value });
      any = true;
    }
    for (const name of ['packets', 'events'] as const) {
      if ((seen[name]?.length ?? 0) === 0) continue;
      Object.assign(frame, { [name]: seen[name] });
      any = true;
    }
    if (seen.conn !== undefined) {
      frame.conn = seen.conn;
      any = true;
    }
    return any;
  }

  #rows(rows: readonly BriefRow[]): { set: BriefRow[]; gone: string[] } {
    const set: BriefRow[] = [];
    const now = new Set<string>();
    for (const row of rows) {
      const name = `${row.host ?? ''} ${row.key}`;
      now.add(name);
      const text = JSON.stringify(row);
      if (this.#sockets.get(name) === text) continue;
      this.#sockets.set(name, text);
      set.push(row);
    }
    const gone = [...this.#sockets.keys()].filter((name) => !now.has(name));
    for (const name of gone) this.#sockets.delete(name);
    return { set, gone };
  }

  #changed(group: string, values: Record<string, number>): Record<string, number> | null {
    const changed: Record<string, number> = {};
    let any = false;
    for (const [name, value] of Object.entries(values)) {
      const full = `${group} ${name}`;
      if (this.#values.get(full) === value) continue;
      this.#values.set(full, value);
      changed[name] = value;
      any = true;
    }
    return any ? changed : null;
  }
}
