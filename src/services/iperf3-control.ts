// The control connection of iperf3 from the client's side: one-octet states and JSON behind a
// 32-bit length, taken out of whatever pieces they come in.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import { toAscii } from './ascii.ts';
import { Inbox } from './iperf3-inbox.ts';
import * as protocol from './iperf3-protocol.ts';
import { isDead } from './source.ts';

export interface ControlUser {
  opened(): void;
  /** A state; true: a JSON text comes next. */
  state(state: number): boolean;
  object(value: Record<string, unknown>): void;
  /** The connection is over, or said what nobody should. */
  lost(code: number): void;
}

/** Octets behind SERVER_ERROR: iperf3's number and an errno. */
const TROUBLE_OCTETS = 8;

export class Control implements TcpHandler {
  /** What SERVER_ERROR has named. */
  trouble = 0;
  readonly #user: ControlUser;
  #socket: TcpSocket | null = null;
  readonly #inbox = new Inbox();
  #wants: 'state' | 'object' | 'trouble' = 'state';

  constructor(user: ControlUser) {
    this.#user = user;
  }

  opened(s: TcpSocket): void {
    this.#socket = s;
    this.#user.opened();
  }

  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    if (!this.#inbox.push(u8, off, len)) {
      this.#user.lost(0);
      return;
    }
    // Each round takes at least one octet.
    while (this.#inbox.length > 0 && this.#step());
  }

  ended(_s: TcpSocket): void {
    this.#user.lost(0);
  }

  closed(_s: TcpSocket, code: number): void {
    this.#user.lost(code);
  }

  writable(_s: TcpSocket): void {}
  written(_s: TcpSocket, _n: number): void {}

  say(state: number): void {
    this.send(Uint8Array.of(state & 0xff));
  }

  sendObject(value: Record<string, unknown>): void {
    const text = toAscii(JSON.stringify(value));
    const message = new Uint8Array(4 + text.length);
    new DataView(message.buffer).setUint32(0, text.length);
    message.set(text, 4);
    this.send(message);
  }

  /** The messages are far smaller than a send buffer. */
  send(message: Uint8Array): void {
    const s = this.#socket;
    if (s === null || isDead(s)) return;
    if (s.send(message, 0, message.length) < message.length) this.#user.lost(0);
  }

  #step(): boolean {
    if (this.#wants === 'object') return this.#object();
    if (this.#wants === 'trouble') {
      if (this.#inbox.length < TROUBLE_OCTETS) return false;
      this.trouble = this.#inbox.number() | 0;
      this.#user.lost(0);
      return false;
    }
    const state = this.#inbox.state();
    if (state === protocol.State.SERVER_ERROR) this.#wants = 'trouble';
    else if (this.#user.state(state)) this.#wants = 'object';
    return true;
  }

  #object(): boolean {
    if (this.#inbox.number() > protocol.MAX_RESULTS) {
      this.#user.lost(0);
      return false;
    }
    const text = this.#inbox.text();
    if (text === null) return false;
    const value = protocol.parseObject(text);
    this.#wants = 'state';
    if (value === null) this.#user.lost(0);
    else this.#user.object(value);
    return value !== null;
  }
}
