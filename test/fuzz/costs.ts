// What attacks cost, in branches taken: runs inside the instrumented bundle, so that the figure is
// the same on every machine. Each answers steps for the second half of its packets and for the
// first: a cost that grows with what was sent before shows as a ratio above one.

import { Behaviour, Machine } from './program.ts';
import { Rig } from './rig.ts';

const LOCAL = 0xc0000201 | 0;
const PEER = 0xc6336409 | 0;
const SYN = 2;
const ACK = 16;

export interface Cost {
  readonly perPacketFirst: number;
  readonly perPacketLast: number;
  /** The dearest single packet. */
  readonly most: number;
}

class Attack {
  readonly rig = new Rig(1);
  readonly machine = new Machine(this.rig);
  seq = 1000;
  ack = 0;

  constructor(mss: number) {
    const { stack } = this.rig;
    const handler = new Behaviour(this.machine, 0);
    stack.listen({
      port: 80,
      handler: {
        accept: (_server, s) => {
          this.machine.keep(s);
          return handler;
        },
      },
    });
    this.segment(SYN, this.seq, 0, [2, 4, mss << 16, 0, 4, 2, 0, 0]);
    const flow = this.rig.flows.find((f) => f.used);
    if (flow === undefined) throw new Error('no answer to the SYN');
    this.seq++;
    this.ack = flow.ack;
    this.segment(ACK, this.seq, this.ack, []);
  }

  /** `options`: kind, length and two words of each. */
  segment(flags: number, seq: number, ack: number, options: readonly number[], len = 0): void {
    const p = this.rig.packet;
    p.ip(6, PEER, LOCAL);
    const l4 = p.len;
    p.tcp((1234 << 16) | 80, seq, ack, flags, 65_535);
    for (let i = 0; i + 3 < options.length; i += 4) {
      const [kind, length, a, b] = options.slice(i, i + 4) as [number, number, number, number];
      p.option(kind, length, a, b);
    }
    p.endOptions(l4);
    p.payload(len, 1);
    p.seal();
    this.rig.receive(0, 0, false);
  }
}

function steps(): number {
  let n = 0;
  for (const count of globalThis.portsideEdges) n += count;
  return n;
}

/** Runs `one` n times; what the halves and the dearest cost. The rig's own checks do not count. */
function measured(n: number, one: (i: number) => void): Cost {
  const edges = globalThis.portsideEdges;
  const halves = [0, 0];
  let most = 0;
  for (let i = 0; i < n; i++) {
    edges.fill(0);
    one(i);
    const cost = steps();
    most = Math.max(most, cost);
    halves[i < n / 2 ? 0 : 1] = (halves[i < n / 2 ? 0 : 1] as number) + cost;
  }
  const [first, last] = halves as [number, number];
  return { perPacketFirst: first / (n / 2), perPacketLast: last / (n / 2), most };
}

/** Segments of one octet, every other octet of the window (SegmentSmack). */
export function tinySegments(n: number): Cost {
  const a = new Attack(1460);
  return measured(n, (i) => a.segment(ACK, a.seq + 2 + 2 * (i % 30_000), a.ack, [], 1));
}

/** The program sends a lot to a peer that asked for crumbs, which then tells of holes everywhere. */
export function sackHoles(n: number): Cost {
  const a = new Attack(48);
  const s = a.machine.sockets[0];
  s?.send(a.machine.bulk, 0, 100_000);
  a.rig.settle();
  for (let i = 0; i < 12; i++) {
    const flow = a.rig.flows.find((f) => f.used);
    if (flow !== undefined) a.ack = flow.ack;
    a.segment(ACK, a.seq, a.ack, []);
    s?.send(a.machine.bulk, 0, 100_000);
    a.rig.settle();
  }
  return measured(n, (i) => {
    const far = i % 2 === 0 ? 40_000 : 0;
    const start = (a.ack + far + 96 * ((i >> 1) % 400) + 48) | 0;
    a.segment(ACK, a.seq, a.ack, [5, 10, start, (start + 48) | 0]);
  });
}

/** A whole flight of crumbs is lost, but for every other one of them: it goes again bit by bit. */
export function resends(n: number): Cost {
  const a = new Attack(48);
  const s = a.machine.sockets[0];
  for (let i = 0; i < 8; i++) {
    s?.send(a.machine.bulk, 0, 100_000);
    a.rig.settle();
    const flow = a.rig.flows.find((f) => f.used);
    if (flow !== undefined) a.ack = flow.ack;
    a.segment(ACK, a.seq, a.ack, []);
  }
  const una = a.ack;
  const hole = (i: number): number => (una + 96 * i + 48) | 0;
  for (let i = 0; i < 400; i++) a.segment(ACK, a.seq, una, [5, 10, hole(i), (hole(i) + 48) | 0]);
  a.rig.pass(2_000_000);
  const before = a.machine.sockets[0]?.tcb.board.walked ?? 0;
  const cost = measured(n, (i) => {
    const end = hole(400 + i);
    a.segment(ACK, a.seq, una, [5, 10, end, (end + 48) | 0]);
  });
  const walked = (a.machine.sockets[0]?.tcb.board.walked ?? 0) - before;
  return { ...cost, most: walked / n };
}

/** ACKs of one octet each (ACK division). */
export function crumbs(n: number): Cost {
  const a = new Attack(1460);
  const s = a.machine.sockets[0];
  s?.send(a.machine.bulk, 0, 100_000);
  a.rig.settle();
  return measured(n, (i) => a.segment(ACK, a.seq, (a.ack + 1 + i) | 0, []));
}
