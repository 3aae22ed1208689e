// An iperf3 client on the core's handles: one test against a server of iperf3 (3.1 and later) or
// ours: TCP and UDP, either way or both at once, parallel streams, paced, by time or by octets.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { UdpSocket } from '../socket/udp-socket.ts';
import { Control, type ControlUser } from './iperf3-control.ts';
import {
  type BothEnds,
  type ClientOptions,
  type Cpu,
  cpuOf,
  type Outcome,
  paramsOf,
  TROUBLES,
  theirStreams,
} from './iperf3-outcome.ts';
import * as protocol from './iperf3-protocol.ts';
import { State } from './iperf3-protocol.ts';
import { type Stream, TcpReader, TcpWriter } from './iperf3-streams.ts';
import { UdpReader, UdpWriter } from './iperf3-udp.ts';

const PATIENCE_US = 30e6;
const COOKIE_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
/** How often the octets are looked at when they end the test. */
const LOOK_US = 1000;
/** The first datagram of a stream comes again after so long: it may have been lost. */
const HELLO_US = 500_000;
const HELLO = [0x39, 0x38, 0x37, 0x36];

/** Runs one test. Rejects with an Error that says why there is no result. */
export function runIperf3(options: ClientOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => new Client(options, resolve, reject).start());
}

class Client implements ControlUser {
  readonly #o: ClientOptions;
  readonly #json: Record<string, unknown>;
  readonly #params: protocol.Params;
  readonly #cookie: Uint8Array;
  readonly #control = new Control(this);
  #socket: TcpSocket | null = null;
  readonly #streams: Stream[] = [];
  readonly #resolve: (outcome: Outcome) => void;
  readonly #reject: (error: Error) => void;
  #over = false;
  #stage = 'connecting';
  #cancelWatch = (): void => {};
  #cancelEnd = (): void => {};
  #cancelLook = (): void => {};
  #cancelOmit = (): void => {};
  #cancelHello = (): void => {};
  #startUs = 0;
  #endUs = 0;
  #cpuBefore = { userUs: 0, systemUs: 0 };
  #theirs: Record<string, unknown> = {};
  /** Counters at the last look. */
  #before: number[] = [];
  #beforeUs = 0;
  #omitting = false;
  #toRun = false;

  constructor(
    options: ClientOptions,
    resolve: (outcome: Outcome) => void,
    reject: (error: Error) => void,
  ) {
    this.#o = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#json = paramsOf(options);
    const params = protocol.parseParams(JSON.stringify(this.#json));
    if (typeof params === 'number') throw new RangeError(TROUBLES[params] ?? 'not a test');
    const streams = params.bidirectional ? params.streams * 2 : params.streams;
    const sending = params.bidirectional ? params.streams : params.reverse ? 0 : streams;
    const limit = sending === 0 ? 0 : Math.ceil((options.octets ?? 0) / sending);
    this.#params = { ...params, limit };
    this.#cookie = new Uint8Array(protocol.COOKIE_OCTETS);
    for (let i = 0; i < protocol.COOKIE_OCTETS - 1; i++) {
      this.#cookie[i] = COOKIE_LETTERS.charCodeAt(options.random.next() & 31);
    }
  }

  start(): void {
    const { address, port, stack } = this.#o;
    this.#watch(PATIENCE_US);
    try {
      this.#socket = stack.connect({ address, port, noDelay: true, handler: this.#control });
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  // --- the control connection -------------------------------------------------------------------

  opened(): void {
    this.#control.send(this.#cookie);
    this.#stage = 'waiting for the server';
  }

  state(state: number): boolean {
    if (state === State.PARAM_EXCHANGE) this.#control.sendObject(this.#json);
    else if (state === State.CREATE_STREAMS) this.#nextStream();
    else if (state === State.TEST_RUNNING) this.#runs();
    else if (state === State.EXCHANGE_RESULTS) {
      this.#control.sendObject(this.#results());
      return true;
    } else if (state === State.DISPLAY_RESULTS) this.#done();
    else if (state === State.ACCESS_DENIED) {
      this.#fail(new Error('the server is busy with another test'));
    } else if (state === State.SERVER_TERMINATE) this.#fail(new Error('the server ended the test'));
    else if (state !== State.TEST_START) {
      this.#fail(new Error(`the server said ${state}, which no iperf3 does`));
    }
    return false;
  }

  object(value: Record<string, unknown>): void {
    this.#theirs = value;
  }

  lost(code: number): void {
    const { trouble } = this.#control;
    const why = trouble === 0 ? '' : `: ${TROUBLES[trouble] ?? `error ${trouble}`}`;
    const how = code === 0 ? 'closed the control connection' : `is gone (${code})`;
    this.#fail(new Error(`the server ${how} while ${this.#stage}${why}`));
  }

  // --- streams ----------------------------------------------------------------------------------

  /** One after the other: the server tells them apart by their order. */
  #nextStream(): void {
    this.#stage = 'opening streams';
    if (this.#over) return;
    if (this.#streams.length === this.#expected()) {
      if (this.#toRun) this.#run();
      return;
    }
    try {
      if (this.#params.udp) this.#openUdp();
      else this.#openTcp();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #expected(): number {
    const { bidirectional, streams } = this.#params;
    return bidirectional ? streams * 2 : streams;
  }

  /** The word on the control connection may overtake the answer to the last datagram. */
  #runs(): void {
    this.#toRun = true;
    if (this.#streams.length === this.#expected()) this.#run();
  }

  #sends(i: number): boolean {
    return this.#params.bidirectional ? i < this.#params.streams : !this.#params.reverse;
  }

  #openTcp(): void {
    const { address, port, stack, timers } = this.#o;
    const i = this.#streams.length;
    const id = protocol.streamId(i);
    let stream: (Stream & TcpHandler) | null = null;
    const first: TcpHandler = {
      opened: (s) => {
        stream = this.#sends(i) ? new TcpWriter(id, s, this.#params, timers) : new TcpReader(id, s);
        this.#join(s, stream);
        s.send(this.#cookie, 0, this.#cookie.length);
        this.#nextStream();
      },
      closed: (_s, code) => this.lost(code),
      data: () => {},
      ended: () => {},
      writable: () => {},
      written: () => {},
    };
    stack.connect({ address, port, handler: first });
  }

  #join<H extends Stream>(s: { handler: H | unknown }, stream: H): void {
    s.handler = stream;
    this.#streams.push(stream);
    // The server may send before we have read that the test runs.
    if (!stream.sends) stream.start();
  }

  #openUdp(): void {
    const { address, port, stack, timers } = this.#o;
    const i = this.#streams.length;
    const peer = `${address} port ${port}`;
    const hello = (s: UdpSocket): void => {
      s.send(Uint8Array.from(HELLO), 0, HELLO.length);
      this.#cancelHello = timers.after(HELLO_US, () => hello(s));
    };
    const socket = stack.udp({
      handler: {
        datagram: (s) => {
          this.#cancelHello();
          const id = protocol.streamId(i);
          const stream = this.#sends(i)
            ? new UdpWriter(id, s, peer, this.#params, timers)
            : new UdpReader(id, s, peer, this.#params, timers);
          this.#join(s, stream);
          this.#nextStream();
        },
        error: (_s, code) => this.lost(code),
        writable: () => {},
      },
    });
    socket.connect(address, port);
    hello(socket);
  }

  // --- the test ---------------------------------------------------------------------------------

  #run(): void {
    const { timers } = this.#o;
    const { timeUs, omitUs } = this.#params;
    this.#stage = 'testing';
    this.#startUs = timers.nowUs();
    this.#cpuBefore = this.#cpu();
    this.#watch(timeUs === 0 ? 0 : timeUs + omitUs + PATIENCE_US);
    for (const stream of this.#streams) stream.start();
    this.#omitting = omitUs > 0;
    if (this.#omitting) this.#cancelOmit = timers.after(omitUs, () => this.#restart());
    if (timeUs > 0) this.#cancelEnd = timers.after(timeUs + omitUs, () => this.#end());
    else this.#lookForEnd();
    this.#before = this.#streams.map(() => 0);
    this.#beforeUs = this.#startUs;
    this.#nextLook();
  }

  #restart(): void {
    const { timers } = this.#o;
    if (timers.nowUs() - this.#beforeUs > LOOK_US) this.#look();
    this.#cancelLook();
    this.#omitting = false;
    this.#cpuBefore = this.#cpu();
    this.#startUs = timers.nowUs();
    this.#beforeUs = this.#startUs;
    for (const stream of this.#streams) stream.restart();
    this.#before = this.#streams.map((stream) => stream.octets());
    this.#nextLook();
  }

  #lookForEnd(): void {
    const wanted = this.#o.octets ?? 0;
    // What we send is counted when the peer has it; what we read counts when nothing is sent.
    const counted = this.#streams.filter((s) => s.sends || this.#params.reverse);
    const have = counted.reduce((sum, stream) => sum + stream.octets(), 0);
    if (have >= wanted) this.#end();
    else this.#cancelEnd = this.#o.timers.after(LOOK_US, () => this.#lookForEnd());
  }

  #nextLook(): void {
    const us = (this.#o.intervalSeconds ?? 0) * 1e6;
    if (us === 0) return;
    this.#cancelLook = this.#o.timers.after(us, () => {
      this.#look();
      this.#nextLook();
    });
  }

  #look(): void {
    const now = this.#o.timers.nowUs();
    const octets = this.#streams.map((stream) => stream.octets());
    this.#o.onInterval?.({
      startSeconds: (this.#beforeUs - this.#startUs) / 1e6,
      endSeconds: (now - this.#startUs) / 1e6,
      omitted: this.#omitting,
      streams: this.#streams.map((stream, i) => ({
        id: stream.id,
        sends: stream.sends,
        octets: (octets[i] as number) - (this.#before[i] as number),
      })),
    });
    this.#before = octets;
    this.#beforeUs = now;
  }

  #end(): void {
    if (this.#over || this.#endUs > 0) return;
    this.#stage = 'waiting for results';
    this.#endUs = this.#o.timers.nowUs();
    this.#cancelLook();
    if ((this.#o.intervalSeconds ?? 0) > 0 && this.#endUs - this.#beforeUs > LOOK_US) this.#look();
    for (const stream of this.#streams) stream.stop();
    this.#watch(PATIENCE_US);
    this.#control.say(State.TEST_END);
  }

  #seconds(): number {
    return Math.max(1e-6, (this.#endUs - this.#startUs) / 1e6);
  }

  #results(): Record<string, unknown> {
    const used = this.#cpuUsed();
    const seconds = this.#seconds();
    return {
      cpu_util_total: used.total,
      cpu_util_user: used.user,
      cpu_util_system: used.system,
      sender_has_retransmits: !this.#params.udp && this.#streams.some((s) => s.sends) ? 1 : 0,
      streams: this.#streams.map((stream) => stream.result(seconds)),
    };
  }

  #done(): void {
    const seconds = this.#seconds();
    const theirs = theirStreams(this.#theirs);
    const streams = this.#streams.map((stream): BothEnds => {
      const own = stream.result(seconds);
      const other = theirs.get(stream.id) ?? own;
      const { id, sends } = stream;
      return { id, sends, sent: sends ? own : other, received: sends ? other : own };
    });
    this.#control.say(State.IPERF_DONE);
    const outcome = {
      params: this.#params,
      seconds,
      streams,
      cpu: { local: this.#cpuUsed(), remote: cpuOf(this.#theirs) },
    };
    this.#finish();
    for (const stream of this.#streams) stream.close();
    this.#socket?.close();
    this.#resolve(outcome);
  }

  #cpu(): { userUs: number; systemUs: number } {
    return this.#o.cpu?.() ?? { userUs: 0, systemUs: 0 };
  }

  #cpuUsed(): Cpu {
    const now = this.#cpu();
    const wall = Math.max(1, this.#endUs - this.#startUs);
    const user = (100 * (now.userUs - this.#cpuBefore.userUs)) / wall;
    const system = (100 * (now.systemUs - this.#cpuBefore.systemUs)) / wall;
    return { total: user + system, user, system };
  }

  /** @param us 0: no limit */
  #watch(us: number): void {
    this.#cancelWatch();
    this.#cancelWatch = (): void => {};
    if (us === 0) return;
    this.#cancelWatch = this.#o.timers.after(us, () => {
      this.#fail(new Error(`the server was silent for too long while ${this.#stage}`));
    });
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#finish();
    for (const stream of this.#streams) {
      stream.stop();
      stream.abort();
    }
    this.#socket?.abort();
    this.#reject(error);
  }

  #finish(): void {
    this.#over = true;
    this.#cancelWatch();
    this.#cancelEnd();
    this.#cancelLook();
    this.#cancelOmit();
    this.#cancelHello();
  }
}
