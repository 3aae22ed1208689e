// One end of the model walk: a stack with a clock of its own, at most one connection, and a program
// that does what it is told. What it sends is collected; how it looks is a string.

import type { Random } from '../../src/base/random.ts';
import { RxFlag } from '../../src/base/rx.ts';
import { Slab } from '../../src/base/slab.ts';
import { type Tx, TxFlag } from '../../src/base/tx.ts';
import type { Link } from '../../src/link/link.ts';
import { copyPacket, packetLen } from '../../src/link/packet.ts';
import { decode, Wire } from '../../src/sim/decode.ts';
import { ALL_CAPS } from '../../src/sim/world.ts';
import type { TcpServer } from '../../src/socket/tcp-server.ts';
import type { TcpHandler, TcpSocket } from '../../src/socket/tcp-socket.ts';
import { Stack } from '../../src/stack/stack.ts';
import { Timer, timerArmed } from '../../src/tcp/tcp.ts';

export const USER_ACTIONS = [
  'listen',
  'unlisten',
  'connect',
  'send',
  'pause',
  'resume',
  'shutdown',
  'close',
  'abort',
  'timer',
] as const;
export type UserAction = (typeof USER_ACTIONS)[number];

/** Moves of the channel come behind both ends' actions: packet × 3 + move. */
export const CHANNEL_ACTION = 2 * USER_ACTIONS.length;
/** A packet arrives and is gone; arrives and stays (a duplicate follows); is lost. */
export const ChannelMove = { TAKE: 0, KEEP: 1, LOSE: 2 } as const;

const ADDRESSES = ['10.0.0.1', '10.0.0.2'] as const;
const PORTS = [1000, 2000] as const;
const ISS = [100_000, 200_000] as const;
/** What a program has to say. */
const OCTETS = 2;
const FIRST_US = 1_000_000;
/** Longer than anything that a reset leaves behind. */
const REST_US = 400_000_000;
const KINDS = [Timer.REXMIT, Timer.DELACK, Timer.KEEP, Timer.LINGER, Timer.PACE];
/** States in which something of ours always waits for the peer's word. */
const ASKING = ['SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'CLOSING', 'LAST-ACK'];
const NAMES = [
  '-',
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
] as const;

export class Endpoint implements Link, TcpHandler {
  readonly side: 0 | 1;
  readonly stack: Stack;
  readonly sent: Uint8Array[] = [];
  readonly name = 'model';
  readonly loopback = false;
  readonly caps = ALL_CAPS;
  mtu = 1500;
  /** Octets given to the stack and read from it; whether FIN was asked for, and an end was told. */
  given = 0;
  got = 0;
  finished = false;
  sawEnd = false;
  readonly #slab = new Slab(1 << 22, true);
  readonly #at: number;
  readonly #wire = new Wire();
  readonly #wrong: string[] = [];
  #nowUs = FIRST_US;
  #socket: TcpSocket | null = null;
  #server: TcpServer | null = null;
  #didOpen = false;
  #wasOpened = false;
  #code: number | null = null;
  #paused = false;
  #let = false;

  constructor(side: 0 | 1, random: Random) {
    this.side = side;
    this.stack = new Stack({
      slab: this.#slab,
      random,
      nowUs: this.#nowUs,
      config: {
        tcp: {
          testIss: ISS[side],
          timestamps: false,
          synRetries: 2,
          synAckRetries: 2,
          retries: 3,
          orphanRetries: 2,
          rstPerSecond: 1_000_000,
        },
      },
    });
    this.#at = this.#slab.reserve(2048);
    const id = this.stack.addLink(this);
    this.stack.addAddress(id, ADDRESSES[side], 24);
  }

  // --- the link -----------------------------------------------------------------------------

  transmit(tx: Tx): boolean {
    const octets = new Uint8Array(packetLen(tx));
    copyPacket(tx, this.#slab.u8, octets, 0);
    if ((tx.flags & TxFlag.NEEDS_CSUM) === 0)
      this.#wrong.push('a packet without its sum to be made');
    this.sent.push(octets);
    return true;
  }

  flush(): void {}

  receive(octets: Uint8Array): void {
    this.#slab.u8.set(octets, this.#at);
    this.stack.tick(this.#nowUs);
    this.stack.receive(1, this.#at, octets.length, RxFlag.NEEDS_CSUM);
    this.#turn();
    this.#slab.recycle(this.#at, octets.length);
  }

  #turn(): void {
    this.stack.advance(this.#nowUs);
    this.stack.drain();
  }

  // --- the program ----------------------------------------------------------------------------

  opened(s: TcpSocket): void {
    if (this.#wasOpened) this.#wrong.push('opened twice');
    this.#wasOpened = true;
    this.#socket = s;
  }

  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (this.#paused) this.#wrong.push('data while paused');
    for (let i = 0; i < len; i++) {
      if (u8[off + i] !== 65 + this.got + i) this.#wrong.push(`octet ${this.got + i} is wrong`);
    }
    this.got += len;
  }

  ended(_s: TcpSocket): void {
    if (this.sawEnd) this.#wrong.push('ended twice');
    this.sawEnd = true;
  }

  writable(_s: TcpSocket): void {}
  written(_s: TcpSocket, _n: number): void {}

  closed(_s: TcpSocket, code: number): void {
    if (this.#code !== null) this.#wrong.push('closed twice');
    this.#code = code;
  }

  get #alive(): boolean {
    return this.#socket !== null && this.#code === null && !this.#let;
  }

  may(action: UserAction): boolean {
    switch (action) {
      case 'listen':
        return this.side === 1 && !this.#didOpen;
      case 'unlisten':
        return this.#server !== null;
      case 'connect':
        return !this.#didOpen;
      case 'send':
        return this.#alive && this.given < OCTETS && !this.finished;
      case 'pause':
        return this.#alive && !this.#paused && this.#wasOpened;
      case 'resume':
        return this.#alive && this.#paused;
      case 'shutdown':
        return this.#alive && !this.finished;
      case 'close':
      case 'abort':
        return this.#alive;
      case 'timer':
        return this.stack.nextDeadline() !== Infinity;
    }
  }

  act(action: UserAction): void {
    if (action === 'timer') this.#fire();
    else this.#call(action);
    this.#turn();
  }

  #call(action: Exclude<UserAction, 'timer'>): void {
    const s = this.#socket;
    if (action === 'listen') this.#listen();
    else if (action === 'connect') this.#connect();
    else if (action === 'unlisten') {
      this.#server?.close();
      this.#server = null;
    } else if (action === 'send') {
      s?.send(Uint8Array.of(65 + this.given), 0, 1);
      this.given++;
    } else if (action === 'pause') {
      this.#paused = true;
      s?.pause();
    } else if (action === 'resume') {
      this.#paused = false;
      s?.resume();
    } else this.#leave(action);
  }

  #leave(action: 'shutdown' | 'close' | 'abort'): void {
    this.finished = true;
    if (action === 'shutdown') {
      this.#socket?.shutdown();
      return;
    }
    this.#let = true;
    if (action === 'close') this.#socket?.close();
    else this.#socket?.abort();
  }

  #listen(): void {
    this.#didOpen = true;
    this.#server = this.stack.listen({
      port: PORTS[1],
      handler: {
        accept: (_, s) => {
          if (this.#socket !== null) return null;
          this.opened(s);
          return this;
        },
      },
    });
  }

  #connect(): void {
    this.#didOpen = true;
    const other = this.side === 0 ? 1 : 0;
    this.#socket = this.stack.connect({
      address: ADDRESSES[other],
      port: PORTS[other],
      localPort: PORTS[this.side],
      handler: this,
    });
  }

  /** The clock goes to the next deadline; looks of the wheel that change nothing are passed over. */
  #fire(): void {
    const { tcp } = this.stack;
    const armed = (): number => tcp.deadlines.armed + tcp.timeWait.deadlines.armed;
    for (let n = 0; n < 64; n++) {
      const next = this.stack.nextDeadline();
      if (next === Infinity) return;
      const before = `${armed()} ${this.#deadlines()} ${this.sent.length}`;
      this.#nowUs = Math.max(this.#nowUs, next);
      this.#turn();
      if (`${armed()} ${this.#deadlines()} ${this.sent.length}` !== before) return;
    }
  }

  #deadlines(): string {
    const { tcp } = this.stack;
    let text = '';
    for (const t of tcp.connections) {
      if (t === null || t === undefined) continue;
      for (const kind of KINDS) text += `${tcp.deadlines.deadline(t.slot * KINDS.length + kind)},`;
    }
    return text;
  }

  /** How long until the next timer. */
  waitUs(): number {
    return this.stack.nextDeadline() - this.#nowUs;
  }

  /** Whatever is open is closed, whoever listens stops. */
  finish(): void {
    this.#server?.close();
    this.#server = null;
    this.#paused = false;
    if (this.#alive) this.#leave('close');
    this.#turn();
  }

  // --- how it looks ---------------------------------------------------------------------------

  get stateName(): string {
    const { tcp } = this.stack;
    for (const t of tcp.connections) {
      if (t !== null && t !== undefined) return NAMES[t.state] ?? '?';
    }
    if (tcp.timeWait.size > 0) return 'TIME-WAIT';
    return this.#server === null ? '-' : 'LISTEN';
  }

  describe(): string {
    let text = `${this.#didOpen ? 1 : 0}${this.#server === null ? 0 : 1}${this.#wasOpened ? 1 : 0}`;
    text += `${this.#paused ? 1 : 0}${this.#let ? 1 : 0}${this.finished ? 1 : 0}`;
    text += `${this.sawEnd ? 1 : 0},${this.given},${this.got},${this.#code ?? ''}`;
    const { tcp } = this.stack;
    for (const t of tcp.connections) {
      if (t === null || t === undefined) continue;
      text += `;${t.state},${t.sndUna - t.iss},${t.sndNxt - t.iss},${t.sndEnd - t.iss}`;
      text += `,${t.irs === 0 ? 0 : t.rcvNxt - t.irs},${t.ofo === null ? 0 : t.ofo.size}`;
      text += `,${t.finSent ? 1 : 0}${t.finReceived ? 1 : 0}${t.orphan ? 1 : 0},${t.ca}`;
      text += `,${t.rexmit},${t.retransmits},${t.sackedOut}${t.lostOut}${t.packetsOut},`;
      for (const kind of KINDS) text += timerArmed(t, kind) ? 1 : 0;
    }
    if (tcp.timeWait.size > 0) text += ';TW';
    return text;
  }

  /** A packet of this end's as the model sees it: who, flags, numbers from the two ISNs. */
  keyOf(octets: Uint8Array): string {
    const w = this.#wire;
    const wrong = decode(octets, 0, octets.length, w, true);
    if (wrong !== '') this.#wrong.push(`an invalid packet: ${wrong}`);
    const seq = (w.seq - ISS[this.side]) | 0;
    const ack = (w.ack - ISS[this.side === 0 ? 1 : 0]) | 0;
    let sack = '';
    for (let i = 0; i < w.sackBlocks * 2; i++) {
      sack += `:${((w.sack[i] as number) - ISS[this.side === 0 ? 1 : 0]) | 0}`;
    }
    return `${this.side}.${w.flags}.${seq}.${ack}.${w.dataLen}.${w.window === 0 ? 0 : 1}${sack}`;
  }

  // --- what must hold -------------------------------------------------------------------------

  /** What is wrong in this state, one line each. */
  wrong(): string[] {
    const found = this.#wrong.splice(0);
    const exceptions = this.stack.counters.get('PortsideExceptions');
    if (exceptions > 0) found.push(`${exceptions} exceptions`);
    for (const t of this.stack.tcp.connections) {
      if (t === null || t === undefined) continue;
      const state = NAMES[t.state] ?? '?';
      const unsent = ((t.sndEnd - t.sndUna) | 0) > 0;
      // no deadlock: whoever waits for an answer asks again by himself
      const asks = timerArmed(t, Timer.REXMIT) || timerArmed(t, Timer.PACE);
      if ((ASKING.includes(state) || (unsent && t.state >= 4)) && !asks) {
        found.push(`${state} waits for ever: ${this.describe()}`);
      }
      if (state === 'FIN-WAIT-2' && t.orphan && !timerArmed(t, Timer.LINGER)) {
        found.push('an orphan in FIN-WAIT-2 stays for ever');
      }
    }
    return found;
  }

  /** What a stack still holds when everything is over. */
  leftovers(): string {
    const { tcp } = this.stack;
    const left = [tcp.live, tcp.timeWait.size, tcp.deadlines.armed, tcp.segs.used, tcp.flows.size];
    if (left.every((n) => n === 0) && tcp.blocks.inUse === 0) return '';
    return `${ADDRESSES[this.side]} ${this.describe()}: connections, TIME-WAIT, timers, records, flows ${left.join()}`;
  }

  /** Back to the root: nothing is open, nothing is remembered of it. */
  reset(): void {
    this.finish();
    if (this.#socket !== null && this.#code === null) this.#socket.abort();
    this.#nowUs += REST_US;
    this.#turn();
    this.#nowUs += REST_US;
    this.#turn();
    this.sent.length = 0;
    this.#wrong.length = 0;
    this.#socket = null;
    this.#didOpen = false;
    this.#wasOpened = false;
    this.#code = null;
    this.#paused = false;
    this.#let = false;
    this.given = 0;
    this.got = 0;
    this.finished = false;
    this.sawEnd = false;
  }
}
