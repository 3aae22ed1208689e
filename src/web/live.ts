// A running host, looked into through its control socket. What a page does not show is not asked
// for.

import { type BriefRow, keyOf } from '../inspect/brief.ts';
import { MEANINGS } from '../inspect/meanings.ts';
import { portRows } from '../inspect/ports.ts';
import type { ControlClient } from '../node/control-client.ts';
import type { FlowRow, SocketRow } from '../stack/snapshot.ts';
import type { ConnPart, Hello, PacketDetail, Snapshot, Wants } from './frames.ts';
import { History, sampleOf } from './history.ts';
import type { Cursor, Source } from './source.ts';

export class LiveSource implements Source {
  readonly #client: ControlClient;
  /** Of the connection whose page was opened last. */
  #history: History | null = null;

  constructor(client: ControlClient) {
    this.#client = client;
  }

  hello(): Hello {
    const { name, pid, addresses, mtu, offloads } = this.#client.words;
    const hosts = [name];
    const packets = false;
    return {
      kind: 'host',
      ...{ name, pid, addresses, mtu, offloads, hosts, packets },
      meanings: MEANINGS,
    };
  }

  async look(wants: Wants, cursor: Cursor): Promise<Snapshot> {
    const seen: Snapshot = { us: Math.round(performance.now() * 1000), epoch: 1 };
    const { views } = wants;
    const ask = <T>(what: string, more: object = {}): Promise<T> => this.#client.ask<T>(what, more);
    if (views.includes('sockets') || views.includes('ports')) {
      seen.sockets = await ask<BriefRow[]>('sockets', { brief: true });
      seen.ports = portRows(seen.sockets);
    }
    const { counters, drops } = await ask<{
      counters: Record<string, number>;
      drops: Record<string, number>;
    }>('counters');
    seen.counters = counters;
    seen.drops = drops;
    if (views.includes('ports')) {
      seen.flows = await ask<FlowRow[]>('flows');
      seen.memory = await ask<Record<string, number>>('memory');
    }
    if (wants.conn !== null) seen.conn = await this.#conn(wants.conn.key, cursor, seen.us);
    return seen;
  }

  async #conn(key: string, cursor: Cursor, us: number): Promise<ConnPart> {
    if (this.#history?.key !== key) this.#history = new History(this.hello().name, key);
    const history = this.#history;
    const rows = await this.#client.ask<SocketRow[]>('sockets');
    const row = rows.find((one) => keyOf(one) === key);
    history.state(us, row?.state ?? 'CLOSED', '');
    if (row?.info !== undefined) history.sample(sampleOf(us, row.info));
    return history.since(cursor, row?.info ?? null);
  }

  packet(_n: number): PacketDetail | null {
    return null;
  }

  async act(name: string, what: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (name !== 'kill') throw new Error(`a host does not know '${name}'`);
    return await this.#client.ask('kill', { local: what.local, remote: what.remote });
  }

  watched(pages: number): void {
    if (pages === 0) this.#history = null;
  }

  close(): void {
    this.#client.close();
  }
}
