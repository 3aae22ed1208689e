// What the network has seen of each TCP connection: the figures that a test asserts on, taken from
// the packets and not from either stack.

import { isTcp, type Parsed, TcpBit } from './packet.ts';

/** One direction of a connection. */
export interface Direction {
  /** Packets sent, those among them that the network lost, octets of payload in all of them. */
  packets: number;
  lost: number;
  octets: number;
  /** Packets with payload, SYN or FIN that repeat what was sent before. */
  retransmitted: number;
  syn: number;
  fin: number;
  rst: number;
}

/** An end of a connection: host by name, address, port. */
export interface Endpoint {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface Connection {
  /** Who sent the first SYN, and to whom. */
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** From client to server, and back. */
  readonly there: Direction;
  readonly back: Direction;
  /** ms on the network's clock: of the first packet and of the last. */
  readonly beganMs: number;
  lastMs: number;
  /** Both have sent FIN, or somebody RST. */
  readonly isOver: boolean;
}

/** Which connections are meant: by name of a host, by the server's port. */
export interface ConnectionFilter {
  client?: string;
  server?: string;
  port?: number;
}

/** Sequence numbers seen in one direction. */
interface Seen {
  readonly direction: Direction;
  next: number | null;
}

class Tracked implements Connection {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly there = fresh();
  readonly back = fresh();
  readonly beganMs: number;
  lastMs: number;
  readonly seen: readonly [Seen, Seen];

  constructor(client: Endpoint, server: Endpoint, ms: number) {
    this.client = client;
    this.server = server;
    this.beganMs = ms;
    this.lastMs = ms;
    this.seen = [
      { direction: this.there, next: null },
      { direction: this.back, next: null },
    ];
  }

  get isOver(): boolean {
    const { there, back } = this;
    return there.rst + back.rst > 0 || (there.fin > 0 && back.fin > 0);
  }
}

function fresh(): Direction {
  return { packets: 0, lost: 0, octets: 0, retransmitted: 0, syn: 0, fin: 0, rst: 0 };
}

function note(seen: Seen, p: Parsed, isLost: boolean): void {
  const d = seen.direction;
  d.packets++;
  d.octets += p.length;
  if (isLost) d.lost++;
  if ((p.flags & TcpBit.RST) !== 0) {
    d.rst++;
    return;
  }
  const syn = (p.flags & TcpBit.SYN) !== 0 ? 1 : 0;
  const fin = (p.flags & TcpBit.FIN) !== 0 ? 1 : 0;
  d.syn += syn;
  d.fin += fin;
  const occupied = p.length + syn + fin;
  if (occupied === 0) return;
  const end = (p.seq + occupied) | 0;
  if (seen.next !== null && ((end - seen.next) | 0) <= 0) d.retransmitted++;
  else seen.next = end;
}

const MOST = 100_000;

export class Connections {
  readonly #live = new Map<string, Tracked>();
  readonly #all: Tracked[] = [];

  /** A packet has been sent. @param names of the hosts that sent it and that it goes to */
  sent(p: Parsed, names: readonly [string, string], ms: number, isLost: boolean): void {
    if (!isTcp(p) || p.sourcePort === 0) return;
    const there = `${p.source} ${p.sourcePort} ${p.target} ${p.targetPort}`;
    const back = `${p.target} ${p.targetPort} ${p.source} ${p.sourcePort}`;
    const isFirst = (p.flags & (TcpBit.SYN | TcpBit.ACK)) === TcpBit.SYN;
    let found = this.#live.get(there) ?? this.#live.get(back);
    // The same ports again: a new connection.
    if (isFirst && (found === undefined || found.isOver) && this.#all.length < MOST) {
      const [from, to] = names;
      const client = { host: from, address: p.source, port: p.sourcePort };
      const server = { host: to, address: p.target, port: p.targetPort };
      this.#live.delete(back);
      found = new Tracked(client, server, ms);
      this.#live.set(there, found);
      this.#all.push(found);
    }
    if (found === undefined) return;
    const isThere = found.client.address === p.source && found.client.port === p.sourcePort;
    note(found.seen[isThere ? 0 : 1], p, isLost);
    found.lastMs = ms;
  }

  /** In the order in which they began. */
  list(filter: ConnectionFilter = {}): Connection[] {
    const { client, server, port } = filter;
    return this.#all.filter(
      (c) =>
        (client === undefined || c.client.host === client) &&
        (server === undefined || c.server.host === server) &&
        (port === undefined || c.server.port === port),
    );
  }
}
