// Programs at both ends of a connection, and the oracle over them: each direction is a stream keyed
// by position, so a reader judges every octet it gets; totals, ends and closes must come exactly as
// the plan says. A buffer given to `write` is overwritten as soon as `written` gives it back.

import { Code } from '../base/code.ts';
import { below, type Random } from '../base/random.ts';
import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Clock } from './clock.ts';
import { chance } from './faults.ts';
import type { Plan } from './plan.ts';
import { fill, firstWrong } from './stream.ts';

const SCRIBBLE = 0xee;
const FRONT = 4;
/** Writes of one `pump`: fairness, and a bound. */
const WRITES_AT_ONCE = 64;
/** With single octets a long stream takes for ever: most writes of a plan, and of a slow one. */
const MOST_WRITES = 3000;
const MOST_SLOW_WRITES = 150;
/** Most pauses in reading: a run must come to an end. */
const MOST_PAUSES = 30;
/** Nine probes of Linux's interval: longer than any partition. */
const KEEP_EVERY_MS = 75_000;
const CLOSE_POLL_US = 200_000;
/** Buffers kept for the next write of the same size. */
const KEEP_BUFFERS = 16;

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
  /** The host has died: nothing of it speaks or is told any more. */
  killed = false;
  /** Code of `closed`; null while it has not come. */
  code: number | null = null;
  /** Pauses in reading; whether a write was told "full". */
  pauses = 0;
  wasFull = false;
  /** State when it was looked at last; '' before. */
  lastState = '';
  readonly #lent: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  #full = false;
  #waiting = false;
  #paused = false;

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

  get wasReset(): boolean {
    return this.code === Code.ECONNRESET;
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
    if (this.plan.keepAliveMs > 0) s.setKeepAlive(true, this.plan.keepAliveMs, KEEP_EVERY_MS);
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
    if (this.pauses < MOST_PAUSES && chance(this.context.random, this.plan.pauseChance)) {
      this.pauses++;
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
    for (const buffer of this.#lent.splice(0, n)) {
      buffer.fill(SCRIBBLE);
      if (this.#spare.length < KEEP_BUFFERS) this.#spare.push(buffer);
    }
  }

  closed(_s: TcpSocket, code: number): void {
    if (this.code !== null) this.context.fail(`${this.name}: closed twice`);
    this.code = code;
    for (const buffer of this.#lent.splice(0)) buffer.fill(SCRIBBLE);
    this.context.note(`${this.name} closed`, code);
  }

  /** The host of this end dies with everything on it. */
  kill(): void {
    if (this.code !== null || (this.socket === null && this.name.startsWith('server'))) return;
    this.killed = true;
    this.code = Code.ECONNABORTED;
    this.#lent.length = 0;
  }

  /** Ends the connection at once, for what a lost RST leaves behind. */
  abandon(): void {
    if (this.socket === null || this.code !== null) return;
    this.aborted = true;
    this.context.acted();
    this.socket.abort();
  }

  #alive(what: string): void {
    if (this.killed) this.context.fail(`${this.name}: ${what} after the host's death`);
    else if (this.code !== null) this.context.fail(`${this.name}: ${what} after closed`);
    if (this.aborted) this.context.fail(`${this.name}: ${what} after abort`);
  }

  #aborts(s: TcpSocket, octets: number): boolean {
    if (this.plan.abortAt < 0 || octets < this.plan.abortAt) return false;
    this.aborted = true;
    this.context.note(`${this.name} aborts`, octets);
    this.context.acted();
    if (this.plan.abortsByClose) s.close();
    else s.abort();
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

  #fill(): void {
    this.#full = true;
    this.wasFull = true;
  }

  #buffer(octets: number): Uint8Array {
    const spare = this.#spare.pop();
    return spare !== undefined && spare.length === octets ? spare : new Uint8Array(octets);
  }

  #write(s: TcpSocket, len: number): number {
    // not at the start of its buffer: offsets must be honoured; where words lie well, for speed
    const off = FRONT + (this.sent & 3);
    const buffer = this.#buffer(len + FRONT + 3);
    fill(this.outKey, this.sent, buffer, off, len);
    if (this.plan.copies) {
      const took = s.send(buffer, off, len);
      buffer.fill(SCRIBBLE);
      this.#spare.push(buffer);
      if (took < len) this.#fill();
      this.sent += took;
      return took;
    }
    this.#lent.push(buffer);
    if (!s.write(buffer, off, len)) this.#fill();
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
  /** Cut by the network (a NAT that forgot) or by the death of a host: only what came is judged. */
  cut = false;
  /**
   * The server answers with cookies: a segment that overtakes the one with the cookie, or a lost
   * one that comes back too late, is refused with RST (RFC 4987 §3.6, RFC 9293 §3.10.7.2).
   */
  frail = false;
  /** The network may have given up before the connection stood, or after a close. */
  gaveUp = 0;

  constructor(client: End, server: End) {
    this.client = client;
    this.server = server;
  }

  /** Octets that both programs have read. */
  get octets(): number {
    return this.client.received + this.server.received;
  }

  get over(): boolean {
    if (this.client.code === null) return false;
    return this.server.socket === null || this.server.code !== null;
  }

  /** The program ends what hangs. */
  abandon(): void {
    this.client.abandon();
    this.server.abandon();
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

  /** One end may not know that the other is gone: the run ends it in the end. */
  get mayHang(): boolean {
    if (this.frail && (this.client.wasReset || this.server.wasReset)) return true;
    return this.aborts || this.halfOpen || this.cut;
  }

  /** Adds what is wrong with the outcome to the list of failures. */
  judge(): void {
    const { client, server } = this;
    if (client.lent > 0) client.context.fail(`${client.name}: ${client.lent} buffers not returned`);
    if (server.lent > 0) server.context.fail(`${server.name}: ${server.lent} buffers not returned`);
    if (this.cut) {
      judgeSurvivor(client, server);
      judgeSurvivor(server, client);
    }
    if (this.aborts || this.cut) return;
    if (!client.wasOpened && client.code === Code.ETIMEDOUT) {
      this.gaveUp++;
      return;
    }
    if (this.frail && (client.wasReset || server.wasReset)) {
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

/** A host that dies sends no FIN: whoever is left may not believe that the stream has ended. */
function judgeSurvivor(end: End, other: End): void {
  if (end.received > other.sent) end.context.fail(`${end.name}: more than was sent`);
  if (other.killed && end.hasEnded && !other.shutDown && !other.aborted) {
    end.context.fail(`${end.name}: an end that the other has not sent`);
  }
}
