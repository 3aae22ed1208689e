// A running host, looked into through its control socket. What no page shows is not asked for, and
// nothing is watched while no page is open.

import type { BriefRow } from '../inspect/brief.ts';
import type { EventRow as StackEvent } from '../inspect/event-rows.ts';
import { MEANINGS } from '../inspect/meanings.ts';
import { dissect } from '../inspect/packets.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { DropRow } from '../stack/detail.ts';
import type { FlowRow } from '../stack/snapshot.ts';
import type {
  PortRow as HeldPort,
  LinkRow as HostLink,
  RouteRow as HostRoute,
} from '../stack/tables.ts';
import { EventLog, Numbers } from './event-log.ts';
import type { DropExample, Hello, PacketDetail, Snapshot, Wants } from './frames.ts';
import { LiveConnections } from './live-conn.ts';
import { LivePackets } from './live-packets.ts';
import { holderText } from './ports.ts';
import type { Cursor, Source } from './source.ts';
import { Watcher } from './watcher.ts';

/** What the log of events is made of; the rest comes for one connection at a time. */
const LOG_KINDS = [
  ...['state', 'lost', 'undone', 'fired', 'drop', 'overflow', 'refused', 'route', 'neighbour'],
];
const MOST_ROWS = 2000;
/** How long packets are captured that nobody has asked for. */
const UNUSED_MS = 3000;

export class LiveSource implements Source {
  readonly #client: ControlClient;
  readonly #log: Watcher;
  readonly #packets: LivePackets;
  readonly #events: EventLog;
  readonly #connections: LiveConnections;
  #begun: Promise<void> | null = null;
  #epochUs = 0;
  /** What to add to our clock for the host's. */
  #shiftUs = 0;
  #packetsMs = 0;

  /** @param open a further connection to the same host */
  constructor(client: ControlClient, open: () => Promise<ControlClient>) {
    this.#client = client;
    this.#events = new EventLog(client.words.name, new Numbers(), 0);
    this.#log = new Watcher(open, (at, rows, lost) => this.#took(at, rows, lost));
    this.#packets = new LivePackets(client.words.name, open);
    this.#connections = new LiveConnections(client, open, this.#events);
  }

  #took(at: number, rows: readonly StackEvent[], lost: number): void {
    this.#shiftUs = at - performance.now() * 1000;
    this.#events.take(rows);
    if (lost > 0) this.#events.say(at, 'lost', `${lost} events came too fast to be shown`);
  }

  /** The first page: events are noted, also of connections that were there before it. */
  async #begin(): Promise<void> {
    this.#epochUs = (await this.#log.start({ kinds: LOG_KINDS })).epochUs;
    const rows = await this.#ask<BriefRow[]>('sockets', { brief: true });
    for (const { sk, key, netid, state, remote } of rows) {
      if (netid === 'tcp' && sk > 0 && remote !== '*') this.#events.meet(sk, key, 0).begin(state);
    }
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
    this.#begun ??= this.#begin();
    await this.#begun;
    const us = Math.round(performance.now() * 1000 + this.#shiftUs);
    const seen: Snapshot = { us, epoch: 1, epochUs: this.#epochUs };
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
      this.#packetsMs = performance.now();
      await this.#packets.start(this.#epochUs);
      seen.trouble = this.#packets.trouble;
      seen.packets = this.#packets.rows.since(cursor.packets).slice(-MOST_ROWS);
      cursor.packets = this.#packets.rows.end;
    }
    if (wants.conn !== null) {
      const rows = seen.sockets ?? [];
      const part = await this.#connections.look(wants.conn.key, rows, cursor);
      if (part !== null) seen.conn = part;
    }
    this.#sweep();
    return seen;
  }

  /** What the pages that are open have stopped to look at is watched no more. */
  #sweep(): void {
    this.#connections.sweep();
    if (performance.now() - this.#packetsMs > UNUSED_MS) this.#packets.stop();
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
    this.#connections.stop();
    this.#packets.stop();
    this.#begun = null;
  }

  close(): void {
    this.watched(0);
    this.#client.close();
  }
}
