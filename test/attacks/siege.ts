// A stack under siege: peers made of bare packets that know its numbers, and the books of its memory
// compared with the buffers that are alive.

import { expect } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { RxFlag } from '../../src/base/rx.ts';
import { Slab } from '../../src/base/slab.ts';
import type { Tx } from '../../src/base/tx.ts';
import { type Link, LinkCap } from '../../src/link/link.ts';
import type { TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { UdpSocket } from '../../src/socket/udp-socket.ts';
import type { ConfigOverrides } from '../../src/stack/config.ts';
import { Stack } from '../../src/stack/stack.ts';
import { tcp4 } from '../kit/packet.ts';

export const MB = 1 << 20;
export const CAP = 64 * MB;
export const US = '10.77.0.2';
export const SYN = 2;
export const RST = 4;
export const ACK = 16;
export const FIN_ACK = 17;
export const MSS = new Uint8Array([2, 4, 5, 0xb4, 4, 2, 0, 0]); // MSS 1460, SACK permitted

/** What leaves is forgotten: these peers know our numbers. */
class Hole implements Link {
  readonly name = 'hole0';
  readonly mtu = 1500;
  readonly caps = LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6 | LinkCap.USO;
  readonly loopback = false;
  transmit(_tx: Tx): boolean {
    return true;
  }
  flush(): void {}
}

interface Peer {
  readonly src: string;
  readonly port: number;
}

/** A peer's address and port for a number. */
export function peer(n: number): Peer {
  return {
    src: `20.${(n >> 14) & 127}.${(n >> 7) & 127}.${1 + (n & 127)}`,
    port: 1024 + (n % 60_000),
  };
}

/** A segment's fields beside the 4-tuple. */
interface Segment {
  flags: number;
  seq: number;
  ack?: number;
  window?: number;
  payload?: Uint8Array;
  options?: Uint8Array;
}

export class Siege {
  readonly slab = new Slab(16 * MB);
  readonly stack: Stack;
  readonly accepted: TcpSocket[] = [];
  readonly datagramSockets: UdpSocket[] = [];
  readonly #at: number;
  #server: TcpServer | null = null;
  #steps = 0;
  #used = 0;
  /** What the program does with each connection it accepts. */
  greet: (s: TcpSocket) => void = () => {};
  handler: TcpHandler = {
    opened() {},
    data() {},
    ended() {},
    writable() {},
    written() {},
    closed() {},
  };

  constructor(config: ConfigOverrides = {}) {
    this.stack = new Stack({
      slab: this.slab,
      random: new SeededRandom(1),
      nowUs: 1e6,
      config: {
        ip: { ...config.ip },
        udp: { udpMemoryOctets: 1024 * MB, ...config.udp },
        tcp: {
          testIss: 0,
          synBacklog: 1 << 20,
          rcvBufMemory: 1024 * MB,
          maxTimeWait: 1 << 20,
          ...config.tcp,
        },
        stack: { memoryOctets: CAP, ...config.stack },
      },
    });
    this.#at = this.slab.reserve(2 * MB);
    const id = this.stack.addLink(new Hole());
    this.stack.addAddress(id, US, 8);
    this.stack.addRoute('0.0.0.0', 0, { link: id });
  }

  listen(backlog = 1 << 20): TcpServer {
    this.#server = this.stack.listen({
      port: 80,
      backlog,
      handler: {
        accept: (_server, s) => {
          this.accepted.push(s);
          this.greet(s);
          return this.handler;
        },
      },
    });
    return this.#server;
  }

  /** One packet arrives and is served. */
  packet(octets: Uint8Array): void {
    if (this.#used + octets.length + 64 > 2 * MB) this.#used = 0;
    const off = this.#at + this.#used;
    this.#used += (octets.length + 63) & ~63;
    this.slab.u8.set(octets, off);
    this.stack.receive(1, off, octets.length, RxFlag.DATA_VALID);
    this.stack.drain();
    this.check();
  }

  segment(p: Peer, s: Segment): void {
    this.packet(tcp4({ src: p.src, dst: US }, { srcPort: p.port, dstPort: 80, ...s }));
  }

  /** SYN and the handshake's ACK; our ISN is 0, the peer's first octet is 1. */
  open(p: Peer, window = 65_535): void {
    this.segment(p, { flags: SYN, seq: 0, options: MSS, window });
    this.segment(p, { flags: ACK, seq: 1, ack: 1, window });
  }

  check(): void {
    const { memory } = this.stack.ip;
    if (memory.used > memory.cap) expect.fail(`${memory.used} octets are over the cap`);
    this.#steps++;
    if (this.#steps % 1999 === 0) this.compare();
  }

  /** The books and the buffers agree, kind by kind. */
  compare(): void {
    const { tcp, ip, udpLayer } = this.stack;
    let rings = 0;
    let live = 0;
    for (const t of tcp.connections) {
      if (t === null) continue;
      live++;
      rings += t.ring.capacity + (t.ofo === null ? 0 : t.ofo.octets);
    }
    let queues = 0;
    for (const e of udpLayer.endpoints) queues += e === null ? 0 : e.queue.capacity;
    expect([...ip.memory.held]).toEqual([
      rings,
      tcp.blocks.inUse,
      tcp.segs.used * 64 + tcp.segs.fingered * 4096,
      live * 2048,
      tcp.timeWait.size * 92,
      ip.reassembly.octets + ip.reassembly6.octets,
      queues,
    ]);
    let sum = 0;
    for (const n of ip.memory.held) sum += n;
    expect(ip.memory.used).toBe(sum);
  }

  later(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.stack.advance(this.stack.ip.nowUs + 1e6);
      this.stack.drain();
      this.check();
    }
  }

  /** The adversary has come close to the cap, and when all is over nothing is held. */
  end(least = 0.97): void {
    this.compare();
    const { memory } = this.stack.ip;
    expect(memory.used).toBeGreaterThan(memory.cap * least);
    for (const s of this.accepted) s.abort();
    for (const s of this.datagramSockets) s.close();
    this.#server?.close();
    this.stack.drain();
    this.later(200);
    this.compare();
    expect(memory.used).toBe(0);
    expect(this.stack.nextDeadline()).toBe(Infinity);
    expect(this.stack.counters.get('PortsideExceptions')).toBe(0);
  }

  dropped(reason: string): number {
    return this.stack.counters.snapshot().drops[reason] ?? 0;
  }
}
