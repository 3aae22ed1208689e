// The data streams of one iperf3 test: what they have in common, and readers and writers over TCP
// (those over UDP are in iperf3-udp.ts). A stream counts only while the test runs and starts again
// after the omitted seconds.

import type { TcpHandler, TcpSocket } from '../socket/tcp-socket.ts';
import type { Params, StreamResult } from './iperf3-protocol.ts';
import type { Timers } from './service.ts';
import { isDead, refill, SOURCE_QUEUE } from './source.ts';

/** What the session does with a stream, whatever carries it. */
export interface Stream {
  readonly id: number;
  readonly sends: boolean;
  /** `10.77.0.1 port 40000`, for the server's own output. */
  readonly peer: string;
  start(): void;
  /** The omitted seconds are over: count from here. */
  restart(): void;
  stop(): void;
  /** Ends in order: the client may still wait for the rest of a block. */
  close(): void;
  abort(): void;
  /** Octets carried since the start, or since the omitted seconds. */
  octets(): number;
  result(seconds: number): StreamResult;
}

const NO_TEXT = new Uint8Array(0);

/** Zero-filled and shared by all senders: nobody writes into it. */
let block: Uint8Array = NO_TEXT;
const BLOCK_OCTETS = 256 * 1024;

function sharedBlock(): Uint8Array {
  if (block.length === 0) block = new Uint8Array(BLOCK_OCTETS);
  return block;
}

/** Octets that a sender of `bitrate` may have sent `us` after its start. */
export function allowance(bitrate: number, us: number): number {
  return (bitrate * us) / 8e6;
}

export class TcpReader implements Stream, TcpHandler {
  readonly id: number;
  readonly sends = false;
  readonly peer: string;
  readonly #socket: TcpSocket;
  #running = false;
  #octets = 0;

  constructor(id: number, socket: TcpSocket) {
    this.id = id;
    this.#socket = socket;
    this.peer = `${socket.remoteAddress} port ${socket.remotePort}`;
  }

  start(): void {
    this.#running = true;
  }

  restart(): void {
    this.#octets = 0;
  }

  stop(): void {
    this.#running = false;
  }

  close(): void {
    this.#socket.close();
  }

  abort(): void {
    this.#socket.abort();
  }

  octets(): number {
    return this.#octets;
  }

  result(seconds: number): StreamResult {
    return tcpResult(this.id, this.#octets, 0, seconds);
  }

  opened(_s: TcpSocket): void {}

  data(_s: TcpSocket, _u8: Uint8Array, _off: number, len: number): void {
    if (this.#running) this.#octets += len;
  }

  ended(_s: TcpSocket): void {}
  writable(_s: TcpSocket): void {}
  written(_s: TcpSocket, _n: number): void {}
  closed(_s: TcpSocket, _code: number): void {}
}

export class TcpWriter implements Stream, TcpHandler {
  readonly id: number;
  readonly sends = true;
  readonly peer: string;
  readonly #socket: TcpSocket;
  readonly #timers: Timers;
  readonly #params: Params;
  #running = false;
  #cancel: (() => void) | null = null;
  #startUs = 0;
  /** Octets handed to TCP since the start, and those that the omitted seconds took. */
  #given = 0;
  #omitted = 0;
  #retransmitsBefore = 0;
  #sentAtEnd = 0;
  #retransmitsAtEnd = 0;

  constructor(id: number, socket: TcpSocket, params: Params, timers: Timers) {
    this.id = id;
    this.#socket = socket;
    this.#params = params;
    this.#timers = timers;
    this.peer = `${socket.remoteAddress} port ${socket.remotePort}`;
  }

  start(): void {
    this.#running = true;
    this.#startUs = this.#timers.nowUs();
    this.#pump();
  }

  restart(): void {
    this.#omitted = this.#acknowledged();
    this.#retransmitsBefore = this.#socket.info().total_retrans;
  }

  stop(): void {
    if (this.#running) this.#note();
    this.#running = false;
    this.#cancel?.();
    this.#cancel = null;
  }

  close(): void {
    this.#socket.close();
  }

  abort(): void {
    this.#socket.abort();
  }

  octets(): number {
    return (this.#running ? this.#acknowledged() : this.#sentAtEnd) - this.#omitted;
  }

  result(seconds: number): StreamResult {
    const octets = this.#sentAtEnd - this.#omitted;
    return tcpResult(this.id, octets, this.#retransmitsAtEnd - this.#retransmitsBefore, seconds);
  }

  opened(_s: TcpSocket): void {}
  data(_s: TcpSocket, _u8: Uint8Array, _off: number, _len: number): void {}
  ended(_s: TcpSocket): void {}

  writable(_s: TcpSocket): void {
    if (this.#params.bitrate === 0) this.#pump();
  }

  written(_s: TcpSocket, _n: number): void {
    if (this.#params.bitrate === 0) this.#pump();
  }

  closed(_s: TcpSocket, _code: number): void {
    this.stop();
  }

  /** Octets that the peer has: what is queued has not been transferred. */
  #acknowledged(): number {
    return this.#given - this.#socket.queued;
  }

  #note(): void {
    this.#sentAtEnd = this.#acknowledged();
    this.#retransmitsAtEnd = this.#socket.info().total_retrans;
  }

  #pump(): void {
    if (!this.#running || isDead(this.#socket)) return;
    const octets = sharedBlock();
    const { limit } = this.#params;
    if (this.#params.bitrate === 0 && limit === 0) {
      this.#given += refill(this.#socket, octets, SOURCE_QUEUE);
      return;
    }
    if (this.#params.bitrate === 0) {
      this.#put(octets, Math.min(limit - this.#given, SOURCE_QUEUE - this.#socket.queued));
      return;
    }
    const due = allowance(this.#params.bitrate, this.#timers.nowUs() - this.#startUs);
    const most = limit === 0 ? due : Math.min(due, limit);
    this.#put(octets, Math.min(most - this.#given, SOURCE_QUEUE - this.#socket.queued));
    this.#cancel = this.#timers.after(this.#params.pacingUs, () => this.#pump());
  }

  #put(octets: Uint8Array, room: number): void {
    for (let left = Math.floor(room); left > 0; left -= octets.length) {
      const n = Math.min(left, octets.length);
      this.#socket.write(octets, 0, n);
      this.#given += n;
    }
  }
}

function tcpResult(id: number, octets: number, retransmits: number, seconds: number): StreamResult {
  return {
    id,
    bytes: Math.max(0, octets),
    retransmits: Math.max(0, retransmits),
    jitter: 0,
    errors: 0,
    omitted_errors: 0,
    packets: 0,
    omitted_packets: 0,
    start_time: 0,
    end_time: seconds,
  };
}
