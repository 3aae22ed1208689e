// Every state × every set of nine flags × four places of the sequence number × five of the
// acknowledgment number: no exception, legal moves only, at most one reply, never RST for RST.

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import type { TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';

const LOCAL = 0xc0000201;
const REMOTE = 0xc6336409;
const PORT = 80;
const F = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

/** What came out, only as far as the grid needs it. */
interface Reply {
  seq: number;
  ack: number;
  flags: number;
}

class Bench implements TcpHandler {
  readonly slab = new Slab(1 << 22);
  readonly stack: Stack;
  readonly server: TcpServer;
  readonly replies: Reply[] = [];
  readonly #rx: number;
  readonly #link: number;
  socket: TcpSocket | null = null;
  remotePort = 1000;
  nowUs = 1_000_000;
  waitsBefore = 0;

  constructor() {
    this.#rx = this.slab.reserve(4096);
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(1),
      nowUs: this.nowUs,
      config: { tcp: { rstPerSecond: 1e9, synBacklog: 1 << 20 } },
    });
    this.#link = this.stack.addLink({
      name: 'grid0',
      caps: 0,
      loopback: false,
      mtu: 1500,
      transmit: (tx) => this.#sent(tx),
      flush: () => {},
    });
    this.stack.addAddress(this.#link, '192.0.2.1', 24);
    this.stack.addRoute('0.0.0.0', 0, { link: this.#link });
    const accept = (_: unknown, s: TcpSocket): TcpHandler => {
      this.socket = s;
      return this;
    };
    this.server = this.stack.listen({
      port: PORT,
      address: '0.0.0.0',
      backlog: 1 << 16,
      handler: { accept },
    });
  }

  #sent(tx: Tx): boolean {
    const at = tx.headerOff + 20;
    const view = this.slab.view;
    this.replies.push({
      seq: view.getInt32(at + 4),
      ack: view.getInt32(at + 8),
      flags: view.getUint8(at + 13),
    });
    return true;
  }

  opened(): void {}
  data(): void {}
  ended(): void {}
  writable(): void {}
  written(): void {}
  closed(): void {}

  /** A segment comes in; a 0-octet batch follows it. Flag bit 256 is the fourth reserved bit. */
  inject(flags: number, seq: number, ack: number, len = 0): void {
    const { view, u8 } = this.slab;
    const at = this.#rx;
    const total = 40 + len;
    view.setUint32(at, 0x4500_0000 | total);
    view.setUint32(at + 4, 0x4000);
    view.setUint32(at + 8, 0x4006_0000);
    view.setUint32(at + 12, REMOTE);
    view.setUint32(at + 16, LOCAL);
    view.setUint16(at + 10, ~this.#sum(at, at + 20, 0) & 0xffff);
    const tcp = at + 20;
    view.setUint16(tcp, this.remotePort);
    view.setUint16(tcp + 2, PORT);
    view.setInt32(tcp + 4, seq | 0);
    view.setInt32(tcp + 8, ack | 0);
    view.setUint16(tcp + 12, 0x5000 | flags);
    view.setUint16(tcp + 14, 8000);
    view.setUint32(tcp + 16, (flags & F.URG) !== 0 ? len : 0);
    u8.fill(0x61, tcp + 20, tcp + 20 + len);
    // DATA_VALID: the sum is not what is tested here
    this.stack.receive(this.#link, at, total, 2, 0);
    this.stack.drain();
  }

  #sum(from: number, to: number, initial: number): number {
    let s = initial;
    for (let i = from; i < to; i += 2) s += this.slab.view.getUint16(i);
    while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
    return s;
  }

  /** A TIME-WAIT has no socket any more: the counter tells it from CLOSED. */
  get state(): string {
    const { state } = (this.socket as TcpSocket).info();
    const waits = this.stack.counters.get('TcpExtTW') > this.waitsBefore;
    return state === 'UNCONN' && waits ? 'TIME-WAIT' : state;
  }

  take(): Reply {
    const r = this.replies.pop();
    if (r === undefined) throw new Error('the stack said nothing');
    this.replies.length = 0;
    return r;
  }
}

interface Position {
  /** Name of the state that the connection is in. */
  name: string;
  rcvNxt: number;
  una: number;
  nxt: number;
}

const IRS = 5000;

/** Ten octets are under way in every state that can have that. */
function reach(b: Bench, state: string): Position {
  b.socket = null;
  b.replies.length = 0;
  b.waitsBefore = b.stack.counters.get('TcpExtTW');
  if (state === 'CLOSED' || state === 'LISTEN')
    return { name: state, rcvNxt: IRS + 1, una: 100, nxt: 110 };
  if (state === 'SYN-SENT') {
    b.socket = b.stack.connect({
      address: '198.51.100.9',
      port: b.remotePort,
      localPort: PORT,
      localAddress: '192.0.2.1',
      handler: b,
    });
    b.stack.drain();
    const { seq } = b.take();
    return { name: state, rcvNxt: IRS + 1, una: seq, nxt: (seq + 1) | 0 };
  }
  b.inject(F.SYN, IRS, 0);
  const iss = b.take().seq;
  if (state === 'SYN-RECV') return { name: state, rcvNxt: IRS + 1, una: iss, nxt: (iss + 1) | 0 };
  b.inject(F.ACK, IRS + 1, iss + 1);
  const s = b.socket as TcpSocket | null;
  if (s === null) throw new Error('not accepted');
  let rcvNxt = IRS + 1;
  if (state === 'CLOSE-WAIT' || state === 'LAST-ACK') {
    b.inject(F.FIN | F.ACK, rcvNxt, iss + 1);
    rcvNxt++;
  }
  s.write(new Uint8Array(10));
  if (state !== 'ESTAB' && state !== 'CLOSE-WAIT') s.shutdown();
  b.stack.drain();
  let una = (iss + 1) | 0;
  const nxt = (iss + (state === 'ESTAB' || state === 'CLOSE-WAIT' ? 11 : 12)) | 0;
  if (state === 'FIN-WAIT-2' || state === 'TIME-WAIT') {
    b.inject(F.ACK, rcvNxt, nxt);
    una = nxt;
  }
  if (state === 'CLOSING' || state === 'TIME-WAIT') {
    b.inject(F.FIN | F.ACK, rcvNxt, una);
    rcvNxt++;
  }
  b.replies.length = 0;
  if (b.state !== state) throw new Error(`wanted ${state}, is ${b.state}`);
  return { name: state, rcvNxt, una, nxt };
}

/** Moves that one segment may cause (RFC 9293 figure 5 and §3.10.7). */
const LEGAL: Record<string, readonly string[]> = {
  'SYN-SENT': ['SYN-SENT', 'SYN-RECV', 'ESTAB', 'CLOSE-WAIT', 'UNCONN'],
  ESTAB: ['ESTAB', 'CLOSE-WAIT', 'UNCONN'],
  'FIN-WAIT-1': ['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSING', 'TIME-WAIT', 'UNCONN'],
  'FIN-WAIT-2': ['FIN-WAIT-2', 'TIME-WAIT', 'UNCONN'],
  'CLOSE-WAIT': ['CLOSE-WAIT', 'UNCONN'],
  CLOSING: ['CLOSING', 'TIME-WAIT', 'UNCONN'],
  'LAST-ACK': ['LAST-ACK', 'UNCONN'],
};

/** States that some cell ends in. */
const MADE: Record<string, readonly string[]> = {
  ...LEGAL,
  CLOSED: [],
  LISTEN: [],
  'SYN-SENT': ['SYN-SENT', 'SYN-RECV', 'ESTAB', 'UNCONN'],
  'SYN-RECV': ['ESTAB', 'CLOSE-WAIT'],
  'TIME-WAIT': ['UNCONN'],
};

const SEQS: readonly { name: string; at: (p: Position) => number }[] = [
  { name: 'left', at: (p) => p.rcvNxt - 50 },
  { name: 'in', at: (p) => p.rcvNxt },
  { name: 'right', at: (p) => p.rcvNxt + 100 },
  { name: 'out', at: (p) => p.rcvNxt + 50_000_000 },
];
const ACKS: readonly { name: string; at: (p: Position) => number }[] = [
  { name: 'old', at: (p) => p.una - 5 },
  { name: 'una', at: (p) => p.una },
  { name: 'in', at: (p) => p.una + ((p.nxt - p.una) >> 1) },
  { name: 'nxt', at: (p) => p.nxt },
  { name: 'above', at: (p) => p.nxt + 1 },
];

/** What is wrong with what the stack did; '' when nothing is. */
function judge(b: Bench, p: Position, flags: number): string {
  if (b.stack.counters.get('PortsideExceptions') !== 0) return 'an exception';
  const out = b.replies;
  if (out.length > 1) return `${out.length} replies`;
  const reply = out[0];
  if ((flags & F.RST) !== 0 && reply !== undefined && (reply.flags & F.RST) !== 0)
    return 'RST for RST';
  if (reply !== undefined && (reply.flags & F.SYN) !== 0) {
    const opening = (flags & (F.SYN | F.ACK | F.RST | F.FIN)) === F.SYN;
    const again = p.name === 'SYN-RECV';
    if (p.name !== 'SYN-SENT' && !again && !opening) return 'SYN for no SYN';
  }
  if (
    p.name === 'LISTEN' &&
    (flags & F.SYN) !== 0 &&
    (flags & F.FIN) !== 0 &&
    reply !== undefined
  ) {
    if ((reply.flags & F.SYN) !== 0) return 'SYN+FIN made a connection';
  }
  const legal = LEGAL[p.name];
  if (legal !== undefined && b.socket !== null) {
    if (!legal.includes(b.state)) return `moved to ${b.state}`;
  }
  if (p.name === 'TIME-WAIT' && (flags & F.RST) !== 0) {
    // RFC 1337: still there, so the peer's FIN is acknowledged again
    b.replies.length = 0;
    b.inject(F.FIN | F.ACK, p.rcvNxt - 1, p.nxt);
    if (b.replies[0]?.flags !== F.ACK) return 'assassinated';
  }
  return '';
}

const STATES = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECV',
  'ESTAB',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
];

describe('any segment in any state', () => {
  test.each(STATES)(
    '%s: no exception, one reply, legal moves, no RST for RST (RFC 9293 §3.10.7)',
    (state) => {
      const wrong: string[] = [];
      const seen = new Set<string>();
      let cells = 0;
      for (const s of SEQS) {
        for (const a of ACKS) {
          const b = new Bench();
          // nobody listens: the state CLOSED, and a port for a connection of ours
          if (state === 'CLOSED' || state === 'SYN-SENT') b.server.close();
          for (let flags = 0; flags < 512; flags++) {
            b.remotePort = 1000 + flags;
            b.nowUs += 100;
            b.stack.advance(b.nowUs);
            const p = reach(b, state);
            b.waitsBefore = b.stack.counters.get('TcpExtTW');
            // every other cell carries text
            const len = (flags + s.name.length + a.name.length) % 2 === 0 ? 0 : 4;
            b.inject(flags, s.at(p), a.at(p), len);
            if (b.socket !== null) seen.add(b.state);
            const what = judge(b, p, flags);
            if (what !== '')
              wrong.push(`flags 0x${flags.toString(16)} seq ${s.name} ack ${a.name}: ${what}`);
            cells++;
            b.socket?.abort();
            b.stack.drain();
          }
        }
      }
      expect(wrong.slice(0, 20)).toEqual([]);
      expect(cells).toBe(10_240);
      // the grid has really been there: every legal move is made by some segment
      expect([...seen].sort()).toEqual([...(MADE[state] as string[])].sort());
    },
  );
});
