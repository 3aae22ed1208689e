// A running host, looked into through its control socket. What no page shows is not asked for, and
// nothing is watched while no page is open.

import type { BriefRow } from '../inspect/brief.ts';
import type { EventRow as StackEvent } from '../inspect/event-rows.ts';
import { MEANINGS } from '../inspect/meanings.ts';
import { dissect } from '../inspect/packets.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { DropRow } from '../stack/detail.ts';
import type { SendMap } from '../stack/send-map.ts';
import type { FlowRow, SocketRow } from '../stack/snapshot.ts';
import type {
  PortRow as HeldPort,
  LinkRow as HostLink,
  RouteRow as HostRoute,
} from '../stack/tables.ts';
import { EventLog, Numbers } from './event-log.ts';
import type { ConnPart, DropExample, Hello, PacketDetail, Snapshot, Wants } from './frames.ts';
import { LivePackets } from './live-packets.ts';
import { holderText } from './ports.ts';
import type { Cursor, Source } from './source.ts';
import { Watcher } from './watcher.ts';

/** What the log of events is made of; the rest comes for one connection at a time. */
const LOG_KINDS = [
  ...['state', 'lost', 'undone', 'fired', 'drop', 'overflow', 'refused', 'route', 'neighbour'],
];
const MOST_ROWS = 2000;

export class LiveSource implements Source {
  readonly #client: ControlClient;
  readonly #log: Watcher;
  readonly #conn: Watcher;
  readonly #packets: LivePackets;
  #events: EventLog;
  #detail: EventLog;
  #sk = 0;
  #epochUs = 0;
  /** What to add to our clock for the host's. */
  #shiftUs: number | null = null;

  /** @param open a further connection to the same host */
  constructor(client: ControlClient, open: () => Promise<ControlClient>) {
    this.#client = client;
    this.#events = this.#newLog();
    this.#detail = this.#newLog();
    this.#log = new Watcher(open, (at, rows, lost) => this.#took(this.#events, at, rows, lost));
    this.#conn = new Watcher(open, (at, rows, lost) => this.#took(this.#detail, at, rows, lost));
    this.#packets = new LivePackets(client.words.name, open);
  }

  #newLog(): EventLog {
    return new EventLog(this.#client.words.name, new Numbers(), 0);
  }

  #took(log: EventLog, at: number, rows: readonly StackEvent[], lost: number): void {
    this.#shiftUs = at - performance.now() * 1000;
    log.take(rows);
    if (lost > 0) log.say(at, 'lost', `${lost} events came too fast to be shown`);
  }

  hello(): Hello {
    const { name, pid, addresses, mtu, offloads } = this.#client.words;
    const words = { name, pid, addresses, mtu, offloads, hosts: [name] };
    return { kind: 'host', ...words, packets: true, meanings: MEANINGS };
  }

  #ask<T>(what: string, more: object = {}): Promise<T> {
    return this.#client.ask<T>(what, more);
  }

  async look(wants: Wants, cursor: Cursor): Promise<Snapshot> {
    if (this.#shiftUs === null) {
      this.#epochUs = (await this.#log.start({ kinds: LOG_KINDS })).epochUs;
    }
    const us = Math.round(performance.now() * 1000 + (this.#shiftUs ?? 0));
    const seen: Snapshot = { us, epoch: 1 };
    const { views } = wants;
    if (views.includes('sockets')) seen.sockets = await this.#ask('sockets', { brief: true });
    Object.assign(seen, await this.#ask('counters'));
    if (views.includes('ports')) {
      const held = await this.#ask<HeldPort[]>('ports');
      seen.ports = held.map(holderText);
      seen.flows = await this.#ask<FlowRow[]>('flows');
      seen.memory = await this.#ask<Record<string, number>>('memory');
    }
    if (views.includes('network')) Object.assign(seen, await this.#network());
    if (views.includes('drops')) seen.examples = await this.#examples(us);
    if (views.includes('events')) {
      seen.events = this.#events.events.since(cursor.events).slice(-MOST_ROWS);
      cursor.events = this.#events.events.end;
    }
    if (views.includes('packets')) {
      await this.#packets.start(this.#epochUs);
      seen.packets = this.#packets.rows.since(cursor.packets).slice(-MOST_ROWS);
      cursor.packets = this.#packets.rows.end;
    }
    if (wants.conn !== null) {
      const part = await this.#connection(wants.conn.key, seen.sockets ?? [], cursor);
      if (part !== null) seen.conn = part;
    }
    return seen;
  }

  /** Everything about one connection is watched from when its page is opened. */
  async #connection(
    key: string,
    rows: readonly BriefRow[],
    cursor: Cursor,
  ): Promise<ConnPart | null> {
    const sk = rows.find((row) => row.key === key)?.sk ?? 0;
    if (sk > 0 && sk !== this.#sk) {
      this.#sk = sk;
      this.#detail = this.#newLog();
      await this.#conn.start({ sk });
    }
    const found = sk === 0 ? null : await this.#ask<Found | null>('socket', { sk });
    const info = found?.row.info ?? null;
    if (found !== null && info !== null) {
      this.#detail.meet(sk, key, info.snd_mss).begin(found.row.state);
    }
    const history = this.#detail.historyOf(key);
    if (history === null) return null;
    if (found !== null) history.map = found.map;
    return history.since(cursor, info);
  }

  async #network(): Promise<Pick<Snapshot, 'links' | 'routes' | 'neighbours'>> {
    const links = await this.#ask<HostLink[]>('links');
    const routes = await this.#ask<HostRoute[]>('routes');
    const neighbours = await this.#ask<Record<string, unknown>[]>('neighbours');
    return {
      links: links.map(({ device, mtu, offloads, addresses }) => ({
        ...{ name: device, mtu, addresses },
        capabilities: offloads.join(' ') || 'nothing',
      })),
      routes: routes.map(({ destination, gateway, device }) => ({
        ...{ prefix: destination, via: gateway ?? 'on the link', link: device },
      })),
      neighbours: neighbours.map((row) => ({
        ...{ address: String(row.address), link: String(row.device) },
        ...{ lladdr: String(row.lladdr ?? row.mac ?? ''), state: String(row.state) },
      })),
    };
  }

  async #examples(us: number): Promise<DropExample[]> {
    const rows = await this.#ask<DropRow[]>('drops');
    return rows.flatMap(({ reason, example }) => {
      if (example === null) return [];
      // to the second: what is shown does not change while nothing happens
      const at = Math.round((us - example.agoUs) / 1e6) * 1e6;
      return [{ reason, us: at, n: -1, text: example.text, hex: example.octets }];
    });
  }

  packet(n: number): PacketDetail | null {
    const found = this.#packets.find(n);
    if (found === null) return null;
    const { octets, row } = found;
    return { row, hex: Buffer.from(octets).toString('hex'), tree: dissect(octets) };
  }

  async act(name: string, what: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (name !== 'kill') throw new Error(`a host does not know '${name}'`);
    return await this.#ask('kill', { local: what.local, remote: what.remote });
  }

  watched(pages: number): void {
    if (pages > 0) return;
    this.#log.stop();
    this.#conn.stop();
    this.#packets.stop();
    this.#shiftUs = null;
    this.#sk = 0;
  }

  close(): void {
    this.watched(0);
    this.#client.close();
  }
}

interface Found {
  row: SocketRow;
  map: SendMap;
}
