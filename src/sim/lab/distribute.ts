// A file for many: from one server to each client, or among peers that exchange its pieces and
// whom a tracker has told of one another. Every host has an uplink that all its connections share.

import type { TcpHandler, TcpSocket } from '../../socket/tcp-socket.ts';
import type { SimHost } from '../host.ts';
import { byteOf, Messages } from './messages.ts';
import { SharedQueue, type Stage } from './stage.ts';

export const PIECES = 20;
export const PIECE_OCTETS = 10_000;
export const FILE_OCTETS = PIECES * PIECE_OCTETS;
/** Of each uplink, octets per second. */
export const UPLINK = 250_000;
const DELAY_US = 10_000;
const ROOM = 40_000;
const PORT = 6881;
const TRACKER_PORT = 6969;
/** Requests of one peer to another that may be open at once. */
const OPEN_REQUESTS = 2;
const CONFIG = { ip: { txArenaOctets: 1 << 18 }, stack: { loopbackOctets: 1 << 16 } };
/** Memory for packets that a link takes, with its ring. */
const LINK_OCTETS = 420_000;
const RINGS = { ringOctets: 1 << 17 };

const Kind = { HAVE: 1, REQUEST: 2, PIECE: 3, ANNOUNCE: 4 } as const;

/** Calls `done` with the virtual seconds when each of `n` clients has the whole file. */
export function fromServer(
  stage: Stage,
  net: number,
  n: number,
  done: (seconds: number, client: number) => void,
): void {
  const line = new SharedQueue(UPLINK, ROOM);
  const server = small(stage, `server${net}`, [net, 200], n);
  const begin = stage.nowUs;
  server.stack.listen({
    port: 80,
    handler: {
      accept: (_server, s) => {
        s.write(new Uint8Array(FILE_OCTETS));
        s.shutdown();
        return stage.program(server, { ended: (one) => one.close() });
      },
    },
  });
  for (let i = 0; i < n; i++) {
    const client = small(stage, `c${net}-${i + 1}`, [net, i + 1], 1);
    const ways = [{ delayUs: DELAY_US }, { delayUs: DELAY_US, fate: line.fate }] as const;
    stage.link(client, server, ways, RINGS);
    const reads = stage.program(client, {
      opened: () => {},
      data: () => {
        if (reads.octets === FILE_OCTETS) done((stage.nowUs - begin) / 1e6, i);
      },
      ended: (s) => s.close(),
    });
    client.stack.connect({ address: `10.${net}.0.200`, port: 80, handler: reads });
  }
}

/** A host with memory for so many links. */
function small(
  stage: Stage,
  name: string,
  [net, last]: readonly [number, number],
  links: number,
): SimHost {
  const slabOctets = Math.ceil((1_000_000 + links * LINK_OCTETS) / 65_536) * 65_536;
  const addresses = [`10.${net}.0.${last}/24`];
  return stage.added(name, { config: CONFIG, slabOctets, addresses });
}

/** The same among peers: one of them, the seed, has the file at the beginning. */
export function amongPeers(
  stage: Stage,
  net: number,
  n: number,
  done: (seconds: number, peer: number) => void,
): void {
  const begin = stage.nowUs;
  const tracker = small(stage, `tracker${net}`, [net, 250], n + 1);
  runTracker(tracker);
  const peers: Peer[] = [];
  for (let i = 0; i <= n; i++) {
    const host = small(stage, i === 0 ? `seed${net}` : `p${net}-${i}`, [net, i + 1], n + 1);
    const peer = new Peer(host, net, i === 0, () => {
      if (i > 0) done((stage.nowUs - begin) / 1e6, i - 1);
    });
    stage.link(host, tracker, { delayUs: DELAY_US }, RINGS);
    for (const other of peers) {
      const there = { delayUs: DELAY_US, fate: peer.uplink.fate };
      const back = { delayUs: DELAY_US, fate: other.uplink.fate };
      stage.link(host, other.host, [there, back], RINGS);
    }
    peers.push(peer);
    stage.at(begin + i * 1000, () => peer.announce());
  }
}

/** Answers whoever announces himself with those who did so before, and remembers him. */
function runTracker(host: SimHost): void {
  const known: number[] = [];
  const handler: TcpHandler = new Messages((s, kind, id) => {
    if (kind !== Kind.ANNOUNCE) return;
    for (const other of known) s.send(byteOf(Kind.ANNOUNCE, other));
    known.push(id);
    s.shutdown();
  });
  host.stack.listen({ port: TRACKER_PORT, handler: { accept: () => handler } });
}

class Peer {
  readonly host: SimHost;
  readonly uplink = new SharedQueue(UPLINK, ROOM);
  readonly #net: number;
  readonly #whole: () => void;
  readonly #has = new Set<number>();
  readonly #asked = new Set<number>();
  readonly #others = new Map<TcpSocket, { has: Set<number>; open: number }>();

  constructor(host: SimHost, net: number, seed: boolean, whole: () => void) {
    this.host = host;
    this.#net = net;
    this.#whole = whole;
    if (seed) for (let i = 0; i < PIECES; i++) this.#has.add(i);
    const accept = (_server: unknown, s: TcpSocket): TcpHandler => this.#meet(s);
    host.stack.listen({ port: PORT, handler: { accept } });
  }

  announce(): void {
    const id = Number(this.host.addresses[0]?.split('/')[0]?.split('.')[3]);
    const told = new Messages((_s, _kind, other) => this.#call(other));
    told.onOpened = (s) => {
      s.send(byteOf(Kind.ANNOUNCE, id));
      s.shutdown();
    };
    const address = `10.${this.#net}.0.250`;
    this.host.stack.connect({ address, port: TRACKER_PORT, handler: told });
  }

  #call(id: number): void {
    const address = `10.${this.#net}.0.${id}`;
    const messages = this.#messages();
    messages.onOpened = (s) => this.#greet(s);
    this.host.stack.connect({ address, port: PORT, handler: messages });
  }

  #meet(s: TcpSocket): TcpHandler {
    this.#greet(s);
    return this.#messages();
  }

  #messages(): Messages {
    return new Messages((s, kind, piece) => this.#take(s, kind, piece), PIECE_OCTETS);
  }

  /** Says what it has to somebody new. */
  #greet(s: TcpSocket): void {
    this.#others.set(s, { has: new Set(), open: 0 });
    for (const piece of this.#has) s.write(byteOf(Kind.HAVE, piece));
  }

  #take(s: TcpSocket, kind: number, piece: number): void {
    const other = this.#others.get(s);
    if (other === undefined) return;
    if (kind === Kind.HAVE) other.has.add(piece);
    else if (kind === Kind.REQUEST) {
      s.write(byteOf(Kind.PIECE, piece));
      s.write(new Uint8Array(PIECE_OCTETS));
    } else if (kind === Kind.PIECE) {
      other.open--;
      this.#gained(piece);
    }
    this.#ask();
  }

  #gained(piece: number): void {
    if (this.#has.has(piece)) return;
    this.#has.add(piece);
    for (const s of this.#others.keys()) s.write(byteOf(Kind.HAVE, piece));
    if (this.#has.size === PIECES) this.#whole();
  }

  /** Rarest first: a piece that few have is asked for before the others. */
  #ask(): void {
    for (const [s, other] of this.#others) {
      while (other.open < OPEN_REQUESTS) {
        const piece = this.#rarest(other.has);
        if (piece < 0) break;
        this.#asked.add(piece);
        other.open++;
        s.write(byteOf(Kind.REQUEST, piece));
      }
    }
  }

  #rarest(offered: ReadonlySet<number>): number {
    let best = -1;
    let least = Infinity;
    for (const piece of offered) {
      if (this.#has.has(piece) || this.#asked.has(piece)) continue;
      let n = 0;
      for (const { has } of this.#others.values()) if (has.has(piece)) n++;
      // peers that begin elsewhere in the file do not all want the same piece
      const turn = (piece + this.host.name.length * 7 + this.#order()) % PIECES;
      const rank = n * PIECES + turn;
      if (rank >= least) continue;
      least = rank;
      best = piece;
    }
    return best;
  }

  #order(): number {
    return Number(this.host.addresses[0]?.split('/')[0]?.split('.')[3]) * 5;
  }
}
