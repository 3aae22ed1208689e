// One iperf3 test from the server's side: the control connection's states, the streams that belong
// to it, and their results. One test at a time, as iperf3 itself does; iperf3.ts owns the ports.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { UdpSocket } from '../socket/udp-socket.ts';
import { toAscii } from './ascii.ts';
import { Inbox } from './iperf3-inbox.ts';
import * as protocol from './iperf3-protocol.ts';
import { State, type StreamResult, Trouble } from './iperf3-protocol.ts';
import { type Stream, TcpReader, TcpWriter } from './iperf3-streams.ts';
import { UdpReader, UdpWriter } from './iperf3-udp.ts';
import type { Timers } from './service.ts';
import { isDead } from './source.ts';

/** What a session needs of its server. */
export interface Owner {
  readonly port: number;
  readonly timers: Timers;
  /** CPU time of this process so far, µs of user and system; zeros where nobody can say. */
  cpu(): { userUs: number; systemUs: number };
  /** Opens the wildcard UDP socket for the next stream; false: the port is taken. */
  openUdp(): boolean;
  finished(session: Session): void;
}

/** A peer that says nothing for so long in a state that is not the test itself is given up. */
const PATIENCE_US = 30e6;

type Wait = 'params' | 'streams' | 'end' | 'results' | 'done';

export class Session implements TcpHandler {
  readonly cookie: string;
  readonly #control: TcpSocket;
  readonly #owner: Owner;
  #wait: Wait = 'params';
  #params: protocol.Params | null = null;
  readonly #streams: Stream[] = [];
  /** Octets of the control connection not understood yet. */
  readonly #inbox = new Inbox();
  #cancelWatch: () => void;
  #cancelOmit: (() => void) | null = null;
  #startUs = 0;
  #endUs = 0;
  #cpuBefore = { userUs: 0, systemUs: 0 };
  #output = '';

  constructor(cookie: string, control: TcpSocket, owner: Owner) {
    this.cookie = cookie;
    this.#control = control;
    this.#owner = owner;
    this.#cancelWatch = owner.timers.after(PATIENCE_US, () => this.end());
    this.#print(`Accepted connection from ${control.remoteAddress}, port ${control.remotePort}`);
    this.#say(State.PARAM_EXCHANGE);
  }

  /** A data stream may join now. */
  get wantsStreams(): boolean {
    return this.#wait === 'streams';
  }

  get udp(): boolean {
    return this.#params?.udp === true;
  }

  /** Gives up whatever was going on; the control connection is reset if it is still there. */
  end(): void {
    this.#control.abort();
  }

  opened(_s: TcpSocket): void {}
  writable(_s: TcpSocket): void {}
  written(_s: TcpSocket, _n: number): void {}

  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (!this.#inbox.push(u8, off, len)) {
      this.end();
      return;
    }
    // Each round takes at least one octet.
    while (this.#inbox.length > 0 && this.#step());
  }

  ended(_s: TcpSocket): void {
    this.#hangUp();
  }

  closed(_s: TcpSocket, _code: number): void {
    this.#release();
  }

  /** The server is free for the next client before this one has said its last word. */
  #hangUp(): void {
    this.#control.close();
    this.#release();
  }

  #release(): void {
    this.#cancelWatch();
    this.#cancelOmit?.();
    this.#stopStreams();
    this.#owner.finished(this);
  }

  /** A TCP connection that has shown our cookie. */
  joinTcp(s: TcpSocket): TcpHandler {
    const params = this.#params as protocol.Params;
    const i = this.#streams.length;
    if (params.noDelay) s.setNoDelay(true);
    if (params.tos !== 0) s.setTos(params.tos);
    const id = protocol.streamId(i);
    const stream = this.#sends(i, params)
      ? new TcpWriter(id, s, params, this.#owner.timers)
      : new TcpReader(id, s);
    this.#join(stream);
    return stream;
  }

  /** A UDP socket that has just been connected to a new peer. */
  joinUdp(s: UdpSocket, peer: string): UdpReader | UdpWriter {
    const params = this.#params as protocol.Params;
    const i = this.#streams.length;
    if (params.tos !== 0) s.setTos(params.tos);
    const id = protocol.streamId(i);
    const stream = this.#sends(i, params)
      ? new UdpWriter(id, s, peer, params, this.#owner.timers)
      : new UdpReader(id, s, peer, params, this.#owner.timers);
    this.#join(stream);
    return stream;
  }

  /** Starts the test once every stream is there. The caller has answered the last hello. */
  startIfComplete(): void {
    if (this.#wait !== 'streams' || this.#streams.length < this.#expected()) return;
    const params = this.#params as protocol.Params;
    this.#wait = 'end';
    this.#watch(params.timeUs === 0 ? 0 : params.timeUs + params.omitUs + 2 * PATIENCE_US);
    this.#say(State.TEST_START);
    this.#say(State.TEST_RUNNING);
    this.#startUs = this.#owner.timers.nowUs();
    this.#cpuBefore = this.#owner.cpu();
    for (const stream of this.#streams) stream.start();
    if (params.omitUs > 0) {
      this.#cancelOmit = this.#owner.timers.after(params.omitUs, () => {
        this.#startUs = this.#owner.timers.nowUs();
        for (const stream of this.#streams) stream.restart();
      });
    }
  }

  #expected(): number {
    const params = this.#params as protocol.Params;
    return params.bidirectional ? params.streams * 2 : params.streams;
  }

  #sends(i: number, params: protocol.Params): boolean {
    return params.bidirectional ? i >= params.streams : params.reverse;
  }

  #join(stream: Stream): void {
    const { localAddress } = this.#control;
    this.#print(
      `[${pad(stream.id, 3)}] local ${localAddress} port ${this.#owner.port} ` +
        `connected to ${stream.peer}`,
    );
    this.#streams.push(stream);
    if (this.#streams.length < this.#expected() && this.udp) this.#owner.openUdp();
  }

  /** Understands one message of the inbox; false when it is not complete yet. */
  #step(): boolean {
    if (this.#wait === 'params') return this.#object(protocol.MAX_PARAMS, (t) => this.#begin(t));
    if (this.#wait === 'results') {
      return this.#object(protocol.MAX_RESULTS, (t) => this.#exchange(t));
    }
    const state = this.#inbox.state();
    if (state === State.TEST_END && this.#wait === 'end') {
      this.#finish();
      return true;
    }
    // IPERF_DONE, CLIENT_TERMINATE, or what nobody should say here: either way this is the end.
    this.#hangUp();
    return false;
  }

  /** Takes a JSON text of at most `most` octets off the inbox. */
  #object(most: number, use: (text: string) => void): boolean {
    if (this.#inbox.number() > most) {
      this.#refuse(this.#wait === 'params' ? Trouble.RECV_PARAMS : Trouble.RECV_RESULTS);
      return false;
    }
    const text = this.#inbox.text();
    if (text === null) return false;
    use(text);
    return true;
  }

  #begin(text: string): void {
    const params = protocol.parseParams(text);
    if (typeof params === 'number') {
      this.#refuse(params);
      return;
    }
    this.#params = params;
    this.#wait = 'streams';
    this.#watch(PATIENCE_US);
    if (params.udp && !this.#owner.openUdp()) {
      this.#refuse(Trouble.STREAM_LISTEN);
      return;
    }
    this.#say(State.CREATE_STREAMS);
  }

  #finish(): void {
    this.#endUs = this.#owner.timers.nowUs();
    this.#cancelOmit?.();
    this.#cancelOmit = null;
    this.#wait = 'results';
    this.#watch(PATIENCE_US);
    // Closed now and not after the results: a client that reads goes on until its block is full
    // or the stream has ended, and says nothing meanwhile.
    for (const stream of this.#streams) {
      stream.stop();
      stream.close();
    }
    this.#say(State.EXCHANGE_RESULTS);
  }

  #exchange(text: string): void {
    if (protocol.parseObject(text) === null) {
      this.#refuse(Trouble.RECV_RESULTS);
      return;
    }
    const seconds = Math.max(1e-6, (this.#endUs - this.#startUs) / 1e6);
    const results = this.#streams.map((stream) => stream.result(seconds));
    this.#summary(results, seconds);
    const used = this.#cpuUsed();
    const answer: Record<string, unknown> = {
      cpu_util_total: used.user + used.system,
      cpu_util_user: used.user,
      cpu_util_system: used.system,
      sender_has_retransmits: !this.udp && this.#streams.some((s) => s.sends) ? 1 : 0,
      streams: results,
    };
    if (this.#params?.wantsOutput === true) answer['server_output_text'] = this.#output;
    this.#sendObject(answer);
    this.#wait = 'done';
    this.#say(State.DISPLAY_RESULTS);
  }

  /** Per cent of one core since the test began. */
  #cpuUsed(): { user: number; system: number } {
    const now = this.#owner.cpu();
    const wall = Math.max(1, this.#endUs - this.#startUs);
    return {
      user: (100 * (now.userUs - this.#cpuBefore.userUs)) / wall,
      system: (100 * (now.systemUs - this.#cpuBefore.systemUs)) / wall,
    };
  }

  #summary(results: readonly StreamResult[], seconds: number): void {
    const last = this.udp ? 'Jitter    Lost/Total Datagrams' : 'Retr';
    this.#print(`[ ID] Interval           Transfer     Bitrate         ${last}`);
    for (let i = 0; i < results.length; i++) {
      const r = results[i] as StreamResult;
      const sends = (this.#streams[i] as Stream).sends;
      const span = `0.00-${seconds.toFixed(2)}`.padStart(12);
      const amount = protocol.amountText(r.bytes).padStart(12);
      const rate = protocol.rateText((r.bytes * 8) / seconds).padStart(15);
      const lost = `${r.errors - r.omitted_errors}/${r.packets - r.omitted_packets}`;
      const tail = this.udp
        ? `${(r.jitter * 1000).toFixed(3)} ms  ${lost}`
        : sends
          ? String(r.retransmits).padStart(4)
          : '    ';
      const role = sends ? 'sender' : 'receiver';
      this.#print(`[${pad(r.id, 3)}] ${span} sec ${amount} ${rate}  ${tail}  ${role}`);
    }
  }

  #stopStreams(): void {
    for (const stream of this.#streams) {
      stream.stop();
      stream.abort();
    }
    this.#streams.length = 0;
  }

  #refuse(trouble: number): void {
    const message = new Uint8Array(9);
    message[0] = State.SERVER_ERROR & 0xff;
    message[4] = trouble;
    this.#send(message);
    this.#inbox.clear();
    this.#wait = 'done';
    this.#hangUp();
  }

  #say(state: number): void {
    this.#send(Uint8Array.of(state & 0xff));
  }

  /** The messages are far smaller than a send buffer: what it does not take ends the session. */
  #send(message: Uint8Array): void {
    if (isDead(this.#control)) return;
    if (this.#control.send(message, 0, message.length) < message.length) this.end();
  }

  #sendObject(value: Record<string, unknown>): void {
    const text = toAscii(JSON.stringify(value));
    const message = new Uint8Array(4 + text.length);
    message[1] = text.length >>> 16;
    message[2] = text.length >>> 8;
    message[3] = text.length;
    message.set(text, 4);
    this.#send(message);
  }

  /** @param us 0: no limit */
  #watch(us: number): void {
    this.#cancelWatch();
    this.#cancelWatch = us === 0 ? () => {} : this.#owner.timers.after(us, () => this.end());
  }

  #print(line: string): void {
    this.#output += `${line}\n`;
  }
}

function pad(n: number, width: number): string {
  return String(n).padStart(width);
}
