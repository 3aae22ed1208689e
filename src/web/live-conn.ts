// Connections of a running host that are looked at one by one: their segments and windows are
// watched from when their page is opened; the moves of their states are the log's.

import type { BriefRow } from '../inspect/brief.ts';
import type { EventRow as StackEvent } from '../inspect/event-rows.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { SendMap } from '../stack/send-map.ts';
import type { SocketRow } from '../stack/snapshot.ts';
import { EventLog, Numbers } from './event-log.ts';
import type { ConnPart } from './frames.ts';
import type { Cursor } from './source.ts';
import { Watcher } from './watcher.ts';

/** What the log does not say of every connection already. */
const KINDS = [
  ...['sent', 'received', 'acked', 'sacked', 'cwnd', 'rtt', 'lost', 'undone', 'timer', 'fired'],
];
/** Connections watched at once, and how long one is that nobody has asked for. */
const MOST = 8;
const UNUSED_MS = 3000;

interface Watched {
  readonly sk: number;
  readonly watcher: Watcher;
  usedMs: number;
}

interface Found {
  row: SocketRow;
  map: SendMap;
}

export class LiveConnections {
  readonly #client: ControlClient;
  readonly #open: () => Promise<ControlClient>;
  readonly #log: EventLog;
  readonly #watched = new Map<string, Watched>();

  /** @param open a further connection to the same host. @param log has the states of all */
  constructor(client: ControlClient, open: () => Promise<ControlClient>, log: EventLog) {
    this.#client = client;
    this.#open = open;
    this.#log = log;
  }

  /** What is new of the connection of that key, or of the last one that had it; null: none. */
  async look(key: string, rows: readonly BriefRow[], cursor: Cursor): Promise<ConnPart | null> {
    const sk = rows.find((row) => row.key === key)?.sk ?? 0;
    const found = sk === 0 ? null : await this.#client.ask<Found | null>('socket', { sk });
    const info = found?.row.info ?? null;
    if (found !== null && info !== null) {
      const history = this.#log.meet(sk, key, info.snd_mss);
      history.begin(found.row.state);
      history.map = found.map;
      await this.#watch(key, sk, info.snd_mss);
    }
    const used = this.#watched.get(key);
    if (used !== undefined) used.usedMs = performance.now();
    return this.#log.historyOf(key)?.since(cursor, info) ?? null;
  }

  async #watch(key: string, sk: number, mss: number): Promise<void> {
    const before = this.#watched.get(key);
    if (before?.sk === sk) return;
    before?.watcher.stop();
    if (before === undefined && this.#watched.size >= MOST) return;
    const history = this.#log.meet(sk, key, mss);
    history.restart();
    const log = new EventLog(history.host, new Numbers(), 0);
    log.adopt(sk, history, mss);
    const take = (_at: number, events: readonly StackEvent[]): void => log.take(events);
    const watcher = new Watcher(this.#open, take);
    this.#watched.set(key, { sk, watcher, usedMs: performance.now() });
    await watcher.start({ sk, kinds: KINDS });
  }

  /** Lets go of those whose pages are closed. */
  sweep(): void {
    const now = performance.now();
    for (const [key, { watcher, usedMs }] of this.#watched) {
      if (now - usedMs < UNUSED_MS) continue;
      watcher.stop();
      this.#watched.delete(key);
    }
  }

  stop(): void {
    for (const { watcher } of this.#watched.values()) watcher.stop();
    this.#watched.clear();
  }
}
