// The laboratory as a source of the inspector: the hosts of a scenario, and the hand on its clock.

import type { BriefRow } from '../inspect/brief.ts';
import { briefRows } from '../inspect/brief.ts';
import { MEANINGS } from '../inspect/meanings.ts';
import { dissect } from '../inspect/packets.ts';
import type { SimHost } from '../sim/host.ts';
import { SCENARIOS, scenarioOf } from '../sim/lab/scenarios.ts';
import type { Scenario } from '../sim/lab/stage.ts';
import { connectionOf } from '../stack/send-map.ts';
import { linkRows, routeRows } from '../stack/tables.ts';
import type {
  ConnPart,
  DropExample,
  Hello,
  LabState,
  PacketDetail,
  PacketRow,
  Snapshot,
  Wants,
} from './frames.ts';
import { Player } from './player.ts';
import { holderRows } from './ports.ts';
import type { Cursor, Source } from './source.ts';

/** Most time of one look that goes to playing on, and most packets and events of one frame. */
const PLAY_MS = 40;
const MOST_ROWS = 2000;
const SPEEDS = [0.0001, 100] as const;

export class LabSource implements Source {
  #player: Player;
  #epoch = 1;
  #playing = true;
  #speed: number;
  #lastMs: number | null = null;
  readonly #clock: () => number;

  /** @param clock ms that go on, to play by */
  constructor(scenario: Scenario, clock: () => number = () => performance.now()) {
    this.#player = new Player(scenario);
    this.#speed = scenario.speed;
    this.#clock = clock;
  }

  hello(): Hello {
    const hosts = this.#player.hosts.map((host) => host.name);
    const words = { kind: 'lab' as const, name: 'laboratory', pid: 0, addresses: [] };
    return { ...words, mtu: null, offloads: [], hosts, meanings: MEANINGS, packets: true };
  }

  /** Time goes on by what has passed outside, at the speed that is set. */
  #play(): void {
    const now = this.#clock();
    const passed = this.#lastMs === null ? 0 : Math.min(250, now - this.#lastMs);
    this.#lastMs = now;
    if (!this.#playing) return;
    const player = this.#player;
    player.runTo(player.nowUs + passed * 1000 * this.#speed, now + PLAY_MS, this.#clock);
    if (player.ended) this.#playing = false;
  }

  async look(wants: Wants, cursor: Cursor): Promise<Snapshot> {
    this.#play();
    const player = this.#player;
    const seen: Snapshot = { us: Math.round(player.nowUs), epoch: this.#epoch, lab: this.#state() };
    seen.hosts = player.hosts.map((host) => host.name);
    const host = player.hosts.find((one) => one.name === wants.host) ?? player.hosts[0];
    if (host === undefined) return seen;
    const { views } = wants;
    if (views.includes('sockets')) seen.sockets = player.hosts.flatMap(rowsOf);
    if (views.includes('ports')) {
      seen.ports = player.hosts.flatMap((one) => holderRows(one.stack, one.name));
      seen.flows = host.stack.flowTables();
      seen.memory = host.stack.memory();
    }
    const { counters, drops } = host.stack.counters.snapshot();
    Object.assign(seen, { counters, drops });
    if (views.includes('network')) Object.assign(seen, networkOf(host));
    if (views.includes('drops')) seen.examples = this.#examples(host.name);
    if (views.includes('packets')) {
      const rows = player.packets.since(cursor.packets);
      cursor.packets = player.packets.end;
      seen.packets = rows.slice(-MOST_ROWS).map(withoutOctets);
    }
    if (views.includes('events')) {
      seen.events = player.log.since(cursor.events).slice(-MOST_ROWS);
      cursor.events = player.log.end;
    }
    if (wants.conn !== null) {
      const part = this.#conn(wants.conn.host, wants.conn.key, cursor);
      if (part !== null) seen.conn = part;
    }
    return seen;
  }

  #conn(name: string, key: string, cursor: Cursor): ConnPart | null {
    const history = this.#player.logOf(name)?.historyOf(key) ?? null;
    if (history === null) return null;
    const host = this.#player.hosts.find((one) => one.name === name);
    const row = host?.stack.sockets().find((one) => one.netid === 'tcp' && keyed(one) === key);
    const found = host === undefined ? null : connectionOf(host.stack, row?.sk ?? -1);
    if (found !== null) history.map = found.map;
    return history.since(cursor, found?.row.info ?? null);
  }

  #examples(host: string): DropExample[] {
    const last = new Map<string, DropExample>();
    for (const { n, us, verdict, dir, info, host: of } of this.#player.packets.since(0)) {
      if (of !== host || dir !== 'in' || verdict === '') continue;
      last.set(verdict, { reason: verdict, us, n, text: info, hex: '' });
    }
    return [...last.values()];
  }

  #state(): LabState {
    const player = this.#player;
    const { name, title, teaches, look } = player.scenario;
    return {
      ...{ scenario: name, title, teaches, look, step: player.sent },
      scenarios: SCENARIOS.map((one) => ({ name: one.name, title: one.title })),
      playing: this.#playing,
      ended: player.ended,
      speed: this.#speed,
      hosts: player.hosts.map((host) => host.name),
      charts: player.stage.drawings,
    };
  }

  packet(n: number): PacketDetail | null {
    const found = this.#player.packets.since(0).find((one) => one.n === n);
    if (found === undefined) return null;
    const { octets } = found;
    const hex = Array.from(octets, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { row: withoutOctets(found), hex, tree: dissect(octets) };
  }

  async act(name: string, what: Readonly<Record<string, unknown>>): Promise<unknown> {
    const player = this.#player;
    switch (name) {
      case 'play':
        if (player.ended) this.#begin(new Player(player.scenario, player.fates));
        this.#playing = true;
        return null;
      case 'pause':
        this.#playing = false;
        return null;
      case 'step':
        this.#playing = false;
        player.stepPacket();
        return null;
      case 'back':
        this.#playing = false;
        this.#begin(player.back());
        return null;
      case 'rewind':
        this.#playing = false;
        this.#begin(new Player(player.scenario));
        return null;
      case 'speed':
        this.#speed = Math.min(SPEEDS[1], Math.max(SPEEDS[0], Number(what.speed) || 1));
        return null;
      case 'fate':
        player.fate(String(what.host), Number(what.us));
        return null;
      case 'choose':
        return this.#choose(String(what.name));
      case 'kill':
        return this.#kill(what);
      default:
        throw new Error(`the laboratory does not know '${name}'`);
    }
  }

  #choose(name: string): null {
    const scenario = scenarioOf(name);
    if (scenario === null) throw new Error(`there is no scenario '${name}'`);
    this.#begin(new Player(scenario));
    this.#speed = scenario.speed;
    this.#playing = true;
    return null;
  }

  #begin(player: Player): void {
    this.#player = player;
    this.#epoch++;
  }

  #kill(what: Readonly<Record<string, unknown>>): { killed: boolean } {
    const host = this.#player.hosts.find((one) => one.name === what.host);
    if (host === undefined) throw new Error('there is no such host');
    type End = Parameters<typeof host.stack.kill>[0];
    return { killed: host.stack.kill(what.local as End, what.remote as End) };
  }

  watched(pages: number): void {
    if (pages === 0) this.#lastMs = null;
  }

  close(): void {}
}

function rowsOf(host: SimHost): BriefRow[] {
  return briefRows(host.stack.sockets()).map((row) => ({ ...row, host: host.name }));
}

function keyed(row: Parameters<typeof briefRows>[0][number]): string {
  return briefRows([row])[0]?.key ?? '';
}

function withoutOctets(packet: PacketRow & { octets?: Uint8Array }): PacketRow {
  const { octets: _octets, ...row } = packet;
  return row;
}

function networkOf({ stack }: SimHost): Pick<Snapshot, 'links' | 'routes' | 'neighbours'> {
  return {
    links: linkRows(stack).map(({ device, mtu, offloads, addresses }) => ({
      ...{ name: device, mtu, addresses },
      capabilities: offloads.join(' ') || 'nothing',
    })),
    routes: routeRows(stack).map(({ destination, gateway, device }) => ({
      ...{ prefix: destination, via: gateway ?? 'on the link', link: device },
    })),
    neighbours: [],
  };
}
