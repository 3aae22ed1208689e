// One question and its servers: UDP with EDNS from a port and with an id of its own (RFC 5452),
// again with longer patience, the next server, TCP where an answer is truncated (RFC 7766 §5), and
// plain DNS where EDNS is refused (RFC 6891 §6.2.2).

import { Code, CodeError } from '../../base/code.ts';
import type { UdpHandler, UdpSocket } from '../../socket/udp-socket.ts';
import { type DnsMessage, type DnsQuestion, dnsQuery, Rcode } from '../../wire/dns.ts';
import { decodeDns, readHeader, readQuestion } from '../../wire/dns-decode.ts';
import { encodeDns } from '../../wire/dns-encode.ts';
import { sameName } from '../../wire/dns-name.ts';
import {
  codeOf,
  type DnsCode,
  type DnsGround,
  type DnsReply,
  failed,
  type ServerState,
} from './config.ts';
import { replyOf } from './reply.ts';
import { TcpQuery } from './tcp-query.ts';

/** Return codes for which another server may know better. */
const OTHERS_MAY_KNOW: readonly number[] = [Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED];

export class Exchange {
  readonly ground: DnsGround;
  readonly question: DnsQuestion;
  readonly #done: (reply: DnsReply) => void;
  readonly #tries: ServerTry[];
  /** The try that is waited for, counted over all rounds. */
  #turn = -1;
  #code: DnsCode = 'ECONNREFUSED';
  #stopTimer: (() => void) | null = null;
  #isOver = false;

  /** `done` is told exactly once, unless `cancel` comes before. */
  constructor(
    ground: DnsGround,
    question: DnsQuestion,
    servers: readonly ServerState[],
    done: (reply: DnsReply) => void,
  ) {
    this.ground = ground;
    this.question = question;
    this.#done = done;
    this.#tries = servers.map((server) => new ServerTry(this, server));
  }

  start(): void {
    this.#next();
  }

  cancel(): void {
    this.#isOver = true;
    this.#stopTimer?.();
    this.#stopTimer = null;
    for (const one of this.#tries) one.close();
  }

  /** Asks the next server that has not failed; ends when there is none, or no round is left. */
  #next(): void {
    const { config } = this.ground;
    const n = this.#tries.length;
    while (++this.#turn < n * config.tries) {
      const one = this.#tries[this.#turn % n] as ServerTry;
      if (one.isOut || !one.ask()) continue;
      this.#wait();
      return;
    }
    this.finish(failed(this.#code));
  }

  #wait(): void {
    const { config, timers } = this.ground;
    const round = Math.floor(this.#turn / this.#tries.length);
    const ms = Math.min(config.timeoutMs * 2 ** Math.min(round, 16), config.maxTimeoutMs);
    this.#stopTimer?.();
    this.#stopTimer = timers.after(Math.max(config.timeoutMs, ms) * 1000, () => this.#timeout());
  }

  #timeout(): void {
    this.#stopTimer = null;
    this.ground.stats.timeouts++;
    this.#code = 'ETIMEOUT';
    this.#current().silent();
    this.#next();
  }

  #current(): ServerTry {
    return this.#tries[this.#turn % this.#tries.length] as ServerTry;
  }

  /** The question is being asked in another way: it has its time again. */
  again(one: ServerTry): void {
    if (!this.#isOver && one === this.#current()) this.#wait();
  }

  /** A server is of no more use for this question. */
  out(one: ServerTry, code: DnsCode): void {
    if (this.#isOver) return;
    this.#code = code;
    if (one !== this.#current()) return;
    this.#stopTimer?.();
    this.#stopTimer = null;
    this.#next();
  }

  finish(reply: DnsReply): void {
    if (this.#isOver) return;
    this.cancel();
    this.#done(reply);
  }
}

/** One server's part: a UDP socket for all of its tries, so that repeats raise nobody's odds. */
class ServerTry implements UdpHandler {
  readonly #exchange: Exchange;
  readonly #server: ServerState;
  #socket: UdpSocket | null = null;
  #tcp: TcpQuery | null = null;
  #id = 0;
  #query: Uint8Array = new Uint8Array(0);
  #forged = 0;
  isOut = false;

  constructor(exchange: Exchange, server: ServerState) {
    this.#exchange = exchange;
    this.#server = server;
  }

  /** False when the question did not leave. */
  ask(): boolean {
    if (this.#tcp !== null) return true;
    if (this.#socket === null && !this.#open()) return false;
    const { stats } = this.#exchange.ground;
    stats.udpQueries++;
    const errno = (this.#socket as UdpSocket).send(this.#query, 0, this.#query.length);
    // A full queue has dropped the question: the timer of this server repeats it, as after a loss.
    if (errno === 0 || errno === Code.ENOBUFS || errno === Code.EAGAIN) return true;
    this.#drop('ECONNREFUSED', false);
    return false;
  }

  #open(): boolean {
    const { ground } = this.#exchange;
    const { address, port } = this.#server;
    const local = address.family === 4 ? ground.local4 : ground.local6;
    const any = address.family === 4 ? '0.0.0.0' : '::';
    this.#write();
    let socket: UdpSocket | null = null;
    try {
      // RFC 5452 §9.2: the stack draws the port at random; connected, it hears this server only.
      socket = ground.stack.udp({ address: local ?? any, handler: this });
      socket.connect(address, port);
    } catch (error) {
      socket?.close();
      if (!(error instanceof CodeError)) throw error;
      this.#drop('ECONNREFUSED', false);
      return false;
    }
    this.#socket = socket;
    return true;
  }

  #write(): void {
    const { ground, question } = this.#exchange;
    this.#id = ground.stack.udpLayer.random.next() & 0xffff;
    const udpSize = this.#server.isPlain ? 0 : ground.config.udpSize;
    this.#query = encodeDns(dnsQuery(this.#id, question.name, question.type, udpSize));
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#tcp?.cancel();
    this.#tcp = null;
  }

  /** Kept silent: others first, for a while. */
  silent(): void {
    const { config, timers } = this.#exchange.ground;
    this.#server.avoidUntilUs = timers.nowUs() + config.avoidMs * 1000;
    // A connection that has not answered in its time is given up, the datagram may still come.
    if (this.#tcp !== null) this.#drop('ETIMEOUT', false);
  }

  #drop(code: DnsCode, tell = true): void {
    this.isOut = true;
    this.close();
    if (tell) this.#exchange.out(this, code);
  }

  datagram(_s: UdpSocket, u8: Uint8Array, off: number, len: number): void {
    if (this.#isOurs(u8, off, len)) this.#read(u8, off, len);
    else this.#stray();
  }

  /** RFC 5452 §9.1: id and question are the ones that were asked; address and port are sure. */
  #isOurs(u8: Uint8Array, off: number, len: number): boolean {
    const header = readHeader(u8, off, len);
    if (header === null || !header.isResponse || header.id !== this.#id) return false;
    const asked = this.#exchange.question;
    const question = readQuestion(u8, off, len);
    if (question === null) return this.#refusesEdns(decodeDns(u8, off, len));
    return (
      question.type === asked.type &&
      question.class === asked.class &&
      sameName(question.name, asked.name)
    );
  }

  /** RFC 6891 §7: who does not know EDNS may answer with nothing but a header. */
  #refusesEdns(message: DnsMessage | string): boolean {
    if (typeof message === 'string' || this.#server.isPlain) return false;
    return message.questions.length === 0 && message.rcode === Rcode.FORMERR;
  }

  #stray(): void {
    const { stats, config } = this.#exchange.ground;
    stats.strays++;
    // Somebody guesses. A connection cannot be guessed into.
    if (++this.#forged === config.maxForged) this.#askOverTcp();
  }

  #read(u8: Uint8Array, off: number, len: number): void {
    const { ground } = this.#exchange;
    const message = decodeDns(u8, off, len);
    if (typeof message === 'string') {
      ground.stats.malformed++;
      this.#fails('EBADRESP');
      return;
    }
    const { rcode, edns } = message;
    const isEdnsRefused = rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP;
    if (isEdnsRefused && edns === null && !this.#server.isPlain && ground.config.udpSize > 0) {
      this.#server.isPlain = true;
      this.close();
      if (this.ask()) this.#exchange.again(this);
      else this.#exchange.out(this, 'ECONNREFUSED');
      return;
    }
    if (message.truncated && this.#tcp === null) {
      this.#askOverTcp();
      return;
    }
    if (OTHERS_MAY_KNOW.includes(rcode)) {
      this.#fails(codeOf(rcode) as DnsCode);
      return;
    }
    ground.stats.answers++;
    this.#server.avoidUntilUs = 0;
    this.#exchange.finish(replyOf(message, this.#exchange.question));
  }

  #fails(code: DnsCode): void {
    const { config, timers } = this.#exchange.ground;
    this.#server.avoidUntilUs = timers.nowUs() + config.avoidMs * 1000;
    this.#drop(code);
  }

  #askOverTcp(): void {
    const { ground } = this.#exchange;
    this.close();
    this.#write();
    ground.stats.tcpQueries++;
    const query = new TcpQuery(this.#query, {
      answered: (octets) => {
        if (this.#isOurs(octets, 0, octets.length)) this.#read(octets, 0, octets.length);
        else this.#fails('EBADRESP');
      },
      failed: (errno) => this.#fails(errno === Code.ETIMEDOUT ? 'ETIMEOUT' : 'ECONNREFUSED'),
    });
    const errno = query.start(ground, this.#server);
    if (errno !== 0) {
      this.#drop('ECONNREFUSED');
      return;
    }
    this.#tcp = query;
    this.#exchange.again(this);
  }

  /** ICMP says that nobody is there. */
  error(): void {
    this.#fails('ECONNREFUSED');
  }

  writable(): void {}
}
