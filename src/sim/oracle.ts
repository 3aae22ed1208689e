// Programs at both ends of a connection, and the oracle over them: each direction is a stream keyed
// by position, so a reader judges every octet it gets; totals, ends and closes must come exactly as
// the plan says. A buffer given to `write` is overwritten as soon as `written` gives it back.

import { Code } from '../base/code.ts';
import { below, type Random } from '../base/random.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Clock } from './clock.ts';
import { chance, logUniform, pick } from './faults.ts';
import { fill, firstWrong } from './stream.ts';

/** How one end of a connection behaves. */
export interface Plan {
  /** Octets to send; an echo sends back what it gets. */
  octets: number;
  echo: boolean;
  /** Size of a write: fixed, or drawn up to this. */
  chunk: number;
  chunkDrawn: boolean;
  /** Uses `send` (copies) and not `write`. */
  copies: boolean;
  /** Goes on writing this many chunks after "full". */
  ignoresFull: number;
  /** Waits between writes, µs; 0 = none. */
  writePauseUs: number;
  /** Chance per delivery to pause reading, and for how long. */
  pauseChance: number;
  pauseUs: number;
  /** Sends its FIN only after the peer's. */
  endsLast: boolean;
  /** Calls `close` when everything is done, else leaves it to the two shutdowns. */
  closes: boolean;
  noDelay: boolean;
  corks: boolean;
  /** Aborts after that many octets received or sent; -1: never. */
  abortAt: number;
}

export function drawPlan(random: Random, octets: number): Plan {
  return {
    octets,
    echo: false,
    chunk: Math.max(1, Math.floor(pick(random, [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]))),
    chunkDrawn: chance(random, 0.5),
    copies: chance(random, 0.5),
    ignoresFull: chance(random, 0.2) ? below(random, 4) : 0,
    writePauseUs: chance(random, 0.3) ? Math.floor(logUniform(random, 10, 300_000)) : 0,
    pauseChance: chance(random, 0.4) ? 0.3 : 0,
    pauseUs: Math.floor(logUniform(random, 100, 2_000_000)),
    endsLast: false,
    closes: chance(random, 0.5),
    noDelay: chance(random, 0.5),
    corks: chance(random, 0.1),
    abortAt: -1,
  };
}

const SCRIBBLE = 0xee;
/** Writes of one `pump`: fairness, and a bound. */
const WRITES_AT_ONCE = 64;
/** With single octets a long stream takes for ever: most writes of a plan, and of a slow one. */
const MOST_WRITES = 3000;
const MOST_SLOW_WRITES = 150;
/** Most pauses in reading: a run must come to an end. */
const MOST_PAUSES = 30;
const CLOSE_POLL_US = 200_000;

/** What the runner must know of each end's world. */
export interface EndContext {
  clock: Clock;
  random: Random;
  /** Records an event of the program in the trace. */
  note(what: string, value: number): void;
  /** A rule is broken. */
  fail(what: string): void;
  /** The program has called close or abort. */
  acted(): void;
}

export class End implements TcpHandler {
  readonly name: string;
  readonly plan: Plan;
  readonly outKey: number;
  readonly inKey: number;
  readonly context: EndContext;
  socket: TcpSocket | null = null;
  wasOpened = false;
  sent = 0;
  received = 0;
  hasEnded = false;
  shutDown = false;
  didClose = false;
  aborted = false;
  /** Code of `closed`; null while it has not come. */
  code: number | null = null;
  /** State when it was looked at last; '' before. */
  lastState = '';
  readonly #lent: Uint8Array[] = [];
  #full = false;
  #waiting = false;
  #paused = false;
  #pauses = 0;

  constructor(name: string, plan: Plan, keys: readonly [number, number], context: EndContext) {
    this.name = name;
    this.plan = plan;
    this.outKey = keys[0];
    this.inKey = keys[1];
    this.context = context;
  }

  get allSent(): boolean {
    if (!this.plan.echo) return this.sent >= this.plan.octets;
    return this.hasEnded && this.sent >= this.received;
  }

  /** Had everything, closed, and the last acknowledgment never came. */
  get orphanGaveUp(): boolean {
    return this.didClose && this.hasEnded && this.code === Code.ETIMEDOUT;
  }

  /** Buffers that the stack still has. */
  get lent(): number {
    return this.#lent.length;
  }

  /** The server's end: `accept` has answered this handler. */
  accepted(s: TcpSocket): void {
    this.#begin(s, 'accepted');
  }

  opened(s: TcpSocket): void {
    this.#begin(s, 'opened');
  }

  #begin(s: TcpSocket, how: string): void {
    if (this.wasOpened) this.context.fail(`${this.name}: ${how} twice`);
    this.wasOpened = true;
    this.socket = s;
    this.context.note(`${this.name} ${how}`, 0);
    if (this.plan.noDelay) s.setNoDelay(true);
    this.#pump(s);
  }

  data(s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    this.#alive('data');
    if (len <= 0) this.context.fail(`${this.name}: data with ${len} octets`);
    if (this.#paused) this.context.fail(`${this.name}: data while paused`);
    if (this.hasEnded) this.context.fail(`${this.name}: data after ended`);
    const wrong = firstWrong(this.inKey, this.received, u8, off, len);
    if (wrong >= 0) this.context.fail(`${this.name}: octet ${this.received + wrong} is wrong`);
    this.received += len;
    this.context.note(`${this.name} data`, len);
    if (this.#aborts(s, this.received)) return;
    if (this.#pauses < MOST_PAUSES && chance(this.context.random, this.plan.pauseChance)) {
      this.#pauses++;
      this.#pause(s);
    }
    if (this.plan.echo) this.#pump(s);
  }

  ended(s: TcpSocket): void {
    this.#alive('ended');
    if (this.#paused) this.context.fail(`${this.name}: ended while paused`);
    if (this.hasEnded) this.context.fail(`${this.name}: ended twice`);
    this.hasEnded = true;
    this.context.note(`${this.name} ended`, this.received);
    this.#pump(s);
    this.#finish(s);
  }

  writable(s: TcpSocket): void {
    this.#alive('writable');
    this.#full = false;
    this.#pump(s);
  }

  written(_s: TcpSocket, n: number): void {
    if (n > this.#lent.length) this.context.fail(`${this.name}: ${n} writes given back too many`);
    for (const buffer of this.#lent.splice(0, n)) buffer.fill(SCRIBBLE);
  }

  closed(_s: TcpSocket, code: number): void {
    if (this.code !== null) this.context.fail(`${this.name}: closed twice`);
    this.code = code;
    for (const buffer of this.#lent.splice(0)) buffer.fill(SCRIBBLE);
    this.context.note(`${this.name} closed`, code);
  }

  /** Ends the connection at once, for what a lost RST leaves behind. */
  abandon(): void {
    if (this.socket === null || this.code !== null) return;
    this.aborted = true;
    this.context.acted();
    this.socket.abort();
  }

  #alive(what: string): void {
    if (this.code !== null) this.context.fail(`${this.name}: ${what} after closed`);
    if (this.aborted) this.context.fail(`${this.name}: ${what} after abort`);
  }

  #aborts(s: TcpSocket, octets: number): boolean {
    if (this.plan.abortAt < 0 || octets < this.plan.abortAt) return false;
    this.aborted = true;
    this.context.note(`${this.name} aborts`, octets);
    this.context.acted();
    s.abort();
    return true;
  }

  #pause(s: TcpSocket): void {
    this.#paused = true;
    s.pause();
    this.context.clock.after(this.plan.pauseUs, () => {
      if (this.code !== null || this.aborted || this.didClose) return;
      this.#paused = false;
      s.resume();
    });
  }

  #pump(s: TcpSocket): void {
    if (this.#waiting || this.code !== null || this.aborted || this.shutDown) return;
    if (this.plan.corks) s.cork();
    let beyond = this.plan.ignoresFull;
    for (let n = 0; n < WRITES_AT_ONCE && (!this.#full || beyond-- > 0); n++) {
      const limit = this.plan.echo ? this.received : this.plan.octets;
      const left = limit - this.sent;
      if (left <= 0) break;
      const took = this.#write(s, Math.min(left, this.#chunk()));
      if (took === 0) break;
      if (this.#aborts(s, this.sent)) return;
      if (this.plan.writePauseUs > 0) break;
    }
    if (this.plan.corks) s.uncork();
    if (this.allSent) this.#finish(s);
    else if (!this.#full && (!this.plan.echo || this.sent < this.received)) this.#later(s);
  }

  #later(s: TcpSocket): void {
    this.#waiting = true;
    const us = this.plan.writePauseUs > 0 ? this.plan.writePauseUs : 1;
    this.context.clock.after(us, () => {
      this.#waiting = false;
      this.#pump(s);
    });
  }

  #chunk(): number {
    const limit = this.plan.echo ? this.received : this.plan.octets;
    const least = Math.ceil(limit / (this.plan.writePauseUs > 0 ? MOST_SLOW_WRITES : MOST_WRITES));
    const size = Math.max(this.plan.chunk, least);
    return this.plan.chunkDrawn ? 1 + below(this.context.random, size) : size;
  }

  #write(s: TcpSocket, len: number): number {
    const buffer = new Uint8Array(len + 7);
    // not at the start of its buffer: offsets must be honoured
    fill(this.outKey, this.sent, buffer, 3, len);
    if (this.plan.copies) {
      const took = s.send(buffer, 3, len);
      buffer.fill(SCRIBBLE);
      if (took < len) this.#full = true;
      this.sent += took;
      return took;
    }
    this.#lent.push(buffer);
    if (!s.write(buffer, 3, len)) this.#full = true;
    this.sent += len;
    return len;
  }

  /** FIN when all is sent (and, if so planned, all has come); close when both are over. */
  #finish(s: TcpSocket): void {
    if (this.code !== null || this.aborted || !this.allSent) return;
    if (!this.shutDown && (!this.plan.endsLast || this.hasEnded)) {
      this.shutDown = true;
      this.context.note(`${this.name} shuts down`, this.sent);
      s.shutdown();
    }
    if (this.shutDown && this.hasEnded && this.plan.closes && !this.didClose) this.#close(s);
  }

  /** A program that cares for its octets closes when they have arrived: orphans give up early. */
  #close(s: TcpSocket): void {
    if (this.code !== null || this.didClose) return;
    if (s.queued > 0) {
      this.context.clock.after(CLOSE_POLL_US, () => this.#close(s));
      return;
    }
    this.didClose = true;
    this.context.acted();
    s.close();
  }
}

/** Two ends that talk to each other, and what must have happened when it is over. */
export class Conversation {
  readonly client: End;
  readonly server: End;
  /** The network may have given up before the connection stood, or after a close. */
  gaveUp = 0;

  constructor(client: End, server: End) {
    this.client = client;
    this.server = server;
  }

  get over(): boolean {
    if (this.client.code === null) return false;
    return this.server.socket === null || this.server.code !== null;
  }

  /**
   * One end is gone and the other cannot know: the client's last ACK never came and the server has
   * given up, or an orphan has given up its FIN (RFC 9293 §3.8.3, R2). TCP may wait for ever then.
   */
  get halfOpen(): boolean {
    if (this.client.wasOpened && this.server.socket === null) return true;
    return this.client.orphanGaveUp || this.server.orphanGaveUp;
  }

  get aborts(): boolean {
    return this.client.aborted || this.server.aborted;
  }

  /** Adds what is wrong with the outcome to the list of failures. */
  judge(): void {
    const { client, server } = this;
    if (client.lent > 0) client.context.fail(`${client.name}: ${client.lent} buffers not returned`);
    if (server.lent > 0) server.context.fail(`${server.name}: ${server.lent} buffers not returned`);
    if (this.aborts) return;
    if (!client.wasOpened && client.code === Code.ETIMEDOUT) {
      this.gaveUp++;
      return;
    }
    if (this.halfOpen) {
      this.gaveUp++;
      if (server.socket === null) return;
    }
    this.#judgeEnd(client, server);
    this.#judgeEnd(server, client);
  }

  #judgeEnd(end: End, other: End): void {
    const fail = (what: string): void => end.context.fail(`${end.name}: ${what}`);
    const expected = other.plan.echo ? end.sent : other.plan.octets;
    if (end.received !== expected) fail(`${end.received} of ${expected} octets, ${end.code}`);
    if (end.sent !== (end.plan.echo ? end.received : end.plan.octets)) fail(`sent ${end.sent}`);
    if (other.orphanGaveUp) return;
    if (!end.hasEnded) fail(`no end of the stream, code ${end.code}`);
    if (end.code === null) fail('never closed');
    else if (end.code !== 0 && !end.orphanGaveUp) {
      // Both know the end; the last acknowledgments were lost until the other's TIME-WAIT was over.
      const late = other.code === 0 && end.code === Code.ECONNRESET;
      if (end.hasEnded && other.hasEnded && late) this.gaveUp++;
      else fail(`closed with ${end.code}`);
    }
  }
}
