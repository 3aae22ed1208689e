// One question over TCP (RFC 7766): two octets of length before each message, one message each way.

import { Code, CodeError } from '../../base/code.ts';
import type { TcpHandler, TcpSocket } from '../../socket/tcp-socket.ts';
import type { DnsGround, DnsServer } from './config.ts';

/** Told exactly once. */
export interface TcpQueryEnd {
  answered(octets: Uint8Array): void;
  /** A negative errno; 0 when the server has ended the connection without an answer. */
  failed(errno: number): void;
}

const NOTHING = new Uint8Array(0);

export class TcpQuery implements TcpHandler {
  readonly #framed: Uint8Array;
  #end: TcpQueryEnd | null;
  #socket: TcpSocket | null = null;
  /** The length's octets that have come, then the message's. */
  #lengthSeen = 0;
  #length = 0;
  #message: Uint8Array = NOTHING;
  #have = 0;

  constructor(query: Uint8Array, end: TcpQueryEnd) {
    this.#framed = new Uint8Array(query.length + 2);
    this.#framed[0] = query.length >> 8;
    this.#framed[1] = query.length & 0xff;
    this.#framed.set(query, 2);
    this.#end = end;
  }

  /** Opens the connection; a negative errno when there is no way. */
  start(ground: DnsGround, server: DnsServer): number {
    const { address, port } = server;
    const local = address.family === 4 ? ground.local4 : ground.local6;
    try {
      const from = local === null ? {} : { localAddress: local };
      this.#socket = ground.stack.connect({ address, port, ...from, noDelay: true, handler: this });
    } catch (error) {
      if (error instanceof CodeError) return error.errno;
      throw error;
    }
    return 0;
  }

  /** No end is told any more. */
  cancel(): void {
    this.#end = null;
    this.#socket?.abort();
    this.#socket = null;
  }

  opened(s: TcpSocket): void {
    // Less than the smallest send buffer; an answer that does not come is the owner's timeout.
    s.send(this.#framed, 0, this.#framed.length);
  }

  data(_s: TcpSocket, u8: Uint8Array, off: number, len: number): void {
    let at = off;
    const stop = off + len;
    while (this.#lengthSeen < 2 && at < stop) {
      this.#length = (this.#length << 8) | (u8[at++] as number);
      if (++this.#lengthSeen === 2) this.#message = new Uint8Array(this.#length);
    }
    const n = Math.min(stop - at, this.#length - this.#have);
    this.#message.set(u8.subarray(at, at + n), this.#have);
    this.#have += n;
    if (this.#lengthSeen === 2 && this.#have === this.#length) this.#finish();
  }

  ended(s: TcpSocket): void {
    s.close();
    this.#fail(Code.NONE);
  }

  writable(): void {}

  written(): void {}

  closed(_s: TcpSocket, code: number): void {
    this.#socket = null;
    this.#fail(code);
  }

  #finish(): void {
    const end = this.#end;
    this.#end = null;
    this.#socket?.close();
    this.#socket = null;
    end?.answered(this.#message);
  }

  #fail(errno: number): void {
    const end = this.#end;
    this.#end = null;
    end?.failed(errno);
  }
}
