// Programs of the sequence fuzzer: instructions of eight octets (what to do, seven arguments), run
// against a rig. Any octets are a program, so that any mutation of one is one, too.

import { CodeError } from '../../src/base/code.ts';
import type { StreamSocket } from '../../src/socket/stream-socket.ts';
import type { Knock, TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import type { UdpSocket } from '../../src/socket/udp-socket.ts';
import { bbr } from '../../src/tcp/congestion/bbr.ts';
import { cubic } from '../../src/tcp/congestion/cubic.ts';
import { newReno } from '../../src/tcp/congestion/newreno.ts';
import { packetInstruction } from './arrivals.ts';
import { callInstruction } from './calls.ts';
import { otherCallInstruction } from './other-calls.ts';
import type { Rig } from './rig.ts';

export const WIDTH = 8;
/** Instructions of a program at most. */
export const MOST = 48;
const MOST_SOCKETS = 12;
const MOST_ANSWERS = 100;
export const CONTROLLERS = [cubic, newReno, bbr] as const;

/** How the instruction's arguments are read. */
export class Reader {
  octets: Uint8Array = new Uint8Array(0);
  at = 0;
  arg(i: number): number {
    return this.octets[this.at + 1 + i] ?? 0;
  }
  word(i: number): number {
    return this.arg(i) * 256 + this.arg(i + 1);
  }
}

/** What a handler does when it is called: bits drawn by the program. */
export class Behaviour implements TcpHandler {
  readonly #m: Machine;
  readonly bits: number;
  constructor(m: Machine, bits: number) {
    this.#m = m;
    this.bits = bits;
  }
  #act(s: TcpSocket, when: number): void {
    if ((this.bits & 7) !== when) return;
    const what = this.bits >> 3;
    if (what < 4) s.close();
    else if (what < 8) s.abort();
    else if (what < 12) s.pause();
    else if (what < 16) s.shutdown();
    else if (what < 20) throw this.#m.rig.thrown;
    else if (what < 24) this.#m.answer(() => s.send(this.#m.bulk, 0, 3000));
    else s.setNoDelay();
  }
  opened(s: TcpSocket): void {
    this.#act(s, 1);
  }
  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    this.#act(s, 2);
    if ((this.bits & 7) === 6) this.#m.answer(() => s.send(u8, off, len));
  }
  ended(s: TcpSocket): void {
    this.#act(s, 3);
    if ((this.bits & 7) === 7) s.close();
  }
  writable(s: TcpSocket): void {
    this.#act(s, 4);
  }
  written(s: TcpSocket): void {
    this.#act(s, 4);
  }
  closed(s: TcpSocket): void {
    this.#act(s, 5);
  }
  urgent(s: TcpSocket): void {
    this.#act(s, 5);
  }
}

export class Machine {
  readonly rig: Rig;
  readonly r = new Reader();
  readonly bulk = new Uint8Array(1 << 17).fill(0x5a);
  servers: TcpServer[] = [];
  knocks: Knock[] = [];
  sockets: TcpSocket[] = [];
  streams: StreamSocket[] = [];
  udps: UdpSocket[] = [];
  /** What happens to the next packets: see arrivals.ts. */
  fragmenting = 0;
  patches: number[] = [];
  rxFlags = 0;
  gso = 0;
  /** How connections that arrive are served. */
  behaviour = 0;
  /** What puts the rig's addresses right again. */
  undo: (() => void)[] = [];
  #answers = 0;

  constructor(rig: Rig) {
    this.rig = rig;
  }

  /** Runs a program from a clean rig to a clean rig. Throws when an oracle is violated. */
  run(program: Uint8Array): void {
    this.#setUp(program);
    this.#answers = 0;
    const n = Math.min(MOST, Math.floor(program.length / WIDTH) - 1);
    for (let i = 1; i <= n; i++) {
      this.r.octets = program;
      this.r.at = i * WIDTH;
      const op = program[i * WIDTH] as number;
      this.rig.packet.wantSix = (op & 0x60) === 0x60;
      if ((op & 31) < 16) packetInstruction(this, op);
      else if ((op & 0x60) === 0x60) otherCallInstruction(this, op);
      else callInstruction(this, op);
    }
    this.#tearDown();
  }

  /** The first eight octets choose knobs. */
  #setUp(program: Uint8Array): void {
    const c = this.rig.stack.config;
    const bit = (i: number): boolean => (((program[i >> 3] ?? 0) >> (i & 7)) & 1) !== 0;
    Object.assign(c.tcp, {
      timestamps: !bit(0),
      sack: !bit(1),
      windowScale: !bit(2),
      synCookies: !bit(3),
      synBacklog: bit(4) ? 2 : 64,
      ecn: [2, 0, 1, 1][(program[0] ?? 0) >> 6],
      mtuProbing: [1, 0, 2, 2][(program[1] ?? 0) & 3],
      hystart: [1, 0, 2, 1][((program[1] ?? 0) >> 2) & 3],
      controller: CONTROLLERS[((program[1] ?? 0) >> 4) % 3],
      rcvBufInitial: bit(16) ? 4096 : 131_072,
      rcvBufMemory: bit(17) ? 20_000 : 1 << 20,
      sndBufInitial: bit(18) ? 4096 : 262_144,
      sndBufMax: 300_000,
      rcvBufMax: 400_000,
      maxTimeWait: bit(19) ? 1 : 64,
      maxConnections: bit(20) ? 3 : 256,
      ofoMaxRanges: bit(21) ? 2 : 64,
      softErrorsEndOpen: bit(22),
      idleRestart: !bit(23),
      lossProbe: !bit(24),
      challengeAcksPerSecond: bit(25) ? 1 : 10,
      rstPerSecond: bit(26) ? 1 : 5000,
      ephemeralHigh: bit(27) ? 32_770 : 60_999,
      retries: bit(28) ? 2 : 5,
      synRetries: bit(29) ? 1 : 3,
      minSendMss: bit(30) ? 8 : 48,
      keepAliveProbes: 3,
      initialCwnd: bit(51) ? 400 : 10,
      strictEmbryos: bit(52),
      crossedOffers: bit(52),
      fillWindow: bit(52),
      finAckAtOnce: !bit(52),
      hurriedAcks: bit(52),
      wholeSegments: bit(52),
      challengeGapMs: bit(52) ? 500 : 0,
      pawsSlack: bit(52) ? 1 : 0,
      synLinear: bit(52) ? 2 : 0,
      rfc1337: !bit(52),
      testIss: bit(53) ? 7 : -1,
      testTsOffset: bit(53) ? 9 : -1,
    });
    this.rig.stack.ip.memory.cap = bit(54) ? 400_000 : 512 << 20;
    Object.assign(c.ip, {
      icmpBurst: bit(32) ? 1 : 200,
      echoBroadcast: bit(33),
      reassemblyMaxOctets: bit(34) ? 4096 : 1 << 20,
      reassemblyMaxOctetsPerSource: bit(35) ? 3000 : 1 << 19,
      reassemblyMaxFragments: bit(36) ? 3 : 64,
      reportLinkLocalGroups: bit(37),
      icmpRatePerSecond: bit(38) ? 1 : 1000,
      pmtuMin: bit(39) ? 256 : 552,
    });
    Object.assign(c.udp, {
      udpReceiveOctets: bit(40) ? 2000 : 65_536,
      udpSendOctets: bit(41) ? 2000 : 65_536,
      udpMaxSockets: bit(42) ? 1 : 64,
      udpDrainDatagrams: bit(43) ? 1 : 1024,
      ephemeralHigh: bit(44) ? 32_769 : 60_999,
    });
    const sizes = [1500, 576, 296, 68, 9000, 1500, 1280, 65_535];
    this.rig.link.mtu = sizes[(program[6] ?? 0) & 7] as number;
    this.rig.link.caps = 0;
    this.behaviour = program[7] ?? 0;
  }

  #tearDown(): void {
    this.guard(() => this.rig.settle());
    this.rig.link.mtu = 1500;
    for (const s of this.servers) s.close();
    for (const s of this.streams) s.close();
    for (const s of this.streams) {
      s.abort();
      s.handle?.resume();
    }
    for (const s of this.sockets) {
      s.handler = QUIET;
      s.abort();
      s.resume();
    }
    for (const s of this.udps) s.close();
    this.servers = [];
    this.knocks = [];
    this.streams = [];
    this.sockets = [];
    this.udps = [];
    for (const call of this.undo.splice(0)) this.guard(call);
    this.patches = [];
    this.fragmenting = 0;
    this.rxFlags = 0;
    this.gso = 0;
    this.rig.end();
  }

  /** A misused call throws CodeError, and that only. */
  guard(call: () => unknown): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
    }
  }

  /** What a handler sends: not for ever, two of them may talk to each other. */
  answer(call: () => unknown): void {
    if (this.#answers++ < MOST_ANSWERS) this.guard(call);
  }

  keep(s: TcpSocket): void {
    if (this.sockets.length >= MOST_SOCKETS) {
      const old = this.sockets.shift() as TcpSocket;
      old.handler = QUIET;
      old.abort();
      old.resume();
    }
    this.sockets.push(s);
  }
}

export const QUIET: TcpHandler = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};
